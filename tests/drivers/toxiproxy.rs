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
    let driver = toxiproxy::Toxiproxy::new(&profile, &api, "db", None, &[down]);
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
        "the proxy `a/b` of API: the server has no proxy of this name; create it first, or say by `listen` and `upstream` how to"
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

/// With a proxy that the server has not, or must have like this.
fn stage_between(server: &Toxiproxy, proxy: &str, ends: (&str, &str), toxics: &str) -> Stage {
    let (api, (listen, upstream)) = (&server.server.url, ends);
    let fault = format!(
        "toxiproxy = {{ api = \"{api}\", proxy = \"{proxy}\", listen = \"{listen}\", upstream = \"{upstream}\" }}\n\
         toxics = [{toxics}]"
    );
    Stage::new(&fault, ".".as_ref(), &[])
}

const ENDS: (&str, &str) = ("localhost:16379", "127.0.0.1:6379");
const TWO: &str = r#"{ latency = "200ms" }, { bandwidth = "100KB/s", upstream = true }"#;

/// The lines of the requests that change something, and what they carried.
fn changes(server: &Toxiproxy) -> Vec<(String, Value)> {
    let asked = server.server.asked().into_iter();
    let changes = asked.filter(|asked| !asked.line.starts_with("GET "));
    let body = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
    changes
        .map(|asked| {
            let line = asked.line.trim_end_matches(" HTTP/1.1").to_owned();
            (line, body(&asked.body))
        })
        .collect()
}

#[test]
fn a_proxy_that_is_not_there_is_created_for_the_time_of_the_fault() {
    let server = Toxiproxy::start();
    let before = server.proxies();
    let stage = stage_between(&server, "cache", ENDS, TWO);
    let undo = stage.prepare().unwrap();
    assert_eq!(changes(&server), []);
    assert_eq!(stage.inject(&undo).unwrap().proof, Proof::Seen);

    // Nobody can be connected to it before it has all of its toxics.
    let asked = changes(&server);
    let lines: Vec<&str> = asked.iter().map(|(line, _)| &line[..]).collect();
    assert_eq!(
        lines,
        [
            "POST /proxies",
            "POST /proxies/cache/toxics",
            "POST /proxies/cache/toxics",
            "POST /proxies/cache"
        ]
    );
    assert_eq!(
        asked[0].1,
        json!({ "name": "cache", "listen": ENDS.0, "upstream": ENDS.1, "enabled": false })
    );
    assert_eq!(asked[3].1, json!({ "enabled": true }));
    let during = server.proxies();
    assert_eq!(during["cache"]["enabled"], true);
    assert_eq!(during["cache"]["listen"], "127.0.0.1:16379");
    assert_eq!(during["cache"]["toxics"].as_array().unwrap().len(), 2);
    assert_eq!(during["db"], before["db"]);

    // An earlier try may have left what it did.
    assert_eq!(stage.inject(&undo).unwrap().proof, Proof::Seen);
    assert_eq!(server.proxies(), during);
    for _ in 0..2 {
        let done = stage.revert_from_disk(&undo).unwrap();
        assert_eq!((done.proof, &done.said[..]), (Proof::Seen, ""));
        assert_eq!(server.proxies(), before);
    }
}

#[test]
fn whatever_an_injection_came_to_is_brought_back() {
    let server = Toxiproxy::start();
    let before = server.proxies();
    for made in [false, true] {
        for after in 0..4 {
            let stage = stage_between(&server, "cache", ENDS, TWO);
            let undo = stage.prepare().unwrap();
            server.trouble(after, made);
            let why = stage.inject(&undo).unwrap_err().to_string();
            assert!(why.contains("out of order"), "{why}");
            server.heal();
            let changed = after > 0 || made;
            assert_eq!(server.proxies() != before, changed, "{after}, {made}");
            let done = stage.revert_from_disk(&undo).unwrap();
            assert_eq!((done.proof, &done.said[..]), (Proof::Seen, ""));
            assert_eq!(server.proxies(), before, "{after}, {made}");
        }
    }
}

#[test]
fn a_deletion_that_fails_is_tried_again() {
    let server = Toxiproxy::start();
    let before = server.proxies();
    let stage = stage_between(&server, "cache", ENDS, TWO);
    let undo = stage.prepare().unwrap();
    stage.inject(&undo).unwrap();
    server.trouble(0, false);
    stage.begin_revert(&undo, Duration::from_millis(400));
    assert_ne!(server.proxies(), before);
    server.heal();
    assert_eq!(stage.revert(&undo).unwrap().proof, Proof::Seen);
    assert_eq!(server.proxies(), before);
}

#[test]
fn a_proxy_that_is_there_must_be_the_one_that_is_meant_and_outlives_the_fault() {
    let server = Toxiproxy::start();
    let before = server.proxies();
    let ends = ("localhost:15432", "127.0.0.1:5432");
    let stage = stage_between(&server, "db", ends, TWO);
    let undo = stage.prepare().unwrap();
    assert_eq!(stage.inject(&undo).unwrap().proof, Proof::Seen);
    assert_ne!(server.proxies(), before);
    assert_eq!(stage.revert_from_disk(&undo).unwrap().proof, Proof::Seen);
    assert_eq!(server.proxies(), before);

    let so_far = changes(&server).len();
    for (listen, upstream) in [
        ("127.0.0.1:15433", "127.0.0.1:5432"),
        ("127.0.0.1:15432", "127.0.0.1:5433"),
    ] {
        let stage = stage_between(&server, "db", (listen, upstream), TWO);
        let why = stage.prepare().unwrap_err().to_string();
        assert_eq!(
            why.replace(&server.server.url, "API"),
            format!(
                "the proxy `db` of API: it is there already and leads from 127.0.0.1:15432 to 127.0.0.1:5432, not from \
                 {listen} to {upstream} as the profile says"
            )
        );
    }
    assert_eq!(changes(&server).len(), so_far);
}

