//! Which load is asked for at each moment: phases, ramps, and what people changed by hand.
//!
//! In: the profile's phases and scenarios, orders, and the time. Out: for each scenario a [`Curve`] of what is asked
//! from now to the end of the window, and the events to record. It is a pure state machine without a clock of its own.
//! The invariant: the curves handed out always reach to the end of the schedule, so that a phase begins on time even
//! if nobody calls in just then; a call only replaces the future, and never moves what has been asked already.

use std::time::Duration;

use super::command::{Command, Order};
use crate::load::clock::Nanos;
use crate::load::schedule::{Curve, Piece};
use crate::profile::Profile;
use crate::profile::model::Model;
use crate::session::record::{EndReason, Happening, ScenarioState};

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
}

#[derive(Debug, Clone)]
struct Stretch {
    length: Nanos,
    ramp: Nanos,
    load: f64,
}

#[derive(Debug, Clone)]
struct Stream {
    amount: f64,
    scales: bool,
    running: bool,
    by_hand: Option<f64>,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Conductor {
    stretches: Vec<Stretch>,
    streams: Vec<Stream>,
    spike: f64,
    current: usize,
    began: Nanos,
    ends: Nanos,
    ramp_from: f64,
    held_since: Option<Nanos>,
    factor_by_hand: Option<f64>,
    over: bool,
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
        let streams = profile
            .scenarios
            .iter()
            .map(|scenario| Stream {
                amount: match scenario.model {
                    Model::Open { rate, .. } => rate.0,
                    Model::Closed { users, .. } => f64::from(users),
                },
                scales: scenario.scale,
                running: scenario.start,
                by_hand: None,
            })
            .collect();
        let ends = stretches.first().map_or(0, |first| first.length);
        Self {
            stretches,
            streams,
            spike: profile.window.spike.0,
            current: 0,
            began: 0,
            ends,
            ramp_from: 0.0,
            held_since: None,
            factor_by_hand: None,
            over: false,
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
        (!self.over && self.held_since.is_none()).then_some(self.ends)
    }

    /// Index of the current phase.
    pub fn phase(&self) -> usize {
        self.current
    }

    /// The load factor asked for at `now`.
    pub fn factor(&self, now: Nanos) -> f64 {
        if self.over {
            return 0.0;
        }
        self.factor_by_hand
            .unwrap_or_else(|| self.scheduled_factor(now))
    }

    /// Whether what a person set overrides the schedule for a scenario.
    pub fn by_hand(&self, scenario: usize) -> bool {
        self.streams.get(scenario).is_some_and(|stream| {
            stream.by_hand.is_some() || (stream.scales && self.factor_by_hand.is_some())
        })
    }

    /// Whether a scenario puts load as far as orders go.
    pub fn running(&self, scenario: usize) -> bool {
        !self.over
            && self
                .streams
                .get(scenario)
                .is_some_and(|stream| stream.running)
    }

    /// When the window will be over if nobody changes anything; `None` while held.
    pub fn end(&self) -> Option<Nanos> {
        let rest: Nanos = self
            .stretches
            .iter()
            .skip(self.current + 1)
            .map(|stretch| stretch.length)
            .sum();
        self.held_since
            .is_none()
            .then_some(self.ends.saturating_add(rest))
    }

    /// When the current phase will be over; `None` while held.
    pub fn phase_end(&self) -> Option<Nanos> {
        self.held_since.is_none().then_some(self.ends)
    }

    /// Does what the schedule has due at `now`: phases that end, phases that begin.
    pub fn advance(&mut self, now: Nanos) -> Vec<Action> {
        let mut actions = Vec::new();
        while !self.over && self.held_since.is_none() && now >= self.ends {
            let at = self.ends;
            if self.current + 1 < self.stretches.len() {
                let changed = self.has_changes_by_hand();
                self.enter(self.current + 1, at);
                actions.push(event(
                    None,
                    Happening::Phase {
                        phase: self.current,
                    },
                ));
                if changed {
                    actions.extend(self.curves(now));
                }
            } else {
                self.over = true;
                actions.push(event(
                    None,
                    end("the schedule ran out".into(), EndReason::Finished),
                ));
                actions.push(Action::End);
            }
        }
        actions
    }

    /// Carries out an order at `now`. An order that makes no sense (an unknown scenario, a window that is over) is
    /// answered with a sentence and changes nothing.
    pub fn order(&mut self, order: Order, now: Nanos) -> Result<Vec<Action>, String> {
        if self.over {
            return Err("the window is over".into());
        }
        let at = now + nanos(LEAD);
        let Order { by, command } = order;
        let mut actions = Vec::new();
        match command {
            Command::Start { scenario } | Command::Stop { scenario } => {
                let on = matches!(command, Command::Start { .. });
                self.stream(scenario)?.running = on;
                let state = if on {
                    ScenarioState::Running
                } else {
                    ScenarioState::Draining
                };
                actions.push(event(by, Happening::Scenario { scenario, state }));
                actions.push(if on {
                    Action::Start { scenario, at }
                } else {
                    Action::Stop { scenario, at }
                });
            }
            Command::Amount { scenario, amount } => {
                let amount = sane(amount)?;
                self.stream(scenario)?.by_hand = Some(amount);
                actions.push(event(
                    by,
                    Happening::Load {
                        scenario: Some(scenario),
                        factor: amount,
                    },
                ));
                actions.push(self.curve(scenario, at));
            }
            Command::Load { factor } => {
                actions.extend(self.set_factor(Some(sane(factor)?), by, at))
            }
            Command::Spike { on } => {
                actions.extend(self.set_factor(on.then_some(self.spike), by, at))
            }
            Command::Hold { on } => {
                match (on, self.held_since) {
                    (true, None) => self.held_since = Some(now),
                    (false, Some(since)) => {
                        self.ends = self.ends.saturating_add(now.saturating_sub(since));
                        self.held_since = None;
                    }
                    (true, Some(_)) => return Err("the phase is held already".into()),
                    (false, None) => return Err("the phase is not held".into()),
                }
                actions.push(event(by, Happening::Hold { on }));
                actions.extend(self.curves(at));
            }
            Command::Next => return self.jump(self.current + 1, by, at),
            Command::Jump { phase } => return self.jump(phase, by, at),
            Command::Extend { by: length } => {
                self.ends = self.ends.saturating_add(nanos(length));
                let by_us = u64::try_from(length.as_micros()).unwrap_or(u64::MAX);
                actions.push(event(
                    by,
                    Happening::Extend {
                        phase: self.current,
                        by_us,
                    },
                ));
                actions.extend(self.curves(at));
            }
            Command::Mark { text } => actions.push(event(by, Happening::Mark { text })),
            Command::End { text } => {
                self.over = true;
                actions.push(event(by, end(text, EndReason::Stopped)));
                actions.push(Action::End);
            }
        }
        Ok(actions)
    }

    /// Ends the window because a gate asked for it.
    pub fn abort(&mut self, text: String) -> Vec<Action> {
        if std::mem::replace(&mut self.over, true) {
            return Vec::new();
        }
        vec![event(None, end(text, EndReason::Aborted)), Action::End]
    }

    /// Ends the window because all fixed work is done.
    pub fn finish(&mut self) -> Vec<Action> {
        if std::mem::replace(&mut self.over, true) {
            return Vec::new();
        }
        vec![
            event(
                None,
                end("all iterations are done".into(), EndReason::Finished),
            ),
            Action::End,
        ]
    }

    fn jump(&mut self, phase: usize, by: Option<String>, at: Nanos) -> Result<Vec<Action>, String> {
        if phase >= self.stretches.len() {
            return Err(format!(
                "there is no phase {}; the last one is {}",
                phase + 1,
                self.stretches.len()
            ));
        }
        self.enter(phase, at);
        let mut actions = vec![event(by, Happening::Phase { phase })];
        actions.extend(self.curves(at));
        Ok(actions)
    }

    /// Makes `phase` the current one, beginning at `at`; its ramp starts from the factor asked for just then, and what
    /// people changed by hand in the previous phase ends.
    fn enter(&mut self, phase: usize, at: Nanos) {
        self.ramp_from = self.factor(at);
        self.factor_by_hand = None;
        for stream in &mut self.streams {
            stream.by_hand = None;
        }
        self.held_since = None;
        self.current = phase;
        self.began = at;
        self.ends = at.saturating_add(self.stretches[phase].length);
    }

    fn set_factor(&mut self, factor: Option<f64>, by: Option<String>, at: Nanos) -> Vec<Action> {
        self.factor_by_hand = factor;
        let factor = self.factor(at);
        let mut actions = vec![event(
            by,
            Happening::Load {
                scenario: None,
                factor,
            },
        )];
        actions.extend(self.curves(at));
        actions
    }

    fn stream(&mut self, scenario: usize) -> Result<&mut Stream, String> {
        let count = self.streams.len();
        self.streams.get_mut(scenario).ok_or_else(|| {
            format!(
                "there is no scenario {}; the last one is {count}",
                scenario + 1
            )
        })
    }

    fn has_changes_by_hand(&self) -> bool {
        self.factor_by_hand.is_some() || self.streams.iter().any(|stream| stream.by_hand.is_some())
    }

    fn scheduled_factor(&self, now: Nanos) -> f64 {
        let stretch = &self.stretches[self.current];
        let since = now.saturating_sub(self.began);
        if since >= stretch.ramp {
            return stretch.load;
        }
        self.ramp_from + (stretch.load - self.ramp_from) * (since as f64 / stretch.ramp as f64)
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
        match (stream.by_hand, self.factor_by_hand) {
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
                self.current,
                self.began,
                current_end,
                self.ramp_from,
            ),
        }
        let (mut from, mut previous) = (current_end, self.factor(current_end.saturating_sub(1)));
        for (index, stretch) in self.stretches.iter().enumerate().skip(self.current + 1) {
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

fn sane(amount: f64) -> Result<f64, String> {
    if amount.is_finite() && amount >= 0.0 {
        Ok(amount)
    } else {
        Err(format!("{amount} is no load; give 0 or more"))
    }
}

#[cfg(test)]
#[path = "conductor_tests.rs"]
mod tests;
