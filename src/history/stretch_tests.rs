use std::sync::LazyLock;
use std::time::Duration;

use proptest::prelude::*;

use super::testing::{PAY, Recording, fail, overload, step};
use super::*;
use crate::profile::model::Scope;
use crate::session::record::{Number, ScenarioState};
use crate::session::{Hist, Index, Writer};

/// Three phases that change in the middle of frames, a hole, a stated gap, odd ticks, marks.
fn recording() -> Recording {
    let series = |tick: &mut Tick| {
        tick.at += tick.n * 37 % 900;
        if tick.n.is_multiple_of(3) {
            tick.series = vec![(0, Some(Number(tick.n as f64)))];
        }
        tick.scenarios[1].state = ScenarioState::Draining;
    };
    Recording::new(&[
        ("steady", 400, 1.0),
        ("spike", 200, 2.0),
        ("cool", 400, 1.0),
    ])
    .phase(0)
    .ticks_with(250, series)
    .event(Happening::Mark { text: "a".into() })
    .skip(7)
    .ticks_with(160, series)
    .phase(1)
    .ticks_with(95, |tick| {
        series(tick);
        fail(tick, PAY, ErrorKind::Status5xx, Some(503), 2);
        tick.generator.late = testing::hist([tick.n * 9]);
    })
    .gap(20, "disk full")
    .ticks_with(100, |tick| {
        series(tick);
        overload(tick);
    })
    .gap(3, "disk full")
    .phase(2)
    .ticks_with(333, |tick| {
        series(tick);
        if tick.n.is_multiple_of(2) {
            tick.steps[0] = step(0, 50, 900, 400_000);
            tick.steps[0].service = None;
        }
    })
}

/// The recording in a file, and as records with the keys of that file left out but the first.
fn file(recording: &Recording) -> (tempfile::TempDir, Index, Vec<Record>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    let records = recording.records();
    let Record::Key(key) = &records[0] else {
        panic!("no key")
    };
    let mut writer = Writer::create(&path, key.names.clone()).unwrap();
    for record in &records[1..] {
        writer.append(record).unwrap();
    }
    drop(writer);
    (dir, Index::open(&path).unwrap(), records)
}

static FILE: LazyLock<(tempfile::TempDir, Index, Vec<Record>)> =
    LazyLock::new(|| file(&recording()));

/// Frames before tick `cut` by their sums, then the ticks up to `until`.
fn by_frames(index: &Index, records: &[Record], cut: u64, until: u64, join: bool) -> History {
    let mut history = History::new();
    records[..2].iter().for_each(|record| history.apply(record));
    let old = index
        .frames
        .iter()
        .take_while(|frame| frame.has_trailer() && frame.ticks.end <= cut);
    let mut group: Option<Stretch> = None;
    let mut done = 0;
    for frame in old {
        let sums = index.aggregates(frame).unwrap().unwrap();
        let stretch = Stretch::of(frame, &sums, history.tick_us()).unwrap();
        group = match group.take() {
            Some(mut before) if join => match before.join(stretch) {
                None => Some(before),
                Some(stretch) => {
                    history.apply_stretch(&before);
                    Some(stretch)
                }
            },
            Some(before) => {
                history.apply_stretch(&before);
                Some(stretch)
            }
            None => Some(stretch),
        };
        done += 1;
    }
    if let Some(group) = group {
        history.apply_stretch(&group);
    }
    for record in index.read_from(done).unwrap() {
        match record.unwrap() {
            Record::Tick(tick) if tick.n > until => break,
            record if done < index.frames.len() => history.apply(&record),
            _ => break,
        }
    }
    history
}

