//! The window at three resolutions: ticks, then 10 s, then a minute.
//!
//! In: buckets of one tick, in ascending order. Out: buckets between two ticks at a wanted width, with the gaps
//! between them. When a whole 10 s have left the last 15 minutes they are rolled into one bucket, when a whole minute
//! has left the last 3 hours likewise; when there are more than [`MINUTES`] of those, neighbours are joined and the
//! width doubles. The invariant: a level's length has a bound that does not depend on the length of the window.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::bucket::Bucket;

/// How long every tick is kept, µs.
const FULL: u64 = 15 * 60 * 1_000_000;
/// How long 10 s are kept apart, µs.
const TENS: u64 = 3 * 3600 * 1_000_000;
/// Most ticks kept one by one, however short they are.
const MOST_FULL: u64 = 9_000;
/// Most buckets of the coarsest level: two days of minutes, then of two minutes, and so on.
pub const MINUTES: usize = 2 * 24 * 60;

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
    /// Buckets of a minute or more.
    pub minutes: usize,
    /// Width of those, in ticks.
    pub minute_width: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Levels {
    full: VecDeque<Bucket>,
    tens: Level,
    minutes: Level,
    keep_full: u64,
    keep_tens: u64,
    minute: u64,
    rollups: bool,
}

/// Buckets of a width, and what every series was after the last of them.
#[derive(Debug, Clone, PartialEq)]
struct Level {
    width: u64,
    buckets: VecDeque<Bucket>,
    carry: Vec<Option<f64>>,
}

impl Levels {
    /// Empty levels for ticks of this length, µs. Without `rollups`, what leaves the last 15 minutes is forgotten.
    pub(super) fn new(tick_us: u64, rollups: bool) -> Self {
        let tick_us = tick_us.max(1);
        let ticks_in = |span: u64| (span / tick_us).max(1);
        let ten = ticks_in(10_000_000);
        let level = |width| Level {
            width,
            buckets: VecDeque::new(),
            carry: Vec::new(),
        };
        Self {
            full: VecDeque::new(),
            tens: level(ten),
            minutes: level(ten.saturating_mul(6)),
            keep_full: ticks_in(FULL).min(MOST_FULL),
            keep_tens: ticks_in(TENS),
            minute: ten.saturating_mul(6),
            rollups,
        }
    }

    /// Adds a tick later than all before it.
    pub(super) fn push(&mut self, bucket: Bucket) {
        let newest = bucket.to;
        self.full.push_back(bucket);
        let width = self.tens.width;
        while let Some(group) = take_group(&mut self.full, width, newest, self.keep_full) {
            if self.rollups {
                self.tens.push(&group);
            }
        }
        let tens = &mut self.tens.buckets;
        while let Some(group) = take_group(tens, self.minute, newest, self.keep_tens) {
            self.minutes.push(&group);
        }
        while self.minutes.buckets.len() > MINUTES {
            self.minutes.double();
        }
    }

    /// Ticks at full resolution, oldest first.
    pub(super) fn full(&self) -> &VecDeque<Bucket> {
        &self.full
    }

    pub(super) fn depth(&self) -> Depth {
        Depth {
            ticks: self.full.len(),
            tens: self.tens.buckets.len(),
            minutes: self.minutes.buckets.len(),
            minute_width: self.minutes.width,
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
        let mut buckets = within(&self.minutes.buckets, from)
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
                parts => Bucket::roll_up(parts, &[]).map(|sum| Slot::Seen(Cow::Owned(sum))),
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

fn within(buckets: &VecDeque<Bucket>, from: u64) -> std::collections::vec_deque::Iter<'_, Bucket> {
    buckets.range(buckets.partition_point(|bucket| bucket.to < from)..)
}

/// Takes the oldest buckets that share a cell of `width`, once the whole cell is more than `keep` ticks old.
fn take_group(
    buckets: &mut VecDeque<Bucket>,
    width: u64,
    newest: u64,
    keep: u64,
) -> Option<Vec<Bucket>> {
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
    fn push(&mut self, group: &[Bucket]) {
        let cell = |bucket: &Bucket| (bucket.from - 1) / self.width;
        let before = match (self.buckets.back(), group.first()) {
            (Some(last), Some(first)) if cell(last) == cell(first) => self.buckets.pop_back(),
            _ => None,
        };
        let parts: Vec<&Bucket> = before.iter().chain(group).collect();
        if let Some(bucket) = Bucket::roll_up(&parts, &self.carry) {
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
    for &(index, range) in &bucket.series {
        if carry.len() <= index {
            carry.resize(index + 1, None);
        }
        carry[index] = range.last;
    }
}
