//! Summing up a frame while it is written.
//!
//! The records of a frame go in as they are written; what its trailer says comes out. The invariant: counts are exact,
//! whatever the records are.

use std::collections::BTreeMap;

use super::coarse::Coarse;
use super::record::{
    ErrorKind, Event, Exemplar, Gap, GeneratorTick, Happening, Record, ScenarioTick, StepTick, Tick,
};
use super::trailer::{Aggregates, Course, GeneratorSum, ScenarioSum, StepSum};

/// Events that a trailer keeps; the frame has them all.
const MAX_EVENTS: usize = 200;
/// Characters of an event's text that a trailer keeps.
const MAX_TEXT: usize = 120;
/// Slowest requests that a trailer keeps.
const MAX_SLOW: usize = 5;
/// Samples that a trailer keeps.
const MAX_SAMPLES: usize = 20;

/// Sums up a frame while it is written.
#[derive(Debug, Default)]
pub(super) struct Folder {
    sums: Aggregates,
    steps: BTreeMap<usize, StepFold>,
    series: Vec<Option<(f64, f64, f64)>>,
    late: Coarse,
    /// The tick before the next one and its end, when that was recorded: also the last one of the frame before.
    pub before: Option<(u64, u64)>,
    /// Last tick seen or stated as missing in this frame.
    passed: u64,
    /// First tick; 0 when there is none.
    pub first: u64,
    /// Last tick; 0 when there is none.
    pub last: u64,
    /// `at` of the last record that has one.
    pub to: u64,
}

/// Sums up a step.
#[derive(Debug, Default)]
struct StepFold {
    requests: u64,
    errors: BTreeMap<ErrorKind, u64>,
    status: BTreeMap<u16, u64>,
    bytes_in: u64,
    bytes_out: u64,
    response: Coarse,
    /// `None` as long as it is equal to `response`.
    service: Option<Coarse>,
}

impl StepFold {
    fn add(&mut self, step: &StepTick) {
        self.requests = self.requests.saturating_add(step.requests);
        self.bytes_in = self.bytes_in.saturating_add(step.bytes_in);
        self.bytes_out = self.bytes_out.saturating_add(step.bytes_out);
        add_counts(&mut self.errors, &step.errors);
        add_counts(&mut self.status, &step.status);
        if step.service.is_some() && self.service.is_none() {
            self.service = Some(self.response.clone());
        }
        if let Some(service) = &mut self.service {
            service.add(step.service());
        }
        self.response.add(&step.response);
    }

    fn sum(&self, step: usize) -> StepSum {
        StepSum {
            step,
            requests: self.requests,
            errors: self.errors.clone(),
            status: self.status.clone(),
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            response: self.response.hist(),
            service: self.service.as_ref().map(Coarse::hist),
        }
    }
}

impl Folder {
    /// Adds a record of the frame.
    pub fn add(&mut self, record: &Record) {
        match record {
            Record::Key(key) => {
                self.to = self.to.max(key.at);
                for (index, value) in key.series.iter().enumerate() {
                    self.value(index, value.map(|number| number.0));
                }
            }
            Record::Tick(tick) => self.tick(tick),
            Record::Event(event) => {
                self.to = self.to.max(event.at);
                if self.sums.events.len() < MAX_EVENTS {
                    self.sums.events.push(brief(event));
                }
            }
            Record::Gap(gap) => {
                self.passed = self.passed.max(gap.to);
                self.sums.gaps.push(gap.clone());
            }
            Record::Sample(sample) => {
                if self.sums.samples.len() < MAX_SAMPLES {
                    self.sums.samples.push(sample.clone());
                }
            }
            Record::End(end) => self.to = self.to.max(end.at),
            Record::Window(_) | Record::Unknown => {}
        }
    }

    /// Whether it holds ticks of another phase.
    pub fn is_of_another(&self, phase: Option<usize>) -> bool {
        self.sums.course.is_some_and(|course| course.phase != phase)
    }

    fn course(&mut self, tick: &Tick) {
        let before = match self.before {
            Some((n, at)) if n + 1 == tick.n => Some(at),
            None if tick.n == 1 => Some(0),
            _ => None,
        };
        let length = before
            .and_then(|at| tick.at.checked_sub(at))
            .filter(|&length| length > 0);
        self.before = Some((tick.n, tick.at));
        let course = self.sums.course.get_or_insert_with(|| Course {
            first: tick.n,
            load_max: tick.load,
            ..Course::default()
        });
        *course = Course {
            first: course.first,
            last: tick.n,
            at: tick.at,
            wall: tick.wall,
            phase: tick.phase,
            load: tick.load,
            load_max: course.load_max.max(tick.load),
            micros: course.micros.saturating_add(length.unwrap_or(0)),
            loose: course.loose + u64::from(length.is_none()),
        };
    }

