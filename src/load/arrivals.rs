//! When the arrivals of an open scenario are due.
//!
//! In: a curve of the rate, the spacing, the seed, and which part of the arrivals is ours. Out: arrivals in order,
//! each with its number and its due time. Arrival `n` is due when the curve's integral reaches `x(n)`: `n + 1/2` for
//! even spacing, the sum of the first `n + 1` unit exponentials for a Poisson process. The invariant: the sequence is
//! one for the whole scenario; a worker takes every `of`-th of it, so due times do not depend on how many workers
//! there are, and nothing is shared between them.

use super::clock::Nanos;
use super::schedule::Curve;
use crate::profile::model;

/// Which of several equal workers this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// From 0.
    pub index: u64,
    /// How many there are, at least 1.
    pub of: u64,
}

impl Part {
    /// The whole.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// This part's share of `total`. The shares of all parts add up to `total` exactly.
    pub fn share(self, total: u64) -> u64 {
        total / self.of + u64::from(self.index < total % self.of)
    }

    /// The number, among all, of this part's `nth` item.
    pub fn number(self, nth: u64) -> u64 {
        nth * self.of + self.index
    }
}

/// One arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Its number in the scenario, from 0.
    pub number: u64,
    /// When it is due.
    pub due: Nanos,
}

/// The arrivals of one worker's part of a scenario.
#[derive(Debug, Clone)]
pub struct Arrivals {
    curve: Curve,
    part: Part,
    cursor: Cursor,
    /// The due time of the arrival at the cursor, if it ever comes.
    due: Option<Nanos>,
    /// The due time handed out last.
    handed: Nanos,
    /// Where counting due arrivals has come to, at the cursor or beyond it, and those counted since they were told.
    tally: Cursor,
    tallied: u64,
}

/// A place in the sequence.
#[derive(Debug, Clone, Copy)]
struct Cursor {
    number: u64,
    area: f64,
    poisson: Option<Random>,
}

impl Cursor {
    fn new(spacing: model::Arrivals, seed: u64, part: Part) -> Self {
        let mut cursor = match spacing {
            model::Arrivals::Even => Self {
                number: 0,
                area: 0.5,
                poisson: None,
            },
            model::Arrivals::Poisson => {
                let mut random = Random(seed);
                Self {
                    number: 0,
                    area: random.exponential(),
                    poisson: Some(random),
                }
            }
        };
        cursor.skip(part.index);
        cursor
    }

    fn skip(&mut self, by: u64) {
        self.number += by;
        match &mut self.poisson {
            None => self.area = self.number as f64 + 0.5,
            Some(random) => (0..by).for_each(|_| self.area += random.exponential()),
        }
    }
}

impl Arrivals {
    /// The arrivals of `part`, from the beginning.
    pub fn new(curve: Curve, spacing: model::Arrivals, seed: u64, part: Part) -> Self {
        let cursor = Cursor::new(spacing, seed, part);
        Self {
            due: curve.time_of(cursor.area),
            curve,
            part,
            cursor,
            handed: 0,
            tally: cursor,
            tallied: 0,
        }
    }

    /// When the next arrival is due; `None` if the curve never brings it.
    pub fn due(&self) -> Option<Nanos> {
        self.due
    }

    /// Takes the next arrival if it is due by `now`.
    pub fn next_by(&mut self, now: Nanos) -> Option<Arrival> {
        let due = self.due.filter(|&due| due <= now)?;
        let arrival = Arrival {
            number: self.cursor.number,
            due,
        };
        self.handed = due;
        self.cursor.skip(self.part.of);
        self.due = self.curve.time_of(self.cursor.area);
        if self.tally.number == arrival.number {
            self.tally = self.cursor;
            self.tallied += 1;
        }
        Some(arrival)
    }

    /// How many arrivals became due by `t` since the last call, taken or not. Each arrival is counted once. Costs a
    /// step for each that was not taken.
    pub fn newly_due(&mut self, t: Nanos) -> u64 {
        while self
            .curve
            .time_of(self.tally.area)
            .is_some_and(|due| due <= t)
        {
            self.tally.skip(self.part.of);
            self.tallied += 1;
        }
        std::mem::take(&mut self.tallied)
    }

    /// Arrivals a second asked of the whole scenario at `t`.
    pub fn rate(&self, t: Nanos) -> f64 {
        self.curve.value(t)
    }

    /// From `at` on, arrivals follow `curve`. Due times handed out stay.
    pub fn change(&mut self, at: Nanos, curve: &Curve) {
        self.curve.splice(at, curve);
        self.curve.forget(self.handed.min(at));
        self.due = self.curve.time_of(self.cursor.area);
    }
}

/// `SplitMix64`: eight bytes of state, and a sequence that no library update changes, so that a seed keeps its meaning.
#[derive(Debug, Clone, Copy)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// Unit exponential.
    fn exponential(&mut self) -> f64 {
        let uniform = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
        -(1.0 - uniform).ln()
    }
}

/// Scatters the bits of a number; close numbers give unrelated ones. Used to derive a scenario's seed.
pub(super) fn mix(number: u64) -> u64 {
    let mut z = number;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
#[path = "arrivals_tests.rs"]
mod tests;
