//! What a coordinator relies on: nothing stays in, and nothing goes in that should not.

use std::path::Path;

use super::*;
use crate::fault::driver::Proof;
use crate::profile::{self, Options};

const S: Nanos = 1_000_000_000;

/// Two faults and a group of both; two phases.
fn faults(window: &str, phases: &str) -> Faults {
    let text = format!(
        "[window]\nname = \"w\"\n{window}\n\
         [[scenario]]\nname = \"s\"\ntarget = \"http://127.0.0.1:1\"\nrate = \"1/s\"\nget = \"/\"\n\
         [[fault]]\nname = \"slow\"\nmax = \"60s\"\ninject = [\"a\"]\nrevert = [\"b\"]\n\
         [[fault]]\nname = \"dead\"\ninject = [\"a\"]\nrevert = [\"b\"]\n\
         [[fault]]\nname = \"both\"\ngroup = [\"slow\", \"dead\"]\nstagger = \"5s\"\n{phases}"
    );
    let profile = profile::parse(&text, Path::new("."), &Options::default());
    Faults::new(&profile.unwrap_or_else(|error| panic!("{}", error.render(false))))
}

fn plain() -> Faults {
    faults("duration = \"10m\"", "")
}

const SLOW: usize = 0;
const DEAD: usize = 1;
const BOTH: usize = 2;

const OPS: Option<&str> = Some("ops@bastion");

fn on(faults: &mut Faults, fault: usize, now: Nanos) -> Result<Vec<Act>, String> {
    faults.order(fault, Switch::On, false, OPS, now, &Around::default())
}

fn orders(acts: &[Act]) -> Vec<(usize, Order)> {
    let orders = acts.iter().filter_map(|act| match act {
        Act::Order(fault, order) => Some((*fault, *order)),
        Act::Record { .. } => None,
    });
    orders.collect()
}

fn states(acts: &[Act]) -> Vec<(usize, FaultState)> {
    let states = acts.iter().filter_map(|act| match act {
        Act::Record {
            what: Happening::Fault { fault, state, .. },
            ..
        } => Some((*fault, *state)),
        Act::Record { .. } | Act::Order(..) => None,
    });
    states.collect()
}

#[test]
fn a_fault_goes_in_and_out_and_each_change_says_who_asked_for_it() {
    let mut faults = plain();
    let acts = on(&mut faults, SLOW, 0).unwrap();
    assert_eq!(orders(&acts), [(SLOW, Order::Inject)]);
    assert!(matches!(&acts[0], Act::Record { by, .. } if by.as_deref() == OPS));
    assert_eq!(
        on(&mut faults, SLOW, 0).unwrap_err(),
        "`slow` is injecting already"
    );
    assert_eq!(
        states(&faults.is_active(SLOW, Proof::None)),
        [(SLOW, FaultState::Active)]
    );
    let off = faults
        .order(SLOW, Switch::Toggle, false, OPS, S, &Around::default())
        .unwrap();
    assert_eq!(orders(&off), [(SLOW, Order::Revert)]);
    assert_eq!(
        faults.outstanding(),
        ["slow"],
        "until it is known to be out"
    );
    assert_eq!(
        states(&faults.is_reverted(SLOW, Proof::None)),
        [(SLOW, FaultState::Recovering)]
    );
    assert!(faults.outstanding().is_empty());
    assert_eq!(faults.recovering(), [SLOW]);
    faults.is_recovered(SLOW, "");
    assert!(on(&mut faults, SLOW, 2 * S).is_ok());
}

#[test]
fn it_goes_out_by_itself_when_its_max_is_over_whatever_it_is_doing() {
    for active in [true, false] {
        let mut faults = plain();
        on(&mut faults, SLOW, 0).unwrap();
        if active {
            faults.is_active(SLOW, Proof::None);
        }
        assert_eq!(faults.next_change(), Some(60 * S));
        assert!(faults.advance(60 * S - 1, &Around::default()).is_empty());
        let acts = faults.advance(60 * S, &Around::default());
        assert_eq!(orders(&acts), [(SLOW, Order::Revert)]);
        assert_eq!(faults.next_change(), None);
    }
}

