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
    /// So many changes are still made; the next is made as well or is not, and it and all that follow are refused.
    trouble: Option<(usize, bool)>,
}

/// Status, and body.
type Answer = (u16, Value);

fn refused(status: u16, error: &str) -> Answer {
    (status, json!({ "error": error, "status": status }))
}

impl Toxiproxy {
    pub fn start() -> Self {
        let db = proxy("db", "127.0.0.1:15432", "127.0.0.1:5432", true);
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
            let (status, body) = state.answer_or_fail(asked);
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

    /// So many changes are still made. The next is `made` or not, but refused in any case, as are those that follow.
    pub fn trouble(&self, after: usize, made: bool) {
        self.state.lock().unwrap().trouble = Some((after, made));
    }

    /// No trouble any more.
    pub fn heal(&self) {
        self.state.lock().unwrap().trouble = None;
    }

    /// All proxies, by name.
    pub fn proxies(&self) -> Value {
        json!(self.state.lock().unwrap().proxies)
    }

    /// Somebody else creates a proxy, or replaces one.
    pub fn create(&self, name: &str, listen: &str, upstream: &str) {
        let proxy = proxy(name, listen, upstream, true);
        let mut state = self.state.lock().unwrap();
        state.proxies.insert(name.into(), proxy);
    }

    /// Somebody else changes a proxy.
    pub fn change_one(&self, name: &str, change: impl FnOnce(&mut Value)) {
        change(self.state.lock().unwrap().proxies.get_mut(name).unwrap());
    }

    /// The proxy `db`.
    pub fn db(&self) -> Value {
        self.state.lock().unwrap().proxies["db"].clone()
    }

    /// Somebody else changes `db`.
    pub fn change(&self, change: impl FnOnce(&mut Value)) {
        self.change_one("db", change);
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

fn proxy(name: &str, listen: &str, upstream: &str, enabled: bool) -> Value {
    json!({ "name": name, "listen": listen, "upstream": upstream, "enabled": enabled, "toxics": [] })
}

impl State {
    fn answer_or_fail(&mut self, asked: &Asked) -> Answer {
        let change = !asked.line.starts_with("GET ");
        match &mut self.trouble {
            Some((0, made)) if change => {
                if std::mem::take(made) {
                    self.answer(asked);
                }
                refused(500, "out of order")
            }
            Some((left, _)) if change => {
                *left -= 1;
                self.answer(asked)
            }
            _ => self.answer(asked),
        }
    }

    /// What listening there comes to: the address, or why not.
    fn listen(&self, name: &str, listen: &str) -> Result<String, Answer> {
        let address = listen.replace("localhost", "127.0.0.1");
        let taken = |(other, proxy): (&String, &Value)| {
            other != name && proxy["enabled"] == true && proxy["listen"] == address.as_str()
        };
        if self.proxies.iter().any(taken) {
            let why = format!("listen tcp {address}: bind: address already in use");
            return Err(refused(500, &why));
        }
        Ok(address)
    }

    fn create(&mut self, body: &Value) -> Answer {
        let text = |key: &str| body[key].as_str().unwrap_or_default();
        let (name, listen, upstream) = (text("name"), text("listen"), text("upstream"));
        for (key, value) in [("name", name), ("upstream", upstream)] {
            if value.is_empty() {
                return refused(400, &format!("missing required field: {key}"));
            }
        }
        if self.proxies.contains_key(name) {
            return refused(409, "proxy already exists");
        }
        let enabled = body["enabled"].as_bool().unwrap_or(true);
        let listen = match enabled.then(|| self.listen(name, listen)) {
            Some(Err(refused)) => return refused,
            Some(Ok(address)) => address,
            None => listen.to_owned(),
        };
        let proxy = proxy(name, &listen, upstream, enabled);
        self.proxies.insert(name.to_owned(), proxy.clone());
        (201, proxy)
    }

    /// Changes a proxy. It starts to listen when it is enabled, and tells from then on where it really does.
    fn update(&mut self, name: &str, body: &Value) -> Answer {
        let mut proxy = self.proxies[name].clone();
        for key in ["enabled", "listen", "upstream"] {
            if let Some(value) = body.get(key) {
                proxy[key] = value.clone();
            }
        }
        if proxy["enabled"] == true {
            match self.listen(name, proxy["listen"].as_str().unwrap()) {
                Ok(address) => proxy["listen"] = address.into(),
                Err(refused) => return refused,
            }
        }
        self.proxies.insert(name.to_owned(), proxy.clone());
        (200, proxy)
    }

    fn answer(&mut self, asked: &Asked) -> Answer {
        let method = asked.line.split(' ').next().unwrap();
        let path = asked.path().trim_start_matches('/');
        let path = percent_encoding::percent_decode_str(path)
            .decode_utf8()
            .unwrap();
        let body: Value = serde_json::from_str(&asked.body).unwrap_or(Value::Null);
        match (method, &path.split('/').collect::<Vec<_>>()[..]) {
            ("GET", ["proxies"]) => (200, json!(self.proxies)),
            ("POST", ["proxies"]) => self.create(&body),
            (_, ["proxies", name, rest @ ..]) => {
                let block = self.block;
                let Some(proxy) = self.proxies.get_mut(*name) else {
                    return refused(404, "proxy not found");
                };
                match (method, rest) {
                    ("GET", []) => (200, proxy.clone()),
                    ("POST", []) => self.update(name, &body),
                    ("DELETE", []) => {
                        self.proxies.remove(*name);
                        (204, Value::Null)
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
