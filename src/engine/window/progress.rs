//! How a running window stands, for whoever shows it.

use std::time::Duration;

use super::Window;
use crate::history::History;

/// What there is to show of a running window, once a tick.
#[derive(Debug)]
pub struct Progress<'a> {
    /// Since the window began.
    pub at: Duration,
    /// What there is to come.
    pub left: Left,
    /// Name of the phase.
    pub phase: &'a str,
    /// The load factor asked for.
    pub factor: f64,
    /// Everything so far.
    pub history: &'a History,
    /// Ticks that could not be recorded.
    pub lost: u64,
}

/// What a running window has before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Left {
    /// So much time, if nobody changes anything.
    Time(Duration),
    /// Work: every scenario has a fixed amount of it, of which this share is done, 0 to 1. The schedule only bounds it.
    Work(f64),
    /// Nobody knows: the phase is held.
    Held,
}

impl Window {
    pub(super) fn progress(&self) -> Progress<'_> {
        let now = self.clock.now();
        let left = match (self.conductor.end(), self.work) {
            (None, _) => Left::Held,
            (Some(_), Some(work)) => Left::Work(self.done(work)),
            (Some(end), None) => Left::Time(Duration::from_nanos(end.saturating_sub(now))),
        };
        Progress {
            at: Duration::from_nanos(now),
            left,
            phase: &self.profile.phases[self.conductor.phase()].name,
            factor: self.conductor.factor(now),
            history: &self.history,
            lost: self.recorder.lost(),
        }
    }

    /// The share of so many journeys that is done.
    fn done(&self, work: u64) -> f64 {
        let scenarios = 0..self.profile.scenarios.len();
        let finished: u64 = scenarios
            .map(|scenario| self.history.flow(scenario, &[]).finished)
            .sum();
        (finished as f64 / work.max(1) as f64).min(1.0)
    }

    /// Lets whoever scrapes the engine see how it stands.
    pub(super) fn publish(&mut self) {
        let lost = self.recorder.lost();
        if let Some(metrics) = &mut self.metrics {
            metrics.publish(lost);
        }
    }
}
