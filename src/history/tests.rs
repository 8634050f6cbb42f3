use std::borrow::Cow;
use std::time::Duration;

use proptest::prelude::*;

use super::testing::{PAY, Recording, SECOND, fail, hist, overload, step};
use super::*;
use crate::profile::model::Scope;
use crate::session::record::{EndReason, Number};

fn two_phases() -> Recording {
    Recording::new(&[("steady", 60, 1.0), ("spike", 30, 2.0)])
        .phase(0)
        .ticks(60)
        .phase(1)
        .ticks(30)
}

fn pay() -> Scope {
    Scope::Step {
        journey: None,
        step: "pay".into(),
    }
}

#[test]
fn totals_are_exact_by_scope_and_phase() {
    let history = two_phases().history();
    let requests = |scope: &Scope, phases: &[usize]| history.totals(scope, phases).requests;
    assert_eq!(requests(&Scope::All, &[]), 450 * 60 + 900 * 30);
    assert_eq!(requests(&Scope::All, &[1]), 900 * 30);
    assert_eq!(requests(&pay(), &[0]), 40 * 60);
    assert_eq!(requests(&Scope::Journey("buy".into()), &[]), 80 * 120);
    assert_eq!(
        requests(&Scope::Scenario("writers".into()), &[0, 1]),
        50 * 120
    );
    let totals = history.totals(&pay(), &[0]);
    assert_eq!(totals.response.count(), 2_400);
    assert_eq!(totals.service.count(), 2_400);
    assert!(totals.response.quantile(0.5) > totals.service.quantile(0.5));
    assert_eq!(totals.rate(), Some(40.0));
    assert_eq!(totals.classes[2], 2_400);
    assert_eq!(totals.due, 200 * 60, "arrivals are counted by scenario");
}

#[test]
fn a_name_that_nothing_has_selects_nothing() {
    let history = two_phases().history();
    assert_eq!(history.select(&Scope::Journey("sell".into())), None);
    assert_eq!(
        history.totals(&Scope::Journey("sell".into()), &[]),
        Totals::default()
    );
}

#[test]
fn names_as_recorded_find_their_scope() {
    let history = two_phases().history();
    let of = |text| select::scope_of(history.names(), text);
    assert_eq!(of(""), Some(Scope::All));
    assert_eq!(of("shoppers"), Some(Scope::Scenario("shoppers".into())));
    assert_eq!(of("buy"), Some(Scope::Journey("buy".into())));
    assert_eq!(of("pay"), Some(pay()));
    let both = Scope::Step {
        journey: Some("buy".into()),
        step: "pay".into(),
    };
    assert_eq!(of("buy/pay"), Some(both));
    assert_eq!(of("browse/pay"), None);
}

#[test]
fn a_missing_tick_is_a_gap_whether_a_record_says_so_or_not() {
    let history = Recording::new(&[("steady", 60, 1.0)])
        .phase(0)
        .ticks(10)
        .skip(3)
        .ticks(5)
        .gap(4, "disk full")
        .ticks(5)
        .history();
    let gaps: Vec<_> = history
        .slots(1, 100, 1)
        .filter_map(|slot| match slot {
            Slot::Gap { from, to } => Some((from, to)),
            Slot::Seen(_) => None,
        })
        .collect();
    assert_eq!(gaps, [(11, 13), (19, 22)]);
    assert_eq!(history.slots(1, 100, 1).count(), 22);
    assert_eq!(history.missing(), 7);
    assert_eq!(history.gaps()[1].why, "disk full");
    let totals = history.totals(&Scope::All, &[0]);
    assert_eq!(
        (totals.ticks, totals.missing, totals.micros),
        (20, 7, 20 * SECOND)
    );
}

#[test]
fn a_gap_at_the_end_is_a_gap_too() {
    let history = Recording::new(&[("steady", 60, 1.0)])
        .phase(0)
        .ticks(10)
        .gap(5, "damaged")
        .history();
    let last = history.slots(1, 100, 1).last();
    assert_eq!(last, Some(Slot::Gap { from: 11, to: 15 }));
    let totals = history.totals(&Scope::All, &[0]);
    assert_eq!((totals.ticks, totals.missing), (10, 5));
}

#[test]
fn a_gap_between_two_phases_counts_to_both_and_once_in_all() {
    let history = Recording::new(&[("a", 10, 1.0), ("b", 10, 1.0)])
        .phase(0)
        .ticks(8)
        .skip(4)
        .phase(1)
        .ticks(8)
        .history();
    let missing = |phases: &[usize]| history.totals(&Scope::All, phases).missing;
    assert_eq!((missing(&[0]), missing(&[1])), (4, 4));
    assert_eq!((missing(&[0, 1]), missing(&[])), (4, 4));
}

