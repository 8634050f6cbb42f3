//! Watching, on a thread of its own: scrapes targets, evaluates gauges, asks for alerts.
//!
//! ```text
//!   tasks, one an endpoint ──┐                    ┌──▶ Observed, once a tick ──▶ engine
//!   tasks, one a server ─────┼─▶ core: instances, │
//!   files of endpoints ──────┘   recorded, gauges ┘◀── Ask ── engine
//! ```
//!
//! In: targets and gauges of a profile. Out: once a tick, what goes into the session. The invariant: nothing that a
//! target does holds up the window. The engine takes what is there and never waits; what it has not taken yet is kept
//! and handed over with the next.

mod core;
mod setup;
mod tasks;

use std::io;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::profile::model::{Gauge, Target};
use crate::session::record::{GaugePlan, Happening, Names, Number, ScrapeTick};

/// How long before the end of a tick gauges are evaluated, so that they are in the record of this tick.
const LEAD: Duration = Duration::from_millis(50);

/// What is to be watched.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The targets of the profile.
    pub targets: Vec<Target>,
    /// Its gauges.
    pub gauges: Vec<Gauge>,
    /// When the window begins.
    pub began: Instant,
    /// Wall clock then, µs since the Unix epoch.
    pub wall: u64,
    /// Length of a tick.
    pub tick: Duration,
}

/// What was seen since the last one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    /// Names that are longer than before, with all that were before; absent when nothing is new.
    pub names: Option<Names>,
    /// Scrapes that ended.
    pub scrapes: Vec<ScrapeTick>,
    /// Series of gauges that changed.
    pub series: Vec<(usize, Option<Number>)>,
    /// The moment for which gauges were evaluated, µs since the window began.
    pub gauged: Option<u64>,
    /// What happened.
    pub happenings: Vec<Seen>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// When it was seen, µs since the window began.
    pub at: u64,
    /// Who did it: `user@host`.
    pub by: Option<String>,
    /// What.
    pub what: Happening,
}

impl Observed {
    /// Adds what was seen after it.
    pub fn extend(&mut self, later: Self) {
        self.names = later.names.or(self.names.take());
        self.scrapes.extend(later.scrapes);
        self.series.extend(later.series);
        self.gauged = later.gauged.or(self.gauged);
        self.happenings.extend(later.happenings);
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What can be asked of it while it runs. A reply that nobody waits for any more is dropped.
#[derive(Debug)]
pub enum Ask {
    /// Names of scraped series that hold all of these words, recorded or not, a limited number of them; and how many
    /// more there are.
    Find {
        /// Words, separated by blanks; in any order.
        text: String,
        /// The names, as Prometheus writes them.
        reply: oneshot::Sender<(Vec<String>, usize)>,
    },
    /// Show the gauges of the sets that fit a target, from now on.
    Gauges {
        /// Its place in the profile.
        target: usize,
        /// Who asks: `user@host`.
        by: Option<String>,
        /// What is shown, in a sentence, or why nothing is.
        reply: oneshot::Sender<Result<String, String>>,
    },
    /// Show an expression as a gauge from now on.
    Pin {
        /// The expression; also the gauge's name.
        expr: String,
        /// Who asks: `user@host`.
        by: Option<String>,
        /// The gauge, or what is wrong with the expression.
        reply: oneshot::Sender<Result<GaugePlan, String>>,
    },
}

/// The thread.
#[derive(Debug)]
pub struct Watch {
    asks: mpsc::UnboundedSender<Ask>,
    observed: mpsc::Receiver<Observed>,
    thread: Option<JoinHandle<()>>,
}

/// Why targets cannot be watched: sentences.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the targets cannot be watched:\n  {}", .0.join("\n  "))]
pub struct WatchError(pub Vec<String>);

/// Tries everything that can be wrong with targets and gauges, and scrapes nothing.
///
/// # Errors
/// With every mistake.
pub fn check(targets: &[Target], gauges: &[Gauge]) -> Result<(), WatchError> {
    setup::Setup::new(targets, gauges).map(|_| ())
}

impl Watch {
    /// Starts the thread.
    ///
    /// # Errors
    /// As [`check`], or when the system refuses a thread.
    pub fn start(spec: Spec) -> Result<Self, WatchError> {
        let setup = setup::Setup::new(&spec.targets, &spec.gauges)?;
        let refused = |error: io::Error| {
            WatchError(vec![format!(
                "the system refused a thread for scraping: {error}"
            )])
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(refused)?;
        let (asks, asked) = mpsc::unbounded_channel();
        let (sender, observed) = mpsc::channel(1);
        let thread = std::thread::Builder::new()
            .name("watch".into())
            .spawn(move || {
                runtime.block_on(core::Core::new(spec, setup).run(asked, sender));
                // Requests that nobody waits for any more, and reads of files that hang, are left behind.
                runtime.shutdown_background();
            })
            .map_err(refused)?;
        Ok(Self {
            asks,
            observed,
            thread: Some(thread),
        })
    }

    /// What was seen; waits for the end of the tick. Never gives anything any more once the thread has ended.
    pub async fn observed(&mut self) -> Observed {
        match self.observed.recv().await {
            Some(observed) => observed,
            None => std::future::pending().await,
        }
    }

    /// Whether the thread has ended by itself, which it never should: it panicked.
    pub fn is_dead(&self) -> bool {
        self.thread.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// Asks it something.
    pub fn ask(&self, ask: Ask) {
        // A thread that has panicked drops the reply with the question.
        let _ = self.asks.send(ask);
    }
}

/// Ends the thread and waits for it, which takes no longer than a look at what came last.
impl Drop for Watch {
    fn drop(&mut self) {
        let (closed, _) = mpsc::unbounded_channel();
        self.asks = closed;
        self.observed.close();
        if let Some(thread) = self.thread.take() {
            // A panic was said on standard error already.
            let _ = thread.join();
        }
    }
}
