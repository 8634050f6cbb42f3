//! What was broken on purpose, and what traffic, alerts and people did around it.
//!
//! ```text
//!   Event ──▶ states, effects, outputs, alerts ─┐
//!                                               ├─▶ Injection  one for each time a fault was put in
//!   tick ───▶ cells, while one is being watched ┤
//!        └──▶ gauges, while one is in place ────┘
//! ```
//!
//! In: events in the order of the file, and ticks as a [`History`](super::History) keeps them. Out: [`Injection`]s, the
//! newest [`INJECTIONS`] of them and those that may still be in place. Nothing is judged here: what a moment was worth is the business of
//! [`crate::verdict::recovery`]. The invariant: while no injection is watched, a tick costs one comparison; what came
//! before an injection is taken from the ticks that the history keeps anyway.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::bucket::Bucket;
use crate::session::record::{Alert, AlertState, Event, FaultState, Happening, Ledger, Names};

mod gauges;
#[cfg(test)]
mod gauges_tests;
mod injection;
mod picture;
#[cfg(test)]
mod tests;

pub use gauges::{BEFORE, Course, Gauges, SERIES, SINCE, Sample};
pub use injection::{Failure, Fired, Injection};
pub use picture::{CELLS, Cell, Picture};

/// Injections that are kept; older ones are only counted.
pub const INJECTIONS: usize = 200;
/// How far back the picture of an injection reaches before it, µs.
pub const BEFORE_US: u64 = 120_000_000;
/// How long an injection is watched after the system was said to be back, µs.
pub const AFTER_US: u64 = 60_000_000;
/// How long an injection is watched after it was cleared, when nobody says that the system is back, µs.
pub const WATCHED_US: u64 = 15 * 60_000_000;
/// How long before an injection a write may have been acknowledged that is lost with it, µs.
pub const WRITES_US: u64 = 60_000_000;
/// Alerts that are kept of an injection.
const ALERTS: usize = 50;
/// Bytes of output that are kept of an injection.
const OUTPUT: usize = 8_192;
/// Ledgers that are kept.
const LEDGERS: usize = 100;

/// The fold.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Injections {
    kept: VecDeque<Arc<Injection>>,
    seen: u64,
    /// How many of the newest may still be watched; none of those before them is.
    watched: usize,
    /// Ways back that were written down before the injections that they are for.
    ways: BTreeMap<usize, String>,
    /// Gates that fail now.
    failing: Vec<usize>,
    ledgers: BTreeMap<String, Ledger>,
    phase: Option<usize>,
    /// When the window was over, but for what was in flight.
    stopped: Option<u64>,
}

/// What a fold has to know from elsewhere when a fault is put in.
pub(super) struct Around<'a> {
    /// Alerts that stand, and when each was seen last.
    pub alerts: &'a mut dyn Iterator<Item = (&'a Alert, u64)>,
    /// Ticks up to now, newest first.
    pub ticks: &'a mut dyn Iterator<Item = &'a Bucket>,
    /// Length of a tick, µs.
    pub tick_us: u64,
    /// Names by index.
    pub names: &'a Names,
    /// What each series is now.
    pub series: &'a [Option<f64>],
}

impl Injections {
    pub(super) fn kept(&self) -> &VecDeque<Arc<Injection>> {
        &self.kept
    }

    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    pub(super) fn ledgers(&self) -> &BTreeMap<String, Ledger> {
        &self.ledgers
    }

    /// Takes an event in.
    pub(super) fn event(&mut self, event: &Event, around: Around<'_>) {
        match &event.what {
            Happening::Fault {
                fault,
                state,
                forced,
                ..
            } => {
                if self.opens(*fault, *state) {
                    self.open(*fault, event, *forced, around);
                }
                if let Some(latest) = self.latest(*fault) {
                    latest.enter(event);
                }
            }
            Happening::Undo { fault, way } => match self.latest(*fault).filter(|it| it.is_new()) {
                Some(latest) if latest.way.is_none() => latest.way = Some(way.clone()),
                Some(_) | None => {
                    self.ways.insert(*fault, way.clone());
                }
            },
            Happening::Effect(effect) => {
                if let Some(latest) = self.latest(effect.fault) {
                    latest.effect = Some((**effect).clone());
                }
            }
            Happening::Output { fault, text } => {
                if let Some(latest) = self.latest(*fault) {
                    latest.say(text);
                }
            }
            Happening::Ledger(ledger) => {
                if self.ledgers.len() < LEDGERS || self.ledgers.contains_key(&ledger.name) {
                    let mut ledger = (**ledger).clone();
                    ledger.by_time.truncate(Ledger::MOMENTS);
                    self.ledgers.insert(ledger.name.clone(), ledger);
                }
            }
            Happening::Alert(alert) => {
                let began = event.wall.saturating_sub(event.at);
                self.each_watched(|injection| injection.alert(alert, event.at, began));
            }
            Happening::Gate { gate, holds, .. } => self.gate(*gate, *holds, event.at),
            Happening::Stop { .. } => {
                self.stopped.get_or_insert(event.at);
            }
            Happening::Phase { phase } => self.phase = Some(*phase),
            Happening::Scenario { .. }
            | Happening::Load { .. }
            | Happening::Extend { .. }
            | Happening::Hold { .. }
            | Happening::Mark { .. }
            | Happening::SignOff { .. }
            | Happening::Generator { .. }
            | Happening::Target { .. }
            | Happening::Gauge(_)
            | Happening::Warning { .. }
            | Happening::Unknown => {}
        }
    }

