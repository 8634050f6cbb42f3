//! One worker: a thread with a runtime of its own, on which its part of every scenario runs.
//!
//! In: commands. Out: a [`WorkerTick`] for each recording interval, the last one marked as such. The invariant:
//! nothing on a request's path is shared with another worker.

use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::{JoinHandle, spawn_local};

use super::arrivals::{Arrivals, Part, mix};
use super::clock::{Clock, Nanos};
use super::closed::{Closed, Quota};
use super::executor::{Executor, Orders};
use super::fleet::{Command, FleetSpec, ScenarioSpec, Traffic};
use super::meter::{Gauge, Meter};
use super::open::Open;
use super::pacer::Timer;
use super::schedule::Curve;
use super::stats::Stats;
use super::tick::WorkerTick;
use super::work::{Bench, Plan, Work};
use crate::session::record::{ScenarioState, ScenarioTick};

/// How often the probe of the event loop wakes.
const PROBE: Nanos = 10_000_000;

/// How often a draining worker looks whether it is done.
const DRAIN_POLL: Nanos = 5_000_000;

/// What a worker is made of before its thread runs.
pub(super) struct Job<P> {
    pub index: usize,
    pub spec: Arc<FleetSpec<P>>,
    /// By scenario.
    pub quotas: Vec<Option<Arc<Quota>>>,
    pub clock: Clock,
    pub commands: UnboundedReceiver<Command>,
    pub sink: UnboundedSender<WorkerTick>,
}

/// A worker at work. Its tasks live in the runtime: when that is dropped, so are they, and what they had under way is
/// counted as unfinished; after that [`Worker::finish`] closes the books.
pub(super) struct Worker {
    meter: Rc<Meter>,
    executors: Vec<Rc<dyn Executor>>,
    /// The tasks that pace the executors.
    tasks: Vec<JoinHandle<()>>,
    commands: UnboundedReceiver<Command>,
    /// The bound of the drain, once it was asked for.
    until: Option<Nanos>,
}

impl Worker {
    /// Puts the tasks of all scenarios on the current runtime.
    pub fn start<P: Plan>(job: Job<P>, timer: &Rc<Timer>) -> Self {
        let spec = &job.spec;
        let stats = Stats::new(spec.steps, spec.redactor.clone());
        let length = (spec.tick.as_nanos() as Nanos).max(1);
        let meter = Meter::new(job.index, length, Rc::clone(timer), stats, job.sink);
        let mut tasks = Vec::new();
        let executors = (0..)
            .zip(spec.scenarios.iter().zip(job.quotas))
            .map(|(index, (scenario, quota))| {
                let executor = match part(job.index, index, spec.workers, scenario) {
                    Some(part) => {
                        let bench = Bench {
                            work: scenario.plan.open(part, job.clock),
                            meter: Rc::clone(&meter),
                            part,
                        };
                        let seed = mix(spec.seed ^ mix(index as u64));
                        let (executor, task) = launch(bench, scenario, quota, seed);
                        tasks.push(task);
                        executor
                    }
                    None => Rc::new(Absent {
                        open: matches!(scenario.traffic, Traffic::Open { .. }),
                        orders: Orders::default(),
                    }),
                };
                let gauge: Rc<dyn Gauge> = executor.clone();
                meter.watch(Rc::downgrade(&gauge));
                executor
            })
            .collect();
        spawn_local(probe(Rc::clone(&meter)));
        Self {
            meter,
            executors,
            tasks,
            commands: job.commands,
            until: None,
        }
    }

    /// Obeys commands and closes intervals until a drain is over.
    pub async fn serve(&mut self) {
        loop {
            self.fail_with_tasks().await;
            let now = self.meter.now();
            self.meter.close_until(now);
            let mut wake = self.meter.boundary() + 1;
            if let Some(until) = self.until {
                if now >= until || self.executors.iter().all(|executor| executor.is_idle()) {
                    return;
                }
                wake = wake.min(until).min(now + DRAIN_POLL);
            }
            tokio::select! {
                biased;
                command = self.commands.recv(), if self.until.is_none() || !self.commands.is_closed() => {
                    // Without an engine there is nobody to work for.
                    self.obey(command.unwrap_or(Command::Drain { until: 0 }));
                }
                () = self.meter.sleep_until(wake) => {
                    self.executors.iter().for_each(|executor| executor.look_after());
                }
            }
        }
    }

