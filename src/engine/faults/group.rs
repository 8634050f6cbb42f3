//! Several faults as one: they go in one after the other, out together, and the group's state follows theirs.

use super::{Act, Faults, Waiting, record, state};
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
        let acts = self.go_in(waiting.member, waiting.by.as_deref(), false, now);
        self.faults[waiting.member].with = Some(waiting.group);
        acts
    }

    /// Every member goes out, and none goes in any more.
    pub(super) fn go_out_as_group(
        &mut self,
        group: usize,
        by: Option<&str>,
        why: &str,
    ) -> Vec<Act> {
        self.waiting.retain(|waiting| waiting.group != group);
        let members = self.faults[group].members.clone();
        let mut acts = Vec::new();
        for member in members {
            if self.faults[member].with == Some(group) {
                acts.extend(self.go_out(member, by, why));
            }
        }
        // Nothing of it was in yet.
        if !self.holds_something(group) {
            self.faults[group].outstanding = false;
            self.faults[group].state = FaultState::Recovering;
            acts.push(record(None, state(group, FaultState::Recovering, "")));
        }
        acts
    }

    fn holds_something(&self, group: usize) -> bool {
        let members = self.faults[group].members.iter();
        members
            .map(|&it| &self.faults[it])
            .any(|it| it.with == Some(group) && it.outstanding)
    }

    /// The group's state after one of its members changed.
    pub(super) fn follow(&mut self, group: usize, member: usize) -> Vec<Act> {
        let changed = &self.faults[member];
        let name = changed.name.clone();
        let members = || {
            let all = self.faults[group].members.iter();
            all.map(|&it| &self.faults[it])
                .filter(|it| it.with == Some(group))
        };
        let waits = self.waiting.iter().any(|it| it.group == group);
        let all = |state: FaultState| members().all(|it| it.state == state);
        let now = self.faults[group].state;
        let (to, outstanding, text) = match changed.state {
            FaultState::Failed if changed.outstanding => {
                let text = format!("`{name}` of it may still be in place");
                (FaultState::Failed, true, text)
            }
            // The others are brought back: half of a group tells nothing.
            FaultState::Failed if now != FaultState::Failed => {
                let mut acts = Vec::new();
                for member in self.faults[group].members.clone() {
                    if self.faults[member].with == Some(group) {
                        acts.extend(self.go_out(member, None, "another one of its group failed"));
                    }
                }
                self.waiting.retain(|waiting| waiting.group != group);
                let text = format!("`{name}` of it could not be done");
                acts.extend(self.set_group(group, FaultState::Failed, false, &text));
                return acts;
            }
            FaultState::Active if !waits && all(FaultState::Active) => {
                (FaultState::Active, true, String::new())
            }
            FaultState::Recovering | FaultState::Recovered
                if !waits && all(FaultState::Recovered) =>
            {
                (FaultState::Recovered, false, String::new())
            }
            FaultState::Armed if !waits && all(FaultState::Armed) => {
                (FaultState::Armed, false, String::new())
            }
            FaultState::Recovering if !self.holds_something(group) && now != FaultState::Failed => {
                (FaultState::Recovering, false, String::new())
            }
            FaultState::Armed
            | FaultState::Injecting
            | FaultState::Active
            | FaultState::Reverting
            | FaultState::Recovering
            | FaultState::Recovered
            | FaultState::Failed => return Vec::new(),
        };
        self.set_group(group, to, outstanding, &text)
    }

    fn set_group(
        &mut self,
        group: usize,
        to: FaultState,
        outstanding: bool,
        text: &str,
    ) -> Vec<Act> {
        let it = &mut self.faults[group];
        if it.state == to && to != FaultState::Failed {
            return Vec::new();
        }
        it.state = to;
        it.outstanding = outstanding;
        if !outstanding {
            it.until = None;
        }
        vec![record(None, state(group, to, text))]
    }
}
