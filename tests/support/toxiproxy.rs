//! The API of Toxiproxy 2, as far as it matters: state, status codes, error bodies that are JSON labelled as text, and its
//! manners. It carries no traffic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what it expects by unwrapping"
)]
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::server::{Asked, Server};

/// A fake Toxiproxy with one proxy, `db`.
pub struct Toxiproxy {
    pub server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    proxies: BTreeMap<String, Value>,
    /// How long removing a `reset_peer` holds up everything.
    block: Duration,
}

/// Status, and body.
type Answer = (u16, Value);

fn refused(status: u16, error: &str) -> Answer {
    (status, json!({ "error": error, "status": status }))
}

impl Toxiproxy {
    pub fn start() -> Self {
        let db = json!({
            "name": "db", "listen": "127.0.0.1:15432", "upstream": "127.0.0.1:5432",
            "enabled": true, "toxics": [],
        });
        let state = Arc::new(Mutex::new(State {
            proxies: BTreeMap::from([("db".into(), db)]),
            ..State::default()
        }));
        let kept = Arc::clone(&state);
        let server = Server::answering(move |asked| {
            let browser = asked
                .header("user-agent")
                .is_some_and(|agent| agent.starts_with("Mozilla/"));
            if browser {
                return text(403, "User agent not allowed\n", "text/plain; charset=utf-8");
            }
            // One lock for everything, as in the original: who removes a `reset_peer` holds up all others.
            let mut state = kept.lock().unwrap();
            let (status, body) = state.answer(asked);
            let kind = if status < 400 {
                "application/json"
            } else {
                "text/plain; charset=utf-8"
            };
            let body = if status == 204 {
                String::new()
            } else {
                format!("{body}\n")
            };
            text(status, &body, kind)
        });
        Self { server, state }
    }

    /// From now on, removing a `reset_peer` holds up the API.
    pub fn block(&self, time: Duration) {
        self.state.lock().unwrap().block = time;
    }

    /// The proxy `db`.
    pub fn db(&self) -> Value {
        self.state.lock().unwrap().proxies["db"].clone()
    }

    /// Somebody else changes `db`.
    pub fn change(&self, change: impl FnOnce(&mut Value)) {
        change(self.state.lock().unwrap().proxies.get_mut("db").unwrap());
    }

    /// Somebody else deletes `db`.
    pub fn delete(&self) {
        self.state.lock().unwrap().proxies.clear();
    }
}

fn text(status: u16, body: &str, kind: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}")
}

impl State {
    fn answer(&mut self, asked: &Asked) -> Answer {
        let method = asked.line.split(' ').next().unwrap();
        let path = asked.path().trim_start_matches('/');
        let path = percent_encoding::percent_decode_str(path)
            .decode_utf8()
            .unwrap();
        let body: Value = serde_json::from_str(&asked.body).unwrap_or(Value::Null);
        match (method, &path.split('/').collect::<Vec<_>>()[..]) {
            ("GET", ["proxies"]) => (200, json!(self.proxies)),
            (_, ["proxies", name, rest @ ..]) => {
                let block = self.block;
                let Some(proxy) = self.proxies.get_mut(*name) else {
                    return refused(404, "proxy not found");
                };
                match (method, rest) {
                    ("GET", []) => (200, proxy.clone()),
                    ("POST", []) => {
                        for key in ["enabled", "listen", "upstream"] {
                            if let Some(value) = body.get(key) {
                                proxy[key] = value.clone();
                            }
                        }
                        (200, proxy.clone())
                    }
                    (_, ["toxics", rest @ ..]) => toxics(method, rest, proxy, &body, block),
                    _ => refused(405, "method not allowed"),
                }
            }
            _ => refused(404, "not found"),
        }
    }
}

fn toxics(method: &str, rest: &[&str], proxy: &mut Value, body: &Value, block: Duration) -> Answer {
    let toxics = proxy["toxics"].as_array_mut().unwrap();
    let place =
        |toxics: &[Value], name: &str| toxics.iter().position(|toxic| toxic["name"] == name);
    match (method, rest) {
        ("POST", []) => {
            let stream = body["stream"].as_str().unwrap_or("downstream");
            if !["upstream", "downstream"].contains(&stream) {
                return refused(
                    400,
                    "stream was invalid, can be either upstream or downstream",
                );
            }
            let kind = body["type"].as_str().unwrap_or_default();
            let Some(mut attributes) = defaults(kind) else {
                return refused(400, "invalid toxic type");
            };
            merge(&mut attributes, &body["attributes"]);
            let name = body["name"]
                .as_str()
                .map_or_else(|| format!("{kind}_{stream}"), str::to_owned);
            if place(toxics, &name).is_some() {
                return refused(409, "toxic already exists");
            }
            let toxicity = body["toxicity"].as_f64().unwrap_or(1.0);
            let toxic = json!({
                "name": name, "type": kind, "stream": stream, "toxicity": toxicity, "attributes": attributes,
            });
            toxics.push(toxic.clone());
            (200, toxic)
        }
        (_, [name]) => {
            let Some(at) = place(toxics, name) else {
                return refused(404, "toxic not found");
            };
            match method {
                "GET" => (200, toxics[at].clone()),
                "POST" => {
                    merge(&mut toxics[at]["attributes"], &body["attributes"]);
                    if let Some(toxicity) = body["toxicity"].as_f64() {
                        toxics[at]["toxicity"] = toxicity.into();
                    }
                    (200, toxics[at].clone())
                }
                "DELETE" => {
                    let removed = toxics.remove(at);
                    if removed["type"] == "reset_peer" {
                        std::thread::sleep(block);
                    }
                    (204, Value::Null)
                }
                _ => refused(405, "method not allowed"),
            }
        }
        _ => refused(405, "method not allowed"),
    }
}

/// The attributes of a kind of toxic.
fn defaults(kind: &str) -> Option<Value> {
    Some(match kind {
        "latency" => json!({ "latency": 0, "jitter": 0 }),
        "bandwidth" => json!({ "rate": 0 }),
        "slow_close" => json!({ "delay": 0 }),
        "timeout" | "reset_peer" => json!({ "timeout": 0 }),
        "slicer" => json!({ "average_size": 0, "size_variation": 0, "delay": 0 }),
        "limit_data" => json!({ "bytes": 0 }),
        _ => return None,
    })
}

/// Attributes that it does not know are ignored.
fn merge(attributes: &mut Value, given: &Value) {
    for (key, value) in attributes.as_object_mut().unwrap() {
        if let Some(given) = given.get(key) {
            value.clone_from(given);
        }
    }
}