#[test]
fn what_speaks_against_it_is_said_and_a_person_may_insist() {
    let mut faults = plain();
    on(&mut faults, SLOW, 0).unwrap();
    let why = on(&mut faults, DEAD, 0).unwrap_err();
    assert_eq!(
        why,
        "`slow` is on, and `max_faults` is 1; `fault dead force` insists"
    );
    faults.is_reverted(SLOW, Proof::None);
    let why = on(&mut faults, DEAD, 0).unwrap_err();
    assert!(why.starts_with("`slow` is recovering"), "{why}");
    faults.is_recovered(SLOW, "");
    let failing = Around {
        failing: vec!["errors < 1%".into()],
    };
    let why = faults
        .order(DEAD, Switch::On, false, OPS, 0, &failing)
        .unwrap_err();
    assert!(
        why.starts_with("the blocker `errors < 1%` fails already"),
        "{why}"
    );
    let acts = faults
        .order(DEAD, Switch::On, true, OPS, 0, &failing)
        .unwrap();
    let insisted = |act: &Act| {
        matches!(
            act,
            Act::Record {
                what: Happening::Fault { forced: true, .. },
                ..
            }
        )
    };
    assert!(insisted(&acts[0]));
    assert_eq!(orders(&acts), [(DEAD, Order::Inject)]);
}

#[test]
fn insisting_without_need_is_not_recorded_as_such() {
    let mut faults = plain();
    let acts = faults
        .order(SLOW, Switch::On, true, OPS, 0, &Around::default())
        .unwrap();
    let insisted = |act: &Act| {
        matches!(
            act,
            Act::Record {
                what: Happening::Fault { forced: true, .. },
                ..
            }
        )
    };
    assert!(!acts.iter().any(insisted));
}

#[test]
fn everything_is_cleared_at_once_and_after_the_end_nothing_goes_in() {
    let mut faults = faults("duration = \"10m\"\nmax_faults = 2", "");
    on(&mut faults, SLOW, 0).unwrap();
    on(&mut faults, DEAD, 0).unwrap();
    let (acts, count) = faults.clear(Some("ops@bastion"), "");
    assert_eq!(
        (orders(&acts), count),
        (vec![(SLOW, Order::Revert), (DEAD, Order::Revert)], 2)
    );
    assert!(
        faults.clear(None, "").0.is_empty(),
        "they are on their way out"
    );
    faults.is_reverted(SLOW, Proof::None);
    faults.is_reverted(DEAD, Proof::None);
    faults.end();
    let forced = faults.order(SLOW, Switch::On, true, OPS, 0, &Around::default());
    assert_eq!(forced.unwrap_err(), "the window is over");
}

#[test]
fn a_fault_that_cannot_be_undone_stays_outstanding_until_it_is() {
    let mut faults = plain();
    on(&mut faults, SLOW, 0).unwrap();
    faults.is_active(SLOW, Proof::None);
    faults.clear(None, "");
    let acts = faults.is_not_reverted(SLOW, "no route", Duration::from_secs(2));
    let Act::Record {
        what: Happening::Fault { state, text, .. },
        ..
    } = &acts[0]
    else {
        panic!("{acts:?}");
    };
    assert_eq!(*state, FaultState::Failed);
    assert_eq!(
        text,
        "it may still be in place, tried again in 2s: no route"
    );
    assert_eq!(faults.outstanding(), ["slow"]);
    assert!(
        on(&mut faults, DEAD, 0)
            .unwrap_err()
            .contains("`slow` is on")
    );
    faults.is_reverted(SLOW, Proof::None);
    assert!(faults.outstanding().is_empty());
}

#[test]
fn one_that_could_not_be_undone_is_shown_as_that_until_it_is() {
    let mut faults = plain();
    on(&mut faults, SLOW, 0).unwrap();
    faults.is_active(SLOW, Proof::None);
    faults.clear(None, "");
    faults.is_not_reverted(SLOW, "no route", Duration::from_secs(2));
    let (acts, count) = faults.clear(OPS, "everything is cleared");
    assert_eq!((states(&acts), count), (Vec::new(), 1));
    assert_eq!(orders(&acts), [(SLOW, Order::Revert)]);
    let acts = faults.is_reverted(SLOW, Proof::None);
    assert_eq!(states(&acts), [(SLOW, FaultState::Recovering)]);
}

#[test]
fn a_group_of_which_nothing_is_left_is_not_on_whatever_became_of_its_members() {
    let mut faults = plain();
    on(&mut faults, BOTH, 0).unwrap();
    faults.is_active(SLOW, Proof::None);
    faults.advance(5 * S, &Around::default());
    faults.is_not_done(DEAD, "no");
    let stuck = faults.is_not_reverted(SLOW, "no route", Duration::from_secs(2));
    assert!(states(&stuck).contains(&(BOTH, FaultState::Failed)));
    let acts = faults.is_reverted(SLOW, Proof::None);
    assert!(states(&acts).contains(&(BOTH, FaultState::Armed)));
    faults.is_unknown(SLOW, "");
    assert!(on(&mut faults, DEAD, 9 * S).is_ok(), "nothing is on");
}

