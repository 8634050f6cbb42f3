//! Sums of many histograms at 2 significant figures, for the trailer of a frame.
//!
//! Histograms go in at the cost of one addition a bucket, and one comes out. The invariant: its count is exact, and
//! every value stands at the top of a bucket that is at most 1/128 of it wide, as in an `HdrHistogram` of 2 significant
//! figures; so a quantile is never below the exact one, and at most 0.8 % above.
//!
//! ```text
//! bucket of Hist     0 … 255   256 … 511   512 … 1023   1024 … 23551
//! go together        1         2           4            8
//! place here         0 … 255   256 … 383   384 … 511    512 … 3327
//! ```

use super::hist::{Hist, MAX_VALUE, index_of};

/// Counts by place: 26 KB, had once for each step.
#[derive(Debug, Clone)]
pub(super) struct Coarse {
    counts: Box<[u64]>,
}

impl Default for Coarse {
    fn default() -> Self {
        let places = place(index_of(MAX_VALUE)) + 1;
        Self {
            counts: vec![0; places].into_boxed_slice(),
        }
    }
}

impl Coarse {
    /// Adds all of `hist`.
    pub fn add(&mut self, hist: &Hist) {
        for &(index, count) in hist.buckets() {
            // A histogram holds no index past that of the largest value.
            let sum = &mut self.counts[place(index)];
            *sum = sum.saturating_add(count);
        }
    }

    /// The sum so far.
    pub fn hist(&self) -> Hist {
        let buckets = (0..)
            .zip(&self.counts)
            .filter(|&(_, &count)| count > 0)
            .map(|(place, &count)| (top(place), count));
        Hist::from_ascending(buckets.collect())
    }
}

/// Where a bucket of [`Hist`] is counted.
fn place(index: u32) -> usize {
    let place = match index {
        0..256 => index,
        256..512 => 128 + index / 2,
        512..1024 => 256 + index / 4,
        _ => 384 + index / 8,
    };
    place as usize
}

/// The last bucket of [`Hist`] that is counted at a place.
fn top(place: u32) -> u32 {
    match place {
        0..256 => place,
        256..384 => (place - 128) * 2 + 1,
        384..512 => (place - 256) * 4 + 3,
        _ => (place - 384) * 8 + 7,
    }
}

/// The bucket of [`Hist`] that stands for this one where 2 significant figures are kept.
pub(crate) fn two_figures(index: u32) -> u32 {
    match index {
        0..256 => index,
        256..512 => index | 1,
        512..1024 => index | 3,
        _ => index | 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn quantiles_of_a_sum_are_at_most_a_128th_above_the_exact_ones(
            ticks in prop::collection::vec(prop::collection::vec(0u64..5_000_000_000, 1..60), 1..6),
            scale in 0u32..24,
        ) {
            let mut coarse = Coarse::default();
            let mut exact = Hist::new();
            for values in ticks {
                let mut tick = Hist::new();
                for value in values {
                    tick.record(value >> scale);
                }
                coarse.add(&tick);
                exact.merge(&tick);
            }
            let sum = coarse.hist();
            prop_assert_eq!(sum.count(), exact.count());
            prop_assert_eq!(Hist::from_buckets(sum.buckets().iter().copied()), Some(sum.clone()));
            for q in [0.0, 0.1, 0.5, 0.9, 0.99, 1.0] {
                let (found, right) = (sum.quantile(q), exact.quantile(q));
                prop_assert!(found >= right && found - right <= right / 128, "{} for {}", found, right);
            }
        }
    }

    #[test]
    fn a_bucket_and_the_place_it_goes_to_stand_for_the_same_values() {
        assert!(
            (0..=index_of(MAX_VALUE)).all(|index| two_figures(index) == top(place(index) as u32))
        );
    }

    #[test]
    fn the_largest_value_has_a_place() {
        let mut hist = Hist::new();
        hist.record(u64::MAX);
        let mut coarse = Coarse::default();
        coarse.add(&hist);
        assert_eq!(coarse.hist(), hist);
    }
}
