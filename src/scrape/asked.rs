//! Asking a recording: an expression over the samples in it, at a moment or tick by tick.
//!
//! In: records in the order of the file, and an expression. Out: its values. At the end of a tick it sees the scrapes
//! of this tick and those before, and is evaluated for the moment at which the gauges of the window were: what was
//! shown while the window ran comes out again, to the digit.

use std::collections::BTreeMap;

use super::Labels;
use super::promql::{EvalError, Query, Value};
use super::recorded::Recorded;
use crate::session::record::{Record, Tick};

/// Which part of a recording, µs since the window began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first moment.
    pub from: u64,
    /// The last moment.
    pub to: u64,
    /// At least so much from one value to the next; 0 for a value each tick.
    pub step: u64,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError<E> {
    /// The recording cannot be read.
    #[error(transparent)]
    Read(E),
    /// The expression has no value there.
    #[error("{0}")]
    Eval(EvalError),
    /// Nothing was recorded up to that moment.
    #[error("nothing was recorded up to then")]
    Nothing,
}

/// A value, and the moment that it is of, µs since the window began.
#[derive(Debug, Clone, PartialEq)]
pub struct At {
    /// µs since the window began.
    pub at: u64,
    /// The value then.
    pub value: Value,
}

/// The courses of an expression: of each series the moments, µs since the window began, and values.
pub type Courses = BTreeMap<Labels, Vec<(u64, f64)>>;

/// The value at the end of the last tick that ended by `to`, µs since the window began; at the end of all without one.
///
/// # Errors
/// When the recording cannot be read or the expression cannot be evaluated.
pub fn instant<E>(
    records: impl IntoIterator<Item = Result<Record, E>>,
    query: &Query,
    to: Option<u64>,
) -> Result<At, AskError<E>> {
    let to = to.unwrap_or(u64::MAX);
    let mut recorded = Recorded::new(reach(query));
    let mut at = None;
    for record in records {
        let record = record.map_err(AskError::Read)?;
        if let Record::Tick(tick) = &record {
            if tick.at > to {
                break;
            }
            at = Some(moment(tick));
        }
        recorded.apply(&record);
    }
    let at = at.ok_or(AskError::Nothing)?;
    let value = query.eval(recorded.store(), recorded.moment(at));
    value.map(|value| At { at, value }).map_err(AskError::Eval)
}

/// The values tick by tick.
///
/// # Errors
/// Likewise.
pub fn courses<E>(
    records: impl IntoIterator<Item = Result<Record, E>>,
    query: &Query,
    span: Span,
) -> Result<Courses, AskError<E>> {
    let mut recorded = Recorded::new(reach(query));
    let mut courses = Courses::new();
    let mut due = span.from;
    for record in records {
        let record = record.map_err(AskError::Read)?;
        recorded.apply(&record);
        let Record::Tick(tick) = &record else {
            continue;
        };
        if tick.at > span.to {
            break;
        }
        // Where gauges are evaluated at all, the ticks without them are those that nothing was shown for.
        let shown = tick.gauged.is_some() || recorded.gauged().is_none();
        if tick.at < due || !shown {
            continue;
        }
        due = tick.at.saturating_add(span.step);
        let at = moment(tick);
        let value = query.eval(recorded.store(), recorded.moment(at));
        let vector = match value.map_err(AskError::Eval)? {
            Value::Scalar(value) => vec![(Labels::default(), value)],
            Value::Vector(vector) => vector,
        };
        for (labels, value) in vector {
            courses.entry(labels).or_default().push((at, value));
        }
    }
    Ok(courses)
}

/// For which moment of a tick an expression is evaluated.
fn moment(tick: &Tick) -> u64 {
    tick.gauged.unwrap_or(tick.at)
}

fn reach(query: &Query) -> i64 {
    let selectors = query.selectors().iter();
    selectors.map(|selector| selector.reach).max().unwrap_or(0)
}
