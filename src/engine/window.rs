//! The loop of a window: gathers what the workers report, writes it down, watches the gates, moves the conductor.

mod breaking;
mod calls;
mod ledgers;
mod progress;
mod ticks;
mod watching;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc::UnboundedReceiver;

use self::ledgers::Ledgers;
pub use self::progress::{Left, Progress};
use super::bottleneck::Causes;
use super::command::{Call, Command, Order};
use super::conductor::{Action, Conductor};
use super::faults::Faults;
use super::gates::Gates;
use super::metrics::{self, Metrics};
use super::plan;
use super::prepare::Prepared;
use super::process::Meter;
use super::recorder::Recorder;
use super::signals::Signals;
use super::sleep::Sleep;
use crate::fault::driver::Touched;
use crate::fault::keeper::Keeper;
use crate::history::History;
use crate::load::clock::{Clock, Nanos};
use crate::load::fleet::{self, Fleet};
use crate::load::http_work::HttpPlan;
use crate::load::work::Plan;
use crate::profile::Profile;
use crate::scrape::watch::{self, Observed, Watch};
use crate::session::record::{End, EndReason, Event, Happening, Key, Record, VERSION};
use crate::session::{AppendError, Writer};

/// Time that the workers get to be ready before the window's clock starts.
const SETTLE: Duration = Duration::from_millis(100);

/// Time past the bound of the drain after which workers that have not ended are left behind.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a window needs.
pub struct Spec<P = HttpPlan> {
    /// What to do.
    pub profile: Profile,
    /// The same, ready to begin.
    pub prepared: Prepared<P>,
    /// The session file.
    pub writer: Writer,
    /// Who started it: `user@host`.
    pub by: String,
    /// Orders from people while it runs.
    pub orders: UnboundedReceiver<Call>,
    /// Where to serve the engine's own metrics, if anywhere.
    pub metrics: Option<metrics::Listener>,
    /// Does the faults of the profile, if it has any.
    pub keeper: Option<Keeper>,
}

/// How a window ended.
#[derive(Debug)]
pub struct Finished {
    /// The fold of everything that was recorded.
    pub history: History,
    /// The hash of the session's last frame, or why it could not be closed whole.
    pub recording: Result<String, AppendError>,
}

