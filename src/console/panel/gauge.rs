//! Gauges as rows: their course over an axis, their value, their state.
//!
//! A bucket of the history names only the series that changed in it, so a course carries each value on until the next.

use super::Scene;
use crate::console::widget::{Axis, Column};
use crate::history::{Bucket, Range, Slot};
use crate::profile::expect::Cmp;
use crate::profile::units;
use crate::session::record::GaugePlan;
use crate::verdict::format;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Within bounds, or without any.
    Good,
    /// Look at it.
    Warn,
    /// Out of bounds.
    Crit,
}

/// What a value counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
    /// A share of one.
    Ratio,
    /// Something a second.
    Rate,
    /// A plain number.
    Count,
    /// Processor cores.
    Cores,
}

impl Unit {
    /// From the words of a profile.
    fn of(words: &str) -> Self {
        match words {
            "bytes" => Self::Bytes,
            "seconds" => Self::Seconds,
            "ratio" => Self::Ratio,
            "per second" => Self::Rate,
            _ => Self::Count,
        }
    }

    /// A value as it is written.
    pub fn text(self, value: f64) -> String {
        if value < 0.0 {
            format!("-{}", self.amount(-value))
        } else {
            self.amount(value)
        }
    }

    /// Likewise, of a value that is not negative.
    pub fn amount(self, value: f64) -> String {
        match self {
            Self::Bytes => format::bytes(value),
            Self::Seconds => format::duration_short(value * 1e6),
            Self::Ratio => format::percent(value),
            Self::Rate => format::rate_short(value),
            Self::Count | Self::Cores => format::count_short(round(value)),
        }
    }
}

/// At most two decimals, so that a mean does not look more exact than it is.
fn round(value: f64) -> f64 {
    if value >= 99.5 {
        value.round()
    } else {
        (value * 100.0).round() / 100.0
    }
}

/// A bound: `> 400MiB`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    cmp: Cmp,
    value: f64,
}

impl Bound {
    /// More than this.
    pub fn above(value: f64) -> Self {
        Self {
            cmp: Cmp::Greater,
            value,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let signs = [
            (">=", Cmp::GreaterOrEqual),
            ("<=", Cmp::LessOrEqual),
            ("==", Cmp::Equal),
            (">", Cmp::Greater),
            ("<", Cmp::Less),
            ("=", Cmp::Equal),
        ];
        let (cmp, rest) = signs
            .into_iter()
            .find_map(|(sign, cmp)| Some((cmp, text.strip_prefix(sign)?.trim())))?;
        let value = number(rest)?;
        Some(Self { cmp, value })
    }

    fn is_crossed(self, value: f64) -> bool {
        self.cmp.holds(value, self.value)
    }
}

/// A number with any of the units that a profile knows, in bytes, seconds, or as it is.
fn number(text: &str) -> Option<f64> {
    if let Ok(count) = units::parse_count(text) {
        return Some(count);
    }
    if let Some(percent) = text.strip_suffix('%') {
        return percent
            .trim()
            .parse::<f64>()
            .ok()
            .map(|value| value / 100.0);
    }
    if let Some(rate) = text.strip_suffix("/s") {
        return units::parse_count(rate.trim()).ok();
    }
    if let Ok(bytes) = units::parse_bytes(text) {
        return Some(bytes as f64);
    }
    let duration = units::parse_duration(text).ok()?;
    Some(duration.as_secs_f64())
}

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Its name.
    pub name: String,
    /// What it counts in.
    pub unit: Unit,
    /// Its course: the largest value of each column, or the smallest where small is bad.
    pub columns: Vec<Column<f64>>,
    /// Its value now, or at the selected moment; `None` when there is none.
    pub text: Option<String>,
    /// Its state then.
    pub level: Level,
    /// When to look at it.
    pub warn: Option<Bound>,
    /// When it is out of bounds.
    pub crit: Option<Bound>,
}

impl Reading {
    /// The state that a value means.
    pub fn level_of(&self, value: f64) -> Level {
        let crossed = |bound: Option<Bound>| bound.is_some_and(|bound| bound.is_crossed(value));
        match (crossed(self.crit), crossed(self.warn)) {
            (true, _) => Level::Crit,
            (false, true) => Level::Warn,
            (false, false) => Level::Good,
        }
    }

    /// The smallest and the largest value of the course.
    pub fn ends(&self) -> (f64, f64) {
        let values = self.columns.iter().filter_map(Column::seen);
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |ends, &value| {
            (ends.0.min(value), ends.1.max(value))
        })
    }

    /// Everything but the value.
    pub fn new(name: &str, unit: Unit, columns: Vec<Column<f64>>) -> Self {
        Self {
            name: name.to_owned(),
            unit,
            columns,
            text: None,
            level: Level::Good,
            warn: None,
            crit: None,
        }
    }

    /// With its value, and the state that it means.
    #[must_use]
    pub fn at(mut self, value: Option<f64>) -> Self {
        self.text = value.map(|value| self.unit.text(value));
        self.level = value.map_or(Level::Good, |value| self.level_of(value));
        self
    }
}

