//! One worker's measuring point: what its tasks report goes in here, and a [`WorkerTick`] comes out at each boundary of
//! the recording interval.
//!
//! The invariant: intervals are cut by the time at which things happened, not by when the worker got round to cutting;
//! the first report past a boundary closes the interval before it is counted.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::mpsc::UnboundedSender;

use super::clock::Nanos;
use super::http::Failure;
use super::ledger::Write;
use super::pacer::{Sleep, Timer};
use super::stats::{Interest, Observation, Stats};
use super::tick::WorkerTick;
use crate::session::record::{ErrorKind, Exemplar, Sample, ScenarioTick};

/// What a scenario shows of itself at a boundary.
pub(super) trait Gauge {
    /// Its counts since the last call, and its levels now, at the boundary `at`.
    fn snapshot(&self, at: Nanos) -> ScenarioTick;
    /// Whether it is of the open model.
    fn is_open(&self) -> bool;
}

/// See the module.
pub struct Meter {
    worker: usize,
    length: Nanos,
    timer: Rc<Timer>,
    stats: RefCell<Stats>,
    gauges: RefCell<Vec<Weak<dyn Gauge>>>,
    sink: UnboundedSender<WorkerTick>,
    /// Number of the interval in progress, and its end.
    n: Cell<u64>,
    boundary: Cell<Nanos>,
    /// Window time and thread CPU time at the last boundary.
    cpu_since: Cell<(Nanos, Nanos)>,
}

impl Meter {
    pub(super) fn new(
        worker: usize,
        length: Nanos,
        timer: Rc<Timer>,
        stats: Stats,
        sink: UnboundedSender<WorkerTick>,
    ) -> Rc<Self> {
        let now = timer.now();
        let n = now / length + 1;
        Rc::new(Self {
            worker,
            length,
            timer,
            stats: RefCell::new(stats),
            gauges: RefCell::default(),
            sink,
            n: Cell::new(n),
            boundary: Cell::new(n * length),
            cpu_since: Cell::new((now, thread_cpu())),
        })
    }

    pub(super) fn watch(&self, gauge: Weak<dyn Gauge>) {
        self.gauges.borrow_mut().push(gauge);
    }

    /// Now, by the window's clock.
    pub fn now(&self) -> Nanos {
        self.timer.now()
    }

    /// Waits until `due`.
    pub fn sleep_until(&self, due: Nanos) -> Sleep {
        self.timer.sleep_until(due)
    }

    /// End of the recording interval in progress.
    pub(super) fn boundary(&self) -> Nanos {
        self.boundary.get()
    }

    /// Counts a request that ended.
    pub fn record(&self, seen: &Observation) -> Interest {
        self.close_until(seen.done);
        self.stats.borrow_mut().record(seen)
    }

    /// Keeps one of the slowest requests, when [`Interest::slow`] asked for it.
    pub fn keep_slow(&self, exemplar: Exemplar) {
        self.stats.borrow_mut().keep_slow(exemplar);
    }

    /// Keeps the first failure of its kind, when [`Interest::new_error`] asked for it.
    pub fn keep_sample(&self, seen: &Observation, failure: &Failure) {
        let sample = Sample {
            at: seen.done / 1000,
            step: seen.step,
            kind: failure.kind,
            status: seen.status,
            detail: failure.detail.clone(),
            body: String::new(),
        };
        self.stats.borrow_mut().keep_sample(sample, &failure.body);
    }

    /// Takes in what became of a write of a ledger.
    pub fn write(&self, write: Write) {
        self.stats.borrow_mut().write(write);
    }

    /// Counts a request that could not even be made.
    pub fn unsent(&self, step: usize, due: Nanos, failure: &Failure) -> Nanos {
        let seen = Observation {
            step,
            due,
            sent: None,
            done: self.now(),
            status: None,
            error: Some(failure.kind),
            bytes_in: 0,
            bytes_out: 0,
        };
        if self.record(&seen).new_error {
            self.keep_sample(&seen, failure);
        }
        seen.done
    }

    /// Counts how long after its due time an open arrival was taken up.
    pub(super) fn late(&self, due: Nanos, now: Nanos) {
        self.close_until(now);
        self.stats.borrow_mut().late(now.saturating_sub(due));
    }

    /// Notes that the event loop came round late.
    pub(super) fn lag(&self, by: Nanos) {
        self.stats.borrow_mut().lag(by);
    }

    /// Closes every interval that ended before `now`.
    pub(super) fn close_until(&self, now: Nanos) {
        while now > self.boundary.get() {
            self.close(self.boundary.get(), false);
            self.n.set(self.n.get() + 1);
            self.boundary.set(self.n.get() * self.length);
        }
    }

    /// Closes the interval in progress as the last one.
    pub(super) fn finish(&self) {
        let now = self.now();
        self.close_until(now);
        self.close(now, true);
    }

    fn close(&self, at: Nanos, last: bool) {
        let gauges: Vec<_> = self
            .gauges
            .borrow()
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        let (now, cpu) = (self.now(), thread_cpu());
        let (then, cpu_then) = self.cpu_since.replace((now, cpu));
        let tick = WorkerTick {
            worker: self.worker,
            n: self.n.get(),
            at,
            last,
            scenarios: gauges.iter().map(|gauge| gauge.snapshot(at)).collect(),
            open: gauges.iter().map(|gauge| gauge.is_open()).collect(),
            interval: self.stats.borrow_mut().take(),
            cpu: cpu.saturating_sub(cpu_then) as f64 / now.saturating_sub(then).max(1) as f64,
        };
        // Without a receiver nobody wants to know any more; the worker ends when its commands end.
        let _ = self.sink.send(tick);
    }
}

impl std::fmt::Debug for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meter")
            .field("worker", &self.worker)
            .field("n", &self.n)
            .finish_non_exhaustive()
    }
}

/// CPU time of this thread.
fn thread_cpu() -> Nanos {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    (time.tv_sec * 1_000_000_000 + time.tv_nsec) as Nanos
}

/// Where requests leave from.
pub trait Outlet {
    /// When the latest request was handed to its connection; `None` while it still waits for one.
    fn last_sent(&self) -> Option<Nanos>;
}

/// A request under way. If it is dropped before it is settled, which happens when the window stops, it is counted as
/// unfinished with the latency that it had reached at least. Costs nothing until then.
#[derive(Debug)]
pub struct Underway<'a, O: Outlet> {
    meter: &'a Meter,
    outlet: &'a mut O,
    step: usize,
    due: Nanos,
    settled: bool,
}

impl<'a, O: Outlet> Underway<'a, O> {
    /// A request of `step` that was due at `due` and is about to leave from `outlet`.
    pub fn new(meter: &'a Meter, outlet: &'a mut O, step: usize, due: Nanos) -> Self {
        Self {
            meter,
            outlet,
            step,
            due,
            settled: false,
        }
    }

    /// Where to send it from.
    pub fn outlet(&mut self) -> &mut O {
        self.outlet
    }

    /// It ended by itself; the caller counts it.
    pub fn settle(mut self) {
        self.settled = true;
    }
}

impl<O: Outlet> Drop for Underway<'_, O> {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        // A value from an earlier request would be before this one was due.
        let sent = self.outlet.last_sent().filter(|&sent| sent >= self.due);
        self.meter.record(&Observation {
            step: self.step,
            due: self.due,
            sent,
            done: self.meter.now(),
            status: None,
            error: Some(ErrorKind::Unfinished),
            bytes_in: 0,
            bytes_out: 0,
        });
    }
}
