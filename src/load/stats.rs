//! What one worker saw in the current recording interval.
//!
//! In: each finished request as an [`Observation`]. Out: at the interval's end an [`Interval`] in the form of the
//! session's records, after which counting starts from nothing in the same memory. The invariant: every request that
//! became due and ended, in whichever way, is in exactly one interval.

use std::collections::BTreeMap;

use super::clock::Nanos;
use super::ledger::Write;
use crate::profile::Redactor;
use crate::session::record::{ErrorKind, Exemplar, Sample, StepTick};
use crate::session::{Dense, Hist};

/// How many of the slowest requests a worker keeps of each interval.
pub const SLOWEST: usize = 5;

/// Largest part of an answer's body that a sample keeps, bytes.
pub const SAMPLE_BODY: usize = 2048;

/// One request that ended.
#[derive(Debug, Clone, Copy)]
pub struct Observation {
    /// Index into the session's `names.steps`.
    pub step: usize,
    /// When it was due.
    pub due: Nanos,
    /// When it was sent; `None` if it never was.
    pub sent: Option<Nanos>,
    /// When its last byte came, or it failed.
    pub done: Nanos,
    /// Status of the answer, if one came.
    pub status: Option<u16>,
    /// Why it failed, if it did.
    pub error: Option<ErrorKind>,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
}

impl Observation {
    /// Response time, µs.
    pub fn response(&self) -> u64 {
        self.done.saturating_sub(self.due) / 1000
    }

    /// Service time, µs, if it was sent.
    pub fn service(&self) -> Option<u64> {
        Some(self.done.saturating_sub(self.sent?) / 1000)
    }
}

/// What the caller should add to an observation, since it costs more than a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interest {
    /// It is among the slowest of the interval so far: worth an [`Exemplar`].
    pub slow: bool,
    /// The first error of its kind at its step: worth a [`Sample`].
    pub new_error: bool,
}

/// What was seen in one interval.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Interval {
    /// Steps that ended a request, ascending; `service` is always present, `q` is not filled in.
    pub steps: Vec<StepTick>,
    /// Send-time error of open arrivals, µs.
    pub late: Hist,
    /// The latest that the event loop's probe came, µs.
    pub lag_us: u64,
    /// The slowest requests.
    pub slow: Vec<Exemplar>,
    /// First errors of their kind.
    pub samples: Vec<Sample>,
    /// Writes of ledgers that ended.
    pub writes: Vec<Write>,
}

/// Counters of the current interval. Memory: two [`Dense`] histograms for each step that was ever used.
#[derive(Debug)]
pub struct Stats {
    steps: Vec<Option<Box<StepStats>>>,
    late: Dense,
    lag: Nanos,
    slow: Vec<Exemplar>,
    samples: Vec<Sample>,
    writes: Vec<Write>,
    /// Bit for each kind of error that a step had, for the whole window.
    seen: Vec<u16>,
    redactor: Redactor,
}

#[derive(Debug, Default)]
struct StepStats {
    requests: u64,
    errors: [u64; ErrorKind::ALL.len()],
    /// In order of first appearance; servers use few codes.
    status: Vec<(u16, u64)>,
    bytes_in: u64,
    bytes_out: u64,
    response: Dense,
    service: Dense,
}

impl Stats {
    /// Counters for this many steps.
    pub fn new(steps: usize, redactor: Redactor) -> Self {
        Self {
            steps: (0..steps).map(|_| None).collect(),
            late: Dense::new(),
            lag: 0,
            slow: Vec::with_capacity(SLOWEST),
            samples: Vec::new(),
            writes: Vec::new(),
            seen: vec![0; steps],
            redactor,
        }
    }

    /// Counts a request. Allocates only at a step's first request and where a histogram grows.
    ///
    /// # Panics
    ///
    /// If the step's index is not below the number of steps given to [`Stats::new`].
    pub fn record(&mut self, seen: &Observation) -> Interest {
        let response = seen.response();
        let step = self.steps[seen.step].get_or_insert_default();
        step.requests += 1;
        step.bytes_in += seen.bytes_in;
        step.bytes_out += seen.bytes_out;
        step.response.record(response);
        if let Some(service) = seen.service() {
            step.service.record(service);
        }
        if let Some(status) = seen.status {
            match step.status.iter_mut().find(|(code, _)| *code == status) {
                Some((_, count)) => *count += 1,
                None => step.status.push((status, 1)),
            }
        }
        let mut new_error = false;
        if let Some(kind) = seen.error {
            step.errors[kind as usize] += 1;
            let bit = 1 << kind as u16;
            new_error = self.seen[seen.step] & bit == 0;
            self.seen[seen.step] |= bit;
        }
        let slow = self.slow.len() < SLOWEST
            || self
                .slow
                .last()
                .is_some_and(|least| response > least.response);
        Interest { slow, new_error }
    }

    /// Keeps one of the slowest, in the place of the least slow one.
    pub fn keep_slow(&mut self, exemplar: Exemplar) {
        let place = self
            .slow
            .partition_point(|other| other.response >= exemplar.response);
        self.slow.insert(place, exemplar);
        self.slow.truncate(SLOWEST);
    }

