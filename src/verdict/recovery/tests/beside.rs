//! Faults beside each other: groups, one after another, one over another, and one with nothing before it.

use super::*;

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
        .event(fault_event(fault, FaultState::Injecting))
        .event(fault_event(fault, FaultState::Active))
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
    let recording = window(&system, faults, ON).event(fault_event(0, FaultState::Injecting));
    let recording = put_in(put_in(recording, 1), 2)
        .event(fault_event(0, FaultState::Active))
        .ticks_with(OFF - ON, |tick| system.tick(tick))
        .event(fault_event(1, FaultState::Recovering))
        .event(fault_event(2, FaultState::Recovering))
        .event(fault_event(0, FaultState::Recovering))
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
        .event(fault_event(0, FaultState::Recovering))
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
        .event(fault_event(0, FaultState::Recovering))
        .ticks_with(45, |tick| system.tick(tick))
        .event(fault_event(0, FaultState::Recovered));
    let recording = put_in(recording, 1)
        .ticks_with(30, |tick| system.tick(tick))
        .event(fault_event(1, FaultState::Recovering))
        .ticks_with(60, |tick| system.tick(tick));
    let second = measured(&recording.end(EndReason::Finished).history(), 1);
    assert!(matches!(second.impact, Measured::Took(_)), "{second:?}");
    assert_eq!(second.recovery.took, Measured::Never(60 * SECOND));
}

/// Everything fails in these seconds.
fn outage(second: u64, from: u64, to: u64) -> (f64, u64) {
    let broken = (from + 1..=to).contains(&second);
    (if broken { 1.0 } else { 0.0 }, 20_000)
}

#[test]
fn what_the_next_fault_does_is_no_proof_of_the_one_before() {
    let system = System {
        rate: 100.0,
        seed: 1,
        at: |second| outage(second, OFF + 100, OFF + 130),
    };
    let recording = window(&system, vec![plan("a", &[]), plan("b", &[])], ON)
        .gate("errors stay few", "", "errors < 2%", &[])
        .window(|window| {
            window.targets = vec![TargetPlan {
                kind: "prometheus".into(),
                ..TargetPlan::default()
            }];
        });
    let recording = put_in(recording, 0)
        .ticks_with(OFF - ON, |tick| system.tick(tick))
        .event(fault_event(0, FaultState::Recovering))
        .ticks_with(100, |tick| system.tick(tick));
    let recording = put_in(recording, 1)
        .ticks_with(15, |tick| system.tick(tick))
        .event(alert("Down", AlertState::Firing, None))
        .event(Happening::Gate {
            gate: 0,
            holds: false,
            value: String::new(),
        })
        .ticks_with(15, |tick| system.tick(tick))
        .event(fault_event(1, FaultState::Recovering))
        .ticks_with(90, |tick| system.tick(tick));
    let history = recording.end(EndReason::Finished).history();
    let [first, second] = [0, 1].map(|fault| measured(&history, fault));
    assert!(
        matches!(first.detection.took, Measured::Never(_)),
        "{first:?}"
    );
    assert_eq!(first.detection.alert, None);
    assert_eq!(first.breaches, []);
    assert_eq!(second.detection.alert.as_deref(), Some("Down"));
    let judged = crate::verdict::judge(&history);
    assert_eq!(judged.faults[0].effective, Some(false));
    assert_eq!(judged.faults[1].effective, Some(true));
}

/// Two faults that are broken in turn or at once: when each comes and goes, in seconds since [`ON`], and what fails.
fn overlapping(at: fn(u64) -> (f64, u64), first: (u64, u64), second: (u64, u64)) -> History {
    let system = System {
        rate: 100.0,
        seed: 1,
        at,
    };
    let faults = vec![plan("a", &[]), plan("b", &[])];
    let mut recording = window(&system, faults, ON);
    for passed in 0..300 {
        for (fault, (comes, goes)) in [first, second].into_iter().enumerate() {
            if passed == comes {
                recording = put_in(recording, fault);
            }
            if passed == goes {
                recording = recording.event(fault_event(fault, FaultState::Recovering));
            }
        }
        recording = recording.ticks_with(1, |tick| system.tick(tick));
    }
    recording.end(EndReason::Finished).history()
}

#[test]
fn a_recovery_is_not_judged_by_a_fault_that_is_still_there_or_comes() {
    let another = Measured::Unknown(Why::Another);
    // The second is on all the time.
    let both = |second| outage(second, ON, ON + 200);
    let history = overlapping(both, (0, 60), (30, 200));
    let [first, second] = [0, 1].map(|fault| measured(&history, fault));
    assert_eq!(first.recovery.took, another);
    assert_eq!(first.mitigation, another);
    assert_eq!(second.impact, Measured::Unknown(Why::Already));
    assert!(second.recovery.is_recovered(), "{second:?}");
    // It comes while the first is not back, and after 20 good seconds.
    let history = overlapping(both, (0, 60), (75, 200));
    assert_eq!(measured(&history, 0).recovery.took, another);
    let twice = |second| {
        let first = outage(second, ON, ON + 60);
        if first.0 > 0.0 {
            first
        } else {
            outage(second, ON + 90, ON + 120)
        }
    };
    let history = overlapping(twice, (0, 60), (90, 120));
    let took = measured(&history, 0).recovery.took;
    assert!(matches!(took, Measured::Seems { .. }), "{took:?}");
    // What is good in spite of it is good.
    let one = |second| outage(second, ON, ON + 60);
    let history = overlapping(one, (0, 60), (30, 200));
    assert!(measured(&history, 0).recovery.is_recovered());
    // Brought back along with it, it is no other.
    let late = |second| outage(second, ON, ON + 160);
    let history = overlapping(late, (0, 60), (30, 61));
    for fault in 0..2 {
        let took = measured(&history, fault).recovery.took;
        assert!(seconds(took).1 > 90, "{took:?}");
    }
}