#[test]
fn wide_cells_are_exact_sums_and_only_whole_missing_cells_are_gaps() {
    let history = Recording::new(&[("steady", 100, 1.0)])
        .phase(0)
        .ticks(13)
        .skip(30)
        .ticks(17)
        .history();
    let slots: Vec<_> = history.slots(1, 60, 10).collect();
    let seen: Vec<_> = slots
        .iter()
        .map(|slot| match slot {
            Slot::Seen(bucket) => (bucket.from, bucket.ticks),
            Slot::Gap { from, to } => (*from, 1_000 + to - from),
        })
        .collect();
    assert_eq!(seen, [(1, 10), (11, 3), (21, 1_019), (44, 7), (51, 10)]);
    let Slot::Seen(bucket) = &slots[0] else {
        panic!("{slots:?}")
    };
    let pay = bucket.steps.iter().find(|step| step.step == PAY).unwrap();
    let mut sum = hist([]);
    for _ in 0..10 {
        sum.merge(&step(PAY, 40, 8_000, 80_000).response);
    }
    assert_eq!(pay.response.unpack(), sum);
}

#[test]
fn cells_of_one_tick_are_borrowed() {
    let history = two_phases().history();
    assert!(
        history
            .slots(1, 90, 1)
            .all(|slot| matches!(slot, Slot::Seen(Cow::Borrowed(_))))
    );
}

#[test]
fn rolled_up_or_not_every_request_is_in_exactly_one_bucket() {
    let history = Recording::new(&[("soak", 20_000, 0.1)])
        .phase(0)
        .ticks(14_000)
        .skip(500)
        .ticks_with(1_500, |tick| fail(tick, PAY, ErrorKind::Timeout, None, 1))
        .history();
    let mut sum = Totals::default();
    for slot in history.slots(1, u64::MAX, 1) {
        if let Slot::Seen(bucket) = slot {
            sum.add_bucket(&bucket, &Selection::all());
        }
    }
    let exact = history.totals(&Scope::All, &[]);
    assert_eq!(sum.requests, exact.requests);
    for (found, right) in [(sum.response, exact.response), (sum.service, exact.service)] {
        assert_eq!(found.count(), right.count());
        for q in [0.5, 0.9, 0.99, 1.0] {
            let (found, right) = (found.quantile(q), right.quantile(q));
            assert!(
                found >= right && found - right <= right / 128,
                "{found} for {right}"
            );
        }
    }
    assert_eq!(sum.errors, exact.errors);
    assert_eq!(sum.classes, exact.classes);
    assert_eq!((sum.ticks, sum.due), (exact.ticks, exact.due));
    let depth = history.depth();
    assert!((900..=910).contains(&depth.ticks), "{depth:?}");
    assert!(depth.tens > 0 && depth.minutes > 0, "{depth:?}");
}

#[test]
fn a_day_takes_no_more_memory_than_its_levels_hold() {
    let mut history = History::new();
    let day = Recording::new(&[("soak", 86_400, 0.02)]);
    for mut record in day.records() {
        if let Record::Key(key) = &mut record {
            let more = key.names.steps[..3].to_vec();
            key.names.steps.extend(more);
        }
        history.apply(&record);
    }
    let Some(Record::Tick(tick)) = day.phase(0).ticks(1).records().pop() else {
        panic!("no tick")
    };
    let mut tick = tick;
    tick.steps = (0..8).map(|index| step(index, 3, 900, 90_000)).collect();
    for n in 1..=86_400 {
        (tick.n, tick.at) = (n, n * SECOND);
        history.apply(&Record::Tick(tick.clone()));
        let depth = history.depth();
        assert!(
            depth.ticks <= 910 && depth.tens <= 277 && depth.minutes <= 305,
            "{depth:?}"
        );
    }
    let totals = history.totals(&Scope::All, &[]);
    assert_eq!(totals.ticks, 86_400);
    assert_eq!(totals.requests, 86_400 * 24);
}

