//! Exact sums over whole phases, for gates and summaries.
//!
//! In: every tick, once. Out: [`Totals`] of any selection of steps over any selection of phases. The invariant: they
//! do not pass through the rollups, so they are exact to the request, and their size depends on the number of steps
//! and phases, never on time.

use std::collections::BTreeMap;

use super::bucket::{Bucket, Classes, Flow, GeneratorPeak, StepBucket, class_of};
use super::packed::Packed;
use super::select::Selection;
use super::stretch::Stretch;
use crate::session::fold::add_counts;
use crate::session::hist::Hist;
use crate::session::record::{Bottleneck, ErrorKind, StepTick, Tick};

/// A sum over steps, scenarios and time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Totals {
    /// Ticks that it is a sum of.
    pub ticks: u64,
    /// Ticks of the same stretch that are missing from the recording.
    pub missing: u64,
    /// Time that the ticks cover, µs; of phases, without the drain after the last one.
    pub micros: u64,
    /// Ticks in which the generator was the bottleneck.
    pub bottleneck_ticks: u64,
    /// Those ticks by cause; a tick may have several.
    pub causes: BTreeMap<Bottleneck, u64>,
    /// Requests finished, failed ones included.
    pub requests: u64,
    /// Failed requests by kind.
    pub errors: BTreeMap<ErrorKind, u64>,
    /// Answers by class of their status.
    pub classes: Classes,
    /// Answers by status code; empty where the codes are not kept (anything but exact totals).
    pub status: BTreeMap<u16, u64>,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Response times, µs.
    pub response: Hist,
    /// Service times, µs.
    pub service: Hist,
    /// Journeys that became due in the scenarios concerned.
    pub due: u64,
    /// Journeys begun there.
    pub begun: u64,
    /// Journeys finished there.
    pub finished: u64,
    /// Arrivals dropped there.
    pub dropped: u64,
}

impl Totals {
    /// Failed requests.
    pub fn failed(&self) -> u64 {
        self.errors.values().fold(0, |a, &b| a.saturating_add(b))
    }

    /// Failed requests over all requests; `None` without a request.
    pub fn error_ratio(&self) -> Option<f64> {
        (self.requests > 0).then(|| self.failed() as f64 / self.requests as f64)
    }

    /// Seconds that the ticks cover.
    pub fn seconds(&self) -> f64 {
        self.micros as f64 / 1e6
    }

    /// Finished requests a second; `None` without time.
    pub fn rate(&self) -> Option<f64> {
        (self.micros > 0).then(|| self.requests as f64 / self.seconds())
    }

    /// The share of ticks in which the generator was the bottleneck; 0 without a tick.
    pub fn bottleneck_share(&self) -> f64 {
        self.bottleneck_ticks as f64 / self.ticks.max(1) as f64
    }

    /// The share of ticks that are missing from the recording.
    pub fn missing_share(&self) -> f64 {
        self.missing as f64 / self.ticks.saturating_add(self.missing).max(1) as f64
    }

    pub(super) fn add_bucket(&mut self, bucket: &Bucket, selection: &Selection) {
        let mut times = Times::default();
        self.add_counts_of(bucket, selection, &mut times);
        self.add_times(&times);
    }

    /// Adds a bucket but for its times, which go to `times`.
    pub(super) fn add_counts_of(
        &mut self,
        bucket: &Bucket,
        selection: &Selection,
        times: &mut Times,
    ) {
        self.ticks += bucket.ticks;
        self.micros = self.micros.saturating_add(bucket.micros);
        self.bottleneck_ticks += bucket.generator.bottleneck_ticks;
        add_counts(&mut self.causes, &bucket.generator.causes);
        for step in bucket.steps.iter().filter(|s| selection.has_step(s.step)) {
            self.requests = self.requests.saturating_add(step.requests);
            add_counts(&mut self.errors, &step.errors);
            for (class, count) in self.classes.iter_mut().zip(step.classes) {
                *class = class.saturating_add(count);
            }
            self.bytes_in = self.bytes_in.saturating_add(step.bytes_in);
            self.bytes_out = self.bytes_out.saturating_add(step.bytes_out);
            times.response.add_packed(&step.response);
            times.service.add_packed(step.service());
        }
        for (index, flow) in bucket.scenarios.iter().enumerate() {
            if selection.has_scenario(index) {
                self.add_flow(flow);
            }
        }
    }

