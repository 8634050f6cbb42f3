//! What the open and the closed executor have in common: how a worker steers them, and what they count.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::clock::Nanos;
use super::meter::Gauge;
use super::schedule::Curve;
use crate::session::record::{ScenarioState, ScenarioTick};

/// A scenario on one worker, as its worker sees it. None of this is on a request's path.
pub(super) trait Executor: Gauge {
    /// What it was told to do.
    fn orders(&self) -> &Orders;
    /// Puts the load that `curve` asks for from `at` on.
    fn follow(&self, at: Nanos, curve: &Curve);
    /// Whether nothing is in flight and no user is left.
    fn is_idle(&self) -> bool;
    /// Called now and then, at least once a recording interval.
    fn look_after(&self) {}

    /// From `at` on, the load follows `curve`, at once or when the scenario is started.
    fn set_curve(&self, at: Nanos, now: Nanos, curve: &Curve) {
        let orders = self.orders();
        let mut wanted = orders.wanted.borrow_mut();
        wanted.splice(at, curve);
        wanted.forget(at.min(now));
        drop(wanted);
        if orders.running.get() {
            self.follow(at, curve);
        }
    }

    /// Puts load from `at` on.
    fn start(&self, at: Nanos) {
        let orders = self.orders();
        if !orders.draining.get() && !orders.running.replace(true) {
            self.follow(at, &orders.wanted.borrow());
        }
    }

    /// Puts no load from `at` on; what is in flight goes on.
    fn stop(&self, at: Nanos) {
        if self.orders().running.replace(false) {
            self.follow(at, &Curve::default());
        }
    }

    /// Starts nothing new, for good.
    fn drain(&self, now: Nanos) {
        self.orders().draining.set(true);
        self.follow(now, &Curve::default());
    }
}

/// What a scenario was told to do.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// What is wanted while the scenario runs.
    wanted: RefCell<Curve>,
    running: Cell<bool>,
    draining: Cell<bool>,
}

impl Orders {
    pub fn new(wanted: Curve, running: bool) -> Self {
        Self {
            wanted: RefCell::new(wanted),
            running: Cell::new(running),
            draining: Cell::new(false),
        }
    }

    /// Whether nothing new is to be started, for good.
    pub fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// What is to be followed at first: nothing unless the scenario is running.
    pub fn curve(&self) -> Curve {
        if self.running.get() {
            self.wanted.borrow().clone()
        } else {
            Curve::default()
        }
    }

    /// State while load is put, or is not.
    pub fn state(&self) -> ScenarioState {
        match (self.draining.get(), self.running.get()) {
            (true, _) => ScenarioState::Draining,
            (false, true) => ScenarioState::Running,
            (false, false) => ScenarioState::Stopped,
        }
    }
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
