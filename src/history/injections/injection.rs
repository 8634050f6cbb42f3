//! One injection, and how events change it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::bucket::Bucket;
use super::{AFTER_US, ALERTS, Gauges, OUTPUT, Picture, WATCHED_US, WRITES_US};
use crate::session::record::{Alert, AlertState, Effect, Event, FaultState, Happening};

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
    /// Who asked for a change of it last.
    pub last_by: Option<String>,
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
    /// When it goes out by itself, as far as was said.
    pub until: Option<u64>,
    /// When it was in place.
    pub active: Option<u64>,
    /// When it was first on its way out.
    pub reverting: Option<u64>,
    /// When it was undone.
    pub cleared: Option<u64>,
    /// Whether that it was undone was read back from what was mended.
    pub proven: bool,
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
    /// Alerts that were pending when it was put in, and have been since: they were on their way without it.
    pub pending: Vec<Alert>,
    /// Alerts that are not in `alerts` for want of room.
    pub alerts_cut: u64,
    /// Gates that failed while it was watched and held before, by index, and when they did first, µs since the window began.
    pub gates: Vec<(usize, u64)>,
    /// Traffic around it, by second.
    pub picture: Picture,
    /// What gauges did before it and while it was in place.
    pub gauges: Arc<Gauges>,
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
    /// Whether it was pending before the fault was put in, and fired without having been resolved.
    pub pending: bool,
    /// When it was resolved.
    pub resolved: Option<u64>,
}

impl Injection {
    /// Whether it has only begun, so that what comes for its fault is about it.
    pub(super) fn is_new(&self) -> bool {
        let untouched = self.active.is_none() && self.failed.is_none() && self.cleared.is_none();
        untouched && self.state != FaultState::Armed
    }

    /// Takes a change of its state in; any other event is none of its business.
    pub(super) fn enter(&mut self, event: &Event) {
        let Happening::Fault {
            state,
            text,
            forced,
            in_place,
            proven,
            until,
            ..
        } = &event.what
        else {
            return;
        };
        let (at, before) = (event.at, self.state);
        self.state = *state;
        self.since = at;
        self.forced |= *forced;
        if event.by.is_some() {
            self.last_by.clone_from(&event.by);
        }
        text.clone_into(&mut self.text);
        match state {
            FaultState::Injecting => self.until = until.or(self.until),
            FaultState::Active => {
                self.until = until.or(self.until);
                self.active.get_or_insert(at);
            }
            FaultState::Reverting => {
                self.reverting.get_or_insert(at);
            }
            FaultState::Recovering => self.clear(at, *proven),
            FaultState::Recovered => {
                self.clear(at, *proven);
                self.recovered.get_or_insert(at);
            }
            FaultState::Failed => self.fail(at, text, *in_place, before),
            FaultState::Armed => {
                // Called back before anything was done, or never done: there was nothing to clear.
                let undoing = self.failed.as_ref().map(|failed| failed.undoing);
                if undoing.unwrap_or(self.active.is_some()) {
                    self.clear(at, *proven);
                }
            }
        }
    }

    fn clear(&mut self, at: u64, proven: bool) {
        self.cleared.get_or_insert(at);
        self.failed = None;
        self.proven |= proven;
    }

    fn fail(&mut self, at: u64, text: &str, in_place: bool, before: FaultState) {
        // One that was undone and did not come back has not failed to be undone.
        if self.cleared.is_some() {
            return;
        }
        // Older records do not say whether it is in place; on its way out, one that was there may be.
        let undoing = in_place
            || match before {
                FaultState::Reverting => self.active.is_some(),
                FaultState::Failed => self.failed.as_ref().is_some_and(|it| it.undoing),
                FaultState::Armed
                | FaultState::Injecting
                | FaultState::Active
                | FaultState::Recovering
                | FaultState::Recovered => false,
            };
        // One that was there, and of which nothing is left, is gone from now on.
        if !undoing && self.active.is_some() {
            self.cleared = Some(at);
        }
        self.failed = Some(Failure {
            at,
            undoing,
            text: text.to_owned(),
        });
    }

    pub(super) fn say(&mut self, text: &str) {
        self.output.push_back(text.to_owned());
        let mut bytes: usize = self.output.iter().map(String::len).sum();
        while bytes > OUTPUT
            && let Some(oldest) = self.output.pop_front()
        {
            bytes -= oldest.len();
            self.output_cut += oldest.len() as u64;
        }
    }

