//! A plan at a moment.

use std::collections::HashMap;

use super::over_time::{self, Window};
use super::plan::{Expr, Function, Moment, Pick, Subquery, When};
use super::rows::{Row, Rows, Tags};
use super::selector::LOOKBACK;
use super::{EvalError, Selector, Value, aggregate, binary, instant};
use crate::scrape::labels::NAME;
use crate::scrape::store::{Sample, Store, is_stale};

/// What a part of an expression is worth.
#[derive(Debug)]
pub(super) enum Part {
    Scalar(f64),
    Vector(Rows),
}

impl Part {
    /// The number of a part that is known to be a scalar.
    pub fn scalar(self) -> f64 {
        match self {
            Self::Scalar(value) => value,
            Self::Vector(_) => f64::NAN,
        }
    }

    /// The rows of a part that is known to be a vector.
    pub fn rows(self) -> Rows {
        match self {
            Self::Scalar(_) => Rows::default(),
            Self::Vector(rows) => rows,
        }
    }
}

/// What does not change while an expression is evaluated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Course<'q> {
    selectors: &'q [Selector],
    store: &'q Store,
    /// The moment asked for.
    query_at: i64,
}

pub(super) fn eval(
    plan: &Expr,
    selectors: &[Selector],
    store: &Store,
    at: i64,
) -> Result<Value, EvalError> {
    let course = Course {
        selectors,
        store,
        query_at: at,
    };
    Ok(match course.eval(plan, at)? {
        Part::Scalar(value) => Value::Scalar(value),
        Part::Vector(rows) => {
            let rows = rows.rows.into_iter();
            Value::Vector(
                rows.map(|row| (row.tags.into_labels(), row.value))
                    .collect(),
            )
        }
    })
}

