//! Faults beside each other: groups, one after another, one over another, and one with nothing before it.

use super::*;

/// A fault in a state.
fn enter(fault: usize, state: FaultState) -> Happening {
    Happening::Fault {
        fault,
        state,
        text: String::new(),
        forced: false,
        in_place: false,
        proven: false,
        until: None,
    }
}

fn plan(name: &str, members: &[usize]) -> FaultPlan {
    FaultPlan {
        name: name.into(),
        members: members.to_vec(),
        ..FaultPlan::default()
    }
}

/// A system with the traffic of which windows are made up, and the faults that may be done to it.
fn window(system: &System, faults: Vec<FaultPlan>, seconds: u64) -> Recording {
    Recording::new(&[("steady", 900, 1.0)])
        .window(|window| window.faults = faults)
        .phase(0)
        .ticks_with(seconds, |tick| system.tick(tick))
}

fn put_in(recording: Recording, fault: usize) -> Recording {
    recording
        .event(enter(fault, FaultState::Injecting))
        .event(enter(fault, FaultState::Active))
}

fn measured(history: &History, fault: usize) -> Assessment {
    let injection = history.injection(fault).unwrap();
    let measured = assess(history, injection);
    assert_eq!(recovery(history, injection), measured.recovery);
    measured
}

#[test]
fn a_member_of_a_group_is_compared_with_what_was_before_the_group() {
    let system = System {
        rate: 100.0,
        seed: 1,
        at: |second| (0.0, if second > ON { 5_000_000 } else { 20_000 }),
    };
    let faults = vec![plan("storm", &[1, 2]), plan("slow", &[]), plan("lost", &[])];
    let recording = window(&system, faults, ON).event(enter(0, FaultState::Injecting));
    let recording = put_in(put_in(recording, 1), 2)
        .event(enter(0, FaultState::Active))
        .ticks_with(OFF - ON, |tick| system.tick(tick))
        .event(enter(1, FaultState::Recovering))
        .event(enter(2, FaultState::Recovering))
        .event(enter(0, FaultState::Recovering))
        .ticks_with(180, |tick| system.tick(tick));
    let history = recording.end(EndReason::Finished).history();
    for fault in 0..3 {
        let measured = measured(&history, fault);
        assert!(
            matches!(measured.impact, Measured::Took(_)),
            "{fault}: {measured:?}"
        );
        assert_eq!(measured.recovery.took, Measured::Never(180 * SECOND));
    }
}

#[test]
fn where_nothing_says_what_is_slow_nothing_is_said_to_be_unhurt_or_back() {
    let system = System {
        rate: 100.0,
        seed: 1,
        at: |_| (0.0, 5_000_000),
    };
    let recording = put_in(window(&system, vec![plan("slow", &[])], 0), 0)
        .ticks_with(60, |tick| system.tick(tick))
        .event(enter(0, FaultState::Recovering))
        .ticks_with(90, |tick| system.tick(tick));
    let unknown = Measured::Unknown(Why::NoMeasure);
    let blind = measured(&recording.clone().end(EndReason::Finished).history(), 0);
    assert_eq!(blind.impact, unknown);
    assert_eq!(blind.recovery.took, unknown);
    assert_eq!(blind.recovery.since, None);
    // A gate says it.
    let gated = recording.gate("fast", "", "p99 < 20s", &[]);
    let told = measured(&gated.end(EndReason::Finished).history(), 0);
    assert!(matches!(told.impact, Measured::Never(_)), "{told:?}");
    assert!(told.recovery.is_recovered(), "{told:?}");
}

#[test]
fn a_fault_that_comes_in_the_second_another_is_over_is_compared_with_the_time_in_which_that_was_seen()
 {
    let system = System {
        rate: 100.0,
        seed: 1,
        at: |second| {
            let slow = (ON + 1..=OFF).contains(&second) || second > OFF + 45;
            (0.0, if slow { 5_000_000 } else { 20_000 })
        },
    };
    let recording = put_in(window(&system, vec![plan("a", &[]), plan("b", &[])], ON), 0)
        .ticks_with(OFF - ON, |tick| system.tick(tick))
        .event(enter(0, FaultState::Recovering))
        .ticks_with(45, |tick| system.tick(tick))
        .event(enter(0, FaultState::Recovered));
    let recording = put_in(recording, 1)
        .ticks_with(30, |tick| system.tick(tick))
        .event(enter(1, FaultState::Recovering))
        .ticks_with(60, |tick| system.tick(tick));
    let second = measured(&recording.end(EndReason::Finished).history(), 1);
    assert!(matches!(second.impact, Measured::Took(_)), "{second:?}");
    assert_eq!(second.recovery.took, Measured::Never(60 * SECOND));
}
