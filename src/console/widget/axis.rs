//! The time axis that all charts share.
//!
//! In: how much time to span, how many columns there are, the newest tick. Out: which ticks each column stands for. A
//! chart that scrolled by a column each second would send itself anew each second; so the columns stand still, the
//! newest moves right into free space, and when it reaches the edge, the chart moves left by a quarter of its width:
//!
//! ```text
//!   ▁▂▃▄▃▂▃▄▅▆▅▄▃▂▃▄        ▁▂▃▄▃▂▃▄▅▆▅▄▃▂▃▄▅       ▃▄▃▂▃▄▅▆▅▄▃▂▃▄▅▄
//! ```
//!
//! The invariant: columns are aligned to whole multiples of their length, counted from the first tick of the window,
//! and never lie across two buckets of the history. What a column shows does not depend on when it is drawn.

use crate::console::model::Span;
use crate::history::{Bucket, History, MINUTES, Slot, TENS};
use crate::session::record::Window;

/// Lengths of columns, as multiples of the history's resolution, that give round times.
const NICE: [u64; 17] = [
    1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 24, 30, 40, 60, 120, 180,
];

/// Which ticks the columns of a chart stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axis {
    /// First tick of the first column; ticks count from 1.
    pub from_tick: u64,
    /// Ticks a column.
    pub ticks_per_cell: u64,
    /// Columns.
    pub cells: usize,
    /// The newest tick, recorded or known to be missing; 0 before the first.
    pub newest: u64,
    /// Length of a tick, µs.
    pub tick_us: u64,
}

/// A column of a chart.
#[derive(Debug, Clone, PartialEq)]
pub enum Column<T> {
    /// Still to come.
    Free,
    /// Not recorded: neither zero nor a line between its neighbours.
    Gap,
    /// Recorded, at least in part.
    Seen(T),
}

impl<T> Column<T> {
    /// What was recorded.
    pub fn seen(&self) -> Option<&T> {
        match self {
            Self::Seen(value) => Some(value),
            Self::Free | Self::Gap => None,
        }
    }

    /// The same column of something made from it; a gap where that is `None`.
    pub fn and_then<U>(&self, make: impl FnOnce(&T) -> Option<U>) -> Column<U> {
        match self {
            Self::Free => Column::Free,
            Self::Gap => Column::Gap,
            Self::Seen(value) => make(value).map_or(Column::Gap, Column::Seen),
        }
    }
}

impl Axis {
    /// The axis of a chart with so many columns over this span of what a history knows.
    pub fn new(history: &History, span: Span, cells: usize) -> Self {
        let tick_us = history.tick_us();
        let newest = newest(history);
        let cells = cells.max(1);
        let ticks = |seconds: u64| (seconds.saturating_mul(1_000_000) / tick_us).max(1);
        let wanted = span
            .seconds()
            .map_or_else(|| planned(history).max(newest).max(ticks(60)), ticks);
        let ten = ticks(10);
        let minute = ten.saturating_mul(6);
        let long = history.depth().long_width.max(minute);
        // The history keeps single ticks for 15 minutes (9,000 at most), 10 s for an hour, minutes for three.
        let resolution = |reach: u64| match reach {
            reach if reach <= ticks(900).min(9_000) => 1,
            reach if reach <= TENS / tick_us => ten,
            reach if reach <= MINUTES / tick_us => minute,
            _ => long,
        };
        let mut ticks_per_cell = 1;
        // Coarser columns reach further back, maybe to where the history is coarser; once more settles it.
        for _ in 0..3 {
            let unit = resolution(ticks_per_cell * cells as u64);
            ticks_per_cell = unit * nice(wanted.div_ceil(unit * cells as u64));
        }
        Self {
            from_tick: first(newest, ticks_per_cell, cells as u64) * ticks_per_cell + 1,
            ticks_per_cell,
            cells,
            newest,
            tick_us,
        }
    }

    /// The column that a tick lies in; `None` outside.
    pub fn cell_of(&self, tick: u64) -> Option<usize> {
        let cell = tick.checked_sub(self.from_tick)? / self.ticks_per_cell;
        usize::try_from(cell).ok().filter(|&cell| cell < self.cells)
    }

    /// First and last tick of a column.
    pub fn ticks_of(&self, cell: usize) -> (u64, u64) {
        let from = self.from_tick + cell as u64 * self.ticks_per_cell;
        (from, from + self.ticks_per_cell - 1)
    }

    /// The column of the newest tick.
    pub fn newest_cell(&self) -> Option<usize> {
        self.cell_of(self.newest)
    }

    /// When a tick begins, µs since the window began, by plan.
    pub fn begin_of(&self, tick: u64) -> u64 {
        tick.saturating_sub(1).saturating_mul(self.tick_us)
    }

    /// Folds what was recorded into columns. `add` is called with every bucket and each column that it belongs to;
    /// a bucket that is longer than a column belongs to several.
    pub fn fold<T: Default>(
        &self,
        history: &History,
        mut add: impl FnMut(&mut T, &Bucket),
    ) -> Vec<Column<T>> {
        let mut columns: Vec<Column<T>> = Vec::with_capacity(self.cells);
        for cell in 0..self.cells {
            let begun = self.ticks_of(cell).0 <= self.newest;
            columns.push(if begun { Column::Gap } else { Column::Free });
        }
        let to = self.ticks_of(self.cells - 1).1;
        for slot in history.slots(self.from_tick, to, 1) {
            let Slot::Seen(bucket) = slot else { continue };
            let begin = bucket.from.max(self.from_tick);
            let (Some(begin), end) = (self.cell_of(begin), self.cell_of(bucket.to)) else {
                continue;
            };
            for column in &mut columns[begin..=end.unwrap_or(self.cells - 1)] {
                match column {
                    Column::Seen(value) => add(value, &bucket),
                    Column::Free | Column::Gap => {
                        let mut value = T::default();
                        add(&mut value, &bucket);
                        *column = Column::Seen(value);
                    }
                }
            }
        }
        columns
    }
}

