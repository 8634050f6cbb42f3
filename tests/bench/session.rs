//! What recording costs and how fast a recording opens: `cargo bench --bench session`.
//!
//! A simulated window of `STORMDECK_BENCH_HOURS` (24 unless said otherwise): 8 journeys of one step each with about 60
//! requests a second and exponential times, 100 send-time errors, 300 series of which 75 change each tick, and 487 events
//! in all. Prints each figure beside the one that the format was chosen by. That one was measured with one histogram a
//! journey, which is what a window records whose requests all went out when they were due; then the same with service
//! times of their own for half of the journeys (12 histograms of about 57 different values a tick, and not 8), as a window
//! records when connections are scarce. Times are CPU time of the measuring thread, which other load on the machine
//! disturbs least; making up the records is not in them.

#![allow(clippy::expect_used, clippy::unused_self)]

#[path = "../session/sim.rs"]
#[allow(dead_code)]
mod sim;

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use sim::{Sim, end};
use stormdeck::engine::process::resident_bytes;
use stormdeck::history::History;
use stormdeck::session::record::Key;
use stormdeck::session::{Index, Reader, Record, Writer, verify};

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
    println!(
        "{ticks} ticks, 8 journeys at 60/s, 300 series; in brackets: the design's figures for 24 h"
    );
    let sim = || Sim::new(8, 300, 60, 1);
    for (content, sim) in [
        (
            "every request on time: 8 histograms a tick",
            sim().on_time(),
        ),
        ("half of the journeys late: 12 histograms a tick", sim()),
    ] {
        println!("\n{content}");
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("bench.jsonl.zst");
        record(&path, ticks, sim);
        open(&path);
        seek(&path, ticks);
        fold(&path);
    }
}

/// Records all ticks and prints size and CPU time.
fn record(path: &Path, ticks: u64, mut sim: Sim) {
    let mut writer = Writer::create(path, sim.names()).expect("a new file");
    writer.append(&sim.window()).expect("room on the disk");
    let mut costs = Vec::with_capacity(ticks as usize);
    let every = (ticks / 487).max(1);
    // What the engine keeps beside the writer.
    let mut history = History::without_rollups();
    history.apply(&Record::Key(Key {
        names: sim.names(),
        ..Key::default()
    }));
    let mut memory = Vec::new();
    for n in 1..=ticks {
        let tick = sim.tick(n);
        let event = n.is_multiple_of(every).then(|| sim.event(n));
        let before = cpu();
        writer.append(&tick).expect("room on the disk");
        if let Some(event) = event {
            writer.append(&event).expect("room on the disk");
        }
        costs.push(cpu().saturating_sub(before));
        history.apply(&tick);
        if [ticks / 10, ticks / 2, ticks].contains(&n) {
            memory.push(format!("{:.1}", resident_bytes() as f64 / 1e6));
        }
    }
    let finished = writer.finish(end(ticks)).expect("room on the disk");
    costs.sort_unstable();
    let mean = costs.iter().sum::<Duration>() / ticks as u32;
    let day = finished.bytes as f64 * 86_400.0 / ticks as f64 / 1e6;
    println!(
        "size            {:8.1} MB; {day:.1} MB a day  [153 MB]",
        finished.bytes as f64 / 1e6
    );
    println!(
        "CPU a tick      {:8.1} µs mean, {:.1} µs p99  [49 / 321 µs]",
        mean.as_secs_f64() * 1e6,
        costs[costs.len() * 99 / 100].as_secs_f64() * 1e6
    );
    println!(
        "memory          {:>8} MB after a tenth, half, all",
        memory.join(", ")
    );
    let index = Index::open(path).expect("a session");
    let frames: u64 = index
        .frames
        .iter()
        .map(|frame| frame.end - frame.offset)
        .sum();
    println!(
        "of this, frames {:8.0} bytes a tick, trailers {:.0}",
        frames as f64 / ticks as f64,
        (finished.bytes - frames) as f64 / ticks as f64
    );
}

fn open(path: &Path) {
    let (index, frames) = median(|| Index::open(path).expect("a session").frames.len());
    println!("open            {index:8.2} ms for {frames} frames  [35 ms with its overview]");
    let (overview, requests) = median(|| {
        let index = Index::open(path).expect("a session");
        let sums = index
            .frames
            .iter()
            .filter_map(|frame| index.aggregates(frame).ok()?);
        sums.flat_map(|sums| sums.steps)
            .map(|step| step.requests)
            .sum::<u64>()
    });
    println!("open, all sums  {overview:8.2} ms for {requests} requests");
    let bytes = std::fs::read(path).expect("a file");
    let torn = path.with_extension("torn");
    std::fs::write(
        &torn,
        &bytes[..bytes.len() - bytes.len() / 1440 / 2 - 20_000],
    )
    .expect("room on the disk");
    let (open, _) = median(|| Index::open(&torn).expect("a session").frames.len());
    println!("open, torn      {open:8.2} ms");
}

fn seek(path: &Path, ticks: u64) {
    let index = Index::open(path).expect("a session");
    let mut sim = Sim::new(1, 0, 0, 5);
    let (time, _) = median(|| {
        let from = 1 + sim.random() % ticks.saturating_sub(300).max(1);
        let reader = index.seek(from).expect("a session");
        let ticks = reader
            .map_while(Result::ok)
            .filter_map(|record| match record {
                Record::Tick(tick) => Some(tick.n),
                _ => None,
            });
        ticks.take_while(|&n| n < from + 300).count()
    });
    println!("any 5 min       {time:8.2} ms  [6.9 ms]");
}

fn fold(path: &Path) {
    let rate = read(path, |record| {
        black_box(record);
    });
    println!("read all        {rate:8.0} ticks/s  [41000]");
    let mut history = History::without_rollups();
    let rate = read(path, |record| history.apply(record));
    println!("fold, summary   {rate:8.0} ticks/s, reading included");
    let mut history = History::new();
    let rate = read(path, |record| history.apply(record));
    println!("fold, charts    {rate:8.0} ticks/s, reading included");
    let before = cpu();
    let verification = verify(path).expect("a session");
    assert!(verification.is_sound(), "{verification}");
    let rate = verification.bytes as f64 / 1e6 / since(before);
    println!("verify          {rate:8.1} MB/s of file");
}

/// Hands every record to `fold`; ticks per second.
fn read(path: &Path, mut fold: impl FnMut(&Record)) -> f64 {
    let before = cpu();
    let mut reader = Reader::open(path).expect("a session");
    while let Some(record) = reader.next_record().expect("a session") {
        fold(&record);
    }
    reader.tally().ticks as f64 / since(before)
}

/// The median time of 9 runs in ms, and what the last one gave.
fn median<T>(mut run: impl FnMut() -> T) -> (f64, T) {
    let mut times = Vec::new();
    let mut last = run();
    for _ in 0..9 {
        let before = cpu();
        last = run();
        times.push(since(before) * 1e3);
    }
    times.sort_by(f64::total_cmp);
    (times[4], last)
}

/// Seconds of CPU time since then.
fn since(before: Duration) -> f64 {
    cpu().saturating_sub(before).as_secs_f64()
}

/// CPU time of this thread.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