    /// Panics when a pacing task has: a worker that puts no load must not look as if it did.
    async fn fail_with_tasks(&mut self) {
        let Some(place) = self.tasks.iter().position(JoinHandle::is_finished) else {
            return;
        };
        if let Err(error) = self.tasks.swap_remove(place).await
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }

    fn obey(&mut self, command: Command) {
        let executor = |scenario: usize| self.executors.get(scenario);
        match command {
            Command::SetCurve {
                scenario,
                at,
                curve,
            } => {
                executor(scenario)
                    .inspect(|executor| executor.set_curve(at, self.meter.now(), &curve));
            }
            Command::Start { scenario, at } => {
                executor(scenario).inspect(|executor| executor.start(at));
            }
            Command::Stop { scenario, at } => {
                executor(scenario).inspect(|executor| executor.stop(at));
            }
            Command::Drain { until } => {
                let now = self.meter.now();
                self.executors
                    .iter()
                    .for_each(|executor| executor.drain(now));
                self.until = Some(self.until.map_or(until, |earlier| earlier.min(until)));
            }
        }
    }

    /// Reports what is left; call it after the runtime has dropped the tasks.
    pub fn finish(self) {
        self.meter.finish();
    }
}

/// This worker's part of a scenario. A scenario whose `max_in_flight` is smaller than the number of workers has fewer
/// parts, since a part that may hold nothing would drop its arrivals; first parts go round the workers.
fn part<P>(
    worker: usize,
    index: usize,
    workers: usize,
    scenario: &ScenarioSpec<P>,
) -> Option<Part> {
    let of = match scenario.traffic {
        Traffic::Open { max_in_flight, .. } => workers.min(max_in_flight as usize).max(1),
        Traffic::Closed { .. } => workers,
    };
    let place = (worker + index) % workers.max(1);
    (place < of).then_some(Part {
        index: place as u64,
        of: of as u64,
    })
}

/// Starts the task of one scenario.
fn launch<W: Work, P>(
    bench: Bench<W>,
    scenario: &ScenarioSpec<P>,
    quota: Option<Arc<Quota>>,
    seed: u64,
) -> (Rc<dyn Executor>, JoinHandle<()>) {
    let orders = Orders::new(scenario.curve.clone(), scenario.running);
    match scenario.traffic {
        Traffic::Open {
            arrivals,
            max_in_flight,
        } => {
            let part = bench.part;
            let arrivals = Arrivals::new(orders.curve(), arrivals, seed, part);
            let limit = part.share(u64::from(max_in_flight));
            let open = Open::new(bench, arrivals, limit, orders);
            let task = spawn_local(Rc::clone(&open).run());
            (open, task)
        }
        Traffic::Closed { .. } => {
            let closed = Closed::new(bench, quota, orders);
            let task = spawn_local(Rc::clone(&closed).run());
            (closed, task)
        }
    }
}

/// Measures how late a periodic wake comes, which is how long the event loop did not come round.
async fn probe(meter: Rc<Meter>) {
    loop {
        let due = meter.now() + PROBE;
        meter.sleep_until(due).await;
        meter.lag(meter.now().saturating_sub(due));
    }
}

/// A scenario of which this worker has no part.
struct Absent {
    open: bool,
    orders: Orders,
}

impl Gauge for Absent {
    fn snapshot(&self, _at: Nanos) -> ScenarioTick {
        ScenarioTick {
            state: ScenarioState::Done,
            ..ScenarioTick::default()
        }
    }

    fn is_open(&self) -> bool {
        self.open
    }
}

impl Executor for Absent {
    fn orders(&self) -> &Orders {
        &self.orders
    }

    fn follow(&self, _at: Nanos, _curve: &Curve) {}

    fn is_idle(&self) -> bool {
        true
    }
}
