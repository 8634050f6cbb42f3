//! One stretch of the window: a tick, or several rolled into one.
//!
//! In: ticks, or finer buckets in ascending order. Out: [`Bucket`]. The invariant: rolling up loses time resolution
//! and nothing else, except that from a minute up distributions are kept to 2 significant figures. Counts add,
//! distributions merge as histograms, levels keep their largest and their last value.

use std::collections::BTreeMap;

use super::merge::{self, Figures, merge};
use super::packed::Packed;
use super::select::Selection;
use super::series::SeriesRanges;
use super::totals::Totals;
use crate::session::fold::add_counts;
use crate::session::record::{
    Bottleneck, ErrorKind, GeneratorTick, ScenarioState, ScenarioTick, StepTick,
};

/// Answers by class: `[other, 1xx, 2xx, 3xx, 4xx, 5xx]`.
pub type Classes = [u64; 6];

/// The class of a status code, an index into [`Classes`].
pub fn class_of(status: u16) -> usize {
    match status / 100 {
        class @ 1..=5 => usize::from(class),
        _ => 0,
    }
}

/// What happened between two moments.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bucket {
    /// First tick in it.
    pub from: u64,
    /// Last tick in it.
    pub to: u64,
    /// Ticks in it. Fewer than `to - from + 1` when some are missing from the recording.
    pub ticks: u64,
    /// Time that these ticks cover, µs.
    pub micros: u64,
    /// End of its last tick, µs since the window began.
    pub at: u64,
    /// Wall clock at that moment, µs since the Unix epoch.
    pub wall: u64,
    /// Phase at that moment.
    pub phase: Option<usize>,
    /// Load factor at that moment.
    pub load: f64,
    /// Scenarios by index.
    pub scenarios: Vec<Flow>,
    /// Steps that finished a request, in ascending order of their index.
    pub steps: Vec<StepBucket>,
    /// The generator.
    pub generator: GeneratorBucket,
    /// Series that changed. One that is absent kept its value.
    pub series: SeriesRanges,
}

/// One step in a bucket.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StepBucket {
    /// Index into the names of steps.
    pub step: usize,
    /// Requests finished, failed ones included.
    pub requests: u64,
    /// Failed requests by kind.
    pub errors: BTreeMap<ErrorKind, u64>,
    /// Answers by class of their status.
    pub classes: Classes,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Response times, µs.
    pub response: Packed,
    /// Service times, µs; `None` when equal to `response`.
    pub service: Option<Packed>,
}

/// One scenario in a bucket, or over a phase.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Flow {
    /// Its state at the end.
    pub state: ScenarioState,
    /// Arrivals a second, or users, asked for at the end.
    pub asked: f64,
    /// Journeys that became due.
    pub due: u64,
    /// Journeys begun.
    pub begun: u64,
    /// Journeys finished.
    pub finished: u64,
    /// Arrivals dropped.
    pub dropped: u64,
    /// Journeys in flight at the end.
    pub in_flight: u64,
    /// Most journeys in flight at the end of any tick.
    pub in_flight_max: u64,
    /// Users alive at the end.
    pub users: u64,
    /// Open connections at the end.
    pub connections: u64,
    /// Whether an operator's setting overrode the schedule at the end.
    pub by_hand: bool,
}

/// The generator in a bucket.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GeneratorBucket {
    /// Send-time error, µs.
    pub late: Packed,
    /// Largest values of any tick.
    pub peak: GeneratorPeak,
    /// Arrivals due.
    pub due: u64,
    /// Arrivals taken up.
    pub begun: u64,
    /// Ticks in which the generator was the bottleneck.
    pub bottleneck_ticks: u64,
    /// Ticks by cause; a tick may have several.
    pub causes: BTreeMap<Bottleneck, u64>,
}

/// The largest values that the generator reached in any tick.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct GeneratorPeak {
    /// Event loop lag, µs.
    pub lag_us: u64,
    /// CPU of the process, in cores.
    pub cpu: f64,
    /// CPU of the busiest worker, in cores.
    pub worker_cpu: f64,
    /// Resident memory, bytes.
    pub rss: u64,
    /// Open files.
    pub files: u64,
    /// Limit on open files.
    pub files_max: u64,
}

/// What a series did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Smallest value; NaN when there was no number.
    pub min: f64,
    /// Largest value; NaN when there was no number.
    pub max: f64,
    /// Value at the end; `None` when it had none then.
    pub last: Option<f64>,
}

impl Range {
    /// The range of one value.
    pub fn of(value: Option<f64>) -> Self {
        let number = value.unwrap_or(f64::NAN);
        Self {
            min: number,
            max: number,
            last: value,
        }
    }

    /// This, then `later`.
    #[must_use]
    pub fn then(self, later: Self) -> Self {
        Self {
            min: self.min.min(later.min),
            max: self.max.max(later.max),
            last: later.last,
        }
    }
}

impl Flow {
    /// Adds a later stretch.
    pub fn add(&mut self, later: &Self) {
        *self = Self {
            due: self.due.saturating_add(later.due),
            begun: self.begun.saturating_add(later.begun),
            finished: self.finished.saturating_add(later.finished),
            dropped: self.dropped.saturating_add(later.dropped),
            in_flight_max: self.in_flight_max.max(later.in_flight_max),
            ..*later
        };
    }
}

impl From<&ScenarioTick> for Flow {
    fn from(tick: &ScenarioTick) -> Self {
        Self {
            state: tick.state,
            asked: tick.asked,
            due: tick.due,
            begun: tick.begun,
            finished: tick.finished,
            dropped: tick.dropped,
            in_flight: tick.in_flight,
            in_flight_max: tick.in_flight,
            users: tick.users,
            connections: tick.connections,
            by_hand: tick.by_hand,
        }
    }
}

