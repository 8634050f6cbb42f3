//! Files that nothing happened to.

use std::fs;

use stormdeck::session::record::{
    Decision, Event, FaultPlan, FaultState, Gap, Happening, Names, Number, Tick,
};
use stormdeck::session::{
    AppendError, Index, OpenError, ReadError, Reader, Record, Writer, read_window,
};

use crate::sim::{Sim, end};
use crate::{assert_same, read, text, ticks, write, zstd_accepts};

#[test]
fn what_is_written_is_read_back_and_the_zstd_program_accepts_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    let written = write(&path, &mut Sim::new(4, 20, 40, 1), 200);
    assert_same(&read(&path), &written);
    assert_ne!(zstd_accepts(&path), Some(false));
    assert_eq!(
        text(&Record::Window(Box::new(
            read_window(&path).unwrap().unwrap()
        ))),
        text(&written[0])
    );
}

/// Gives a few bytes at a time.
struct Trickle<'a>(&'a [u8], usize);
impl std::io::Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.1 = self.1 * 7 % 31 + 1;
        let count = self.1.min(buffer.len());
        self.0.read(&mut buffer[..count])
    }
}

#[test]
fn a_session_is_read_from_a_stream_in_portions_of_any_size() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    let written = write(&path, &mut Sim::new(2, 3, 10, 1), 130);
    let bytes = fs::read(&path).unwrap();
    let records = Reader::new(Trickle(&bytes, 1)).unwrap().map(Result::unwrap);
    let records: Vec<_> = records
        .filter(|record| !matches!(record, Record::Key(_)))
        .collect();
    assert_same(&records, &written);
}

#[test]
fn every_frame_stands_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    let mut sim = Sim::new(2, 10, 10, 3);
    write(&path, &mut sim, 190);
    let mut series: Vec<Option<Number>> = vec![None; 10];
    let mut keys = 0;
    for record in Reader::open(&path).unwrap().map(Result::unwrap) {
        match record {
            Record::Key(key) => {
                assert_eq!(key.names, sim.names());
                assert_eq!((key.v, key.frame), (1, keys));
                assert_eq!(key.tick, keys * 60 + 1);
                assert_eq!(format!("{:?}", key.series), format!("{series:?}"));
                keys += 1;
            }
            Record::Tick(tick) => tick
                .changes()
                .for_each(|(index, value)| series[index] = value),
            _ => {}
        }
    }
    assert_eq!(keys, 4);
}

#[test]
fn the_index_finds_every_minute_and_its_sums() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    let written = write(&path, &mut Sim::new(3, 5, 30, 2), 200);
    let index = Index::open(&path).unwrap();
    assert!(index.closed);
    let held: Vec<_> = index
        .frames
        .iter()
        .map(|frame| frame.ticks.clone())
        .collect();
    assert_eq!(held, [1..61, 61..121, 121..181, 181..201]);
    assert_eq!((index.last_tick(), index.length()), (200, 200_000_000));
    for frame in &index.frames {
        let sums = index.aggregates(frame).unwrap().unwrap();
        let in_frame = written.iter().filter_map(|record| match record {
            Record::Tick(tick) if frame.ticks.contains(&tick.n) => Some(tick),
            _ => None,
        });
        let mut step = sums.steps[0].clone();
        step.requests = 0;
        let (mut response, mut service) = (
            stormdeck::session::Hist::new(),
            stormdeck::session::Hist::new(),
        );
        for tick in in_frame {
            step.requests += tick.steps[0].requests;
            response.merge(&tick.steps[0].response);
            service.merge(tick.steps[0].service());
        }
        assert_eq!(step.requests, sums.steps[0].requests);
        for (exact, sum) in [(&response, &step.response), (&service, step.service())] {
            assert_eq!(sum.count(), exact.count());
            for q in [0.5, 0.99, 1.0] {
                let (sum, exact) = (sum.quantile(q), exact.quantile(q));
                assert!(
                    (exact..=exact + exact / 128).contains(&sum),
                    "{sum} for {exact}"
                );
            }
        }
    }
    for tick in [1, 60, 61, 150, 200] {
        let records: Vec<_> = index.seek(tick).unwrap().map(Result::unwrap).collect();
        assert!(matches!(records[0], Record::Key(_)));
        let first = if tick <= 60 { 1 } else { tick };
        assert_eq!(ticks(&records), (first..=200).collect::<Vec<_>>());
    }
}

