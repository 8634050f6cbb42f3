//! Requests that break something and bring it back.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stormdeck::engine::embedded::Embedded;
use stormdeck::fault::driver::Proof;
use stormdeck::fault::undo::Undo;
use stormdeck::profile::{self, Options};

use crate::Stage;
use crate::support::server::{Asked, Server};

fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}")
}

/// A switch behind an API: `POST /fault` breaks, `DELETE /fault` mends (404 when nothing is broken), `GET /health`.
fn switch() -> Server {
    let broken = Mutex::new(false);
    Server::answering(move |asked: &Asked| {
        let mut broken = broken.lock().unwrap();
        match asked.line.rsplit_once(' ').unwrap().0 {
            "POST /fault" => {
                *broken = true;
                answer("201 Created", &format!("broken by {}", asked.body))
            }
            "DELETE /fault" if *broken => {
                *broken = false;
                answer("204 No Content", "")
            }
            "DELETE /fault" => answer("404 Not Found", "nothing to mend"),
            "GET /health" if *broken => answer("200 OK", r#"{"ok": false}"#),
            "GET /health" => answer("200 OK", r#"{"ok": true}"#),
            _ => answer("404 Not Found", "no such path"),
        }
    })
}

fn fault(url: &str) -> String {
    format!(
        r#"
[fault.http]
inject = {{ post = "{url}/fault", json = {{ kind = "latency", by = "${{secret:WHO}}" }}, headers = {{ authorization = "Bearer ${{secret:TOKEN}}" }}, expect = {{ status = 201 }} }}
revert = [{{ get = "{url}/health" }}, {{ delete = "{url}/fault" }}]
check = {{ get = "{url}/health", expect = {{ body_contains = '"ok": true' }}, timeout = "2s" }}
"#
    )
}

const SECRETS: [(&str, &str); 2] = [("WHO", "mallory"), ("TOKEN", "hunter2")];

#[test]
fn a_request_breaks_it_and_another_brings_it_back_and_both_are_seen() {
    let server = switch();
    let stage = Stage::new(&fault(&server.url), ".".as_ref(), &SECRETS);
    let undo = stage.prepare().unwrap();
    let done = stage.inject(&undo).unwrap();
    assert_eq!(done.proof, Proof::Checked);
    let hidden = r#"broken by {"kind":"latency","by":"‹secret:WHO›"}"#;
    assert_eq!(done.said, hidden);
    let done = stage.revert_from_disk(&undo).unwrap();
    assert_eq!(done.proof, Proof::Checked);
    // Now there is nothing to mend, which the check knows.
    let done = stage.revert(&undo).unwrap();
    assert_eq!(done.proof, Proof::Checked);
    assert!(
        done.said
            .contains("404 Not Found: nothing to mend; but the check passes"),
        "{done:?}"
    );

    let asked = server.asked();
    let post = asked
        .iter()
        .find(|asked| asked.line.starts_with("POST"))
        .unwrap();
    assert_eq!(post.body, r#"{"kind":"latency","by":"mallory"}"#);
    assert_eq!(post.header("authorization"), Some("Bearer hunter2"));
    assert_eq!(post.header("content-type"), Some("application/json"));
    assert!(post.header("user-agent").unwrap().starts_with("stormdeck/"));
    let written = serde_json::to_string(&undo).unwrap();
    for (_, secret) in SECRETS {
        assert!(!written.contains(secret), "{written}");
    }
}

#[test]
fn an_answer_that_was_not_expected_is_quoted_short_and_without_secrets() {
    let server = Server::answering(|asked| {
        let key = asked.header("x-key").unwrap_or_default();
        answer("500 Oops", &format!("no {key} {}", "x".repeat(100_000)))
    });
    let fault = format!(
        r#"http = {{ inject = {{ put = "{0}/a", body = "x", headers = {{ x-key = "${{secret:KEY}}" }} }}, revert = {{ post = "{0}/b" }} }}"#,
        server.url
    );
    let stage = Stage::new(&fault, ".".as_ref(), &[("KEY", "s3cret")]);
    let undo = stage.prepare().unwrap();
    let why = stage.inject(&undo).unwrap_err().to_string();
    assert!(why.contains("500 Internal Server Error: …"), "{why}");
    assert!(!why.contains("s3cret") && why.len() < 1000, "{why}");
}

#[test]
fn a_server_that_does_not_answer_is_given_up_at_the_limit() {
    let server = Server::raw(|stream| {
        std::thread::sleep(Duration::from_secs(20));
        drop(stream);
    });
    let fault = format!(
        r#"http = {{ inject = {{ post = "{0}/a", timeout = "100ms" }}, revert = {{ post = "{0}/b" }} }}"#,
        server.url
    );
    let stage = Stage::new(&fault, ".".as_ref(), &[]);
    let undo = stage.prepare().unwrap();
    let why = stage.inject(&undo).unwrap_err().to_string();
    assert_eq!(
        why,
        format!("POST {}/a: no answer within 100ms", server.url)
    );
}

#[test]
fn the_embedded_shop_is_broken_through_its_own_api() {
    let text = r#"
[window]
duration = "1s"
[[scenario]]
name = "shoppers"
target = "embedded://shop?servers=2"
get = "/"
rate = "1/s"
[[fault]]
name = "it"
[fault.http]
inject = { post = "embedded://shop/admin/faults?servers=2", json = { errors = 1.0 } }
revert = { delete = "embedded://shop/admin/faults?servers=2" }
check = { get = "embedded://shop/?servers=2" }
"#;
    let mut profile = profile::parse(text, ".".as_ref(), &Options::default()).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_stormdeck"));
    let _services = Embedded::start(&mut profile, program).unwrap();
    let stage = Stage::from(&profile);
    let undo = stage.prepare().unwrap();
    assert_eq!(stage.inject(&undo).unwrap().proof, Proof::Checked);
    assert_eq!(stage.revert_from_disk(&undo).unwrap().proof, Proof::Checked);
}

#[test]
fn every_revert_is_made_whatever_becomes_of_the_first() {
    let server = Server::answering(|asked| {
        let refused = asked.line.contains("/first") || asked.line.contains("/third");
        answer(if refused { "500 Oops" } else { "200 OK" }, "")
    });
    let fault = format!(
        r#"http = {{ inject = {{ post = "{0}/a" }}, revert = [{{ post = "{0}/first" }}, {{ post = "{0}/second" }}, {{ post = "{0}/third" }}] }}"#,
        server.url
    );
    let stage = Stage::new(&fault, ".".as_ref(), &[]);
    let undo = stage.prepare().unwrap();
    let why = stage.revert(&undo).unwrap_err().to_string();
    assert!(why.contains("/first: "), "{why}");
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn a_redirect_is_not_followed() {
    let other = switch();
    let place = format!("{}/fault", other.url);
    let server = Server::answering(move |_| {
        format!("HTTP/1.1 307 Elsewhere\r\nlocation: {place}\r\ncontent-length: 0\r\n\r\n")
    });
    let fault = format!(
        r#"http = {{ inject = {{ post = "{0}/a" }}, revert = {{ post = "{0}/b" }} }}"#,
        server.url
    );
    let stage = Stage::new(&fault, ".".as_ref(), &[]);
    let undo = stage.prepare().unwrap();
    let why = stage.inject(&undo).unwrap_err().to_string();
    assert!(why.contains("307 Temporary Redirect"), "{why}");
    assert!(other.asked().is_empty());
}

#[test]
fn a_request_that_was_given_up_comes_to_its_end_before_it_is_taken_back() {
    let done = std::sync::Arc::new(Mutex::new(Vec::new()));
    let log = std::sync::Arc::clone(&done);
    let server = Server::answering(move |asked: &Asked| {
        if asked.line.starts_with("POST") {
            // Nobody may wait for it any more; it is carried out all the same.
            std::thread::sleep(Duration::from_millis(400));
        }
        let method = asked.line.split(' ').next().unwrap();
        log.lock().unwrap().push(method.to_owned());
        answer("200 OK", "")
    });
    let fault = format!(
        r#"http = {{ inject = {{ post = "{0}/fault" }}, revert = {{ delete = "{0}/fault" }} }}"#,
        server.url
    );
    let stage = Stage::new(&fault, ".".as_ref(), &[]);
    let undo = stage.prepare().unwrap();
    stage.begin(&undo, Duration::from_millis(100));
    stage.revert(&undo).unwrap();
    assert_eq!(*done.lock().unwrap(), ["POST", "DELETE"]);
}

#[test]
fn nothing_more_is_sent_of_an_injection_that_was_given_up() {
    let server = Server::answering(|asked: &Asked| {
        if asked.line.contains("/first") {
            std::thread::sleep(Duration::from_millis(400));
        }
        answer("200 OK", "")
    });
    let fault = format!(
        r#"http = {{ inject = [{{ post = "{0}/first" }}, {{ post = "{0}/second" }}, {{ post = "{0}/third" }}], revert = {{ delete = "{0}/it" }} }}"#,
        server.url
    );
    let stage = Stage::new(&fault, ".".as_ref(), &[]);
    let undo = stage.prepare().unwrap();
    stage.begin(&undo, Duration::from_millis(100));
    stage.revert(&undo).unwrap();
    let lines: Vec<String> = server.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[1].starts_with("DELETE /it"), "{lines:?}");
}

/// A server that carries out a `POST` long after it was asked, and knows nothing to take away but that; and whether it is
/// broken.
fn slow_switch() -> (Server, Arc<Mutex<bool>>) {
    let broken = Arc::new(Mutex::new(false));
    let (state, first) = (Arc::clone(&broken), Mutex::new(true));
    let server = Server::answering(move |asked: &Asked| {
        if asked.line.starts_with("POST") {
            std::thread::sleep(Duration::from_millis(700));
            *state.lock().unwrap() = true;
            return answer("200 OK", "");
        }
        let was = std::mem::replace(&mut *state.lock().unwrap(), false);
        let first = std::mem::replace(&mut *first.lock().unwrap(), false);
        answer(
            if was || first {
                "200 OK"
            } else {
                "404 Not Found"
            },
            "",
        )
    });
    (server, broken)
}

fn slow_fault(url: &str, timeout: &str) -> String {
    format!(
        r#"http = {{ inject = {{ post = "{url}/it", timeout = "{timeout}" }}, revert = {{ delete = "{url}/it" }} }}"#
    )
}

#[test]
fn a_request_that_was_not_answered_in_time_is_taken_back_once_more_after_that() {
    let (server, broken) = slow_switch();
    let stage = Stage::new(&slow_fault(&server.url, "500ms"), ".".as_ref(), &[]);
    let undo = stage.prepare().unwrap();
    stage.inject(&undo).unwrap_err();
    stage.revert(&undo).unwrap();
    assert!(!*broken.lock().unwrap());
    assert_eq!(server.asked().len(), 3);
    // Then there is nothing to take away, which is as it should be.
    stage.revert(&undo).unwrap();
}

#[test]
fn a_request_that_was_under_way_when_its_engine_was_killed_is_taken_back_once_more() {
    let (server, broken) = slow_switch();
    let stage = Stage::new(&slow_fault(&server.url, "1s"), ".".as_ref(), &[]);
    let undo = stage.prepare().unwrap();
    stage.begin(&undo, Duration::from_millis(200));
    stage.revert_from_disk(&undo).unwrap();
    assert!(!*broken.lock().unwrap());
    // One that is older than the injection can have taken is over.
    let mut written = serde_json::to_value(&undo).unwrap();
    let age = written["written"].as_u64().unwrap() - 10_000;
    written["written"] = age.into();
    let old: Undo = serde_json::from_value(written).unwrap();
    let before = server.asked().len();
    let _ = stage.revert_from_disk(&old);
    assert_eq!(server.asked().len(), before + 1);
    // Likewise one that an earlier version wrote, which does not tell.
    let mut written = serde_json::to_value(&undo).unwrap();
    for new in ["written", "limits"] {
        written.as_object_mut().unwrap().remove(new).unwrap();
    }
    let earlier: Undo = serde_json::from_value(written).unwrap();
    let _ = stage.revert_from_disk(&earlier);
    assert_eq!(server.asked().len(), before + 2);
}