    fn generator(&mut self, tick: &GeneratorTick) {
        self.late.add(&tick.late);
        let sum = self.sums.generator.get_or_insert_default();
        sum.lag_us = sum.lag_us.max(tick.lag_us);
        sum.cpu = sum.cpu.max(tick.cpu);
        sum.worker_cpu = sum.worker_cpu.max(tick.worker_cpu);
        sum.rss = sum.rss.max(tick.rss);
        sum.files = sum.files.max(tick.files);
        sum.files_max = sum.files_max.max(tick.files_max);
        sum.cpu_sum += tick.cpu;
        sum.recorder_sum += tick.recorder_cpu;
        sum.due = sum.due.saturating_add(tick.due);
        sum.begun = sum.begun.saturating_add(tick.begun);
        sum.bottleneck_ticks += u64::from(!tick.bottleneck.is_empty());
        for &cause in &tick.bottleneck {
            *sum.causes.entry(cause).or_default() += 1;
        }
    }

    fn slow(&mut self, exemplar: &Exemplar) {
        let kept = &mut self.sums.slow;
        let place = kept.partition_point(|slow| slow.response >= exemplar.response);
        if place < MAX_SLOW {
            kept.insert(place, exemplar.clone());
            kept.truncate(MAX_SLOW);
        }
    }

    fn tick(&mut self, tick: &Tick) {
        if self.first == 0 {
            self.first = tick.n;
        } else if self.passed + 1 < tick.n {
            self.sums.gaps.push(Gap {
                from: self.passed + 1,
                to: tick.n - 1,
                why: "not in the recording".to_owned(),
            });
        }
        self.passed = tick.n;
        self.last = tick.n;
        self.course(tick);
        self.generator(&tick.generator);
        tick.slow.iter().for_each(|exemplar| self.slow(exemplar));
        self.to = self.to.max(tick.at);
        self.sums.ticks += 1;
        if self.sums.scenarios.len() < tick.scenarios.len() {
            self.sums
                .scenarios
                .resize_with(tick.scenarios.len(), ScenarioSum::default);
        }
        for (sum, scenario) in self.sums.scenarios.iter_mut().zip(&tick.scenarios) {
            sum.add(scenario);
        }
        for step in &tick.steps {
            self.steps.entry(step.step).or_default().add(step);
        }
        for (index, value) in tick.changes() {
            self.value(index, value.map(|number| number.0));
        }
    }

    fn value(&mut self, index: usize, value: Option<f64>) {
        let Some(value) = value.filter(|value| !value.is_nan()) else {
            return;
        };
        if self.series.len() <= index {
            self.series.resize(index + 1, None);
        }
        let sum = self.series[index].get_or_insert((value, value, value));
        *sum = (sum.0.min(value), sum.1.max(value), value);
    }

    /// The sums so far, of a frame with this hash.
    pub fn sums(&self, hash: String) -> Aggregates {
        // JSON has no infinities; a series that reached one is left to the frame itself.
        let finite =
            |&(_, min, max, _): &(usize, f64, f64, f64)| min.is_finite() && max.is_finite();
        let series = self.series.iter().enumerate();
        Aggregates {
            hash,
            steps: self
                .steps
                .iter()
                .map(|(&step, fold)| fold.sum(step))
                .collect(),
            series: series
                .filter_map(|(index, sum)| sum.map(|(min, max, last)| (index, min, max, last)))
                .filter(finite)
                .collect(),
            generator: self.sums.generator.clone().map(|sum| GeneratorSum {
                late: self.late.hist(),
                ..sum
            }),
            ..self.sums.clone()
        }
    }
}

/// The event with long texts cut.
fn brief(event: &Event) -> Event {
    let mut event = event.clone();
    match &mut event.what {
        Happening::Mark { text }
        | Happening::Warning { text }
        | Happening::Fault { text, .. }
        | Happening::SignOff { text, .. }
        | Happening::Output { text, .. }
        | Happening::Target { text, .. }
        | Happening::Stop { text, .. } => {
            if let Some((place, _)) = text.char_indices().nth(MAX_TEXT) {
                text.truncate(place);
                text.push('…');
            }
        }
        Happening::Phase { .. }
        | Happening::Scenario { .. }
        | Happening::Load { .. }
        | Happening::Extend { .. }
        | Happening::Hold { .. }
        | Happening::Gate { .. }
        | Happening::Generator { .. }
        | Happening::Undo { .. }
        | Happening::Effect(_)
        | Happening::Ledger(_)
        | Happening::Alert(_)
        | Happening::Gauge(_)
        | Happening::Unknown => {}
    }
    event
}

impl ScenarioSum {
    fn add(&mut self, tick: &ScenarioTick) {
        *self = Self {
            due: self.due.saturating_add(tick.due),
            begun: self.begun.saturating_add(tick.begun),
            finished: self.finished.saturating_add(tick.finished),
            dropped: self.dropped.saturating_add(tick.dropped),
            state: tick.state,
            asked: tick.asked,
            in_flight: tick.in_flight,
            in_flight_max: self.in_flight_max.max(tick.in_flight),
            users: tick.users,
            connections: tick.connections,
            by_hand: tick.by_hand,
        };
    }
}

/// Adds counts by key.
pub(crate) fn add_counts<K: Ord + Copy>(sum: &mut BTreeMap<K, u64>, counts: &BTreeMap<K, u64>) {
    for (&key, &count) in counts {
        let slot = sum.entry(key).or_default();
        *slot = slot.saturating_add(count);
    }
}
