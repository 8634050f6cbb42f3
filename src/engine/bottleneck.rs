//! When the generator becomes the bottleneck, and when it no longer is, as events that a person can follow.
//!
//! In: the causes of each tick. Out: the causes that hold, whenever they change. On a busy machine a cause comes and goes
//! from one second to the next, and an event each time would bury all others; so one that came is said to be gone when it
//! has stayed away for [`CALM`]. What gates and the verdict make of it goes by the ticks, not by these events.

use std::collections::BTreeMap;

use crate::session::record::Bottleneck;

/// How long a cause has to stay away, µs.
const CALM: u64 = 10_000_000;

/// The causes that were told.
#[derive(Debug, Default)]
pub(super) struct Causes {
    /// When each was seen last, µs since the window began.
    seen: BTreeMap<Bottleneck, u64>,
}

impl Causes {
    /// Takes in the causes of the tick that ended at `at`, µs. Gives those that hold now, when they are others than before.
    pub fn update(&mut self, at: u64, causes: &[Bottleneck]) -> Option<Vec<Bottleneck>> {
        let mut changed = false;
        for &cause in causes {
            changed |= self.seen.insert(cause, at).is_none();
        }
        let all = self.seen.len();
        self.seen.retain(|_, seen| at.saturating_sub(*seen) < CALM);
        changed |= self.seen.len() != all;
        changed.then(|| self.seen.keys().copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Bottleneck::{Cpu, SentLate};

    const SECOND: u64 = 1_000_000;

    #[test]
    fn what_comes_and_goes_is_told_once_and_is_over_when_it_stays_away() {
        let mut causes = Causes::default();
        let mut told = Vec::new();
        for second in 1..=60 {
            let now: &[_] = match second {
                5..=20 if second % 2 == 1 => &[SentLate],
                12 => &[Cpu],
                _ => &[],
            };
            if let Some(causes) = causes.update(second * SECOND, now) {
                told.push((second, causes));
            }
        }
        let expected = [
            (5, vec![SentLate]),
            (12, vec![SentLate, Cpu]),
            (22, vec![SentLate]),
            (29, vec![]),
        ];
        let sorted = |mut causes: Vec<Bottleneck>| {
            causes.sort();
            causes
        };
        assert_eq!(told, expected.map(|(at, causes)| (at, sorted(causes))));
    }

    #[test]
    fn a_cause_that_holds_is_told_once_however_long_a_tick_is() {
        let mut causes = Causes::default();
        assert_eq!(causes.update(60 * SECOND, &[Cpu]), Some(vec![Cpu]));
        assert_eq!(causes.update(120 * SECOND, &[Cpu]), None);
        assert_eq!(causes.update(180 * SECOND, &[]), Some(vec![]));
    }
}
