//! One gate: from a plan and sums to pass, fail, or not known.
//!
//! In: a [`GatePlan`] as recorded, and [`Totals`]. Out: a [`Reading`]. The invariant: what was not measured well
//! enough is [`State::Inconclusive`], never a pass. That is so when
//!
//! - nothing was recorded, no request finished, or a phase of the gate did not run;
//! - more than [`TOLERATED`] of the ticks are missing from the recording;
//! - the gate is about latency, and in more than [`TOLERATED`] of the ticks the generator was the bottleneck;
//! - a quantile `q` rests on fewer than `10 / (1 - q)` requests (1,000 for p99), unless it has clearly failed: if no
//!   more than a share `1 - q` of the requests were really above the bound, as many as were seen there would come
//!   up in less than one window in a hundred (an exact binomial tail).

use std::time::Duration;

use crate::history::select::scope_of;
use crate::history::{History, Totals};
use crate::profile::expect::{Amount, Cmp, Expectation, Latency, Stat};
use crate::profile::model::Severity;
use crate::session::hist::{Hist, highest};
use crate::session::record::GatePlan;

use super::format;
use super::generator::causes_sentence;

/// The share of ticks that may be missing, or say more about the generator than about the system.
pub const TOLERATED: f64 = 0.05;
/// Requests that must lie beyond a quantile, so that it is not one request's luck.
pub const BEYOND: f64 = 10.0;
/// How unlikely chance must be before few requests are enough for a failure.
const CLEAR: f64 = 0.01;

/// What can be wrong with a gate as recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// The expectation does not parse.
    #[error("gate `{gate}` cannot be judged: {why}")]
    Expectation {
        /// The gate.
        gate: String,
        /// What the parser said.
        why: String,
    },
    /// The severity is neither of the two.
    #[error(
        "gate `{gate}` cannot be judged: its severity `{severity}` is neither `blocker` nor `advisory`"
    )]
    Severity {
        /// The gate.
        gate: String,
        /// What it says.
        severity: String,
    },
}

/// A gate, ready to be judged.
#[derive(Debug, Clone, PartialEq)]
pub struct GateSpec {
    /// Its name.
    pub name: String,
    /// What it looks at, as recorded; empty for everything.
    pub of: String,
    /// What must hold.
    pub expect: Expectation,
    /// The same, in the words of the profile.
    pub text: String,
    /// Phases by index; all when empty.
    pub during: Vec<usize>,
    /// What a failure means.
    pub severity: Severity,
    /// Ends the window after failing this long.
    pub abort_after: Option<Duration>,
    /// The sliding span of the live state.
    pub over: Duration,
}

/// Whether a gate holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// Nobody can tell.
    Inconclusive,
}

/// What a gate's value is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Milliseconds.
    Ms,
    /// A share, 0 to 1.
    Ratio,
    /// A second.
    PerSecond,
    /// So many.
    Count,
}

/// A gate, read off some sums.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Whether it holds.
    pub state: State,
    /// What was measured, in the [`Unit`] of the expectation; `None` when nothing was.
    pub value: Option<f64>,
    /// The same for people: `84ms`.
    pub shown: String,
    /// Why it is inconclusive, or what should be known beside the state; empty when there is nothing to say.
    pub reason: String,
    /// Requests, or arrivals, or ticks, that the value rests on.
    pub samples: u64,
}

impl GateSpec {
    /// Reads a gate as recorded.
    pub fn from_plan(plan: &GatePlan) -> Result<Self, GateError> {
        let expect = plan
            .expect
            .parse::<Expectation>()
            .map_err(|why| GateError::Expectation {
                gate: plan.name.clone(),
                why: why.to_string(),
            })?;
        let severity = severity_of(plan).ok_or_else(|| GateError::Severity {
            gate: plan.name.clone(),
            severity: plan.severity.clone(),
        })?;
        Ok(Self {
            name: plan.name.clone(),
            of: plan.of.clone(),
            expect,
            text: plan.expect.clone(),
            during: plan.during.clone(),
            severity,
            abort_after: plan.abort_after_us.map(Duration::from_micros),
            over: Duration::from_micros(plan.over_us),
        })
    }

    /// Whether the gate looks at this phase.
    pub fn applies_to(&self, phase: usize) -> bool {
        self.during.is_empty() || self.during.contains(&phase)
    }

    /// Whether the gate is about latency, which a slow generator falsifies.
    pub fn is_latency(&self) -> bool {
        matches!(self.expect, Expectation::Latency { .. })
    }
}

