//! Series over the columns of a chart.
//!
//! In: a history, an axis, which series. Out: what each was in each column. The invariant: a bucket of the history names
//! only the series that changed in it, so a course carries each value on until the next.

use crate::console::widget::{Axis, Column};
use crate::history::{Bucket, History, Range, Slot};

/// Ticks that are looked through at first for what a series was before a chart begins.
const BACK: u64 = 60;

/// What a series was in a column.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Values {
    /// The smallest value.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// The one at its end; `None` when it had none then.
    pub last: Option<f64>,
}

/// The course of each series over the columns of an axis.
pub fn courses(history: &History, axis: &Axis, indexes: &[usize]) -> Vec<Vec<Column<Values>>> {
    let rows = by_index(indexes);
    let changes = axis.fold(history, |changes: &mut Vec<Option<Values>>, bucket| {
        changes.resize(indexes.len(), None);
        for (row, range) in ranges_of(bucket, &rows) {
            let change = &mut changes[row];
            let before = change.unwrap_or(Values {
                min: f64::INFINITY,
                max: f64::NEG_INFINITY,
                last: None,
            });
            *change = Some(Values {
                min: before.min.min(range.min),
                max: before.max.max(range.max),
                last: range.last,
            });
        }
    });
    let before = before(history, axis, indexes, &changes);
    (0..indexes.len())
        .map(|row| {
            let mut last = before[row];
            let carried = changes.iter().map(|column| {
                column.and_then(|changes| {
                    let carry = last;
                    let values = match changes.get(row).copied().flatten() {
                        Some(values) => values,
                        None => Values {
                            min: carry?,
                            max: carry?,
                            last: carry,
                        },
                    };
                    last = values.last;
                    Some(values)
                })
            });
            carried.collect()
        })
        .collect()
}

/// Index of the series and row, ascending.
fn by_index(indexes: &[usize]) -> Vec<(usize, usize)> {
    let rows = indexes.iter().enumerate();
    let mut rows: Vec<_> = rows.map(|(row, &index)| (index, row)).collect();
    rows.sort_unstable();
    rows
}

/// The rows whose series changed in a bucket; `rows` as from [`by_index`].
fn ranges_of(bucket: &Bucket, rows: &[(usize, usize)]) -> impl Iterator<Item = (usize, Range)> {
    let mut rest = rows;
    let end = rows.last().map_or(0, |&(index, _)| index + 1);
    bucket
        .series
        .iter()
        .take_while(move |&(index, _)| index < end)
        .flat_map(move |(index, range)| {
            rest = &rest[rest.partition_point(|row| row.0 < index)..];
            let (here, later) = rest.split_at(rest.partition_point(|row| row.0 == index));
            rest = later;
            here.iter().map(move |&(_, row)| (row, range))
        })
}

/// What each series was before the first column. Only those are looked for that did not change in it.
fn before(
    history: &History,
    axis: &Axis,
    indexes: &[usize],
    changes: &[Column<Vec<Option<Values>>>],
) -> Vec<Option<f64>> {
    let moved = |row: usize, column: &Column<Vec<Option<Values>>>| {
        let changes = column.seen();
        changes.is_some_and(|changes| changes.get(row).copied().flatten().is_some())
    };
    let mut found: Vec<Option<f64>> = vec![None; indexes.len()];
    let mut wanted: Vec<(usize, usize)> = Vec::new();
    for (row, &index) in indexes.iter().enumerate() {
        match changes.iter().position(|column| moved(row, column)) {
            // Nothing has changed since before the first column.
            None => found[row] = history.series(index),
            Some(0) => {}
            Some(_) => wanted.push((index, row)),
        }
    }
    wanted.sort_unstable();
    look_back(history, axis.from_tick - 1, wanted, &mut found);
    found
}

/// Looks for the value that each wanted series had last up to a tick: a little further back each time, because most
/// changed not long ago and a window may be long.
fn look_back(
    history: &History,
    up_to: u64,
    mut wanted: Vec<(usize, usize)>,
    found: &mut [Option<f64>],
) {
    let (mut to, mut ticks) = (up_to, BACK);
    while to >= 1 && !wanted.is_empty() {
        let from = to.saturating_sub(ticks - 1).max(1);
        let mut seen = vec![false; found.len()];
        for slot in history.slots(from, to, 1) {
            let Slot::Seen(bucket) = slot else { continue };
            for (row, range) in ranges_of(&bucket, &wanted) {
                found[row] = range.last;
                seen[row] = true;
            }
        }
        wanted.retain(|&(_, row)| !seen[row]);
        (to, ticks) = (from - 1, ticks.saturating_mul(4));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::model::Span;
    use crate::session::record::{Key, Names, Number, Record, Tick};

    /// So many ticks of a series that changes in some of them.
    fn history(ticks: u64, value: impl Fn(u64) -> Option<Option<f64>>) -> History {
        let mut history = History::new();
        let series = vec!["other".to_owned(), "one".to_owned()];
        history.apply(&Record::Key(Key {
            names: Names {
                series,
                ..Names::default()
            },
            ..Key::default()
        }));
        for n in 1..=ticks {
            let changed = value(n).map(|value| (1, value.map(Number)));
            history.apply(&Record::Tick(Box::new(Tick {
                n,
                at: n * 1_000_000,
                series: changed.into_iter().collect(),
                ..Tick::default()
            })));
        }
        history
    }

    #[test]
    fn a_value_is_carried_on_from_however_far_before_the_chart() {
        for changed in [1, 5, 300, 600, 940] {
            let history = history(1_000, |n| match n {
                n if n == changed => Some(Some(7.0)),
                990 => Some(Some(9.0)),
                _ => None,
            });
            let axis = Axis::new(&history, Span::Minute, 12);
            let course = &courses(&history, &axis, &[1])[0];
            let first = course[0].seen().unwrap();
            assert_eq!((first.max, first.last), (7.0, Some(7.0)), "{changed}");
            let last = axis.newest_cell().unwrap();
            assert_eq!(course[last].seen().unwrap().last, Some(9.0));
        }
    }

    #[test]
    fn a_series_that_ended_is_a_gap() {
        let history = history(50, |n| match n {
            1 => Some(Some(7.0)),
            20 => Some(None),
            _ => None,
        });
        let axis = Axis::new(&history, Span::Minute, 12);
        let course = &courses(&history, &axis, &[1])[0];
        assert_eq!(course[2].seen().unwrap().last, Some(7.0));
        assert_eq!(course[6], Column::Gap);
    }
}
