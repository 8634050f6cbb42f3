//! The workers together: started, steered, and heard.
//!
//! ```text
//!   engine ── Command ──▶ worker 0 ─┐
//!          └─ Command ──▶ worker 1 ─┤ WorkerTick
//!             FleetTick ◀── Gather ◀┘
//! ```
//!
//! In: what each scenario is to do, and commands. Out: one [`FleetTick`] for each recording interval. The invariant:
//! the load never waits for who reads the ticks.

use std::io;
use std::rc::Rc;
use std::sync::{Arc, mpsc as std_mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::thread::{CpuSet, sched_setaffinity};
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::spawn_local;

use super::clock::{Clock, Nanos};
use super::closed::Quota;
use super::pacer::Timer;
use super::schedule::Curve;
use super::tick::{FleetTick, Gather, WorkerTick};
use super::work::Plan;
use super::worker::{Job, Worker};
use crate::profile::{Redactor, model};

/// Tasks that a worker polls between two looks at its sockets and its timer. Fewer pace better under load and cost
/// more system calls; tokio's own 61 let a busy worker's timer wait for a millisecond.
const EVENT_INTERVAL: u32 = 31;

/// How long after the end of an interval a worker's report may come, as a share of the interval, and at most.
const GRACE: (f64, Duration) = (0.25, Duration::from_millis(250));

/// What a fleet is to do.
#[derive(Debug)]
pub struct FleetSpec<P> {
    /// Worker threads, at least 1. [`default_workers`] is one a core.
    pub workers: usize,
    /// CPUs to pin workers to, in turn; empty pins none.
    pub cpus: Vec<usize>,
    /// The recording interval.
    pub tick: Duration,
    /// The window's seed.
    pub seed: u64,
    /// Number of entries in the session's `names.steps`.
    pub steps: usize,
    /// The scenarios, in the order of the profile.
    pub scenarios: Vec<ScenarioSpec<P>>,
    /// Hides secrets in samples.
    pub redactor: Redactor,
}

/// What one scenario is to do.
#[derive(Debug)]
pub struct ScenarioSpec<P> {
    /// Its work.
    pub plan: Arc<P>,
    /// Open or closed.
    pub traffic: Traffic,
    /// Arrivals a second, or users, over the window's time.
    pub curve: Curve,
    /// Whether it puts load from the start.
    pub running: bool,
}

/// How work arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traffic {
    /// Arrivals at a rate.
    Open {
        /// Their spacing.
        arrivals: model::Arrivals,
        /// Journeys in flight past which arrivals are dropped, over all workers.
        max_in_flight: u32,
    },
    /// Users.
    Closed {
        /// Journeys in all, after which the scenario is done.
        iterations: Option<u64>,
    },
}

/// What a fleet can be told. A moment in the near future (10 ms) makes all workers act at the same one.
#[derive(Debug, Clone)]
pub enum Command {
    /// From `at` on, a scenario's load follows another curve.
    SetCurve {
        /// The scenario's index.
        scenario: usize,
        /// From when on.
        at: Nanos,
        /// Rate or users over the window's time; what it says before `at` does not matter.
        curve: Arc<Curve>,
    },
    /// A scenario puts load, as its curve says.
    Start {
        /// The scenario's index.
        scenario: usize,
        /// From when on.
        at: Nanos,
    },
    /// A scenario puts no load; what is in flight goes on.
    Stop {
        /// The scenario's index.
        scenario: usize,
        /// From when on.
        at: Nanos,
    },
    /// Nothing new is begun; workers end when nothing is in flight, or at `until`, when what is still in flight is
    /// counted as unfinished.
    Drain {
        /// The bound.
        until: Nanos,
    },
}

/// Running workers. Dropping it stops them at once.
#[derive(Debug)]
pub struct Fleet {
    clock: Clock,
    tick: Duration,
    /// The interval that is to be given out next.
    next: u64,
    commands: Vec<UnboundedSender<Command>>,
    reports: UnboundedReceiver<WorkerTick>,
    gather: Gather,
    ended: bool,
    /// Those that have not been waited for, with their number.
    threads: Vec<(usize, JoinHandle<()>)>,
}

/// One worker a core that this process may run on.
pub fn default_workers() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

