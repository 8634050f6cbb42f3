//! What an executor needs to know of the work that it paces: nothing but that it can be run.
//!
//! A protocol driver implements [`Plan`] (shared by all workers) and [`Work`] (one worker's part: connection pools and
//! the like). Executors decide when a journey is due and who runs it; the work runs it and reports each request to the
//! [`Meter`]. Both are generic, so nothing on a request's path is dispatched at run time.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::arrivals::Part;
use super::clock::{Clock, Nanos};
use super::meter::Meter;

/// One scenario's work, prepared once and shared by all workers.
pub trait Plan: Send + Sync + 'static {
    /// One worker's part of it.
    type Work: Work;

    /// Opens a worker's part, on that worker's thread and inside its runtime.
    fn open(self: &Arc<Self>, part: Part, clock: Clock) -> Self::Work;
}

/// One worker's part of a scenario's work.
pub trait Work: 'static {
    /// What one user, or one open arrival, carries with it.
    type Actor: 'static;

    /// The user or arrival of this number.
    fn actor(&self, number: u64) -> Self::Actor;

    /// Runs one journey. Each request is reported to the meter when it ends, or when the future is dropped.
    fn journey(
        &self,
        actor: &mut Self::Actor,
        turn: Turn,
        meter: &Meter,
    ) -> impl Future<Output = Outcome>;

    /// The pause of a closed user between two journeys.
    fn pause(&self, actor: &mut Self::Actor) -> Duration;

    /// Open connections now.
    fn connections(&self) -> u64;
}

/// Which journey is to be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Number of the arrival (open) or iteration (closed) in its scenario.
    pub number: u64,
    /// When its first request is due.
    pub due: Nanos,
}

/// What came of a journey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// When it ended.
    pub done: Nanos,
    /// Whether any of its requests left. A closed user whose requests cannot leave pauses, lest it spin.
    pub sent: bool,
}

/// What an executor and its journeys share on one worker.
#[derive(Debug)]
pub(super) struct Bench<W> {
    pub work: W,
    pub meter: Rc<Meter>,
    pub part: Part,
}