#[test]
fn a_group_is_told_apart_from_others_and_not_from_its_members() {
    let system = System {
        rate: 100.0,
        seed: 1,
        at: |second| {
            let since = second.saturating_sub(OFF);
            let bad = (ON + 1..=OFF).contains(&second) || (40..=50).contains(&since);
            (if bad { 0.3 } else { 0.0 }, 20_000)
        },
    };
    let faults = vec![plan("storm", &[1, 2]), plan("slow", &[]), plan("lost", &[])];
    let recording = window(&system, faults, ON).event(fault_event(0, FaultState::Injecting));
    let recording = put_in(
        put_in(recording, 1).ticks_with(1, |tick| system.tick(tick)),
        2,
    )
    .event(fault_event(0, FaultState::Active))
    .ticks_with(OFF - ON - 1 - 20, |tick| system.tick(tick))
    // One of them goes by its own limit.
    .event(fault_event(1, FaultState::Recovering))
    .ticks_with(20, |tick| system.tick(tick))
    .event(fault_event(2, FaultState::Recovering))
    .event(fault_event(0, FaultState::Recovering))
    .ticks_with(120, |tick| system.tick(tick));
    let history = recording.end(EndReason::Finished).history();
    let [group, first, second] = [0, 1, 2].map(|fault| measured(&history, fault));
    assert_eq!(group.breaches.len(), 1);
    assert!(group.recovery.is_recovered(), "{group:?}");
    assert!(second.recovery.is_recovered(), "{second:?}");
    assert_eq!(first.recovery.took, Measured::Unknown(Why::Another));
    assert!(matches!(first.impact, Measured::Took(_)), "{first:?}");
}

#[test]
fn nothing_is_mitigated_once_the_fault_is_on_its_way_out() {
    let system = System {
        rate: 100.0,
        seed: 1,
        at: |second| outage(second, ON, OFF + 5),
    };
    let recording = put_in(window(&system, vec![plan("a", &[])], ON), 0)
        .ticks_with(OFF - ON, |tick| system.tick(tick))
        .event(fault_event(0, FaultState::Reverting))
        .ticks_with(60, |tick| system.tick(tick))
        .event(fault_event(0, FaultState::Recovering))
        .ticks_with(60, |tick| system.tick(tick));
    let measured = measured(&recording.end(EndReason::Finished).history(), 0);
    assert_eq!(measured.mitigation, Measured::Never(60 * SECOND));
    let (least, most) = seconds(measured.recovery.took);
    assert!(least <= 5 && (5..=15).contains(&most), "{least} to {most}");
}

#[test]
fn a_group_that_failed_on_its_way_in_is_nothing_that_its_members_belong_to_later() {
    let system = System {
        rate: 100.0,
        seed: 1,
        at: |second| outage(second, ON + 150, OFF + 150),
    };
    let faults = vec![plan("storm", &[1, 2]), plan("slow", &[]), plan("lost", &[])];
    // One of it could not be put in, and the other was taken out again.
    let failed = window(&system, faults, 20)
        .event(fault_event(0, FaultState::Injecting))
        .event(fault_event(1, FaultState::Injecting))
        .event(fault_event(2, FaultState::Injecting))
        .event(fault_event(2, FaultState::Failed))
        .event(fault_event(0, FaultState::Reverting))
        .event(fault_event(1, FaultState::Armed))
        .event(fault_event(0, FaultState::Failed))
        .ticks_with(ON + 130, |tick| system.tick(tick));
    let recording = put_in(failed, 1)
        .ticks_with(OFF - ON, |tick| system.tick(tick))
        .event(fault_event(1, FaultState::Recovering))
        .ticks_with(90, |tick| system.tick(tick));
    let alone = measured(&recording.end(EndReason::Finished).history(), 1);
    assert!(alone.bounds.normal_errors.is_some(), "{:?}", alone.bounds);
    assert!(alone.recovery.is_recovered(), "{:?}", alone.recovery);
}

#[test]
fn a_member_that_was_never_in_place_leaves_the_recovery_of_the_others_known() {
    let system = System {
        rate: 100.0,
        seed: 1,
        at: |second| outage(second, ON, OFF + 30),
    };
    let faults = vec![plan("storm", &[1, 2]), plan("slow", &[]), plan("lost", &[])];
    let recording = window(&system, faults, ON).event(fault_event(0, FaultState::Injecting));
    let recording = put_in(recording, 1)
        .ticks_with(OFF - ON, |tick| system.tick(tick))
        .event(fault_event(2, FaultState::Injecting))
        .event(fault_event(2, FaultState::Failed))
        .event(fault_event(0, FaultState::Reverting))
        .event(fault_event(1, FaultState::Reverting))
        .event(fault_event(1, FaultState::Recovering))
        .ticks_with(120, |tick| system.tick(tick));
    let member = measured(&recording.end(EndReason::Finished).history(), 1);
    let (least, most) = seconds(member.recovery.took);
    assert!(least <= 31 && most >= 30, "{least} to {most}");
}
