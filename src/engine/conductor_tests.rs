//! Tables of what the conductor asks for, in its own time.

use super::*;
use crate::engine::command::{Adjust, Command, Order, Switch};
use crate::profile::{self, Options};
use crate::session::record::Decision;

const SECOND: Nanos = 1_000_000_000;

/// Phases: `low` 10 s at 1x with a ramp of 2 s, `high` 10 s at 3x at once, `cool` 10 s at 1x. Scenario 0: 100/s;
/// scenario 1: 20 users that do not scale.
fn conductor() -> Conductor {
    let text = r#"
[window]
name = "test"
[[scenario]]
name = "open"
target = "http://127.0.0.1:1"
rate = "100/s"
get = "/"
[[scenario]]
name = "closed"
target = "http://127.0.0.1:1"
model = "closed"
users = 20
scale = false
get = "/"
[[phase]]
name = "low"
for = "10s"
ramp = "2s"
load = "1x"
[[phase]]
name = "high"
for = "10s"
load = "3x"
[[phase]]
name = "cool"
for = "10s"
load = "1x"
"#;
    Conductor::new(&profile::parse(text, std::path::Path::new("."), &Options::default()).unwrap())
}

fn by(command: Command) -> Order {
    Order {
        by: Some("ops@host".into()),
        command,
    }
}

/// What is asked of a scenario at a time, by the newest curve for it.
fn asked(actions: &[Action], wanted: usize, at: Nanos) -> Option<f64> {
    actions.iter().rev().find_map(|action| match action {
        Action::Curve {
            scenario, curve, ..
        } if *scenario == wanted => Some(curve.value(at)),
        Action::Curve { .. }
        | Action::Start { .. }
        | Action::Stop { .. }
        | Action::Record { .. }
        | Action::End
        | Action::Abort => None,
    })
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-6
}

#[test]
fn the_whole_schedule_is_asked_for_before_it_begins() {
    let actions = conductor().begin();
    let expected = [
        (0, 0.0),
        (1, 50.0),
        (2, 100.0),
        (9, 100.0),
        (11, 300.0),
        (19, 300.0),
        (21, 100.0),
        (31, 0.0),
    ];
    for (second, rate) in expected {
        let value = asked(&actions, 0, second * SECOND).unwrap();
        assert!(close(value, rate), "at {second} s: {value}");
    }
    assert!(
        close(asked(&actions, 1, 15 * SECOND).unwrap(), 20.0),
        "a scenario that does not scale keeps its users"
    );
}

#[test]
fn phases_begin_and_the_window_ends_on_time() {
    let mut conductor = conductor();
    conductor.begin();
    assert_eq!(conductor.next_change(), Some(10 * SECOND));
    assert!(conductor.advance(9 * SECOND).is_empty());
    let actions = conductor.advance(10 * SECOND);
    assert_eq!(
        actions,
        [event(None, Happening::Phase { phase: 1 })],
        "the curves in place already say all of it"
    );
    assert_eq!(conductor.end(), Some(30 * SECOND));
    let actions = conductor.advance(31 * SECOND);
    assert_eq!(actions.last(), Some(&Action::End));
    assert_eq!(actions[0], event(None, Happening::Phase { phase: 2 }));
    assert_eq!(
        (conductor.next_change(), conductor.factor(31 * SECOND)),
        (None, 0.0)
    );
}

#[test]
fn a_load_set_by_hand_holds_until_the_next_phase_begins() {
    let mut conductor = conductor();
    conductor.begin();
    let actions = conductor
        .order(
            by(Command::Load {
                to: Adjust::To(5.0),
            }),
            4 * SECOND,
        )
        .unwrap();
    assert!(close(asked(&actions, 0, 9 * SECOND).unwrap(), 500.0));
    assert!(
        close(asked(&actions, 0, 15 * SECOND).unwrap(), 300.0),
        "the next phase is as planned"
    );
    assert_eq!(conductor.asked(5 * SECOND).by_hand, [true, false]);
    conductor.advance(10 * SECOND);
    assert_eq!(conductor.asked(11 * SECOND).by_hand, [false, false]);
    assert!(close(conductor.factor(15 * SECOND), 3.0));
}