#[test]
fn a_proxy_that_somebody_else_creates_meanwhile_is_left_alone_and_told() {
    for (listen, upstream) in [("127.0.0.1:1", "127.0.0.1:2"), ENDS] {
        let server = Toxiproxy::start();
        let stage = stage_between(&server, "cache", ENDS, TWO);
        let undo = stage.prepare().unwrap();
        server.create("cache", listen, upstream);
        let theirs = server.proxies();
        let why = stage.inject(&undo).unwrap_err().to_string();
        assert!(
            why.ends_with("somebody else has created it meanwhile"),
            "{why}"
        );
        let done = stage.revert_from_disk(&undo).unwrap();
        assert_eq!(done.proof, Proof::Seen);
        assert_eq!(
            done.said,
            format!(
                "the proxy `cache`, from {listen} to {upstream}, is not the one that was created for the fault, or not \
                 as it was: it is left alone"
            )
        );
        assert_eq!(server.proxies(), theirs);
        assert_eq!(changes(&server), []);
    }
}

#[test]
fn a_proxy_that_was_given_another_use_loses_our_toxics_only() {
    let server = Toxiproxy::start();
    let stage = stage_between(&server, "cache", ENDS, TWO);
    let undo = stage.prepare().unwrap();
    stage.inject(&undo).unwrap();
    server.change_one("cache", |cache| {
        cache["upstream"] = "127.0.0.1:6380".into();
        cache["toxics"].as_array_mut().unwrap().push(foreign());
    });
    let done = stage.revert_from_disk(&undo).unwrap();
    assert!(done.said.ends_with("it is left alone"), "{}", done.said);
    let cache = &server.proxies()["cache"];
    assert_eq!(cache["toxics"], json!([foreign()]));
    assert_eq!(cache["enabled"], true);
}

#[test]
fn a_proxy_that_cannot_listen_is_told_and_gone_afterwards() {
    let server = Toxiproxy::start();
    let before = server.proxies();
    let stage = stage_between(&server, "cache", ("127.0.0.1:15432", ENDS.1), TWO);
    let undo = stage.prepare().unwrap();
    let why = stage.inject(&undo).unwrap_err().to_string();
    assert!(why.contains("address already in use (500"), "{why}");
    stage.revert_from_disk(&undo).unwrap();
    assert_eq!(server.proxies(), before);
}

#[test]
fn a_proxy_that_is_not_there_cannot_be_taken_down() {
    let server = Toxiproxy::start();
    let stage = stage_between(&server, "cache", ENDS, r#"{ down = "refuse" }"#);
    let why = stage.prepare().unwrap_err().to_string();
    assert!(
        why.ends_with("so nobody would notice that it is down"),
        "{why}"
    );
    let stage = stage_between(
        &server,
        "db",
        ("127.0.0.1:15432", "127.0.0.1:5432"),
        r#"{ down = "refuse" }"#,
    );
    stage.prepare().unwrap();
}

#[test]
fn a_fault_that_takes_nothing_down_enables_nothing() {
    let server = Toxiproxy::start();
    let slow = stage(&server, "db", r#"{ latency = "200ms" }"#);
    let undo = slow.prepare().unwrap();
    slow.inject(&undo).unwrap();
    // Another fault, or a person.
    server.change(|db| db["enabled"] = false.into());
    assert_eq!(slow.revert_from_disk(&undo).unwrap().proof, Proof::Seen);
    assert_eq!(server.db()["enabled"], false);
    assert_eq!(server.db()["toxics"], json!([]));
}

#[test]
fn a_proxy_that_is_created_goes_with_the_last_fault_on_it() {
    // The second fault looks before the first one is in, or after that, and knows where the proxy stands or does not.
    for (early, named) in [(true, true), (false, true), (false, false)] {
        for first_goes_first in [true, false] {
            let server = Toxiproxy::start();
            let before = server.proxies();
            let slow = stage_between(&server, "cache", ENDS, r#"{ latency = "200ms" }"#);
            let narrow = if named {
                stage_between(&server, "cache", ENDS, r#"{ bandwidth = "100KB/s" }"#)
            } else {
                stage(&server, "cache", r#"{ bandwidth = "100KB/s" }"#)
            };
            let first = slow.prepare().unwrap();
            let ahead = early.then(|| narrow.prepare().unwrap());
            slow.inject(&first).unwrap();
            let second = ahead.unwrap_or_else(|| narrow.prepare().unwrap());
            assert_eq!(narrow.inject(&second).unwrap().proof, Proof::Seen);
            let mut faults = [(&slow, &first), (&narrow, &second)];
            if !first_goes_first {
                faults.reverse();
            }
            let [(one, undo), (other, last)] = faults;
            for _ in 0..2 {
                assert_eq!(one.revert_from_disk(undo).unwrap().proof, Proof::Seen);
                let left = &server.proxies()["cache"];
                assert_eq!(left["enabled"], true);
                assert_eq!(left["toxics"].as_array().unwrap().len(), 1);
            }
            assert_eq!(other.revert_from_disk(last).unwrap().proof, Proof::Seen);
            assert_eq!(server.proxies(), before);
        }
    }
}
