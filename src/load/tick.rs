//! From what each worker saw to what the fleet saw.
//!
//! In: a [`WorkerTick`] from each worker for each recording interval, possibly late. Out: one [`FleetTick`] an
//! interval. The invariant: everything that a worker ever reports is in exactly one fleet tick; what comes after its
//! interval was closed goes into the next one.

use std::collections::{BTreeMap, HashSet};

use super::clock::Nanos;
use super::ledger::Write;
use super::stats::{Interval, SLOWEST};
use crate::session::Hist;
use crate::session::record::{ErrorKind, Exemplar, Sample, ScenarioState, ScenarioTick, StepTick};

/// What one worker saw in one interval.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WorkerTick {
    /// Which worker.
    pub worker: usize,
    /// Number of the interval, from 1.
    pub n: u64,
    /// When the worker closed it.
    pub at: Nanos,
    /// True for the last one of this worker, which may cover a part of an interval only.
    pub last: bool,
    /// Every scenario; counts and users are this worker's part, `asked` is the whole scenario's.
    pub scenarios: Vec<ScenarioTick>,
    /// Which of the scenarios are open.
    pub open: Vec<bool>,
    /// Requests that ended.
    pub interval: Interval,
    /// CPU that the worker's thread used, in cores.
    pub cpu: f64,
}

/// What all workers saw in one interval.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FleetTick {
    /// Number of the interval, from 1.
    pub n: u64,
    /// When the latest worker closed its part: the end of the interval, or before it in the last one. 0 when no
    /// worker has reported.
    pub at: Nanos,
    /// Every scenario; `by_hand` is not filled in.
    pub scenarios: Vec<ScenarioTick>,
    /// Steps that ended a request, ascending.
    pub steps: Vec<StepTick>,
    /// Send-time error of open arrivals, µs.
    pub late: Hist,
    /// The longest that a worker's event loop did not come round, µs.
    pub lag_us: u64,
    /// CPU of the busiest worker, in cores.
    pub worker_cpu: f64,
    /// Arrivals due, all open scenarios.
    pub due: u64,
    /// Arrivals that began a journey, all open scenarios.
    pub begun: u64,
    /// Arrivals dropped because `max_in_flight` was reached, all open scenarios.
    pub dropped: u64,
    /// The slowest requests.
    pub slow: Vec<Exemplar>,
    /// First errors of their kind in the window.
    pub samples: Vec<Sample>,
    /// Writes of ledgers that ended.
    pub writes: Vec<Write>,
    /// Workers that did not report in time.
    pub missing: Vec<usize>,
    /// True when every worker has ended.
    pub last: bool,
}

/// Collects the ticks of workers.
#[derive(Debug)]
pub struct Gather {
    /// By worker: reported and not yet given out, ascending.
    waiting: Vec<Vec<WorkerTick>>,
    /// By worker: the last interval it reported, and whether it ended.
    reported: Vec<(u64, bool)>,
    /// Samples given out.
    seen: HashSet<(usize, ErrorKind)>,
}

impl Gather {
    /// For this many workers.
    pub fn new(workers: usize) -> Self {
        Self {
            waiting: vec![Vec::new(); workers],
            reported: vec![(0, false); workers],
            seen: HashSet::new(),
        }
    }

    /// Takes a worker's report.
    pub fn offer(&mut self, tick: WorkerTick) {
        self.reported[tick.worker] = (tick.n, tick.last);
        self.waiting[tick.worker].push(tick);
    }

    /// No report will come any more, whether or not workers have said so.
    pub fn all_ended(&mut self) {
        self.reported
            .iter_mut()
            .for_each(|(_, ended)| *ended = true);
    }

    /// Whether all that can be known about interval `n` is there.
    pub fn complete(&self, n: u64) -> bool {
        self.reported
            .iter()
            .all(|&(last, ended)| ended || last >= n)
    }

