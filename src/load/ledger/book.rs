//! Which writes of a ledger are remembered, so that they can be read back when the window is over.
//!
//! ```text
//!              a minute ago              ┌─ near an injection ─▶ near ┐
//!   Write ─▶ recent ─────────▶ decide ───┤                            ├─(in the end)─▶ read back ─▶ Ledger
//!                                        └─ any other ─────────▶ far  ┘
//! ```
//!
//! In: what became of each write, and when faults were injected. Out: the writes to read back, and a [`Ledger`] of what
//! was found. A write is decided on a minute late, since what was acknowledged just before a failure is what replication
//! loses. The invariants: as long as there is room, every write near an injection is kept; of those for which there is
//! none, as of all others, each has the same chance; and a ledger holds at most [`RECENT`] + [`NEAR`] + [`FAR`] writes of
//! 32 bytes, about 13 MB.

use std::collections::{BTreeMap, VecDeque};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::load::clock::Nanos;
use crate::load::journey::Found;
use crate::session::record::{Ledger, Missing};

/// Writes near injections that are kept.
pub const NEAR: usize = 100_000;
/// Other writes that are kept while the window runs.
pub const FAR: usize = 100_000;
/// Other writes that are read back however many there are near injections; all together it is no more than [`NEAR`]
/// where there is room for them.
pub const LEAST_FAR: usize = 10_000;
/// Writes that are not decided on yet: those of a minute, at 3,333 a second. Of more, the oldest are decided on as
/// things stand.
pub const RECENT: usize = 200_000;
/// Length of a moment with lost or duplicated writes, µs, unless there are too many.
const MOMENT_US: u64 = 1_000_000;

/// A write that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Write {
    /// Index of its ledger in the profile.
    pub ledger: usize,
    /// Its number.
    pub number: u64,
    /// When its answer was there, or was waited for no longer; of one that the end of the window cut short, when it was
    /// about to be sent.
    pub at: Nanos,
    /// Whether the answer was the expected one.
    pub acknowledged: bool,
}

/// When writes are near an injection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Near(Vec<(Nanos, Nanos)>);

impl Near {
    /// The stretches of time, both ends included, in any order.
    pub fn new(stretches: impl IntoIterator<Item = (Nanos, Nanos)>) -> Self {
        let mut stretches: Vec<_> = stretches.into_iter().collect();
        stretches.sort_unstable();
        let mut apart: Vec<(Nanos, Nanos)> = Vec::new();
        for (from, until) in stretches {
            match apart.last_mut() {
                Some((_, last)) if from <= *last => *last = until.max(*last),
                Some(_) | None => apart.push((from, until)),
            }
        }
        Self(apart)
    }

    /// Whether this moment is near an injection.
    pub fn holds(&self, at: Nanos) -> bool {
        let after = self.0.partition_point(|&(from, _)| from <= at);
        let before = after.checked_sub(1).and_then(|place| self.0.get(place));
        before.is_some_and(|&(_, until)| at <= until)
    }
}

/// So many of all that came, each with the same chance.
#[derive(Debug)]
struct Pool {
    most: usize,
    seen: u64,
    kept: Vec<Write>,
}

impl Pool {
    fn new(most: usize) -> Self {
        let (seen, kept) = (0, Vec::new());
        Self { most, seen, kept }
    }

    fn add(&mut self, write: Write, random: &mut StdRng) {
        self.seen += 1;
        if self.kept.len() < self.most {
            self.kept.push(write);
            return;
        }
        let place = random.random_range(0..self.seen) as usize;
        if let Some(kept) = self.kept.get_mut(place) {
            *kept = write;
        }
    }

    /// Lets go of all but so many, each with the same chance.
    fn cut(&mut self, most: usize, random: &mut StdRng) {
        while self.kept.len() > most {
            let place = random.random_range(0..self.kept.len());
            self.kept.swap_remove(place);
        }
    }

    fn is_whole(&self) -> bool {
        self.seen == self.kept.len() as u64
    }
}

/// What is known of the writes of one ledger.
#[derive(Debug)]
pub struct Book {
    sent: u64,
    acknowledged: u64,
    recent: VecDeque<Write>,
    near: Pool,
    far: Pool,
    /// When the latest of the far ones was that had to be decided on too early.
    early: Option<Nanos>,
    /// Whether one of those turned out to be near.
    early_was_near: bool,
    random: StdRng,
}

impl Book {
    /// An empty one. `seed` decides which writes are kept when there are too many.
    pub fn new(seed: u64) -> Self {
        Self {
            sent: 0,
            acknowledged: 0,
            recent: VecDeque::new(),
            near: Pool::new(NEAR),
            far: Pool::new(FAR),
            early: None,
            early_was_near: false,
            random: StdRng::seed_from_u64(seed),
        }
    }

