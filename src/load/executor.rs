//! What the open and the closed executor have in common: how a worker steers them, and what they count.

use std::cell::Cell;
use std::rc::Rc;

use super::clock::Nanos;
use super::meter::Gauge;
use super::schedule::Curve;
use crate::session::record::{ScenarioState, ScenarioTick};

/// A scenario on one worker, as its worker sees it. None of this is on a request's path.
pub(super) trait Executor: Gauge {
    /// From `at` on, the load follows `curve`, at once or when the scenario is started.
    fn set_curve(&self, at: Nanos, curve: &Curve);
    /// Puts load from `at` on.
    fn start(&self, at: Nanos);
    /// Puts no load from `at` on; what is in flight goes on.
    fn stop(&self, at: Nanos);
    /// Starts nothing new, for good.
    fn drain(&self, now: Nanos);
    /// Whether nothing is in flight and no user is left.
    fn is_idle(&self) -> bool;
    /// Called now and then, at least once a recording interval.
    fn look_after(&self) {}
}

/// Counts of one scenario on one worker.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub begun: Cell<u64>,
    pub finished: Cell<u64>,
    pub dropped: Cell<u64>,
    pub in_flight: Cell<u64>,
    pub users: Cell<u64>,
}

pub(super) fn add(cell: &Cell<u64>, by: u64) {
    cell.set(cell.get() + by);
}

impl Counts {
    /// A journey begins; it ends when the guard is dropped.
    pub fn begin(self: &Rc<Self>) -> InFlight {
        add(&self.begun, 1);
        add(&self.in_flight, 1);
        InFlight {
            counts: Rc::clone(self),
            finished: false,
        }
    }

    /// The counts since the last call, and the levels now. `due` is what has begun.
    pub fn take(&self) -> ScenarioTick {
        let begun = self.begun.take();
        ScenarioTick {
            due: begun,
            begun,
            dropped: self.dropped.take(),
            finished: self.finished.take(),
            in_flight: self.in_flight.get(),
            users: self.users.get(),
            ..ScenarioTick::default()
        }
    }
}

/// A journey in flight.
#[derive(Debug)]
pub(super) struct InFlight {
    counts: Rc<Counts>,
    finished: bool,
}

impl InFlight {
    /// It ran to its end, whether in error or not.
    pub fn finish(mut self) {
        self.finished = true;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.counts
            .in_flight
            .set(self.counts.in_flight.get().saturating_sub(1));
        if self.finished {
            add(&self.counts.finished, 1);
        }
    }
}

/// State while it puts load, or does not.
pub(super) fn state(running: bool, draining: bool) -> ScenarioState {
    match (draining, running) {
        (true, _) => ScenarioState::Draining,
        (false, true) => ScenarioState::Running,
        (false, false) => ScenarioState::Stopped,
    }
}