    fn add_flow(&mut self, flow: &Flow) {
        self.due = self.due.saturating_add(flow.due);
        self.begun = self.begun.saturating_add(flow.begun);
        self.finished = self.finished.saturating_add(flow.finished);
        self.dropped = self.dropped.saturating_add(flow.dropped);
    }

    /// Adds what was put together of many.
    pub(super) fn add_times(&mut self, times: &Times) {
        times.response.add_to(&mut self.response);
        times.service.add_to(&mut self.service);
    }

    /// Adds a cell but for its times, which go to `times`.
    fn add_cell(&mut self, cell: &Cell, times: &mut Times) {
        self.requests = self.requests.saturating_add(cell.requests);
        add_counts(&mut self.errors, &cell.errors);
        add_counts(&mut self.status, &cell.status);
        for (&status, &count) in &cell.status {
            let class = &mut self.classes[class_of(status)];
            *class = class.saturating_add(count);
        }
        self.bytes_in = self.bytes_in.saturating_add(cell.bytes_in);
        self.bytes_out = self.bytes_out.saturating_add(cell.bytes_out);
        times.response.merge(&cell.response);
        let service = cell.service.as_ref();
        times.service.merge(service.unwrap_or(&cell.response));
    }
}

/// What is known of one phase.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PhaseTotals {
    /// When it began, µs since the window began.
    pub start: u64,
    /// End of its last tick, or of the window's schedule in it, µs since the window began.
    pub end: u64,
    /// Ticks recorded in it.
    pub ticks: u64,
    /// Ticks missing next to its own. A gap between two phases counts to both, since either may have lost them.
    pub missing: u64,
    /// Time that its ticks cover, µs, without the drain.
    pub micros: u64,
    /// Time that its ticks cover after the window was over, µs. What finishes in this drain was asked for in the
    /// phase and counts to it, but the drain is no time in which the phase put load.
    pub drained: u64,
    /// Highest load factor at the end of a tick.
    pub load: f64,
    /// Ticks in which the generator was the bottleneck.
    pub bottleneck_ticks: u64,
    /// Those ticks by cause.
    pub causes: BTreeMap<Bottleneck, u64>,
}

/// The generator over the whole window.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GeneratorTotals {
    /// Ticks seen.
    pub ticks: u64,
    /// Largest values of any tick.
    pub peak: GeneratorPeak,
    /// Arrivals due, all open scenarios.
    pub due: u64,
    /// Arrivals taken up.
    pub begun: u64,
    /// Ticks in which it was the bottleneck.
    pub bottleneck_ticks: u64,
    /// Those ticks by cause; a tick may have several.
    pub causes: BTreeMap<Bottleneck, u64>,
    /// CPU that the process used, core-seconds.
    pub cpu_seconds: f64,
    /// The part of it that recording took, core-seconds.
    pub recorder_seconds: f64,
    late: Pool,
}

impl GeneratorTotals {
    /// The share of the CPU that recording took; 0 when nothing was used.
    pub fn recorder_share(&self) -> f64 {
        if self.cpu_seconds > 0.0 {
            self.recorder_seconds / self.cpu_seconds
        } else {
            0.0
        }
    }

    /// Send-time error, µs.
    pub fn late(&self) -> Hist {
        let mut hist = Hist::new();
        self.late.add_to(&mut hist);
        hist
    }
}

/// The two times of many steps and ticks, on their way into a sum.
#[derive(Debug, Default)]
pub(super) struct Times {
    response: Pool,
    service: Pool,
}

/// A histogram that many small ones are added to, at the cost of one addition a bucket, where merging sparse lists
/// would cost the length of both. Buckets are kept in pages, so that memory follows the values that were seen.
#[derive(Debug, Clone, PartialEq, Default)]
struct Pool {
    pages: Vec<Option<Box<[u64; Pool::PAGE]>>>,
}

impl Pool {
    /// Buckets in a page, which takes 512 bytes.
    const PAGE: usize = 64;

    fn add(&mut self, hist: &Hist) {
        self.add_all(hist.buckets().iter().copied());
    }

    fn add_packed(&mut self, packed: &Packed) {
        self.add_all(packed.iter());
    }

    fn add_all(&mut self, buckets: impl Iterator<Item = (u32, u64)>) {
        for (index, count) in buckets {
            let (page, place) = (index as usize / Self::PAGE, index as usize % Self::PAGE);
            if self.pages.len() <= page {
                self.pages.resize(page + 1, None);
            }
            let page = self.pages[page].get_or_insert_with(|| Box::new([0; Self::PAGE]));
            page[place] = page[place].saturating_add(count);
        }
    }