    pub(super) fn alert(&mut self, alert: &Alert, at: u64, began: u64) {
        let injecting = self.injecting;
        let known = self
            .alerts
            .iter_mut()
            .rev()
            .find(|known| is_same(&known.alert, alert) && known.resolved.is_none());
        match (alert.state, known) {
            (AlertState::Resolved, None) => {
                let place = self.pending.iter().position(|known| is_same(known, alert));
                place.map(|place| self.pending.remove(place));
            }
            (AlertState::Pending, _) | (AlertState::Silenced, Some(_)) => {}
            (AlertState::Resolved, Some(known)) => {
                known.resolved = Some(at);
                self.pending.retain(|known| !is_same(known, alert));
            }
            (AlertState::Firing | AlertState::Silenced, None) => {
                self.keep(alert, at, began, false);
            }
            (AlertState::Firing, Some(known)) => {
                // It was resolved and fired anew between two looks at it.
                let since = alert.since.map(|since| since.saturating_sub(began));
                if let Some(since) = since.filter(|since| Some(*since) > known.since)
                    && known.since.is_some()
                    && since >= injecting
                {
                    known.resolved = Some(since);
                    return self.keep(alert, at, began, false);
                }
                // One that was silenced and no longer is fires from now on.
                if known.alert.state == AlertState::Silenced && !known.before {
                    known.alert = alert.clone();
                    known.at = at;
                }
            }
        }
    }

    /// Keeps an alert. `began` is when the window did, by the wall clock.
    pub(super) fn keep(&mut self, alert: &Alert, at: u64, began: u64, before: bool) {
        if self.alerts.len() == ALERTS {
            self.alerts_cut += 1;
            return;
        }
        self.alerts.push(Fired {
            alert: alert.clone(),
            at,
            since: alert.since.map(|since| since.saturating_sub(began)),
            before,
            pending: self.pending.iter().any(|known| is_same(known, alert)),
            resolved: None,
        });
    }

    /// Takes in what gauges are at the end of a tick, while the fault is in place.
    pub(super) fn look_at_gauges(&mut self, bucket: &Bucket, series: &[Option<f64>]) {
        let goes = self.reverting.or(self.cleared).is_some();
        let Some(active) = self.active.filter(|_| !goes) else {
            return;
        };
        if self.gauges.wants(active, bucket.at) {
            Arc::make_mut(&mut self.gauges).push(bucket, series);
        }
    }

    /// Whether it was in place, as far as is known.
    pub fn was_done(&self) -> bool {
        self.active.is_some()
            || self.cleared.is_some()
            || self.failed.as_ref().is_some_and(|failed| failed.undoing)
    }

    /// When it was ordered to be brought back, of one that is, µs since the window began. What the way back takes is part
    /// of the recovery: a failover that is undone by waiting for it was an outage all that time.
    pub fn ordered_back(&self) -> Option<u64> {
        let cleared = self.cleared?;
        Some(self.reverting.map_or(cleared, |at| at.min(cleared)))
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

    /// Whether it was in place, or may be still: whether it can have done anything.
    pub fn is_real(&self) -> bool {
        self.was_done() || self.is_outstanding()
    }

    /// Whether it may be in place still.
    pub fn is_outstanding(&self) -> bool {
        let never_was = self.failed.as_ref().is_some_and(|failed| !failed.undoing);
        self.cleared.is_none() && !never_was && self.state != FaultState::Armed
    }

    /// Whether nothing that comes at this moment belongs to it any more.
    pub(super) fn is_over(&self, at: u64) -> bool {
        self.over().is_some_and(|over| at > over)
    }

    /// The last moment at which what comes may belong to it, µs since the window began: a while after the system was
    /// back, or after the fault was cleared where nobody says that it is back. `None` while nobody can tell.
    pub fn over(&self) -> Option<u64> {
        match (&self.failed, self.recovered, self.cleared) {
            (Some(failed), _, _) if !failed.undoing => Some(failed.at.saturating_add(AFTER_US)),
            (_, Some(recovered), _) => Some(recovered.saturating_add(AFTER_US)),
            (_, None, Some(cleared)) => Some(cleared.saturating_add(WATCHED_US)),
            (None, None, None) if self.state == FaultState::Armed => {
                Some(self.since.saturating_add(AFTER_US))
            }
            (_, None, None) => None,
        }
    }

    /// From when until when a write is near it, µs since the window began: replication that lags loses what was
    /// acknowledged before it.
    pub fn near(&self) -> (u64, u64) {
        let from = self.injecting.saturating_sub(WRITES_US);
        (from, self.over().unwrap_or(u64::MAX))
    }
}

/// Whether two states are those of one alert.
fn is_same(one: &Alert, other: &Alert) -> bool {
    (&one.from, &one.name, &one.labels) == (&other.from, &other.name, &other.labels)
}
