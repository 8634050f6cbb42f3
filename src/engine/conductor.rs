//! Which load is asked for at each moment: phases, ramps, and what people changed by hand.
//!
//! In: the profile's phases and scenarios, orders, and the time. Out: for each scenario a [`Curve`] of what is asked
//! from now to the end of the window, and the events to record. It is a pure state machine without a clock of its own.
//! The invariant: the curves handed out always reach to the end of the schedule, so that a phase begins on time even
//! if nobody calls in just then; a call only replaces the future, and never moves what has been asked already.

mod orders;

use std::time::Duration;

pub use super::course::Asked;
use super::course::{Course, Past, Stretch};
use crate::load::clock::Nanos;
use crate::load::schedule::{Curve, Piece};
use crate::profile::Profile;
use crate::profile::model::Model;
use crate::session::record::{EndReason, Happening};

/// How far ahead of the order a change is dated, so that every worker has it before it is due.
const LEAD: Duration = Duration::from_millis(10);

/// What the engine has to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Replace the future of one scenario's load.
    Curve {
        /// Which scenario.
        scenario: usize,
        /// From when.
        at: Nanos,
        /// What is asked from then on.
        curve: Curve,
    },
    /// Let a scenario put load again.
    Start {
        /// Which scenario.
        scenario: usize,
        /// From when.
        at: Nanos,
    },
    /// Let a scenario put no more load.
    Stop {
        /// Which scenario.
        scenario: usize,
        /// From when.
        at: Nanos,
    },
    /// Put an event into the session.
    Record {
        /// Who caused it.
        by: Option<String>,
        /// What happened.
        what: Happening,
    },
    /// The window is over: drain and close.
    End,
    /// The window is over, and what is in flight is not waited for.
    Abort,
}

#[derive(Debug, Clone)]
struct Stream {
    amount: f64,
    scales: bool,
    /// Only whole amounts make sense: users.
    whole: bool,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Conductor {
    stretches: Vec<Stretch>,
    streams: Vec<Stream>,
    spike: f64,
    /// What is asked for now.
    course: Course,
    past: Past,
    ends: Nanos,
    held_since: Option<Nanos>,
}

impl Conductor {
    /// Before the first phase.
    pub fn new(profile: &Profile) -> Self {
        let stretches: Vec<Stretch> = profile
            .phases
            .iter()
            .map(|phase| Stretch {
                length: nanos(phase.length),
                ramp: nanos(phase.ramp),
                load: phase.load.0,
            })
            .collect();
        let streams: Vec<Stream> = profile
            .scenarios
            .iter()
            .map(|scenario| Stream {
                amount: match scenario.model {
                    Model::Open { rate, .. } => rate.0,
                    Model::Closed { users, .. } => f64::from(users),
                },
                scales: scenario.scale,
                whole: matches!(scenario.model, Model::Closed { .. }),
            })
            .collect();
        let ends = stretches.first().map_or(0, |first| first.length);
        Self {
            stretches,
            course: Course::new(streams.len()),
            past: Past::default(),
            streams,
            spike: profile.window.spike.0,
            ends,
            held_since: None,
        }
    }

    /// Begins the first phase at 0.
    pub fn begin(&mut self) -> Vec<Action> {
        let mut actions = vec![event(None, Happening::Phase { phase: 0 })];
        actions.extend(self.curves(0));
        actions
    }

    /// The moment of the next change that the schedule itself makes; `None` while held or over.
    pub fn next_change(&self) -> Option<Nanos> {
        (!self.course.over && self.held_since.is_none()).then_some(self.ends)
    }

    /// Index of the current phase.
    pub fn phase(&self) -> usize {
        self.course.phase
    }

    /// Whether the current phase is held.
    pub fn held(&self) -> bool {
        self.held_since.is_some()
    }

    /// The load factor asked for at `now`.
    pub fn factor(&self, now: Nanos) -> f64 {
        self.course.factor(&self.stretches, now)
    }

    /// What was asked for in the interval that ended at `at`, however long ago that is.
    pub fn asked(&self, at: Nanos) -> Asked {
        let course = self.past.ending(at).unwrap_or(&self.course);
        let by_hand = self.streams.iter().zip(&course.amounts);
        Asked {
            phase: course.phase,
            factor: course.factor(&self.stretches, at.saturating_sub(1)),
            by_hand: by_hand
                .map(|(stream, amount)| {
                    amount.is_some() || (stream.scales && course.factor_by_hand.is_some())
                })
                .collect(),
        }
    }

    /// When the window will be over if nobody changes anything; `None` while held.
    pub fn end(&self) -> Option<Nanos> {
        let rest: Nanos = self
            .stretches
            .iter()
            .skip(self.course.phase + 1)
            .map(|stretch| stretch.length)
            .sum();
        self.held_since
            .is_none()
            .then_some(self.ends.saturating_add(rest))
    }