    fn merge(&mut self, other: &Self) {
        if self.pages.len() < other.pages.len() {
            self.pages.resize(other.pages.len(), None);
        }
        let pages = self.pages.iter_mut().zip(&other.pages);
        for (page, more) in pages.filter_map(|(page, more)| Some((page, more.as_ref()?))) {
            let page = page.get_or_insert_with(|| Box::new([0; Self::PAGE]));
            for (count, more) in page.iter_mut().zip(more.iter()) {
                *count = count.saturating_add(*more);
            }
        }
    }

    fn add_to(&self, sum: &mut Hist) {
        let pages = (0..)
            .zip(&self.pages)
            .filter_map(|(page, counts)| Some((page * Self::PAGE as u32, counts.as_ref()?)));
        let buckets = pages.flat_map(|(first, counts)| (first..).zip(counts.iter().copied()));
        // Ascending and in range, since every index came from a histogram.
        sum.merge(&Hist::from_buckets(buckets).unwrap_or_default());
    }
}

/// One step in one phase.
#[derive(Debug, Clone, PartialEq, Default)]
struct Cell {
    requests: u64,
    errors: BTreeMap<ErrorKind, u64>,
    status: BTreeMap<u16, u64>,
    bytes_in: u64,
    bytes_out: u64,
    response: Pool,
    /// `None` as long as it is equal to `response`.
    service: Option<Pool>,
}

impl Cell {
    fn add(&mut self, tick: &StepTick) {
        self.requests = self.requests.saturating_add(tick.requests);
        add_counts(&mut self.errors, &tick.errors);
        add_counts(&mut self.status, &tick.status);
        self.bytes_in = self.bytes_in.saturating_add(tick.bytes_in);
        self.bytes_out = self.bytes_out.saturating_add(tick.bytes_out);
        if tick.service.is_some() && self.service.is_none() {
            self.service = Some(self.response.clone());
        }
        if let Some(service) = &mut self.service {
            service.add(tick.service());
        }
        self.response.add(&tick.response);
    }

    fn add_bucket(&mut self, bucket: &StepBucket, status: Option<&BTreeMap<u16, u64>>) {
        self.requests = self.requests.saturating_add(bucket.requests);
        add_counts(&mut self.errors, &bucket.errors);
        if let Some(status) = status {
            add_counts(&mut self.status, status);
        }
        self.bytes_in = self.bytes_in.saturating_add(bucket.bytes_in);
        self.bytes_out = self.bytes_out.saturating_add(bucket.bytes_out);
        if bucket.service.is_some() && self.service.is_none() {
            self.service = Some(self.response.clone());
        }
        if let Some(service) = &mut self.service {
            service.add_packed(bucket.service());
        }
        self.response.add_packed(&bucket.response);
    }
}

/// Exact sums by phase; `None` is the time outside any phase.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Exact {
    cells: BTreeMap<(Option<usize>, usize), Cell>,
    flows: BTreeMap<(Option<usize>, usize), Flow>,
    pub(super) phases: BTreeMap<Option<usize>, PhaseTotals>,
    pub(super) generator: GeneratorTotals,
}

impl Exact {
    /// Adds a tick whose indexes have been checked; `micros` is the time that it covers, and `drained` the part of it
    /// after the window was over.
    pub(super) fn add(&mut self, tick: &Tick, phase: Option<usize>, micros: u64, drained: u64) {
        let of_phase = self.phases.entry(phase).or_default();
        if of_phase.ticks == 0 {
            of_phase.start = tick.at.saturating_sub(micros);
        }
        if drained < micros || of_phase.ticks == 0 {
            of_phase.end = of_phase.end.max(tick.at.saturating_sub(drained));
        }
        of_phase.ticks += 1;
        of_phase.micros = of_phase
            .micros
            .saturating_add(micros.saturating_sub(drained));
        of_phase.drained = of_phase.drained.saturating_add(drained);
        of_phase.load = of_phase.load.max(tick.load);
        for step in &tick.steps {
            self.cells.entry((phase, step.step)).or_default().add(step);
        }
        for (index, scenario) in tick.scenarios.iter().enumerate() {
            self.flows
                .entry((phase, index))
                .or_default()
                .add(&Flow::from(scenario));
        }
        let generator = &mut self.generator;
        generator.ticks += 1;
        generator.peak = generator.peak.or((&tick.generator).into());
        generator.due = generator.due.saturating_add(tick.generator.due);
        generator.begun = generator.begun.saturating_add(tick.generator.begun);
        generator.late.add(&tick.generator.late);
        let seconds = micros as f64 / 1e6;
        generator.cpu_seconds += tick.generator.cpu * seconds;
        generator.recorder_seconds += tick.generator.recorder_cpu * seconds;
        if !tick.generator.bottleneck.is_empty() {
            of_phase.bottleneck_ticks += 1;
            generator.bottleneck_ticks += 1;
            for &cause in &tick.generator.bottleneck {
                *of_phase.causes.entry(cause).or_default() += 1;
                *generator.causes.entry(cause).or_default() += 1;
            }
        }
    }

