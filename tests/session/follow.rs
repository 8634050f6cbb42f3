//! Looking on while a session is written.

use std::fs;
use std::time::Duration;

use stormdeck::session::record::Tick;
use stormdeck::session::{Followed, Follower, Index, Record, Writer};

use crate::sim::{Sim, end};
use crate::{assert_same, ticks};

const LONG: Duration = Duration::from_secs(30);

/// The next record that is not a key.
fn next(follower: &mut Follower) -> Record {
    loop {
        match follower.next(LONG).unwrap() {
            Followed::Record(Record::Key(_)) => {}
            Followed::Record(record) => return record,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn every_record_is_seen_as_soon_as_it_was_written_across_the_ends_of_frames() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    let mut sim = Sim::new(2, 6, 12, 5);
    let mut writer = Writer::create(&path, sim.names()).unwrap();
    let mut follower = Follower::open(&path).unwrap();
    assert_eq!(follower.next(Duration::ZERO).unwrap(), Followed::Nothing);
    for record in sim.records(130) {
        writer.append(&record).unwrap();
        assert_same(&[next(&mut follower)], &[record]);
    }
    assert_eq!(follower.next(Duration::ZERO).unwrap(), Followed::Nothing);
    writer.finish(end(130)).unwrap();
    assert_eq!(next(&mut follower), Record::End(end(130)));
    assert_eq!(follower.next(LONG).unwrap(), Followed::Ended);
    assert_eq!(follower.tally().damaged, 0);
}

#[test]
fn a_follower_begins_at_any_frame_and_survives_a_crash_and_a_resumption() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    let mut sim = Sim::new(2, 6, 12, 5);
    let mut writer = Writer::create(&path, sim.names()).unwrap();
    sim.records(70)
        .iter()
        .for_each(|record| writer.append(record).unwrap());
    drop(writer);
    // A tick of which half was written when the writer died.
    let whole = fs::metadata(&path).unwrap().len();
    let mut half = fs::read(&path).unwrap();
    half.extend_from_slice(&[0x04, 0x30, 0x00, 1, 2, 3]);
    fs::write(&path, &half).unwrap();
    let offset = Index::open(&path).unwrap().frames[1].offset;
    let mut follower = Follower::from_offset(&path, offset).unwrap();
    let mut seen = Vec::new();
    while let Followed::Record(record) = follower.next(Duration::ZERO).unwrap() {
        seen.push(record);
    }
    assert_eq!(ticks(&seen), (61..=70).collect::<Vec<_>>());
    let mut writer = Writer::resume(&path).unwrap();
    assert!(fs::metadata(&path).unwrap().len() > whole);
    writer.append(&sim.tick(75)).unwrap();
    assert!(matches!(next(&mut follower), Record::Gap(gap) if (gap.from, gap.to) == (71, 74)));
    assert!(matches!(next(&mut follower), Record::Tick(tick) if tick.n == 75));
    writer.finish(end(75)).unwrap();
    assert!(matches!(next(&mut follower), Record::End(_)));
    assert_eq!(follower.tally().damaged, 0);
}

#[test]
fn a_follower_that_read_what_was_cut_off_again_sees_each_tick_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    let mut sim = Sim::new(2, 6, 12, 5);
    let mut writer = Writer::create(&path, sim.names()).unwrap();
    writer.append(&sim.window()).unwrap();
    (1..=3).for_each(|n| writer.append(&sim.tick(n)).unwrap());
    let before = writer.length();
    writer.append(&sim.tick(4)).unwrap();
    let mut follower = Follower::open(&path).unwrap();
    let mut seen = Vec::new();
    while let Followed::Record(record) = follower.next(Duration::ZERO).unwrap() {
        seen.push(record);
    }
    assert_eq!(ticks(&seen), [1, 2, 3, 4]);
    drop(writer);
    fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(before)
        .unwrap();
    assert_eq!(follower.next(Duration::ZERO).unwrap(), Followed::Nothing);
    let mut writer = Writer::resume(&path).unwrap();
    for n in 4..=6 {
        writer
            .append(&Record::Tick(Box::new(Tick {
                n,
                ..Tick::default()
            })))
            .unwrap();
    }
    assert!(matches!(next(&mut follower), Record::Tick(tick) if tick.n == 5));
    assert!(matches!(next(&mut follower), Record::Tick(tick) if tick.n == 6));
}

#[test]
fn a_follower_that_waits_can_be_stopped_from_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    let sim = Sim::new(2, 6, 12, 5);
    let _writer = Writer::create(&path, sim.names()).unwrap();
    let mut follower = Follower::open(&path).unwrap();
    let stopper = follower.stopper();
    let waiting = std::thread::spawn(move || follower.wait().unwrap());
    stopper.stop();
    assert_eq!(waiting.join().unwrap(), None);
}
