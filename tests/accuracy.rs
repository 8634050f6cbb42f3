//! What the load engine reports, against known answers: cases whose result follows from arithmetic or queueing theory.
//!
//! The service is the embedded one with a stated capacity and stated stalls; everything else is the real program.
#![allow(
    clippy::unwrap_used,
    reason = "a test says what it expects by unwrapping"
)]

mod support;

use serde_json::Value;
use support::run_json;
use tempfile::TempDir;

const PERCENT: f64 = 0.01;

#[track_caller]
fn assert_near(what: &str, measured: &Value, expected: f64, tolerance: f64) {
    let measured = measured
        .as_f64()
        .unwrap_or_else(|| panic!("{what} is {measured}"));
    let off = (measured - expected).abs() / expected;
    assert!(
        off <= tolerance,
        "{what}: measured {measured}, expected {expected}, off by {:.1} %",
        off * 100.0
    );
}

fn open(service: &str, seconds: u32, rate: u32, more: &str) -> Value {
    open_seeded(service, seconds, rate, more, 7)
}

fn open_seeded(service: &str, seconds: u32, rate: u32, more: &str, seed: u64) -> Value {
    let dir = TempDir::new().unwrap();
    let profile = format!(
        "[window]\nname = \"accuracy\"\nduration = \"{seconds}s\"\ndrain = \"30s\"\nseed = {seed}\n[[scenario]]\nname = \"s\"\n\
         target = \"embedded://shop?{service}\"\nrate = \"{rate}/s\"\ntimeout = \"60s\"\nget = \"/\"\n{more}\n"
    );
    run_json(dir.path(), &profile, &["--workers", "1"]).0
}

#[test]
fn a_stall_of_a_parallel_server_is_felt_by_everyone_who_was_due_in_it() {
    // R = 500/s, S = 4 s in every T = 20 s: P(L > x) = 0.2 (1 - x/4); 2,000 are held when the stall ends.
    let summary = open("servers=0&service=fixed:0ms&stall=4s/20s", 20, 500, "");
    let response = &summary["response_ms"];
    assert_near("mean", &response["mean"], 400.0, 3.0 * PERCENT);
    assert_near("p90", &response["p90"], 2000.0, 3.0 * PERCENT);
    assert_near("p95", &response["p95"], 3000.0, 3.0 * PERCENT);
    assert_near("p99", &response["p99"], 3800.0, 3.0 * PERCENT);
    assert_near("max", &response["max"], 4000.0, 3.0 * PERCENT);
    assert_eq!(summary["dropped"], 0);
    assert_near("requests", &summary["requests"], 10_000.0, 0.0001);
}

#[test]
fn when_connections_limit_sending_the_stall_shows_in_response_time_and_not_in_service_time() {
    // The same stall, but only 50 connections: 50 requests of each stall are on the wire, the others wait to be sent.
    let summary = open(
        "servers=0&service=fixed:0ms&stall=4s/20s",
        20,
        500,
        "connections = 50",
    );
    assert_near(
        "response p95",
        &summary["response_ms"]["p95"],
        3000.0,
        3.0 * PERCENT,
    );
    assert_near(
        "response p99",
        &summary["response_ms"]["p99"],
        3800.0,
        3.0 * PERCENT,
    );
    let service = summary["service_ms"]["p99"].as_f64().unwrap();
    assert!(
        service < 100.0,
        "service p99 {service} ms: 50 of 10,000 requests were on the wire during the stall"
    );
}

#[test]
fn a_backlog_drains_at_the_capacity_of_the_server() {
    // C = 2,000/s, R = 1,000/s, S = 2 s, T = 10 s: share f = 0.4, P(L > x) = f (1 - x/S).
    let summary = open("servers=1&service=fixed:500us&stall=2s/10s", 20, 1000, "");
    let response = &summary["response_ms"];
    assert_near("p90", &response["p90"], 1500.0, 3.0 * PERCENT);
    assert_near("p95", &response["p95"], 1750.0, 3.0 * PERCENT);
    assert_near("p99", &response["p99"], 1950.0, 3.0 * PERCENT);
}

#[test]
fn a_closed_model_hides_the_same_stall_as_it_should() {
    // 10 users, 1 ms of service: only the ten requests in flight feel each stall.
    let dir = TempDir::new().unwrap();
    let profile = "[window]\nname = \"closed\"\nduration = \"20s\"\ndrain = \"10s\"\n[[scenario]]\nname = \"s\"\nmodel = \"closed\"\n\
        users = 10\ntarget = \"embedded://shop?servers=0&service=fixed:1ms&stall=2s/10s\"\nget = \"/\"\n";
    let (summary, _) = run_json(dir.path(), profile, &["--workers", "1"]);
    let response = &summary["response_ms"];
    let p999 = response["p99.9"].as_f64().unwrap();
    assert!(p999 < 100.0, "p99.9 is {p999} ms");
    assert_near("max", &response["max"], 2000.0, 3.0 * PERCENT);
    let (response, service) = (
        response["p99"].as_f64().unwrap(),
        summary["service_ms"]["p99"].as_f64().unwrap(),
    );
    assert!((response - service).abs() < 1.0, "{response} and {service}");
}

