//! Files of earlier versions stay readable, to the last member.
//!
//! `tests/golden/v1.jsonl.zst` is what [`write_golden`] wrote when the format was new; `v1.jsonl` is its content as
//! `zstd -dc` prints it, so that a change to either shows. They are never written again. A new major version gets a
//! golden file of its own: run the tests once with `STORMDECK_WRITE_GOLDEN=1`, which fills in files that are missing.

use std::fs;
use std::path::{Path, PathBuf};

use stormdeck::session::record::{Gap, Record};
use stormdeck::session::{Index, Writer};

use crate::sim::{Sim, end};
use crate::{assert_same, read};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

/// Every kind of record, in two frames.
fn expected() -> Vec<Record> {
    let mut sim = Sim::new(2, 4, 5, 20_260_101).before_scrapes();
    let mut records = sim.records(62);
    records.push(Record::Gap(Gap {
        from: 63,
        to: 65,
        why: "recorder fell behind".into(),
    }));
    records.push(sim.tick(66));
    records
}

fn write_golden(path: &Path) {
    let mut writer = Writer::create(path, Sim::new(2, 4, 5, 0).before_scrapes().names()).unwrap();
    for record in expected() {
        writer.append(&record).unwrap();
    }
    writer.finish(end(66)).unwrap();
}

#[test]
fn the_golden_file_of_version_1_is_read_as_it_was_written() {
    let path = golden("v1.jsonl.zst");
    if std::env::var_os("STORMDECK_WRITE_GOLDEN").is_some() && !path.exists() {
        write_golden(&path);
        let content = zstd::decode_all(fs::File::open(&path).unwrap()).unwrap();
        fs::write(golden("v1.jsonl"), content).unwrap();
    }
    let mut records = expected();
    records.push(Record::End(end(66)));
    assert_same(&read(&path), &records);
    let index = Index::open(&path).unwrap();
    let held: Vec<_> = index
        .frames
        .iter()
        .map(|frame| frame.ticks.clone())
        .collect();
    assert_eq!(held, [1..61, 61..67]);
    assert!(index.closed);
    assert_eq!(
        index
            .aggregates(&index.frames[1])
            .unwrap()
            .unwrap()
            .gaps
            .len(),
        1
    );
}

#[test]
fn todays_content_is_that_of_the_golden_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    write_golden(&path);
    let content = zstd::decode_all(fs::File::open(&path).unwrap()).unwrap();
    let before = fs::read(golden("v1.jsonl")).unwrap();
    assert_eq!(
        String::from_utf8(content).unwrap(),
        String::from_utf8(before).unwrap()
    );
}
