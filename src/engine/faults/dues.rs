//! When the schedule has faults go in.
//!
//! In: a phase's faults, the moment at which it begins, and the window's seed. Out: one moment after the other. The same
//! seed gives the same moments, whoever asks, and however often.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::nanos;
use crate::load::clock::Nanos;
use crate::profile::model::PhaseFault;

/// One fault of a phase, from one of its injections to the next.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Due {
    /// Which fault.
    pub fault: usize,
    /// When it goes in.
    pub at: Nanos,
    /// How long it stays; until the phase ends if `None`.
    pub length: Option<Nanos>,
    plan: PhaseFault,
    /// Begin of the stretch in which it goes in.
    base: Nanos,
    seed: u64,
    /// How many there were before it.
    before: u64,
}

impl Due {
    /// The first one of a phase's fault. `place` is where the fault stands in the phase, `phase` which one that is.
    pub fn first(
        plan: &PhaseFault,
        began: Nanos,
        (phase, place): (usize, usize),
        seed: u64,
    ) -> Self {
        // Far apart for phases and places that are near, as seeds of one generator want to be.
        let own = (phase as u64) << 32 | place as u64;
        let base = began.saturating_add(nanos(plan.after));
        let due = Self {
            fault: plan.fault,
            at: base,
            length: plan.length.map(nanos),
            plan: plan.clone(),
            base,
            seed: seed ^ own.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            before: 0,
        };
        let at = due.moment();
        Self { at, ..due }
    }

    /// The one after this, if it is repeated.
    pub fn next(mut self) -> Option<Self> {
        self.base = self.base.saturating_add(nanos(self.plan.every?));
        self.before += 1;
        self.at = self.moment();
        Some(self)
    }

    fn moment(&self) -> Nanos {
        let within = self.plan.within.map_or(0, nanos);
        let mut random = StdRng::seed_from_u64(self.seed.wrapping_add(self.before));
        let share: f64 = random.random();
        self.base.saturating_add((within as f64 * share) as Nanos)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const S: Nanos = 1_000_000_000;

    fn plan(every: Option<u64>, within: Option<u64>) -> PhaseFault {
        PhaseFault {
            fault: 3,
            after: Duration::from_secs(5),
            length: Some(Duration::from_secs(2)),
            every: every.map(Duration::from_secs),
            within: within.map(Duration::from_secs),
        }
    }

    #[test]
    fn it_goes_in_after_so_long_and_then_every_so_often() {
        let due = Due::first(&plan(Some(30), None), 100 * S, (0, 0), 42);
        assert_eq!((due.fault, due.at, due.length), (3, 105 * S, Some(2 * S)));
        let next = due.next().unwrap();
        assert_eq!(next.at, 135 * S);
        assert_eq!(next.next().unwrap().at, 165 * S);
        assert_eq!(Due::first(&plan(None, None), 0, (0, 0), 42).next(), None);
    }

    #[test]
    fn a_random_moment_lies_within_its_stretch_and_is_the_same_for_the_same_seed() {
        let at = |seed, place| Due::first(&plan(None, Some(60)), 0, (1, place), seed).at;
        assert_eq!(at(42, 0), at(42, 0));
        assert_ne!(at(42, 0), at(43, 0));
        assert_ne!(at(42, 0), at(42, 1));
        let mut moments: Vec<Nanos> = (0..1000).map(|seed| at(seed, 0)).collect();
        moments.sort_unstable();
        assert!(moments[0] >= 5 * S && moments[999] < 65 * S);
        // Evenly: the median of a thousand is within four standard errors of the middle.
        let middle = moments[500] as f64 / S as f64;
        assert!(
            (middle - 35.0).abs() < 4.0 * 60.0 * 0.5 / 1000f64.sqrt(),
            "{middle}"
        );
    }
}