/// The severity as recorded; `None` when it is neither of the two.
pub(super) fn severity_of(plan: &GatePlan) -> Option<Severity> {
    match plan.severity.as_str() {
        "blocker" => Some(Severity::Blocker),
        "advisory" => Some(Severity::Advisory),
        _ => None,
    }
}

/// The final word on a gate: its phases as a whole.
pub fn judge_gate(history: &History, spec: &GateSpec) -> Reading {
    let ran = |phase: usize| history.phase(phase).is_some();
    let climbs = |phase: usize| {
        history
            .window()
            .and_then(|window| window.phases.get(phase))
            .is_some_and(|phase| phase.climb.is_some())
    };
    let reading = judge_over(history, spec, &spec.during);
    let some_ran = spec.during.iter().any(|&phase| ran(phase));
    // A climb ends where something breaks; its steps beyond that are not missing.
    let absent = spec
        .during
        .iter()
        .find(|&&phase| !(ran(phase) || (some_ran && climbs(phase))));
    match absent {
        Some(&phase) if reading.state != State::Fail => {
            let name = history.names().phases.get(phase);
            let name = name.map_or_else(|| phase.to_string(), Clone::clone);
            inconclusive(format!("phase {name} did not run")).with_value_of(reading)
        }
        Some(_) | None => reading,
    }
}

/// A gate over the given phases, all when there are none.
pub fn judge_over(history: &History, spec: &GateSpec, phases: &[usize]) -> Reading {
    match scope_of(history.names(), &spec.of) {
        Some(scope) => read(&spec.expect, &history.totals(&scope, phases)),
        None => inconclusive(format!("nothing that ran is named `{}`", spec.of)),
    }
}

/// An expectation, read off sums: the rules at the top of this page.
pub fn read(expect: &Expectation, totals: &Totals) -> Reading {
    if totals.ticks == 0 {
        return inconclusive("nothing was recorded".into());
    }
    let reading = read_value(expect, totals);
    if totals.missing_share() > TOLERATED {
        let share = format::percent(totals.missing_share());
        let why = format!("{share} of the ticks are missing from the recording");
        return inconclusive(why).with_value_of(reading);
    }
    let is_latency = matches!(expect, Expectation::Latency { .. });
    if is_latency && totals.bottleneck_share() > TOLERATED {
        let why = format!(
            "the generator was the bottleneck in {} of the ticks: {}",
            format::percent(totals.bottleneck_share()),
            causes_sentence(&totals.causes)
        );
        return inconclusive(why).with_value_of(reading);
    }
    if totals.missing > 0 && reading.reason.is_empty() {
        let all = totals.ticks.saturating_add(totals.missing);
        return Reading {
            reason: format!("{} of {all} ticks are missing", totals.missing),
            ..reading
        };
    }
    reading
}

fn read_value(expect: &Expectation, totals: &Totals) -> Reading {
    match *expect {
        Expectation::Latency {
            which,
            stat,
            cmp,
            bound,
        } => {
            let hist = match which {
                Latency::Response => &totals.response,
                Latency::Service => &totals.service,
            };
            read_latency(expect, hist, stat, cmp, bound)
        }
        Expectation::Errors { cmp, bound } => match totals.error_ratio() {
            Some(ratio) => decided(expect, cmp, bound, ratio, totals.requests),
            None => inconclusive("no request finished".into()),
        },
        Expectation::Rate { cmp, bound } => match totals.rate() {
            Some(rate) => decided(expect, cmp, bound, rate, totals.requests),
            None => inconclusive("no time passed".into()),
        },
        Expectation::Dropped { cmp, bound } => {
            let dropped = totals.dropped as f64;
            match bound {
                _ if totals.due == 0 => inconclusive("no arrival was due".into()),
                Amount::Count(bound) => decided(expect, cmp, bound, dropped, totals.due),
                Amount::Share(bound) => {
                    let share = dropped / totals.due as f64;
                    decided(expect, cmp, bound, share, totals.due)
                }
            }
        }
        Expectation::Requests { cmp, bound } => {
            let requests = totals.requests as f64;
            decided(expect, cmp, bound, requests, totals.requests)
        }
    }
}

