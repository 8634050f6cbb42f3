//! What a fault cost its users, and how much worse things were than before.

use std::sync::Arc;

use super::bounds::{LIMITS, quantile, undisturbed};
use super::{Bounds, within};
use crate::history::History;
use crate::history::injections::{Cell, Injection};
use crate::session::hist::{highest, index_of, lowest};

/// The least time after the clearing that counts as the aftermath, µs.
const AFTERMATH_US: u64 = 1_000_000;

/// Traffic over a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Stretch {
    /// Time that was seen of it, µs.
    pub micros: u64,
    /// Requests finished, failed ones included.
    pub requests: u64,
    /// Failed requests.
    pub failed: u64,
    /// Median response time, µs; `None` when there were too few requests.
    pub p50_us: Option<u64>,
    /// Likewise, the 99th percentile.
    pub p99_us: Option<u64>,
    /// Likewise, for each limit of response times, the quantile that it is for.
    pub asked_us: [Option<u64>; LIMITS],
}

/// What a fault cost, from its injection until the system was back or was seen last.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Cost {
    /// Failed requests.
    pub failed: u64,
    /// Requests slower than the limit.
    pub slow: u64,
    /// Time that users waited beyond the limit, all together, seconds; `None` where there is no limit.
    pub user_seconds: Option<f64>,
    /// Traffic before the fault that says what is normal.
    pub before: Stretch,
    /// Traffic while it was in place.
    pub during: Stretch,
    /// Traffic from then until the system was back or was seen last.
    pub after: Stretch,
}

impl Stretch {
    fn of(cells: &[Arc<Cell>], bounds: &Bounds) -> Self {
        let mut asked_us = [None; LIMITS];
        for (asked, limit) in asked_us.iter_mut().zip(&bounds.objective.limits) {
            *asked = quantile(cells, limit.quantile);
        }
        let sum = |each: fn(&Cell) -> u64| cells.iter().map(|cell| each(cell)).sum();
        Self {
            micros: sum(|cell| cell.micros),
            requests: sum(|cell| cell.requests),
            failed: sum(Cell::failed),
            p50_us: quantile(cells, 0.5),
            p99_us: quantile(cells, 0.99),
            asked_us,
        }
    }

    /// The share of requests that did not fail; `None` without a request.
    pub fn availability(&self) -> Option<f64> {
        let good = self.requests.saturating_sub(self.failed);
        (self.requests > 0).then(|| good as f64 / self.requests as f64)
    }

    /// The share of requests that failed; `None` without a request.
    pub fn errors(&self) -> Option<f64> {
        self.availability().map(|share| 1.0 - share)
    }

    /// Requests a second; `None` without time.
    pub fn rate(&self) -> Option<f64> {
        (self.micros > 0).then(|| self.requests as f64 / (self.micros as f64 / 1e6))
    }
}

/// `back` is when the system was, µs since the window began, and `next` when the next fault came, whose aftermath is its own.
pub(super) fn cost(
    history: &History,
    injection: &Injection,
    bounds: &Bounds,
    back: Option<u64>,
    next: u64,
) -> Cost {
    let all = injection.picture.since();
    let cleared = injection.cleared.unwrap_or(u64::MAX);
    // Where nothing was ever good again, all that was seen counts; where it was at once, a little of it.
    let until = back
        .unwrap_or(u64::MAX)
        .min(next)
        .max(cleared.saturating_add(AFTERMATH_US));
    let during = within(all, injection.injecting, cleared);
    let hurt = within(all, injection.injecting, until);
    let limit = bounds.objective.limit_us;
    let (mut slow, mut beyond) = (0u64, 0.0);
    if let Some(limit) = limit {
        let above = index_of(limit);
        for (index, count) in hurt.iter().flat_map(|cell| cell.response.iter()) {
            if index > above {
                slow = slow.saturating_add(count);
                let middle = f64::midpoint(lowest(index) as f64, highest(index) as f64);
                beyond += (middle - limit as f64).max(0.0) * count as f64;
            }
        }
    }
    Cost {
        failed: hurt.iter().map(|cell| cell.failed()).sum(),
        slow,
        user_seconds: limit.map(|_| beyond / 1e6),
        before: Stretch::of(undisturbed(history, injection), bounds),
        during: Stretch::of(during, bounds),
        after: Stretch::of(within(all, cleared, until), bounds),
    }
}
