//! Files that were cut, flipped or left behind.

use std::fs;
use std::io::Write;
use std::path::Path;

use stormdeck::session::{Index, OpenError, Reader, Record, Writer};

use crate::sim::{Sim, end};
use crate::{assert_same, read, text, ticks, zstd_accepts};

/// A session that was never closed, its records, and the file's length after each of them was acknowledged.
fn unclosed(path: &Path, ticks: u64) -> (Vec<Record>, Vec<u64>) {
    let mut sim = Sim::new(2, 6, 12, 5);
    let mut writer = Writer::create(path, sim.names()).unwrap();
    let records = sim.records(ticks);
    let mut lengths = Vec::new();
    for record in &records {
        writer.append(record).unwrap();
        lengths.push(writer.length());
    }
    (records, lengths)
}

#[test]
fn no_prefix_of_a_file_loses_a_record_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    let (records, lengths) = unclosed(&path, 150);
    let bytes = fs::read(&path).unwrap();
    let mut sim = Sim::new(1, 0, 1, 99);
    for _ in 0..1000 {
        let cut = sim.random() as usize % (bytes.len() + 1);
        let acknowledged = lengths
            .iter()
            .take_while(|&&length| length <= cut as u64)
            .count();
        let mut reader = Reader::new(&bytes[..cut]).unwrap();
        let mut got = Vec::new();
        while let Some(record) = reader.next_record().unwrap() {
            if !matches!(record, Record::Key(_)) {
                got.push(record);
            }
        }
        // One more may be whole already when the cut is in what follows it.
        assert!(
            (acknowledged..=acknowledged + 1).contains(&got.len()),
            "cut at {cut}"
        );
        assert_eq!(
            reader.tally().damaged,
            0,
            "cut at {cut}: {:?}",
            reader.tally().damages
        );
        assert_same(&got, &records[..got.len()]);
    }
}

#[test]
fn a_cut_file_is_resumed_and_the_zstd_program_accepts_the_result() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    let (records, lengths) = unclosed(&path, 150);
    let bytes = fs::read(&path).unwrap();
    let mut sim = Sim::new(2, 6, 12, 77);
    let mut cuts: Vec<usize> = (0..60)
        .map(|_| sim.random() as usize % bytes.len())
        .collect();
    cuts.extend(lengths.iter().rev().take(30).map(|&length| length as usize));
    // The frame is whole, its trailer is not.
    cuts.extend(
        Index::open(&path)
            .unwrap()
            .frames
            .iter()
            .map(|frame| frame.end as usize + 20),
    );
    for cut in cuts {
        fs::write(&path, &bytes[..cut.min(bytes.len())]).unwrap();
        let acknowledged = lengths
            .iter()
            .take_while(|&&length| length <= cut as u64)
            .count();
        // One more may be whole already when the cut is in what follows it.
        let held = if acknowledged == 0 {
            0
        } else {
            read(&path).len()
        };
        assert!((acknowledged..=acknowledged + 1).contains(&held));
        let acknowledged = held;
        let mut writer = match Writer::resume(&path) {
            Ok(writer) => writer,
            Err(OpenError::Empty(_)) if acknowledged == 0 => continue,
            Err(error) => panic!("cut at {cut}: {error}"),
        };
        let last = ticks(&records[..acknowledged]).last().copied().unwrap_or(0);
        writer.append(&sim.tick(last + 5)).unwrap();
        writer.append(&sim.tick(last + 6)).unwrap();
        writer.finish(end(last + 6)).unwrap();
        let got = read(&path);
        assert_same(&got[..acknowledged], &records[..acknowledged]);
        let Record::Gap(gap) = &got[acknowledged] else {
            panic!("cut at {cut}: {:?}", got[acknowledged])
        };
        assert_eq!(
            (gap.from, gap.to, gap.why.as_str()),
            (last + 1, last + 4, "resumed after a crash")
        );
        assert_eq!(got.len(), acknowledged + 4, "cut at {cut}");
        assert_ne!(zstd_accepts(&path), Some(false), "cut at {cut}");
        let mut reader = Reader::open(&path).unwrap().hashing();
        while reader.next_record().unwrap().is_some() {}
        let tally = reader.tally();
        assert_eq!(
            (tally.damaged, tally.broken_links, tally.torn),
            (0, 0, false),
            "cut at {cut}: {tally:?}"
        );
        let index = Index::open(&path).unwrap();
        assert!(
            index.closed
                && index
                    .frames
                    .iter()
                    .all(stormdeck::session::FrameInfo::has_trailer),
            "cut at {cut}"
        );
    }
}

