//! How a system took a fault: when it was hurt, when that was noticed, when it was well again.
//!
//! In: an [`Injection`] with its picture, and an [`Objective`]. Out: an [`Assessment`]. Traffic is judged over windows of
//! [`WINDOW_US`] that end at each second: one is *good* when its share of errors and its share of slow requests are within
//! [`Bounds`], the worse of what the profile asks for and of what was normal before the fault. The system is *back* at the
//! beginning of the first run of good windows that lasts [`HOLD_US`]. A single good second proves nothing: where one
//! request in ten fails, most seconds at 20 requests a second hold a stretch without a failure.
//!
//! The invariants: no traffic is not known, and not good; times are intervals, since a window cannot tell where in it
//! something happened; and what nobody saw is said to be unknown, with the reason.

use std::sync::Arc;

use crate::history::History;
use crate::history::injections::{Cell, Injection};

mod bounds;
mod cost;
mod detect;
mod gauges;
mod moved;
#[cfg(test)]
mod moved_tests;
mod neighbours;
#[cfg(test)]
mod tests;
mod windows;
mod words;

pub use bounds::{Bounds, LIMITS, Limit, Objective};
pub use cost::{Cost, Stretch};
pub use detect::Detection;
pub use gauges::{Gauged, MovedSeries};
pub use neighbours::alone_until;
pub use windows::Breach;
pub use words::between;

use windows::{Run, Windows};

/// The span over which traffic is judged, µs.
pub const WINDOW_US: u64 = 10_000_000;
/// How long it must stay good, µs.
pub const HOLD_US: u64 = 30_000_000;
/// Requests without which a window is not judged.
pub const LEAST: u64 = 10;

/// An interval of time, µs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Took {
    /// It took at least this long.
    pub least: u64,
    /// It took at most this long.
    pub most: u64,
}

/// What is known of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// It happened after so long.
    Took(Took),
    /// It happened after so long, as far as can be told: what followed was seen for too short a time.
    Seems {
        /// After so long.
        took: Took,
        /// It has held for so long, µs.
        held: u64,
    },
    /// It has not happened yet, and may; so long has been waited for it, µs.
    Waiting(u64),
    /// It did not happen in so long, µs.
    Never(u64),
    /// Nobody can tell.
    Unknown(Why),
}

/// Why a time is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The fault was never in place.
    NotDone,
    /// The fault is still in place.
    StillOn,
    /// There was not enough traffic to tell.
    NoTraffic,
    /// The recording ends too early.
    Ended,
    /// Seconds are not known, only sums of minutes.
    NotSeen,
    /// Nothing was out of bounds.
    NoImpact,
    /// Traffic was out of bounds when the fault came.
    Already,
    /// No source of alerts is watched.
    NoAlerts,
    /// No source of alerts answered.
    NoSource,
    /// Neither a gate nor traffic before the fault says what is slow.
    NoMeasure,
    /// Another fault was there, and may be what was seen.
    Another,
}

/// Whether and when the system was back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// How long it took since the fault was ordered back.
    pub took: Measured,
    /// When the run of good windows began that makes it recovered, or may: µs since the window began.
    pub since: Option<u64>,
}

/// How a system took one injection.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// What counts as good.
    pub bounds: Bounds,
    /// From the injection until traffic was out of bounds.
    pub impact: Measured,
    /// From the injection until an alert fired.
    pub detection: Detection,
    /// From the injection until traffic was good again with the fault still in place.
    pub mitigation: Measured,
    /// From the order to bring the fault back until the system was back.
    pub recovery: Recovery,
    /// Times that traffic went out of bounds again after it had been good for a while, since the clearing.
    pub breaches: Vec<Breach>,
    /// What it cost.
    pub cost: Cost,
    /// What gauges did while it was in place.
    pub gauges: Gauged,
}

impl Measured {
    /// Whether it is over a budget, µs, for sure. A window that ends now still tells of what was a while ago, and good
    /// windows that began in time may be too few to tell.
    pub fn is_over(self, budget: u64) -> bool {
        let seen = budget.saturating_add(WINDOW_US);
        match self {
            Self::Took(took) | Self::Seems { took, .. } => took.least > budget,
            Self::Never(passed) => passed > seen,
            Self::Waiting(passed) => passed > seen.saturating_add(HOLD_US),
            Self::Unknown(_) => false,
        }
    }

