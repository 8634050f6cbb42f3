//! The session file, from the outside: what is written is what is read, whatever happens to the file in between.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::unused_self)]

mod damage;
mod dir;
mod disk;
mod export;
mod follow;
mod golden;
mod roundtrip;
mod sim;

use std::path::Path;

use sim::{Sim, end};
use stormdeck::session::{Reader, Record, Writer};

/// Everything that a reader gives, keys left out.
fn read(path: &Path) -> Vec<Record> {
    let mut reader = Reader::open(path).unwrap();
    let mut records = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        if !matches!(record, Record::Key(_)) {
            records.push(record);
        }
    }
    records
}

/// Writes a session of so many ticks, closed cleanly, and returns what it holds.
fn write(path: &Path, sim: &mut Sim, ticks: u64) -> Vec<Record> {
    let mut writer = Writer::create(path, sim.names()).unwrap();
    let mut records = sim.records(ticks);
    for record in &records {
        writer.append(record).unwrap();
    }
    writer.finish(end(ticks)).unwrap();
    records.push(Record::End(end(ticks)));
    records
}

/// Ticks by number.
fn ticks(records: &[Record]) -> Vec<u64> {
    let number = |record: &Record| match record {
        Record::Tick(tick) => Some(tick.n),
        _ => None,
    };
    records.iter().filter_map(number).collect()
}

/// Compares as text, since NaN is not equal to itself.
fn assert_same(left: &[Record], right: &[Record]) {
    assert_eq!(left.len(), right.len());
    for (left, right) in left.iter().zip(right) {
        assert_eq!(text(left), text(right));
    }
}

fn text(record: &Record) -> String {
    serde_json::to_string(record).unwrap()
}

/// Whether the `zstd` program accepts the file; `None` if there is no such program.
fn zstd_accepts(path: &Path) -> Option<bool> {
    let output = std::process::Command::new("zstd")
        .arg("-t")
        .arg(path)
        .output()
        .ok()?;
    Some(output.status.success())
}