#[test]
fn past_two_days_the_coarsest_level_doubles_its_width_and_loses_nothing() {
    let mut history = History::new();
    let long = Recording::new(&[("soak", 400_000, 1.0)]);
    for record in long.records() {
        history.apply(&record);
    }
    // One tick a minute, so that a week is folded quickly.
    for minute in 0..10_080 {
        let n = minute * 60 + 1;
        history.apply(&Record::Tick(Box::new(Tick {
            n,
            at: n * SECOND,
            phase: Some(0),
            steps: vec![step(PAY, 2, 1_000, 2_000)],
            ..Tick::default()
        })));
    }
    let depth = history.depth();
    assert!(depth.long <= LONGEST, "{depth:?}");
    assert_eq!(depth.long_width, 960);
    let sum: u64 = history
        .slots(1, u64::MAX, 1)
        .filter_map(|slot| match slot {
            Slot::Seen(bucket) => Some(bucket.totals(&Selection::all()).requests),
            Slot::Gap { .. } => None,
        })
        .sum();
    assert_eq!(sum, 2 * 10_080);
}

#[test]
fn without_rollups_only_the_charts_forget() {
    let recording = Recording::new(&[("soak", 3_000, 0.1)])
        .phase(0)
        .ticks(3_000);
    let (full, mut lean) = (recording.history(), History::without_rollups());
    for record in recording.records() {
        lean.apply(&record);
    }
    assert_eq!(lean.depth().tens, 0);
    assert_eq!(lean.totals(&pay(), &[]), full.totals(&pay(), &[]));
}

#[test]
fn the_recent_past_slides_and_keeps_to_its_phases() {
    let history = two_phases().history();
    let recent = |seconds, phases: &[usize]| {
        history.recent(&Scope::All, Duration::from_secs(seconds), phases)
    };
    assert_eq!(recent(10, &[]).requests, 900 * 10);
    assert_eq!(recent(40, &[]).requests, 900 * 30 + 450 * 10);
    assert_eq!(recent(40, &[1]).requests, 900 * 30);
    assert_eq!(recent(10, &[0]).requests, 0);
    let gappy = two_phases().skip(4).ticks(2).history();
    let totals = gappy.recent(&Scope::All, Duration::from_secs(10), &[]);
    assert_eq!((totals.ticks, totals.missing), (6, 4));
}

#[test]
fn series_keep_their_extremes_through_the_rollups() {
    let recording = Recording::new(&[("soak", 2_000, 0.02)])
        .phase(0)
        .ticks(2_000);
    let mut history = History::new();
    for record in recording.records() {
        let record = match record {
            Record::Tick(mut tick) => {
                match tick.n {
                    5 => tick.series = vec![(0, Some(Number(100.0)))],
                    14 => tick.series = vec![(0, Some(Number(7.0)))],
                    15 => tick.series = vec![(0, Some(Number(50.0))), (9, None)],
                    _ => {}
                }
                Record::Tick(tick)
            }
            other => other,
        };
        history.apply(&record);
    }
    let ranges: Vec<_> = history
        .slots(1, 30, 10)
        .filter_map(|slot| match slot {
            Slot::Seen(bucket) => Some(bucket.series.get(0)),
            Slot::Gap { .. } => None,
        })
        .collect();
    let second = Range {
        min: 7.0,
        max: 100.0,
        last: Some(50.0),
    };
    assert_eq!(ranges[1], Some(second), "the value it came in with counts");
    assert_eq!(ranges[2], None, "it did not change");
    assert_eq!(history.series(0), Some(50.0));
    assert_eq!(history.ignored(), 1);
}

#[test]
fn the_generator_is_summed_over_the_window() {
    let history = two_phases().ticks_with(10, overload).history();
    let generator = history.generator();
    assert_eq!((generator.ticks, generator.bottleneck_ticks), (100, 10));
    assert_eq!(generator.late().count(), 90 * 4 + 10 * 2);
    assert!((generator.peak.worker_cpu - 0.99).abs() < 1e-9);
    let spike = history.phase(1).unwrap();
    assert_eq!(spike.bottleneck_ticks, 10);
    assert_eq!(spike.start, 60 * SECOND);
}

#[test]
fn what_finishes_in_the_drain_counts_to_its_phase_and_the_drain_is_not_its_time() {
    let over = Happening::Stop {
        reason: EndReason::Finished,
        text: "the schedule ran out".into(),
    };
    let recording = two_phases().event(over).ticks(10);
    let (before, after) = (two_phases().history(), recording.history());
    let of = |history: &History, phases: &[usize]| history.totals(&Scope::All, phases);
    let late = of(&after, &[]).requests - of(&before, &[]).requests;
    assert!(late > 0);
    assert_eq!(of(&after, &[1]).requests, of(&before, &[1]).requests + late);
    assert_eq!(of(&after, &[1]).micros, 30 * SECOND);
    let spike = after.phase(1).unwrap();
    assert_eq!((spike.end, spike.drained), (90 * SECOND, 10 * SECOND));
    assert_eq!(of(&after, &[0]), of(&before, &[0]));
    assert_eq!(of(&after, &[]).micros, 100 * SECOND, "the whole window");
}

