//! What is asked for at a moment: now, and a moment ago.
//!
//! The fleet gives an interval out up to a quarter of a second after its end, and by then the conductor may have moved
//! on. What a tick says of its phase and its load goes by the end of the interval, so the recent past is kept.

use std::collections::VecDeque;

use crate::load::clock::Nanos;

/// Changes that are kept: far more than a person, or a schedule in a hurry, makes before an interval is given out.
const KEPT: usize = 64;

/// A phase as the conductor needs it.
#[derive(Debug, Clone)]
pub(super) struct Stretch {
    pub length: Nanos,
    pub ramp: Nanos,
    pub load: f64,
}

/// Everything that decides the load factor, from one change to the next.
#[derive(Debug, Clone)]
pub(super) struct Course {
    /// Index of the phase.
    pub phase: usize,
    /// When it began.
    pub began: Nanos,
    /// The factor that its ramp starts from.
    pub ramp_from: f64,
    /// The factor that a person set.
    pub factor_by_hand: Option<f64>,
    /// By scenario, the amount that a person set.
    pub amounts: Vec<Option<f64>>,
    /// Nothing is asked for any more.
    pub over: bool,
}

impl Course {
    /// Before the first phase.
    pub fn new(scenarios: usize) -> Self {
        Self {
            phase: 0,
            began: 0,
            ramp_from: 0.0,
            factor_by_hand: None,
            amounts: vec![None; scenarios],
            over: false,
        }
    }

    /// The load factor at `now`.
    pub fn factor(&self, stretches: &[Stretch], now: Nanos) -> f64 {
        if self.over {
            return 0.0;
        }
        self.factor_by_hand
            .unwrap_or_else(|| self.scheduled(&stretches[self.phase], now))
    }

    fn scheduled(&self, stretch: &Stretch, now: Nanos) -> f64 {
        let since = now.saturating_sub(self.began);
        if since >= stretch.ramp {
            return stretch.load;
        }
        self.ramp_from + (stretch.load - self.ramp_from) * (since as f64 / stretch.ramp as f64)
    }
}

/// The courses that are over, each with the moment at which the next one took its place.
#[derive(Debug, Clone, Default)]
pub(super) struct Past(VecDeque<(Nanos, Course)>);

impl Past {
    /// Keeps what was asked for until `until`.
    pub fn keep(&mut self, until: Nanos, course: Course) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back((until, course));
    }

    /// What was asked for in the interval that ended at `at`; `None` when that is what is asked for now.
    pub fn ending(&self, at: Nanos) -> Option<&Course> {
        let (_, course) = self.0.iter().find(|&&(until, _)| at <= until)?;
        Some(course)
    }
}

/// What is asked for in the interval that ends at a moment, as a tick records it.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Index of the phase. The drain belongs to the phase before it.
    pub phase: usize,
    /// The load factor.
    pub factor: f64,
    /// By scenario: whether what a person set overrides the schedule.
    pub by_hand: Vec<bool>,
}