fn assert_close(found: &Totals, right: &Totals) {
    for (found, right) in [
        (&found.response, &right.response),
        (&found.service, &right.service),
    ] {
        assert_eq!(found.count(), right.count());
        for q in [0.0, 0.5, 0.9, 0.99, 0.999, 1.0] {
            let (found, right) = (found.quantile(q), right.quantile(q));
            assert!(
                found >= right && found - right <= right / 128,
                "{found} for {right}"
            );
        }
    }
    let counts = |totals: &Totals| Totals {
        response: Hist::default(),
        service: Hist::default(),
        ..totals.clone()
    };
    assert!(counts(found) == counts(right));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn a_history_by_sums_of_frames_answers_as_one_by_ticks(
        cut in 0u64..1_000, more in 1u64..300, join: bool,
    ) {
        let (dir, _, records) = &*FILE;
        let index = Index::open(dir.path().join("a.jsonl.zst")).unwrap();
        let until = cut + more;
        let mut exact = History::new();
        for record in index.read_from(0).unwrap() {
            match record.unwrap() {
                Record::Tick(tick) if tick.n > until => break,
                record => exact.apply(&record),
            }
        }
        let found = by_frames(&index, records, cut, until, join);
        prop_assert_eq!(found.last(), exact.last());
        prop_assert_eq!(found.missing(), exact.missing());
        prop_assert_eq!(found.ignored(), 0);
        prop_assert_eq!(found.events(), exact.events());
        prop_assert_eq!(found.gaps().iter().map(|gap| (gap.from, gap.to)).collect::<Vec<_>>(),
            exact.gaps().iter().map(|gap| (gap.from, gap.to)).collect::<Vec<_>>());
        prop_assert_eq!(found.series(0), exact.series(0));
        for phase in 0..3 {
            prop_assert_eq!(found.phase(phase), exact.phase(phase));
            assert_close(&found.totals(&Scope::All, &[phase]), &exact.totals(&Scope::All, &[phase]));
            prop_assert_eq!(found.flow(1, &[phase]), exact.flow(1, &[phase]));
        }
        for scope in [Scope::All, Scope::Journey("buy".into()), Scope::Scenario("writers".into())] {
            assert_close(&found.totals(&scope, &[]), &exact.totals(&scope, &[]));
        }
        let generator = (found.generator(), exact.generator());
        prop_assert_eq!(&generator.0.causes, &generator.1.causes);
        prop_assert_eq!(generator.0.peak, generator.1.peak);
        prop_assert_eq!(generator.0.late().count(), generator.1.late().count());
        prop_assert!((generator.0.cpu_seconds - generator.1.cpu_seconds).abs() < 1.0);
        let span = Duration::from_secs(found.depth().ticks as u64);
        let recent = |history: &History| history.recent(&Scope::All, span, &[]);
        prop_assert!(span.is_zero() || recent(&found) == recent(&exact));
        // Slots cover the same ticks, however coarse.
        let sum = |history: &History| history.slots(1, u64::MAX, 60).fold((0, 0, 0), |sum, slot| match slot {
            Slot::Seen(bucket) => (sum.0 + bucket.ticks, sum.1 + bucket.totals(&Selection::all()).requests, sum.2 + bucket.micros),
            Slot::Gap { .. } => sum,
        });
        prop_assert_eq!(sum(&found), sum(&exact));
    }
}

#[test]
fn frames_after_ticks_and_ticks_after_frames_keep_the_order() {
    let (_dir, index, records) = file(&recording());
    let mut history = by_frames(&index, &records, 300, 400, false);
    let depth = history.depth();
    assert!(depth.ticks > 0 && depth.minutes > 0, "{depth:?}");
    let later = index.frames.iter();
    let later = later.filter(|frame| frame.ticks.start > 400 && frame.has_trailer());
    for frame in later {
        let sums = index.aggregates(frame).unwrap().unwrap();
        assert!(history.apply_frame(frame, &sums));
    }
    assert_eq!(history.depth().ticks, 0);
    let mut expected = 1;
    for slot in history.slots(1, u64::MAX, 1) {
        let (from, to) = match slot {
            Slot::Seen(bucket) => (bucket.from, bucket.to),
            Slot::Gap { from, to } => (from, to),
        };
        assert!(from >= expected, "{from} after {expected}");
        expected = to + 1;
    }
}

#[test]
fn a_trailer_that_says_too_little_is_not_taken_for_a_frame() {
    let (_dir, index, _) = file(&recording());
    let frame = &index.frames[0];
    let mut sums = index.aggregates(frame).unwrap().unwrap();
    assert!(Stretch::of(frame, &sums, SECOND).is_some());
    let course = sums.course.take();
    assert!(Stretch::of(frame, &sums, SECOND).is_none());
    sums.course = course;
    sums.ticks = 1_000;
    assert!(Stretch::of(frame, &sums, SECOND).is_none());
}

const SECOND: u64 = testing::SECOND;