    /// Whether this state begins another injection of the fault.
    fn opens(&self, fault: usize, state: FaultState) -> bool {
        let latest = self.kept.iter().rev().find(|known| known.fault == fault);
        match state {
            FaultState::Injecting => true,
            // An event before it was lost.
            FaultState::Active | FaultState::Reverting | FaultState::Recovering => {
                latest.is_none_or(|latest| latest.state == FaultState::Armed)
            }
            FaultState::Armed | FaultState::Recovered | FaultState::Failed => false,
        }
    }

    fn open(&mut self, fault: usize, event: &Event, forced: bool, around: Around<'_>) {
        // What comes now is not the aftermath of the one before.
        if let Some(latest) = self.latest(fault) {
            latest.closed.get_or_insert(event.at);
        }
        self.seen += 1;
        let began = event.wall.saturating_sub(event.at);
        let ticks: Vec<&Bucket> = around.ticks.collect();
        let newest = || ticks.iter().copied();
        let (names, series) = (around.names, around.series);
        let mut injection = Injection {
            number: self.seen,
            fault,
            phase: self.phase,
            by: event.by.clone(),
            last_by: None,
            forced,
            state: FaultState::Armed,
            since: event.at,
            text: String::new(),
            injecting: event.at,
            until: None,
            active: None,
            reverting: None,
            cleared: None,
            proven: false,
            recovered: None,
            failed: None,
            way: self.ways.remove(&fault),
            effect: None,
            output: VecDeque::new(),
            output_cut: 0,
            alerts: Vec::new(),
            pending: Vec::new(),
            alerts_cut: 0,
            gates: Vec::new(),
            picture: Picture::before(event.at, &mut newest(), around.tick_us),
            gauges: Arc::new(Gauges::before(event.at, names, series, &mut newest())),
            closed: None,
        };
        for (alert, at) in around.alerts {
            match alert.state {
                AlertState::Pending if injection.pending.len() < ALERTS => {
                    injection.pending.push(alert.clone());
                }
                AlertState::Pending => {}
                AlertState::Firing | AlertState::Silenced | AlertState::Resolved => {
                    injection.keep(alert, at, began, true);
                }
            }
        }
        if self.kept.len() == INJECTIONS {
            // One that may still be in place is never forgotten.
            let over = self.kept.iter().position(|known| !known.is_outstanding());
            self.kept.remove(over.unwrap_or(0));
        }
        self.kept.push_back(Arc::new(injection));
        self.watched = (self.watched + 1).min(INJECTIONS);
    }

    /// The newest injection of a fault, to be changed.
    fn latest(&mut self, fault: usize) -> Option<&mut Injection> {
        let mut newest = self.kept.iter_mut().rev();
        newest.find(|known| known.fault == fault).map(Arc::make_mut)
    }

    fn each_watched(&mut self, mut each: impl FnMut(&mut Injection)) {
        let watched = self.kept.iter_mut().rev().take(self.watched);
        for injection in watched.filter(|injection| injection.closed.is_none()) {
            each(Arc::make_mut(injection));
        }
    }

    fn gate(&mut self, gate: usize, holds: bool, at: u64) {
        let failing = self.failing.binary_search(&gate);
        match (holds, failing) {
            (true, Ok(place)) => {
                self.failing.remove(place);
            }
            (false, Err(place)) => {
                self.failing.insert(place, gate);
                self.each_watched(|injection| {
                    if !injection.gates.iter().any(|&(known, _)| known == gate) {
                        injection.gates.push((gate, at));
                    }
                });
            }
            (true, Err(_)) | (false, Ok(_)) => {}
        }
    }

    /// Takes a tick in. What finishes after the window was over says nothing of the system.
    /// `series` is what each series is at its end.
    pub(super) fn tick(&mut self, bucket: &Bucket, tick_us: u64, series: &[Option<f64>]) {
        if self.watched == 0 {
            return;
        }
        let after_stop = self.stopped.is_some_and(|stopped| bucket.at > stopped);
        self.each_watched(|injection| {
            if injection.is_over(bucket.at) || after_stop {
                injection.closed = Some(bucket.at);
            } else {
                injection.picture.push(bucket, tick_us);
                injection.look_at_gauges(bucket, series);
            }
        });
        self.forget_closed();
    }

    /// Takes in that ticks passed of which only a sum is known, up to this moment.
    pub(super) fn coarse(&mut self, ticks: u64, at: u64) {
        if self.watched == 0 {
            return;
        }
        self.each_watched(|injection| {
            injection.picture.unseen += ticks;
            if injection.is_over(at) {
                injection.closed = Some(at);
            }
        });
        self.forget_closed();
    }

    fn forget_closed(&mut self) {
        // The oldest of them that is still open; those after it are looked at as long as it is.
        let first = self.kept.len() - self.watched;
        let mut watched = self.kept.iter().skip(first);
        let closed = watched.position(|known| known.closed.is_none());
        self.watched -= closed.unwrap_or(self.watched);
    }

    /// Takes over the picture and the gauges of an injection that another fold of the same session has seen better, as far as
    /// `until`, µs.
    pub(super) fn adopt(&mut self, other: &Injection, until: u64) {
        let same = |known: &&mut Arc<Injection>| {
            (known.fault, known.injecting) == (other.fault, other.injecting)
        };
        if let Some(injection) = self.kept.iter_mut().find(same) {
            let gauges = other.gauges.up_to(until);
            if gauges.len() > injection.gauges.len() {
                Arc::make_mut(injection).gauges = Arc::new(gauges);
            }
            let better = other.picture.up_to(until);
            if better.cells().len() > injection.picture.cells().len() {
                let injection = Arc::make_mut(injection);
                injection.picture = better;
                injection.closed = other
                    .closed
                    .filter(|&closed| closed <= until)
                    .or(injection.closed);
            }
        }
    }
}
