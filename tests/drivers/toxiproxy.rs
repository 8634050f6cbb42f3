//! Toxics through the API of a Toxiproxy.

use std::time::Duration;

use serde_json::{Value, json};
use stormdeck::fault::driver::Proof;
use stormdeck::fault::toxiproxy;
use stormdeck::profile::model::{Down, Toxic, ToxicKind};
use stormdeck::profile::units::Ratio;
use stormdeck::profile::{self, Options, Text};

use crate::Stage;
use crate::support::toxiproxy::Toxiproxy;

fn stage(server: &Toxiproxy, proxy: &str, toxics: &str) -> Stage {
    let api = &server.server.url;
    let fault =
        format!("toxiproxy = {{ api = \"{api}\", proxy = \"{proxy}\" }}\ntoxics = [{toxics}]");
    Stage::new(&fault, ".".as_ref(), &[])
}

/// A toxic of somebody else.
fn foreign() -> Value {
    json!({ "name": "theirs", "type": "latency", "stream": "upstream", "toxicity": 1.0,
            "attributes": { "latency": 1, "jitter": 0 } })
}

#[test]
fn toxics_come_and_go_and_what_was_there_before_stays() {
    let server = Toxiproxy::start();
    server.change(|db| db["toxics"] = json!([foreign()]));
    let before = server.db();
    let toxics = r#"{ latency = "200ms", jitter = "50ms", toxicity = "30%" }, { bandwidth = "100KB/s", upstream = true },
        { slow_close = "1s" }, { timeout = "0s" }, { reset_peer = "10ms" },
        { slicer = "64", size_variation = "16", delay = "10us" }, { limit_data = "1MB" }"#;
    let stage = stage(&server, "db", &toxics.replace('\n', ""));
    for _ in 0..2 {
        let undo = stage.prepare().unwrap();
        assert_eq!(server.db(), before);
        assert_eq!(stage.inject(&undo).unwrap().proof, Proof::Seen);
        let db = server.db();
        let toxics = db["toxics"].as_array().unwrap();
        assert_eq!(toxics.len(), 8);
        assert_eq!(toxics[0], foreign());
        assert_eq!(toxics[1]["type"], "latency");
        assert!((toxics[1]["toxicity"].as_f64().unwrap() - 0.3).abs() < 1e-6);
        assert_eq!(toxics[2]["stream"], "upstream");
        assert_eq!(toxics[2]["attributes"], json!({ "rate": 100 }));
        assert!(
            toxics[1]["name"]
                .as_str()
                .unwrap()
                .starts_with("stormdeck_")
        );
        // An earlier try may have left what it did.
        assert_eq!(stage.inject(&undo).unwrap().proof, Proof::Seen);
        assert_eq!(server.db(), db);
        assert_eq!(stage.revert_from_disk(&undo).unwrap().proof, Proof::Seen);
        assert_eq!(server.db(), before);
        assert_eq!(stage.revert(&undo).unwrap().proof, Proof::Seen);
    }
    let agents = server.server.asked();
    assert!(
        agents
            .iter()
            .all(|asked| !asked.header("user-agent").unwrap().starts_with("Mozilla/"))
    );
    let off = |asked: &crate::support::server::Asked| asked.body.contains("\"enabled\"");
    assert!(!agents.iter().any(off), "a proxy in use is not interrupted");
}

#[test]
fn a_proxy_that_is_taken_down_is_up_again_afterwards() {
    let server = Toxiproxy::start();
    let before = server.db();
    let profile = profile::load("smoke", &Options::default()).unwrap();
    let api = Text::plain(format!("{}/", server.server.url));
    let down = Toxic {
        kind: ToxicKind::Down(Down::Refuse),
        toxicity: Ratio(1.0),
        upstream: false,
    };
    let driver = toxiproxy::Toxiproxy::new(&profile, &api, "db", &[down]);
    let stage = Stage::with(Box::new(driver));
    let undo = stage.prepare().unwrap();
    assert_eq!(stage.inject(&undo).unwrap().proof, Proof::Seen);
    assert_eq!(server.db()["enabled"], false);
    assert_eq!(server.db()["toxics"], json!([]));
    assert_eq!(stage.revert_from_disk(&undo).unwrap().proof, Proof::Seen);
    assert_eq!(server.db(), before);
}

#[test]
fn a_toxic_that_an_earlier_try_left_becomes_as_it_is_asked_for() {
    let server = Toxiproxy::start();
    let stage = stage(&server, "db", r#"{ latency = "200ms" }"#);
    let undo = stage.prepare().unwrap();
    stage.inject(&undo).unwrap();
    server.change(|db| db["toxics"][0]["attributes"]["latency"] = 1.into());
    stage.inject(&undo).unwrap();
    let db = server.db();
    assert_eq!(db["toxics"].as_array().unwrap().len(), 1);
    assert_eq!(db["toxics"][0]["attributes"]["latency"], 200);
}

#[test]
fn an_api_that_is_blocked_for_seconds_is_waited_for() {
    let server = Toxiproxy::start();
    let before = server.db();
    let stage = stage(&server, "db", r#"{ reset_peer = "0s" }"#);
    let undo = stage.prepare().unwrap();
    stage.inject(&undo).unwrap();
    // Longer than an exchange may take.
    server.block(Duration::from_secs(7));
    assert_eq!(stage.revert(&undo).unwrap().proof, Proof::Seen);
    assert_eq!(server.db(), before);
}

#[test]
fn a_proxy_that_is_not_there_or_disabled_is_told_before_anything_is_broken() {
    let server = Toxiproxy::start();
    let why = |proxy| {
        let stage = stage(&server, proxy, r#"{ latency = "1ms" }"#);
        let why = stage.prepare().unwrap_err().to_string();
        why.replace(&server.server.url, "API")
    };
    assert_eq!(
        why("a/b"),
        "the proxy `a/b` of API: the server has no proxy of this name; create it first"
    );
    server.change(|db| db["enabled"] = false.into());
    assert_eq!(
        why("db"),
        "the proxy `db` of API: the proxy is disabled already: no fault could show on it"
    );
}

#[test]
fn a_proxy_that_is_gone_has_no_toxics_and_an_api_that_is_gone_is_told() {
    let server = Toxiproxy::start();
    let stage = stage(&server, "db", r#"{ latency = "1ms" }"#);
    let undo = stage.prepare().unwrap();
    stage.inject(&undo).unwrap();
    server.delete();
    let done = stage.revert(&undo).unwrap();
    assert_eq!(
        done.said,
        "the server has no proxy `db` any more, and no toxic of it"
    );
    let why = stage.inject(&undo).unwrap_err().to_string();
    assert!(why.ends_with("proxy not found (404 Not Found)"), "{why}");
}
