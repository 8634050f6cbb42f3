//! Traffic over windows of ten seconds that end at each second, good, bad or not known.

use std::collections::VecDeque;
use std::sync::Arc;

use super::bounds::{LIMITS, Limit};
use super::{Bounds, LEAST, Took, WINDOW_US};
use crate::history::injections::Cell;
use crate::session::hist::index_of;

/// What a window says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Good,
    Bad,
    /// Too few requests, or too much of it is missing.
    Unknown,
}

/// A span that ends with a cell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// Its beginning, µs since the window began.
    pub from: u64,
    /// Its end.
    pub at: u64,
    pub requests: u64,
    pub failed: u64,
    /// Requests slower than each limit.
    pub slow: [u64; LIMITS],
    pub state: State,
}

/// All windows, in order.
#[derive(Debug, Default)]
pub(super) struct Windows {
    all: Vec<Window>,
    /// Ends of the cells that are out of bounds by themselves.
    hurt: Vec<u64>,
}

/// Good windows one after another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    /// Beginning of the first.
    pub from: u64,
    /// End of the first.
    pub first_at: u64,
    /// End of the last.
    pub last_at: u64,
    /// Whether nothing that was not good came before it.
    pub from_start: bool,
}

/// A stretch in which traffic was out of bounds again, µs since the window began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Breach {
    /// End of its first bad window.
    pub from: u64,
    /// End of its last.
    pub to: u64,
}

/// A cell, counted.
struct Counted {
    at: u64,
    micros: u64,
    requests: u64,
    failed: u64,
    slow: [u64; LIMITS],
}

impl Windows {
    /// Those of the cells that end after `from`, µs.
    pub fn of(cells: &[Arc<Cell>], bounds: &Bounds, from: u64) -> Self {
        let begin = cells.partition_point(|cell| cell.at <= from);
        let mut windows = Self::default();
        let mut inside: VecDeque<Counted> = VecDeque::new();
        let (mut requests, mut failed, mut covered) = (0u64, 0u64, 0u64);
        let mut slow = [0u64; LIMITS];
        for cell in &cells[begin..] {
            let counted = count(cell, &bounds.objective.limits);
            requests = requests.saturating_add(counted.requests);
            failed = failed.saturating_add(counted.failed);
            for (sum, count) in slow.iter_mut().zip(counted.slow) {
                *sum = sum.saturating_add(count);
            }
            covered += counted.micros;
            if judge(&counted, bounds) {
                windows.hurt.push(counted.at);
            }
            inside.push_back(counted);
            while let Some(oldest) = inside.front()
                && oldest.at.saturating_add(WINDOW_US) <= cell.at
                && inside.len() > 1
            {
                requests -= oldest.requests.min(requests);
                failed -= oldest.failed.min(failed);
                for (sum, count) in slow.iter_mut().zip(oldest.slow) {
                    *sum = sum.saturating_sub(count);
                }
                covered -= oldest.micros.min(covered);
                inside.pop_front();
            }
            let first = inside
                .front()
                .map_or(cell.at, |first| first.at.saturating_sub(first.micros));
            let share = |count: u64| count as f64 / requests.max(1) as f64;
            let state = if covered < WINDOW_US / 2 {
                State::Unknown
            } else if requests < LEAST {
                // Where many were answered, many wait and hardly any is answered, that is an answer, too.
                if cell.in_flight >= LEAST && bounds.expects_traffic() {
                    State::Bad
                } else {
                    State::Unknown
                }
            } else if bounds.allows_errors(share(failed)) && bounds.allows_slow(&slow, requests) {
                State::Good
            } else {
                State::Bad
            };
            windows.all.push(Window {
                from: first,
                at: cell.at,
                requests,
                failed,
                slow,
                state,
            });
        }
        windows
    }

    /// A share of the requests of each whole window that can be judged, with their number.
    pub fn shares(&self, of: impl Fn(&Window) -> u64) -> Vec<(f64, u64)> {
        let whole = |window: &&Window| window.requests >= LEAST && window.is_whole();
        let share = |window: &Window| {
            let share = of(window) as f64 / window.requests as f64;
            (share, window.requests)
        };
        self.all.iter().filter(whole).map(share).collect()
    }

    /// The requests of a whole window, at the median; `None` when there are too few windows to say.
    pub fn typical_requests(&self) -> Option<u64> {
        let whole = self.all.iter().filter(|window| window.is_whole());
        let mut requests: Vec<u64> = whole.map(|window| window.requests).collect();
        requests.sort_unstable();
        let enough = requests.len() as u64 >= WINDOW_US / 1_000_000;
        requests.get(requests.len() / 2).copied().filter(|_| enough)
    }

    fn between(&self, from: u64, until: u64) -> impl Iterator<Item = &Window> {
        let begin = self.all.partition_point(|window| window.at < from);
        self.all[begin..]
            .iter()
            .take_while(move |window| window.at <= until)
    }

