//! What gauges did around an injection, tick by tick.
//!
//! In: ticks before the injection, newest first, and while it is in place. Out: [`Gauges`], the values of each series of
//! a gauge, and of `up`, which says whether a target answers. Two things end a stretch: its length, and a change of the
//! load that is asked for, since what gauges do then may be the load's doing. The invariant: there are never more than
//! [`SERIES`] series, [`BEFORE`] values before and [`SINCE`] values since; once the fault is on its way out, nothing is
//! added.

use std::collections::BTreeMap;

use super::super::bucket::Bucket;
use super::BEFORE_US;
use crate::session::record::Names;

/// Series that are kept of an injection; those that answer for targets first, then in the order of their names.
pub const SERIES: usize = 200;
/// Values of a series before an injection: one a tick, of [`BEFORE_US`] at most.
pub const BEFORE: usize = 120;
/// Values of a series while it is in place. Half of what is kept before, so that what drifts cannot come far.
pub const SINCE: usize = BEFORE / 2;
/// For how long values are taken while it is in place, µs.
const SINCE_US: u64 = BEFORE_US / 2;
/// How much the asked load may differ and still count as the same.
const LIKE: f64 = 0.1;

/// A value to seven figures, without value, or no number. Compares by its bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample(u32);

impl Sample {
    /// Of what a series was.
    pub fn of(value: Option<f64>) -> Self {
        Self(match value {
            None => f32::NAN.to_bits(),
            Some(value) if value.is_nan() => f32::INFINITY.to_bits(),
            Some(value) => (value as f32).to_bits(),
        })
    }

    /// Whether the series had no value.
    pub fn is_gone(self) -> bool {
        f32::from_bits(self.0).is_nan()
    }

    /// The value, if there is one and it is finite.
    pub fn number(self) -> Option<f64> {
        let value = f32::from_bits(self.0);
        value.is_finite().then_some(f64::from(value))
    }
}

/// One series around an injection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// Index into the names of series.
    pub series: usize,
    before: Vec<Sample>,
    since: Vec<Sample>,
}

/// What gauges did around an injection.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Gauges {
    /// Each series that had a value when the fault was put in.
    pub courses: Vec<Course>,
    /// Series beyond [`SERIES`].
    pub left_out: usize,
    /// When each of the values before was taken, µs since the window began.
    before: Vec<u64>,
    /// When each of those since was taken.
    since: Vec<u64>,
    /// Load asked for when it was put in, by scenario.
    asked: Vec<f64>,
    /// Whether nothing is added any more.
    over: bool,
}

impl Gauges {
    /// Of what came before this moment. `now` is what each series is, `ticks` come newest first.
    pub(super) fn before(
        at: u64,
        names: &Names,
        now: &[Option<f64>],
        ticks: &mut dyn Iterator<Item = &Bucket>,
    ) -> Self {
        let (kept, left_out) = watched(names, now);
        let mut gauges = Self {
            left_out,
            ..Self::default()
        };
        if kept.is_empty() {
            gauges.over = true;
            return gauges;
        }
        let from = at.saturating_sub(BEFORE_US);
        let mut near: Vec<&Bucket> = Vec::new();
        let mut older = None;
        for tick in &mut *ticks {
            if gauges.asked.is_empty() {
                gauges.asked = asked(tick).collect();
            }
            if near.len() == BEFORE || tick.at <= from || !gauges.is_like(tick) {
                older = Some(tick);
                break;
            }
            near.push(tick);
        }
        near.reverse();
        let mut values = carried(&kept, &near, older.into_iter().chain(ticks), now);
        let course = |&series: &usize| Course {
            series,
            before: Vec::with_capacity(near.len()),
            since: Vec::new(),
        };
        gauges.courses = kept.iter().map(course).collect();
        for tick in near {
            for (series, range) in tick.series.iter() {
                if let Ok(place) = kept.binary_search(&series) {
                    values[place] = range.last;
                }
            }
            for (course, &value) in gauges.courses.iter_mut().zip(&values) {
                course.before.push(Sample::of(value));
            }
            gauges.before.push(tick.at);
        }
        gauges
    }