/// The newest tick that is known of.
fn newest(history: &History) -> u64 {
    let lost = history.gaps().back().map_or(0, |gap| gap.to);
    history.last().map_or(lost, |last| last.tick.max(lost))
}

/// The whole planned window in ticks.
fn planned(history: &History) -> u64 {
    let micros = history.window().map_or(0, Window::planned_us);
    micros.div_ceil(history.tick_us())
}

/// The first column, counted in columns since the beginning of the window.
fn first(newest: u64, ticks_per_cell: u64, cells: u64) -> u64 {
    let block = (cells / 4).max(1);
    let newest = newest.saturating_sub(1) / ticks_per_cell;
    (newest + 1).saturating_sub(cells).div_ceil(block) * block
}

fn nice(least: u64) -> u64 {
    let found = NICE.into_iter().find(|&nice| nice >= least);
    found.unwrap_or_else(|| least.div_ceil(60).saturating_mul(60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::testing::Recording;

    fn history(seconds: u64) -> History {
        Recording::new(&[("steady", 7_200, 1.0)])
            .phase(0)
            .ticks_with(seconds, |tick| tick.steps.truncate(1))
            .history()
    }

    #[test]
    fn columns_stand_still_until_the_edge_then_move_by_a_quarter() {
        let first = |newest| first(newest, 5, 60);
        assert_eq!(first(0), 0);
        assert_eq!(first(300), 0);
        assert_eq!(first(301), 15);
        assert_eq!(first(375), 15);
        assert_eq!(first(376), 30);
    }

    #[test]
    fn the_newest_tick_is_always_on_the_axis_and_the_span_nearly() {
        for (span, seconds) in [(Span::Minute, 60), (Span::Five, 300), (Span::Quarter, 900)] {
            for cells in [1, 2, 7, 55, 110, 280] {
                for newest in [1, 59, 60, 61, 700] {
                    let axis = Axis::new(&history(newest), span, cells);
                    assert!(axis.newest_cell().is_some(), "{span:?} {cells} {newest}");
                    assert!(axis.ticks_per_cell * cells as u64 >= seconds);
                    assert_eq!((axis.from_tick - 1) % axis.ticks_per_cell, 0);
                }
            }
        }
    }

    #[test]
    fn a_column_stays_as_it_is_once_it_is_not_the_newest() {
        let sums = |newest| {
            let history = history(newest);
            let axis = Axis::new(&history, Span::Five, 50);
            let columns = axis.fold(&history, |sum: &mut u64, bucket| *sum += bucket.ticks);
            let at = |(cell, column): (usize, &Column<u64>)| {
                (axis.ticks_of(cell), column.seen().copied())
            };
            columns.iter().enumerate().map(at).collect::<Vec<_>>()
        };
        let (before, after) = (sums(283), sums(284));
        let changed = before.iter().zip(&after).filter(|(a, b)| a != b);
        assert_eq!(changed.count(), 1);
        assert_eq!(before[46], ((277, 282), Some(6)));
        assert_eq!(after[47], ((283, 288), Some(2)));
    }

    #[test]
    fn what_is_missing_is_a_gap_and_what_is_to_come_is_free() {
        let history = Recording::new(&[("steady", 600, 1.0)])
            .phase(0)
            .ticks(30)
            .gap(20, "disk full")
            .ticks(10)
            .history();
        let axis = Axis::new(&history, Span::Minute, 12);
        let columns = axis.fold(&history, |sum: &mut u64, bucket| *sum += bucket.ticks);
        assert_eq!(axis.ticks_per_cell, 5);
        assert_eq!(columns[5], Column::Seen(5));
        assert_eq!(
            columns[6..10],
            [Column::Gap, Column::Gap, Column::Gap, Column::Gap]
        );
        assert_eq!(columns[10..], [Column::Seen(5), Column::Seen(5)]);
        let axis = Axis::new(&history, Span::Five, 60);
        let columns = axis.fold(&history, |sum: &mut u64, bucket| *sum += bucket.ticks);
        assert_eq!(columns[12], Column::Free);
    }

    #[test]
    fn columns_of_long_spans_are_whole_buckets_of_the_history() {
        let history = history(100);
        for (span, unit) in [(Span::Quarter, 10), (Span::Hour, 10), (Span::Twelve, 60)] {
            for cells in [20, 55, 110, 200] {
                let axis = Axis::new(&history, span, cells);
                assert_eq!(axis.ticks_per_cell % unit.min(axis.ticks_per_cell), 0);
                let reach = axis.ticks_per_cell * cells as u64;
                assert!(
                    reach <= 900 || axis.ticks_per_cell.is_multiple_of(10),
                    "{axis:?}"
                );
                assert!(
                    reach <= 10_800 || axis.ticks_per_cell.is_multiple_of(60),
                    "{axis:?}"
                );
            }
        }
    }
}
