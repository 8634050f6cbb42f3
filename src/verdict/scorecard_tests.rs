#![allow(clippy::unwrap_used, reason = "test code")]

use super::{Judgement, Score, judge};
use crate::history::testing::{PAY, Recording, fail, proven_event};
use crate::session::hist::{Hist, index_of};
use crate::session::record::{
    Alert, AlertState, EndReason, ErrorKind, FaultPlan, FaultState, Happening, StepTick,
    TargetPlan, Tick,
};

/// A hundred requests, most of which take so long, and some so long, µs.
fn times(tick: &mut Tick, most: u64, some: (u64, u64)) {
    let times = [(index_of(most), 100 - some.1), (index_of(some.0), some.1)];
    tick.steps = vec![StepTick {
        step: 0,
        requests: 100,
        status: [(200, 100)].into(),
        response: Hist::from_buckets(times).unwrap(),
        ..StepTick::default()
    }];
}

fn window() -> Recording {
    let plan = |name: &str| FaultPlan {
        name: name.into(),
        recover_within_us: Some(30_000_000),
        ..FaultPlan::default()
    };
    Recording::new(&[("steady", 900, 1.0)])
        .window(|window| {
            window.faults = vec![plan("a"), plan("b")];
            window.targets = vec![TargetPlan {
                kind: "prometheus".into(),
                ..TargetPlan::default()
            }];
        })
        .phase(0)
}

fn broken(recording: Recording, fault: usize, change: impl Fn(&mut Tick)) -> Recording {
    recording
        .event(proven_event(fault, FaultState::Injecting))
        .event(proven_event(fault, FaultState::Active))
        .ticks_with(60, change)
        .event(proven_event(fault, FaultState::Recovering))
}

fn ended(recording: Recording) -> Judgement {
    judge(&recording.end(EndReason::Finished).history())
}

fn scored<'j>(judgement: &'j Judgement, fault: &str) -> &'j Score {
    let mut scores = judgement.scores.iter();
    scores.find(|score| score.fault == fault).unwrap()
}

#[test]
fn slowness_is_compared_with_what_was_before_any_fault() {
    let normal = |tick: &mut Tick| times(tick, 10_000, (20_000, 2));
    let recording = window().ticks_with(100, normal);
    let recording = broken(recording, 0, |tick| times(tick, 10_000, (500_000, 2)));
    let recording = recording.ticks_with(40, normal);
    let recording = broken(recording, 1, |tick| times(tick, 10_000, (410_000, 2)));
    let judgement = ended(recording.ticks_with(60, normal));
    let points = &scored(&judgement, "b").points[1];
    assert!(points.points.unwrap() < 20, "{points:?}");
    assert!(points.reason.contains("20"), "{points:?}");
}

#[test]
fn a_limit_is_compared_with_the_quantile_that_it_is_for() {
    let normal = |tick: &mut Tick| times(tick, 10_000, (20_000, 2));
    let recording = window()
        .gate("fast", "", "p95 < 100ms", &[])
        .ticks_with(100, normal);
    let recording = broken(recording, 0, |tick| times(tick, 80_000, (150_000, 3)));
    let judgement = ended(recording.ticks_with(60, normal));
    let points = &scored(&judgement, "a").points[1];
    assert_eq!(points.points, Some(100), "{points:?}");
    assert!(points.reason.starts_with("p95 was 8"), "{points:?}");
}

#[test]
fn what_is_not_known_of_one_time_does_not_hide_what_is_known_of_another() {
    let down = |tick: &mut Tick| fail(tick, PAY, ErrorKind::Status5xx, Some(503), 36);
    let recording = broken(window().ticks(150), 0, down).ticks_with(100, down);
    let once = ended(recording.clone());
    assert_eq!(scored(&once, "a").points[2].points, Some(0));
    // The second time is cut short, be it that the first was never over or that it took too long.
    for (well, points, most) in [(0, Some(0), 70), (200, None, 80)] {
        let recording = recording.clone().ticks(well);
        let twice = ended(broken(recording, 0, down).ticks(2));
        let score = scored(&twice, "a");
        assert_eq!(score.injections, 2);
        assert_eq!(score.points[2].points, points, "{:?}", score.points[2]);
        assert!(score.most <= most, "{}", score.total());
    }
}

#[test]
fn an_alert_that_fires_while_the_fault_is_there_is_in_time_though_ticks_are_missing() {
    let alert = Happening::Alert(Box::new(Alert {
        name: "Down".into(),
        labels: String::new(),
        from: "prom".into(),
        state: AlertState::Firing,
        since: None,
    }));
    let down = |tick: &mut Tick| fail(tick, PAY, ErrorKind::Status5xx, Some(503), 36);
    let recording = window()
        .ticks(150)
        .event(proven_event(0, FaultState::Injecting))
        .event(proven_event(0, FaultState::Active))
        .ticks_with(5, down)
        .gap(30, "the disk was full")
        .ticks_with(5, down)
        .event(alert)
        .ticks_with(20, down)
        .event(proven_event(0, FaultState::Recovering))
        .ticks(60);
    let judgement = ended(recording);
    let points = &scored(&judgement, "a").points[3];
    assert_eq!(points.points, Some(100), "{points:?}");
}