/// The gauges of the window.
pub fn gauges(scene: &Scene<'_>, axis: &Axis) -> Vec<Reading> {
    let window = scene.history.window();
    let plans = window.map_or(&[][..], |window| &window.gauges);
    let names = &scene.history.names().series;
    let indexes: Vec<Option<usize>> = plans
        .iter()
        .map(|plan| names.iter().position(|name| *name == plan.name))
        .collect();
    let courses = courses(scene, axis, &indexes);
    let rows = plans.iter().zip(indexes).zip(courses);
    rows.map(|((plan, index), course)| gauge(scene, axis, plan, index, &course))
        .collect()
}

fn gauge(
    scene: &Scene<'_>,
    axis: &Axis,
    plan: &GaugePlan,
    index: Option<usize>,
    course: &[Column<Values>],
) -> Reading {
    let bound = |text: &Option<String>| text.as_deref().and_then(Bound::parse);
    let (warn, crit) = (bound(&plan.warn), bound(&plan.crit));
    let small_is_bad = crit
        .or(warn)
        .is_some_and(|bound| matches!(bound.cmp, Cmp::Less | Cmp::LessOrEqual));
    let selected = scene.ui.cursor.and_then(|tick| axis.cell_of(tick));
    let value = match selected {
        Some(cell) => course[cell].seen().and_then(|values| values.last),
        None => index.and_then(|index| scene.history.series(index)),
    };
    let worst = |values: &Values| {
        let worst = if small_is_bad { values.min } else { values.max };
        worst.is_finite().then_some(worst)
    };
    let columns = course.iter().map(|column| column.and_then(worst));
    Reading {
        warn,
        crit,
        ..Reading::new(&plan.name, Unit::of(&plan.unit), columns.collect())
    }
    .at(value.filter(|value| value.is_finite()))
}

/// What a series was in a column.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Values {
    min: f64,
    max: f64,
    last: Option<f64>,
}

/// The course of each series over the columns of an axis.
fn courses(scene: &Scene<'_>, axis: &Axis, indexes: &[Option<usize>]) -> Vec<Vec<Column<Values>>> {
    let rows = by_index(indexes);
    let changes = axis.fold(
        scene.history,
        |changes: &mut Vec<Option<Values>>, bucket| {
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
        },
    );
    let before = before(scene, axis, indexes, &changes);
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
fn by_index(indexes: &[Option<usize>]) -> Vec<(usize, usize)> {
    let rows = indexes.iter().enumerate();
    let mut rows: Vec<_> = rows
        .filter_map(|(row, index)| Some(((*index)?, row)))
        .collect();
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
    scene: &Scene<'_>,
    axis: &Axis,
    indexes: &[Option<usize>],
    changes: &[Column<Vec<Option<Values>>>],
) -> Vec<Option<f64>> {
    let moved = |row: usize, column: &Column<Vec<Option<Values>>>| {
        let changes = column.seen();
        changes.is_some_and(|changes| changes.get(row).copied().flatten().is_some())
    };
    let mut found: Vec<Option<f64>> = vec![None; indexes.len()];
    let mut wanted: Vec<(usize, usize)> = Vec::new();
    for (row, index) in indexes.iter().enumerate() {
        let Some(index) = *index else { continue };
        match changes.iter().position(|column| moved(row, column)) {
            // Nothing has changed since before the first column.
            None => found[row] = scene.history.series(index),
            Some(0) => {}
            Some(_) => wanted.push((index, row)),
        }
    }
    wanted.sort_unstable();
    if !wanted.is_empty() && axis.from_tick > 1 {
        for slot in scene.history.slots(1, axis.from_tick - 1, 1) {
            let Slot::Seen(bucket) = slot else { continue };
            for (row, range) in ranges_of(&bucket, &wanted) {
                found[row] = range.last;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_read_in_the_units_of_a_profile() {
        let cases = [
            ("> 400MiB", 419_430_400.0),
            ("> 80%", 0.8),
            (">= 2s", 2.0),
            ("< 250ms", 0.25),
            ("= 3", 3.0),
            ("> 1.5k", 1_500.0),
            ("> 100/s", 100.0),
        ];
        for (text, value) in cases {
            let bound = Bound::parse(text).unwrap();
            assert!((bound.value - value).abs() < 1e-9, "{text}: {bound:?}");
        }
        assert_eq!(Bound::parse("400MiB"), None);
        assert_eq!(Bound::parse("> much"), None);
    }
}