#[test]
fn a_window_that_is_over_within_a_tick_leaves_its_phase_the_part_before() {
    let mut history = two_phases().history();
    let at = 90 * SECOND + SECOND / 4;
    history.apply(&Record::Event(Event {
        at,
        wall: at,
        by: None,
        what: Happening::Stop {
            reason: EndReason::Stopped,
            text: "enough".into(),
        },
    }));
    for n in [91, 92] {
        history.apply(&Record::Tick(Box::new(Tick {
            n,
            at: n * SECOND,
            phase: Some(1),
            ..Tick::default()
        })));
    }
    let spike = history.phase(1).unwrap();
    assert_eq!((spike.micros, spike.end), (30 * SECOND + SECOND / 4, at));
}

#[test]
fn what_makes_no_sense_is_left_out_and_counted() {
    let mut history = two_phases().history();
    let before = history.totals(&Scope::All, &[]);
    let odd = |change: &dyn Fn(&mut Tick)| {
        let mut tick = Tick {
            n: 91,
            at: 91 * SECOND,
            ..Tick::default()
        };
        change(&mut tick);
        Record::Tick(Box::new(tick))
    };
    history.apply(&odd(&|tick| tick.n = 0));
    history.apply(&odd(&|tick| tick.n = 7));
    history.apply(&odd(&|tick| tick.n = u64::MAX));
    history.apply(&Record::Gap(Gap {
        from: 9,
        to: 3,
        why: String::new(),
    }));
    history.apply(&Record::Gap(Gap {
        from: 0,
        to: u64::MAX,
        why: String::new(),
    }));
    history.apply(&odd(&|tick| {
        tick.phase = Some(77);
        tick.steps = vec![step(99, 5, 1, 2)];
    }));
    assert_eq!(history.ignored(), 7);
    let after = history.totals(&Scope::All, &[]);
    assert_eq!(after.requests, before.requests);
    assert_eq!(after.ticks, before.ticks + 1);
}

#[test]
fn the_first_sample_of_a_kind_and_the_slowest_requests_stay() {
    let mut history = two_phases().end(EndReason::Finished).history();
    for detail in ["first", "second"] {
        history.apply(&Record::Sample(Sample {
            at: 0,
            step: PAY,
            kind: ErrorKind::Timeout,
            status: None,
            detail: detail.into(),
            body: String::new(),
        }));
    }
    assert_eq!(
        history
            .samples()
            .map(|s| s.detail.as_str())
            .collect::<Vec<_>>(),
        ["first"]
    );
    assert_eq!(history.slowest().len(), SLOWEST);
    assert_eq!(history.end().unwrap().reason, EndReason::Finished);
}

#[test]
fn only_the_newest_events_are_kept_and_all_are_counted() {
    let mut recording = Recording::new(&[("steady", 1, 1.0)]);
    for number in 0..EVENTS + 5 {
        let text = number.to_string();
        recording = recording.event(Happening::Mark { text });
    }
    let history = recording.history();
    assert_eq!(history.events().len(), EVENTS);
    assert_eq!(history.events_seen(), EVENTS as u64 + 5);
}

proptest! {
    #[test]
    fn no_order_of_ticks_and_gaps_breaks_it(
        steps in prop::collection::vec((any::<bool>(), prop_oneof![0u64..3_000, any::<u64>()], any::<u64>(), 0usize..8), 1..60),
        width in 0u64..100,
    ) {
        let mut history = Recording::new(&[("a", 10, 1.0), ("b", 10, 1.0)]).history();
        for (gap, n, at, index) in steps {
            history.apply(&if gap {
                Record::Gap(Gap { from: n, to: at, why: String::new() })
            } else {
                Record::Tick(Box::new(Tick { n, at, phase: Some(index), steps: vec![step(index, 2, 5, 50)], ..Tick::default() }))
            });
            history.recent(&Scope::All, Duration::from_secs(20), &[0]);
        }
        let mut expected = 1;
        for slot in history.slots(0, u64::MAX, width) {
            let (from, to) = match slot {
                Slot::Seen(bucket) => (bucket.from, bucket.to),
                Slot::Gap { from, to } => (from, to),
            };
            prop_assert!(from >= expected && to >= from);
            expected = to.saturating_add(1);
        }
    }
}