#[test]
fn one_that_is_on_is_not_put_in_again_by_the_schedule() {
    let phases = r#"
        [[phase]]
        name = "a"
        for = "100s"
        faults = [{ name = "slow", after = "10s", for = "30s", every = "20s" }]
    "#;
    let mut faults = faults("max_faults = 2", phases);
    faults.enter_phase(0, 0);
    let acts = faults.advance(10 * S, &Around::default());
    assert_eq!(orders(&acts), [(SLOW, Order::Inject)]);
    faults.is_active(SLOW, Proof::None);
    let acts = faults.advance(30 * S, &Around::default());
    assert_eq!(orders(&acts), []);
    let [
        Act::Record {
            what: Happening::Warning { text },
            ..
        },
    ] = &acts[..]
    else {
        panic!("{acts:?}");
    };
    assert!(
        text.ends_with("did not go in: it is active already"),
        "{text}"
    );
    let acts = faults.advance(40 * S, &Around::default());
    assert_eq!(orders(&acts), [(SLOW, Order::Revert)]);
}

#[test]
fn one_that_is_in_place_against_all_expectation_is_brought_back() {
    let mut faults = plain();
    let acts = faults.is_active(SLOW, Proof::None);
    assert_eq!(
        states(&acts),
        [(SLOW, FaultState::Active), (SLOW, FaultState::Reverting)]
    );
    assert_eq!(orders(&acts), [(SLOW, Order::Revert)]);
}

#[test]
fn one_that_was_not_done_is_over_and_can_be_tried_again() {
    let mut faults = plain();
    on(&mut faults, SLOW, 0).unwrap();
    assert_eq!(
        states(&faults.is_not_done(SLOW, "no such program")),
        [(SLOW, FaultState::Failed)]
    );
    assert_eq!(faults.next_change(), None);
    assert!(on(&mut faults, SLOW, S).is_ok());
}

#[test]
fn word_that_it_is_in_place_comes_too_late_when_it_was_ordered_out() {
    let mut faults = plain();
    on(&mut faults, SLOW, 0).unwrap();
    faults.clear(None, "");
    assert!(faults.is_active(SLOW, Proof::None).is_empty());
}

const PHASES: &str = r#"
[[phase]]
name = "a"
for = "100s"
faults = [{ name = "slow", after = "10s", for = "20s", every = "40s" }]
[[phase]]
name = "b"
for = "100s"
faults = ["dead"]
[[phase]]
name = "c"
for = "100s"
"#;

#[test]
fn the_schedule_puts_faults_in_again_and_again_and_takes_them_out() {
    let mut faults = faults("", PHASES);
    assert!(faults.enter_phase(0, 0).is_empty());
    let mut seen = Vec::new();
    while let Some(at) = faults.next_change().filter(|&at| at < 100 * S) {
        for (fault, order) in orders(&faults.advance(at, &Around::default())) {
            seen.push((at / S, order));
            match order {
                Order::Inject => drop(faults.is_active(fault, Proof::None)),
                Order::Revert => {
                    faults.is_reverted(fault, Proof::None);
                    faults.is_recovered(fault, "");
                }
            }
        }
    }
    let (on, off) = (Order::Inject, Order::Revert);
    assert_eq!(seen, [(10, on), (30, off), (50, on), (70, off), (90, on)]);
    // The third one is still on when the next phase begins; it has a length and stays that long.
    let acts = faults.enter_phase(1, 100 * S);
    assert!(acts.is_empty(), "{acts:?}");
    let acts = faults.advance(100 * S, &Around::default());
    let Act::Record {
        what: Happening::Warning { text },
        ..
    } = &acts[0]
    else {
        panic!("{acts:?}");
    };
    assert_eq!(
        text,
        "fault `dead` was due and did not go in: `slow` is on, and `max_faults` is 1"
    );
}

#[test]
fn a_fault_without_a_length_goes_out_with_its_phase() {
    let mut faults = faults("", PHASES);
    faults.enter_phase(1, 0);
    assert_eq!(
        orders(&faults.advance(0, &Around::default())),
        [(DEAD, Order::Inject)]
    );
    assert_eq!(
        orders(&faults.enter_phase(2, 100 * S)),
        [(DEAD, Order::Revert)]
    );
}

#[test]
fn one_that_a_person_put_in_stays_when_the_phase_ends() {
    let mut faults = faults("", PHASES);
    faults.enter_phase(1, 0);
    on(&mut faults, DEAD, 0).unwrap();
    assert!(orders(&faults.enter_phase(2, 100 * S)).is_empty());
}

