//! Journeys over real connections, to a server that answers what its path says.

use std::path::Path;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc;
use tokio::task::spawn_local;

use super::*;
use crate::load::pacer::Timer;
use crate::load::stats::Stats;
use crate::load::tick::WorkerTick;
use crate::profile::Redactor;
use crate::profile::{self, Options};
use crate::session::record::ErrorKind;

const MS: Nanos = 1_000_000;

/// Steps of the journey below.
const FIRST: usize = 0;
const LAST: usize = 2;

/// `/status/N` is answered with that status; `/held` is read and never answered.
async fn serve(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        spawn_local(answer(BufReader::new(stream)));
    }
}

async fn answer(mut stream: BufReader<TcpStream>) {
    let mut line = String::new();
    let mut path = None;
    while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
        path = path.or_else(|| Some(line.split(' ').nth(1)?.to_owned()));
        if line == "\r\n" {
            let asked: Option<String> = path.take();
            if let Some(status) = asked
                .as_deref()
                .and_then(|path| path.strip_prefix("/status/"))
            {
                let head = format!("HTTP/1.1 {status} .\r\ncontent-length: 2\r\n\r\nhi");
                stream.write_all(head.as_bytes()).await.unwrap();
            }
        }
        line.clear();
    }
}

/// One worker's part of a scenario with one journey of three steps, and its books.
struct Rig {
    work: HttpWork,
    meter: Rc<Meter>,
    reports: mpsc::UnboundedReceiver<WorkerTick>,
}

impl Rig {
    /// The second step asks for this.
    async fn new(second: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        spawn_local(serve(listener));
        let text = format!(
            r#"
[window]
name = "test"
duration = "1m"
[[scenario]]
name = "s"
target = "http://{address}"
rate = "1/s"
journeys = [{{ name = "j" }}]
[[journey]]
name = "j"
steps = [
  {{ name = "first", get = "/status/200" }},
  {{ name = "second", {second} }},
  {{ name = "last", get = "/status/201", expect = {{ status = 201 }} }},
]
"#
        );
        let profile = profile::parse(&text, Path::new("."), &Options::default()).unwrap();
        let scenario = &profile.scenarios[0];
        let plan = Arc::new(HttpPlan::new(
            scenario,
            TransportPlan::compile(scenario, &[]).unwrap(),
            Arc::new(Program::compile(&profile, 0, 0).unwrap()),
            Arc::new(Feeds::load(&profile).unwrap()),
            1,
        ));
        let clock = Clock::start();
        let timer = Timer::new(clock).unwrap();
        spawn_local(Rc::clone(&timer).drive());
        let (sink, reports) = mpsc::unbounded_channel();
        let stats = Stats::new(3, Redactor::default());
        // One interval holds the whole test.
        let meter = Meter::new(0, 3_600_000 * MS, timer, stats, sink);
        Self {
            work: plan.open(Part { index: 0, of: 1 }, clock),
            meter,
            reports,
        }
    }

    /// Lets time pass until `due` is this long ago.
    async fn wait_past(&self, due: Nanos, by: Nanos) {
        self.meter.sleep_until(due + by).await;
    }

    async fn journey(&self, due: Nanos) -> Outcome {
        let mut actor = self.work.actor(0);
        let turn = Turn { number: 0, due };
        self.work.journey(&mut actor, turn, &self.meter).await
    }

    /// What was counted.
    fn books(mut self) -> WorkerTick {
        self.meter.finish();
        self.reports.try_recv().unwrap()
    }
}

fn run<F: Future>(test: F) -> F::Output {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default());
    runtime.unwrap().block_on(test)
}

/// A step, its requests, and how many of them failed and how.
type Reported = (usize, u64, Vec<(ErrorKind, u64)>);

/// The steps that reported.
fn steps(books: &WorkerTick) -> Vec<Reported> {
    let steps = books.interval.steps.iter();
    steps
        .map(|step| {
            let errors = step.errors.iter().map(|(&kind, &count)| (kind, count));
            (step.step, step.requests, errors.collect())
        })
        .collect()
}

