//! The window at four resolutions: ticks, then 10 s, then a minute, then four.
//!
//! In: buckets of one tick, or of a recorded frame, in ascending order. Out: buckets between two ticks at a wanted
//! width, with the gaps between them. When a whole 10 s have left the last 15 minutes they are rolled into one bucket,
//! when a whole minute has left the last hour likewise, when four have left the last 3 hours likewise; when there are
//! more than [`LONGEST`] of those, neighbours are joined and the width doubles. That is finer than what a chart of as
//! much time shows on the widest terminal. The invariant: a level's length has a bound that does not depend on the
//! length of the window.
//!
//! Buckets are shared: a history that is cloned, or made of the same frames once more, costs little memory.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use super::bucket::Bucket;
use super::merge::Figures;

/// How long every tick is kept, µs.
const FULL: u64 = 15 * 60 * 1_000_000;
/// How long 10 s are kept apart, µs.
pub const TENS: u64 = 3600 * 1_000_000;
/// How long minutes are kept apart, µs.
pub const MINUTES: u64 = 3 * 3600 * 1_000_000;
/// Minutes in a bucket of the coarsest level, at first.
pub const MINUTES_JOINED: u64 = 4;
/// Most ticks kept one by one, however short they are.
const MOST_FULL: u64 = 9_000;
/// Most buckets of the coarsest level: two days of four minutes, then of eight, and so on.
pub const LONGEST: usize = 2 * 24 * 15;

/// A stretch of the window as it was recorded, or as it was not.
#[derive(Debug, Clone, PartialEq)]
#[allow(
    clippy::large_enum_variant,
    reason = "slots live one at a time, while a chart is drawn"
)]
pub enum Slot<'a> {
    /// Recorded, at least in part.
    Seen(Cow<'a, Bucket>),
    /// Not recorded: neither zero nor a line between its neighbours.
    Gap {
        /// First missing tick.
        from: u64,
        /// Last missing tick.
        to: u64,
    },
}

/// How many buckets each level holds, for those who watch memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// Ticks.
    pub ticks: usize,
    /// Buckets of 10 s.
    pub tens: usize,
    /// Buckets of a minute.
    pub minutes: usize,
    /// Buckets of four minutes or more.
    pub long: usize,
    /// Width of those, in ticks.
    pub long_width: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Levels {
    full: VecDeque<Arc<Bucket>>,
    tens: Level,
    minutes: Level,
    long: Level,
    keep_full: u64,
    keep_tens: u64,
    keep_minutes: u64,
    rollups: bool,
}

/// Buckets of a width, and what every series was after the last of them.
#[derive(Debug, Clone, PartialEq)]
struct Level {
    width: u64,
    figures: Figures,
    buckets: VecDeque<Arc<Bucket>>,
    carry: Vec<Option<f64>>,
}

/// How many ticks of this length, µs, are kept one by one.
pub fn full_ticks(tick_us: u64) -> u64 {
    (FULL / tick_us.max(1)).clamp(1, MOST_FULL)
}

impl Levels {
    /// Empty levels for ticks of this length, µs. Without `rollups`, what leaves the last 15 minutes is forgotten.
    pub(super) fn new(tick_us: u64, rollups: bool) -> Self {
        let tick_us = tick_us.max(1);
        let ticks_in = |span: u64| (span / tick_us).max(1);
        let ten = ticks_in(10_000_000);
        let level = |tens, figures| Level {
            width: ten.saturating_mul(tens),
            figures,
            buckets: VecDeque::new(),
            carry: Vec::new(),
        };
        Self {
            full: VecDeque::new(),
            tens: level(1, Figures::All),
            minutes: level(6, Figures::Two),
            long: level(6 * MINUTES_JOINED, Figures::Two),
            keep_full: full_ticks(tick_us),
            keep_tens: ticks_in(TENS),
            keep_minutes: ticks_in(MINUTES),
            rollups,
        }
    }

    /// Adds a tick later than all before it.
    pub(super) fn push(&mut self, bucket: Bucket) {
        let newest = bucket.to;
        self.full.push_back(Arc::new(bucket));
        let width = self.tens.width;
        while let Some(group) = take_group(&mut self.full, width, newest, self.keep_full) {
            if self.rollups {
                self.tens.push(&group);
            }
        }
        let (tens, minute) = (&mut self.tens.buckets, self.minutes.width);
        while let Some(group) = take_group(tens, minute, newest, self.keep_tens) {
            self.minutes.push(&group);
        }
        self.age(newest);
    }

    /// Adds a frame, or several in one bucket of 2 significant figures, later than all before it. What is held at a
    /// finer resolution is rolled up first, so that the levels stay in order.
    pub(super) fn push_coarse(&mut self, bucket: &Arc<Bucket>) {
        if !self.rollups {
            return;
        }
        for finer in [&mut self.full, &mut self.tens.buckets] {
            while let Some(group) = take_group(finer, self.minutes.width, u64::MAX, 0) {
                self.minutes.push(&group);
            }
        }
        let group = std::slice::from_ref(bucket);
        if bucket.to - bucket.from < self.minutes.width {
            self.minutes.push(group);
        } else {
            let minutes = &mut self.minutes.buckets;
            while let Some(group) = take_group(minutes, self.long.width, u64::MAX, 0) {
                self.long.push(&group);
            }
            self.long.push(group);
        }
        self.age(bucket.to);
    }