    /// The first bad one that ends after `from` and not after `until`.
    pub fn first_bad(&self, from: u64, until: u64) -> Option<&Window> {
        let mut after = self.between(from.saturating_add(1), until);
        after.find(|window| window.state == State::Bad)
    }

    /// The beginning of the first of these cells, up to this moment and within a window before it, that is out of bounds
    /// by itself.
    pub fn first_hurt(&self, cells: &[Arc<Cell>], at: u64) -> Option<u64> {
        let near = super::within(cells, at.saturating_sub(WINDOW_US), at);
        let hurt = |cell: &&Arc<Cell>| self.hurt.binary_search(&cell.at).is_ok();
        near.iter().find(hurt).map(|cell| cell.start())
    }

    /// The end of the last one in this time that is known.
    pub fn known_until(&self, from: u64, until: u64) -> Option<u64> {
        let known = self.between(from.saturating_add(1), until);
        let known = known.filter(|window| window.state != State::Unknown);
        known.last().map(|window| window.at)
    }

    /// The state of the last one that ends by a moment.
    pub fn state_at(&self, at: u64) -> Option<State> {
        let end = self.all.partition_point(|window| window.at <= at);
        Some(self.all[..end].last()?.state)
    }

    /// The end of the last one.
    pub fn last_at(&self) -> Option<u64> {
        self.all.last().map(|window| window.at)
    }

    /// The state of the last one that ends after `from`.
    pub fn last_state_since(&self, from: u64) -> Option<State> {
        let last = self.all.last().filter(|window| window.at > from)?;
        Some(last.state)
    }

    /// The runs of good ones that end between two moments.
    pub fn runs(&self, from: u64, until: u64) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        let mut open = false;
        let mut clean = true;
        for window in self.between(from, until) {
            let good = window.state == State::Good;
            match runs.last_mut().filter(|_| open) {
                Some(run) if good => run.last_at = window.at,
                Some(_) => open = false,
                None if good => {
                    open = true;
                    runs.push(Run {
                        from: window.from,
                        first_at: window.at,
                        last_at: window.at,
                        from_start: clean,
                    });
                }
                None => {}
            }
            clean &= good;
        }
        runs
    }

    /// Stretches of bad ones after a run of good ones that lasted for a whole window, since a moment.
    pub fn breaches(&self, from: u64) -> Vec<Breach> {
        let runs = self.runs(from, u64::MAX);
        let lasting = runs.iter().filter(|run| run.lasts() >= WINDOW_US);
        let mut breaches: Vec<Breach> = Vec::new();
        for run in lasting {
            let after = self.between(run.last_at + 1, u64::MAX);
            let bad = after
                .skip_while(|window| window.state == State::Unknown)
                .take_while(|window| window.state == State::Bad);
            let mut ends = bad.map(|window| window.at);
            let Some(first) = ends.next() else {
                continue;
            };
            let to = ends.last().unwrap_or(first);
            if breaches.last().is_none_or(|last| last.from < first) {
                breaches.push(Breach { from: first, to });
            }
        }
        breaches
    }
}

impl Window {
    fn is_whole(&self) -> bool {
        self.at - self.from >= WINDOW_US * 9 / 10
    }
}

impl Run {
    /// From the end of its first window to the end of its last, µs.
    pub fn lasts(&self) -> u64 {
        self.last_at - self.first_at
    }

    /// How long after a moment it began: somewhere in its first window, or at once when it was never otherwise.
    pub fn took(&self, since: u64) -> Took {
        let least = if self.from_start {
            0
        } else {
            self.from.saturating_sub(since)
        };
        let most = self.first_at.saturating_sub(since);
        Took { least, most }
    }
}

fn count(cell: &Cell, limits: &[Limit]) -> Counted {
    let mut slow = [0u64; LIMITS];
    let above = limits.iter().map(|limit| index_of(limit.us));
    let above: Vec<u32> = above.take(LIMITS).collect();
    if let Some(&least) = above.iter().min() {
        // Ascending, so what lies below need not be decoded twice.
        for (index, count) in cell.response.iter().filter(|&(index, _)| index > least) {
            for (sum, _) in slow
                .iter_mut()
                .zip(&above)
                .filter(|(_, above)| index > **above)
            {
                *sum = sum.saturating_add(count);
            }
        }
    }
    Counted {
        at: cell.at,
        micros: cell.micros,
        requests: cell.requests,
        failed: cell.failed(),
        slow,
    }
}

/// Whether a cell is out of bounds by itself.
fn judge(cell: &Counted, bounds: &Bounds) -> bool {
    let share = |count: u64| count as f64 / cell.requests.max(1) as f64;
    let fine =
        bounds.allows_errors(share(cell.failed)) && bounds.allows_slow(&cell.slow, cell.requests);
    cell.requests == 0 || !fine
}