impl From<&StepTick> for StepBucket {
    fn from(tick: &StepTick) -> Self {
        let mut classes = Classes::default();
        for (&status, &count) in &tick.status {
            let class = &mut classes[class_of(status)];
            *class = class.saturating_add(count);
        }
        Self {
            step: tick.step,
            requests: tick.requests,
            errors: tick.errors.clone(),
            classes,
            bytes_in: tick.bytes_in,
            bytes_out: tick.bytes_out,
            response: Packed::from(&tick.response),
            service: tick.service.as_ref().map(Packed::from),
        }
    }
}

impl StepBucket {
    /// Failed requests.
    pub fn failed(&self) -> u64 {
        self.errors.values().fold(0, |a, &b| a.saturating_add(b))
    }

    /// Service times; the response times where the two are the same.
    pub fn service(&self) -> &Packed {
        self.service.as_ref().unwrap_or(&self.response)
    }
}

impl GeneratorPeak {
    /// The larger of each.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            lag_us: self.lag_us.max(other.lag_us),
            cpu: self.cpu.max(other.cpu),
            worker_cpu: self.worker_cpu.max(other.worker_cpu),
            rss: self.rss.max(other.rss),
            files: self.files.max(other.files),
            files_max: self.files_max.max(other.files_max),
        }
    }
}

impl From<&GeneratorTick> for GeneratorPeak {
    fn from(tick: &GeneratorTick) -> Self {
        Self {
            lag_us: tick.lag_us,
            cpu: tick.cpu,
            worker_cpu: tick.worker_cpu,
            rss: tick.rss,
            files: tick.files,
            files_max: tick.files_max,
        }
    }
}

impl From<&GeneratorTick> for GeneratorBucket {
    fn from(tick: &GeneratorTick) -> Self {
        Self {
            late: Packed::from(&tick.late),
            peak: tick.into(),
            due: tick.due,
            begun: tick.begun,
            bottleneck_ticks: u64::from(!tick.bottleneck.is_empty()),
            causes: tick.bottleneck.iter().map(|&cause| (cause, 1)).collect(),
        }
    }
}

impl Bucket {
    /// Ticks between `from` and `to` that are missing from the recording.
    pub fn missing(&self) -> u64 {
        (self.to - self.from).saturating_add(1) - self.ticks
    }

    /// The sum over what `selection` names, without status codes, which a bucket does not keep.
    pub fn totals(&self, selection: &Selection) -> Totals {
        let mut totals = Totals::default();
        totals.add_bucket(self, selection);
        totals
    }

    /// Rolls buckets into one; `None` when there are none. They must ascend. `carry` gives what each series was
    /// before the first of them, since a bucket names only the series that changed in it.
    pub fn roll_up(parts: &[&Self], carry: &[Option<f64>], figures: Figures) -> Option<Self> {
        let (first, last) = (parts.first()?, parts.last()?);
        let mut scenarios: Vec<Flow> = Vec::with_capacity(last.scenarios.len());
        for part in parts {
            for (index, flow) in part.scenarios.iter().enumerate() {
                match scenarios.get_mut(index) {
                    Some(sum) => sum.add(flow),
                    None => scenarios.push(flow.clone()),
                }
            }
        }
        Some(Self {
            from: first.from,
            to: last.to,
            ticks: parts.iter().map(|part| part.ticks).sum(),
            micros: parts
                .iter()
                .fold(0, |sum, part| sum.saturating_add(part.micros)),
            at: last.at,
            wall: last.wall,
            phase: last.phase,
            load: last.load,
            scenarios,
            steps: roll_up_steps(parts, figures),
            generator: roll_up_generator(parts, figures),
            series: merge::series(parts.iter().map(|part| &part.series), carry),
        })
    }
}

fn roll_up_steps(parts: &[&Bucket], figures: Figures) -> Vec<StepBucket> {
    let mut by_step: BTreeMap<usize, Vec<&StepBucket>> = BTreeMap::new();
    for step in parts.iter().flat_map(|part| &part.steps) {
        by_step.entry(step.step).or_default().push(step);
    }
    by_step
        .into_iter()
        .map(|(step, parts)| {
            let mut sum = StepBucket {
                step,
                ..StepBucket::default()
            };
            for part in &parts {
                sum.requests = sum.requests.saturating_add(part.requests);
                sum.bytes_in = sum.bytes_in.saturating_add(part.bytes_in);
                sum.bytes_out = sum.bytes_out.saturating_add(part.bytes_out);
                add_counts(&mut sum.errors, &part.errors);
                for (class, count) in sum.classes.iter_mut().zip(part.classes) {
                    *class = class.saturating_add(count);
                }
            }
            sum.response = merge(parts.iter().map(|part| &part.response), figures);
            if parts.iter().any(|part| part.service.is_some()) {
                sum.service = Some(merge(parts.iter().map(|part| part.service()), figures));
            }
            sum
        })
        .collect()
}

fn roll_up_generator(parts: &[&Bucket], figures: Figures) -> GeneratorBucket {
    let mut sum = GeneratorBucket {
        late: merge(parts.iter().map(|part| &part.generator.late), figures),
        ..GeneratorBucket::default()
    };
    for part in parts.iter().map(|part| &part.generator) {
        sum.peak = sum.peak.or(part.peak);
        sum.due = sum.due.saturating_add(part.due);
        sum.begun = sum.begun.saturating_add(part.begun);
        sum.bottleneck_ticks += part.bottleneck_ticks;
        add_counts(&mut sum.causes, &part.causes);
    }
    sum
}
