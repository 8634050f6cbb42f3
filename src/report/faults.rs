//! Faults and how the system took them, as data.
//!
//! In: the injections of a history and what was measured of them. Out: [`Fault`]s, one an injection. Times named `_s`
//! are seconds; those of an injection itself since the window began, those that were measured since the injection, or,
//! of the recovery, since the order to bring the fault back.

use serde::Serialize;

use super::fill::{ms, round, seconds};
use crate::history::History;
use crate::history::injections::Injection;
use crate::session::record::{Effect, FaultState};
use crate::verdict::recovery::{Assessment, Gauged, Measured, Stretch};
use crate::verdict::{FaultOutcome, Judgement, Losses};

/// Columns of a picture.
pub const COLUMNS: usize = 72;
/// Gauges that moved of which the numbers are told.
const TOLD: usize = 20;
/// Those that are said in a sentence.
const SAID: usize = 3;

/// One time that a fault was put in.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fault {
    /// Which injection of the window, from 1.
    pub number: u64,
    /// The fault.
    pub name: String,
    /// The service that it was done to.
    pub service: String,
    /// When it was put in.
    pub at_s: f64,
    /// When it was undone; `null` when it was not.
    pub cleared_s: Option<f64>,
    /// Who put it in; `null` when the schedule did.
    pub by: Option<String>,
    /// Whether a person insisted on it against a guard rail.
    pub forced: bool,
    /// Its last state.
    pub state: FaultState,
    /// What was said of that.
    pub said: String,
    /// Whether it was in place.
    pub done: bool,
    /// Whether it may be in place still.
    pub outstanding: bool,
    /// Whether it was seen to do anything; `null` when nobody can tell.
    pub effective: Option<bool>,
    /// What it was seen to do to connections or requests.
    pub effect: Option<Effect>,
    /// What gauges did while it was in place.
    pub gauges: Gauges,
    /// What counts as good.
    pub objective: String,
    /// Until traffic was out of bounds.
    pub impact: Measure,
    /// Until an alert fired.
    pub detection: Measure,
    /// The alert.
    pub detected_by: Option<String>,
    /// Until traffic was good again with the fault in place.
    pub mitigation: Measure,
    /// From the order to bring it back until the system was back.
    pub recovery: Measure,
    /// The recovery budget.
    pub recover_within_s: Option<f64>,
    /// Times that traffic was out of bounds again after the clearing: from and to, since the window began.
    pub breaches_s: Vec<(f64, f64)>,
    /// Requests that failed from the injection until the system was back.
    pub failed: u64,
    /// Requests in that time that were slower than the limit.
    pub slow: u64,
    /// Time that users waited beyond the limit, all together.
    pub user_seconds: Option<f64>,
    /// The limit.
    pub limit_ms: Option<f64>,
    /// Traffic before, while it was in place, and from then until the system was back.
    pub before: Traffic,
    /// While it was in place.
    pub during: Traffic,
    /// From then until the system was back.
    pub after: Traffic,
    /// Writes around it that are lost, or there more than once, a ledger each; absent when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<Writes>,
    /// Traffic around it.
    pub picture: Picture,
}

/// Writes of one ledger that are not there as they should be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Writes {
    /// The ledger.
    pub ledger: String,
    /// Writes that were acknowledged and are not there.
    pub lost: u64,
    /// Writes that are there more than once.
    pub duplicated: u64,
    /// The recovery point that was achieved, at least: from when the first of the lost writes was acknowledged to the
    /// injection, or to when the last of them was if that was later. `null` when none was lost.
    pub rpo_least_s: Option<f64>,
    /// At most.
    pub rpo_most_s: Option<f64>,
    /// Whether there may be more: not all writes around injections were read back.
    pub partial: bool,
    /// For people.
    pub text: String,
}

/// What gauges did while a fault was in place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gauges {
    /// Gauges of which enough is known to tell.
    pub looked_at: usize,
    /// Series that nobody looked at, since there were too many.
    pub left_out: usize,
    /// Series that moved.
    pub moved: usize,
    /// The strongest series of the strongest of these gauges.
    pub strongest: Vec<Moved>,
    /// For people; `null` when none moved.
    pub text: Option<String>,
}

/// A series that moved.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Moved {
    /// The gauge; `up` for a target.
    pub gauge: String,
    /// Its series, with its labels.
    pub series: String,
    /// Its median before.
    pub before: f64,
    /// Its median while the fault was in place; `null` when it was gone.
    pub then: Option<f64>,
}

/// A measured time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measure {
    /// At least; `null` when it did not happen or is not known.
    pub least_s: Option<f64>,
    /// At most.
    pub most_s: Option<f64>,
    /// False when it is not known, or not for good.
    pub known: bool,
    /// For people.
    pub text: String,
}

/// Traffic over a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Traffic {
    /// Finished requests a second.
    pub rate: Option<f64>,
    /// Failed over all requests.
    pub errors: Option<f64>,
    /// Median response time.
    pub p50_ms: Option<f64>,
    /// 99 %.
    pub p99_ms: Option<f64>,
}

/// Traffic in columns of equal length; `null` where nothing is known.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Picture {
    /// Where it begins, since the window began.
    pub from_s: f64,
    /// Length of a column.
    pub column_s: f64,
    /// Columns in which the fault was put in, was undone, and the system was back.
    pub marks: Vec<(&'static str, usize)>,
    /// Lines, those with nothing but zeros left out: `requests` a second, `errors`, and answers by class.
    pub lines: Vec<Line>,
}