    /// Closes interval `n`: everything up to it that was not given out before.
    pub fn take(&mut self, n: u64) -> FleetTick {
        let mut tick = FleetTick {
            n,
            ..FleetTick::default()
        };
        let mut steps = BTreeMap::new();
        for worker in 0..self.waiting.len() {
            let (last, ended) = self.reported[worker];
            if last < n && !ended {
                tick.missing.push(worker);
            }
            let later = self.waiting[worker].partition_point(|report| report.n <= n);
            let reports: Vec<_> = self.waiting[worker].drain(..later).collect();
            let count = reports.len();
            for (place, report) in reports.into_iter().enumerate() {
                add(&mut tick, &mut steps, report, place + 1 == count);
            }
        }
        tick.steps = steps.into_values().map(finish).collect();
        tick.slow
            .sort_by_key(|exemplar| std::cmp::Reverse(exemplar.response));
        tick.slow.truncate(SLOWEST);
        tick.samples.sort_by_key(|sample| sample.at);
        tick.samples
            .retain(|sample| self.seen.insert((sample.step, sample.kind)));
        tick.last =
            self.reported.iter().all(|&(_, ended)| ended) && self.waiting.iter().all(Vec::is_empty);
        tick
    }
}

/// Adds one report; `newest` when it is the worker's latest, whose levels (in flight, users) then stand.
fn add(
    tick: &mut FleetTick,
    steps: &mut BTreeMap<usize, StepTick>,
    report: WorkerTick,
    newest: bool,
) {
    if tick.scenarios.is_empty() {
        let blank = ScenarioTick {
            state: ScenarioState::Done,
            ..ScenarioTick::default()
        };
        tick.scenarios = vec![blank; report.scenarios.len()];
    }
    tick.at = tick.at.max(report.at);
    for ((sum, part), open) in tick
        .scenarios
        .iter_mut()
        .zip(&report.scenarios)
        .zip(report.open)
    {
        if open {
            tick.due += part.due;
            tick.begun += part.begun;
            tick.dropped += part.dropped;
        }
        add_scenario(sum, part, newest);
    }
    for step in report.interval.steps {
        match steps.entry(step.step) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(step);
            }
            std::collections::btree_map::Entry::Occupied(mut place) => {
                add_step(place.get_mut(), step);
            }
        }
    }
    tick.late.merge(&report.interval.late);
    tick.lag_us = tick.lag_us.max(report.interval.lag_us);
    tick.worker_cpu = tick.worker_cpu.max(report.cpu);
    tick.slow.extend(report.interval.slow);
    tick.samples.extend(report.interval.samples);
    tick.writes.extend(report.interval.writes);
}

fn add_scenario(sum: &mut ScenarioTick, part: &ScenarioTick, newest: bool) {
    sum.due += part.due;
    sum.begun += part.begun;
    sum.finished += part.finished;
    sum.dropped += part.dropped;
    if newest {
        sum.asked = sum.asked.max(part.asked);
        sum.in_flight += part.in_flight;
        sum.users += part.users;
        sum.connections += part.connections;
        if activity(part.state) > activity(sum.state) {
            sum.state = part.state;
        }
    }
}

/// The most active worker gives a scenario its state.
fn activity(state: ScenarioState) -> u8 {
    match state {
        ScenarioState::Done => 0,
        ScenarioState::Stopped => 1,
        ScenarioState::Draining => 2,
        ScenarioState::Running => 3,
    }
}

fn add_step(sum: &mut StepTick, part: StepTick) {
    sum.requests += part.requests;
    for (kind, count) in part.errors {
        *sum.errors.entry(kind).or_default() += count;
    }
    for (code, count) in part.status {
        *sum.status.entry(code).or_default() += count;
    }
    sum.bytes_in += part.bytes_in;
    sum.bytes_out += part.bytes_out;
    sum.response.merge(&part.response);
    match (&mut sum.service, part.service) {
        (Some(sum), Some(part)) => sum.merge(&part),
        (sum @ None, part) => *sum = part,
        (Some(_), None) => {}
    }
}