#[test]
fn a_seek_knows_of_every_series_what_reading_from_the_beginning_knows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    write(&path, &mut Sim::new(1, 40, 5, 7).on_time(), 130);
    let index = Index::open(&path).unwrap();
    let mut whole = Vec::new();
    let mut before = Vec::new();
    for record in Reader::open(&path).unwrap() {
        match record.unwrap() {
            Record::Key(key) => whole.resize(key.names.series.len(), None),
            Record::Tick(tick) => {
                before.push(whole.clone());
                for (series, value) in tick.changes() {
                    whole[series] = value;
                }
            }
            _ => {}
        }
    }
    for tick in 61..=130 {
        let record = index.seek(tick).unwrap().next_record().unwrap();
        let Some(Record::Key(key)) = record else {
            panic!("{record:?} and not a key before tick {tick}");
        };
        assert_eq!(key.tick, tick);
        let same = |(a, b): (&Option<Number>, &Option<Number>)| {
            a.map(|n| n.0.to_bits()) == b.map(|n| n.0.to_bits())
        };
        let held = before[tick as usize - 1].iter().zip(&key.series);
        assert!(held.clone().all(same), "before tick {tick}: {held:?}");
    }
}

#[test]
fn the_index_of_a_file_that_is_being_written_holds_the_open_frame() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    let mut sim = Sim::new(2, 5, 10, 2);
    let mut writer = Writer::create(&path, sim.names()).unwrap();
    sim.records(150)
        .iter()
        .for_each(|record| writer.append(record).unwrap());
    let index = Index::open(&path).unwrap();
    let held: Vec<_> = index
        .frames
        .iter()
        .map(|frame| frame.ticks.clone())
        .collect();
    assert_eq!(held, [1..61, 61..121, 121..151]);
    assert!(!index.closed && !index.frames[2].has_trailer());
    assert_eq!(
        ticks(
            &index
                .seek(130)
                .unwrap()
                .map(Result::unwrap)
                .collect::<Vec<_>>()
        )[0],
        130
    );
}

#[test]
fn a_second_writer_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    let mut sim = Sim::new(2, 5, 10, 2);
    let mut writer = Writer::create(&path, sim.names()).unwrap();
    writer.append(&sim.window()).unwrap();
    assert!(matches!(
        Writer::create(&path, sim.names()),
        Err(OpenError::Exists(_))
    ));
    assert!(matches!(Writer::resume(&path), Err(OpenError::Busy(_))));
    writer.append(&sim.tick(1)).unwrap();
    drop(writer);
    Writer::resume(&path).unwrap().finish(end(1)).unwrap();
    assert!(matches!(Writer::resume(&path), Err(OpenError::Ended(_))));
}

#[test]
fn records_that_refer_to_nothing_are_refused_and_nothing_else_suffers() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    let mut sim = Sim::new(2, 5, 10, 2);
    let mut writer = Writer::create(&path, sim.names()).unwrap();
    writer.append(&sim.window()).unwrap();
    writer.append(&sim.tick(1)).unwrap();
    let wrong = [
        Record::Tick(Box::new(Tick {
            n: 2,
            phase: Some(2),
            ..Tick::default()
        })),
        Record::Tick(Box::new(Tick {
            n: 2,
            series: vec![(5, None)],
            ..Tick::default()
        })),
        Record::Tick(Box::new(Tick {
            n: 1,
            ..Tick::default()
        })),
        Record::Gap(Gap {
            from: 3,
            to: 2,
            why: String::new(),
        }),
        event(Happening::Fault {
            fault: 0,
            state: FaultState::Active,
            text: String::new(),
            forced: false,
            in_place: false,
            proven: false,
            until: None,
        }),
        Record::Unknown,
    ];
    for record in wrong {
        assert!(
            matches!(writer.append(&record), Err(AppendError::Refused(_))),
            "{record:?}"
        );
    }
    writer.append(&sim.tick(2)).unwrap();
    writer.finish(end(2)).unwrap();
    assert_eq!(ticks(&read(&path)), [1, 2]);
}

