#![allow(clippy::unwrap_used, reason = "test code")]

use super::*;
use crate::history::History;
use crate::history::testing::{PAY, Recording, SECOND, fail, fault_event};
use crate::session::record::{ErrorKind, FaultPlan, Missing, Record, Tick};

fn window() -> Recording {
    Recording::new(&[("steady", 600, 1.0)])
        .window(|window| {
            let fault = |name: &str| FaultPlan {
                name: name.into(),
                ..FaultPlan::default()
            };
            window.faults = vec![fault("slow database"), fault("kill primary")];
        })
        .phase(0)
}

fn state(fault: usize, state: FaultState) -> Happening {
    fault_event(fault, state)
}

fn alert(name: &str, state: AlertState) -> Happening {
    Happening::Alert(Box::new(Alert {
        name: name.into(),
        labels: String::new(),
        from: "prom".into(),
        state,
        since: None,
    }))
}

fn broken(tick: &mut Tick) {
    fail(tick, PAY, ErrorKind::Status5xx, Some(503), 20);
}

fn once() -> Recording {
    window()
        .ticks(200)
        .event(Happening::Undo {
            fault: 0,
            way: "{}".into(),
        })
        .event(state(0, FaultState::Injecting))
        .event(state(0, FaultState::Active))
        .ticks_with(30, broken)
        .event(state(0, FaultState::Reverting))
        .event(state(0, FaultState::Recovering))
        .ticks(40)
        .event(state(0, FaultState::Recovered))
}

#[test]
fn an_injection_has_its_moments_its_way_back_and_the_two_minutes_before_it() {
    let history = once().ticks(100).history();
    let injection = history.injection(0).unwrap();
    let moments = (
        injection.injecting / SECOND,
        injection.active.unwrap() / SECOND,
        injection.cleared.unwrap() / SECOND,
        injection.recovered.unwrap() / SECOND,
    );
    assert_eq!(moments, (200, 200, 230, 270));
    assert_eq!(injection.way.as_deref(), Some("{}"));
    assert!(injection.was_done() && !injection.is_outstanding());
    let picture = &injection.picture;
    assert_eq!(picture.baseline().len(), 120);
    assert_eq!(picture.baseline()[0].from, 81);
    let failed: u64 = picture.since().iter().map(|cell| cell.failed()).sum();
    assert_eq!(failed, 600);
    assert_eq!(picture.since()[0].classes[5], 20);
    // Watched for a minute more, and then no longer.
    assert_eq!(picture.since().len(), 70 + 60);
    assert!(injection.closed.is_some());
}

#[test]
fn the_same_records_give_the_same_whether_they_are_kept_as_charts_or_not() {
    let records = once().ticks(10).records();
    let mut lean = History::without_rollups();
    for record in &records {
        lean.apply(record);
    }
    let full = once().ticks(10).history();
    assert_eq!(lean.injections(), full.injections());
}

#[test]
fn one_that_could_not_be_done_is_told_from_one_that_could_not_be_undone() {
    let not_done = window()
        .event(state(0, FaultState::Injecting))
        .event(state(0, FaultState::Failed))
        .history();
    let injection = not_done.injection(0).unwrap();
    assert!(!injection.was_done() && !injection.is_outstanding());
    let not_undone = window()
        .event(state(0, FaultState::Injecting))
        .event(state(0, FaultState::Active))
        .event(state(0, FaultState::Reverting))
        .event(state(0, FaultState::Failed));
    let history = not_undone.history();
    let injection = history.injection(0).unwrap();
    assert!(injection.failed.as_ref().unwrap().undoing);
    assert!(injection.is_outstanding());
    let later = not_undone
        .event(state(0, FaultState::Reverting))
        .event(state(0, FaultState::Recovering));
    let history = later.history();
    let injection = history.injection(0).unwrap();
    assert!(injection.failed.is_none() && !injection.is_outstanding());
    assert_eq!(history.injections_seen(), 1);
}

fn failed(in_place: bool) -> Happening {
    let mut event = state(0, FaultState::Failed);
    if let Happening::Fault { in_place: it, .. } = &mut event {
        *it = in_place;
    }
    event
}

#[test]
fn whether_a_failed_one_is_in_place_is_what_the_record_says() {
    let half_done = window()
        .event(state(0, FaultState::Injecting))
        .event(failed(true));
    let history = half_done.history();
    let injection = history.injection(0).unwrap();
    assert!(injection.was_done() && injection.is_outstanding());
    let called_back = window()
        .event(state(0, FaultState::Injecting))
        .event(state(0, FaultState::Reverting))
        .event(failed(false));
    let history = called_back.history();
    let injection = history.injection(0).unwrap();
    assert!(!injection.was_done() && !injection.is_outstanding());
    let gone = window()
        .event(state(0, FaultState::Injecting))
        .event(state(0, FaultState::Active))
        .ticks(5)
        .event(failed(false));
    let history = gone.history();
    let injection = history.injection(0).unwrap();
    assert!(injection.was_done() && !injection.is_outstanding());
    assert_eq!(injection.cleared, Some(5 * SECOND));
}