    /// Does what the schedule has due at `now`: phases that end, phases that begin.
    pub fn advance(&mut self, now: Nanos) -> Vec<Action> {
        let mut actions = Vec::new();
        while !self.course.over && self.held_since.is_none() && now >= self.ends {
            let at = self.ends;
            if self.course.phase + 1 < self.stretches.len() {
                let changed = self.has_changes_by_hand();
                self.enter(self.course.phase + 1, at);
                actions.push(event(
                    None,
                    Happening::Phase {
                        phase: self.course.phase,
                    },
                ));
                if changed {
                    actions.extend(self.curves(now));
                }
            } else {
                self.change(at).over = true;
                actions.push(event(
                    None,
                    end("the schedule ran out".into(), EndReason::Finished),
                ));
                actions.push(Action::End);
            }
        }
        actions
    }

    /// Ends the window at `now` because a gate asked for it.
    pub fn abort(&mut self, text: String, now: Nanos) -> Vec<Action> {
        self.finish_for(text, EndReason::Aborted, now)
    }

    /// Ends the window at `now` because all fixed work is done.
    pub fn finish(&mut self, now: Nanos) -> Vec<Action> {
        self.finish_for("all iterations are done".into(), EndReason::Finished, now)
    }

    fn finish_for(&mut self, text: String, reason: EndReason, now: Nanos) -> Vec<Action> {
        if self.course.over {
            return Vec::new();
        }
        self.change(now).over = true;
        vec![event(None, end(text, reason)), Action::End]
    }

    /// What is asked for, to be changed from `at` on.
    fn change(&mut self, at: Nanos) -> &mut Course {
        self.past.keep(at, self.course.clone());
        &mut self.course
    }

    /// Makes `phase` the current one, beginning at `at`; its ramp starts from the factor asked for just then, and what
    /// people changed by hand in the previous phase ends.
    fn enter(&mut self, phase: usize, at: Nanos) {
        let ramp_from = self.factor(at);
        let course = Course {
            phase,
            began: at,
            ramp_from,
            ..Course::new(self.streams.len())
        };
        *self.change(at) = course;
        self.held_since = None;
        self.ends = at.saturating_add(self.stretches[phase].length);
    }

    fn has_changes_by_hand(&self) -> bool {
        self.course.factor_by_hand.is_some() || self.course.amounts.iter().any(Option::is_some)
    }

    fn curves(&self, at: Nanos) -> Vec<Action> {
        (0..self.streams.len())
            .map(|scenario| self.curve(scenario, at))
            .collect()
    }

    /// Everything that is asked of one scenario from `at` on.
    fn curve(&self, scenario: usize, at: Nanos) -> Action {
        let stream = &self.streams[scenario];
        let mut pieces = Vec::new();
        let current_end = if self.held_since.is_some() {
            Nanos::MAX
        } else {
            self.ends
        };
        match (self.course.amounts[scenario], self.course.factor_by_hand) {
            (Some(amount), _) => push(&mut pieces, at, current_end, amount, amount),
            (None, Some(factor)) if stream.scales => {
                push(
                    &mut pieces,
                    at,
                    current_end,
                    stream.amount * factor,
                    stream.amount * factor,
                );
            }
            (None, _) => self.push_stretch(
                &mut pieces,
                stream,
                self.course.phase,
                self.course.began,
                current_end,
                self.course.ramp_from,
            ),
        }
        let (mut from, mut previous) = (current_end, self.factor(current_end.saturating_sub(1)));
        for (index, stretch) in self
            .stretches
            .iter()
            .enumerate()
            .skip(self.course.phase + 1)
        {
            let to = from.saturating_add(stretch.length);
            self.push_stretch(&mut pieces, stream, index, from, to, previous);
            (from, previous) = (to, stretch.load);
        }
        Action::Curve {
            scenario,
            at,
            curve: Curve::new(pieces),
        }
    }

    fn push_stretch(
        &self,
        pieces: &mut Vec<Piece>,
        stream: &Stream,
        index: usize,
        from: Nanos,
        to: Nanos,
        previous: f64,
    ) {
        let stretch = &self.stretches[index];
        if !stream.scales {
            push(pieces, from, to, stream.amount, stream.amount);
            return;
        }
        let ramp_end = from.saturating_add(stretch.ramp).min(to);
        let reached = stream.amount * stretch.load;
        push(pieces, from, ramp_end, stream.amount * previous, reached);
        push(pieces, ramp_end, to, reached, reached);
    }
}

fn push(pieces: &mut Vec<Piece>, from: Nanos, to: Nanos, start: f64, end: f64) {
    if from < to {
        pieces.push(Piece {
            from,
            to,
            start,
            end,
        });
    }
}

fn event(by: Option<String>, what: Happening) -> Action {
    Action::Record { by, what }
}

fn end(text: String, reason: EndReason) -> Happening {
    Happening::Stop { reason, text }
}

fn nanos(duration: Duration) -> Nanos {
    Nanos::try_from(duration.as_nanos()).unwrap_or(Nanos::MAX)
}

#[cfg(test)]
#[path = "conductor_tests.rs"]
mod tests;
