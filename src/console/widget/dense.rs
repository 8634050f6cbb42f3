//! Many histograms added up, exactly.

use crate::history::Packed;
use crate::session::hist::{Hist, MAX_VALUE, index_of};

/// Counts by bucket of a histogram. Adding to it costs an addition a bucket, where merging sparse lists costs the
/// length of both.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense(Vec<u64>);

impl Default for Dense {
    fn default() -> Self {
        Self(vec![0; index_of(MAX_VALUE) as usize + 1])
    }
}

impl Dense {
    /// Adds a histogram.
    pub fn add(&mut self, times: &Packed) {
        for (index, count) in times.iter() {
            if let Some(sum) = self.0.get_mut(index as usize) {
                *sum = sum.saturating_add(count);
            }
        }
    }

    /// The sum.
    pub fn hist(&self) -> Hist {
        Hist::from_buckets((0..).zip(self.0.iter().copied())).unwrap_or_default()
    }
}
