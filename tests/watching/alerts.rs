//! A real Prometheus and a real Alertmanager: their gauges, their alerts, their refusals.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::daemons::{self, Daemon, Prometheus};
use crate::support::{free_port, wait_for};
use crate::{Running, course, is_event, names, profile, run};

/// A Prometheus with an alert that pends for a second and fires as long as its rules say so, which are read again on
/// request.
fn prometheus(rules: &std::path::Path) -> Prometheus {
    fs::write(rules, rule("vector(1)")).unwrap();
    Prometheus::start(&format!(
        "global: {{ evaluation_interval: 1s, scrape_interval: 1s }}\nrule_files: [ \"{}\" ]\n",
        rules.display()
    ))
}

fn rule(expr: &str) -> String {
    format!(
        "groups: [ {{ name: g, rules: [ {{ alert: TooSlow, expr: '{expr}', for: 1s, labels: {{ severity: page }} }} ] }} ]\n"
    )
}

fn told(record: &Value, from: &str, state: &str) -> bool {
    is_event(record, "alert") && record["from"] == from && record["state"] == state
}

#[test]
fn alerts_fire_are_silenced_and_resolve_with_their_times() {
    let dir = TempDir::new().unwrap();
    let pager = daemons::alertmanager();
    let rules = dir.path().join("rules.yml");
    let prom = prometheus(&rules);
    amtool(&pager, &["alert", "add", "TooSlow", "severity=page"]);
    let watched = format!(
        "[[target]]\nname = \"prom\"\nprometheus = \"{}\"\nevery = \"200ms\"\n\
         [[target]]\nname = \"pager\"\nalertmanager = \"{}\"\nevery = \"200ms\"\n\
         [[gauge]]\nname = \"seven\"\nof = \"prom\"\nexpr = \"vector(3) + 4\"\n\
         [[gauge]]\nname = \"wrong\"\nof = \"prom\"\nexpr = \"sum(\"\n",
        prom.0.url(),
        pager.url()
    );
    let window = Running::start(dir.path(), &profile(300, &watched));
    let firing = window.wait("firing, as Prometheus tells", |r| told(r, "prom", "firing"));
    assert_eq!(firing["name"], "TooSlow");
    assert_eq!(firing["labels"], "{severity=\"page\"}");
    let since = firing["since"].as_u64().unwrap();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_micros() as u64;
    assert!(since <= now && now - since < 120_000_000, "{since} {now}");
    window.wait("firing, as Alertmanager tells", |r| {
        told(r, "pager", "firing")
    });
    let silence = [
        "silence",
        "add",
        "alertname=TooSlow",
        "--duration=10m",
        "--comment=c",
        "--author=a",
    ];
    amtool(&pager, &silence);
    window.wait("silenced", |r| told(r, "pager", "silenced"));
    fs::write(&rules, rule("vector(1) > 2")).unwrap();
    let status = std::process::Command::new("kill")
        .args(["-HUP", &prom.0.pid().to_string()])
        .status();
    assert!(status.unwrap().success());
    window.wait("resolved", |r| told(r, "prom", "resolved"));
    let warned = window.wait("the refusal", |r| is_event(r, "warning"));
    let text = warned["text"].as_str().unwrap();
    assert!(
        text.contains("`wrong`") && text.contains("the server refuses"),
        "{text}"
    );
    drop(prom);
    window.wait("that it is down", |r| {
        is_event(r, "target") && r["up"] == false
    });
    let records = window.end();
    let seven: Vec<f64> = course(&records, "seven").into_values().flatten().collect();
    assert!(!seven.is_empty() && seven.iter().all(|&value| (value - 7.0).abs() < 1e-9));
    assert!(
        names(&records)
            .iter()
            .any(|name| name.starts_with("up{") && name.contains("pager"))
    );
}

/// Tells an Alertmanager something.
fn amtool(pager: &Daemon, words: &[&str]) {
    let output = std::process::Command::new("amtool")
        .args(words)
        .arg(format!("--alertmanager.url={}", pager.url()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_server_that_is_not_there_is_told_and_the_window_goes_on() {
    let dir = TempDir::new().unwrap();
    let watched = format!(
        "[[target]]\nname = \"prom\"\nprometheus = \"http://127.0.0.1:{}\"\nevery = \"200ms\"\n\
         [[gauge]]\nname = \"x\"\nexpr = \"up\"\n",
        free_port()
    );
    let window = Running::start(dir.path(), &profile(60, &watched));
    let down = window.wait("that it is down", |r| is_event(r, "target"));
    assert!(down["text"].as_str().unwrap().contains("listens"), "{down}");
    wait_for("more ticks", || window.ctl(&["status"]).ok());
    window.end();
}

#[test]
fn a_server_that_never_answers_holds_nothing_up() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dir = TempDir::new().unwrap();
    let watched = format!(
        "[[target]]\nname = \"prom\"\nprometheus = \"http://{}\"\nevery = \"200ms\"\ntimeout = \"300ms\"\n\
         [[gauge]]\nname = \"x\"\nexpr = \"up\"\n",
        listener.local_addr().unwrap()
    );
    let records = run(dir.path(), &profile(3, &watched));
    let told: Vec<&Value> = records.iter().filter(|r| is_event(r, "target")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0]["text"].as_str().unwrap().contains("300ms"),
        "{told:?}"
    );
    assert!(records.iter().filter(|r| r["k"] == "tick").count() >= 14);
}
