//! What can be asked of a running window, and what comes of it.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::window::{Window, events, said, ticks};

#[test]
fn a_rate_that_ctl_sets_is_asked_for_within_fifty_milliseconds() {
    let window = Window::start();
    window.let_pass(Duration::from_millis(300));
    let (out, err, code) = window.ctl("rate shoppers 300/s");
    assert_eq!(code, 0, "{err}");
    assert_eq!(out, "shoppers: 300/s until the next phase begins\n");
    window.let_pass(Duration::from_secs(1));
    let records = window.stop();
    let load = events(&records, "load")[0];
    assert_eq!(
        (&load["scenario"], &load["factor"]),
        (&json!(0), &json!(300.0))
    );
    let by = load["by"].as_str().unwrap();
    assert!(by.starts_with("ops@"), "{by}");
    let from = load["at"].as_u64().unwrap();
    let until = events(&records, "stop")[0]["at"].as_u64().unwrap();
    let asked = |tick: &Value| tick["scenarios"][0]["asked"].as_f64().unwrap();
    let at = |tick: &Value| tick["at"].as_u64().unwrap();
    let ticks = ticks(&records);
    let after: Vec<_> = ticks
        .iter()
        .filter(|tick| at(tick) >= from + 50_000 && at(tick) < until)
        .collect();
    assert!(after.len() >= 5, "{}", after.len());
    for tick in &after {
        assert!((asked(tick) - 300.0).abs() < 1e-9, "{tick}");
        assert_eq!(tick["scenarios"][0]["by_hand"], true);
    }
    for tick in ticks.iter().filter(|tick| at(tick) <= from) {
        assert!((asked(tick) - 200.0).abs() < 1e-9, "{tick}");
    }
    // The first of them began before the change reached it.
    let due: u64 = after[1..]
        .iter()
        .map(|tick| tick["scenarios"][0]["due"].as_u64().unwrap())
        .sum();
    let expected = 30 * (after.len() as u64 - 1);
    assert!(due.abs_diff(expected) <= 6, "{due} of {expected}");
}

#[test]
fn two_people_at_once_both_get_what_they_asked_for() {
    const EACH: u32 = 50;
    let window = Window::start();
    let ask = |by: &str| {
        let mut line = window.connect();
        for n in 0..EACH {
            let answer = line.ask(json!({"do": "load", "to": "+0.01x", "by": by}));
            assert_eq!(answer["ok"], true, "{answer}");
            let mark = line.ask(json!({"do": "mark", "text": n.to_string(), "by": by}));
            assert_eq!(mark["said"], "noted");
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| ask("ann@one"));
        scope.spawn(|| ask("bob@two"));
    });
    let factor = window.connect().ask(json!({"do": "status"}))["status"]["factor"]
        .as_f64()
        .unwrap();
    assert!((factor - 2.0).abs() < 1e-9, "{factor}");
    let records = window.stop();
    for by in ["ann@one", "bob@two"] {
        let marks: Vec<_> = events(&records, "mark")
            .into_iter()
            .filter(|mark| mark["by"] == by)
            .map(|mark| mark["text"].as_str().unwrap().parse::<u32>().unwrap())
            .collect();
        assert_eq!(marks, (0..EACH).collect::<Vec<_>>(), "{by}");
    }
    assert_eq!(events(&records, "load").len(), 2 * EACH as usize);
}

