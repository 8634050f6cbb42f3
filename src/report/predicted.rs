//! What the author of a profile predicted, beside what was measured.

use serde::Serialize;

use crate::history::History;
use crate::history::select::scope_of;
use crate::profile::expect::{Amount, Expectation};
use crate::profile::model::Scope;
use crate::verdict::gates::{read, unit_of};
use crate::verdict::{Unit, format};

/// One line of `[window] predicted`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// What was predicted: `pay p99`.
    pub what: String,
    /// As the author wrote it: `80ms`.
    pub predicted: String,
    /// What was measured, in `unit`; `null` when nothing was, or the line could not be read.
    pub measured: Option<f64>,
    /// What `measured` is counted in.
    pub unit: Option<Unit>,
    /// The measured value for people.
    pub shown: String,
    /// Measured over predicted, less 1: 0.05 is 5 % more than predicted.
    pub difference: Option<f64>,
}

/// Reads every prediction: a scope (or nothing, for everything), then a measure as in a gate.
pub(super) fn predictions(history: &History) -> Vec<Prediction> {
    let predicted = history.window().map(|window| &window.predicted);
    predicted
        .into_iter()
        .flatten()
        .map(|(what, value)| prediction(history, what, value))
        .collect()
}

fn prediction(history: &History, what: &str, value: &str) -> Prediction {
    let mut told = Prediction {
        what: what.to_owned(),
        predicted: value.to_owned(),
        measured: None,
        unit: None,
        shown: format::unknown(),
        difference: None,
    };
    if let Some((scope, expect)) = understand(history, what, value) {
        let reading = read(&expect, &history.totals(&scope, &[]));
        let bound = bound_of(&expect);
        told.measured = reading.value.map(|value| (value * 1e6).round() / 1e6);
        told.unit = Some(unit_of(&expect));
        told.shown = reading.shown;
        told.difference = reading
            .value
            .filter(|_| bound > 0.0)
            .map(|value| ((value / bound - 1.0) * 1e4).round() / 1e4);
    }
    told
}

/// `pay p99` or `p99 pay`, `pay service p99`, `p99`.
fn understand(history: &History, what: &str, value: &str) -> Option<(Scope, Expectation)> {
    let words: Vec<&str> = what.split_whitespace().collect();
    let value = value.trim();
    // The measure is one word or two, at either end; whatever is left is the scope.
    (1..=words.len().min(2)).rev().find_map(|length| {
        let ends = [words.split_at(words.len() - length), {
            let (measure, scope) = words.split_at(length);
            (scope, measure)
        }];
        ends.into_iter().find_map(|(scope, measure)| {
            let expect = format!("{} <= {value}", measure.join(" ")).parse().ok()?;
            Some((scope_of(history.names(), &scope.join(" "))?, expect))
        })
    })
}

/// The bound in the unit of the expectation.
fn bound_of(expect: &Expectation) -> f64 {
    match *expect {
        Expectation::Latency { bound, .. } => bound.as_secs_f64() * 1e3,
        Expectation::Errors { bound, .. }
        | Expectation::Rate { bound, .. }
        | Expectation::Requests { bound, .. }
        | Expectation::Dropped {
            bound: Amount::Count(bound) | Amount::Share(bound),
            ..
        } => bound,
    }
}
