//! What people change: one order in, the actions that carry it out.
//!
//! The invariants: an order that makes no sense changes nothing, and each one that acts is recorded once, with who
//! gave it.

use super::{Action, Conductor, LEAD, end, event, nanos};
use crate::engine::command::{Adjust, Command, Order, Switch};
use crate::load::clock::Nanos;
use crate::session::record::{EndReason, Happening, ScenarioState};

/// The most arrivals a second that a person may ask for: what a profile may.
const FASTEST: f64 = 1e8;

/// The most users that a person may ask for.
const MOST_USERS: f64 = 1e7;

impl Conductor {
    /// Carries out an order at `now`. An order that makes no sense (an unknown scenario, a window that is over) is
    /// answered with a sentence and changes nothing.
    pub fn order(&mut self, order: Order, now: Nanos) -> Result<Vec<Action>, String> {
        let Order { by, command } = order;
        if self.course.over {
            return Self::order_late(by, command);
        }
        let at = now + nanos(LEAD);
        match command {
            Command::Start { scenario } => {
                self.known(scenario)?;
                let state = ScenarioState::Running;
                Ok(vec![
                    event(by, Happening::Scenario { scenario, state }),
                    Action::Start { scenario, at },
                ])
            }
            Command::Stop { scenario } => {
                self.known(scenario)?;
                let state = ScenarioState::Draining;
                Ok(vec![
                    event(by, Happening::Scenario { scenario, state }),
                    Action::Stop { scenario, at },
                ])
            }
            Command::Amount { scenario, to } => self.set_amount(scenario, to, by, at),
            Command::Load { to } => {
                let factor = self.sane_factor(to.apply(self.factor(at)))?;
                Ok(self.set_factor(Some(factor), by, at))
            }
            Command::Spike { to } => {
                let on = to.turn(self.spiking());
                Ok(self.set_factor(on.then_some(self.spike), by, at))
            }
            Command::Hold { to } => self.hold(to, by, now, at),
            Command::Next => self.jump(self.course.phase + 1, by, at),
            Command::Jump { phase } => self.jump(phase, by, at),
            Command::Extend { by: length } => {
                self.ends = self.ends.saturating_add(nanos(length));
                let by_us = u64::try_from(length.as_micros()).unwrap_or(u64::MAX);
                let phase = self.course.phase;
                let mut actions = vec![event(by, Happening::Extend { phase, by_us })];
                actions.extend(self.curves(at));
                Ok(actions)
            }
            Command::End { text } => {
                self.change(now).over = true;
                Ok(vec![event(by, end(text, EndReason::Stopped)), Action::End])
            }
            Command::Abort { text } => {
                self.change(now).over = true;
                Ok(aborted(by, text))
            }
            Command::Mark { text } => Ok(vec![event(by, Happening::Mark { text })]),
            Command::SignOff { decision, text } => {
                Ok(vec![event(by, Happening::SignOff { decision, text })])
            }
        }
    }

    /// Carries out an order while the window only waits for what is in flight.
    fn order_late(by: Option<String>, command: Command) -> Result<Vec<Action>, String> {
        match command {
            Command::Abort { text } => Ok(aborted(by, text)),
            Command::Mark { text } => Ok(vec![event(by, Happening::Mark { text })]),
            Command::SignOff { decision, text } => {
                Ok(vec![event(by, Happening::SignOff { decision, text })])
            }
            Command::End { .. } => Err("the window is ending already; it can be aborted".into()),
            Command::Start { .. }
            | Command::Stop { .. }
            | Command::Amount { .. }
            | Command::Load { .. }
            | Command::Spike { .. }
            | Command::Hold { .. }
            | Command::Next
            | Command::Jump { .. }
            | Command::Extend { .. } => Err("the window is over".into()),
        }
    }

    /// Whether the spike factor is what is asked for by hand.
    pub fn spiking(&self) -> bool {
        #[allow(
            clippy::float_cmp,
            reason = "it is the same number or one that a person set"
        )]
        self.course
            .factor_by_hand
            .is_some_and(|factor| factor == self.spike)
    }

    fn hold(
        &mut self,
        to: Switch,
        by: Option<String>,
        now: Nanos,
        at: Nanos,
    ) -> Result<Vec<Action>, String> {
        let on = to.turn(self.held());
        match (on, self.held_since) {
            (true, None) => self.held_since = Some(now),
            (false, Some(since)) => {
                self.ends = self.ends.saturating_add(now.saturating_sub(since));
                self.held_since = None;
            }
            (true, Some(_)) => return Err("the phase is held already".into()),
            (false, None) => return Err("the phase is not held".into()),
        }
        let mut actions = vec![event(by, Happening::Hold { on })];
        actions.extend(self.curves(at));
        Ok(actions)
    }

    fn jump(&mut self, phase: usize, by: Option<String>, at: Nanos) -> Result<Vec<Action>, String> {
        let last = self.stretches.len();
        if phase >= last {
            return Err(format!(
                "there is no phase {}; the last one is {last}",
                phase + 1
            ));
        }
        self.enter(phase, at);
        let mut actions = vec![event(by, Happening::Phase { phase })];
        actions.extend(self.curves(at));
        Ok(actions)
    }

    fn set_amount(
        &mut self,
        scenario: usize,
        to: Adjust,
        by: Option<String>,
        at: Nanos,
    ) -> Result<Vec<Action>, String> {
        self.known(scenario)?;
        let stream = &self.streams[scenario];
        let scheduled = if stream.scales {
            stream.amount * self.factor(at)
        } else {
            stream.amount
        };
        let now = self.course.amounts[scenario].unwrap_or(scheduled);
        let (amount, most) = if stream.whole {
            (to.apply(now).round(), MOST_USERS)
        } else {
            (to.apply(now), FASTEST)
        };
        let amount = sane(amount, most)?;
        self.change(at).amounts[scenario] = Some(amount);
        let load = Happening::Load {
            scenario: Some(scenario),
            factor: amount,
        };
        Ok(vec![event(by, load), self.curve(scenario, at)])
    }

    fn set_factor(&mut self, factor: Option<f64>, by: Option<String>, at: Nanos) -> Vec<Action> {
        self.change(at).factor_by_hand = factor;
        let load = Happening::Load {
            scenario: None,
            factor: self.factor(at),
        };
        let mut actions = vec![event(by, load)];
        actions.extend(self.curves(at));
        actions
    }

    fn known(&self, scenario: usize) -> Result<(), String> {
        let count = self.streams.len();
        if scenario < count {
            return Ok(());
        }
        Err(format!(
            "there is no scenario {}; the last one is {count}",
            scenario + 1
        ))
    }

    /// A factor that makes something sane of every scenario.
    fn sane_factor(&self, factor: f64) -> Result<f64, String> {
        for stream in self.streams.iter().filter(|stream| stream.scales) {
            let most = if stream.whole { MOST_USERS } else { FASTEST };
            sane(stream.amount * factor, most)?;
        }
        sane(factor, FASTEST)
    }
}

fn aborted(by: Option<String>, text: String) -> Vec<Action> {
    vec![event(by, end(text, EndReason::Aborted)), Action::Abort]
}

fn sane(amount: f64, most: f64) -> Result<f64, String> {
    if !amount.is_finite() || amount < 0.0 {
        Err(format!("{amount} is no load; give 0 or more"))
    } else if amount > most {
        Err(format!(
            "{amount} is more than any machine can put; give at most {most}"
        ))
    } else {
        Ok(amount)
    }
}