#[test]
fn a_flipped_bit_never_makes_a_wrong_record() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    let mut sim = Sim::new(2, 6, 12, 6);
    let written: Vec<String> = crate::write(&path, &mut sim, 200)
        .iter()
        .map(text)
        .collect();
    let bytes = fs::read(&path).unwrap();
    let table = bytes.len() - (8 + 9 + 8 * 8);
    let (mut flips, mut losses) = (0, Vec::new());
    while flips < 400 {
        let place = sim.random() as usize % bytes.len();
        let mut changed = bytes.clone();
        changed[place] ^= 1 << (sim.random() % 8);
        let mut reader = Reader::new(changed.as_slice()).unwrap();
        let mut originals = written.iter();
        let mut last = 0;
        let mut delivered = 0;
        loop {
            let record = match reader.next_record() {
                Ok(Some(record)) => record,
                Ok(None) => break,
                // Only the very first bytes make it something else altogether.
                Err(_) if place < 8 => break,
                Err(error) => panic!("flip at {place}: {error}"),
            };
            match &record {
                Record::Key(_) => {}
                Record::Gap(gap) => {
                    assert_eq!(gap.from, last + 1, "flip at {place}");
                    last = gap.to;
                }
                record => {
                    let line = text(record);
                    assert!(
                        originals.any(|original| *original == line),
                        "flip at {place}: {line}"
                    );
                    if let Record::Tick(tick) = record {
                        assert_eq!(
                            tick.n,
                            last + 1,
                            "flip at {place}: a hole that no gap states"
                        );
                        last = tick.n;
                        delivered += 1;
                    }
                }
            }
        }
        let seen = reader.tally().damaged > 0 || reader.tally().torn;
        assert!(
            seen || place < 8 || place >= table,
            "flip at {place} of {table} went unnoticed"
        );
        losses.push(200 - delivered);
        // Whatever the index makes of it, it does not fail.
        fs::write(&path, &changed).unwrap();
        let _ = Index::open(&path);
        flips += 1;
    }
    losses.sort_unstable();
    assert!(
        losses[losses.len() / 2] <= 60,
        "half of the flips lost {} ticks or more",
        losses[losses.len() / 2]
    );
}

#[test]
fn a_hole_in_the_middle_is_stated_and_reading_goes_on_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    crate::write(&path, &mut Sim::new(2, 6, 12, 6), 200);
    let mut bytes = fs::read(&path).unwrap();
    let index = Index::open(&path).unwrap();
    let frame = &index.frames[1];
    // From inside the second frame to inside the third: a trailer is gone too.
    let (from, to) = (
        frame.offset as usize + 3000,
        index.frames[2].offset as usize + 2000,
    );
    bytes[from..to].fill(0xAA);
    fs::File::create(&path).unwrap().write_all(&bytes).unwrap();
    let records = read(&path);
    let gaps: Vec<_> = records
        .iter()
        .filter_map(|record| match record {
            Record::Gap(gap) => Some((gap.to, gap.why.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(gaps.last(), Some(&(180, "damaged")));
    assert!(ticks(&records).ends_with(&(181..=200).collect::<Vec<_>>()));
    assert!(ticks(&records).starts_with(&(1..=60).collect::<Vec<_>>()));
    let index = Index::open(&path).unwrap();
    assert_eq!(
        ticks(
            &index
                .seek(190)
                .unwrap()
                .map(Result::unwrap)
                .collect::<Vec<_>>()
        )[0],
        190
    );
}

#[test]
fn random_bytes_after_a_good_beginning_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    let (_, lengths) = unclosed(&path, 20);
    let good = fs::read(&path).unwrap();
    let mut sim = Sim::new(1, 0, 1, 8);
    for _ in 0..200 {
        let keep = lengths[sim.random() as usize % lengths.len()] as usize;
        let mut bytes = good[..keep].to_vec();
        bytes.extend((0..sim.random() % 4000).map(|_| sim.random() as u8));
        fs::write(&path, &bytes).unwrap();
        let before = ticks(&read(&path));
        let _ = Index::open(&path);
        let mut writer = Writer::resume(&path).unwrap();
        writer.append(&Sim::new(2, 6, 12, 1).tick(40)).unwrap();
        drop(writer);
        let mut expected = before;
        expected.push(40);
        assert_eq!(ticks(&read(&path)), expected);
    }
}