/// One line of a picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// What it counts.
    pub of: &'static str,
    /// So many a second.
    pub values: Vec<Option<f64>>,
}

/// Every injection that is kept, as it is told.
pub(super) fn told(history: &History, judgement: &Judgement) -> Vec<Fault> {
    let injections = history.injections().iter();
    let pairs = injections.zip(&judgement.faults);
    pairs
        .map(|(injection, outcome)| fault(injection, outcome))
        .collect()
}

fn fault(injection: &Injection, outcome: &FaultOutcome) -> Fault {
    let measured = &outcome.measured;
    let cost = measured.cost;
    let breaches = measured.breaches.iter();
    Fault {
        number: injection.number,
        name: outcome.name.clone(),
        service: outcome.service.clone(),
        at_s: seconds(injection.injecting),
        cleared_s: injection.cleared.map(seconds),
        by: injection.by.clone(),
        forced: injection.forced,
        state: injection.state,
        said: injection.text.clone(),
        done: outcome.done,
        outstanding: outcome.outstanding,
        effective: outcome.effective,
        effect: injection.effect.clone(),
        gauges: Gauges::of(&measured.gauges),
        objective: measured.bounds.objective.text.clone(),
        impact: Measure::of(measured.impact),
        detection: Measure::of(measured.detection.took),
        detected_by: measured.detection.alert.clone(),
        mitigation: Measure::of(measured.mitigation),
        recovery: Measure::of(measured.recovery.took),
        recover_within_s: outcome.budget_us.map(seconds),
        breaches_s: breaches
            .map(|breach| (seconds(breach.from), seconds(breach.to)))
            .collect(),
        failed: cost.failed,
        slow: cost.slow,
        user_seconds: cost.user_seconds.map(|spent| round(spent, 3)),
        limit_ms: measured
            .bounds
            .objective
            .limit_us
            .map(|limit| ms(limit as f64)),
        before: Traffic::of(&cost.before),
        during: Traffic::of(&cost.during),
        after: Traffic::of(&cost.after),
        losses: outcome.losses.iter().map(Writes::of).collect(),
        picture: Picture::of(injection, measured),
    }
}

impl Gauges {
    fn of(gauged: &Gauged) -> Self {
        let told = gauged.strongest(TOLD).into_iter();
        let moved = told.map(|it| Moved {
            gauge: it.gauge.clone(),
            series: it.series.clone(),
            before: figures(it.before),
            then: it.then.map(figures),
        });
        Self {
            looked_at: gauged.looked_at,
            left_out: gauged.left_out,
            moved: gauged.moved.len(),
            strongest: moved.collect(),
            text: gauged.text(SAID),
        }
    }
}

/// To six significant figures: no more of a gauge is kept.
fn figures(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

impl Measure {
    fn of(measured: Measured) -> Self {
        let took = measured.took();
        let known = match measured {
            Measured::Took(_) | Measured::Never(_) => true,
            Measured::Seems { .. } | Measured::Waiting(_) | Measured::Unknown(_) => false,
        };
        Self {
            least_s: took.map(|took| seconds(took.least)),
            most_s: took.map(|took| seconds(took.most)),
            known,
            text: measured.to_string(),
        }
    }
}

impl Writes {
    fn of(losses: &Losses) -> Self {
        Self {
            ledger: losses.ledger.clone(),
            lost: losses.lost,
            duplicated: losses.duplicated,
            rpo_least_s: losses.point.map(|point| seconds(point.least)),
            rpo_most_s: losses.point.map(|point| seconds(point.most)),
            partial: losses.partial,
            text: losses.words().join(" · "),
        }
    }
}

impl Traffic {
    fn of(stretch: &Stretch) -> Self {
        let shown = |micros: Option<u64>| micros.map(|micros| ms(micros as f64));
        Self {
            rate: stretch.rate().map(|rate| round(rate, 3)),
            errors: stretch.errors().map(|errors| round(errors, 6)),
            p50_ms: shown(stretch.p50_us),
            p99_ms: shown(stretch.p99_us),
        }
    }
}

impl Picture {
    fn of(injection: &Injection, measured: &Assessment) -> Self {
        let back = measured.recovery.since;
        let (from, until) = injection.shown(back);
        let columns = injection.picture.columns(from, until, COLUMNS);
        let count = columns.len();
        let length = (until - from) as f64 / count as f64;
        let place = |at: u64| ((at.saturating_sub(from) as f64 / length) as usize).min(count - 1);
        let moments = [
            ("in", Some(injection.injecting)),
            ("out", injection.cleared),
            ("back", back),
        ];
        let mark = |(name, at): (&'static str, Option<u64>)| Some((name, place(at?)));
        let line = |of, pick: &dyn Fn(&crate::history::injections::Cell) -> u64| {
            let value = |cell: &crate::history::injections::Cell| round(cell.rate(pick(cell)), 3);
            let values = columns.iter().map(|cell| cell.as_ref().map(value));
            Line {
                of,
                values: values.collect(),
            }
        };
        let mut lines = vec![
            line("requests", &|cell| cell.requests),
            line("errors", &|cell| cell.failed()),
        ];
        for (class, of) in ["other", "1xx", "2xx", "3xx", "4xx", "5xx"]
            .into_iter()
            .enumerate()
        {
            let line = line(of, &|cell| cell.classes[class]);
            if line.values.iter().flatten().any(|&value| value > 0.0) {
                lines.push(line);
            }
        }
        Self {
            from_s: seconds(from),
            column_s: round(length / 1e6, 3),
            marks: moments.into_iter().filter_map(mark).collect(),
            lines,
        }
    }
}
