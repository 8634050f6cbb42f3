//! The fold of records: everything that a screen, a gate or a report wants to know of a window.
//!
//! ```text
//!             ┌─▶ levels   the window at four resolutions, with its gaps       ─▶ charts, heat map, live gates
//!   Record ───┼─▶ exact    sums by step, scenario and phase                    ─▶ gates, summary, comparison
//!             └─▶ log      events, samples, slowest requests, names, the end   ─▶ timeline, report
//! ```
//!
//! In: the records of one session, in the order of the file. Out: answers to questions. No I/O and no clock: the same
//! records give the same answers, whether they are a second or a year old. The invariant: memory does not grow with
//! the length of the window; steps, scenarios, phases and series are what it depends on.
//!
//! Odd input is survived: a tick out of order, or an index without a name, is left out and counted in
//! [`History::ignored`].

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use crate::session::record::{
    Alert, AlertState, End, EndReason, ErrorKind, Event, Exemplar, Gap, Happening, Key, Names,
    Record, Sample, Tick, Window,
};

pub mod bucket;
pub mod injections;
mod levels;
mod merge;
pub mod packed;
mod query;
pub mod schedule;
pub mod select;
pub mod series;
pub mod stretch;
#[cfg(test)]
mod stretch_tests;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod totals;

pub use bucket::{Bucket, Flow, GeneratorBucket, Range, StepBucket};
pub use injections::Injection;
pub use levels::{Depth, LONGEST, MINUTES, MINUTES_JOINED, Slot, TENS, full_ticks};
pub use merge::Figures;
pub use packed::Packed;
pub use schedule::Schedule;
pub use select::Selection;
pub use series::SeriesRanges;
pub use stretch::Stretch;
pub use totals::{GeneratorTotals, PhaseTotals, Totals};

use injections::{Around, Injections};
use levels::Levels;
use totals::Exact;

/// Events that are kept; older ones are only counted.
pub const EVENTS: usize = 10_000;
/// Slowest requests that are kept.
pub const SLOWEST: usize = 20;
/// Gaps that are kept one by one; all are counted.
pub const GAPS: usize = 1_000;
/// Alerts that are kept at a time.
pub const ALERTS: usize = 1_000;
/// The length of a tick when no window record says otherwise, µs.
const TICK_US: u64 = 1_000_000;

/// What the records say so far.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    window: Option<Box<Window>>,
    names: Names,
    levels: Option<Levels>,
    rollups: bool,
    exact: Exact,
    log: Log,
    injections: Injections,
    /// The next tick that can come; everything before it has been seen or is missing.
    next: u64,
    last: Option<Moment>,
    missing: u64,
    /// Missing ticks since the last one seen, for the phase that comes after them.
    missing_since: u64,
    series: Vec<Option<f64>>,
    /// Series that a key gave another value than the ticks before it.
    changed: BTreeMap<usize, Option<f64>>,
    ignored: u64,
}

/// The end of a tick.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Moment {
    /// The tick's number.
    pub tick: u64,
    /// µs since the window began.
    pub at: u64,
    /// Wall clock, µs since the Unix epoch.
    pub wall: u64,
    /// The phase.
    pub phase: Option<usize>,
    /// The load factor.
    pub load: f64,
}

/// When and why the window was over, but for what was in flight.
#[derive(Debug, Clone, PartialEq)]
struct Stop {
    at: u64,
    reason: EndReason,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Default)]
struct Log {
    events: VecDeque<Event>,
    events_seen: u64,
    samples: BTreeMap<(usize, ErrorKind), Sample>,
    slowest: Vec<Exemplar>,
    gaps: VecDeque<Gap>,
    phases_begun: BTreeMap<usize, u64>,
    stop: Option<Stop>,
    end: Option<End>,
    alerts: BTreeMap<AlertId, StandingAlert>,
}

/// Which alert it is: its source, its name, its labels.
type AlertId = (String, String, String);

