//! How each service stood each fault, in figures from 0 to 100 with their reasons.
//!
//! In: injections, measured. Out: a [`Score`] for each service and fault. The invariants: what is not known has no
//! figure, and a total says what it would be at worst and at best where something is not known; of several injections
//! of one fault the worst counts, in each respect.

use serde::Serialize;

use super::faults::{FaultOutcome, Kept};
use super::format;
use super::recovery::{Measured, Took, between};
use crate::history::History;
use crate::profile::expect::Stat;

/// What is scored, and how much it weighs of 100.
pub const WEIGHTS: [(&str, u8); 4] = [
    ("availability", 30),
    ("degradation", 20),
    ("recovery", 30),
    ("detection", 20),
];

/// How a service stood a fault.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Score {
    /// The service.
    pub service: String,
    /// The fault.
    pub fault: String,
    /// Times that it was put in.
    pub injections: usize,
    /// In the order of [`WEIGHTS`].
    pub points: Vec<Points>,
    /// All together, with what is not known at nothing.
    pub least: u8,
    /// All together, with what is not known at its best; the same as `least` when all is known.
    pub most: u8,
}

/// One respect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Points {
    /// Which, see [`WEIGHTS`].
    pub of: &'static str,
    /// Its weight.
    pub weight: u8,
    /// 0 to 100; `None` when it is not known.
    pub points: Option<u8>,
    /// Why, for people.
    pub reason: String,
}

impl Score {
    /// The total for people: `84`, or `54 to 84` when something is not known.
    pub fn total(&self) -> String {
        if self.least == self.most {
            self.least.to_string()
        } else {
            format!("{} to {}", self.least, self.most)
        }
    }
}

/// The scores of all faults that were in place, by service and then in the order of the profile.
pub(super) fn scores(history: &History, outcomes: &[FaultOutcome]) -> Vec<Score> {
    let faults = history.window().map_or(0, |window| window.faults.len());
    let mut scores: Vec<Score> = (0..faults)
        .filter_map(|fault| {
            let of_it = outcomes.iter().filter(|it| it.fault == fault && it.done);
            score(&of_it.collect::<Vec<_>>())
        })
        .collect();
    scores.sort_by(|a, b| a.service.cmp(&b.service));
    scores
}

fn score(outcomes: &[&FaultOutcome]) -> Option<Score> {
    let first = outcomes.first()?;
    let respects = [availability, degradation, recovery, detection];
    let mut points = Vec::with_capacity(WEIGHTS.len());
    let (mut least, mut most) = (0, 0);
    for ((of, weight), respect) in WEIGHTS.into_iter().zip(respects) {
        let each: Vec<_> = outcomes.iter().map(|outcome| respect(outcome)).collect();
        let known = each.iter().filter_map(|(points, _)| *points).min();
        // What is not known goes before all that is, but nothing: one good time does not make up for one that nobody saw.
        let is_nothing = |points: Option<u8>| known == Some(0) && points == Some(0);
        let worst = (each.into_iter()).min_by_key(|(points, _)| (!is_nothing(*points), *points));
        let (worst, reason) = worst.unwrap_or_default();
        least += u32::from(worst.unwrap_or(0)) * u32::from(weight);
        // It is never better than the worst of what is known.
        most += u32::from(worst.or(known).unwrap_or(100)) * u32::from(weight);
        points.push(Points {
            of,
            weight,
            points: worst,
            reason,
        });
    }
    // Weights add up to 100, so a sum is at most 100.
    let total = |weighed: u32| (weighed / 100).min(100) as u8;
    Some(Score {
        service: first.service.clone(),
        fault: first.name.clone(),
        injections: outcomes.len(),
        least: total(least),
        most: total(most),
        points,
    })
}

/// Points in proportion, never a full 100 for less than the whole.
fn in_proportion(got: f64, wanted: f64) -> u8 {
    if got >= wanted {
        return 100;
    }
    (got / wanted * 100.0).floor().clamp(0.0, 99.0) as u8
}

