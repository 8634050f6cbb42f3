//! What was broken on purpose, and what traffic, alerts and people did around it.
//!
//! ```text
//!   Event ──▶ states, effects, outputs, alerts ─┐
//!                                               ├─▶ Injection  one for each time a fault was put in
//!   tick ───▶ cells, while one is being watched ┘
//! ```
//!
//! In: events in the order of the file, and ticks as a [`History`](super::History) keeps them. Out: [`Injection`]s, the
//! newest [`INJECTIONS`] of them. Nothing is judged here: what a moment was worth is the business of
//! [`crate::verdict::recovery`]. The invariant: while no injection is watched, a tick costs one comparison; what came
//! before an injection is taken from the ticks that the history keeps anyway.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::bucket::Bucket;
use crate::session::record::{Alert, AlertState, Effect, Event, FaultState, Happening, Ledger};

mod picture;
#[cfg(test)]
mod tests;

pub use picture::{CELLS, Cell, Picture};

/// Injections that are kept; older ones are only counted.
pub const INJECTIONS: usize = 200;
/// How far back the picture of an injection reaches before it, µs.
pub const BEFORE_US: u64 = 120_000_000;
/// How long an injection is watched after the system was said to be back, µs.
pub const AFTER_US: u64 = 60_000_000;
/// How long an injection is watched after it was cleared, when nobody says that the system is back, µs.
pub const WATCHED_US: u64 = 15 * 60_000_000;
/// Alerts that are kept of an injection.
const ALERTS: usize = 50;
/// Bytes of output that are kept of an injection.
const OUTPUT: usize = 8_192;
/// Ledgers that are kept.
const LEDGERS: usize = 100;

/// One time that a fault was put in, from the wish to what came after it. Times are µs since the window began.
#[derive(Debug, Clone, PartialEq)]
pub struct Injection {
    /// Which one of the window, from 1.
    pub number: u64,
    /// Index of the fault in the window's faults.
    pub fault: usize,
    /// The phase in which it was put in.
    pub phase: Option<usize>,
    /// Who put it in; `None` when the schedule did.
    pub by: Option<String>,
    /// Whether a person insisted on it against a guard rail.
    pub forced: bool,
    /// Its state.
    pub state: FaultState,
    /// When it came into its state.
    pub since: u64,
    /// What was said of its state.
    pub text: String,
    /// When it was on its way in.
    pub injecting: u64,
    /// When it was in place.
    pub active: Option<u64>,
    /// When it was first on its way out.
    pub reverting: Option<u64>,
    /// When it was undone.
    pub cleared: Option<u64>,
    /// When the system was said to be back.
    pub recovered: Option<u64>,
    /// What failed; forgotten once it was undone after all.
    pub failed: Option<Failure>,
    /// The way back, as JSON.
    pub way: Option<String>,
    /// What it was last seen to do to traffic.
    pub effect: Option<Effect>,
    /// What its programs and requests said, oldest first.
    pub output: VecDeque<String>,
    /// Bytes of output that are no longer kept.
    pub output_cut: u64,
    /// Alerts that fired when it was put in, or began to while it was watched; silenced ones too.
    pub alerts: Vec<Fired>,
    /// Alerts that are not in `alerts` for want of room.
    pub alerts_cut: u64,
    /// Gates that failed while it was watched and held before, by index.
    pub gates: Vec<usize>,
    /// Traffic around it, by second.
    pub picture: Picture,
    /// When it was watched no longer, or that it still is.
    pub closed: Option<u64>,
}

/// What failed of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// When.
    pub at: u64,
    /// True when it could not be undone and may still be in place; false when it could not be done.
    pub undoing: bool,
    /// Why.
    pub text: String,
}

/// An alert that was there or came.
#[derive(Debug, Clone, PartialEq)]
pub struct Fired {
    /// As its source told it when it was first seen in this state.
    pub alert: Alert,
    /// When that was seen, µs since the window began.
    pub at: u64,
    /// When it began by the clock of its source, µs since the window began; `None` where the source does not say.
    pub since: Option<u64>,
    /// Whether it was there before the fault was put in.
    pub before: bool,
    /// When it was resolved.
    pub resolved: Option<u64>,
}