/// An alert that is not resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct StandingAlert {
    /// As its source told it last.
    pub alert: Alert,
    /// When that was seen, µs since the window began.
    pub at: u64,
    /// When it was first seen since it was last resolved, µs since the window began.
    pub from: u64,
}

impl Default for History {
    fn default() -> Self {
        Self::new()
    }
}

impl History {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self {
            window: None,
            names: Names::default(),
            levels: None,
            rollups: true,
            exact: Exact::default(),
            log: Log::default(),
            injections: Injections::default(),
            next: 1,
            last: None,
            missing: 0,
            missing_since: 0,
            series: Vec::new(),
            changed: BTreeMap::new(),
            ignored: 0,
        }
    }

    /// Of nothing yet, and without charts: keeps the last 15 minutes and the exact totals, which is all that gates and
    /// the summary need.
    pub fn without_rollups() -> Self {
        Self {
            rollups: false,
            ..Self::new()
        }
    }

    /// Of a whole recording.
    ///
    /// # Errors
    /// The first that the records come with.
    pub fn of_records<E>(records: impl IntoIterator<Item = Result<Record, E>>) -> Result<Self, E> {
        let mut history = Self::without_rollups();
        for record in records {
            history.apply(&record?);
        }
        Ok(history)
    }

    /// Takes the next record in. Never fails; what makes no sense is left out and counted.
    pub fn apply(&mut self, record: &Record) {
        match record {
            Record::Key(key) => self.apply_key(key),
            Record::Window(window) => self.window = Some(window.clone()),
            Record::Tick(tick) => self.apply_tick(tick),
            Record::Event(event) => self.apply_event(event),
            Record::Sample(sample) => self.apply_sample(sample),
            Record::Gap(gap) => self.apply_gap(gap),
            Record::End(end) => self.log.end = Some(end.clone()),
            Record::Unknown => {}
        }
    }

    fn apply_sample(&mut self, sample: &Sample) {
        if sample.step < self.names.steps.len() {
            let first = self.log.samples.entry((sample.step, sample.kind));
            first.or_insert_with(|| sample.clone());
        } else {
            self.ignored += 1;
        }
    }

    fn apply_key(&mut self, key: &Key) {
        let (old, new) = (&mut self.names, &key.names);
        extend(&mut old.scenarios, &new.scenarios);
        extend(&mut old.steps, &new.steps);
        extend(&mut old.phases, &new.phases);
        extend(&mut old.series, &new.series);
        extend(&mut old.scraped, &new.scraped);
        extend(&mut old.instances, &new.instances);
        self.series.resize(self.names.series.len(), None);
        for (index, value) in key.series.iter().enumerate() {
            self.set_series(index, value.map(|number| number.0));
        }
    }

    fn set_series(&mut self, index: usize, value: Option<f64>) {
        match self.series.get_mut(index) {
            None => self.ignored += 1,
            Some(now) if same(*now, value) => {}
            Some(now) => {
                *now = value;
                self.changed.insert(index, value);
            }
        }
    }

    fn apply_tick(&mut self, tick: &Tick) {
        if tick.n < self.next || tick.n == u64::MAX {
            self.ignored += 1;
            return;
        }
        if tick.n > self.next {
            self.lose(self.next, tick.n - 1, "not in the recording");
        }
        let tick = self.known(tick);
        self.lost_before(tick.phase);
        let micros = self.length_of(&tick);
        let drained = self.drained_in(&tick, micros);
        self.exact.add(&tick, tick.phase, micros, drained);
        for exemplar in &tick.slow {
            self.log.keep_slow(exemplar);
        }
        for (index, value) in tick.changes() {
            self.set_series(index, value.map(|number| number.0));
        }
        let bucket = Bucket {
            from: tick.n,
            to: tick.n,
            ticks: 1,
            micros,
            at: tick.at,
            wall: tick.wall,
            phase: tick.phase,
            load: tick.load,
            scenarios: tick.scenarios.iter().map(Flow::from).collect(),
            steps: tick.steps.iter().map(StepBucket::from).collect(),
            generator: (&tick.generator).into(),
            series: std::mem::take(&mut self.changed)
                .into_iter()
                .map(|(index, value)| (index, Range::of(value)))
                .collect(),
        };
        self.next = tick.n + 1;
        self.last = Some(Moment {
            tick: tick.n,
            at: tick.at,
            wall: tick.wall,
            phase: tick.phase,
            load: tick.load,
        });
        let (tick_us, rollups) = (self.tick_us(), self.rollups);
        self.injections.tick(&bucket, tick_us, &self.series);
        self.levels
            .get_or_insert_with(|| Levels::new(tick_us, rollups))
            .push(bucket);
    }

    /// The tick without what refers to names that no key gave, its steps in ascending order.
    fn known<'a>(&mut self, tick: &'a Tick) -> Cow<'a, Tick> {
        let names = &self.names;
        let steps = names.steps.len();
        let as_it_is = tick.steps.iter().all(|step| step.step < steps)
            && tick.steps.is_sorted_by_key(|step| step.step)
            && tick.slow.iter().all(|slow| slow.step < steps)
            && tick.scenarios.len() <= names.scenarios.len()
            && tick.phase.is_none_or(|phase| phase < names.phases.len());
        if as_it_is {
            return Cow::Borrowed(tick);
        }
        let mut tick = tick.clone();
        let before = tick.steps.len() + tick.scenarios.len() + tick.slow.len();
        tick.steps.retain(|step| step.step < steps);
        tick.steps.sort_by_key(|step| step.step);
        tick.slow.retain(|slow| slow.step < steps);
        tick.scenarios.truncate(names.scenarios.len());
        let after = tick.steps.len() + tick.scenarios.len() + tick.slow.len();
        self.ignored += (before - after) as u64;
        if tick.phase.is_some_and(|phase| phase >= names.phases.len()) {
            tick.phase = None;
            self.ignored += 1;
        }
        Cow::Owned(tick)
    }

    /// Time that a tick covers, µs: since the tick before it, or the planned length when that one is missing.
    fn length_of(&self, tick: &Tick) -> u64 {
        let start = match self.last {
            Some(before) if before.tick + 1 == tick.n => Some(before.at),
            None if tick.n == 1 => Some(0),
            _ => None,
        };
        start
            .and_then(|start| tick.at.checked_sub(start))
            .filter(|&length| length > 0)
            .unwrap_or_else(|| self.tick_us())
    }

    /// The part of a tick, µs, in which the window was over already. The event that says so comes before the tick.
    fn drained_in(&self, tick: &Tick, micros: u64) -> u64 {
        let over = self.log.stop.as_ref().map_or(u64::MAX, |stop| stop.at);
        tick.at.saturating_sub(over).min(micros)
    }

    fn apply_event(&mut self, event: &Event) {
        self.apply_to_injections(event);
        match &event.what {
            Happening::Phase { phase } if *phase >= self.names.phases.len() => {
                self.ignored += 1;
                return;
            }
            Happening::Phase { phase } => {
                self.log.phases_begun.entry(*phase).or_insert(event.at);
            }
            Happening::Stop { reason, text } => {
                self.log.stop.get_or_insert_with(|| Stop {
                    at: event.at,
                    reason: *reason,
                    text: text.clone(),
                });
            }
            Happening::Alert(alert) => self.log.keep_alert(alert, event),
            Happening::Gauge(gauge) => {
                let gauges = self.window.as_mut().map(|window| &mut window.gauges);
                if let Some(gauges) = gauges
                    && !gauges.iter().any(|known| known.name == gauge.name)
                {
                    gauges.push((**gauge).clone());
                }
                // Gauges that come by themselves are not news.
                if event.by.is_none() {
                    return;
                }
            }
            Happening::Scenario { .. }
            | Happening::Load { .. }
            | Happening::Extend { .. }
            | Happening::Hold { .. }
            | Happening::Gate { .. }
            | Happening::Fault { .. }
            | Happening::Undo { .. }
            | Happening::Effect(_)
            | Happening::Output { .. }
            | Happening::Ledger(_)
            | Happening::Mark { .. }
            | Happening::SignOff { .. }
            | Happening::Generator { .. }
            | Happening::Target { .. }
            | Happening::Warning { .. }
            | Happening::Unknown => {}
        }
        self.log.events_seen += 1;
        if self.log.events.len() == EVENTS {
            self.log.events.pop_front();
        }
        self.log.events.push_back(event.clone());
    }

    /// Before the log, so that an alert that stands is one that stood before.
    fn apply_to_injections(&mut self, event: &Event) {
        let standing = self.log.alerts.values();
        let full = self.levels.as_ref().map(Levels::full);
        let around = Around {
            alerts: &mut standing.map(|standing| (&standing.alert, standing.at)),
            ticks: &mut full.into_iter().flatten().rev().map(|bucket| &**bucket),
            tick_us: self.window.as_ref().map_or(TICK_US, |it| it.tick_us).max(1),
            names: &self.names,
            series: &self.series,
        };
        self.injections.event(event, around);
    }

    fn apply_gap(&mut self, gap: &Gap) {
        if gap.to < gap.from || gap.to < self.next || gap.to == u64::MAX {
            self.ignored += 1;
            return;
        }
        if gap.from > self.next {
            self.lose(self.next, gap.from - 1, "not in the recording");
        }
        self.lose(self.next, gap.to, &gap.why);
    }

    /// Notes that ticks are missing, and goes on after them.
    fn lose(&mut self, from: u64, to: u64, why: &str) {
        let count = to - from + 1;
        self.next = to + 1;
        self.missing = self.missing.saturating_add(count);
        self.missing_since = self.missing_since.saturating_add(count);
        if let Some(before) = self.last {
            let phase = self.exact.phases.entry(before.phase).or_default();
            phase.missing = phase.missing.saturating_add(count);
        }
        self.log.keep_gap(Gap {
            from,
            to,
            why: why.to_owned(),
        });
    }

    /// Counts what is missing since the last tick to the phase that comes after it, too, if that is another.
    fn lost_before(&mut self, phase: Option<usize>) {
        let lost = std::mem::take(&mut self.missing_since);
        if lost > 0 && self.last.is_some_and(|before| before.phase != phase) {
            let after = self.exact.phases.entry(phase).or_default();
            after.missing = after.missing.saturating_add(lost);
        }
    }
}

