//! `PromQL` over what was scraped.
//!
//! In: the text of an expression, once, and a [`Store`] and a moment, once a tick. Out: what a Prometheus 2.42 that had
//! scraped the same samples would answer, or a sentence that says why not. The syntax is read by `promql-parser`; the
//! evaluation is ours. The invariant: what [`Query::parse`] took is evaluated as Prometheus does (extrapolation of `rate`,
//! range windows closed at both ends, 5 minutes of lookback, staleness); what it cannot is refused there, by name and with its place.
//!
//! ```text
//!   text ──scan──▶ tokens ──promql-parser──▶ tree ──read──▶ plan + selectors ──eval(store, at)──▶ Value
//! ```
//!
//! # What differs from Prometheus
//!
//! - Refused: native histograms and their functions, functions of dates (`hour`, `day_of_week`, ...), `holt_winters`,
//!   subqueries of more than 11,000 steps (those within each other multiplied), `\B` and `--` in a class of a regular
//!   expression, strings with escapes for single bytes past ASCII, expressions of more than 16 KiB, 32 open brackets or
//!   64 operators.
//! - Understood though 2.42 does not: names in quotes, as in `{"a.b", "c d"="e"}` and `by ("c d")`; a `+` before a range
//!   vector or a string, which does nothing.
//! - A subquery without a step takes one of a minute, which is Prometheus' `evaluation_interval` unless configured.

#![allow(
    clippy::float_cmp,
    reason = "numbers are compared as PromQL compares them"
)]

mod aggregate;
mod binary;
mod eval;
mod histogram;
mod instant;
mod over_time;
mod pattern;
mod plan;
mod read;
mod rows;
mod scan;
mod selector;

use std::fmt;
use std::ops::Range;

pub use selector::{LOOKBACK, Selector};

use super::{Labels, Store};

/// An expression that can be evaluated again and again.
#[derive(Debug, Clone)]
pub struct Query {
    text: String,
    plan: plan::Expr,
    selectors: Vec<Selector>,
}

/// What an expression is worth at a moment.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// One number without labels.
    Scalar(f64),
    /// A number for each of some series, sorted only if the expression sorts them.
    Vector(Vec<(Labels, f64)>),
}

/// Why an expression cannot be evaluated at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// A sentence without its final stop.
    pub message: String,
    /// Where in the text, in bytes, if it can be had.
    pub span: Option<Range<usize>>,
}

/// Why an expression has no value at a moment, though it may have one at another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// The one side of a match has two series for the same labels.
    #[error(
        "found duplicate series for the match group {group} on the {side} hand-side of the operation: [{first}, {second}]; \
         many-to-many matching not allowed: matching labels must be unique on one side"
    )]
    DuplicateMatch {
        /// The labels that match.
        group: Labels,
        /// `left` or `right`.
        side: &'static str,
        /// One of the two.
        first: Labels,
        /// The other.
        second: Labels,
    },
    /// Two series of one side match one of the other without `group_left` or `group_right`.
    #[error(
        "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
    )]
    ManyToOne,
    /// The labels taken over make two results the same.
    #[error("multiple matches for labels: grouping labels must ensure unique matches")]
    GroupNotUnique,
    /// Two results have the same labels, mostly since the metric's name is gone.
    #[error("vector cannot contain metrics with the same labelset: {0}")]
    SameLabels(Labels),
    /// `topk` and `bottomk` of what is no count.
    #[error("Scalar value {0} overflows int64")]
    NoCount(String),
}

impl Query {
    /// Reads an expression.
    ///
    /// # Errors
    /// When Prometheus would not take it, when it is not supported, and when its value is a string or a range vector.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        let (plan, selectors) = read::query(text)?;
        let text = text.to_owned();
        Ok(Self {
            text,
            plan,
            selectors,
        })
    }

    /// The same over those series alone that have this label.
    #[must_use]
    pub fn restricted(mut self, label: &str, value: &str) -> Self {
        let selectors = self.selectors.into_iter();
        self.selectors = selectors
            .map(|selector| selector.restricted(label, value))
            .collect();
        self
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it reads, so that someone can record and keep that. Of a query with `@` some reach is endless.
    pub fn selectors(&self) -> &[Selector] {
        &self.selectors
    }

    /// Whether it looks at moments that `@` names, however long ago they are.
    pub fn looks_at_fixed_moments(&self) -> bool {
        self.selectors
            .iter()
            .any(|selector| selector.reach == i64::MAX)
    }

    /// What it is worth at `at`, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// As Prometheus.
    pub fn eval(&self, store: &Store, at: i64) -> Result<Value, EvalError> {
        eval::eval(&self.plan, &self.selectors, store, at)
    }
}

impl Refused {
    pub(super) fn new(message: impl Into<String>, span: impl Into<Option<Range<usize>>>) -> Self {
        Self {
            message: message.into(),
            span: span.into(),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.span {
            Some(span) => write!(f, "{}, at byte {}", self.message, span.start),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests;
