//! Working time: a clock that stands still while the servers are stalled.
//!
//! Real time flows in, working time flows out, and back. The queue is computed in working time alone, so that a stall,
//! even one whose end nobody knows yet, moves every departure by exactly its length and needs no second computation.
//! The invariant: working time never runs backwards and never faster than real time, whatever is switched when.

/// When the servers stand still. All times in ns; a cycle begins with its stall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pattern {
    /// They never do.
    #[default]
    Running,
    /// They do until told otherwise.
    Held,
    /// They do once, for so long, from the moment this was switched on.
    Once {
        /// Length of the stall.
        stall: u64,
    },
    /// They do in every cycle.
    Periodic {
        /// Time to the first stall.
        lead: u64,
        /// Length of a stall; shorter than `every`.
        stall: u64,
        /// From the begin of one stall to the begin of the next.
        every: u64,
    },
}

/// Turns real time into working time and back.
#[derive(Debug, Clone, Copy)]
pub struct WorkClock {
    /// Real time at which `pattern` was switched on.
    since: u64,
    /// Working time at that moment.
    worked: u64,
    pattern: Pattern,
}

impl WorkClock {
    /// A clock whose working time is the real time at `now`, and which follows `pattern` from then on.
    pub fn new(now: u64, pattern: Pattern) -> Self {
        Self {
            since: now,
            worked: now,
            pattern,
        }
    }

    /// Follows another pattern from `now` on.
    pub fn switch(&mut self, now: u64, pattern: Pattern) {
        self.worked = self.working(now);
        self.since = now;
        self.pattern = pattern;
    }

    /// Working time at a real time; one before the last switch counts as the moment of that switch.
    pub fn working(&self, now: u64) -> u64 {
        let passed = now.saturating_sub(self.since);
        self.worked
            + match self.pattern {
                Pattern::Running => passed,
                Pattern::Held => 0,
                Pattern::Once { stall } => passed.saturating_sub(stall),
                Pattern::Periodic { lead, .. } if passed < lead => passed,
                Pattern::Periodic { lead, stall, every } => {
                    let (cycles, within) = ((passed - lead) / every, (passed - lead) % every);
                    lead + cycles * (every - stall) + within.saturating_sub(stall)
                }
            }
    }

    /// The real time at which something due at a working time happens, or `None` while nobody knows.
    ///
    /// What is due at the very moment at which a stall begins, as work that takes no time and arrives during the stall
    /// is, happens when the stall ends. What was due before the last switch happens at once.
    pub fn real(&self, due: u64) -> Option<u64> {
        let Some(left) = due.checked_sub(self.worked) else {
            return Some(self.since);
        };
        Some(
            self.since
                + match self.pattern {
                    Pattern::Running => left,
                    Pattern::Held => return None,
                    Pattern::Once { stall } => stall + left,
                    Pattern::Periodic { lead, .. } if left < lead => left,
                    Pattern::Periodic { lead, stall, every } => {
                        let run = every - stall;
                        let (cycles, within) = ((left - lead) / run, (left - lead) % run);
                        lead + cycles * every + stall + within
                    }
                },
        )
    }

    /// Whether the servers stand still at a real time.
    pub fn stalled(&self, now: u64) -> bool {
        let passed = now.saturating_sub(self.since);
        match self.pattern {
            Pattern::Running => false,
            Pattern::Held => true,
            Pattern::Once { stall } => passed < stall,
            Pattern::Periodic { lead, stall, every } => {
                passed >= lead && (passed - lead) % every < stall
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_pattern() -> impl Strategy<Value = Pattern> {
        prop_oneof![
            Just(Pattern::Running),
            Just(Pattern::Held),
            (0..500_u64).prop_map(|stall| Pattern::Once { stall }),
            (0..100_u64, 0..50_u64, 1..50_u64).prop_map(|(lead, stall, run)| Pattern::Periodic {
                lead,
                stall,
                every: stall + run
            }),
        ]
    }

    proptest! {
        #[test]
        fn working_time_counts_the_moments_that_are_not_stalled(pattern in any_pattern(), start in 0..1000_u64) {
            let clock = WorkClock::new(start, pattern);
            let mut counted = start;
            for now in start..start + 500 {
                prop_assert_eq!(clock.working(now), counted);
                counted += u64::from(!clock.stalled(now));
            }
        }

        #[test]
        fn what_is_due_happens_at_the_last_moment_of_its_working_time(pattern in any_pattern(), left in 0..300_u64) {
            let clock = WorkClock::new(1000, pattern);
            if let Some(at) = clock.real(1000 + left) {
                prop_assert_eq!(clock.working(at), 1000 + left);
                prop_assert!(!clock.stalled(at));
                prop_assert_eq!(clock.working(at + 1), 1000 + left + 1);
            } else {
                prop_assert_eq!(pattern, Pattern::Held);
            }
        }

        #[test]
        fn switching_never_moves_working_time(one in any_pattern(), other in any_pattern(), at in 0..400_u64) {
            let mut clock = WorkClock::new(0, one);
            let before = clock.working(at);
            clock.switch(at, other);
            prop_assert_eq!(clock.working(at), before);
        }
    }
}
