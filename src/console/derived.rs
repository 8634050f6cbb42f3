//! What costs too much to work out at every draw, and changes with the records only: the verdict so far, the gates now,
//! the last seconds of each scenario.
//!
//! In: a [`History`]. Out: the same answers as [`crate::verdict`] gives, kept until the history goes on. The invariant:
//! nothing can be seen of it but the time that it saves; what is kept is found again by what was recorded, so that two
//! sessions, or two moments of one, are never mistaken for each other.

use std::cell::{OnceCell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::history::{History, Injection, Moment, Totals};
use crate::profile::model::Scope;
use crate::session::record::EndReason;
use crate::verdict::losses::{Attributed, attribute};
use crate::verdict::recovery::{Assessment, assess};
use crate::verdict::{GateSpec, Judgement, Reading, live, so_far};

/// Moments that are kept: two sessions side by side, and a few steps back.
const KEPT: usize = 4;
/// Injections that are measured, the newest, and the latest of each fault: more are never on a screen.
const INJECTIONS: usize = 12;
/// What the latest numbers of a scenario cover.
const RECENT: Duration = Duration::from_secs(10);

/// What tells one moment of one recording from all others.
#[derive(Debug, Clone, PartialEq)]
struct Place {
    began: Option<(u64, usize)>,
    last: Option<Moment>,
    counts: [u64; 6],
    ended: Option<(u64, EndReason)>,
}

impl Place {
    fn of(history: &History) -> Self {
        let generator = history.generator();
        let samples = history
            .last_tick()
            .map_or(0, |tick| tick.steps.iter().map(|step| step.requests).sum());
        Self {
            began: history
                .window()
                .map(|window| (window.wall, window.gates.len())),
            last: history.last(),
            counts: [
                history.events_seen(),
                history.missing(),
                history.ignored(),
                generator.due,
                generator.begun,
                samples,
            ],
            ended: history.end().map(|end| (end.at, end.reason)),
        }
    }
}

/// What was worked out of a history as it stands.
#[derive(Debug)]
pub struct Derived {
    place: Place,
    judgement: OnceCell<Judgement>,
    gates: OnceCell<Vec<Option<Reading>>>,
    scenarios: OnceCell<Vec<Totals>>,
    injections: OnceCell<Vec<(Arc<Injection>, Assessment)>>,
    losses: OnceCell<Attributed>,
}

thread_local! {
    static LATEST: RefCell<VecDeque<Rc<Derived>>> = const { RefCell::new(VecDeque::new()) };
}

impl Derived {
    /// What is known already of this history as it stands.
    pub fn of(history: &History) -> Rc<Self> {
        let place = Place::of(history);
        LATEST.with_borrow_mut(|latest| {
            if let Some(known) = latest.iter().find(|known| known.place == place) {
                return Rc::clone(known);
            }
            let new = Rc::new(Self {
                place,
                judgement: OnceCell::new(),
                gates: OnceCell::new(),
                scenarios: OnceCell::new(),
                injections: OnceCell::new(),
                losses: OnceCell::new(),
            });
            latest.truncate(KEPT - 1);
            latest.push_front(Rc::clone(&new));
            new
        })
    }

    /// The verdict so far.
    pub fn judgement(&self, history: &History) -> &Judgement {
        self.judgement.get_or_init(|| so_far(history))
    }

    /// Each gate now, in the order of the profile; `None` for one that does not look at the present phase or cannot be
    /// read.
    pub fn gates(&self, history: &History) -> &[Option<Reading>] {
        self.gates.get_or_init(|| {
            let plans = history.window().map_or(&[][..], |window| &window.gates);
            let specs = plans.iter().map(|plan| GateSpec::from_plan(plan).ok());
            specs.map(|spec| live(history, &spec?)).collect()
        })
    }

    /// The last ten seconds of each scenario.
    pub fn scenarios(&self, history: &History) -> &[Totals] {
        self.scenarios.get_or_init(|| {
            let names = history.names().scenarios.iter();
            let scopes = names.map(|name| Scope::Scenario(name.clone()));
            scopes
                .map(|scope| history.recent(&scope, RECENT, &[]))
                .collect()
        })
    }

    /// The newest injections and the latest of each fault, newest first, and how the system took them.
    pub fn injections(&self, history: &History) -> &[(Arc<Injection>, Assessment)] {
        self.injections.get_or_init(|| {
            let newest = history.injections().iter().rev().enumerate();
            let shown = newest.filter(|(place, it)| {
                let latest = || history.injection(it.fault).map(|latest| latest.number);
                *place < INJECTIONS || latest() == Some(it.number)
            });
            shown
                .map(|(_, it)| (Arc::clone(it), assess(history, it)))
                .collect()
        })
    }

    /// Writes that are lost, or there more than once, by injection. Nothing before the ledgers were read back.
    pub fn losses(&self, history: &History) -> &Attributed {
        self.losses.get_or_init(|| attribute(history))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::testing;
    use crate::history::testing::{Recording, fault_event};
    use crate::session::record::{FaultPlan, FaultState};

    #[test]
    fn the_latest_injection_of_each_fault_is_measured_however_many_came_after_it() {
        let mut recording = Recording::new(&[("steady", 600, 1.0)])
            .window(|window| window.faults = vec![FaultPlan::default(); 2])
            .phase(0);
        for fault in [0, 0].into_iter().chain([1; INJECTIONS]) {
            for state in [
                FaultState::Active,
                FaultState::Recovering,
                FaultState::Armed,
            ] {
                recording = recording.event(fault_event(fault, state));
            }
            recording = recording.ticks(1);
        }
        let history = recording.history();
        let derived = Derived::of(&history);
        let measured = derived.injections(&history).iter();
        let numbers: Vec<u64> = measured.map(|(it, _)| it.number).collect();
        assert_eq!(numbers.len(), INJECTIONS + 1, "{numbers:?}");
        assert_eq!(numbers.last(), Some(&2));
    }

    #[test]
    fn what_is_kept_is_what_would_be_worked_out_anew() {
        for seconds in [0, 10, 640, 641] {
            let history = testing::history(seconds);
            for _ in 0..2 {
                let derived = Derived::of(&history);
                assert_eq!(*derived.judgement(&history), so_far(&history));
                assert_eq!(derived.gates(&history).len(), 4);
                assert_eq!(derived.scenarios(&history).len(), 2);
            }
        }
    }

    #[test]
    fn a_history_that_goes_on_is_looked_at_anew() {
        let (a, b) = (testing::history(20), testing::history(21));
        assert!(Rc::ptr_eq(&Derived::of(&a), &Derived::of(&a.clone())));
        assert!(!Rc::ptr_eq(&Derived::of(&a), &Derived::of(&b)));
    }
}
