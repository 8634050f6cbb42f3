//! The profiles that are shipped, each run as a whole against the embedded shop, in seconds.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{run_json, stormdeck, summary_of};

/// Runs a shipped profile with so fine a tick that a rehearsal of seconds has ticks in its shorter phases too.
fn rehearse(name: &str, scale: &str, variables: &[&str]) -> Value {
    let dir = TempDir::new().unwrap();
    let text = fs::read_to_string(format!("profiles/{name}.toml")).unwrap();
    let text: String = text
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("tick "))
        .collect();
    let text = text.replacen("[window]\n", "[window]\ntick = \"100ms\"\n", 1);
    let mut args = vec!["--time-scale", scale, "--workers", "1"];
    for variable in variables {
        args.extend(["-e", variable]);
    }
    let (summary, code) = run_json(dir.path(), &text, &args);
    assert_shape(&summary);
    assert_eq!(summary["window"], name);
    let go = ["go", "conditional"].contains(&summary["verdict"].as_str().unwrap());
    assert_eq!(code, i32::from(!go), "the exit code is the verdict's");
    summary
}

/// Everything that scripts may rely on is there.
fn assert_shape(summary: &Value) {
    let has = |value: &Value, names: &[&str]| {
        for name in names {
            assert!(value.get(name).is_some(), "{name} in {value}");
        }
    };
    let figures = [
        "requests",
        "errors",
        "dropped",
        "rate",
        "response_ms",
        "service_ms",
        "errors_by_kind",
    ];
    assert_eq!(summary["schema"], 1);
    has(summary, &figures);
    has(
        summary,
        &[
            "verdict",
            "session",
            "elapsed_s",
            "scenarios",
            "steps",
            "phases",
            "gates",
            "generator",
        ],
    );
    for latency in ["response_ms", "service_ms"] {
        let names = ["mean", "p50", "p90", "p95", "p99", "p99.9", "max"];
        has(&summary[latency], &names);
    }
    for list in ["scenarios", "steps", "phases"] {
        for item in summary[list].as_array().unwrap() {
            has(item, &["name"]);
            has(item, &figures);
        }
    }
    for gate in summary["gates"].as_array().unwrap() {
        has(gate, &["name", "expect", "value", "state", "severity"]);
    }
}

/// Requests a second in a phase.
fn rate(summary: &Value, phase: &str) -> f64 {
    let phases = summary["phases"].as_array().unwrap();
    let found = phases.iter().find(|found| found["name"] == phase);
    let found = found.unwrap_or_else(|| panic!("{phase} in {phases:?}"));
    found["rate"]
        .as_f64()
        .unwrap_or_else(|| panic!("{phase} did not run: {found}"))
}

fn assert_near(found: f64, expected: f64, what: &str) {
    let off = (found / expected - 1.0).abs();
    assert!(off < 0.1, "{what}: {found} where {expected} was asked for");
}

#[test]
fn smoke_is_a_go_in_seconds_as_it_is() {
    let dir = TempDir::new().unwrap();
    let output = stormdeck(dir.path())
        .args(["run", "smoke", "--headless", "--json"])
        .output()
        .unwrap();
    let summary = summary_of(&output);
    assert_shape(&summary);
    assert_eq!(
        (&summary["verdict"], output.status.code()),
        (&"go".into(), Some(0)),
        "{}",
        summary["findings"]
    );
    assert_eq!(
        (&summary["requests"], &summary["errors"]),
        (&200.into(), &0.into())
    );
}

#[test]
fn baseline_holds_its_rate() {
    let summary = rehearse("baseline", "0.004", &["RATE=500/s"]);
    assert_near(rate(&summary, "steady"), 500.0, "steady");
    assert_eq!(
        (&summary["errors"], &summary["end"]),
        (&0.into(), &"finished".into())
    );
}

