#![allow(clippy::unwrap_used, reason = "test code")]

use super::*;
use crate::history::testing::{Recording, SECOND, fault_event, proven_event};
use crate::session::record::{EndReason, FaultPlan, FaultState, Happening};
use crate::verdict::{Judgement, judge, so_far};

const NAMES: [&str; 4] = ["kill primary", "slow database", "both", "partition"];

/// A window that begins with a minute and a half of calm.
fn window() -> Recording {
    Recording::new(&[("steady", 600, 1.0)])
        .window(|window| {
            let plan = |name: &str| FaultPlan {
                name: name.into(),
                ..FaultPlan::default()
            };
            window.faults = NAMES.map(plan).into();
            window.faults[2].members = vec![0, 1];
        })
        .gate("most is answered", "", "errors < 50%", &[])
        .phase(0)
        .ticks(90)
}

/// In place for 20 s, and back 10 s later.
fn broken(recording: Recording, fault: usize) -> Recording {
    recording
        .event(proven_event(fault, FaultState::Injecting))
        .event(proven_event(fault, FaultState::Active))
        .ticks(20)
        .event(proven_event(fault, FaultState::Reverting))
        .event(proven_event(fault, FaultState::Recovering))
        .ticks(10)
        .event(proven_event(fault, FaultState::Recovered))
}

/// Seconds with so many lost and so many duplicated writes.
fn ledger(moments: &[(u64, u64, u64)]) -> Ledger {
    let by_time = moments.iter().map(|&(second, lost, duplicated)| Missing {
        at: second * SECOND,
        lost,
        duplicated,
    });
    Ledger {
        name: "orders".into(),
        sent: 1_000,
        acknowledged: 900,
        looked_at: Some(900),
        lost: moments.iter().map(|it| it.1).sum(),
        duplicated: moments.iter().map(|it| it.2).sum(),
        step_us: SECOND,
        by_time: by_time.collect(),
        ..Ledger::default()
    }
}

fn read_back(recording: Recording, ledger: Ledger) -> History {
    let read_back = Happening::Ledger(Box::new(ledger));
    let recording = recording.event(read_back).end(EndReason::Finished);
    recording.history()
}

/// Which injections lose writes that are acknowledged in these seconds; 0 for none.
fn whose<const N: usize>(recording: &Recording, seconds: [u64; N]) -> [u64; N] {
    seconds.map(|second| {
        let ledger = ledger(&[(second, 1, 0)]);
        let found = attribute(&read_back(recording.clone(), ledger));
        let numbers: Vec<u64> = found.by_injection.keys().copied().collect();
        assert_eq!(numbers.len() + found.nobody.len(), 1);
        numbers.first().copied().unwrap_or(0)
    })
}

fn says(judgement: &Judgement, words: &str) -> bool {
    judgement.findings.iter().any(|found| found == words)
}

#[test]
fn a_lost_write_belongs_to_the_injection_that_it_was_acknowledged_in_or_a_minute_before() {
    // In at 90, out at 110, back at 120.
    let one = broken(window(), 0).ticks(200);
    let found = whose(&one, [0, 28, 29, 89, 90, 115, 120, 180, 181, 300]);
    assert_eq!(found, [0, 0, 1, 1, 1, 1, 1, 1, 0, 0]);
}

#[test]
fn one_that_was_never_in_place_loses_nothing() {
    // The second is refused while the first is on.
    let refused = window()
        .event(proven_event(0, FaultState::Injecting))
        .event(proven_event(0, FaultState::Active))
        .ticks(10)
        .event(fault_event(3, FaultState::Injecting))
        .event(fault_event(3, FaultState::Failed))
        .ticks(10)
        .event(proven_event(0, FaultState::Recovering))
        .ticks(10);
    assert_eq!(whose(&refused, [80, 95, 105]), [1, 1, 1]);
}

#[test]
fn of_two_injections_the_one_that_is_going_on_goes_before_the_one_to_come_and_that_before_the_one_that_is_over()
 {
    // The second goes in at 150, half a minute after the system was back from the first.
    let two = broken(broken(window(), 0).ticks(30), 3).ticks(100);
    assert_eq!(
        whose(&two, [80, 100, 119, 121, 149, 150, 200, 241]),
        [1, 1, 1, 2, 2, 2, 2, 0]
    );
    // The first is still in place when the second goes in at 100.
    let both = broken(
        window()
            .event(proven_event(0, FaultState::Injecting))
            .event(proven_event(0, FaultState::Active))
            .ticks(10),
        3,
    )
    .ticks(200);
    assert_eq!(
        whose(&both, [85, 95, 100, 129, 135, 250]),
        [1, 1, 2, 2, 1, 1]
    );
}

