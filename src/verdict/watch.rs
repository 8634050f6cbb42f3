//! A gate while the window runs: its state over the last few seconds, and how long it has been failing.

use std::time::Duration;

use crate::history::select::scope_of;
use crate::history::{History, Totals};
use crate::profile::expect::{Amount, Cmp, Expectation};

use super::gates::{GateSpec, Reading, State, judge_over, read};

/// A gate now: over the last `over` of its phases, or, for what can only be counted from the start (`requests`,
/// `dropped = 0`), over its phases so far. `None` when the gate does not look at the present phase.
pub fn live(history: &History, spec: &GateSpec) -> Option<Reading> {
    let phase = history.last()?.phase?;
    if !spec.applies_to(phase) {
        return None;
    }
    match spec.expect {
        Expectation::Latency { .. }
        | Expectation::Errors { .. }
        | Expectation::Rate { .. }
        | Expectation::Dropped {
            bound: Amount::Share(_),
            ..
        } => {
            let totals = scope_of(history.names(), &spec.of)
                .map_or_else(Totals::default, |scope| {
                    history.recent(&scope, spec.over, &spec.during)
                });
            Some(read(&spec.expect, &totals))
        }
        Expectation::Dropped {
            bound: Amount::Count(_),
            ..
        } => Some(judge_over(history, spec, &spec.during)),
        Expectation::Requests { cmp, .. } => {
            let reading = judge_over(history, spec, &spec.during);
            Some(not_yet(cmp, reading))
        }
    }
}

/// A count that has yet to be reached has not failed.
fn not_yet(cmp: Cmp, reading: Reading) -> Reading {
    match (cmp, reading.state) {
        (Cmp::Greater | Cmp::GreaterOrEqual | Cmp::Equal, State::Fail) => Reading {
            state: State::Inconclusive,
            reason: "not reached yet".into(),
            ..reading
        },
        (
            Cmp::Greater | Cmp::GreaterOrEqual | Cmp::Equal | Cmp::Less | Cmp::LessOrEqual,
            State::Pass | State::Fail | State::Inconclusive,
        ) => reading,
    }
}

/// How long one gate has been failing. Time only goes forward: an update older than the latest is ignored. What is
/// not known changes nothing: a failing gate whose requests stop coming goes on failing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Watch {
    failing_since: Option<u64>,
    now: u64,
}

/// A change of a gate's live state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It began to fail.
    Failed,
    /// It holds again.
    Healed,
}

impl Watch {
    /// Takes the reading at a moment, µs since the window began; `None` when the gate does not look at the present
    /// phase. That ends a failure but heals nothing: nobody has seen the gate hold.
    pub fn update(&mut self, at: u64, reading: Option<&Reading>) -> Option<Change> {
        if at < self.now {
            return None;
        }
        self.now = at;
        let Some(reading) = reading else {
            self.failing_since = None;
            return None;
        };
        let was = self.failing_since;
        match reading.state {
            State::Fail => {
                self.failing_since.get_or_insert(at);
            }
            State::Pass => self.failing_since = None,
            State::Inconclusive => {}
        }
        match (was, self.failing_since) {
            (None, Some(_)) => Some(Change::Failed),
            (Some(_), None) => Some(Change::Healed),
            (None, None) | (Some(_), Some(_)) => None,
        }
    }

    /// Whether the gate fails now.
    pub fn is_failing(&self) -> bool {
        self.failing_since.is_some()
    }

    /// How long it has been failing; zero when it is not.
    pub fn failing_for(&self) -> Duration {
        self.failing_since.map_or(Duration::ZERO, |since| {
            Duration::from_micros(self.now - since)
        })
    }

    /// Whether the window is to end because of it.
    pub fn must_abort(&self, spec: &GateSpec) -> bool {
        self.is_failing()
            && spec
                .abort_after
                .is_some_and(|limit| self.failing_for() >= limit)
    }
}