#[test]
fn steps_asks_for_once_twice_three_times_the_rate() {
    let summary = rehearse("steps", "0.004", &["RATE=500/s"]);
    // The ramps take a tenth of each phase, and half of the difference is missing there.
    assert_near(rate(&summary, "1x"), 500.0 * 0.95, "1x");
    assert_near(rate(&summary, "2x"), 500.0 * 1.95, "2x");
    assert_near(rate(&summary, "3x"), 500.0 * 2.95, "3x");
}

#[test]
fn stress_goes_beyond_the_rated_load_and_back() {
    let summary = rehearse("stress", "0.002", &["RATE=200/s"]);
    // Half-second phases hold few arrivals; what counts is that each is where the profile says.
    let (rated, more) = (rate(&summary, "rated"), rate(&summary, "150 percent"));
    let (beyond, back) = (rate(&summary, "beyond"), rate(&summary, "back"));
    assert!((120.0..240.0).contains(&rated), "0.9 of 200/s: {rated}");
    assert!((200.0..360.0).contains(&more), "1.4 of it: {more}");
    assert_near(beyond, 200.0 * 3.25, "beyond");
    assert!(back < 400.0, "1.0 of it, and what was left: {back}");
}

#[test]
fn spike_is_ten_times_the_load_at_once_and_then_over() {
    let summary = rehearse("spike", "0.004", &["RATE=100/s"]);
    assert_near(rate(&summary, "spike"), 1000.0, "spike");
    assert!(rate(&summary, "before") < 150.0);
    assert!(rate(&summary, "after") < 150.0);
}

#[test]
fn soak_can_be_rehearsed_in_seconds() {
    let summary = rehearse("soak", "0.00003", &["RATE=500/s"]);
    assert_near(rate(&summary, "soak"), 500.0, "soak");
    let told = "phase `warm up` is shorter than a tick (100ms)";
    let findings = summary["findings"].to_string();
    assert!(findings.contains(told), "{findings}");
    assert_eq!(summary["errors"], 0);
}

#[test]
fn demo_tours_every_step_in_every_phase() {
    let summary = rehearse("demo", "0.03", &[]);
    assert!(rate(&summary, "spike") > 1.5 * rate(&summary, "steady"));
    assert!(rate(&summary, "after") > 0.0);
    let steps = summary["steps"].as_array().unwrap();
    let names: Vec<&str> = steps
        .iter()
        .map(|step| step["name"].as_str().unwrap())
        .collect();
    for name in [
        "browse/home",
        "browse/item",
        "buy/login",
        "buy/cart",
        "buy/order",
        "clerks",
    ] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    assert_eq!(
        summary["errors_by_kind"]
            .as_object()
            .unwrap()
            .keys()
            .filter(|kind| *kind != "unfinished")
            .count(),
        0
    );
}

#[test]
fn breakpoint_ends_by_its_gate_and_names_the_last_rate_that_held() {
    // Five servers of 5 ms carry 1,000 requests a second; past that the queue fills and the rest are turned away.
    let shop = "TARGET=embedded://shop?servers=5&service=fixed:5ms&queue=50";
    let summary = rehearse("breakpoint", "0.08", &[shop, "RATE=450/s"]);
    assert_eq!(
        (&summary["end"], &summary["verdict"]),
        (&"aborted".into(), &"conditional".into()),
        "to break is the aim"
    );
    let climb = &summary["breakpoint"];
    assert_eq!(climb["broke"]["phase"], "climb 3x", "{climb}");
    assert_eq!(climb["broke"]["gate"], "it answers", "{climb}");
    let phases = summary["phases"].as_array().unwrap();
    let ran = phases.iter().filter(|phase| !phase["start_s"].is_null());
    assert!(ran.count() <= 5, "it did not climb on for long");
    // A machine too busy to send in time proves nothing of the shop's latencies, and then no step is said to have held.
    if summary["generator"]["share"] == 0.0 {
        let held = climb["held"]["rate"]
            .as_f64()
            .unwrap_or_else(|| panic!("{climb}"));
        assert_eq!(climb["held"]["phase"], "climb 2x");
        assert_near(held, 870.0, "900/s less what the ramp costs");
    }
}
