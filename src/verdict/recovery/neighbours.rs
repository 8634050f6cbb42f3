//! Which injections are of one piece, and which are each other's neighbours.
//!
//! A group is recorded as an injection of its own, right before those of its members. What they do is one event: no
//! member is something that came before another, or that the group would have to be told apart from.

use crate::history::History;
use crate::history::injections::Injection;

/// Whether this is a group's injection, and the other was put in by it.
fn holds(history: &History, group: &Injection, member: &Injection) -> bool {
    let until = group.cleared.unwrap_or(u64::MAX);
    let plan = history.fault(group.fault);
    plan.is_some_and(|plan| plan.members.contains(&member.fault))
        && (group.injecting..=until).contains(&member.injecting)
}

/// An injection among those that it is of one piece with.
pub(super) struct Family<'h> {
    history: &'h History,
    own: &'h Injection,
    /// The groups that put it in.
    groups: Vec<&'h Injection>,
}

impl<'h> Family<'h> {
    pub fn of(history: &'h History, own: &'h Injection) -> Self {
        let all = history.injections().iter().map(|it| &**it);
        Self {
            history,
            own,
            groups: all.filter(|it| holds(history, it, own)).collect(),
        }
    }

    /// Whether another injection is of one piece with it: its group, its member, or a member of its group.
    pub fn has(&self, other: &Injection) -> bool {
        let is_group =
            |group: &&Injection| group.number == other.number || holds(self.history, group, other);
        self.groups.iter().any(is_group) || holds(self.history, self.own, other)
    }

    /// When the first of them was put in, µs since the window began.
    pub fn began(&self) -> u64 {
        let groups = self.groups.iter().map(|group| group.injecting);
        groups.fold(self.own.injecting, u64::min)
    }
}
