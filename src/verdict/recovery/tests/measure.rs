//! What is measured against: every limit that is asked for.

use super::*;

fn enter(state: FaultState) -> Happening {
    super::state(state)
}

fn measured(recording: Recording) -> Assessment {
    assessed(&recording.end(EndReason::Finished).history())
}

#[test]
fn every_limit_that_is_asked_for_counts() {
    let system = System {
        rate: 100.0,
        seed: 1,
        at: |_| (0.0, 10_000),
    };
    // Most are fast, and the others are not.
    let split = |tick: &mut Tick| {
        system.tick(tick);
        let requests = tick.steps[0].requests;
        let slow = requests * 2 / 5;
        let times = [
            (index_of(10_000), requests - slow),
            (index_of(5_000_000), slow),
        ];
        tick.steps[0].response = Hist::from_buckets(times).unwrap();
    };
    let recording = Recording::new(&[("steady", 600, 1.0)])
        .window(|window| window.faults = vec![FaultPlan::default()])
        .gate("most are fast", "", "p50 < 20ms", &[])
        .gate("few are slow", "", "p99 < 500ms", &[])
        .phase(0)
        .ticks_with(ON, |tick| system.tick(tick))
        .event(enter(FaultState::Active))
        .ticks_with(OFF - ON, split)
        .event(enter(FaultState::Recovering))
        .ticks_with(90, |tick| system.tick(tick));
    let measured = measured(recording);
    let bounds = &measured.bounds.objective;
    assert_eq!(
        bounds.text,
        "errors < 1% by default, p50 < 20ms, p99 < 500ms"
    );
    assert!(seconds(measured.impact).1 <= 2, "{measured:?}");
    assert!(measured.recovery.is_recovered(), "{measured:?}");
    assert_eq!(measured.mitigation, Measured::Never((OFF - ON) * SECOND));
    // Waiting for what is no slower than 500 ms is no cost.
    assert!(measured.cost.slow > 1_000 && measured.cost.slow < 3_000);
}
