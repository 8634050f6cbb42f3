//! How fast a recording opens, is sought and plays, and what that takes: `cargo bench --bench replay`.
//!
//! A simulated window of `STORMDECK_BENCH_HOURS` (24 unless said otherwise) as in `session.rs`: 8 steps with about 60
//! requests a second, half of them with service times of their own, 300 series. It is recorded by another process, so
//! that the memory printed is that of reading; with `STORMDECK_BENCH_FILE` it is kept there for the next run. Times are what one waits, from asking to the event. In brackets: what they
//! should be under.

#![allow(clippy::expect_used, clippy::unused_self)]

#[path = "../session/sim.rs"]
#[allow(dead_code)]
mod sim;

use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;

use sim::{Sim, end};
use stormdeck::console::event::Speed;
use stormdeck::console::feed::{Feed, QUEUE, Source};
use stormdeck::console::{Event, model::Side};
use stormdeck::history::History;
use stormdeck::session::Writer;

/// Set for the process that records: the file.
const RECORD: &str = "STORMDECK_BENCH_RECORD";
/// Where the recording is kept from one run to the next; made anew each time when this is not set.
const FILE: &str = "STORMDECK_BENCH_FILE";

fn main() {
    // Cargo runs benches without this argument in `cargo test`; there is nothing to test here.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let hours: f64 = std::env::var("STORMDECK_BENCH_HOURS")
        .ok()
        .and_then(|hours| hours.parse().ok())
        .unwrap_or(24.0);
    let ticks = (hours * 3600.0) as u64;
    if let Some(path) = std::env::var_os(RECORD) {
        return record(Path::new(&path), ticks);
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let kept = std::env::var_os(FILE).map(std::path::PathBuf::from);
    let path = kept.unwrap_or_else(|| dir.path().join("bench.jsonl.zst"));
    if !path.exists() {
        let recorded = std::process::Command::new(std::env::current_exe().expect("this program"))
            .arg("--bench")
            .env(RECORD, &path)
            .status();
        assert!(recorded.expect("another process").success());
    }
    println!("{ticks} ticks, 8 steps at 60/s, 12 histograms, 300 series");
    replay(&path, ticks);
    attach(&path);
}

fn record(path: &Path, ticks: u64) {
    let mut sim = Sim::new(8, 300, 60, 1);
    let mut writer = Writer::create(path, sim.names()).expect("a new file");
    writer.append(&sim.window()).expect("room on the disk");
    for n in 1..=ticks {
        let tick = sim.tick(n);
        writer.append(&tick).expect("room on the disk");
        if n.is_multiple_of(177) {
            let event = sim.event(n);
            writer.append(&event).expect("room on the disk");
        }
    }
    writer.finish(end(ticks)).expect("room on the disk");
}

fn open(source: Source) -> (Feed, Receiver<Event>) {
    let (send, events) = sync_channel(QUEUE);
    let feed = Feed::open(vec![source], move |event| {
        let _ = send.send(event);
    });
    (feed.expect("a session"), events)
}

fn replay(path: &Path, ticks: u64) {
    println!("before          {:8.1} MB", resident());
    let began = Instant::now();
    let (feed, events) = open(Source::Recording(path.to_path_buf()));
    let first = sought(&events);
    let history = ms(began);
    while !matches!(next(&events), Event::Overview { .. }) {}
    println!("first history   {history:8.1} ms");
    println!("and overview    {:8.1} ms  [300 ms]", ms(began));
    drop(first);
    let mut sim = Sim::new(1, 0, 0, 5);
    let mut times: Vec<f64> = (0..50)
        .map(|_| {
            let tick = 1 + sim.random() % ticks;
            let began = Instant::now();
            feed.seek(tick);
            let history = sought(&events);
            assert_eq!(history.last().map(|last| last.tick), Some(tick));
            ms(began)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!(
        "seek            {:8.1} ms median, {:.1} ms at most of 50  [100 ms]",
        times[25], times[49]
    );
    let began = Instant::now();
    feed.seek(ticks);
    let last = sought(&events);
    println!("seek the end    {:8.1} ms; {:.1} MB", ms(began), resident());
    drop(last);
    feed.seek(1);
    let mut history = sought(&events);
    feed.play(Speed::Unbounded);
    let began = Instant::now();
    loop {
        match next(&events) {
            Event::Records { records, .. } => {
                for record in &records {
                    history.apply(record);
                }
            }
            Event::PlayedOut { .. } => break,
            _ => {}
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    println!("play, unbounded {:8.0} ticks/s", ticks as f64 / seconds);
    println!(
        "after it        {:8.1} MB  [60 MB]; {:?}",
        resident(),
        history.depth()
    );
}

/// Joining a window that has run for long.
fn attach(path: &Path) {
    let began = Instant::now();
    let (_feed, events) = open(Source::Live(path.to_path_buf()));
    loop {
        if let Event::Sought {
            side: Side::Live, ..
        } = next(&events)
        {
            break;
        }
    }
    println!("attach          {:8.1} ms  [300 ms]", ms(began));
}

fn next(events: &Receiver<Event>) -> Event {
    match events.recv().expect("a feed") {
        Event::Broken { why, .. } => panic!("{why}"),
        event => event,
    }
}

fn sought(events: &Receiver<Event>) -> Box<History> {
    loop {
        if let Event::Sought { history, .. } = next(events) {
            return history;
        }
    }
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// Memory of this process, MB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    kilobytes.map_or(0.0, |kilobytes: f64| kilobytes * 1024.0 / 1e6)
}