#[test]
fn a_spike_goes_back_to_what_the_schedule_says() {
    let mut conductor = conductor();
    conductor.begin();
    conductor
        .order(by(Command::Spike { to: Switch::On }), 4 * SECOND)
        .unwrap();
    assert!(close(conductor.factor(5 * SECOND), 10.0));
    let actions = conductor
        .order(by(Command::Spike { to: Switch::Toggle }), 6 * SECOND)
        .unwrap();
    assert!(close(asked(&actions, 0, 7 * SECOND).unwrap(), 100.0));
}

#[test]
fn an_amount_set_by_hand_is_that_scenario_s_alone() {
    let mut conductor = conductor();
    conductor.begin();
    let actions = conductor
        .order(
            by(Command::Amount {
                scenario: 1,
                to: Adjust::To(7.0),
            }),
            4 * SECOND,
        )
        .unwrap();
    assert!(close(asked(&actions, 1, 5 * SECOND).unwrap(), 7.0));
    assert!(close(asked(&actions, 1, 12 * SECOND).unwrap(), 20.0));
    assert_eq!(asked(&actions, 0, 5 * SECOND), None);
}

#[test]
fn a_relative_change_starts_from_what_is_asked_for_then() {
    let mut conductor = conductor();
    conductor.begin();
    let mut amount = |scenario, to, at| {
        let order = by(Command::Amount { scenario, to });
        let actions = conductor.order(order, at).unwrap();
        asked(&actions, scenario, at + SECOND / 10).unwrap()
    };
    let in_the_ramp = amount(0, Adjust::Percent(10.0), SECOND - 10_000_000);
    assert!(close(in_the_ramp, 55.0), "{in_the_ramp}");
    let again = amount(0, Adjust::Percent(10.0), 2 * SECOND);
    assert!(close(again, 60.5), "{again}");
    assert!(close(amount(0, Adjust::By(-100.0), 3 * SECOND), 0.0));
    let users = amount(1, Adjust::Percent(12.0), 3 * SECOND);
    assert!(close(users, 22.0), "users are whole: {users}");
    let up = by(Command::Load {
        to: Adjust::By(0.5),
    });
    conductor.order(up, 4 * SECOND).unwrap();
    assert!(close(conductor.factor(5 * SECOND), 1.5));
}

#[test]
fn an_abort_waits_for_nothing_and_cuts_a_drain_short() {
    let abort = || {
        by(Command::Abort {
            text: "wrong environment".into(),
        })
    };
    let mut conductor = conductor();
    conductor.begin();
    let mut at_once = conductor.clone();
    let actions = at_once.order(abort(), SECOND).unwrap();
    assert_eq!(actions.last(), Some(&Action::Abort));
    assert_eq!(at_once.next_change(), None);
    let end = Command::End {
        text: String::new(),
    };
    conductor.order(by(end.clone()), SECOND).unwrap();
    assert!(conductor.order(by(end), 2 * SECOND).is_err());
    let mark = Command::Mark {
        text: "still draining".into(),
    };
    assert_eq!(conductor.order(by(mark), 2 * SECOND).unwrap().len(), 1);
    let actions = conductor.order(abort(), 3 * SECOND).unwrap();
    assert_eq!(actions.last(), Some(&Action::Abort));
}

#[test]
fn holding_a_phase_moves_everything_after_it() {
    let mut conductor = conductor();
    conductor.begin();
    let held = conductor
        .order(by(Command::Hold { to: Switch::On }), 4 * SECOND)
        .unwrap();
    assert!(close(asked(&held, 0, 1000 * SECOND).unwrap(), 100.0));
    assert_eq!((conductor.next_change(), conductor.end()), (None, None));
    assert!(conductor.advance(60 * SECOND).is_empty());
    let released = conductor
        .order(by(Command::Hold { to: Switch::Off }), 64 * SECOND)
        .unwrap();
    assert_eq!(
        (conductor.next_change(), conductor.end()),
        (Some(70 * SECOND), Some(90 * SECOND))
    );
    assert!(close(asked(&released, 0, 75 * SECOND).unwrap(), 300.0));
    assert!(
        conductor
            .order(by(Command::Hold { to: Switch::Off }), 65 * SECOND)
            .is_err()
    );
}

