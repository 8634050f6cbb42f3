//! Which faults are on, which are due, and what may be broken at all.
//!
//! In: orders of people, the schedule's phases, the time, what the keeper saw, and what the verdict says of recoveries. Out:
//! orders for the keeper and events to record. It is a pure state machine without a clock of its own. The invariants: what
//! goes in has a moment at which it goes out by itself; going out is never refused; and each change is recorded once,
//! with who asked for it.

mod dues;
mod event;
mod group;
mod seen;

use std::time::Duration;

use super::command::Switch;
use crate::fault::keeper::Order;
use crate::load::clock::Nanos;
use crate::profile::Profile;
use crate::profile::model::{FaultDriver, PhaseFault};
use crate::session::record::{FaultState, Happening};
use dues::Due;
use event::{Change, record, state};

/// What the engine has to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Order something of the keeper.
    Order(usize, Order),
    /// Put an event into the session.
    Record {
        /// Who caused it.
        by: Option<String>,
        /// What happened.
        what: Happening,
    },
}

/// One fault of the window.
#[derive(Debug, Clone)]
struct Fault {
    name: String,
    /// It goes out by itself after this long.
    max: Nanos,
    /// Of a group.
    members: Vec<usize>,
    /// From one member to the next.
    stagger: Nanos,
    state: FaultState,
    /// It may be in place: it was ordered in, and is not known to be out.
    outstanding: bool,
    /// When it goes out by itself.
    until: Option<(Nanos, Until)>,
    /// It goes out when the phase ends.
    of_phase: bool,
    /// The group that it went in with.
    with: Option<usize>,
}

/// Why a fault goes out by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// The schedule has it so.
    Schedule,
    /// Its `max` is over.
    Max,
}

/// How a fault goes in.
#[derive(Debug, Clone, Copy, Default)]
struct In {
    /// Against a guard rail.
    forced: bool,
    /// For so long, if that is less than its `max`.
    stay: Option<Nanos>,
    /// Until the phase ends.
    of_phase: bool,
    /// With this group.
    with: Option<usize>,
}

/// A member of a group that is to go in.
#[derive(Debug, Clone, PartialEq)]
struct Waiting {
    member: usize,
    group: usize,
    at: Nanos,
    by: Option<String>,
}

/// What else is going on, which may speak against breaking something.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Around {
    /// Blockers that fail now, by name.
    pub failing: Vec<String>,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Faults {
    #[allow(clippy::struct_field_names, reason = "they are what it is a list of")]
    faults: Vec<Fault>,
    most: usize,
    seed: u64,
    phases: Vec<Vec<PhaseFault>>,
    dues: Vec<Due>,
    waiting: Vec<Waiting>,
    /// Nothing is there to measure a recovery by.
    without_load: bool,
    /// The window is over: nothing goes in any more.
    over: bool,
}

impl Faults {
    /// Before the window begins: everything is whole.
    pub fn new(profile: &Profile) -> Self {
        let faults = profile.faults.iter().map(|fault| {
            let (members, stagger) = match &fault.driver {
                FaultDriver::Group { faults, stagger } => (faults.clone(), nanos(*stagger)),
                FaultDriver::Proxy { .. }
                | FaultDriver::Toxiproxy { .. }
                | FaultDriver::Http { .. }
                | FaultDriver::Exec { .. }
                | FaultDriver::Process { .. }
                | FaultDriver::Stress(_)
                | FaultDriver::Network(_) => (Vec::new(), 0),
            };
            Fault {
                name: fault.name.clone(),
                max: nanos(fault.max),
                members,
                stagger,
                state: FaultState::Armed,
                outstanding: false,
                until: None,
                of_phase: false,
                with: None,
            }
        });
        Self {
            faults: faults.collect(),
            most: profile.window.max_faults,
            seed: profile.window.seed,
            phases: profile
                .phases
                .iter()
                .map(|phase| phase.faults.clone())
                .collect(),
            dues: Vec::new(),
            waiting: Vec::new(),
            without_load: profile.scenarios.is_empty(),
            over: false,
        }
    }

    /// A phase begins: what belonged to the one before goes out, and its own faults become due.
    pub fn enter_phase(&mut self, phase: usize, at: Nanos) -> Vec<Act> {
        let mut acts = Vec::new();
        for fault in self.units() {
            if self.faults[fault].of_phase && self.faults[fault].outstanding {
                acts.extend(self.go_out(fault, None, "the phase is over"));
            }
        }
        let plans = self.phases.get(phase).into_iter().flatten().enumerate();
        let dues = plans.map(|(place, plan)| Due::first(plan, at, (phase, place), self.seed));
        self.dues = dues.collect();
        acts
    }