fn availability(outcome: &FaultOutcome) -> (Option<u8>, String) {
    let during = outcome.measured.cost.during;
    let Some(share) = during.availability() else {
        return (None, "no request finished while it was in place".into());
    };
    let wanted = 1.0 - outcome.measured.bounds.objective.errors.1;
    let (got, asked) = (format::percent(share), format::percent(wanted));
    let reason = format!("{got} of the requests were answered well, {asked} are asked for");
    (Some(in_proportion(share, wanted)), reason)
}

fn degradation(outcome: &FaultOutcome) -> (Option<u8>, String) {
    let cost = outcome.measured.cost;
    let shown = |micros: u64| format::duration_short(micros as f64);
    let limits = outcome.measured.bounds.objective.limits.iter();
    let times = cost.during.asked_us.into_iter().zip(cost.before.asked_us);
    let each = limits.zip(times).filter_map(|(limit, (during, before))| {
        let during = during?;
        let allowed = limit.us.max(before.unwrap_or(0));
        let reason = format!(
            "{} was {} while it was in place, {} before, {} are allowed",
            Stat::Quantile(limit.quantile),
            shown(during),
            before.map_or_else(format::unknown, shown),
            shown(allowed)
        );
        Some((in_proportion(allowed as f64, during as f64), reason))
    });
    match each.min_by_key(|(points, _)| *points) {
        Some((points, reason)) => (Some(points), reason),
        None => (None, "too few requests to compare response times".into()),
    }
}

/// A system that is back without what it had acknowledged has not come back; one that has some of it twice has by half.
fn recovery(outcome: &FaultOutcome) -> (Option<u8>, String) {
    let (points, mut reason) = back(outcome);
    for losses in &outcome.losses {
        let words = losses.words().join(", ");
        reason.extend(["; ", &losses.ledger, ": ", &words]);
    }
    let lost = outcome.losses.iter().any(|it| it.lost > 0);
    let most = if outcome.losses.is_empty() { 100 } else { 50 };
    let points = points.map(|points| points.min(most));
    (if lost { Some(0) } else { points }, reason)
}

fn back(outcome: &FaultOutcome) -> (Option<u8>, String) {
    let took = outcome.measured.recovery.took;
    let span = |micros: u64| format::span((micros as f64 / 1e6).round());
    match (took, outcome.budget_us) {
        (Measured::Never(seen), _) => {
            let points = (outcome.kept() == Kept::No).then_some(0);
            (points, format!("not back within {}", span(seen)))
        }
        (Measured::Took(took), Some(budget)) => {
            let Took { most, .. } = took;
            let points = in_proportion(budget as f64, most as f64);
            let reason = format!("back {}, {} are allowed", after(took), span(budget));
            (Some(points), reason)
        }
        (Measured::Took(took), None) => {
            let reason = format!("back {}, but no recover_within says how long", after(took));
            (None, reason)
        }
        (Measured::Seems { .. } | Measured::Waiting(_) | Measured::Unknown(_), _) => {
            (None, took.to_string())
        }
    }
}

fn after(took: Took) -> String {
    let text = between(took);
    if text.starts_with("under ") {
        format!("in {text}")
    } else {
        format!("after {text}")
    }
}

fn detection(outcome: &FaultOutcome) -> (Option<u8>, String) {
    let found = &outcome.measured.detection;
    let alert = found.alert.as_deref().unwrap_or_default();
    match found.took {
        Measured::Took(took) | Measured::Seems { took, .. } => {
            if outcome.lasted_us.is_none_or(|lasted| took.least <= lasted) {
                (Some(100), format!("{alert} fired {}", after(took)))
            } else {
                let reason = format!("{alert} fired {}, when the fault was gone", after(took));
                (Some(50), reason)
            }
        }
        Measured::Never(_) if found.note.is_empty() => (Some(0), "no alert fired".into()),
        Measured::Never(_) => (Some(0), found.note.clone()),
        Measured::Waiting(_) | Measured::Unknown(_) => (None, found.took.to_string()),
    }
}