#[test]
fn the_next_phase_can_be_had_now_and_its_ramp_starts_from_where_the_load_is() {
    let mut conductor = conductor();
    conductor.begin();
    let actions = conductor.order(by(Command::Next), SECOND).unwrap();
    assert!(close(asked(&actions, 0, 2 * SECOND).unwrap(), 300.0));
    assert_eq!(conductor.phase(), 1);
    assert!(conductor.end().unwrap() > 21 * SECOND - 1 && conductor.end().unwrap() < 22 * SECOND);
    let back = conductor
        .order(by(Command::Jump { phase: 0 }), 3 * SECOND)
        .unwrap();
    let half_way = asked(&back, 0, 4 * SECOND + 10_000_000).unwrap();
    assert!(
        close(half_way, 200.0),
        "from 3x to 1x in 2 s, half of it gone: {half_way}"
    );
    assert!(
        conductor
            .order(by(Command::Jump { phase: 3 }), 3 * SECOND)
            .is_err()
    );
}

#[test]
fn extending_a_phase_moves_its_end() {
    let mut conductor = conductor();
    conductor.begin();
    conductor
        .order(
            by(Command::Extend {
                by: Duration::from_secs(5),
            }),
            SECOND,
        )
        .unwrap();
    assert_eq!(
        (conductor.next_change(), conductor.end()),
        (Some(15 * SECOND), Some(35 * SECOND))
    );
}

#[test]
fn every_order_that_acts_is_recorded_with_who_gave_it() {
    let commands = [
        Command::Stop { scenario: 0 },
        Command::Start { scenario: 0 },
        Command::Amount {
            scenario: 0,
            to: Adjust::To(5.0),
        },
        Command::Load {
            to: Adjust::To(2.0),
        },
        Command::Spike { to: Switch::On },
        Command::Hold { to: Switch::On },
        Command::Hold { to: Switch::Off },
        Command::Extend {
            by: Duration::from_secs(1),
        },
        Command::Mark {
            text: "pool grew".into(),
        },
        Command::SignOff {
            decision: Decision::Go,
            text: String::new(),
        },
        Command::Next,
        Command::Jump { phase: 0 },
        Command::End {
            text: "enough".into(),
        },
    ];
    let mut conductor = conductor();
    conductor.begin();
    for command in commands {
        let actions = conductor.order(by(command.clone()), SECOND).unwrap();
        let recorded = actions
            .iter()
            .filter(|action| matches!(action, Action::Record { by: Some(_), .. }))
            .count();
        assert_eq!(recorded, 1, "{command:?}");
    }
    assert!(
        conductor.order(by(Command::Next), 2 * SECOND).is_err(),
        "the window is over"
    );
}

#[test]
fn an_order_that_makes_no_sense_changes_nothing() {
    let mut conductor = conductor();
    conductor.begin();
    for command in [
        Command::Start { scenario: 2 },
        Command::Amount {
            scenario: 9,
            to: Adjust::To(1.0),
        },
        Command::Amount {
            scenario: 0,
            to: Adjust::To(f64::NAN),
        },
        Command::Amount {
            scenario: 0,
            to: Adjust::To(1e12),
        },
        Command::Load {
            to: Adjust::To(1e7),
        },
        Command::Load {
            to: Adjust::To(-1.0),
        },
        Command::Load {
            to: Adjust::To(f64::INFINITY),
        },
    ] {
        assert!(
            conductor.order(by(command.clone()), SECOND).is_err(),
            "{command:?}"
        );
    }
    assert_eq!(conductor.asked(5 * SECOND).by_hand, [false, false]);
    assert!(close(conductor.factor(5 * SECOND), 1.0));
}

#[test]
fn an_interval_belongs_to_the_phase_in_which_it_ends_however_late_it_is_given_out() {
    let mut conductor = conductor();
    conductor.begin();
    conductor
        .order(
            by(Command::Load {
                to: Adjust::To(5.0),
            }),
            4 * SECOND,
        )
        .unwrap();
    // Late enough that two phases and the whole window are over before anybody asks.
    conductor.advance(31 * SECOND);
    let expected = [
        (1, 0, 0.5, false),
        (4, 0, 1.0, false),
        (5, 0, 5.0, true),
        (10, 0, 5.0, true),
        (11, 1, 3.0, false),
        (20, 1, 3.0, false),
        (21, 2, 1.0, false),
        (30, 2, 1.0, false),
        (31, 2, 0.0, false),
    ];
    for (second, phase, factor, by_hand) in expected {
        let asked = conductor.asked(second * SECOND);
        assert_eq!(asked.phase, phase, "at {second} s");
        assert!(
            (asked.factor - factor).abs() < 1e-6,
            "at {second} s: {}",
            asked.factor
        );
        assert_eq!(asked.by_hand, [by_hand, false], "at {second} s");
    }
}