    /// The interval, confirmed or not.
    pub fn took(self) -> Option<Took> {
        match self {
            Self::Took(took) | Self::Seems { took, .. } => Some(took),
            Self::Waiting(_) | Self::Never(_) | Self::Unknown(_) => None,
        }
    }

    /// That all was well again is not known where nothing says what is slow.
    fn unless_blind(self, bounds: &Bounds) -> Self {
        match self {
            Self::Took(_) | Self::Seems { .. } if !bounds.tells_slowness() => {
                Self::Unknown(Why::NoMeasure)
            }
            Self::Took(_)
            | Self::Seems { .. }
            | Self::Waiting(_)
            | Self::Never(_)
            | Self::Unknown(_) => self,
        }
    }
}

impl Recovery {
    /// Whether the system is back, for good as far as [`HOLD_US`] can tell.
    pub fn is_recovered(&self) -> bool {
        matches!(self.took, Measured::Took(_))
    }
}

/// Everything that is to be said of an injection.
pub fn assess(history: &History, injection: &Injection) -> Assessment {
    let bounds = Bounds::of(history, injection);
    let windows = Windows::of(injection.picture.cells(), &bounds, 0);
    let impact = impact(history, injection, &bounds, &windows);
    let recovery = back(history, injection, &bounds, &windows);
    let mut breaches = match injection.cleared {
        Some(cleared) => windows.breaches(cleared),
        None => Vec::new(),
    };
    // What the next fault does is not laid on this one.
    let next = alone_until(history, injection);
    breaches.retain(|breach| breach.from <= next);
    Assessment {
        impact,
        detection: detect::detection(history, injection),
        mitigation: mitigation(history, injection, &windows, impact).unless_blind(&bounds),
        recovery,
        breaches,
        cost: cost::cost(history, injection, &bounds, recovery.since, next),
        gauges: gauges::gauged(history, injection),
        bounds,
    }
}

/// Whether the system is back, at a small part of the cost of [`assess`]: for a window that runs, once a tick.
pub fn recovery(history: &History, injection: &Injection) -> Recovery {
    let bounds = Bounds::of(history, injection);
    let Some(from) = injection.ordered_back() else {
        return back(history, injection, &bounds, &Windows::default());
    };
    let from = from.saturating_sub(WINDOW_US);
    let windows = Windows::of(injection.picture.cells(), &bounds, from);
    back(history, injection, &bounds, &windows)
}

/// Whether nothing that is still to come can change what is known of an injection.
fn is_final(history: &History, injection: &Injection) -> bool {
    history.end().is_some() || history.stop().is_some() || injection.closed.is_some()
}

/// Reasons for which nothing at all can be said.
fn beyond_telling(injection: &Injection) -> Option<Why> {
    let picture = &injection.picture;
    if !injection.is_real() {
        Some(Why::NotDone)
    } else if picture.unseen > 0 && picture.unseen as usize >= picture.since().len() {
        Some(Why::NotSeen)
    } else {
        None
    }
}

fn impact(
    history: &History,
    injection: &Injection,
    bounds: &Bounds,
    windows: &Windows,
) -> Measured {
    if let Some(why) = beyond_telling(injection) {
        return Measured::Unknown(why);
    }
    let from = injection.injecting;
    let next = alone_until(history, injection);
    let until = injection.cleared.map(|at| at.saturating_add(HOLD_US));
    let until = until.unwrap_or(u64::MAX).min(next);
    if windows.state_at(from) == Some(windows::State::Bad) {
        return Measured::Unknown(Why::Already);
    }
    if let Some(window) = windows.first_bad(from, until) {
        // The first second in it that is out of bounds by itself is where it began, at the earliest.
        let cells = injection.picture.since();
        let begun = windows.first_hurt(cells, window.at).unwrap_or(window.from);
        let least = begun.saturating_sub(from);
        let most = window.at.saturating_sub(from);
        return Measured::Took(Took { least, most });
    }
    let seen = windows.known_until(from, until);
    let Some(seen) = seen else {
        let waits = !is_final(history, injection) && injection.cleared.is_none();
        let waited = now(history).saturating_sub(from);
        return if waits && waited < WINDOW_US {
            Measured::Waiting(waited)
        } else {
            Measured::Unknown(Why::NoTraffic)
        };
    };
    let passed = seen.saturating_sub(from);
    if is_final(history, injection) || now(history) >= until {
        match bounds.tells_slowness() {
            _ if next < injection.cleared.unwrap_or(u64::MAX) => Measured::Unknown(Why::Another),
            true => Measured::Never(passed),
            false => Measured::Unknown(Why::NoMeasure),
        }
    } else {
        Measured::Waiting(passed)
    }
}

