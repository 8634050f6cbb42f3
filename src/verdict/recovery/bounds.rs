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

/// Most limits of response times that are looked at, those of the highest quantiles.
pub const LIMITS: usize = 4;

/// A limit of response times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// The quantile that it is for.
    pub quantile: f64,
    /// A response time above this, µs, is slow.
    pub us: u64,
}

impl Limit {
    /// The share of requests that may be slow.
    fn slow(&self) -> f64 {
        1.0 - self.quantile + 1e-9
    }
}

/// Traffic that says what is normal where there was something else before, µs.
const SETTLED_US: u64 = WINDOW_US / 2;

/// What is asked of traffic.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    /// The comparison of the share of errors with its bound.
    pub errors: (Cmp, f64),
    /// All limits of response times, that of the highest quantile first; empty where neither a gate nor a baseline gives one.
    pub limits: Vec<Limit>,
    /// The first of them, µs.
    pub limit_us: Option<u64>,
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
    /// Likewise, for each limit, the share of requests that are slower.
    pub normal_slow: [Option<f64>; LIMITS],
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
            normal_slow: [None; LIMITS],
            normal_requests: None,
        };
        let windows = Windows::of(baseline, &bounds, 0);
        bounds.normal_errors = normal(&windows.shares(|window| window.failed));
        for limit in 0..bounds.objective.limits.len().min(LIMITS) {
            bounds.normal_slow[limit] = normal(&windows.shares(|window| window.slow[limit]));
        }
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

    /// Whether so many of these requests may be slower than each limit.
    pub fn allows_slow(&self, slow: &[u64; LIMITS], requests: u64) -> bool {
        let limits = self.objective.limits.iter().zip(self.normal_slow);
        limits.zip(slow).all(|((limit, normal), &slow)| {
            let share = slow as f64 / requests.max(1) as f64;
            share <= limit.slow() || normal.is_some_and(|most| share <= most)
        })
    }
}

impl Objective {
    /// What the gates ask of everything, always or in this phase; of two for one quantile, and of those for errors, the one
    /// of the phase goes first. What they leave open is 1 % of errors, and 1 % of requests beyond twice the p99 of the
    /// baseline.
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
        let mut limits: Vec<Limit> = Vec::new();
        for limit in asked.iter().filter_map(limit_of) {
            if limits
                .iter()
                .all(|known| known.quantile.to_bits() != limit.quantile.to_bits())
            {
                limits.push(limit);
            }
        }
        limits.sort_by(|a, b| b.quantile.total_cmp(&a.quantile));
        limits.truncate(LIMITS);
        let is_asked_for = !limits.is_empty();
        if let Some(p99) = p99(baseline).filter(|_| !is_asked_for) {
            limits.push(Limit {
                quantile: 0.99,
                us: p99.saturating_mul(TIMES),
            });
        }
        let errors_text = match errors {
            Some((cmp, bound)) => Expectation::Errors { cmp, bound }.to_string(),
            None => "errors < 1% by default".into(),
        };
        let mut text = errors_text;
        for limit in limits.iter().rev() {
            let q = Stat::Quantile(limit.quantile).to_string();
            let us = format::duration_short(limit.us as f64);
            let since = if is_asked_for {
                ""
            } else {
                ", twice what it was before"
            };
            text.extend([", ", &q, " < ", &us, since]);
        }
        Self {
            errors: errors.unwrap_or((Cmp::Less, ERRORS)),
            limit_us: limits.first().map(|limit| limit.us),
            limits,
            text,
        }
    }
}

/// The limit of response times that is asked for.
fn limit_of(expect: &Expectation) -> Option<Limit> {
    match *expect {
        Expectation::Latency {
            which: Latency::Response,
            stat: Stat::Quantile(quantile),
            cmp,
            bound,
        } if bounds_above(cmp) => {
            let us = u64::try_from(bound.as_micros()).ok()?;
            Some(Limit { quantile, us })
        }
        _ => None,
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
