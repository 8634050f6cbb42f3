//! A dense latency histogram for recording, in the bucket layout of [`Hist`].
//!
//! In: one value at a time, at the cost of an index and an addition. Out: a sparse [`Hist`], after which it is empty
//! and its memory is ready for the next interval. The invariant: only buckets between the lowest and the highest one
//! touched can hold something, so that emptying it costs what was used of it, not the whole range.

use super::hist::{Hist, index_of};

/// Counts by bucket. Grows to the highest value seen: about 50 KB for values up to 2 s, 94 KB at most.
#[derive(Debug, Clone, Default)]
pub struct Dense {
    counts: Vec<u32>,
    low: u32,
    high: u32,
    any: bool,
}

impl Dense {
    /// An empty histogram without memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one value, µs. Values above [`super::hist::MAX_VALUE`] count as that.
    pub fn record(&mut self, value: u64) {
        let index = index_of(value);
        let place = index as usize;
        if place >= self.counts.len() {
            self.counts.resize((place + 1).next_power_of_two(), 0);
        }
        self.counts[place] = self.counts[place].saturating_add(1);
        if self.any {
            self.low = self.low.min(index);
            self.high = self.high.max(index);
        } else {
            (self.low, self.high, self.any) = (index, index, true);
        }
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        !self.any
    }

    /// What was recorded since the last call.
    pub fn take(&mut self) -> Hist {
        if !self.any {
            return Hist::new();
        }
        self.any = false;
        let touched = &mut self.counts[self.low as usize..=self.high as usize];
        let buckets: Vec<(u32, u64)> = (self.low..)
            .zip(touched.iter())
            .filter(|&(_, &count)| count > 0)
            .map(|(index, &count)| (index, u64::from(count)))
            .collect();
        touched.fill(0);
        Hist::from_ascending(buckets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_interval_holds_what_was_recorded_in_it_and_nothing_else(
            intervals in prop::collection::vec(prop::collection::vec(0u64..5_000_000_000, 0..60), 1..6)
        ) {
            let mut dense = Dense::new();
            for values in intervals {
                let mut expected = Hist::new();
                for &value in &values {
                    dense.record(value);
                    expected.record(value);
                }
                prop_assert_eq!(dense.is_empty(), values.is_empty());
                prop_assert_eq!(dense.take(), expected);
            }
        }
    }
}