impl Log {
    fn keep_alert(&mut self, alert: &Alert, event: &Event) {
        let id = (alert.from.clone(), alert.name.clone(), alert.labels.clone());
        if alert.state == AlertState::Resolved {
            self.alerts.remove(&id);
            return;
        }
        let from = self.alerts.get(&id).map(|standing| standing.from);
        if from.is_none() && self.alerts.len() == ALERTS {
            return;
        }
        let standing = StandingAlert {
            alert: alert.clone(),
            at: event.at,
            from: from.unwrap_or(event.at),
        };
        self.alerts.insert(id, standing);
    }

    fn keep_gap(&mut self, gap: Gap) {
        if self.gaps.len() == GAPS {
            self.gaps.pop_front();
        }
        self.gaps.push_back(gap);
    }

    fn keep_slow(&mut self, exemplar: &Exemplar) {
        let place = self
            .slowest
            .partition_point(|kept| kept.response >= exemplar.response);
        if place < SLOWEST {
            self.slowest.insert(place, exemplar.clone());
            self.slowest.truncate(SLOWEST);
        }
    }
}

/// Appends what `new` has beyond `old`: names are only ever appended.
fn extend<T: Clone>(old: &mut Vec<T>, new: &[T]) {
    if let Some(more) = new.get(old.len()..) {
        old.extend_from_slice(more);
    }
}

fn same(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.to_bits() == b.to_bits(),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}
