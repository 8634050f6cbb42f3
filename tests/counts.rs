//! What the session holds against what a real nginx logged: equal, to the request.
#![allow(
    clippy::unwrap_used,
    reason = "a test says what it expects by unwrapping"
)]

mod support;

use std::process::Stdio;
use std::time::Duration;

use support::{Nginx, run_json, stormdeck, summary_of};
use tempfile::TempDir;

fn answered(summary: &serde_json::Value) -> u64 {
    summary["status"]
        .as_object()
        .unwrap()
        .values()
        .map(|count| count.as_u64().unwrap())
        .sum()
}

#[test]
fn every_request_that_nginx_logged_is_in_the_session_and_no_other() {
    let nginx = Nginx::start();
    let dir = TempDir::new().unwrap();
    let profile = format!(
        "[window]\nname = \"counts\"\nduration = \"3s\"\n\
         [[scenario]]\nname = \"open\"\ntarget = \"http://{0}\"\nrate = \"700/s\"\narrivals = \"poisson\"\nget = \"/open\"\n\
         [[scenario]]\nname = \"closed\"\ntarget = \"http://{0}\"\nmodel = \"closed\"\nusers = 20\nthink = \"5ms\"\nget = \"/closed\"\n\
         [[scenario]]\nname = \"two\"\ntarget = \"http://{0}\"\nhttp = \"1.1\"\nrate = \"50/s\"\nconnections = 2\nget = \"/two\"\n",
        nginx.address
    );
    let (summary, code) = run_json(dir.path(), &profile, &["--workers", "2"]);
    assert_eq!(summary["errors"], 0, "{}", summary["errors_by_kind"]);
    assert_eq!(code, 0);
    let logged = nginx.stop_and_read_log();
    for step in summary["steps"].as_array().unwrap() {
        let path = format!("/{}", step["scenario"].as_str().unwrap());
        let seen = logged.iter().filter(|line| line.ends_with(&path)).count() as u64;
        assert_eq!(step["requests"].as_u64().unwrap(), seen, "{path}");
        assert!(seen > 50, "{path}: {seen}");
    }
}

#[test]
fn a_reload_of_nginx_in_mid_window_loses_no_count() {
    let nginx = Nginx::start();
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("profile.toml");
    std::fs::write(
        &path,
        format!(
            "[window]\nname = \"reload\"\nduration = \"4s\"\n[[scenario]]\nname = \"s\"\ntarget = \"http://{}\"\n\
             model = \"closed\"\nusers = 50\nthink = \"2ms\"\nget = \"/s\"\n",
            nginx.address
        ),
    )
    .unwrap();
    let child = stormdeck(dir.path())
        .arg("run")
        .arg(&path)
        .args(["--headless", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(900));
        nginx.reload();
    }
    let summary = summary_of(&child.wait_with_output().unwrap());
    let logged = nginx
        .stop_and_read_log()
        .iter()
        .filter(|line| line.starts_with("200 "))
        .count() as u64;
    assert_eq!(
        answered(&summary),
        logged,
        "errors: {}",
        summary["errors_by_kind"]
    );
    let (requests, errors) = (
        summary["requests"].as_u64().unwrap(),
        summary["errors"].as_u64().unwrap(),
    );
    assert_eq!(
        requests,
        logged + errors,
        "a request is either answered or an error"
    );
    assert!(requests > 10_000, "{requests}");
}