/// The record's form: quantiles filled in, service time left out where it says nothing new.
fn finish(mut step: StepTick) -> StepTick {
    step.q = [
        step.response.quantile(0.5),
        step.response.quantile(0.9),
        step.response.quantile(0.99),
        step.response.max(),
    ];
    if step.service.as_ref() == Some(&step.response) {
        step.service = None;
    }
    step
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(worker: usize, n: u64, values: &[u64]) -> WorkerTick {
        let mut response = Hist::new();
        for &value in values {
            response.record(value);
        }
        WorkerTick {
            worker,
            n,
            at: n * 1_000,
            scenarios: vec![ScenarioTick {
                state: ScenarioState::Running,
                asked: 100.0,
                due: values.len() as u64,
                begun: values.len() as u64,
                finished: values.len() as u64,
                in_flight: 3,
                ..ScenarioTick::default()
            }],
            open: vec![true],
            interval: Interval {
                steps: vec![StepTick {
                    step: 4,
                    requests: values.len() as u64,
                    service: Some(response.clone()),
                    response,
                    ..StepTick::default()
                }],
                ..Interval::default()
            },
            cpu: 0.1 * (worker + 1) as f64,
            ..WorkerTick::default()
        }
    }

    #[test]
    fn workers_add_up_and_their_distributions_merge() {
        let mut gather = Gather::new(2);
        gather.offer(report(0, 1, &[10_000; 900]));
        assert!(!gather.complete(1));
        gather.offer(report(1, 1, &[1_000_000; 100]));
        assert!(gather.complete(1));
        let tick = gather.take(1);
        assert!(tick.missing.is_empty());
        assert_eq!((tick.due, tick.begun), (1000, 1000));
        assert_eq!(tick.scenarios[0].in_flight, 6);
        assert!((tick.scenarios[0].asked - 100.0).abs() < f64::EPSILON);
        assert!((tick.worker_cpu - 0.2).abs() < 1e-9);
        let step = &tick.steps[0];
        assert_eq!((step.step, step.requests), (4, 1000));
        assert_eq!(step.service, None);
        assert!((999_000..=1_001_000).contains(&step.q[2]), "{:?}", step.q);
    }

    #[test]
    fn what_a_slow_worker_reports_late_counts_in_the_next_tick() {
        let mut gather = Gather::new(2);
        gather.offer(report(0, 1, &[1; 5]));
        let first = gather.take(1);
        assert_eq!((first.missing.as_slice(), first.due), (&[1][..], 5));
        gather.offer(report(1, 1, &[1; 7]));
        gather.offer(report(1, 2, &[1; 11]));
        gather.offer(report(0, 2, &[1; 13]));
        let second = gather.take(2);
        assert_eq!((second.missing.len(), second.due), (0, 31));
        assert_eq!(second.scenarios[0].in_flight, 6);
    }

    #[test]
    fn a_worker_that_ended_is_not_waited_for() {
        let mut gather = Gather::new(2);
        gather.offer(WorkerTick {
            last: true,
            ..report(0, 1, &[1])
        });
        gather.offer(report(1, 1, &[1]));
        assert!(!gather.take(1).last);
        gather.offer(WorkerTick {
            last: true,
            at: 1_200,
            ..report(1, 2, &[1])
        });
        assert!(gather.complete(2));
        let tick = gather.take(2);
        assert!(tick.last && tick.missing.is_empty());
        assert_eq!(
            tick.at, 1_200,
            "the last interval is as long as it really was"
        );
    }

    #[test]
    fn a_kind_of_error_is_sampled_once_over_all_workers() {
        let sample = |at| Sample {
            at,
            step: 0,
            kind: ErrorKind::Reset,
            status: None,
            detail: String::new(),
            body: String::new(),
        };
        let mut gather = Gather::new(2);
        for (worker, n, at) in [(0, 1, 20), (1, 1, 10), (1, 2, 30)] {
            let mut tick = report(worker, n, &[]);
            tick.interval.samples.push(sample(at));
            gather.offer(tick);
        }
        assert_eq!(gather.take(1).samples, [sample(10)]);
        assert!(gather.take(2).samples.is_empty());
    }
}