#[test]
fn response_time_runs_from_when_the_request_was_due_and_later_steps_from_their_own_time() {
    run(async {
        let rig = Rig::new("get = \"/status/200\"").await;
        let due = rig.meter.now();
        rig.wait_past(due, 80 * MS).await;
        let outcome = rig.journey(due).await;
        assert!(outcome.sent && outcome.done > due + 80 * MS);
        let total = (outcome.done - due) / 1000;
        let books = rig.books();
        assert_eq!(steps(&books).len(), 3);
        let step = |index: usize| &books.interval.steps[index];
        let response = step(FIRST).response.max();
        let service = step(FIRST).service().max();
        assert!(response >= 80_000, "{response}");
        assert!(service + 79_000 <= response, "{service} of {response}");
        // The wait of the first step is not counted once more.
        let rest = step(1).response.max() + step(LAST).response.max();
        assert!(
            response + rest <= total + total / 100,
            "{response} {rest} {total}"
        );
    });
}

#[test]
fn a_step_that_fails_ends_the_journey_unless_it_is_optional() {
    run(async {
        let rig = Rig::new("get = \"/status/500\"").await;
        rig.journey(0).await;
        let failed = vec![(ErrorKind::Status5xx, 1)];
        let books = rig.books();
        assert_eq!(steps(&books), [(0, 1, vec![]), (1, 1, failed.clone())]);
        let sample = &books.interval.samples[0];
        assert_eq!((sample.status, sample.body.as_str()), (Some(500), "hi"));

        let rig = Rig::new("get = \"/status/500\", optional = true").await;
        rig.journey(0).await;
        let books = rig.books();
        assert_eq!(
            steps(&books),
            [(0, 1, vec![]), (1, 1, failed), (2, 1, vec![])]
        );
    });
}

#[test]
fn the_parts_of_a_slow_request_add_up_to_its_response_time() {
    run(async {
        let rig = Rig::new("get = \"/status/200\"").await;
        let due = rig.meter.now();
        rig.wait_past(due, 30 * MS).await;
        rig.journey(due).await;
        let books = rig.books();
        assert_eq!(books.interval.slow.len(), 3);
        for slow in &books.interval.slow {
            let sum: u64 = slow.split.iter().sum();
            assert!(slow.response.abs_diff(sum) <= 5, "{slow:?}");
        }
        let first = books.interval.slow.iter().find(|slow| slow.step == FIRST);
        let [wait, connect, tls, first_byte, _] = first.unwrap().split;
        assert!(wait >= 30_000 && connect > 0 && first_byte > 0);
        assert_eq!(tls, 0);
    });
}

#[test]
fn a_request_that_is_cut_off_is_counted_with_what_it_had_lasted() {
    run(async {
        let rig = Rig::new("get = \"/held\"").await;
        let due = rig.meter.now();
        {
            let journey = rig.journey(due);
            let mut journey = std::pin::pin!(journey);
            tokio::select! {
                _ = &mut journey => panic!("nobody answers"),
                () = rig.wait_past(due, 60 * MS) => {}
            }
        }
        let books = rig.books();
        let unfinished = vec![(ErrorKind::Unfinished, 1)];
        assert_eq!(steps(&books), [(0, 1, vec![]), (1, 1, unfinished)]);
        let held = &books.interval.steps[1];
        let before = books.interval.steps[0].response.max();
        assert!(held.response.max() + before >= 59_000);
        assert_eq!(held.response.count(), 1);
    });
}

#[test]
fn a_step_that_nobody_listens_to_is_an_error_and_was_not_sent() {
    run(async {
        let rig = Rig::new("get = \"/status/200\"").await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let mut plan = HttpPlan {
            transport: Arc::clone(&rig.work.plan.transport),
            program: Arc::clone(&rig.work.plan.program),
            feeds: Arc::clone(&rig.work.plan.feeds),
            ..*rig.work.plan
        };
        let text = format!(
            "[window]\nduration = \"1m\"\n[[scenario]]\nname = \"s\"\ntarget = \"http://{address}\"\nrate = \"1/s\"\nget = \"/\"\n"
        );
        let profile = profile::parse(&text, Path::new("."), &Options::default()).unwrap();
        plan.transport = TransportPlan::compile(&profile.scenarios[0], &[]).unwrap();
        let work = Arc::new(plan).open(Part { index: 0, of: 1 }, Clock::start());
        let rig = Rig { work, ..rig };
        let outcome = rig.journey(0).await;
        assert!(!outcome.sent);
        let refused = vec![(ErrorKind::Refused, 1)];
        assert_eq!(steps(&rig.books()), [(0, 1, refused)]);
    });
}