fn read_latency(
    expect: &Expectation,
    hist: &Hist,
    stat: Stat,
    cmp: Cmp,
    bound: Duration,
) -> Reading {
    let samples = hist.count();
    if samples == 0 {
        return inconclusive("no request finished".into());
    }
    let (value, needed) = match stat {
        Stat::Quantile(q) if q < 1.0 => (hist.quantile(q) as f64, requests_needed(q)),
        Stat::Quantile(_) | Stat::Max => (hist.max() as f64, 1),
        Stat::Mean => (hist.mean(), BEYOND as u64),
    };
    let bound_us = bound.as_secs_f64() * 1e6;
    let reading = decided(expect, cmp, bound_us / 1e3, value / 1e3, samples);
    if samples >= needed {
        return reading;
    }
    if let (Stat::Quantile(q), Cmp::Less | Cmp::LessOrEqual) = (stat, cmp) {
        let over = hist
            .buckets()
            .iter()
            .filter(|&&(index, _)| !cmp.holds(highest(index) as f64, bound_us))
            .fold(0u64, |sum, &(_, count)| sum.saturating_add(count));
        if at_least(over, samples, 1.0 - q) < CLEAR {
            return Reading {
                reason: format!("{over} of only {samples} requests are beyond the bound"),
                ..reading
            };
        }
    }
    let stat = stat_name(stat);
    let why = format!("{samples} requests are too few: {stat} needs {needed}");
    inconclusive(why).with_value_of(reading)
}

/// Requests without which a quantile is not judged.
pub fn requests_needed(q: f64) -> u64 {
    (BEYOND / (1.0 - q) - 1e-6).ceil().max(1.0) as u64
}

/// The probability of `hits` or more out of `tries`, each with probability `p`. Meant for `tries * p` below
/// [`BEYOND`], where `(1 - p)^tries` is far from underflow; the sum has at most `hits` terms and stops at 1.
fn at_least(hits: u64, tries: u64, p: f64) -> f64 {
    let mut term = (tries as f64 * (-p).ln_1p()).exp();
    let mut below = 0.0;
    for place in 0..hits {
        below += term;
        if below > 1.0 - CLEAR / 1e3 {
            return 1.0 - below;
        }
        term *= tries.saturating_sub(place) as f64 / (place + 1) as f64 * p / (1.0 - p);
    }
    1.0 - below
}

fn decided(expect: &Expectation, cmp: Cmp, bound: f64, value: f64, samples: u64) -> Reading {
    let state = if cmp.holds(value, bound) {
        State::Pass
    } else {
        State::Fail
    };
    Reading {
        state,
        value: Some(value),
        shown: show(unit_of(expect), value, bound),
        reason: String::new(),
        samples,
    }
}

fn inconclusive(reason: String) -> Reading {
    Reading {
        state: State::Inconclusive,
        value: None,
        shown: format::unknown(),
        reason,
        samples: 0,
    }
}

impl Reading {
    /// This state for this reason, with what was measured all the same.
    fn with_value_of(self, measured: Self) -> Self {
        Self {
            value: measured.value,
            shown: measured.shown,
            samples: measured.samples,
            ..self
        }
    }
}

/// What an expectation's value is counted in.
pub fn unit_of(expect: &Expectation) -> Unit {
    match expect {
        Expectation::Latency { .. } => Unit::Ms,
        Expectation::Errors { .. }
        | Expectation::Dropped {
            bound: Amount::Share(_),
            ..
        } => Unit::Ratio,
        Expectation::Rate { .. } => Unit::PerSecond,
        Expectation::Dropped {
            bound: Amount::Count(_),
            ..
        }
        | Expectation::Requests { .. } => Unit::Count,
    }
}

/// The value for people; with more digits when it lies close to the bound.
pub fn show(unit: Unit, value: f64, bound: f64) -> String {
    let close = (value - bound).abs() < bound.abs() * 0.05;
    match (unit, close) {
        (Unit::Ms, false) => format::duration_short(value * 1e3),
        (Unit::Ms, true) => format::duration_precise(value * 1e3),
        (Unit::Ratio, false) => format::percent(value),
        (Unit::Ratio, true) => format::percent_precise(value),
        (Unit::PerSecond, false) => format::rate_short(value),
        (Unit::PerSecond, true) => format!("{value:.1}/s"),
        (Unit::Count, false) => format::count_short(value),
        (Unit::Count, true) => format!("{value:.0}"),
    }
}

fn stat_name(stat: Stat) -> String {
    match stat {
        Stat::Mean => "the mean".into(),
        Stat::Max => "the maximum".into(),
        // Rounded, since 0.999 times 100 is not quite 99.9.
        Stat::Quantile(q) => format!("p{}", (q * 1e8).round() / 1e6),
    }
}
