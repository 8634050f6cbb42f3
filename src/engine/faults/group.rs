//! Several faults as one: they go in one after the other, out together, and the group's state follows theirs.

use super::event::{record, state, stuck};
use super::{Act, Fault, Faults, In, Waiting};
use crate::load::clock::Nanos;
use crate::session::record::FaultState;

impl Faults {
    /// The first member goes in now, the others wait for their turn.
    pub(super) fn go_in_as_group(
        &mut self,
        group: usize,
        by: Option<&str>,
        now: Nanos,
    ) -> Vec<Act> {
        let stagger = self.faults[group].stagger;
        let members = self.faults[group].members.clone().into_iter().enumerate();
        let mut acts = Vec::new();
        for (place, member) in members {
            let waiting = Waiting {
                member,
                group,
                at: now.saturating_add(stagger.saturating_mul(place as u64)),
                by: by.map(str::to_owned),
            };
            self.faults[member].with = None;
            if waiting.at <= now {
                acts.extend(self.go_in_with(&waiting, now));
            } else {
                self.waiting.push(waiting);
            }
        }
        acts
    }

    /// A member goes in, unless it is on already.
    pub(super) fn go_in_with(&mut self, waiting: &Waiting, now: Nanos) -> Vec<Act> {
        if self.faults[waiting.member].outstanding || !self.faults[waiting.group].outstanding {
            return Vec::new();
        }
        let how = In {
            with: Some(waiting.group),
            ..In::default()
        };
        self.go_in(waiting.member, waiting.by.as_deref(), how, now)
    }

    /// Every member goes out, and none goes in any more.
    pub(super) fn go_out_as_group(
        &mut self,
        group: usize,
        by: Option<&str>,
        why: &str,
    ) -> Vec<Act> {
        self.waiting.retain(|waiting| waiting.group != group);
        let mut acts = Vec::new();
        for member in self.faults[group].members.clone() {
            if self.faults[member].with == Some(group) {
                acts.extend(self.go_out(member, by, why));
            }
        }
        acts.extend(self.settle(group));
        acts
    }

    /// The state of the group that a fault went in with, after the fault changed its own. When one of the members could
    /// not be done, the others are brought back: half of a group tells nothing.
    pub(super) fn follow(&mut self, member: usize) -> Vec<Act> {
        let Some(group) = self.faults[member].with else {
            return Vec::new();
        };
        let changed = &self.faults[member];
        let failed = changed.state == FaultState::Failed && !changed.outstanding;
        if failed && self.faults[group].outstanding {
            let why = format!("`{}` of it could not be done", changed.name);
            return self.go_out(group, None, &why);
        }
        self.settle(group)
    }

    /// Takes over what the members say together.
    fn settle(&mut self, group: usize) -> Vec<Act> {
        let waits = self.waiting.iter().any(|it| it.group == group);
        let members = self.faults[group]
            .members
            .iter()
            .map(|&it| &self.faults[it]);
        let members: Vec<&Fault> = members.filter(|it| it.with == Some(group)).collect();
        let now = self.faults[group].state;
        let was = self.faults[group].outstanding;
        let (to, outstanding) = together(&members, now, waits);
        if (to, outstanding) == (now, was) {
            return Vec::new();
        }
        let what = match (to, outstanding) {
            (FaultState::Failed, true) => stuck(group, "one of it may still be in place"),
            // That it could not be done was said before it got stuck.
            (FaultState::Failed, false) if now == FaultState::Failed => {
                self.set(group, FaultState::Armed, false);
                let text = "what was left of it is out";
                return vec![record(None, state(group, FaultState::Armed, text))];
            }
            _ => state(group, to, ""),
        };
        self.set(group, to, outstanding);
        vec![record(None, what)]
    }
}

/// The state of a group by those of its members that went in with it, and whether it is outstanding. `now` is the state
/// that it is in, `waits` whether some of its members are still to go in.
fn together(members: &[&Fault], now: FaultState, waits: bool) -> (FaultState, bool) {
    let any = |state: FaultState| members.iter().any(|it| it.state == state);
    let all = |state: FaultState| members.iter().all(|it| it.state == state);
    let mut outstanding = members.iter().filter(|it| it.outstanding).peekable();
    if outstanding.peek().is_some() {
        let stuck = outstanding.any(|it| it.state == FaultState::Failed);
        return match now {
            _ if stuck => (FaultState::Failed, true),
            FaultState::Failed => (FaultState::Reverting, true),
            FaultState::Injecting if !waits && all(FaultState::Active) => {
                (FaultState::Active, true)
            }
            FaultState::Armed
            | FaultState::Injecting
            | FaultState::Active
            | FaultState::Reverting
            | FaultState::Recovering
            | FaultState::Recovered => (now, true),
        };
    }
    if waits {
        return (now, true);
    }
    let to = if any(FaultState::Failed) {
        FaultState::Failed
    } else if any(FaultState::Recovering) {
        FaultState::Recovering
    } else if !members.is_empty() && all(FaultState::Recovered) {
        FaultState::Recovered
    } else {
        FaultState::Armed
    };
    (to, false)
}