/// The fold. Public as what [`History`](super::History) can be asked.
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
                text,
                forced,
            } => {
                if self.opens(*fault, *state) {
                    self.open(*fault, event, *forced, around);
                }
                if let Some(latest) = self.latest(*fault) {
                    latest.enter(*state, event, text);
                    latest.forced |= *forced;
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
                    self.ledgers.insert(ledger.name.clone(), (**ledger).clone());
                }
            }
            Happening::Alert(alert) => {
                let began = event.wall.saturating_sub(event.at);
                self.each_watched(|injection| injection.alert(alert, event.at, began));
            }
            Happening::Gate { gate, holds, .. } => self.gate(*gate, *holds),
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
        let mut injection = Injection {
            number: self.seen,
            fault,
            phase: self.phase,
            by: event.by.clone(),
            forced,
            state: FaultState::Armed,
            since: event.at,
            text: String::new(),
            injecting: event.at,
            active: None,
            reverting: None,
            cleared: None,
            recovered: None,
            failed: None,
            way: self.ways.remove(&fault),
            effect: None,
            output: VecDeque::new(),
            output_cut: 0,
            alerts: Vec::new(),
            alerts_cut: 0,
            gates: Vec::new(),
            picture: Picture::before(event.at, around.ticks, around.tick_us),
            closed: None,
        };
        for (alert, at) in around.alerts {
            if alert.state != AlertState::Pending {
                injection.keep(alert, at, began, true);
            }
        }
        if self.kept.len() == INJECTIONS {
            self.kept.pop_front();
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

    fn gate(&mut self, gate: usize, holds: bool) {
        let failing = self.failing.binary_search(&gate);
        match (holds, failing) {
            (true, Ok(place)) => {
                self.failing.remove(place);
            }
            (false, Err(place)) => {
                self.failing.insert(place, gate);
                self.each_watched(|injection| {
                    if !injection.gates.contains(&gate) {
                        injection.gates.push(gate);
                    }
                });
            }
            (true, Err(_)) | (false, Ok(_)) => {}
        }
    }

    /// Takes a tick in. What finishes after the window was over says nothing of the system.
    pub(super) fn tick(&mut self, bucket: &Bucket, tick_us: u64) {
        if self.watched == 0 {
            return;
        }
        let after_stop = self.stopped.is_some_and(|stopped| bucket.at > stopped);
        self.each_watched(|injection| {
            if injection.is_over(bucket.at) || after_stop {
                injection.closed = Some(bucket.at);
            } else {
                injection.picture.push(bucket, tick_us);
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

    /// Takes over the picture of an injection that another fold of the same session has seen better, as far as
    /// `until`, µs.
    pub(super) fn adopt(&mut self, other: &Injection, until: u64) {
        let same = |known: &&mut Arc<Injection>| {
            (known.fault, known.injecting) == (other.fault, other.injecting)
        };
        if let Some(injection) = self.kept.iter_mut().find(same) {
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

impl Injection {
    /// Whether it has only begun, so that what comes for its fault is about it.
    fn is_new(&self) -> bool {
        self.active.is_none() && self.failed.is_none() && self.cleared.is_none()
    }

    fn enter(&mut self, state: FaultState, event: &Event, text: &str) {
        let (at, before) = (event.at, self.state);
        self.state = state;
        self.since = at;
        text.clone_into(&mut self.text);
        match state {
            FaultState::Injecting => {}
            FaultState::Active => {
                self.active.get_or_insert(at);
            }
            FaultState::Reverting => {
                self.reverting.get_or_insert(at);
            }
            FaultState::Recovering => {
                self.cleared.get_or_insert(at);
                self.failed = None;
            }
            FaultState::Recovered => {
                self.cleared.get_or_insert(at);
                self.recovered.get_or_insert(at);
                self.failed = None;
            }
            FaultState::Failed => {
                let undoing = match before {
                    FaultState::Injecting | FaultState::Armed => self.active.is_some(),
                    FaultState::Active | FaultState::Reverting => true,
                    FaultState::Recovering | FaultState::Recovered => false,
                    FaultState::Failed => self.failed.as_ref().is_some_and(|it| it.undoing),
                };
                // One that was undone and did not come back has not failed to be undone.
                if self.cleared.is_none() {
                    self.failed = Some(Failure {
                        at,
                        undoing,
                        text: text.to_owned(),
                    });
                }
            }
            FaultState::Armed => {
                let was_there = self.active.is_some() || self.reverting.is_some();
                if was_there && self.failed.as_ref().is_none_or(|failed| failed.undoing) {
                    self.cleared.get_or_insert(at);
                    self.failed = None;
                }
            }
        }
    }

    fn say(&mut self, text: &str) {
        self.output.push_back(text.to_owned());
        let mut bytes: usize = self.output.iter().map(String::len).sum();
        while bytes > OUTPUT
            && let Some(oldest) = self.output.pop_front()
        {
            bytes -= oldest.len();
            self.output_cut += oldest.len() as u64;
        }
    }

    fn alert(&mut self, alert: &Alert, at: u64, began: u64) {
        let known = self.alerts.iter_mut().rev().find(|known| {
            let same = (&known.alert.from, &known.alert.name, &known.alert.labels);
            same == (&alert.from, &alert.name, &alert.labels) && known.resolved.is_none()
        });
        match (alert.state, known) {
            (AlertState::Pending, _)
            | (AlertState::Resolved, None)
            | (AlertState::Silenced, Some(_)) => {}
            (AlertState::Resolved, Some(known)) => known.resolved = Some(at),
            (AlertState::Firing | AlertState::Silenced, None) => {
                self.keep(alert, at, began, false);
            }
            (AlertState::Firing, Some(known)) => {
                // One that was silenced and no longer is fires from now on.
                if known.alert.state == AlertState::Silenced && !known.before {
                    known.alert = alert.clone();
                    known.at = at;
                }
            }
        }
    }

    /// Keeps an alert. `began` is when the window did, by the wall clock.
    fn keep(&mut self, alert: &Alert, at: u64, began: u64, before: bool) {
        if self.alerts.len() == ALERTS {
            self.alerts_cut += 1;
            return;
        }
        self.alerts.push(Fired {
            alert: alert.clone(),
            at,
            since: alert.since.map(|since| since.saturating_sub(began)),
            before,
            resolved: None,
        });
    }

    /// Whether it was in place, as far as is known.
    pub fn was_done(&self) -> bool {
        self.active.is_some()
            || self.reverting.is_some()
            || self.cleared.is_some()
            || self.failed.as_ref().is_some_and(|failed| failed.undoing)
    }

    /// The stretch that a picture of it shows, µs since the window began: from half a minute before it to half a minute
    /// after the system was back, or to what was seen last.
    pub fn shown(&self, back: Option<u64>) -> (u64, u64) {
        const MARGIN: u64 = 30_000_000;
        let last = self
            .picture
            .cells()
            .last()
            .map_or(self.injecting, |cell| cell.at);
        let over = back.map_or(u64::MAX, |back| {
            back.max(self.cleared.unwrap_or(0)).saturating_add(MARGIN)
        });
        let until = last.min(over).max(self.injecting + 1_000_000);
        (self.injecting.saturating_sub(MARGIN), until)
    }

    /// Whether it may be in place still.
    pub fn is_outstanding(&self) -> bool {
        let never_was = self.failed.as_ref().is_some_and(|failed| !failed.undoing);
        self.cleared.is_none() && !never_was && self.state != FaultState::Armed
    }

    /// Whether nothing that comes at this moment belongs to it any more.
    fn is_over(&self, at: u64) -> bool {
        let passed = |since: u64, span: u64| at.saturating_sub(since) > span;
        match (&self.failed, self.recovered, self.cleared) {
            (Some(failed), _, _) if !failed.undoing => passed(failed.at, AFTER_US),
            (_, Some(recovered), _) => passed(recovered, AFTER_US),
            (_, None, Some(cleared)) => passed(cleared, WATCHED_US),
            (_, None, None) => false,
        }
    }
}