    /// Takes a write in.
    pub fn add(&mut self, write: Write) {
        self.sent += 1;
        self.acknowledged += u64::from(write.acknowledged);
        self.recent.push_back(write);
    }

    /// Decides on the writes until `until`, to which no injection that is still to come is near, and on those for which
    /// there is no room.
    pub fn decide(&mut self, until: Nanos, near: &Near) {
        self.early_was_near |= self.early.is_some_and(|at| near.holds(at));
        while let Some(oldest) = self.recent.front().copied() {
            let is_early = oldest.at > until;
            if is_early && self.recent.len() <= RECENT {
                return;
            }
            self.recent.pop_front();
            let is_near = near.holds(oldest.at);
            let pool = if is_near {
                &mut self.near
            } else {
                &mut self.far
            };
            pool.add(oldest, &mut self.random);
            if is_early && !is_near {
                self.early = self.early.max(Some(oldest.at));
            }
        }
    }

    /// Decides on all that is left: the window is over.
    pub fn close(&mut self, near: &Near) {
        self.decide(Nanos::MAX, near);
        let room = NEAR.saturating_sub(self.near.kept.len());
        self.far.cut(room.max(LEAST_FAR), &mut self.random);
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.sent == 0
    }

    /// The writes to read back: those near injections first, in case that there is no time for all.
    pub(super) fn kept(&self) -> impl Iterator<Item = &Write> {
        self.near.kept.iter().chain(&self.far.kept)
    }

    /// Whether a sample only is kept even of the writes near injections.
    fn near_is_sampled(&self) -> bool {
        self.early_was_near || !self.near.is_whole()
    }

    /// A sentence, when not every write is known any more.
    pub fn sampled(&self, name: &str) -> Option<String> {
        let (near, far) = (self.near.kept.len(), self.far.kept.len());
        let others = match (near, self.near_is_sampled()) {
            _ if self.near.is_whole() && self.far.is_whole() => return None,
            (0, _) => format!("{far} of them, drawn at random, are read back"),
            (_, false) => format!(
                "all {near} near an injection and {far} of the others, drawn at random, are read back"
            ),
            (_, true) => format!(
                "{near} of those near an injection and {far} of the others, drawn at random, are read back"
            ),
        };
        let sent = self.sent;
        Some(format!(
            "ledger `{name}`: {sent} writes were sent; {others}"
        ))
    }

    /// What was found, in the order of [`Book::kept`].
    pub(super) fn judge(&self, name: &str, found: &[Found]) -> Ledger {
        let mut ledger = Ledger {
            name: name.to_owned(),
            sent: self.sent,
            acknowledged: self.acknowledged,
            sampled: self.near_is_sampled(),
            ..Ledger::default()
        };
        let mut looked_at = 0;
        let mut by_time: BTreeMap<u64, Missing> = BTreeMap::new();
        for (write, found) in self.kept().zip(found) {
            let at = write.at / 1000;
            let mut missing = Missing::default();
            match (found, write.acknowledged) {
                (Found::There(count), acknowledged) => {
                    missing.duplicated = u64::from(*count > 1);
                    ledger.surplus += u64::from(!acknowledged);
                }
                (Found::Gone, true) => {
                    missing.lost = 1;
                    let (first, last) = ledger.lost_between.unwrap_or((at, at));
                    ledger.lost_between = Some((first.min(at), last.max(at)));
                }
                (Found::Gone, false) => {}
                (Found::Unknown, _) => ledger.unknown += 1,
            }
            looked_at += u64::from(write.acknowledged && *found != Found::Unknown);
            ledger.lost += missing.lost;
            ledger.duplicated += missing.duplicated;
            if missing != Missing::default() {
                add(&mut by_time, at / MOMENT_US * MOMENT_US, missing);
            }
        }
        ledger.looked_at = Some(looked_at);
        (ledger.step_us, ledger.by_time) = told(by_time);
        ledger
    }
}

fn add(by_time: &mut BTreeMap<u64, Missing>, at: u64, missing: Missing) {
    let sum = by_time.entry(at).or_default();
    sum.lost += missing.lost;
    sum.duplicated += missing.duplicated;
}

/// Moments, and their length: as short as it may be for there not to be too many.
fn told(mut by_time: BTreeMap<u64, Missing>) -> (u64, Vec<Missing>) {
    if by_time.is_empty() {
        return (0, Vec::new());
    }
    let mut step = MOMENT_US;
    while by_time.len() > Ledger::MOMENTS {
        step *= 2;
        let mut coarser = BTreeMap::new();
        for (at, missing) in by_time {
            add(&mut coarser, at / step * step, missing);
        }
        by_time = coarser;
    }
    let moments = by_time.into_iter().map(|(at, it)| Missing { at, ..it });
    (step, moments.collect())
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