impl Fleet {
    /// Starts the workers. A clock that begins a moment from now (`Clock::starting_at`) lets them all be ready for
    /// the first arrival.
    ///
    /// # Errors
    ///
    /// When a thread, its runtime or its timer cannot be made, or a CPU to pin to does not exist.
    pub fn start<P: Plan>(spec: FleetSpec<P>, clock: Clock) -> io::Result<Self> {
        let spec = Arc::new(FleetSpec {
            workers: spec.workers.max(1),
            tick: spec.tick.max(Duration::from_millis(1)),
            ..spec
        });
        let (sink, reports) = mpsc::unbounded_channel();
        let quotas = quotas(&spec);
        let mut fleet = Self {
            clock,
            tick: spec.tick,
            next: clock.now() / spec.tick.as_nanos() as Nanos + 1,
            commands: Vec::new(),
            reports,
            gather: Gather::new(spec.workers),
            ended: false,
            threads: Vec::new(),
        };
        let (ready, started) = std_mpsc::channel();
        for index in 0..spec.workers {
            let (sender, commands) = mpsc::unbounded_channel();
            let job = Job {
                index,
                spec: Arc::clone(&spec),
                quotas: quotas.clone(),
                clock,
                commands,
                sink: sink.clone(),
            };
            let ready = ready.clone();
            let thread = thread::Builder::new()
                .name(format!("load-{index}"))
                .spawn(move || run(job, ready))?;
            fleet.commands.push(sender);
            fleet.threads.push((index, thread));
        }
        drop(ready);
        for _ in 0..spec.workers {
            let died = || io::Error::other("a load worker died while it started");
            started.recv().map_err(|_| died())??;
        }
        Ok(fleet)
    }

    /// Tells all workers.
    pub fn send(&self, command: &Command) {
        for worker in &self.commands {
            // A worker that has ended has nothing left to do.
            let _ = worker.send(command.clone());
        }
    }

    /// The next interval, as soon as all workers have reported it or their time for it is up. `None` when every
    /// worker has ended and everything was given out. Can be dropped and called again without loss.
    pub async fn tick(&mut self) -> Option<FleetTick> {
        if self.ended {
            return None;
        }
        let n = self.next;
        let grace = self.tick.mul_f64(GRACE.0).min(GRACE.1);
        let end = self.tick.as_nanos() as Nanos * n;
        let deadline = self.clock.instant(end) + grace;
        while !self.gather.complete(n) {
            match tokio::time::timeout_at(deadline.into(), self.reports.recv()).await {
                Ok(Some(report)) => self.gather.offer(report),
                Ok(None) => self.gather.all_ended(),
                Err(_) => break,
            }
        }
        let tick = self.gather.take(n);
        self.next += 1;
        self.ended = tick.last;
        Some(tick)
    }

    /// The workers that have panicked and were not named before.
    pub fn newly_dead(&mut self) -> Vec<usize> {
        self.reap(JoinHandle::is_finished)
    }

    /// Waits for the threads to end; returns the workers that have panicked and were not named before. Workers end
    /// after a drain; without one they are stopped now.
    pub fn join(&mut self) -> Vec<usize> {
        self.commands.clear();
        self.reap(|_| true)
    }

    fn reap(&mut self, wanted: impl Fn(&JoinHandle<()>) -> bool) -> Vec<usize> {
        let (taken, left) = std::mem::take(&mut self.threads)
            .into_iter()
            .partition(|(_, thread)| wanted(thread));
        self.threads = left;
        let taken: Vec<(usize, JoinHandle<()>)> = taken;
        let ended = taken
            .into_iter()
            .map(|(worker, thread)| (worker, thread.join()));
        ended
            .filter_map(|(worker, end)| end.is_err().then_some(worker))
            .collect()
    }
}

pub(super) fn quotas<P>(spec: &FleetSpec<P>) -> Vec<Option<Arc<Quota>>> {
    let quota = |scenario: &ScenarioSpec<P>| match scenario.traffic {
        Traffic::Closed { iterations } => iterations.map(Quota::new),
        Traffic::Open { .. } => None,
    };
    spec.scenarios.iter().map(quota).collect()
}

/// A worker thread's whole life.
fn run<P: Plan>(job: Job<P>, ready: std_mpsc::Sender<io::Result<()>>) {
    let (runtime, timer) = match prepare(&job) {
        Ok(prepared) => prepared,
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    let worker = runtime.block_on(async {
        spawn_local(Rc::clone(&timer).drive());
        let mut worker = Worker::start(job, &timer);
        let _ = ready.send(Ok(()));
        // Whoever waits for another worker, which may have died, must not wait for this one's sender.
        drop(ready);
        worker.serve().await;
        worker
    });
    drop(runtime);
    worker.finish();
}

fn prepare<P>(job: &Job<P>) -> io::Result<(LocalRuntime, Rc<Timer>)> {
    let cpus = &job.spec.cpus;
    if let Some(&cpu) = cpus.get(job.index % cpus.len().max(1)) {
        pin(cpu)?;
    }
    let runtime = Builder::new_current_thread()
        .enable_all()
        .event_interval(EVENT_INTERVAL)
        .build_local(LocalOptions::default())?;
    Ok((runtime, Timer::new(job.clock)?))
}

fn pin(cpu: usize) -> io::Result<()> {
    let refuse = |why: &str| {
        let text = format!("cannot pin a load worker to CPU {cpu}: {why}");
        io::Error::new(io::ErrorKind::InvalidInput, text)
    };
    if cpu >= CpuSet::MAX_CPU {
        return Err(refuse("no such CPU"));
    }
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).map_err(|error| refuse(&error.to_string()))
}

#[cfg(test)]
#[path = "fleet_tests.rs"]
mod tests;