fn event(what: Happening) -> Record {
    Record::Event(Event {
        at: 1,
        wall: 2,
        by: Some("ops@bastion".into()),
        what,
    })
}

#[test]
fn faults_and_signatures_are_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    let sim = Sim::new(2, 5, 10, 2);
    let Record::Window(mut window) = sim.window() else {
        panic!("the window's record");
    };
    window.faults.push(FaultPlan {
        name: "slow database".into(),
        key: Some('d'),
        kind: "latency".into(),
        max_us: 120_000_000,
        recover_within_us: Some(30_000_000),
        detect: Some("DatabaseSlow".into()),
        service: Some("orders".into()),
        members: vec![0],
    });
    let records = [
        Record::Window(window),
        event(Happening::Fault {
            fault: 0,
            state: FaultState::Reverting,
            text: "after its 2m".into(),
            forced: false,
            in_place: false,
            proven: false,
            until: None,
        }),
        event(Happening::SignOff {
            decision: Decision::NoGo,
            text: "the spike broke it".into(),
        }),
    ];
    let mut writer = Writer::create(&path, sim.names()).unwrap();
    for record in &records {
        writer.append(record).unwrap();
    }
    drop(writer);
    assert_same(&read(&path), &records);
    assert!(text(&records[1]).contains(r#""what":"fault","fault":0,"state":"reverting""#));
    assert!(text(&records[2]).contains(r#""what":"sign_off","decision":"no-go""#));
}

#[test]
fn names_can_be_added_while_writing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    let mut sim = Sim::new(2, 1, 10, 2);
    let mut writer = Writer::create(&path, sim.names()).unwrap();
    writer.append(&sim.window()).unwrap();
    writer.append(&sim.tick(1)).unwrap();
    let mut names = sim.names();
    names.series.push("another".into());
    writer.set_names(names.clone()).unwrap();
    let series = vec![(1, Some(Number(4.0)))];
    writer
        .append(&Record::Tick(Box::new(Tick {
            n: 2,
            series,
            ..Tick::default()
        })))
        .unwrap();
    assert!(matches!(
        writer.set_names(Names::default()),
        Err(AppendError::Refused(_))
    ));
    writer.finish(end(2)).unwrap();
    assert_eq!(ticks(&read(&path)), [1, 2]);
}

#[test]
fn a_newer_format_and_other_files_are_refused_with_a_reason() {
    let line = |body: &str| {
        format!(
            "{body},\"crc\":\"{:08x}\"}}\n",
            crc32c::crc32c(body.as_bytes())
        )
    };
    let newer = zstd::bulk::compress(line(r#"{"k":"key","v":2"#).as_bytes(), 3).unwrap();
    let error = Reader::new(newer.as_slice())
        .unwrap()
        .next_record()
        .unwrap_err();
    assert!(matches!(error, ReadError::Newer { found: 2 }), "{error}");
    assert!(error.to_string().contains("version 2"), "{error}");
    for other in [
        b"{\"k\":\"key\"}\n".as_slice(),
        b"x",
        &[0; 5000],
        b"PK\x03\x04",
    ] {
        let error = Reader::new(other).unwrap().next_record().unwrap_err();
        assert!(matches!(error, ReadError::NotASession), "{error}");
    }
    assert!(
        Reader::new(b"".as_slice())
            .unwrap()
            .next_record()
            .unwrap()
            .is_none()
    );
}

#[test]
fn a_bomb_is_given_up_early() {
    let mut stream = zstd::Encoder::new(Vec::new(), 3).unwrap();
    std::io::copy(
        &mut std::io::Read::take(std::io::repeat(b'a'), 300 << 20),
        &mut stream,
    )
    .unwrap();
    let bytes = stream.finish().unwrap();
    let mut reader = Reader::new(bytes.as_slice()).unwrap();
    assert!(reader.next_record().unwrap().is_none());
    assert!(
        reader
            .tally()
            .damages
            .last()
            .unwrap()
            .what
            .contains("more content")
    );
}
