//! Many into one, fast: the sum of histograms at rest, and what series did over several buckets.
//!
//! In: parts in ascending order of time. Out: their sum. Both add into tables that are indexed directly, which costs a
//! few additions a part where sorted lists would cost comparisons; a thread keeps its tables (200 KB) from one sum to
//! the next. The invariant: a sum does not depend on how its parts were grouped.

use std::cell::RefCell;

use super::bucket::Range;
use super::packed::{Packed, Packer};
use super::series::SeriesRanges;
use crate::session::hist::{MAX_VALUE, index_of};
use crate::session::two_figures;

/// How fine a sum of distributions is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figures {
    /// As fine as it was recorded: 3 significant figures.
    All,
    /// 2 significant figures: quantiles are never below the exact ones and at most 0.8 % above. A distribution of many
    /// values takes a quarter of the memory.
    Two,
}

thread_local! {
    static TABLE: RefCell<Table> = RefCell::new(Table::default());
    static RANGES: RefCell<Vec<Option<Range>>> = const { RefCell::new(Vec::new()) };
}

/// Counts by bucket, and a bit for each that is not 0. All 0 between two sums.
#[derive(Default)]
struct Table {
    counts: Vec<u64>,
    bits: Vec<u64>,
}

impl Table {
    fn add(&mut self, index: u32, count: u64) {
        let index = index as usize;
        let sum = &mut self.counts[index];
        *sum = sum.saturating_add(count);
        self.bits[index / 64] |= 1 << (index % 64);
    }

    /// Hands out the buckets in ascending order, which are 0 afterwards.
    fn drain(&mut self, mut each: impl FnMut(u32, u64)) {
        for (word, bits) in self.bits.iter_mut().enumerate() {
            let mut left = std::mem::take(bits);
            while left != 0 {
                let index = word * 64 + left.trailing_zeros() as usize;
                left &= left - 1;
                each(index as u32, std::mem::take(&mut self.counts[index]));
            }
        }
    }
}

/// The sum of all.
pub(super) fn merge<'a>(parts: impl Iterator<Item = &'a Packed>, figures: Figures) -> Packed {
    let mut parts = parts.filter(|part| !part.is_empty());
    let Some(first) = parts.next() else {
        return Packed::default();
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() && figures == Figures::All {
        return first.clone();
    }
    TABLE.with_borrow_mut(|table| {
        let places = index_of(MAX_VALUE) as usize + 1;
        table.counts.resize(places, 0);
        table.bits.resize(places.div_ceil(64), 0);
        let mut expected = 0;
        for part in std::iter::once(first).chain(parts) {
            expected += part.bytes().min(600);
            for (index, count) in part.iter() {
                let index = match figures {
                    Figures::All => index,
                    Figures::Two => two_figures(index),
                };
                table.add(index, count);
            }
        }
        let mut packer = Packer::new(expected.min(2_000));
        table.drain(|index, count| packer.push(index, count));
        packer.finish()
    })
}

/// What each series did over the parts. `carry` gives what it was before the first of them: a part names only the series
/// that changed in it, so that one that it does not name kept its value.
pub(super) fn series<'a>(
    parts: impl Iterator<Item = &'a SeriesRanges>,
    carry: &[Option<f64>],
) -> SeriesRanges {
    RANGES.with_borrow_mut(|ranges| {
        for (place, part) in parts.enumerate() {
            for (index, range) in part.iter() {
                if ranges.len() <= index {
                    ranges.resize(index + 1, None);
                }
                let before = match ranges[index] {
                    Some(range) => Some(range),
                    None if place > 0 => carry.get(index).map(|&value| Range::of(value)),
                    None => None,
                };
                ranges[index] = Some(before.map_or(range, |before| before.then(range)));
            }
        }
        let ranges = ranges.drain(..).enumerate();
        ranges
            .filter_map(|(index, range)| Some((index, range?)))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::hist::Hist;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_sum_is_what_merging_gives_and_its_grouping_does_not_matter(
            parts in prop::collection::vec(prop::collection::vec(0u64..5_000_000_000, 0..40), 0..6),
            cut in 0usize..6,
        ) {
            let mut exact = Hist::new();
            let packed: Vec<Packed> = parts.iter().map(|values| {
                let mut hist = Hist::new();
                for &value in values {
                    hist.record(value);
                }
                exact.merge(&hist);
                Packed::from(&hist)
            }).collect();
            let all = merge(packed.iter(), Figures::All);
            prop_assert_eq!(all.unpack(), exact);
            let two = merge(packed.iter(), Figures::Two);
            let (left, right) = packed.split_at(cut.min(packed.len()));
            let grouped = [merge(left.iter(), Figures::Two), merge(right.iter(), Figures::All)];
            prop_assert_eq!(&merge(grouped.iter(), Figures::Two), &two);
            prop_assert_eq!(merge(std::iter::once(&all), Figures::Two), two);
        }
    }
}