impl Course<'_> {
    /// A part's value at a moment.
    pub fn eval(&self, expr: &Expr, at: i64) -> Result<Part, EvalError> {
        match expr {
            Expr::Number(value) => Ok(Part::Scalar(*value)),
            Expr::Select(pick) => Ok(Part::Vector(self.newest(pick, at))),
            Expr::Negate(inner) => match self.eval(inner, at)? {
                Part::Scalar(value) => Ok(Part::Scalar(-value)),
                Part::Vector(rows) => rows.map(|value| -value).map(Part::Vector),
            },
            Expr::Binary(inner) => {
                let left = self.eval(&inner.left, at)?;
                let right = self.eval(&inner.right, at)?;
                binary::eval(inner, left, right)
            }
            Expr::Aggregate(inner) => aggregate::eval(self, inner, at).map(Part::Vector),
            Expr::Relabel(inner) => {
                let rows = self.eval(&inner.expr, at)?.rows();
                instant::relabel(inner, rows).map(Part::Vector)
            }
            Expr::Call(function, args) => self.call(*function, args, at),
            // These are arguments, and their functions look at them themselves.
            Expr::Text(_) | Expr::Range(..) | Expr::Subquery(_) => {
                Ok(Part::Vector(Rows::default()))
            }
        }
    }

    fn call(&self, function: Function, args: &[Expr], at: i64) -> Result<Part, EvalError> {
        let range = args
            .iter()
            .find(|arg| matches!(arg, Expr::Range(..) | Expr::Subquery(_)));
        if let Some(range) = range {
            let scalar = args
                .iter()
                .find(|arg| !matches!(arg, Expr::Range(..) | Expr::Subquery(_)));
            let scalar = match scalar {
                Some(scalar) => self.eval(scalar, at)?.scalar(),
                None => f64::NAN,
            };
            return self
                .over_time(function, range, scalar, at)
                .map(Part::Vector);
        }
        match (function, args) {
            (Function::Time, _) => Ok(Part::Scalar(seconds(at))),
            (Function::Timestamp, [Expr::Select(pick)]) => {
                self.timestamps(pick, at).map(Part::Vector)
            }
            (Function::Timestamp, [arg]) => {
                let rows = self.eval(arg, at)?.rows();
                rows.map(|_| seconds(at)).map(Part::Vector)
            }
            (Function::Absent, [arg]) => {
                let rows = self.eval(arg, at)?.rows();
                let labels = match arg {
                    Expr::Select(pick) => self.selectors[pick.selector].demanded(),
                    _ => crate::scrape::Labels::default(),
                };
                let row = rows.rows.is_empty().then(|| Row {
                    tags: labels.into(),
                    value: 1.0,
                });
                Ok(Part::Vector(Rows::unknown(row.into_iter().collect())))
            }
            _ => {
                let parts = args.iter().map(|arg| self.eval(arg, at));
                instant::eval(function, parts.collect::<Result<_, _>>()?)
            }
        }
    }

    /// The moment that something looks at.
    fn moment(&self, when: When, at: i64) -> i64 {
        let at = match when.at {
            None => at,
            Some(Moment::Query) => self.query_at,
            Some(Moment::At(at)) => at,
        };
        at.saturating_sub(when.offset)
    }

    /// The newest sample of each series, if it is no marker and not too old.
    fn each_newest(&self, pick: &Pick, at: i64, mut take: impl FnMut(Tags, Sample)) -> bool {
        let selector = &self.selectors[pick.selector];
        for &slot in &*selector.select(self.store) {
            let Some((labels, samples)) = self.store.at(slot) else {
                continue;
            };
            let newest = samples.last_by(at).filter(|sample| {
                sample.at >= at.saturating_sub(LOOKBACK) && !is_stale(sample.value)
            });
            if let Some(sample) = newest {
                take(labels.clone().into(), sample);
            }
        }
        selector.metric().is_some()
    }

    fn newest(&self, pick: &Pick, at: i64) -> Rows {
        let mut rows = Vec::new();
        let told_apart = self.each_newest(pick, self.moment(pick.when, at), |tags, sample| {
            rows.push(Row {
                tags,
                value: sample.value,
            });
        });
        Rows { rows, told_apart }
    }

    fn timestamps(&self, pick: &Pick, at: i64) -> Result<Rows, EvalError> {
        // As in Prometheus, `@` makes it forget the offset here.
        let offset = match pick.when.at {
            Some(_) => 0,
            None => pick.when.offset,
        };
        let at = self.moment(
            When {
                offset,
                ..pick.when
            },
            at,
        );
        let mut rows = Vec::new();
        let told_apart = self.each_newest(pick, at, |tags, sample| {
            rows.push(Row {
                tags: Tags {
                    unnamed: true,
                    ..tags
                },
                value: seconds(sample.at),
            });
        });
        Rows { rows, told_apart }.checked()
    }

    fn over_time(
        &self,
        function: Function,
        range: &Expr,
        scalar: f64,
        at: i64,
    ) -> Result<Rows, EvalError> {
        let (when, length) = match range {
            Expr::Range(pick, length) => (pick.when, *length),
            Expr::Subquery(subquery) => (subquery.when, subquery.range),
            _ => return Ok(Rows::default()),
        };
        let to = self.moment(when, at);
        let window = Window {
            from: to.saturating_sub(length),
            to,
            at,
        };
        let mut rows = Vec::new();
        let mut present = false;
        let keeps_name = function == Function::LastOverTime;
        let mut series = |tags: Tags, samples: &[Sample], never_fall: bool| {
            if samples.is_empty() {
                return;
            }
            present = true;
            if let Some(value) = over_time::eval(function, samples, window, scalar, never_fall) {
                let unnamed = tags.unnamed || !keeps_name;
                let tags = Tags { unnamed, ..tags };
                rows.push(Row { tags, value });
            }
        };
        let mut labels = crate::scrape::Labels::default();
        let told_apart = match range {
            Expr::Range(pick, _) => {
                labels = self.selectors[pick.selector].demanded();
                self.each_range(pick, window, &mut series)
            }
            Expr::Subquery(subquery) => {
                for (tags, samples) in self.subquery(subquery, window)? {
                    series(tags, &samples, false);
                }
                false
            }
            _ => false,
        };
        if function == Function::AbsentOverTime {
            let row = (!present).then(|| Row {
                tags: labels.into(),
                value: 1.0,
            });
            return Ok(Rows::unknown(row.into_iter().collect()));
        }
        Rows { rows, told_apart }.checked()
    }

    /// What each series was worth in a stretch of time, without markers.
    fn each_range(
        &self,
        pick: &Pick,
        window: Window,
        take: &mut impl FnMut(Tags, &[Sample], bool),
    ) -> bool {
        let selector = &self.selectors[pick.selector];
        let mut values = Vec::new();
        for &slot in &*selector.select(self.store) {
            let Some((labels, samples)) = self.store.at(slot) else {
                continue;
            };
            let mut within = samples.within(window.from, window.to);
            if samples.any_stale() {
                values.clear();
                values.extend(within.iter().filter(|sample| !is_stale(sample.value)));
                within = &values;
            }
            take(labels.clone().into(), within, samples.never_fall());
        }
        selector.metric().is_some()
    }

    /// An expression at each step of a stretch of time; steps are at whole multiples of their length.
    fn subquery(
        &self,
        subquery: &Subquery,
        window: Window,
    ) -> Result<Vec<(Tags, Vec<Sample>)>, EvalError> {
        let step = subquery.step.max(1);
        let mut at = window.from / step * step;
        if at < window.from {
            at = at.saturating_add(step);
        }
        let mut places: HashMap<Tags, usize> = HashMap::new();
        let mut series: Vec<(Tags, Vec<Sample>)> = Vec::new();
        while at <= window.to {
            for Row { tags, value } in self.eval(&subquery.expr, at)?.rows().rows {
                if is_stale(value) {
                    continue;
                }
                let place = *places.entry(tags).or_insert_with_key(|tags| {
                    series.push((tags.clone(), Vec::new()));
                    series.len() - 1
                });
                series[place].1.push(Sample { at, value });
            }
            let Some(next) = at.checked_add(step) else {
                break;
            };
            at = next;
        }
        Ok(series)
    }
}

fn seconds(at: i64) -> f64 {
    at as f64 / 1000.0
}

/// Whether a label is the metric's name.
pub(super) fn is_name(label: &str) -> bool {
    label == NAME
}
