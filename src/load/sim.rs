//! For tests: a fleet in simulated time, with work of known latency.
//!
//! Time stands still while any task can run and jumps to the next sleeper's moment when none can, so that a minute of
//! load takes milliseconds and every run gives the same numbers, however busy the machine is.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc;
use tokio::task::spawn_local;

use super::arrivals::Part;
use super::clock::{Clock, Nanos};
use super::fleet::{Command, FleetSpec, ScenarioSpec, Traffic, quotas};
use super::http::Failure;
use super::meter::{Meter, Outlet, Underway};
use super::pacer::Timer;
use super::schedule::Curve;
use super::stats::Observation;
use super::tick::{FleetTick, Gather};
use super::work::{Outcome, Plan, Turn, Work};
use super::worker::{Job, Worker};
use crate::profile::Redactor;
use crate::session::Hist;
use crate::session::record::ErrorKind;

pub const MS: Nanos = 1_000_000;
pub const S: Nanos = 1_000_000_000;

thread_local! {
    static TIME: RefCell<Option<Rc<Timer>>> = const { RefCell::new(None) };
}

/// Work of one step with a known latency.
#[derive(Debug, Clone, Copy)]
pub struct Fake {
    /// Time from sent to done.
    pub service: Nanos,
    /// Nothing is answered between these moments: what is sent then, or would be answered then, waits for the end.
    pub stall: (Nanos, Nanos),
    /// Pause between journeys.
    pub think: Nanos,
    /// How many can be sent at a time on each worker, like a pool of connections.
    pub lanes: usize,
    /// Requests cannot be sent at all.
    pub unsendable: bool,
    /// The worker panics when it closes an interval.
    pub panics: bool,
}

impl Fake {
    pub fn taking(service: Nanos) -> Self {
        Self {
            service,
            stall: (0, 0),
            think: 0,
            lanes: usize::MAX >> 4,
            unsendable: false,
            panics: false,
        }
    }
}

#[derive(Debug)]
pub struct FakeWork {
    fake: Fake,
    lanes: tokio::sync::Semaphore,
}

impl Plan for Fake {
    type Work = FakeWork;

    fn open(self: &Arc<Self>, _part: Part, _clock: Clock) -> FakeWork {
        FakeWork {
            fake: **self,
            lanes: tokio::sync::Semaphore::new(self.lanes),
        }
    }
}

#[derive(Debug, Default)]
pub struct FakeActor {
    sent: Cell<Option<Nanos>>,
}

impl Outlet for FakeActor {
    fn last_sent(&self) -> Option<Nanos> {
        self.sent.get()
    }
}

impl Work for FakeWork {
    type Actor = FakeActor;

    fn actor(&self, _number: u64) -> FakeActor {
        FakeActor::default()
    }

    async fn journey(&self, actor: &mut FakeActor, turn: Turn, meter: &Meter) -> Outcome {
        if self.fake.unsendable {
            let failure = Failure {
                kind: ErrorKind::Refused,
                detail: "refused".into(),
                status: None,
                body: Bytes::new(),
            };
            let done = meter.unsent(0, turn.due, &failure);
            return Outcome { done, sent: false };
        }
        actor.sent.set(None);
        let mut underway = Underway::new(meter, actor, 0, turn.due);
        let lane = self.lanes.acquire().await.unwrap();
        let sent = meter.now();
        underway.outlet().sent.set(Some(sent));
        let (from, to) = self.fake.stall;
        let mut done = sent + self.fake.service;
        if done >= from && sent < to {
            done = done.max(to);
        }
        meter.sleep_until(done).await;
        underway.settle();
        drop(lane);
        meter.record(&Observation {
            step: 0,
            due: turn.due,
            sent: Some(sent),
            done,
            status: Some(200),
            error: None,
            bytes_in: 1,
            bytes_out: 1,
        });
        Outcome { done, sent: true }
    }

    fn pause(&self, _actor: &mut FakeActor) -> Duration {
        Duration::from_nanos(self.fake.think)
    }

    fn connections(&self) -> u64 {
        assert!(!self.fake.panics, "as asked");
        0
    }
}

pub fn scenario(fake: Fake, traffic: Traffic, curve: Curve) -> ScenarioSpec<Fake> {
    ScenarioSpec {
        plan: Arc::new(fake),
        traffic,
        curve,
        running: true,
    }
}

pub fn fleet(workers: usize, scenarios: Vec<ScenarioSpec<Fake>>) -> FleetSpec<Fake> {
    FleetSpec {
        workers,
        cpus: Vec::new(),
        tick: Duration::from_secs(1),
        seed: 42,
        steps: 1,
        scenarios,
        redactor: Redactor::default(),
    }
}

/// Runs a fleet to its end. The script is given to every worker at its moments; at the last of them must be a drain.
pub fn simulate(spec: FleetSpec<Fake>, script: &[(Nanos, Command)]) -> Vec<FleetTick> {
    let spec = Arc::new(spec);
    let quotas = quotas(&spec);
    let (sink, mut reports) = mpsc::unbounded_channel();
    let mut gather = Gather::new(spec.workers);
    for index in 0..spec.workers {
        let (sender, commands) = mpsc::unbounded_channel();
        let job = Job {
            index,
            spec: Arc::clone(&spec),
            quotas: quotas.clone(),
            clock: Clock::start(),
            commands,
            sink: sink.clone(),
        };
        run_worker(job, sender, script.to_vec());
    }
    let mut ticks = Vec::new();
    while let Ok(report) = reports.try_recv() {
        gather.offer(report);
    }
    while ticks.last().is_none_or(|tick: &FleetTick| !tick.last) {
        ticks.push(gather.take(ticks.len() as u64 + 1));
    }
    ticks
}

fn run_worker(
    job: Job<Fake>,
    sender: mpsc::UnboundedSender<Command>,
    script: Vec<(Nanos, Command)>,
) {
    let runtime = Builder::new_current_thread()
        .on_thread_park(|| TIME.with_borrow(|time| time.as_ref().unwrap().advance()))
        .build_local(LocalOptions::default())
        .unwrap();
    let timer = Timer::simulated();
    TIME.set(Some(Rc::clone(&timer)));
    let worker = runtime.block_on(async {
        let mut worker = Worker::start(job, &timer);
        spawn_local(async move {
            for (at, command) in script {
                timer.sleep_until(at).await;
                sender.send(command).unwrap();
            }
            std::future::pending::<()>().await;
        });
        worker.serve().await;
        worker
    });
    drop(runtime);
    worker.finish();
}

pub fn drain(at: Nanos, until: Nanos) -> (Nanos, Command) {
    (at, Command::Drain { until })
}

/// Response and service times of the whole run.
pub fn latencies(ticks: &[FleetTick]) -> (Hist, Hist) {
    let (mut response, mut service) = (Hist::new(), Hist::new());
    for step in ticks.iter().flat_map(|tick| &tick.steps) {
        response.merge(&step.response);
        service.merge(step.service());
    }
    (response, service)
}

/// Sum over the run of a count of the first scenario.
pub fn sum(
    ticks: &[FleetTick],
    count: impl Fn(&crate::session::record::ScenarioTick) -> u64,
) -> u64 {
    ticks.iter().map(|tick| count(&tick.scenarios[0])).sum()
}