    /// When there is something to do without anybody asking for it.
    pub fn next_change(&self) -> Option<Nanos> {
        let dues = self.dues.iter().map(|due| due.at);
        let waiting = self.waiting.iter().map(|waiting| waiting.at);
        let until = self.faults.iter().filter_map(|fault| Some(fault.until?.0));
        dues.chain(waiting).chain(until).min()
    }

    /// Does what is due at `now`.
    pub fn advance(&mut self, now: Nanos, around: &Around) -> Vec<Act> {
        let mut acts = Vec::new();
        for fault in 0..self.faults.len() {
            if let Some((at, why)) = self.faults[fault].until
                && at <= now
            {
                let why = match why {
                    Until::Schedule => "",
                    Until::Max => "its `max` is over",
                };
                acts.extend(self.go_out(fault, None, why));
            }
        }
        let (ready, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|waiting| waiting.at <= now);
        self.waiting = waiting;
        for waiting in ready {
            acts.extend(self.go_in_with(&waiting, now));
        }
        let (ready, dues): (Vec<_>, Vec<_>) = std::mem::take(&mut self.dues)
            .into_iter()
            .partition(|due| due.at <= now);
        self.dues = dues;
        for due in ready {
            acts.extend(self.scheduled(&due, now, around));
            self.dues.extend(due.next());
        }
        acts
    }

    fn scheduled(&mut self, due: &Due, now: Nanos, around: &Around) -> Vec<Act> {
        if let Err(why) = self.allowed(due.fault, around) {
            let name = &self.faults[due.fault].name;
            let text = format!("fault `{name}` was due and did not go in: {why}");
            return vec![record(None, Happening::Warning { text })];
        }
        let how = In {
            stay: due.length,
            of_phase: due.length.is_none(),
            ..In::default()
        };
        self.go_in(due.fault, None, how, now)
    }

    /// Carries out what a person asks for.
    ///
    /// # Errors
    /// A sentence, when something speaks against it.
    pub fn order(
        &mut self,
        fault: usize,
        to: Switch,
        force: bool,
        by: Option<&str>,
        now: Nanos,
        around: &Around,
    ) -> Result<Vec<Act>, String> {
        let Some(it) = self.faults.get(fault) else {
            return Err(format!("there is no fault {}", fault + 1));
        };
        let (name, outstanding) = (it.name.clone(), it.outstanding);
        match (to.turn(outstanding), outstanding) {
            (true, true) => Err(format!("`{name}` is {} already", it.state.name())),
            (false, false) => Err(format!("`{name}` is not on")),
            (false, true) => Ok(self.go_out(fault, by, "")),
            (true, false) => match self.allowed(fault, around) {
                Ok(()) => Ok(self.go_in(fault, by, In::default(), now)),
                Err(_) if force && !self.over => {
                    let how = In {
                        forced: true,
                        ..In::default()
                    };
                    Ok(self.go_in(fault, by, how, now))
                }
                Err(why) if self.over => Err(why),
                Err(why) => Err(format!("{why}; `fault {name} force` insists")),
            },
        }
    }

    /// Brings everything back, and lets nothing go in that the schedule still had for this phase. Gives how many there were.
    pub fn clear(&mut self, by: Option<&str>, why: &str) -> (Vec<Act>, usize) {
        self.waiting.clear();
        self.dues.clear();
        let mut acts = Vec::new();
        let on: Vec<usize> = self
            .units()
            .filter(|&it| self.faults[it].outstanding)
            .collect();
        for &fault in &on {
            acts.extend(self.go_out(fault, by, why));
        }
        (acts, on.len())
    }

    /// The window is over: everything is brought back, and nothing goes in any more.
    pub fn end(&mut self) -> Vec<Act> {
        self.over = true;
        self.clear(None, "the window is over").0
    }

    /// Whether something may be in place still.
    pub fn outstanding(&self) -> Vec<&str> {
        let on = self.leaves().filter(|&it| self.faults[it].outstanding);
        on.map(|it| self.faults[it].name.as_str()).collect()
    }

    /// Whether something is still to go in by the schedule of this phase.
    pub fn has_schedule(&self) -> bool {
        !self.dues.is_empty()
    }

