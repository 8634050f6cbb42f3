//! What counts as noticed: an alert that came with the fault, by what was seen of it.

use super::*;
use crate::session::record::{Instance, Key, Names, Record};

fn told(source: &str, state: AlertState, since: Option<u64>) -> Happening {
    Happening::Alert(Box::new(Alert {
        name: "Down".into(),
        labels: String::new(),
        from: source.into(),
        state,
        since: since.map(|second| second * SECOND),
    }))
}

/// A fault at 60 s, and what was told before it and so many seconds after it.
fn noticed(before: &[Happening], after: &[(u64, Happening)]) -> Detection {
    let mut recording = Recording::new(&[("steady", 600, 1.0)])
        .window(|window| {
            window.faults = vec![FaultPlan {
                detect: Some("Down".into()),
                ..FaultPlan::default()
            }];
            window.targets = vec![TargetPlan {
                name: "prom".into(),
                kind: "prometheus".into(),
                every_us: SECOND,
                ..TargetPlan::default()
            }];
        })
        .phase(0)
        .ticks(50);
    for event in before {
        recording = recording.event(event.clone());
    }
    recording = recording
        .ticks(10)
        .event(state(FaultState::Injecting))
        .event(state(FaultState::Active));
    for passed in 0..60 {
        for (_, event) in after.iter().filter(|(at, _)| *at == passed) {
            recording = recording.event(event.clone());
        }
        recording = recording.ticks(1);
    }
    let records = recording
        .event(state(FaultState::Recovering))
        .ticks(90)
        .end(EndReason::Finished)
        .records();
    let mut history = History::new();
    for record in &records {
        history.apply(record);
        if let Record::Key(key) = record {
            let instances = vec![Instance {
                target: "prom".into(),
                ..Instance::default()
            }];
            history.apply(&Record::Key(Key {
                names: Names {
                    instances,
                    ..key.names.clone()
                },
                ..key.clone()
            }));
        }
    }
    assessed(&history).detection
}

#[test]
fn a_source_that_never_answered_leaves_detection_open() {
    let turned = |up| Happening::Target {
        instance: 0,
        up,
        text: String::new(),
    };
    let deaf = noticed(&[turned(false)], &[]);
    assert_eq!(deaf.took, Measured::Unknown(Why::NoSource));
    let late = noticed(&[turned(false)], &[(30, turned(true))]);
    assert!(matches!(late.took, Measured::Never(_)), "{late:?}");
    let silent = noticed(&[], &[]);
    assert!(matches!(silent.took, Measured::Never(_)), "{silent:?}");
}

#[test]
fn an_alert_that_was_about_to_fire_has_noticed_nothing() {
    let pending = told("prom", AlertState::Pending, Some(10));
    let firing = told("prom", AlertState::Firing, None);
    let on_its_way = noticed(std::slice::from_ref(&pending), &[(30, firing.clone())]);
    assert!(matches!(on_its_way.took, Measured::Never(_)));
    assert_eq!(on_its_way.note, "Down was about to fire already");
    // It was over in between.
    let resolved = told("prom", AlertState::Resolved, None);
    let anew = noticed(&[pending], &[(5, resolved), (30, firing)]);
    assert_eq!(seconds(anew.took).1, 30);
}

#[test]
fn what_was_seen_counts_where_the_clock_of_a_source_is_off() {
    // Five seconds behind: it says 58 of what fired at 63.
    let behind = told("prom", AlertState::Firing, Some(58));
    let behind = noticed(&[], &[(4, behind)]);
    assert_eq!(seconds(behind.took), (0, 4));
    // Five seconds ahead.
    let ahead = told("prom", AlertState::Firing, Some(68));
    let ahead = noticed(&[], &[(4, ahead)]);
    assert_eq!(seconds(ahead.took), (3, 4));
}
