//! What counts as good: what the profile asks for, or what was normal before, whichever is worse.
//!
//! A system that was never within its objective cannot come back to it; it is back when it is as it was.

use std::sync::Arc;

use super::neighbours::Family;
use super::windows::Windows;
use super::{HOLD_US, LEAST, WINDOW_US};
use crate::history::History;
use crate::history::injections::{Cell, Injection};
use crate::profile::expect::{Cmp, Expectation, Latency, Stat};
use crate::session::hist::{MAX_VALUE, highest, index_of};
use crate::session::record::GatePlan;
use crate::verdict::format;

/// Spreads of the baseline that are still normal.
const SPREADS: f64 = 3.0;
/// What makes a median absolute deviation a standard deviation.
const SIGMA: f64 = 1.4826;
/// The share of errors that is allowed where no gate says otherwise.
const ERRORS: f64 = 0.01;
/// Where no gate gives a limit, so many times the baseline's p99 is slow.
const TIMES: u64 = 2;

/// Traffic that says what is normal where there was something else before, µs.
const SETTLED_US: u64 = WINDOW_US / 2;

/// What is asked of traffic.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    /// The comparison of the share of errors with its bound.
    pub errors: (Cmp, f64),
    /// A response time above this, µs, is slow; `None` where neither a gate nor a baseline gives one.
    pub limit_us: Option<u64>,
    /// The share of requests that may be slow.
    pub slow: f64,
    /// Where this comes from, for people: `errors < 2%, p99 < 100ms`.
    pub text: String,
}

/// What counts as good.
#[derive(Debug, Clone, PartialEq)]
pub struct Bounds {
    /// What is asked.
    pub objective: Objective,
    /// The share of errors that was normal before; `None` without a baseline.
    pub normal_errors: Option<f64>,
    /// The share of slow requests that was normal before.
    pub normal_slow: Option<f64>,
    /// Requests in a window that were normal before.
    pub normal_requests: Option<u64>,
}

/// Traffic before an injection, and before its group, when no earlier fault was there and what it left behind was over:
/// the latest such stretch that says enough. What is normal while something is broken is no measure.
pub(super) fn undisturbed<'h>(history: &'h History, injection: &'h Injection) -> &'h [Arc<Cell>] {
    let family = Family::of(history, injection);
    let earlier = history.injections().iter();
    let earlier = earlier.filter(|it| it.number < injection.number && it.was_done());
    let broken = earlier.filter(|it| !family.has(it)).map(|it| {
        let over = match (it.recovered, it.cleared) {
            // Back is said when traffic has been good for so long.
            (Some(back), cleared) => back.saturating_sub(HOLD_US).max(cleared.unwrap_or(0)),
            (None, Some(cleared)) => cleared.saturating_add(WINDOW_US + HOLD_US),
            (None, None) => u64::MAX,
        };
        (it.injecting, over)
    });
    let mut broken: Vec<(u64, u64)> = broken.collect();
    broken.sort_unstable();
    broken.push((family.began(), u64::MAX));
    let baseline = injection.picture.baseline();
    let (mut from, mut latest) = (0, &baseline[..0]);
    for (began, over) in broken {
        let first = baseline.partition_point(|cell| cell.start() < from);
        let end = baseline.partition_point(|cell| cell.at <= began);
        let between = baseline.get(first..end).unwrap_or_default();
        let micros: u64 = between.iter().map(|cell| cell.micros).sum();
        if micros >= SETTLED_US || first == 0 {
            latest = between;
        }
        from = over.max(from);
    }
    latest
}

impl Bounds {
    /// Those of an injection.
    pub fn of(history: &History, injection: &Injection) -> Self {
        let baseline = undisturbed(history, injection);
        let objective = Objective::of(history, injection.phase, baseline);
        let mut bounds = Self {
            objective,
            normal_errors: None,
            normal_slow: None,
            normal_requests: None,
        };
        let windows = Windows::of(baseline, &bounds, 0);
        bounds.normal_errors = normal(&windows.shares(|window| window.failed));
        bounds.normal_slow = normal(&windows.shares(|window| window.slow));
        bounds.normal_requests = windows.typical_requests();
        bounds
    }

    /// Whether a window with fewer than [`LEAST`] requests is one in which something hangs. Users who think for long are in
    /// flight as well, so what is in flight does not tell: that there were so many before that chance leaves no such gap does.
    pub(super) fn expects_traffic(&self) -> bool {
        self.normal_requests
            .is_some_and(|before| before >= 3 * LEAST)
    }

    /// Whether slowness can be told at all: without a limit nothing is ever slow, and that nothing was says nothing.
    pub fn tells_slowness(&self) -> bool {
        self.objective.limit_us.is_some()
    }

    /// Whether this share of errors is within bounds.
    pub fn allows_errors(&self, share: f64) -> bool {
        let (cmp, bound) = self.objective.errors;
        cmp.holds(share, bound) || self.normal_errors.is_some_and(|most| share <= most)
    }

