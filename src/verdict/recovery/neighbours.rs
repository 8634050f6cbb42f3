//! One fault is not laid on another: which injections are of one piece, and where one is no longer alone.
//!
//! A group is recorded as an injection of its own, right before those of its members. What they do is one event: no
//! member is something that came before another, or that the group would have to be told apart from. Any other fault
//! ends what can be said: what is seen once it is there may be its doing, and so may be that the system is not back.

use super::windows::{Run, State, Windows};
use super::{Measured, Recovery, WINDOW_US, Why};
use crate::history::History;
use crate::history::injections::Injection;

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
            groups: all.filter(|it| history.holds(it, own)).collect(),
        }
    }

    /// Whether another injection is of one piece with it: its group, its member, or a member of its group.
    pub fn has(&self, other: &Injection) -> bool {
        let is_group =
            |group: &&Injection| group.number == other.number || self.history.holds(group, other);
        self.groups.iter().any(is_group) || self.history.holds(self.own, other)
    }

    /// When the first of them was put in, µs since the window began.
    pub fn began(&self) -> u64 {
        let groups = self.groups.iter().map(|group| group.injecting);
        groups.fold(self.own.injecting, u64::min)
    }

    /// The others that were in place, or may be.
    fn strangers(&self) -> impl Iterator<Item = &'h Injection> {
        let all = self.history.injections().iter().map(|it| &**it);
        all.filter(|it| it.number != self.own.number && !self.has(it))
            .filter(|it| it.is_real())
    }
}

/// When the first other fault came after this one, µs since the window began; the end of time when none did.
pub fn alone_until(history: &History, injection: &Injection) -> u64 {
    let family = Family::of(history, injection);
    let later = family.strangers().filter(|it| it.number > injection.number);
    later.map(|it| it.injecting).min().unwrap_or(u64::MAX)
}

/// Since when another fault was there after this one was ordered back, µs since the window began; the end of time when none
/// was. What is brought back along with it is no other: it cannot be told from it, and both are late together.
pub(super) fn disturbed_from(history: &History, injection: &Injection, ordered: u64) -> u64 {
    let family = Family::of(history, injection);
    let along = injection.cleared.unwrap_or(ordered) + WINDOW_US;
    let is_group = |it: &Injection| {
        let plan = history.fault(it.fault);
        plan.is_some_and(|plan| !plan.members.is_empty())
    };
    // A member may go before the others; the group itself does nothing but by them.
    let all = history.injections().iter().map(|it| &**it);
    let siblings = all.filter(|it| it.number != injection.number && family.has(it));
    let siblings = siblings.filter(|it| it.is_real() && !is_group(it) && !is_group(injection));
    let others = siblings.chain(family.strangers());
    let others = others.filter(|it| {
        // Of those that were in place, one that was not cleared may still be.
        let gone = it.cleared.unwrap_or(u64::MAX);
        gone > ordered && (it.injecting > ordered || gone > along)
    });
    let since = others.map(|it| it.injecting.max(ordered));
    since.min().unwrap_or(u64::MAX)
}

/// What is known of a recovery when another fault came, with no run of good windows until then that was long enough.
pub(super) fn cut_short(
    history: &History,
    injection: &Injection,
    windows: &Windows,
    runs: &[Run],
    (ordered, other): (u64, u64),
) -> Recovery {
    let state = windows.state_at(other);
    let open = runs.iter().rev().find(|run| run.first_at <= other);
    if let Some(run) = open.filter(|_| state == Some(State::Good)) {
        return Recovery {
            took: Measured::Seems {
                took: run.took(ordered),
                held: run.last_at.min(other).saturating_sub(run.first_at),
            },
            since: Some(run.first_at),
        };
    }
    let seen = other.saturating_sub(ordered);
    let plan = history.fault(injection.fault);
    let budget = plan.and_then(|plan| plan.recover_within_us);
    // It was over its budget before the other came.
    let never = Measured::Never(seen);
    let is_late = budget.is_some_and(|budget| never.is_over(budget));
    let took = match state {
        Some(State::Bad) if is_late => never,
        Some(State::Bad | State::Good | State::Unknown) | None => Measured::Unknown(Why::Another),
    };
    Recovery { took, since: None }
}