/// Wishes that act, in an order in which each can, and what is said.
#[rustfmt::skip]
const ACTS: &[(&str, &str)] = &[
    (
        r#"{"do":"stop","scenario":"writers"}"#,
        "writers starts nothing new",
    ),
    (
        r#"{"do":"start","scenario":"Writers"}"#,
        "writers puts load",
    ),
    (
        r#"{"do":"users","scenario":"writers","to":"+40%"}"#,
        "writers: 7 users until the next phase begins",
    ),
    (
        r#"{"do":"rate","scenario":"shoppers","to":"-50/s"}"#,
        "shoppers: 150/s until the next phase begins",
    ),
    (
        r#"{"do":"load","to":"150%"}"#,
        "load 1.5x until the next phase begins",
    ),
    (
        r#"{"do":"spike","to":"toggle"}"#,
        "load 10x until the next phase begins",
    ),
    (
        r#"{"do":"spike","to":"toggle"}"#,
        "back to the schedule: 1x",
    ),
    (r#"{"do":"hold","to":"on"}"#, "the phase is held"),
    (r#"{"do":"hold","to":"toggle"}"#, "the phase goes on"),
    (
        r#"{"do":"extend","for":"5m"}"#,
        "phase `steady` lasts 5m longer",
    ),
    (r#"{"do":"mark","text":"pool\ngrew"}"#, "noted"),
    (
        r#"{"do":"jump","phase":"database slow"}"#,
        "phase `database slow` begins",
    ),
    (r#"{"do":"jump","phase":"1"}"#, "phase `steady` begins"),
    (r#"{"do":"next"}"#, "phase `database slow` begins"),
    (
        r#"{"do":"sign_off","decision":"no-go","text":"too slow"}"#,
        "signed off: no-go",
    ),
];

/// Wishes that leave no trace.
#[rustfmt::skip]
const SILENT: &[(&str, &str)] = &[
    (r#"{"do":"clear_all"}"#, "nothing is on"),
    (
        r#"{"do":"ping"}"#,
        concat!("stormdeck ", env!("CARGO_PKG_VERSION")),
    ),
];

/// Wishes that are refused after all of [`ACTS`].
#[rustfmt::skip]
const REFUSED: &[(&str, &str)] = &[
    (r#"{"do":"next"}"#, "there is no phase 3"),
    (r#"{"do":"hold","to":"off"}"#, "not held"),
    (
        r#"{"do":"start","scenario":"shopers"}"#,
        "did you mean `shoppers`?",
    ),
    (r#"{"do":"load","to":"1e9x"}"#, "is not a load factor"),
    (
        r#"{"do":"load","to":"100000000x"}"#,
        "more than any machine can put",
    ),
    (
        r#"{"do":"fault","fault":"slow database","to":"off"}"#,
        "`slow database` is not on",
    ),
    (
        r#"{"do":"fault","fault":"fire","to":"on"}"#,
        "there is slow database",
    ),
];

#[test]
fn every_wish_is_answered_and_what_acts_is_recorded() {
    let window = Window::start();
    let mut line = window.connect();
    for (wish, expected) in ACTS {
        let answer = line.ask(serde_json::from_str(wish).unwrap());
        assert_eq!(answer["said"], *expected, "{wish}: {answer}");
    }
    for (wish, expected) in SILENT {
        assert_eq!(
            line.ask(serde_json::from_str(wish).unwrap())["said"],
            *expected
        );
    }
    for (wish, expected) in REFUSED {
        let answer = line.ask(serde_json::from_str(wish).unwrap());
        assert_eq!(answer["ok"], false, "{wish}: {answer}");
        let error = answer["error"].as_str().unwrap();
        assert!(error.contains(expected), "{wish}: {error}");
    }
    let records = window.stop();
    let asked: Vec<_> = records
        .iter()
        .filter(|record| record["by"] == "ops@test")
        .map(|record| record["what"].as_str().unwrap())
        .collect();
    let expected = [
        "scenario", "scenario", "load", "load", "load", "load", "load", "hold", "hold", "extend",
        "mark", "phase", "phase", "phase", "sign_off",
    ];
    assert_eq!(asked, expected, "once each, in order, and nothing else");
    assert_eq!(events(&records, "mark")[0]["text"], "pool grew");
    let signed = events(&records, "sign_off")[0];
    assert_eq!(
        (&signed["decision"], &signed["text"]),
        (&json!("no-go"), &json!("too slow"))
    );
}

#[test]
fn ctl_says_what_was_done_and_its_exit_code_tells_how_it_went() {
    let window = Window::start();
    let (out, _, code) = window.ctl("status");
    assert!(out.starts_with("steady at 1x, "), "{out}");
    assert_eq!(code, 0);
    let (_, err, code) = window.ctl("rate shoppers -50");
    assert!(err.contains("`50` is not a rate"), "{err}");
    assert_eq!(code, 2);
    let (_, err, code) = window.ctl("jump fast");
    assert!(err.contains("there are steady, database slow"), "{err}");
    assert_eq!(code, 1);
    let over_ssh = window
        .place
        .stormdeck()
        .env("SSH_CONNECTION", "10.0.0.7 50000 10.0.0.1 22")
        .args(["ctl", "-", "mark", "from", "afar"])
        .output()
        .unwrap();
    assert_eq!(said(&over_ssh).2, 0);
    let (_, err, code) = window.ctl("end enough seen");
    assert_eq!((code, err.as_str()), (0, ""));
    crate::support::wait_for("the end", || (!window.is_alive()).then_some(()));
    let (_, err, code) = window.ctl("status");
    assert!(err.contains("no window is running"), "{err}");
    assert_eq!(code, 2);
    let name = window.session.to_str().unwrap();
    let output = window
        .place
        .stormdeck()
        .args(["ctl", name, "status"])
        .output();
    let (_, err, code) = said(&output.unwrap());
    assert!(err.contains("is not running"), "{err}");
    assert_eq!(code, 2);
    let records = window.records();
    let by = events(&records, "mark")[0]["by"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        by.starts_with("ops@") && by.ends_with(" from 10.0.0.7"),
        "{by}"
    );
    let stop = events(&records, "stop")[0];
    assert_eq!(
        (&stop["reason"], &stop["text"]),
        (&json!("stopped"), &json!("enough seen"))
    );
}

#[test]
fn an_abort_is_recorded_as_one_and_named_by_the_verdict() {
    let window = Window::start();
    window.let_pass(Duration::from_millis(300));
    let mut attach = window.place.stormdeck();
    let mut attach = attach
        .args(["attach", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut looks_on = String::new();
    let mut err = BufReader::new(attach.stderr.take().unwrap());
    err.read_line(&mut looks_on).unwrap();
    assert!(looks_on.starts_with("recording to "), "{looks_on}");
    let output = window.place.stormdeck().args(["stop", "--abort"]).output();
    let (_, err, code) = said(&output.unwrap());
    assert_eq!((err.as_str(), code), ("the window ends now\n", 0));
    let records = window.records();
    assert_eq!(records.last().unwrap()["reason"], "aborted");
    let summary = crate::support::summary_of(&attach.wait_with_output().unwrap());
    let text = summary.to_string();
    assert!(
        text.contains("the window was ended early by ops@"),
        "{text}"
    );
}