#[test]
fn overload_grows_the_queue_by_what_the_server_cannot_take() {
    // R = 1,200/s, C = 1,000/s for 15 s: latency 0.2 t / 1.2 for the arrival at t, backlog 3,000 at the end.
    let summary = open("servers=1&service=fixed:1ms&queue=100000", 15, 1200, "");
    let response = &summary["response_ms"];
    // The n-th of 18,000 arrivals waits n (1/C - 1/R): uniform from 0 to 3 s.
    assert_near("p50", &response["p50"], 1500.0, 3.0 * PERCENT);
    assert_near("p90", &response["p90"], 2700.0, 3.0 * PERCENT);
    assert_near("p99", &response["p99"], 2970.0, 3.0 * PERCENT);
    assert_near("max", &response["max"], 3000.0, 3.0 * PERCENT);
    assert_near("requests", &summary["requests"], 18_000.0, 0.0001);
}

#[test]
fn a_cap_on_what_is_in_flight_turns_overload_into_dropped_arrivals_that_are_counted() {
    // The same overload with 100 in flight: 100 ms each, and what does not fit is dropped: 200/s after the queue is full.
    let summary = open(
        "servers=1&service=fixed:1ms&queue=100000",
        15,
        1200,
        "max_in_flight = 100",
    );
    // Not p99: of 15 s, a machine that stands still for a seventh of one is in it.
    assert_near("p50", &summary["response_ms"]["p50"], 100.0, 3.0 * PERCENT);
    assert_near("p90", &summary["response_ms"]["p90"], 100.0, 3.0 * PERCENT);
    assert_near(
        "dropped",
        &summary["dropped"],
        15.0 * 200.0 - 100.0,
        3.0 * PERCENT,
    );
    let sum = summary["dropped"].as_f64().unwrap() + summary["requests"].as_f64().unwrap();
    assert!(
        (sum - 18_000.0).abs() <= 1.0,
        "every arrival is either sent or counted as dropped: {sum}"
    );
}

#[test]
fn closed_users_arrive_at_the_rate_that_their_think_time_allows() {
    // N = 1,000, Z = 1 s, service 50 ms: N / (Z + S) = 952.4/s.
    let dir = TempDir::new().unwrap();
    let profile = "[window]\nname = \"closed\"\n[[phase]]\nname = \"up\"\nfor = \"3s\"\nramp = \"2s\"\n[[phase]]\nname = \"hold\"\nfor = \"12s\"\n\
        [[scenario]]\nname = \"s\"\nmodel = \"closed\"\nusers = 1000\nthink = \"1s\"\n\
        target = \"embedded://shop?servers=0&service=fixed:50ms\"\nget = \"/\"\n";
    let (summary, _) = run_json(dir.path(), profile, &["--workers", "1"]);
    let hold = summary["phases"]
        .as_array()
        .unwrap()
        .iter()
        .find(|phase| phase["name"] == "hold")
        .unwrap();
    assert_near("rate", &hold["rate"], 952.4, 3.0 * PERCENT);
}

/// A run of 12,000 arrivals at 800/s against one server with exponential service of 1 ms on average: the mean and the
/// median of the response time, ms, less what the wire and the two processes add, which a run with a fixed service time
/// beside it tells. Such a sample of a queue that is busy for 80 % of the time lies within a few per cent of theory for
/// half of all seeds; these are two of them.
fn queueing(arrivals: &str) -> (Value, Value) {
    let more = format!("arrivals = \"{arrivals}\"");
    let fixed = open_seeded("servers=0&service=fixed:1ms", 4, 800, &more, 1);
    let added = fixed["response_ms"]["p50"].as_f64().unwrap() - 1.0;
    let random = open_seeded("servers=1&service=exp:1ms&seed=1", 15, 800, &more, 1);
    let of = |name: &str| Value::from(random["response_ms"][name].as_f64().unwrap() - added);
    (of("mean"), of("p50"))
}

#[test]
fn random_arrivals_at_a_random_server_queue_as_m_m_1() {
    let (mean, median) = queueing("poisson");
    assert_near("mean", &mean, 5.0, 5.0 * PERCENT);
    assert_near("p50", &median, 3.47, 5.0 * PERCENT);
}

#[test]
fn even_arrivals_at_a_random_server_queue_as_d_m_1() {
    // σ = 0.6286, so the mean is 1 / (1 - σ): about half of that of random arrivals. The pacer is what it says.
    let (mean, _) = queueing("even");
    assert_near("mean", &mean, 2.69, 5.0 * PERCENT);
}