#[test]
fn what_is_lost_while_a_group_is_in_place_is_the_groups() {
    let group = window()
        .event(proven_event(2, FaultState::Injecting))
        .event(proven_event(0, FaultState::Injecting))
        .event(proven_event(0, FaultState::Active))
        .ticks(5)
        .event(proven_event(1, FaultState::Injecting))
        .event(proven_event(1, FaultState::Active))
        .event(proven_event(2, FaultState::Active))
        .ticks(10);
    assert_eq!(whose(&group, [60, 91, 97]), [1, 1, 1]);
}

#[test]
fn the_recovery_point_reaches_from_the_first_lost_write_to_the_injection_or_the_last_lost_write() {
    let point = |moments: &[(u64, u64, u64)], step_us| {
        let ledger = Ledger {
            step_us,
            ..ledger(moments)
        };
        let found = attribute(&read_back(broken(window(), 0), ledger));
        assert_eq!(found.nobody, []);
        found.of(1)[0]
            .point
            .map(|point| (point.least / SECOND, point.most / SECOND))
    };
    assert_eq!(point(&[(86, 7, 0), (88, 5, 0)], SECOND), Some((3, 4)));
    assert_eq!(point(&[(86, 7, 0), (95, 5, 0)], SECOND), Some((8, 10)));
    assert_eq!(point(&[(92, 1, 0), (95, 0, 9)], SECOND), Some((0, 1)));
    assert_eq!(
        point(&[(80, 1, 0), (100, 9, 0)], 4 * SECOND),
        Some((16, 24))
    );
    assert_eq!(point(&[(80, 0, 1)], SECOND), None);
}

#[test]
fn findings_name_the_fault_and_what_belongs_to_none() {
    let moments = [(5, 1, 0), (86, 7, 0), (88, 5, 1), (299, 0, 2)];
    let recording = broken(window(), 0).ticks(200);
    let history = read_back(recording.clone(), ledger(&moments));
    let judgement = judge(&history);
    for words in [
        "orders: 13 of 900 acknowledged writes were lost",
        "orders: 3 writes are there more than once",
        "orders: 12 acknowledged writes were lost around kill primary, a recovery point of 3s to 4s",
        "orders: 1 write around kill primary is there more than once",
        "orders: 1 acknowledged write was lost near no fault",
        "orders: 2 writes near no fault are there more than once",
    ] {
        assert!(says(&judgement, words), "{words}: {:?}", judgement.findings);
    }
    assert_eq!(judgement.verdict, Verdict::NoGo);
    let [outcome] = &judgement.faults[..] else {
        panic!("{:?}", judgement.faults);
    };
    assert_eq!(
        (outcome.losses[0].lost, outcome.losses[0].duplicated),
        (12, 1)
    );
    assert_eq!(outcome.effective, Some(true), "a lost write is an effect");
    let back = &judgement.scores[0].points[2];
    assert_eq!((back.of, back.points), ("recovery", Some(0)));
    let words = "; orders: 12 acknowledged writes lost, recovery point 3s to 4s, 1 write there more than once";
    assert!(back.reason.ends_with(words), "{}", back.reason);
    let running = recording.event(Happening::Ledger(Box::new(ledger(&moments))));
    let now = so_far(&running.history());
    assert!(says(
        &now,
        "orders: 1 acknowledged write was lost near no fault"
    ));
}

#[test]
fn what_was_not_all_looked_at_may_be_more_and_has_an_honest_denominator() {
    let part = Ledger {
        sampled: true,
        looked_at: Some(300),
        ..ledger(&[(86, 1, 0)])
    };
    let judgement = judge(&read_back(broken(window(), 0), part));
    for words in [
        "orders: 1 of 300 acknowledged writes that were looked at were lost, and 900 were acknowledged",
        "orders: 1 or more acknowledged writes were lost around kill primary, a recovery point of 3s to 4s or more",
    ] {
        assert!(says(&judgement, words), "{words}: {:?}", judgement.findings);
    }
}

#[test]
fn nothing_is_blamed_on_anybody_without_injections_or_without_times() {
    let without = read_back(window(), ledger(&[(5, 1, 1)]));
    assert_eq!(attribute(&without), Attributed::default());
    let old = Ledger {
        name: "orders".into(),
        acknowledged: 90,
        lost: 3,
        lost_between: Some((91 * SECOND, 92 * SECOND)),
        ..Ledger::default()
    };
    let history = read_back(broken(window(), 0), old);
    assert_eq!(attribute(&history), Attributed::default());
    assert!(says(
        &judge(&history),
        "orders: 3 of 90 acknowledged writes were lost"
    ));
}
