//! Writes that are acknowledged, and read back when the window is over.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "this is a test"
)]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use support::{only_session, records, run_json};
use tempfile::TempDir;

/// The demo service, in a process of its own.
struct Shop {
    child: Child,
    address: String,
}

impl Shop {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_stormdeck"))
            .args(["target", "--with-parent", "--service", "fixed:1ms"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line.trim().rsplit_once('/').unwrap().1.to_owned();
        Self { child, address }
    }

    fn broken(faults: &str) -> Self {
        let shop = Self::start();
        let mut stream = TcpStream::connect(&shop.address).unwrap();
        let length = faults.len();
        let head = "POST /admin/faults HTTP/1.0\r\ncontent-length:";
        write!(stream, "{head} {length}\r\n\r\n{faults}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains(" 200 "), "{answer}");
        shop
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What became of 200 writes, as the recording has it.
fn ledger(shop: &Shop, read: &str) -> Value {
    let profile = format!(
        r#"
        [window]
        duration = "2s"

        [[scenario]]
        name = "writers"
        target = "http://{}"
        rate = "100/s"
        journeys = [{{ name = "write" }}]

        [[journey]]
        name = "write"
        steps = [
          {{ name = "write", post = "/ledger", json = {{ id = "{{{{ ledger }}}}" }}, ledger = "ids", expect = {{ status = 201 }} }},
        ]

        [[ledger]]
        name = "ids"
        rate = "2000/s"
        read = {read}
        "#,
        shop.address
    );
    let dir = TempDir::new().unwrap();
    run_json(dir.path(), &profile, &[]);
    let session = only_session(dir.path());
    let all = records(&session);
    let mut found = all.into_iter().filter(|record| record["what"] == "ledger");
    let ledger = found.next().expect("the ledger was read back");
    assert_eq!(found.next(), None);
    assert_eq!(ledger["name"], "ids");
    let sent = ledger["sent"].as_u64().unwrap();
    assert!((195..=205).contains(&sent), "{ledger}");
    ledger
}

const COUNTED: &str = r#"{ get = "/ledger/{{ ledger }}", count = "json:$.count" }"#;

fn counts(ledger: &Value) -> [u64; 4] {
    ["lost", "duplicated", "surplus", "unknown"].map(|name| ledger[name].as_u64().unwrap())
}

#[test]
fn a_healthy_system_loses_nothing() {
    let found = ledger(&Shop::start(), COUNTED);
    assert_eq!(found["sent"], found["acknowledged"]);
    assert_eq!(counts(&found), [0; 4], "{found}");
    assert!(found["lost_between"].is_null());
}

#[test]
fn every_write_that_is_acknowledged_and_not_kept_is_lost() {
    let found = ledger(&Shop::broken(r#"{"lose": 1}"#), COUNTED);
    let acknowledged = found["acknowledged"].as_u64().unwrap();
    assert!(acknowledged > 190);
    assert_eq!(counts(&found), [acknowledged, 0, 0, 0], "{found}");
    let [first, last] = [0, 1].map(|at| found["lost_between"][at].as_u64().unwrap());
    assert!(
        first < 500_000 && (1_500_000..3_000_000).contains(&last),
        "{found}"
    );
}

#[test]
fn some_are_lost_and_some_are_there_twice() {
    let found = ledger(&Shop::broken(r#"{"lose": 0.3, "duplicate": 0.3}"#), COUNTED);
    let [lost, duplicated, surplus, unknown] = counts(&found);
    assert!((30..90).contains(&lost), "{found}");
    assert!((15..75).contains(&duplicated), "{found}");
    assert_eq!((surplus, unknown), (0, 0), "{found}");
}

#[test]
fn writes_that_were_refused_are_neither_acknowledged_nor_lost() {
    // Reading back goes through the same pages, half of whose answers are errors: those are asked for once more.
    let found = ledger(&Shop::broken(r#"{"errors": 0.5}"#), COUNTED);
    let [lost, duplicated, surplus, unknown] = counts(&found);
    assert_eq!((lost, duplicated, surplus), (0, 0, 0), "{found}");
    let (sent, acknowledged) = (&found["sent"], found["acknowledged"].as_u64().unwrap());
    assert!((60..140).contains(&acknowledged), "{found}");
    assert!(
        unknown > 10 && unknown < sent.as_u64().unwrap() / 2,
        "{found}"
    );
}

#[test]
fn an_answer_that_does_not_look_like_the_write_is_none() {
    let read = r#"{ get = "/ledger/{{ ledger }}", expect = { body_contains = "no such text" } }"#;
    let found = ledger(&Shop::start(), read);
    assert_eq!(found["lost"], found["acknowledged"], "{found}");
}

#[test]
fn writes_that_a_fault_loses_are_told_with_the_fault_and_none_is_blamed_on_nobody() {
    let shop = Shop::start();
    let profile = format!(
        r#"
        [[scenario]]
        name = "writers"
        target = "http://{address}"
        rate = "100/s"
        journeys = [{{ name = "write" }}]

        [[journey]]
        name = "write"
        steps = [
          {{ name = "write", post = "/ledger", json = {{ id = "{{{{ ledger }}}}" }}, ledger = "ids", expect = {{ status = 201 }} }},
        ]

        [[ledger]]
        name = "ids"
        rate = "2000/s"
        read = {COUNTED}

        [[phase]]
        name = "forgetful"
        for = "5s"
        faults = [{{ name = "forget", after = "2s", for = "1s" }}]

        [[fault]]
        name = "forget"
        http = {{ inject = {{ post = "http://{address}/admin/faults", json = {{ lose = 1 }} }}, revert = {{ delete = "http://{address}/admin/faults" }} }}
        "#,
        address = shop.address
    );
    let dir = TempDir::new().unwrap();
    let (summary, code) = run_json(dir.path(), &profile, &[]);
    assert_eq!(code, 1, "a lost write is a no-go");
    let records = records(&only_session(dir.path()));
    let ledger = records.iter().find(|it| it["what"] == "ledger").unwrap();
    let [lost, duplicated, _, unknown] = counts(ledger);
    assert!((50..300).contains(&lost), "{ledger}");
    assert_eq!((duplicated, unknown), (0, 0), "{ledger}");
    assert_eq!(ledger["looked_at"], ledger["acknowledged"]);
    let moments = ledger["by_time"].as_array().unwrap();
    let told: u64 = moments.iter().filter_map(|it| it["lost"].as_u64()).sum();
    assert_eq!(told, lost, "{ledger}");
    let fault = &summary["faults"][0];
    let losses = fault["losses"].as_array().unwrap();
    assert_eq!(losses.len(), 1, "{fault}");
    assert_eq!(losses[0]["ledger"], "ids");
    assert_eq!(losses[0]["lost"].as_u64(), Some(lost));
    assert_eq!(losses[0]["partial"], false);
    let [least, most] = ["rpo_least_s", "rpo_most_s"].map(|name| losses[0][name].as_f64().unwrap());
    let [from, to] = [0, 1].map(|at| ledger["lost_between"][at].as_u64().unwrap() as f64 / 1e6);
    let took = to.max(fault["at_s"].as_f64().unwrap()) - from;
    assert!((least..=most).contains(&took), "{took}: {losses:?}");
    let findings: Vec<&str> = summary["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let around =
        format!("ids: {lost} acknowledged writes were lost around forget, a recovery point of ");
    assert!(
        findings.iter().any(|it| it.starts_with(&around)),
        "{findings:?}"
    );
    assert!(
        !findings.iter().any(|it| it.contains("near no fault")),
        "{findings:?}"
    );
}