#[test]
fn one_that_was_called_back_before_anything_was_done_was_never_there() {
    let undo = |way: &str| Happening::Undo {
        fault: 0,
        way: way.into(),
    };
    let called_back = window()
        .event(state(0, FaultState::Injecting))
        .event(state(0, FaultState::Reverting));
    let history = called_back.history();
    assert!(history.injection(0).unwrap().is_outstanding());
    let called_back = called_back.event(state(0, FaultState::Armed));
    let history = called_back.clone().ticks(70).history();
    let injection = history.injection(0).unwrap();
    assert!(!injection.was_done() && !injection.is_outstanding());
    assert_eq!(injection.cleared, None);
    assert!(injection.closed.is_some());
    // The way back of the next one is not its own.
    let again = called_back
        .event(undo("{}"))
        .event(state(0, FaultState::Injecting))
        .history();
    assert_eq!(again.injections()[0].way, None);
    assert_eq!(again.injections()[1].way.as_deref(), Some("{}"));
}

#[test]
fn alerts_that_were_there_are_told_from_those_that_came() {
    let history = window()
        .event(alert("Old", AlertState::Firing))
        .event(alert("Soon", AlertState::Pending))
        .ticks(10)
        .event(state(0, FaultState::Injecting))
        .event(state(0, FaultState::Active))
        .ticks(5)
        .event(alert("Soon", AlertState::Firing))
        .event(alert("Muted", AlertState::Silenced))
        .event(alert("Old", AlertState::Resolved))
        .history();
    let alerts = &history.injection(0).unwrap().alerts;
    let told: Vec<_> = alerts
        .iter()
        .map(|fired| (fired.alert.name.as_str(), fired.before, fired.resolved))
        .collect();
    assert_eq!(
        told,
        [
            ("Old", true, Some(15 * SECOND)),
            ("Soon", false, None),
            ("Muted", false, None)
        ]
    );
}

#[test]
fn an_alert_that_fires_anew_between_two_looks_is_another_one() {
    let since = |second: u64| {
        let mut event = alert("Down", AlertState::Firing);
        if let Happening::Alert(alert) = &mut event {
            alert.since = Some(second * SECOND);
        }
        event
    };
    let history = window()
        .event(since(2))
        .ticks(10)
        .event(state(0, FaultState::Injecting))
        .event(state(0, FaultState::Active))
        .ticks(5)
        .event(since(14))
        .event(since(14))
        .history();
    let alerts = &history.injection(0).unwrap().alerts;
    let told: Vec<_> = alerts.iter().map(|it| (it.before, it.resolved)).collect();
    assert_eq!(told, [(true, Some(14 * SECOND)), (false, None)]);
}

#[test]
fn a_fault_that_stays_for_hours_keeps_its_beginning_and_its_end_to_the_second_and_every_sum() {
    let history = window()
        .ticks(150)
        .event(state(0, FaultState::Injecting))
        .event(state(0, FaultState::Active))
        .ticks_with(2_400, broken)
        .event(state(0, FaultState::Recovering))
        .ticks(30)
        .history();
    let picture = &history.injection(0).unwrap().picture;
    assert!(picture.cells().len() <= CELLS);
    assert_eq!(picture.baseline().len(), 120);
    let failed: u64 = picture.since().iter().map(|cell| cell.failed()).sum();
    assert_eq!(failed, 20 * 2_400);
    assert!(picture.coarsest() > SECOND);
    let whole = |cell: &Arc<Cell>| cell.micros == SECOND;
    assert!(picture.since().iter().rev().take(200).all(whole));
    assert!(picture.since().iter().take(300).all(whole));
}

#[test]
fn ticks_shorter_than_a_second_make_cells_of_a_second() {
    let history = window()
        .window(|window| window.tick_us = SECOND / 10)
        .ticks(600)
        .event(state(0, FaultState::Injecting))
        .event(state(0, FaultState::Active))
        .ticks_with(200, broken)
        .history();
    let picture = &history.injection(0).unwrap().picture;
    assert_eq!((picture.baseline().len(), picture.since().len()), (60, 20));
    let second = |cell: &Arc<Cell>| cell.micros == SECOND && cell.at.is_multiple_of(SECOND);
    assert!(picture.cells().iter().all(second));
    assert!(picture.since().iter().all(|cell| cell.failed() == 200));
}

#[test]
fn no_column_of_a_whole_picture_is_empty() {
    let history = window()
        .ticks(60)
        .event(state(0, FaultState::Injecting))
        .ticks(60)
        .history();
    let picture = &history.injection(0).unwrap().picture;
    for (until, most, expected) in [
        (98_020_000, 200, 78),
        (98_020_000, 40, 40),
        (21_700_000, 9, 1),
    ] {
        let columns = picture.columns(20 * SECOND, until, most);
        assert_eq!(columns.len(), expected);
        assert!(columns.iter().all(Option::is_some), "{until} in {most}");
    }
}