    /// Whether this share of slow requests is within bounds.
    pub fn allows_slow(&self, share: f64) -> bool {
        share <= self.objective.slow || self.normal_slow.is_some_and(|most| share <= most)
    }
}

impl Objective {
    /// What the gates ask of everything, always or in this phase; the one of the phase goes first. What they leave open
    /// is 1 % of errors, and 1 % of requests beyond twice the p99 of the baseline.
    fn of(history: &History, phase: Option<usize>, baseline: &[Arc<Cell>]) -> Self {
        let gates = history.window().map_or(&[][..], |window| &window.gates);
        let in_phase = |gate: &&GatePlan| phase.is_some_and(|phase| gate.during.contains(&phase));
        let always = |gate: &&GatePlan| gate.during.is_empty();
        let named = gates.iter().filter(in_phase);
        let asked: Vec<Expectation> = named
            .chain(gates.iter().filter(always))
            .filter(|gate| gate.of.trim().is_empty())
            .filter_map(|gate| gate.expect.parse().ok())
            .collect();
        let errors = asked.iter().find_map(|expect| match *expect {
            Expectation::Errors { cmp, bound } if bounds_above(cmp) => Some((cmp, bound)),
            _ => None,
        });
        let latency = asked.iter().find_map(|expect| match *expect {
            Expectation::Latency {
                which: Latency::Response,
                stat: Stat::Quantile(q),
                cmp,
                bound,
            } if bounds_above(cmp) => Some((u64::try_from(bound.as_micros()).ok()?, 1.0 - q)),
            _ => None,
        });
        let normal = p99(baseline).map(|p99| p99.saturating_mul(TIMES));
        let (limit_us, slow) = match latency {
            Some((limit, slow)) => (Some(limit), slow + 1e-9),
            None => (normal, 0.01),
        };
        let errors_text = match errors {
            Some((cmp, bound)) => Expectation::Errors { cmp, bound }.to_string(),
            None => "errors < 1% by default".into(),
        };
        let latency_text = match (latency, limit_us) {
            (Some((limit, slow)), _) => {
                let q = Stat::Quantile(1.0 - slow);
                format!(", {q} < {}", format::duration_short(limit as f64))
            }
            (None, Some(limit)) => {
                let limit = format::duration_short(limit as f64);
                format!(", p99 < {limit}, twice what it was before")
            }
            (None, None) => String::new(),
        };
        Self {
            errors: errors.unwrap_or((Cmp::Less, ERRORS)),
            limit_us,
            slow,
            text: errors_text + &latency_text,
        }
    }
}

fn bounds_above(cmp: Cmp) -> bool {
    match cmp {
        Cmp::Less | Cmp::LessOrEqual => true,
        Cmp::Greater | Cmp::GreaterOrEqual | Cmp::Equal => false,
    }
}

/// The 99th percentile of all requests, µs; `None` when there are too few to speak of.
fn p99(cells: &[Arc<Cell>]) -> Option<u64> {
    quantile(cells, 0.99)
}

/// A quantile over cells, µs; `None` when there are too few requests to speak of. One pass, and no sorting.
pub(super) fn quantile(cells: &[Arc<Cell>], q: f64) -> Option<u64> {
    let mut counts = vec![0u64; index_of(MAX_VALUE) as usize + 1];
    let mut total = 0u64;
    for (index, count) in cells.iter().flat_map(|cell| cell.response.iter()) {
        if let Some(sum) = counts.get_mut(index as usize) {
            *sum = sum.saturating_add(count);
            total = total.saturating_add(count);
        }
    }
    if total < LEAST {
        return None;
    }
    let rank = ((q * total as f64).ceil() as u64).clamp(1, total);
    let mut seen = 0;
    let place = counts.iter().position(|count| {
        seen += count;
        seen >= rank
    })?;
    Some(highest(place as u32))
}

/// The largest share that is still normal: the median of what was seen over whole windows and a few spreads. A spread is
/// at least that of chance: where one request in 300 fails, half of all windows have no failure, and the deviation from
/// the median is 0.
fn normal(shares: &[(f64, u64)]) -> Option<f64> {
    // Windows overlap; of a few there is no normal.
    if (shares.len() as u64) < WINDOW_US / 1_000_000 {
        return None;
    }
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let middle = median(shares.iter().map(|share| share.0).collect());
    let spread = median(
        shares
            .iter()
            .map(|share| (share.0 - middle).abs())
            .collect(),
    );
    let all: f64 = shares.iter().map(|share| share.1 as f64).sum();
    let mean = shares
        .iter()
        .map(|share| share.0 * share.1 as f64)
        .sum::<f64>()
        / all;
    let typical = all / shares.len() as f64;
    let chance = (mean * (1.0 - mean) / typical).sqrt();
    Some(middle.max(mean.min(middle + chance)) + SPREADS * (SIGMA * spread).max(chance))
}
