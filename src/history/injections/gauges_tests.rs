#![allow(clippy::unwrap_used, reason = "test code")]

use super::gauges::{BEFORE, SERIES, SINCE, Sample};
use super::{Gauges, Injection};
use crate::history::History;
use crate::history::testing::{Recording, SECOND, fault_event};
use crate::session::record::{
    FaultPlan, FaultState, Happening, Instance, Key, Names, Number, Record, Tick,
};

fn state(state: FaultState) -> Happening {
    fault_event(0, state)
}

fn window() -> Recording {
    let fault = FaultPlan {
        name: "burn".into(),
        ..FaultPlan::default()
    };
    Recording::new(&[("steady", 900, 1.0)])
        .window(|window| window.faults = vec![fault])
        .phase(0)
}

/// The first series goes up by one a tick, the second changes once.
fn counting(tick: &mut Tick) {
    tick.series = vec![(0, Some(Number(tick.n as f64)))];
    if tick.n == 10 {
        tick.series.push((1, Some(Number(7.0))));
    }
}

fn once(before: u64, during: u64) -> Recording {
    window()
        .ticks_with(before, counting)
        .event(state(FaultState::Injecting))
        .ticks_with(1, counting)
        .event(state(FaultState::Active))
        .ticks_with(during, counting)
        .event(state(FaultState::Reverting))
        .event(state(FaultState::Recovering))
        .ticks_with(40, counting)
}

fn numbers(gauges: &Gauges, place: usize) -> (Vec<Option<f64>>, Vec<Option<f64>>) {
    let (before, since) = gauges.values(&gauges.courses[place], (0, u64::MAX));
    let told = |samples: &[Sample]| samples.iter().map(|it| it.number()).collect();
    (told(before), told(since))
}

fn injection(history: &History) -> &Injection {
    history.injection(0).unwrap()
}

#[test]
fn the_two_minutes_before_are_kept_and_the_first_minute_while_it_is_in_place() {
    let history = once(200, 90).history();
    let gauges = &injection(&history).gauges;
    let series: Vec<usize> = gauges.courses.iter().map(|course| course.series).collect();
    assert_eq!(series, [0, 1]);
    let counted = |from: u64, count: usize| -> Vec<Option<f64>> {
        let ends = (from..).take(count);
        ends.map(|n| Some(n as f64)).collect()
    };
    // What happens on the way in belongs to neither.
    assert_eq!(
        numbers(gauges, 0),
        (counted(81, BEFORE), counted(202, SINCE))
    );
    // Long unchanged, it is what it was.
    assert_eq!(
        numbers(gauges, 1),
        (vec![Some(7.0); BEFORE], vec![Some(7.0); SINCE])
    );
    let (before, since) = gauges.values(&gauges.courses[0], (190 * SECOND, 210 * SECOND));
    assert_eq!((before.len(), since.len()), (10, 9));
}

#[test]
fn nothing_is_taken_once_it_is_on_its_way_out() {
    let history = once(8, 5).history();
    let gauges = &injection(&history).gauges;
    assert_eq!(numbers(gauges, 0).1.len(), 5);
    // The second began to be with the tick after the fault came: it is none of those that are looked at.
    assert_eq!(gauges.courses.len(), 1);
    let early = once(12, 5).history();
    let (before, _) = numbers(&injection(&early).gauges, 1);
    assert_eq!(before[..9], [None; 9]);
    assert_eq!(before[9..], [Some(7.0); 3]);
}

#[test]
fn a_change_of_the_load_ends_what_is_compared() {
    let twice = |tick: &mut Tick| {
        counting(tick);
        tick.scenarios[0].asked *= 2.0;
    };
    let history = window()
        .ticks_with(100, twice)
        .ticks_with(20, counting)
        .event(state(FaultState::Injecting))
        .event(state(FaultState::Active))
        .ticks_with(10, counting)
        .ticks_with(5, twice)
        .ticks_with(20, counting)
        .history();
    let (before, since) = numbers(&injection(&history).gauges, 0);
    assert_eq!((before.len(), since.len()), (20, 10));
}

#[test]
fn a_tick_that_does_not_say_what_was_asked_ends_nothing() {
    let late = |tick: &mut Tick| {
        counting(tick);
        if tick.n.is_multiple_of(5) {
            tick.scenarios.clear();
        }
    };
    let history = window()
        .ticks_with(20, late)
        .event(state(FaultState::Injecting))
        .event(state(FaultState::Active))
        .ticks_with(10, late)
        .history();
    let (before, since) = numbers(&injection(&history).gauges, 0);
    assert_eq!((before.len(), since.len()), (20, 10));
}

#[test]
fn what_has_no_value_is_told_from_what_is_no_number() {
    assert!(Sample::of(None).is_gone());
    for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
        assert!(!Sample::of(Some(odd)).is_gone());
        assert_eq!(Sample::of(Some(odd)).number(), None);
    }
    assert_eq!(Sample::of(Some(0.5)).number(), Some(0.5));
}

/// So many series of gauges, one of a target, and one that says whether it answers.
fn many(count: usize) -> History {
    let mut series: Vec<String> = (0..count).map(|it| format!("g{it}")).collect();
    series.push(r#"x_total{job="a"}"#.into());
    series.push(r#"up{job="a"}"#.into());
    let mut scraped = vec![None; count];
    scraped.extend([Some(0), Some(0)]);
    let values = vec![Some(Number(1.0)); series.len()];
    let mut records = window()
        .ticks(5)
        .event(state(FaultState::Injecting))
        .records();
    let Record::Key(key) = &mut records[0] else {
        unreachable!("the first record is a key")
    };
    *key = Key {
        names: Names {
            series,
            scraped,
            instances: vec![Instance::default()],
            ..key.names.clone()
        },
        series: values,
        ..key.clone()
    };
    let mut history = History::without_rollups();
    for record in records {
        history.apply(&record);
    }
    history
}

#[test]
fn so_many_series_are_kept_that_of_a_target_among_them_and_the_rest_is_counted() {
    let history = many(3);
    let gauges = &injection(&history).gauges;
    let series: Vec<usize> = gauges.courses.iter().map(|it| it.series).collect();
    // Of what is scraped, only whether the target answers.
    assert_eq!((series, gauges.left_out), (vec![0, 1, 2, 4], 0));
    let history = many(SERIES + 6);
    let gauges = &injection(&history).gauges;
    assert_eq!((gauges.courses.len(), gauges.left_out), (SERIES, 7));
    assert_eq!(gauges.courses.last().unwrap().series, SERIES + 7);
}

#[test]
fn what_another_history_saw_better_can_be_taken_over_as_far_as_this_one_goes() {
    let full = once(200, 30).history();
    let mut sums = History::new();
    for record in once(200, 30).records() {
        match record {
            Record::Tick(tick) if tick.n < 220 => sums.injections.coarse(1, tick.at),
            Record::Tick(tick) if tick.n > 225 => {}
            record => sums.apply(&record),
        }
    }
    assert!(injection(&sums).gauges.courses.is_empty());
    sums.adopt(injection(&full));
    let (before, since) = numbers(&injection(&sums).gauges, 0);
    assert_eq!((before.len(), since.len()), (BEFORE, 24));
}