/// One more injection of the second fault than are kept, and nineteen more.
fn often(mut recording: Recording) -> Recording {
    for _ in 0..INJECTIONS + 20 {
        recording = recording
            .event(state(1, FaultState::Injecting))
            .event(state(1, FaultState::Active))
            .ticks(1)
            .event(state(1, FaultState::Recovering))
            .event(state(1, FaultState::Armed));
    }
    recording
}

#[test]
fn one_that_may_still_be_in_place_is_never_forgotten() {
    let stuck = window()
        .event(state(0, FaultState::Injecting))
        .event(state(0, FaultState::Active));
    let history = often(stuck).ticks(5).history();
    assert_eq!(history.injections().len(), INJECTIONS);
    let stuck = history.injection(0).unwrap();
    assert!(stuck.is_outstanding());
    assert_eq!(stuck.picture.since().len(), INJECTIONS + 25);
    let others = history.injections().iter().skip(1).map(|it| it.number);
    assert!(others.eq(23..=INJECTIONS as u64 + 21));
}

#[test]
fn only_the_newest_injections_are_kept_and_all_are_counted() {
    let history = often(window().ticks(5)).history();
    assert_eq!(history.injections().len(), INJECTIONS);
    assert_eq!(history.injections_seen(), INJECTIONS as u64 + 20);
    let first = &history.injections()[0];
    assert_eq!((first.number, first.closed.is_some()), (21, true));
}

#[test]
fn what_is_said_is_kept_within_bounds() {
    let mut recording = window()
        .event(state(0, FaultState::Injecting))
        .event(state(0, FaultState::Active));
    for _ in 0..20 {
        recording = recording.event(Happening::Output {
            fault: 0,
            text: "x".repeat(1_000),
        });
    }
    let history = recording.history();
    let injection = history.injection(0).unwrap();
    let kept: usize = injection.output.iter().map(String::len).sum();
    assert_eq!((kept, injection.output_cut), (8_000, 12_000));
}

#[test]
fn what_finishes_after_the_end_is_not_held_against_the_system() {
    let history = once()
        .event(Happening::Stop {
            reason: crate::session::record::EndReason::Finished,
            text: String::new(),
        })
        .ticks_with(3, broken)
        .history();
    let last = &history.injection(0).unwrap().picture;
    assert_eq!(last.since().len(), 70);
}

#[test]
fn what_another_history_saw_better_can_be_taken_over() {
    let full = once().ticks(100).history();
    let mut sums = History::new();
    for record in once().records() {
        match record {
            Record::Tick(tick) if tick.n < 250 => sums.injections.coarse(1, tick.at),
            record => sums.apply(&record),
        }
    }
    assert!(sums.injection(0).unwrap().picture.unseen > 0);
    sums.adopt(full.injection(0).unwrap());
    let (got, want) = (sums.injection(0).unwrap(), full.injection(0).unwrap());
    assert_eq!(got.picture.baseline(), want.picture.baseline());
    assert_eq!(got.picture.since(), &want.picture.since()[..70]);
}

#[test]
fn a_write_is_near_from_a_minute_before_an_injection_to_a_minute_after_the_system_was_back() {
    let near = |recording: Recording| {
        let (from, until) = recording.history().injection(0).unwrap().near();
        (from / SECOND, until / SECOND)
    };
    assert_eq!(near(once()), (140, 330));
    let forever = u64::MAX / SECOND;
    let begun = window().ticks(30).event(state(0, FaultState::Injecting));
    assert_eq!(near(begun.clone()), (0, forever));
    let active = begun.event(state(0, FaultState::Active)).ticks(10);
    assert_eq!(near(active.clone()), (0, forever));
    let cleared = active.event(state(0, FaultState::Recovering));
    assert_eq!(near(cleared), (0, 40 + WATCHED_US / SECOND));
}

#[test]
fn a_ledger_of_an_earlier_version_is_read_and_a_later_one_keeps_no_more_moments_than_are_written() {
    let old = r#"{"what":"ledger","name":"orders","sent":10,"acknowledged":9,"lost":1,"duplicated":0,"surplus":0,"unknown":0,"lost_between":[5,5]}"#;
    let read: Happening = serde_json::from_str(old).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), old);
    let Happening::Ledger(mut ledger) = read else {
        panic!("{read:?}");
    };
    assert_eq!((ledger.looked_at, ledger.by_time.len()), (None, 0));
    ledger.by_time = vec![Missing::default(); 3 * Ledger::MOMENTS];
    let history = window().event(Happening::Ledger(ledger)).history();
    let kept = history.ledgers().next().unwrap();
    assert_eq!(kept.by_time.len(), Ledger::MOMENTS);
}