    /// Whether a tick in which the fault is in place would be taken.
    pub(super) fn wants(&self, active: u64, at: u64) -> bool {
        !self.over && at > active && self.since.len() < SINCE && at - active <= SINCE_US
    }

    /// Adds a tick in which the fault is in place. `now` is what each series is at its end.
    pub(super) fn push(&mut self, bucket: &Bucket, now: &[Option<f64>]) {
        if !self.is_like(bucket) {
            self.over = true;
            return;
        }
        for course in &mut self.courses {
            let value = now.get(course.series).copied().flatten();
            course.since.push(Sample::of(value));
        }
        self.since.push(bucket.at);
    }

    /// Whether as much load was asked for. A tick to which the generator had not come in time does not say.
    fn is_like(&self, bucket: &Bucket) -> bool {
        if bucket.scenarios.is_empty() {
            return true;
        }
        let like = |(a, b): (&f64, f64)| (a - b).abs() <= LIKE * a.abs().max(b.abs());
        self.asked.len() == bucket.scenarios.len() && self.asked.iter().zip(asked(bucket)).all(like)
    }

    /// Values of a series between two moments, µs since the window began: those before the injection, and those while it
    /// was in place.
    pub fn values<'a>(
        &'a self,
        course: &'a Course,
        (from, until): (u64, u64),
    ) -> (&'a [Sample], &'a [Sample]) {
        let first = self.before.partition_point(|&at| at <= from);
        let last = self.since.partition_point(|&at| at <= until);
        let before = course.before.get(first..).unwrap_or_default();
        let since = course.since.get(..last).unwrap_or_default();
        (before, since)
    }

    /// How much is kept.
    pub(super) fn len(&self) -> usize {
        self.courses.len() * (self.before.len() + self.since.len())
    }

    /// What was known at a moment, µs since the window began.
    pub(super) fn up_to(&self, until: u64) -> Self {
        let mut known = self.clone();
        let last = known.since.partition_point(|&at| at <= until);
        known.over &= last == known.since.len();
        known.since.truncate(last);
        for course in &mut known.courses {
            course.since.truncate(last);
        }
        known
    }
}

/// The series that are looked at, ascending, and how many more there would be.
fn watched(names: &Names, now: &[Option<f64>]) -> (Vec<usize>, usize) {
    let is_up = |series: usize| {
        let rest = names.series[series].strip_prefix("up");
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('{'))
    };
    let known = names.series.len().min(now.len());
    let mut ups = Vec::new();
    let mut gauges = Vec::new();
    for series in (0..known).filter(|&series| now[series].is_some()) {
        match names.instance_of(series) {
            None => gauges.push(series),
            Some(_) if is_up(series) => ups.push(series),
            Some(_) => {}
        }
    }
    let left_out = (ups.len() + gauges.len()).saturating_sub(SERIES);
    ups.truncate(SERIES);
    gauges.truncate(SERIES - ups.len());
    ups.extend(gauges);
    ups.sort_unstable();
    (ups, left_out)
}

/// What each of these series was before the first of the ticks in `near`, which ascend. A tick names only what changed in
/// it; `older` go on before them, newest first.
fn carried<'a>(
    kept: &[usize],
    near: &[&Bucket],
    older: impl Iterator<Item = &'a Bucket>,
    now: &[Option<f64>],
) -> Vec<Option<f64>> {
    let mut wanted: BTreeMap<usize, usize> = BTreeMap::new();
    let changed = near.iter().flat_map(|tick| tick.series.iter());
    for (series, _) in changed {
        if let Ok(place) = kept.binary_search(&series) {
            wanted.insert(series, place);
        }
    }
    let mut values: Vec<Option<f64>> = kept.iter().map(|&series| now[series]).collect();
    for &place in wanted.values() {
        values[place] = None;
    }
    for tick in older {
        if wanted.is_empty() {
            break;
        }
        for (series, range) in tick.series.iter() {
            if let Some(place) = wanted.remove(&series) {
                values[place] = range.last;
            }
        }
    }
    values
}

fn asked(bucket: &Bucket) -> impl Iterator<Item = f64> + '_ {
    bucket.scenarios.iter().map(|flow| flow.asked)
}