    /// Whether a fault is on, or on its way in.
    pub fn is_on(&self, fault: usize) -> bool {
        let state = self.faults.get(fault).map(|it| it.state);
        matches!(state, Some(FaultState::Injecting | FaultState::Active))
    }

    /// Faults whose recovery is being waited for, by index.
    pub fn recovering(&self) -> Vec<usize> {
        let all = self.faults.iter().enumerate();
        // A group follows its members.
        all.filter(|(_, it)| it.members.is_empty() && it.state == FaultState::Recovering)
            .map(|(index, _)| index)
            .collect()
    }

    /// Faults and groups that went in by themselves: what counts as one.
    fn units(&self) -> impl Iterator<Item = usize> + use<> {
        let units: Vec<usize> = (0..self.faults.len())
            .filter(|&it| self.faults[it].with.is_none())
            .collect();
        units.into_iter()
    }

    /// Whether a fault may go in, or what speaks against it.
    fn allowed(&self, fault: usize, around: &Around) -> Result<(), String> {
        if self.over {
            return Err("the window is over".into());
        }
        let it = &self.faults[fault];
        if it.outstanding {
            return Err(format!("it is {} already", it.state.name()));
        }
        let all = || self.units().map(|it| &self.faults[it]);
        let on: Vec<&str> = all()
            .filter(|it| it.outstanding)
            .map(|it| it.name.as_str())
            .collect();
        if on.len() >= self.most {
            return Err(format!(
                "`{}` is on, and `max_faults` is {}",
                on.join("`, `"),
                self.most
            ));
        }
        if let Some(other) = all().find(|it| it.state == FaultState::Recovering) {
            return Err(format!(
                "`{}` is recovering, and its effect could not be told from this one's",
                other.name
            ));
        }
        if let Some(gate) = around.failing.first() {
            return Err(format!("the blocker `{gate}` fails already"));
        }
        let member = self.faults[fault].members.iter();
        if let Some(member) = member.map(|&it| &self.faults[it]).find(|it| it.outstanding) {
            return Err(format!("`{}` of this group is on already", member.name));
        }
        Ok(())
    }

    fn go_in(&mut self, fault: usize, by: Option<&str>, how: In, now: Nanos) -> Vec<Act> {
        let it = &mut self.faults[fault];
        it.state = FaultState::Injecting;
        it.outstanding = true;
        it.of_phase = how.of_phase;
        it.with = how.with;
        let (stay, why) = match how.stay {
            Some(stay) if stay <= it.max => (stay, Until::Schedule),
            Some(_) | None => (it.max, Until::Max),
        };
        it.until = Some((now.saturating_add(stay), why));
        let mut acts = vec![record(
            by,
            Change {
                forced: how.forced,
                until: it.ends(),
                ..Change::to(FaultState::Injecting)
            }
            .of(fault, ""),
        )];
        if it.members.is_empty() {
            acts.push(Act::Order(fault, Order::Inject));
        } else {
            acts.extend(self.go_in_as_group(fault, by, now));
        }
        acts
    }

    /// Brings a fault back, whatever it is doing. One that is on its way out already is left to it, and one that could not
    /// be undone is still shown as that, until it is.
    fn go_out(&mut self, fault: usize, by: Option<&str>, why: &str) -> Vec<Act> {
        let it = &mut self.faults[fault];
        it.until = None;
        if !it.outstanding || it.state == FaultState::Reverting {
            return Vec::new();
        }
        let mut acts = Vec::new();
        if it.state != FaultState::Failed {
            it.state = FaultState::Reverting;
            acts.push(record(by, state(fault, FaultState::Reverting, why)));
        }
        if it.members.is_empty() {
            acts.push(Act::Order(fault, Order::Revert));
        } else {
            acts.extend(self.go_out_as_group(fault, by, why));
        }
        acts
    }

    /// Faults that are no groups.
    fn leaves(&self) -> impl Iterator<Item = usize> + use<> {
        let leaves = self.faults.iter().enumerate();
        let leaves: Vec<usize> = leaves
            .filter(|(_, it)| it.members.is_empty())
            .map(|(index, _)| index)
            .collect();
        leaves.into_iter()
    }
}

impl Fault {
    /// When it goes out by itself, µs since the window began.
    fn ends(&self) -> Option<u64> {
        self.until.map(|(at, _)| at / 1000)
    }
}

fn nanos(duration: Duration) -> Nanos {
    Nanos::try_from(duration.as_nanos()).unwrap_or(Nanos::MAX)
}

#[cfg(test)]
mod tests;
