//! The engine's own `/metrics`: what a real Prometheus makes of it, and what clients can do to a window.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use support::daemons::{Prometheus, get};
use support::{free_port, stormdeck, wait_for};
use tempfile::TempDir;

/// A window whose work is done soon, and that goes on until it is told to end: its second scenario waits for someone.
fn profile(metrics: &str) -> String {
    format!(
        r#"
[window]
name = "watched"
duration = "10m"
tick = "100ms"
metrics = "{metrics}"
[[scenario]]
name = "visitors"
target = "embedded://shop?servers=0&service=fixed:1ms"
users = 2
iterations = 150
journeys = [{{ name = "visit" }}]
[[scenario]]
name = "later"
target = "embedded://shop?servers=0&service=fixed:1ms"
rate = "1/s"
start = false
get = "/"
[[journey]]
name = "visit"
steps = [{{ name = "home", get = "/" }}, {{ name = "lost", get = "/nowhere" }}]
[[gate]]
name = "few errors"
expect = "errors < 1%"
"#
    )
}

/// A running window.
struct Window(Child);

impl Window {
    fn start(dir: &Path, profile: &str, args: &[&str]) -> Self {
        let path = dir.join("profile.toml");
        fs::write(&path, profile).unwrap();
        let child = stormdeck(dir)
            .args(["run", "--headless"])
            .args(args)
            .arg(&path)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// Ends it, and gives what it printed on standard output.
    fn end(mut self) -> String {
        let pid = self.0.id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(told.success());
        let mut said = String::new();
        let mut out = self.0.stdout.take().unwrap();
        out.read_to_string(&mut said).unwrap();
        self.0.wait().unwrap();
        said
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The values of an instant query by one label.
fn by(prometheus: &Prometheus, label: &str, expr: &str) -> BTreeMap<String, u64> {
    let answer = prometheus.query(expr, None);
    let series = answer["result"].as_array().unwrap().iter();
    let pairs = series.map(|series| {
        let name = series["metric"][label].as_str().unwrap_or_default();
        let value = series["value"][1].as_str().unwrap();
        (name.to_owned(), value.parse().unwrap())
    });
    pairs.collect()
}

fn counts(object: &Value) -> BTreeMap<String, u64> {
    let members = object.as_object().unwrap().iter();
    members
        .map(|(name, count)| (name.clone(), count.as_u64().unwrap()))
        .collect()
}

/// Every expression of the shipped dashboard, its variables filled in.
fn dashboard() -> Vec<String> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                found.extend(
                    members
                        .get("expr")
                        .and_then(Value::as_str)
                        .map(str::to_owned),
                );
                members.values().for_each(|value| collect(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
            _ => {}
        }
    }
    let text = include_str!("../assets/grafana/stormdeck.json");
    let mut found = Vec::new();
    collect(&serde_json::from_str(text).unwrap(), &mut found);
    let filled = found.iter().map(|expr| {
        let expr = expr.replace("$__rate_interval", "1m");
        ["$instance", "$scenario", "$step"]
            .iter()
            .fold(expr, |expr, name| expr.replace(name, ".*"))
    });
    filled.collect()
}

#[test]
fn a_real_prometheus_counts_what_the_summary_counts() {
    let dir = TempDir::new().unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    let window = Window::start(dir.path(), &profile(&address), &["--json"]);
    let prometheus = Prometheus::scraping(&[("stormdeck", &address, "/metrics")]);
    let total = |expr: &str| by(&prometheus, "", expr).get("").copied();
    wait_for("all of the work", || {
        (total("sum(stormdeck_requests_total)") == Some(300)).then_some(())
    });
    wait_for("the gate", || {
        (total("stormdeck_gate_failing") == Some(1)).then_some(())
    });
    let by_step = by(
        &prometheus,
        "step",
        "sum by (step) (stormdeck_requests_total)",
    );
    let by_kind = by(
        &prometheus,
        "kind",
        "sum by (kind) (stormdeck_request_errors_total)",
    );
    let by_status = by(
        &prometheus,
        "status",
        "sum by (status) (stormdeck_responses_total)",
    );
    let timed = total("sum(stormdeck_response_time_seconds_count)");
    let served = total(r#"sum(stormdeck_service_time_seconds_bucket{le="+Inf"})"#);
    let finished = total("sum(stormdeck_finished_journeys_total)");
    let median = prometheus.query(
        "histogram_quantile(0.5, sum by (le) (stormdeck_response_time_seconds_bucket))",
        None,
    );
    let phase = by(&prometheus, "phase", "stormdeck_phase_info");
    let window_info = by(&prometheus, "session", "stormdeck_window_info");
    let up = by(&prometheus, "", "up");

    for expr in dashboard() {
        // Nothing can be broken here, and so there is nothing to show of it.
        let found = !expr.contains("stormdeck_fault_");
        wait_for(&expr, || {
            let answer = prometheus.query(&expr, None);
            let some = answer["result"][0].is_object();
            (some == found).then_some(())
        });
    }

    let summary: Value = serde_json::from_str(&window.end()).unwrap();
    assert_eq!(summary["requests"], 300);
    assert_eq!((timed, served, finished), (Some(300), Some(300), Some(150)));
    assert_eq!(by_kind, counts(&summary["errors_by_kind"]));
    assert_eq!(by_status, counts(&summary["status"]));
    let steps = summary["steps"].as_array().unwrap();
    let told: BTreeMap<String, u64> = steps
        .iter()
        .map(|step| {
            let name = step["name"].as_str().unwrap();
            let name = name.rsplit('/').next().unwrap().to_owned();
            (name, step["requests"].as_u64().unwrap_or(0))
        })
        .filter(|(_, requests)| *requests > 0)
        .collect();
    let by_step: BTreeMap<String, u64> = by_step
        .into_iter()
        .filter(|(_, requests)| *requests > 0)
        .collect();
    assert_eq!(by_step, told);
    assert_eq!(phase, [("main".to_owned(), 1)].into());
    let session = summary["session"].as_str().unwrap();
    let name = window_info.keys().next().unwrap();
    assert!(session.ends_with(&format!("{name}.jsonl.zst")), "{name}");
    assert_eq!(up, [(String::new(), 1)].into());

    // The median that Prometheus makes of the buckets is in the same bucket as the true one.
    let bounds = [
        0.0, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0,
    ];
    let bucket = |ms: f64| bounds.partition_point(|bound| *bound < ms);
    let drawn: f64 = median["result"][0]["value"][1]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let exact = summary["response_ms"]["p50"].as_f64().unwrap();
    assert_eq!(bucket(drawn * 1e3), bucket(exact), "{drawn} s, {exact} ms");
}

/// The address on the line that a window prints when it begins.
fn said_address(window: &mut Window) -> String {
    let lines = BufReader::new(window.0.stderr.take().unwrap()).lines();
    let said = lines.map(Result::unwrap).find_map(|line| {
        let rest = line.strip_prefix("metrics at http://")?;
        rest.strip_suffix("/metrics").map(str::to_owned)
    });
    said.unwrap()
}

#[test]
fn clients_that_hang_ask_for_nonsense_or_are_too_many_cost_the_window_nothing() {
    let dir = TempDir::new().unwrap();
    let mut window = Window::start(dir.path(), &profile("127.0.0.1:0"), &[]);
    let address = said_address(&mut window);
    let page = wait_for("a page", || get(&address, "/metrics"));
    assert_eq!(page.0, 200);
    assert!(page.1.contains("# TYPE stormdeck_requests_total counter"));
    let status = |path| get(&address, path).map(|(status, _)| status);
    assert_eq!((status("/"), status("/other")), (Some(200), Some(404)));
    let ask = |text: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // One that is refused in the middle of its request may be told so by a reset.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    };
    let newer =
        ask("GET /metrics HTTP/1.1\r\nhost: x\r\naccept: application/openmetrics-text\r\n\r\n");
    assert!(newer.ends_with("# EOF\n"), "{newer}");
    assert!(
        newer
            .to_lowercase()
            .contains("content-type: application/openmetrics-text; version=1.0.0")
    );
    let posted = ask("POST /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\nmuch");
    assert!(posted.starts_with("HTTP/1.1 405"), "{posted}");
    let long = format!(
        "GET /metrics HTTP/1.1\r\nx: {}\r\n\r\n",
        "x".repeat(100_000)
    );
    assert!(!ask(&long).starts_with("HTTP/1.1 200"));
    assert!(!ask("\u{1}\u{2}\r\n\r\n").starts_with("HTTP/1.1 200"));

    // More than there are places for, none of which says a word: they are cut off, and the next one is answered.
    let silent: Vec<TcpStream> = (0..12)
        .map(|_| TcpStream::connect(&address).unwrap())
        .collect();
    let ticks = |page: &str| -> u64 {
        let line = page
            .lines()
            .find_map(|line| line.strip_prefix("stormdeck_ticks_total "));
        line.unwrap().parse().unwrap()
    };
    let before = ticks(&page.1);
    let after = wait_for("a page", || get(&address, "/metrics"));
    assert!(ticks(&after.1) > before);
    assert!(after.1.contains("stormdeck_lost_ticks_total 0\n"));
    let said = window.end();
    assert!(said.contains("watched"), "{said}");
    drop(silent);
}

#[test]
fn an_address_that_is_taken_keeps_the_window_from_beginning() {
    let dir = TempDir::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let path = dir.path().join("profile.toml");
    fs::write(&path, profile(&address)).unwrap();
    for how in ["--headless", "--detach"] {
        let output = stormdeck(dir.path())
            .args(["run", how])
            .arg(&path)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.contains(&format!("nothing can be served on {address}")),
            "{said}"
        );
        assert!(said.contains("take another port"), "{said}");
    }
    let files = fs::read_dir(dir.path()).unwrap();
    let sessions = files.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().contains(".jsonl")
    });
    assert_eq!(sessions.count(), 0);
}

#[test]
fn check_warns_of_metrics_that_others_can_read() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("profile.toml");
    for (address, warned) in [("0.0.0.0:9464", true), ("127.0.0.1:9464", false)] {
        fs::write(&path, profile(address)).unwrap();
        let output = stormdeck(dir.path())
            .arg("check")
            .arg(&path)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(said.contains("without a password"), warned, "{said}");
    }
}
