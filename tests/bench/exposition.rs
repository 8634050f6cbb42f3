//! How fast expositions are read: `cargo bench --bench exposition`.
//!
//! Real bodies, as `node_exporter`, Prometheus and Alertmanager gave them, on one thread: samples as slices of the body,
//! labels of each sample copied out of it, and the same body scraped again and again through the cache of series, each
//! in MB/s beside prometheus-parse in the same run. Times are CPU time of the measuring thread, which other load on
//! the machine disturbs least; the best of a number of runs counts, and as a ratio rather than as a figure.

#![allow(clippy::expect_used)]

use std::hint::black_box;
use std::time::Duration;

use prometheus_parse::Scrape;
use rustix::time::{ClockId, clock_gettime};
use stormdeck::scrape::exposition::cache::{Cache, Scraped};
use stormdeck::scrape::exposition::{Entry, Format, labels, parse};

const BODIES: [(&str, &str); 3] = [
    (
        "node_exporter",
        include_str!("../scrape/bodies/node_exporter.txt"),
    ),
    (
        "prometheus",
        include_str!("../scrape/bodies/prometheus.txt"),
    ),
    (
        "alertmanager",
        include_str!("../scrape/bodies/alertmanager.txt"),
    ),
];

/// What has to be reached on the body of `node_exporter`, in MB/s.
const BORROWED: f64 = 700.0;
const TO_SERIES: f64 = 300.0;

/// Runs of each; the best one counts.
const RUNS: usize = 15;

fn main() {
    // Cargo runs benches without this argument in `cargo test`; there is nothing to test here.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    println!(
        "MB/s of one thread; to be reached on node_exporter: borrowed {BORROWED}, owned and cached {TO_SERIES}"
    );
    println!(
        "{:<14} {:>7} {:>9} {:>7} {:>7} {:>17}",
        "body", "samples", "borrowed", "owned", "cached", "prometheus-parse"
    );
    for (name, body) in BODIES {
        let samples = parse(body.as_bytes(), Format::Text)
            .filter(|entry| matches!(entry, Entry::Sample(_)))
            .count();
        let borrowed = rate(body, 50, borrowed);
        let owned = rate(body, 20, owned);
        let mut cached = cached(body);
        let cached = rate(body, 50, |body| cached(body));
        let theirs = rate(body, 2, theirs);
        println!(
            "{name:<14} {samples:>7} {borrowed:>9.0} {owned:>7.0} {cached:>7.0} {theirs:>17.0}"
        );
    }
}

/// The best of all runs over `times` bodies, in MB/s.
fn rate(body: &str, times: usize, mut read: impl FnMut(&str)) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..RUNS {
        let before = cpu();
        for _ in 0..times {
            read(black_box(body));
        }
        best = best.min(cpu().saturating_sub(before).as_secs_f64());
    }
    (body.len() * times) as f64 / best / 1e6
}

fn borrowed(body: &str) {
    for entry in parse(body.as_bytes(), Format::Text) {
        black_box(&entry);
    }
}

fn owned(body: &str) {
    for entry in parse(body.as_bytes(), Format::Text) {
        if let Entry::Sample(sample) = entry {
            black_box((labels(sample.series), sample.value));
        }
    }
}

/// A target that was scraped before.
fn cached(body: &str) -> impl FnMut(&str) {
    let (mut cache, mut out, mut at, mut ids) = (Cache::new(), Scraped::default(), 0, 0);
    let mut scrape = move |body: &str| {
        at += 1000;
        cache.scrape(body.as_bytes(), Format::Text, at, &mut out, |_| {
            ids += 1;
            Some(ids)
        });
        assert_eq!((out.points.len(), out.bad_lines), (ids as usize, 0));
        black_box(&out);
    };
    scrape(body);
    scrape
}

fn theirs(body: &str) {
    let lines = body.lines().map(|line| Ok(line.to_owned()));
    black_box(Scrape::parse(lines).expect("lines"));
}

/// CPU time of this thread.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
