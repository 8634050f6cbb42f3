//! A distribution for each column of a chart, coarse enough to add up hundreds of them a frame.
//!
//! In: packed histograms. Out: shares by row of a scale. Each doubling of time has 16 bins, so that a row's edge lies
//! within 5 % of where it should be; no quantile that is written as a number comes from here.

use ratatui::style::Style;

use super::log::LogScale;
use crate::console::theme::Theme;
use crate::history::Packed;

/// Bins: 16 for each of 32 doublings.
const BINS: usize = 512;

/// Counts of times by bin.
#[derive(Debug, Clone, PartialEq)]
pub struct Bins(Box<[u64; BINS]>);

impl Default for Bins {
    fn default() -> Self {
        Self(Box::new([0; BINS]))
    }
}

impl Bins {
    /// Adds a histogram at the cost of an addition for each of its buckets.
    pub fn add(&mut self, times: &Packed) {
        for (index, count) in times.iter() {
            let sum = &mut self.0[bin(index).min(BINS - 1)];
            *sum = sum.saturating_add(count);
        }
    }

    /// Times counted.
    pub fn count(&self) -> u64 {
        self.0
            .iter()
            .fold(0, |sum, &count| sum.saturating_add(count))
    }

    /// Bins with a count in them, first and last.
    fn ends(&self) -> Option<(usize, usize)> {
        let first = self.0.iter().position(|&count| count > 0)?;
        let last = self.0.iter().rposition(|&count| count > 0)?;
        Some((first, last))
    }

    /// The share of all times in each row of a scale, lowest row first.
    pub fn shares(&self, rows: &Rows) -> Vec<f64> {
        let mut counts = vec![0u64; rows.rows];
        for (&row, &count) in rows.of_bin.iter().zip(self.0.iter()) {
            if count > 0 {
                counts[usize::from(row)] += count;
            }
        }
        let all = self.count().max(1) as f64;
        counts.into_iter().map(|count| count as f64 / all).collect()
    }
}

/// The scale that holds all times of all columns; `None` when there are none.
pub fn scale_of<'a>(columns: impl Iterator<Item = &'a Bins>) -> Option<LogScale> {
    let ends = columns.filter_map(Bins::ends);
    let (first, last) = ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
    Some(LogScale::around(lowest(first), lowest(last + 1) - 1.0))
}

/// Which row each bin lies in.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    of_bin: Vec<u16>,
    rows: usize,
}

impl Rows {
    /// So many rows of a scale; at least one.
    pub fn new(scale: LogScale, rows: usize) -> Self {
        let rows = rows.max(1);
        let of_bin = (0..BINS).map(|bin| scale.row(middle(bin), rows) as u16);
        Self {
            of_bin: of_bin.collect(),
            rows,
        }
    }
}

/// From index of a histogram's bucket (see [`crate::session::hist`]) to bin: the leading bit and the four after it.
fn bin(index: u32) -> usize {
    let index = index as usize;
    if index < 1024 {
        let value = index.max(1);
        let octave = value.ilog2() as usize;
        octave * 16 + ((value << 4 >> octave) & 15)
    } else {
        (index >> 6) + 144
    }
}

/// Lowest time of a bin, µs.
fn lowest(bin: usize) -> f64 {
    let octave = (1u64 << (bin / 16)) as f64;
    octave * (1.0 + (bin % 16) as f64 / 16.0)
}

fn middle(bin: usize) -> f64 {
    f64::midpoint(lowest(bin), lowest(bin + 1))
}

/// Shares from which on each of eight shades begins. The tail matters more than the body, so they are not even.
const SHADES: [f64; 8] = [0.0, 0.003, 0.01, 0.03, 0.08, 0.16, 0.28, 0.45];

/// Rows among which shares are as dark as [`SHADES`] says; among more of them each has less, and is shaded for more.
const ROWS: f64 = 8.0;

/// Glyph and style of a share in one of so many rows; nothing for none.
pub fn shade(share: f64, rows: usize, theme: &Theme) -> Option<(&'static str, Style)> {
    if share <= 0.0 {
        return None;
    }
    let share = share * (rows as f64 / ROWS).max(1.0).sqrt();
    let level = SHADES.partition_point(|&from| from <= share).max(1) - 1;
    let style = theme.heat.len().checked_sub(1).map_or(theme.text, |top| {
        theme.heat[level * top / (SHADES.len() - 1)]
    });
    Some((theme.glyphs.heat[1 + level / 2], style))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::hist::{Hist, index_of};

    #[test]
    fn bins_follow_the_buckets_of_a_histogram() {
        for value in (1..5_000u64).chain((0..40).map(|n| 5_000 << (n / 2))) {
            let value = value.min(crate::session::hist::MAX_VALUE);
            let bin = bin(index_of(value));
            let value = value as f64;
            assert!(
                lowest(bin) <= value * 1.001 && value < lowest(bin + 1) * 1.001,
                "{value}"
            );
        }
        assert_eq!(bin(index_of(u64::MAX)), BINS - 1);
    }

    #[test]
    fn shares_add_up_and_lie_in_their_rows() {
        let mut hist = Hist::new();
        (0..90).for_each(|_| hist.record(10_500));
        (0..10).for_each(|_| hist.record(600_000));
        let mut bins = Bins::default();
        bins.add(&Packed::from(&hist));
        let scale = scale_of([&bins].into_iter()).unwrap();
        assert_eq!((scale.low(), scale.high()), (10_000.0, 1_000_000.0));
        let shares = bins.shares(&Rows::new(scale, 6));
        assert_eq!(shares, [0.9, 0.0, 0.0, 0.0, 0.0, 0.1]);
        assert_eq!(scale_of(std::iter::empty()), None);
    }

    #[test]
    fn the_least_share_shows_and_more_is_never_lighter() {
        let theme = Theme::default();
        let glyph = |share| {
            let (glyph, _) = shade(share, 8, &theme)?;
            theme.glyphs.heat.iter().position(|&known| known == glyph)
        };
        assert_eq!(glyph(0.0), None);
        assert_eq!(glyph(1e-9), Some(1));
        assert_eq!(glyph(1.0), Some(4));
        let levels: Vec<_> = (0..=100)
            .map(|share| glyph(f64::from(share) / 100.0))
            .collect();
        assert!(levels.is_sorted());
    }
}