fn mitigation(
    history: &History,
    injection: &Injection,
    windows: &Windows,
    impact: Measured,
) -> Measured {
    let from = injection.injecting;
    let Some(hurt) = impact.took() else {
        return match impact {
            Measured::Unknown(why) => Measured::Unknown(why),
            Measured::Waiting(_) => Measured::Waiting(now(history).saturating_sub(from)),
            Measured::Never(_) | Measured::Took(_) | Measured::Seems { .. } => {
                Measured::Unknown(Why::NoImpact)
            }
        };
    };
    let until = injection.ordered_back().unwrap_or(u64::MAX);
    let next = alone_until(history, injection);
    let runs = windows.runs(from.saturating_add(hurt.most), until);
    if let Some(run) = runs.iter().find(|run| run.lasts() >= HOLD_US)
        && run.first_at <= next
    {
        return Measured::Took(run.took(from));
    }
    match injection.ordered_back() {
        _ if next < until => Measured::Unknown(Why::Another),
        Some(ordered) => Measured::Never(ordered.saturating_sub(from)),
        None if is_final(history, injection) => Measured::Unknown(Why::Ended),
        None => Measured::Waiting(now(history).saturating_sub(from)),
    }
}

fn back(history: &History, injection: &Injection, bounds: &Bounds, windows: &Windows) -> Recovery {
    let found = first_lasting(history, injection, windows);
    let took = found.took.unless_blind(bounds);
    let since = found.since.filter(|_| took == found.took);
    Recovery { took, since }
}

fn first_lasting(history: &History, injection: &Injection, windows: &Windows) -> Recovery {
    let unknown = |why| Recovery {
        took: Measured::Unknown(why),
        since: None,
    };
    if let Some(why) = beyond_telling(injection) {
        return unknown(why);
    }
    let Some(from) = injection.ordered_back() else {
        return unknown(Why::StillOn);
    };
    let other = neighbours::disturbed_from(history, injection, from);
    // What is good though another fault is there is good; what is good only later may have been bad by that.
    let own = |run: &&Run| run.from_start || run.first_at <= other.saturating_add(WINDOW_US);
    let runs = windows.runs(from, u64::MAX);
    if let Some(run) = runs.iter().find(|run| run.lasts() >= HOLD_US).filter(own) {
        return Recovery {
            took: Measured::Took(run.took(from)),
            since: Some(run.first_at),
        };
    }
    // What is good now may turn out to have been the beginning.
    let last = windows.last_at();
    let open = runs.last().filter(|run| Some(run.last_at) == last);
    if other < u64::MAX && !open.as_ref().is_some_and(own) {
        return neighbours::cut_short(history, injection, windows, &runs, (from, other));
    }
    let waited = now(history).saturating_sub(from);
    let state = windows.last_state_since(from);
    let silent = matches!(state, None | Some(windows::State::Unknown));
    let took = match open {
        _ if !is_final(history, injection) && silent && waited >= WINDOW_US => {
            Measured::Unknown(Why::NoTraffic)
        }
        _ if !is_final(history, injection) => Measured::Waiting(waited),
        Some(run) if run.lasts() > 0 || run.first_at > from => Measured::Seems {
            took: run.took(from),
            held: run.lasts(),
        },
        Some(_) => Measured::Unknown(Why::Ended),
        None => match state {
            Some(windows::State::Bad) => {
                let seen = last.unwrap_or(from).saturating_sub(from);
                // What is bad in a window that reaches back beyond the order may have been before it.
                match seen {
                    0..WINDOW_US => Measured::Unknown(Why::Ended),
                    WINDOW_US.. => Measured::Never(seen),
                }
            }
            Some(windows::State::Good | windows::State::Unknown) => {
                Measured::Unknown(Why::NoTraffic)
            }
            None => Measured::Unknown(Why::Ended),
        },
    };
    let since = open.map(|run: &Run| run.first_at);
    Recovery { took, since }
}

/// The latest moment that is known.
fn now(history: &History) -> u64 {
    history.last().map_or(0, |last| last.at)
}

/// The cells of a picture that end after `from` and not after `until`, µs.
fn within(cells: &[Arc<Cell>], from: u64, until: u64) -> &[Arc<Cell>] {
    let begin = cells.partition_point(|cell| cell.at <= from);
    let end = cells.partition_point(|cell| cell.at <= until);
    cells.get(begin..end).unwrap_or_default()
}