    /// Adds frames by their sums, of which `bucket` is the part whose indexes have been checked.
    pub(super) fn add_stretch(&mut self, stretch: &Stretch, bucket: &Bucket) {
        let phase = bucket.phase;
        let of_phase = self.phases.entry(phase).or_default();
        if of_phase.ticks == 0 {
            of_phase.start = bucket.at.saturating_sub(bucket.micros);
        }
        of_phase.end = of_phase.end.max(bucket.at);
        of_phase.ticks += bucket.ticks;
        of_phase.micros = of_phase.micros.saturating_add(bucket.micros);
        of_phase.load = of_phase.load.max(stretch.load_max);
        of_phase.bottleneck_ticks += bucket.generator.bottleneck_ticks;
        add_counts(&mut of_phase.causes, &bucket.generator.causes);
        for step in &bucket.steps {
            let cell = self.cells.entry((phase, step.step)).or_default();
            cell.add_bucket(step, stretch.status.get(&step.step));
        }
        for (index, flow) in bucket.scenarios.iter().enumerate() {
            self.flows.entry((phase, index)).or_default().add(flow);
        }
        let generator = &mut self.generator;
        generator.ticks += bucket.ticks;
        generator.peak = generator.peak.or(bucket.generator.peak);
        generator.due = generator.due.saturating_add(bucket.generator.due);
        generator.begun = generator.begun.saturating_add(bucket.generator.begun);
        generator.late.add_packed(&bucket.generator.late);
        generator.bottleneck_ticks += bucket.generator.bottleneck_ticks;
        add_counts(&mut generator.causes, &bucket.generator.causes);
        let seconds = bucket.micros as f64 / 1e6 / bucket.ticks.max(1) as f64;
        generator.cpu_seconds += stretch.cpu_sum * seconds;
        generator.recorder_seconds += stretch.recorder_sum * seconds;
    }

    /// Requests of all steps in all phases.
    pub(super) fn requests(&self) -> u64 {
        let requests = self.cells.values().map(|cell| cell.requests);
        requests.fold(0, u64::saturating_add)
    }

    /// The sum over `phases`, in their own time; over the whole window, the drain included, when there are none.
    pub(super) fn totals(&self, selection: &Selection, phases: &[usize]) -> Totals {
        let wanted = |phase: Option<usize>| {
            phases.is_empty() || phase.is_some_and(|phase| phases.contains(&phase))
        };
        let (mut totals, mut times) = (Totals::default(), Times::default());
        for (_, phase) in self.phases.iter().filter(|&(&phase, _)| wanted(phase)) {
            totals.ticks += phase.ticks;
            totals.missing = totals.missing.saturating_add(phase.missing);
            totals.micros = totals.micros.saturating_add(phase.micros);
            if phases.is_empty() {
                totals.micros = totals.micros.saturating_add(phase.drained);
            }
            totals.bottleneck_ticks += phase.bottleneck_ticks;
            add_counts(&mut totals.causes, &phase.causes);
        }
        for (&(phase, step), cell) in &self.cells {
            if wanted(phase) && selection.has_step(step) {
                totals.add_cell(cell, &mut times);
            }
        }
        totals.add_times(&times);
        for (&(phase, scenario), flow) in &self.flows {
            if wanted(phase) && selection.has_scenario(scenario) {
                totals.add_flow(flow);
            }
        }
        totals
    }

    /// One scenario over `phases`: counts, and where it was at the end of the last of them.
    pub(super) fn flow(&self, scenario: usize, phases: &[usize]) -> Flow {
        let mut sum = Flow::default();
        for (&(phase, index), flow) in &self.flows {
            let wanted = phases.is_empty() || phase.is_some_and(|phase| phases.contains(&phase));
            if index == scenario && wanted {
                sum.add(flow);
            }
        }
        sum
    }
}