/// Why a window could not run.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The targets cannot be watched.
    #[error(transparent)]
    Watch(#[from] watch::WatchError),
    /// The system refused a thread, a timer or a signal handler.
    #[error("the system refused {what}: {source}")]
    System {
        /// What was asked of it.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
}

/// Runs a window to its end. `show` is called once a tick and must not block.
///
/// # Errors
/// When the window could not begin. Once it has begun it ends in [`Finished`], whatever happens.
pub fn run<P: Plan>(
    spec: Spec<P>,
    mut show: impl FnMut(&Progress<'_>),
) -> Result<Finished, EngineError> {
    let refused = |what| move |source| EngineError::System { what, source };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(refused("an event loop"))?;
    runtime.block_on(async {
        let signals = Signals::take().map_err(refused("a signal handler"))?;
        let window = Window::open(spec)?;
        Ok(window.conduct(signals, &mut show).await)
    })
}

struct Window {
    profile: Profile,
    clock: Clock,
    conductor: Conductor,
    fleet: Fleet,
    recorder: Recorder,
    history: History,
    metrics: Option<Metrics>,
    gates: Gates,
    meter: Meter,
    sleep: Sleep,
    recorder_cpu: Duration,
    causes: Causes,
    /// Scrapes targets, when there are any.
    watch: Option<Watch>,
    /// What it saw, for the next tick.
    observed: Observed,
    /// Which faults are on, due, and allowed.
    faults: Faults,
    /// Does and undoes them.
    keeper: Option<Keeper>,
    /// What each of them has touched so far.
    touched: BTreeMap<usize, Touched>,
    orders: UnboundedReceiver<Call>,
    /// What was written, to be read back.
    ledgers: Ledgers,
    reason: EndReason,
    drain_until: Option<Nanos>,
    /// Journeys in all, where every scenario has a fixed number of them.
    work: Option<u64>,
}

impl Window {
    /// Makes the session file and the workers; the clock starts when both are ready.
    fn open<P: Plan>(spec: Spec<P>) -> Result<Self, EngineError> {
        let Spec {
            profile,
            prepared,
            writer,
            by,
            orders,
            metrics,
            keeper,
        } = spec;
        let workers = prepared.spec.workers;
        let recorder = Recorder::start(writer).map_err(|source| EngineError::System {
            what: "a thread for the recording",
            source,
        })?;
        let clock = Clock::starting_at(Instant::now() + SETTLE);
        let mut window = plan::window(&profile, &by, workers, wall(), prepared.warnings);
        window.metrics = metrics
            .as_ref()
            .map(|listener| listener.address().to_string());
        let metrics = metrics
            .map(|listener| Metrics::start(listener, recorder.path()))
            .transpose()
            .map_err(|source| EngineError::System {
                what: "a thread for the metrics",
                source,
            })?;
        let watch = watching::start(&profile, clock, window.wall)?;
        let mut this = Self {
            conductor: Conductor::new(&profile),
            fleet: Fleet::start(prepared.spec, clock).map_err(|source| EngineError::System {
                what: "a worker thread",
                source,
            })?,
            clock,
            recorder,
            history: History::without_rollups(),
            metrics,
            gates: Gates::new(&window.gates),
            meter: Meter::start(),
            sleep: Sleep::watch(),
            recorder_cpu: Duration::ZERO,
            causes: Causes::default(),
            watch,
            observed: Observed::default(),
            faults: Faults::new(&profile),
            keeper,
            touched: BTreeMap::new(),
            orders,
            ledgers: Ledgers::new(prepared.ledgers, profile.window.seed),
            reason: EndReason::Finished,
            drain_until: None,
            work: plan::work(&profile),
            profile,
        };
        if let Some(address) = &window.metrics {
            tracing::info!(%address, "metrics are served");
        }
        tracing::info!(window = %window.name, workers, session = %this.recorder.path().display(), "the window begins");
        let key = Key {
            v: VERSION,
            names: plan::names(&this.profile),
            ..Key::default()
        };
        let key = Record::Key(key);
        this.history.apply(&key);
        if let Some(metrics) = &mut this.metrics {
            metrics.apply(&key);
        }
        this.put(Record::Window(Box::new(window)));
        this.publish();
        Ok(this)
    }

    async fn conduct(
        mut self,
        mut signals: Signals,
        show: &mut dyn FnMut(&Progress<'_>),
    ) -> Finished {
        let actions = self.conductor.begin();
        self.act(actions);
        let mut orders_open = true;
        let ended = loop {
            let change = self
                .conductor
                .next_change()
                .into_iter()
                .chain(self.faults.next_change())
                .min()
                .map(|at| self.clock.instant(at).into());
            let patience_ends = self.patience_ends();
            tokio::select! {
                tick = self.fleet.tick() => {
                    let Some(tick) = tick else { break true };
                    let last = tick.last;
                    self.on_tick(tick);
                    self.publish();
                    show(&self.progress());
                    if last { break true }
                }
                () = sleep_until(patience_ends) => break false,
                () = sleep_until(change) => {
                    let actions = self.conductor.advance(self.clock.now());
                    self.act(actions);
                    self.advance_faults();
                }
                order = self.orders.recv(), if orders_open => match order {
                    Some(call) => self.on_call(call),
                    None => orders_open = false,
                },
                observed = watching::next(&mut self.watch) => self.on_observed(observed),
                seen = breaking::next(&mut self.keeper) => self.on_seen(seen),
                signal = signals.next() => self.on_signal(signal),
            }
        };
        self.part(ended);
        self.settle_faults(&mut signals).await;
        self.read_back(&mut signals).await;
        self.close()
    }

    /// When workers that should have drained are given up.
    fn patience_ends(&self) -> Option<tokio::time::Instant> {
        let until = self.drain_until?.saturating_add(nanos(PATIENCE));
        Some(self.clock.instant(until).into())
    }

    /// Parts with the fleet. Workers that have not ended are not waited for: they end with the process.
    fn part(&mut self, ended: bool) {
        if ended {
            let dead = self.fleet.join();
            self.on_deaths(&dead);
        } else {
            let text = "load workers did not end: what they had under way is not in the recording";
            self.warn(text.into());
        }
    }
}

impl Window {
    /// A worker that panicked puts no load, and what it knew is lost: the window cannot mean what it should any more.
    fn on_deaths(&mut self, dead: &[usize]) {
        for worker in dead {
            let text = format!("load worker {worker} panicked: what it had under way is lost");
            self.warn(text.clone());
            let actions = self.conductor.abort(text, self.clock.now());
            self.act(actions);
        }
    }

    fn warn(&mut self, text: String) {
        tracing::error!("{text}");
        self.note(None, Happening::Warning { text });
    }

    /// The first signal ends the window gracefully, the next one without waiting for what is in flight.
    fn on_signal(&mut self, name: &'static str) {
        if self.drain_until.is_some() {
            self.drain(Duration::ZERO);
            return;
        }
        let end = Command::End {
            text: format!("received {name}"),
        };
        // Refused only when the window is over already.
        let _ = self.on_order(Order {
            by: None,
            command: end,
        });
    }

    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Curve {
                    scenario,
                    at,
                    curve,
                } => {
                    self.fleet.send(&fleet::Command::SetCurve {
                        scenario,
                        at,
                        curve: Arc::new(curve),
                    });
                }
                Action::Start { scenario, at } => {
                    self.fleet.send(&fleet::Command::Start { scenario, at });
                }
                Action::Stop { scenario, at } => {
                    self.fleet.send(&fleet::Command::Stop { scenario, at });
                }
                Action::Record { by, what } => {
                    if let Happening::Stop { reason, .. } = &what {
                        self.reason = *reason;
                    }
                    let begun = match &what {
                        Happening::Phase { phase } => Some(*phase),
                        _ => None,
                    };
                    self.note(by, what);
                    if let Some(phase) = begun {
                        let acts = self.faults.enter_phase(phase, self.clock.now());
                        self.break_(acts);
                    }
                }
                Action::End => self.drain(self.profile.window.drain),
                Action::Abort => self.drain(Duration::ZERO),
            }
        }
    }

    /// Brings back what is broken first, then ends the load.
    fn drain(&mut self, bound: Duration) {
        let acts = self.faults.end();
        self.break_(acts);
        let until = self.clock.now() + nanos(bound);
        self.drain_until = Some(until);
        self.fleet.send(&fleet::Command::Drain { until });
    }

    fn note(&mut self, by: Option<String>, what: Happening) {
        tracing::info!(?what, by = by.as_deref(), "event");
        let at = self.clock.now() / 1000;
        self.put(Record::Event(Event {
            at,
            wall: wall(),
            by,
            what,
        }));
    }

    /// The same record goes to the file and to the live history, so that both come to the same judgement.
    fn put(&mut self, record: Record) {
        self.history.apply(&record);
        if let Some(metrics) = &mut self.metrics {
            metrics.apply(&record);
        }
        self.recorder.record(record);
    }

    fn close(mut self) -> Finished {
        let end = End {
            at: self.clock.now() / 1000,
            wall: wall(),
            reason: self.reason,
            lost: self.recorder.lost(),
        };
        self.history.apply(&Record::End(end.clone()));
        if let Some(metrics) = &mut self.metrics {
            metrics.publish_last(end.lost);
        }
        tracing::info!(reason = ?self.reason, lost = end.lost, "the window ends");
        Finished {
            recording: self.recorder.close(end),
            history: self.history,
        }
    }
}

async fn sleep_until(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn nanos(duration: Duration) -> Nanos {
    Nanos::try_from(duration.as_nanos()).unwrap_or(Nanos::MAX)
}

/// The wall clock, µs since the Unix epoch.
fn wall() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, plan::micros)
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