    /// Rolls up the minutes that are old enough, and doubles the coarsest level when it is full.
    fn age(&mut self, newest: u64) {
        let (minutes, width) = (&mut self.minutes.buckets, self.long.width);
        while let Some(group) = take_group(minutes, width, newest, self.keep_minutes) {
            self.long.push(&group);
        }
        while self.long.buckets.len() > LONGEST {
            self.long.double();
        }
    }

    /// Ticks at full resolution, oldest first.
    pub(super) fn full(&self) -> &VecDeque<Arc<Bucket>> {
        &self.full
    }

    pub(super) fn depth(&self) -> Depth {
        Depth {
            ticks: self.full.len(),
            tens: self.tens.buckets.len(),
            minutes: self.minutes.buckets.len(),
            long: self.long.buckets.len(),
            long_width: self.long.width,
        }
    }

    /// See [`super::History::slots`]; `end` is the last tick known to have passed.
    pub(super) fn slots(
        &self,
        from: u64,
        to: u64,
        width: u64,
        end: u64,
    ) -> impl Iterator<Item = Slot<'_>> {
        let width = width.max(1);
        let to = to.min(end);
        let mut buckets = within(&self.long.buckets, from)
            .chain(within(&self.minutes.buckets, from))
            .chain(within(&self.tens.buckets, from))
            .chain(within(&self.full, from))
            .take_while(move |bucket| bucket.from <= to)
            .peekable();
        let mut expected = from.max(1);
        let mut finished = false;
        std::iter::from_fn(move || {
            if finished {
                return None;
            }
            let Some(&next) = buckets.peek() else {
                finished = true;
                return (expected <= to).then_some(Slot::Gap { from: expected, to });
            };
            if let Some(gap) = whole_cells(expected, next.from, width) {
                expected = next.from;
                return Some(gap);
            }
            let cell = (next.from - 1) / width;
            let mut parts = Vec::new();
            while let Some(part) = buckets.next_if(|bucket| (bucket.from - 1) / width == cell) {
                parts.push(part);
            }
            expected = parts.last()?.to.saturating_add(1);
            match parts.as_slice() {
                [one] => Some(Slot::Seen(Cow::Borrowed(*one))),
                parts => {
                    Bucket::roll_up(parts, &[], Figures::All).map(|sum| Slot::Seen(Cow::Owned(sum)))
                }
            }
        })
    }
}

/// The gap from `expected` to before `next`, as far as it leaves whole cells of `width` empty. A cell that lacks only
/// some of its ticks says so by [`Bucket::missing`].
fn whole_cells<'a>(expected: u64, next: u64, width: u64) -> Option<Slot<'a>> {
    let from = (expected - 1)
        .div_ceil(width)
        .saturating_mul(width)
        .saturating_add(1);
    let to = (next - 1) / width * width;
    (from <= to).then_some(Slot::Gap { from, to })
}

fn within(buckets: &VecDeque<Arc<Bucket>>, from: u64) -> impl Iterator<Item = &Bucket> {
    buckets
        .range(buckets.partition_point(|bucket| bucket.to < from)..)
        .map(|bucket| &**bucket)
}

/// Takes the oldest buckets that share a cell of `width`, once the whole cell is more than `keep` ticks old.
fn take_group(
    buckets: &mut VecDeque<Arc<Bucket>>,
    width: u64,
    newest: u64,
    keep: u64,
) -> Option<Vec<Arc<Bucket>>> {
    let cell = (buckets.front()?.from - 1) / width;
    let end = (cell + 1).saturating_mul(width);
    if end.saturating_add(keep) > newest {
        return None;
    }
    let count = buckets
        .iter()
        .take_while(|bucket| (bucket.from - 1) / width == cell)
        .count();
    Some(buckets.drain(..count).collect())
}

impl Level {
    /// Rolls a group of finer buckets into the newest bucket of this level.
    fn push(&mut self, group: &[Arc<Bucket>]) {
        let cell = |bucket: &Bucket| (bucket.from - 1) / self.width;
        let before = match (self.buckets.back(), group.first()) {
            (Some(last), Some(first)) if cell(last) == cell(first) => self.buckets.pop_back(),
            _ => None,
        };
        let bucket = match (before, group) {
            (None, [one]) => Some(Arc::clone(one)),
            (before, group) => {
                let parts: Vec<&Bucket> = before.iter().chain(group).map(|part| &**part).collect();
                Bucket::roll_up(&parts, &self.carry, self.figures).map(Arc::new)
            }
        };
        if let Some(bucket) = bucket {
            keep_last(&mut self.carry, &bucket);
            self.buckets.push_back(bucket);
        }
    }

    /// Doubles the width and joins the neighbours that now share a cell.
    fn double(&mut self) {
        self.width = self.width.saturating_mul(2);
        self.carry.clear();
        let mut old = std::mem::take(&mut self.buckets);
        while let Some(group) = take_group(&mut old, self.width, u64::MAX, 0) {
            self.push(&group);
        }
    }
}

fn keep_last(carry: &mut Vec<Option<f64>>, bucket: &Bucket) {
    for (index, range) in bucket.series.iter() {
        if carry.len() <= index {
            carry.resize(index + 1, None);
        }
        carry[index] = range.last;
    }
}