    /// Keeps a sample; secrets in its text are hidden here, the body is cut.
    pub fn keep_sample(&mut self, mut sample: Sample, body: &[u8]) {
        let body = &body[..body.len().min(SAMPLE_BODY)];
        // The body of an answer that was not whole ends anywhere, also in the middle of a secret.
        let whole = matches!(
            sample.kind,
            ErrorKind::Status4xx | ErrorKind::Status5xx | ErrorKind::Expectation
        );
        let cut = !whole || body.len() == SAMPLE_BODY;
        sample.detail = self.redactor.sentence(&sample.detail);
        sample.body = self.redactor.excerpt(body, cut);
        self.samples.push(sample);
    }

    /// Counts the send-time error of an open arrival.
    pub fn late(&mut self, by: Nanos) {
        self.late.record(by / 1000);
    }

    /// Notes that the event loop came round late.
    pub fn lag(&mut self, by: Nanos) {
        self.lag = self.lag.max(by);
    }

    /// Takes a write of a ledger in.
    pub fn write(&mut self, write: Write) {
        self.writes.push(write);
    }

    /// Ends the interval. Costs a pass over the buckets that were touched.
    pub fn take(&mut self) -> Interval {
        let steps = self
            .steps
            .iter_mut()
            .enumerate()
            .filter_map(|(index, step)| {
                let step = step.as_mut().filter(|step| step.requests > 0)?;
                Some(step.take(index))
            });
        Interval {
            steps: steps.collect(),
            late: self.late.take(),
            lag_us: std::mem::take(&mut self.lag) / 1000,
            slow: std::mem::take(&mut self.slow),
            samples: std::mem::take(&mut self.samples),
            writes: std::mem::take(&mut self.writes),
        }
    }
}

impl StepStats {
    fn take(&mut self, index: usize) -> StepTick {
        let errors: BTreeMap<_, _> = ErrorKind::ALL
            .into_iter()
            .filter_map(|kind| {
                let count = std::mem::take(&mut self.errors[kind as usize]);
                (count > 0).then_some((kind, count))
            })
            .collect();
        StepTick {
            step: index,
            requests: std::mem::take(&mut self.requests),
            errors,
            status: self.status.drain(..).collect(),
            bytes_in: std::mem::take(&mut self.bytes_in),
            bytes_out: std::mem::take(&mut self.bytes_out),
            response: self.response.take(),
            service: Some(self.service.take()),
            q: [0; 4],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Secrets;

    fn seen(step: usize, response_ms: u64, error: Option<ErrorKind>) -> Observation {
        Observation {
            step,
            due: 0,
            sent: Some(1_000_000),
            done: response_ms * 1_000_000,
            status: Some(200),
            error,
            bytes_in: 10,
            bytes_out: 5,
        }
    }

    #[test]
    fn an_interval_holds_what_ended_in_it() {
        let mut stats = Stats::new(3, Redactor::default());
        stats.record(&seen(2, 5, None));
        stats.record(&seen(2, 7, Some(ErrorKind::Expectation)));
        let interval = stats.take();
        let [step] = interval.steps.as_slice() else {
            panic!("{interval:?}")
        };
        assert_eq!((step.step, step.requests, step.failed()), (2, 2, 1));
        assert_eq!((step.bytes_in, step.bytes_out), (20, 10));
        assert_eq!(step.status[&200], 2);
        assert_eq!(step.response.max() / 1000, 7);
        assert_eq!(step.service().max() / 1000, 6);
        assert_eq!(stats.take(), Interval::default());
    }

    #[test]
    fn the_slowest_few_are_kept_in_order() {
        let mut stats = Stats::new(1, Redactor::default());
        for ms in [3, 9, 1, 8, 2, 7, 4, 6, 5] {
            let seen = seen(0, ms, None);
            if stats.record(&seen).slow {
                stats.keep_slow(Exemplar {
                    response: seen.response(),
                    ..Exemplar::default()
                });
            }
        }
        let slow: Vec<_> = stats
            .take()
            .slow
            .iter()
            .map(|e| e.response / 1000)
            .collect();
        assert_eq!(slow, [9, 8, 7, 6, 5]);
    }

    #[test]
    fn only_the_first_error_of_a_kind_at_a_step_is_new() {
        let mut stats = Stats::new(2, Redactor::default());
        let mut new = |step, kind| stats.record(&seen(step, 1, Some(kind))).new_error;
        assert!(new(0, ErrorKind::Timeout));
        assert!(!new(0, ErrorKind::Timeout));
        assert!(new(0, ErrorKind::Unfinished));
        assert!(new(1, ErrorKind::Timeout));
    }

    #[test]
    fn a_sample_is_cut_and_its_secrets_are_hidden() {
        let mut secrets = Secrets::default();
        secrets.insert("TOKEN", "hunter2");
        let mut stats = Stats::new(1, Redactor::new(&secrets));
        let sample = Sample {
            at: 0,
            step: 0,
            kind: ErrorKind::Status5xx,
            status: Some(500),
            detail: "hunter2 failed".into(),
            body: String::new(),
        };
        let filler = SAMPLE_BODY - "hunter2 hunte".len();
        let body = [b"hunter2 ", &*vec![0xff; filler], b"hunter2 hunter2"].concat();
        stats.keep_sample(sample, &body);
        let sample = stats.take().samples.remove(0);
        assert_eq!(sample.detail, "‹secret:TOKEN› failed");
        assert!(sample.body.starts_with("‹secret:TOKEN› \u{fffd}"));
        assert!(sample.body.ends_with('\u{fffd}'), "{}", sample.body);
    }

    #[test]
    fn kinds_of_error_are_numbered_as_they_are_listed() {
        for (place, kind) in ErrorKind::ALL.into_iter().enumerate() {
            assert_eq!(place, kind as usize);
        }
    }
}
