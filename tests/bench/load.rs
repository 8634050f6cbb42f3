//! The load engine beside its peers, each figure as the median of several rounds in one run.
//!
//! ```sh
//! cargo bench --bench load -- closed      # requests/s at 50 connections: stormdeck, wrk, oha, k6 in turn
//! cargo bench --bench load -- open        # 10,000/s even: achieved rate and send-time error
//! cargo bench --bench load -- users       # memory: 10,000 own connections, 100,000 users over a pool
//! cargo bench --bench load -- recording   # what recording costs the generator
//! cargo bench --bench load -- memory      # resident memory over as many ticks as half a day has, in 7 minutes
//! ```
//!
//! The server is nginx with one worker on the second core; the generator has the first. A peer that is not installed is
//! left out and said so. `ROUNDS` (5) and `SECONDS` (10) can be set in the environment.
#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on says where by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use support::Nginx;
use tempfile::TempDir;

fn main() {
    let chosen: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    let wanted = |name: &str| chosen.is_empty() || chosen.iter().any(|arg| arg == name);
    if wanted("closed") {
        closed();
    }
    if wanted("open") {
        open();
    }
    if wanted("users") {
        users();
    }
    if wanted("recording") {
        recording();
    }
    if wanted("memory") {
        memory();
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// nginx without an access log, on the second core.
fn nginx() -> Nginx {
    let nginx = Nginx::with_server(
        "location / { return 200 \"a body of exactly thirty-five bytes.\"; }",
        false,
    );
    nginx.pin(1);
    nginx
}

fn run(dir: &Path, profile: &str, workers: u32) -> Value {
    let path = dir.join("bench.toml");
    std::fs::write(&path, profile).unwrap();
    let output = Command::new("taskset")
        .args(["-c", "0", env!("CARGO_BIN_EXE_stormdeck"), "run"])
        .arg(&path)
        .args([
            "--headless",
            "--json",
            "--workers",
            &workers.to_string(),
            "--dir",
        ])
        .arg(dir)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    support::summary_of(&output)
}

fn output_of(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new("taskset")
        .args(["-c", "0", program])
        .args(args)
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn closed() {
    let (rounds, seconds) = (setting("ROUNDS", 5), setting("SECONDS", 10));
    let nginx = nginx();
    let url = format!("http://{}/", nginx.address);
    let dir = TempDir::new().unwrap();
    let profile = format!(
        "[window]\nname = \"closed\"\nduration = \"{seconds}s\"\n[[scenario]]\nname = \"c\"\n\
         target = \"http://{}\"\nmodel = \"closed\"\nusers = 50\nget = \"/\"\n",
        nginx.address
    );
    let script = dir.path().join("k6.js");
    std::fs::write(
        &script,
        format!(
            "import http from 'k6/http'; export const options = {{ vus: 50, duration: '{seconds}s' }};\n\
             export default function () {{ http.get('{url}'); }}"
        ),
    )
    .unwrap();
    let duration = format!("{seconds}s");
    let mut results: [(&str, Vec<f64>); 4] = [
        ("stormdeck", vec![]),
        ("wrk", vec![]),
        ("oha", vec![]),
        ("k6", vec![]),
    ];
    for round in 0..rounds {
        results[0]
            .1
            .extend(run(dir.path(), &profile, 1)["rate"].as_f64());
        results[1].1.extend(
            output_of("wrk", &["-t1", "-c50", &format!("-d{duration}"), &url])
                .and_then(|text| number_after(&text, "Requests/sec:")),
        );
        results[2].1.extend(
            output_of(
                "oha",
                &[
                    "--no-tui",
                    "--output-format",
                    "json",
                    "-c",
                    "50",
                    "-z",
                    &duration,
                    &url,
                ],
            )
            .and_then(|text| serde_json::from_str::<Value>(&text).ok())
            .and_then(|json| json["summary"]["requestsPerSec"].as_f64()),
        );
        results[3].1.extend(
            output_of("k6", &["run", "--quiet", script.to_str().unwrap()]).and_then(|text| {
                number_after(&text, "http_reqs").map(|total| total / seconds as f64)
            }),
        );
        eprintln!("round {} of {rounds}: {results:?}", round + 1);
    }
    println!(
        "closed model, 50 connections, generator on one core, nginx (1 worker) on the other, {seconds} s, median of {rounds}:"
    );
    let ours = median(&mut results[0].1);
    println!("  stormdeck  {ours:>9.0} requests/s, recording on");
    for (name, values) in &mut results[1..] {
        if values.is_empty() {
            println!("  {name:<9}  not installed");
        } else {
            let theirs = median(values);
            println!(
                "  {name:<9}  {theirs:>9.0} requests/s   stormdeck is {:.2}x",
                ours / theirs
            );
        }
    }
}

fn number_after(text: &str, label: &str) -> Option<f64> {
    let rest = &text[text.find(label)? + label.len()..];
    let start = rest.find(|c: char| c.is_ascii_digit())?;
    let digits: String = rest[start..]
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    digits.parse().ok()
}

fn open() {
    let (rounds, seconds) = (setting("ROUNDS", 5), setting("SECONDS", 10));
    let nginx = nginx();
    let dir = TempDir::new().unwrap();
    let profile = format!(
        "[window]\nname = \"open\"\nduration = \"{seconds}s\"\n[[scenario]]\nname = \"o\"\n\
         target = \"http://{}\"\nmodel = \"open\"\nrate = \"10k/s\"\nget = \"/\"\n",
        nginx.address
    );
    let (mut rate, mut p99, mut max) = (vec![], vec![], vec![]);
    for _ in 0..rounds {
        let summary = run(dir.path(), &profile, 1);
        let generator = &summary["generator"];
        rate.extend(
            summary["requests"]
                .as_f64()
                .map(|requests| requests / (10_000 * seconds) as f64),
        );
        p99.extend(generator["late_ms"]["p99"].as_f64().map(|ms| ms * 1e3));
        max.extend(generator["late_ms"]["max"].as_f64().map(|ms| ms * 1e3));
    }
    println!("open model, 10,000/s even arrivals, one worker, {seconds} s, median of {rounds}:");
    println!("  achieved / asked   {:.4}", median(&mut rate));
    println!(
        "  send-time error    p99 {:.0} µs, max {:.0} µs",
        median(&mut p99),
        median(&mut max)
    );
}

fn users() {
    let nginx = nginx();
    let dir = TempDir::new().unwrap();
    let profile = |users: u32, connections: &str| {
        format!(
            "[window]\nname = \"users\"\n[[phase]]\nname = \"up\"\nfor = \"25s\"\nramp = \"15s\"\n[[scenario]]\nname = \"u\"\n\
             target = \"http://{}\"\nmodel = \"closed\"\nusers = {users}\nthink = \"1s\"\n{connections}\nget = \"/\"\n",
            nginx.address
        )
    };
    let rss = |summary: &Value| {
        summary["generator"]["rss_bytes"]
            .as_f64()
            .unwrap_or(f64::NAN)
    };
    let empty = rss(&run(dir.path(), &profile(1, ""), 1));
    let own = run(dir.path(), &profile(10_000, ""), 1);
    let shared = run(dir.path(), &profile(100_000, "connections = 500"), 1);
    println!("closed model, think time 1 s, memory:");
    println!("  empty engine                     {:>7.1} MB", empty / 1e6);
    println!(
        "  10,000 users, own connections    {:>7.1} MB = {:.1} KB a user; {:.0} requests/s, {} errors",
        rss(&own) / 1e6,
        (rss(&own) - empty) / 10_000.0 / 1e3,
        own["rate"].as_f64().unwrap_or(f64::NAN),
        own["errors"]
    );
    println!(
        "  100,000 users, 500 connections   {:>7.1} MB = {:.1} KB a user; {:.0} requests/s, {} errors",
        rss(&shared) / 1e6,
        (rss(&shared) - empty) / 100_000.0 / 1e3,
        shared["rate"].as_f64().unwrap_or(f64::NAN),
        shared["errors"]
    );
}

fn recording() {
    let (rounds, seconds) = (setting("ROUNDS", 5), setting("SECONDS", 10));
    let nginx = nginx();
    let dir = TempDir::new().unwrap();
    let journeys = (0..10).map(|n| {
        format!("[[journey]]\nname = \"j{n}\"\nsteps = [ {{ name = \"s{n}\", get = \"/{n}\" }} ]\n")
    });
    let journeys = journeys.collect::<Vec<_>>().concat();
    let shares: Vec<String> = (0..10).map(|n| format!("\"j{n}\"")).collect();
    let profile = format!(
        "[window]\nname = \"recording\"\nduration = \"{seconds}s\"\n[[scenario]]\nname = \"r\"\ntarget = \"http://{}\"\n\
         model = \"closed\"\nusers = 50\njourneys = [ {} ]\n{journeys}",
        nginx.address,
        shares.join(", ")
    );
    let mut shares = vec![];
    for _ in 0..rounds {
        let summary = run(dir.path(), &profile, 1);
        let generator = &summary["generator"];
        let share = generator["recorder_share"].as_f64().unwrap_or(f64::NAN);
        shares.push(share * 100.0);
    }
    println!(
        "recording at 10 journeys, share of the generator's CPU, median of {rounds}: {:.2} %",
        median(&mut shares)
    );
}

/// Half a day has 43,200 ticks; with a tick of 10 ms they take 432 s. `TICKS` can be set in the environment.
fn memory() {
    let ticks = setting("TICKS", 43_200);
    let nginx = nginx();
    let dir = TempDir::new().unwrap();
    let profile = format!(
        "[window]\nname = \"memory\"\nduration = \"{}ms\"\ntick = \"10ms\"\n[[scenario]]\nname = \"m\"\n\
         target = \"http://{}\"\nrate = \"1k/s\"\narrivals = \"poisson\"\nget = \"/\"\n",
        ticks * 10,
        nginx.address
    );
    run(dir.path(), &profile, 1);
    let export = support::stormdeck(dir.path())
        .args(["export", "--as", "jsonl"])
        .arg(support::only_session(dir.path()))
        .output()
        .unwrap();
    let resident: Vec<f64> = String::from_utf8_lossy(&export.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok()?["gen"]["rss"].as_f64())
        .collect();
    let at = |share: f64| resident[((resident.len() - 1) as f64 * share) as usize] / 1e6;
    println!(
        "resident memory over {} ticks, 1,000 requests/s:",
        resident.len()
    );
    println!(
        "  after a tenth {:.1} MB, half {:.1} MB, all {:.1} MB",
        at(0.1),
        at(0.5),
        at(1.0)
    );
}