#[test]
fn a_group_goes_in_one_after_the_other_and_out_together() {
    let mut faults = plain();
    let acts = on(&mut faults, BOTH, 0).unwrap();
    assert_eq!(orders(&acts), [(SLOW, Order::Inject)]);
    assert_eq!(
        states(&acts),
        [(BOTH, FaultState::Injecting), (SLOW, FaultState::Injecting)]
    );
    assert_eq!(
        states(&faults.is_active(SLOW, Proof::None)),
        [(SLOW, FaultState::Active)]
    );
    assert_eq!(faults.next_change(), Some(5 * S));
    assert_eq!(
        orders(&faults.advance(5 * S, &Around::default())),
        [(DEAD, Order::Inject)]
    );
    assert_eq!(
        states(&faults.is_active(DEAD, Proof::None)),
        [(DEAD, FaultState::Active), (BOTH, FaultState::Active)]
    );
    let (acts, count) = faults.clear(None, "");
    assert_eq!(
        (orders(&acts), count),
        (vec![(SLOW, Order::Revert), (DEAD, Order::Revert)], 1)
    );
    assert_eq!(
        states(&faults.is_reverted(SLOW, Proof::None)),
        [(SLOW, FaultState::Recovering)]
    );
    assert_eq!(
        states(&faults.is_reverted(DEAD, Proof::None)),
        [
            (DEAD, FaultState::Recovering),
            (BOTH, FaultState::Recovering)
        ]
    );
    faults.is_recovered(SLOW, "");
    assert_eq!(
        states(&faults.is_recovered(DEAD, "")),
        [(DEAD, FaultState::Recovered), (BOTH, FaultState::Recovered)]
    );
    assert!(faults.outstanding().is_empty() && faults.recovering().is_empty());
}

#[test]
fn a_group_that_is_called_back_early_never_puts_its_others_in() {
    let mut faults = plain();
    on(&mut faults, BOTH, 0).unwrap();
    faults
        .order(BOTH, Switch::Off, false, OPS, S, &Around::default())
        .unwrap();
    assert!(orders(&faults.advance(10 * S, &Around::default())).is_empty());
    assert_eq!(
        states(&faults.is_reverted(SLOW, Proof::None)),
        [
            (SLOW, FaultState::Recovering),
            (BOTH, FaultState::Recovering)
        ]
    );
}

#[test]
fn half_of_a_group_is_brought_back_when_the_other_half_fails() {
    let mut faults = plain();
    on(&mut faults, BOTH, 0).unwrap();
    faults.is_active(SLOW, Proof::None);
    faults.advance(5 * S, &Around::default());
    let acts = faults.is_not_done(DEAD, "no");
    assert_eq!(orders(&acts), [(SLOW, Order::Revert)]);
    assert!(states(&acts).contains(&(BOTH, FaultState::Reverting)));
    assert_eq!(faults.outstanding(), ["slow"]);
    assert!(
        on(&mut faults, DEAD, 6 * S).is_err(),
        "the group counts until all of it is out"
    );
    let acts = faults.is_reverted(SLOW, Proof::None);
    assert!(states(&acts).contains(&(BOTH, FaultState::Failed)));
    assert!(faults.outstanding().is_empty());
}

#[test]
fn a_group_is_over_when_it_will_not_be_known_of_one_of_it_whether_it_is_back() {
    let mut faults = plain();
    on(&mut faults, BOTH, 0).unwrap();
    faults.advance(5 * S, &Around::default());
    faults.clear(None, "");
    faults.is_reverted(SLOW, Proof::None);
    faults.is_reverted(DEAD, Proof::None);
    faults.is_recovered(SLOW, "");
    assert_eq!(
        states(&faults.is_unknown(DEAD, "no traffic")),
        [(DEAD, FaultState::Armed), (BOTH, FaultState::Armed)]
    );
    assert!(on(&mut faults, SLOW, 9 * S).is_ok());
}

#[test]
fn a_fault_that_is_called_back_before_anything_was_done_is_ready_again() {
    let mut faults = plain();
    on(&mut faults, SLOW, 0).unwrap();
    faults.clear(None, "");
    assert_eq!(
        states(&faults.is_called_back(SLOW)),
        [(SLOW, FaultState::Armed)]
    );
    assert!(faults.outstanding().is_empty());
}

#[test]
fn clearing_everything_calls_off_what_the_phase_still_had() {
    let mut faults = faults("", PHASES);
    faults.enter_phase(0, 0);
    assert!(faults.has_schedule());
    faults.clear(OPS, "");
    assert!(!faults.has_schedule() && faults.next_change().is_none());
    faults.enter_phase(1, 100 * S);
    assert!(faults.has_schedule(), "until the next one begins");
}
