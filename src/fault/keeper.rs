//! The thread that does faults and undoes them, so that a hung command never holds up the load.
//!
//! In: orders by fault. Out: what became of them, in the order in which it happened. Each fault is a task of its own: one
//! that hangs on its way in is given up when it is ordered back, and keeps none of the others waiting.
//!
//! ```text
//! order: inject ─▶ prepare ─▶ journal, watchdog ─▶ session ─▶ inject ─▶ Active
//!                     │                              │          │ failed, or ordered back
//!                     ▼ nothing is broken            ▼          ▼
//!                  NotDone ◀─────────────────────────┴──── revert ─▶ Reverted, struck from the journal
//!                                                               └──▶ NotReverted, and again after a pause
//! ```

mod outstanding;
mod task;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::{JoinSet, LocalSet};

use super::driver::{Done, Driver, FaultError, Touched};
use super::drivers;
use super::proxy::Proxies;
use super::watchdog::BEAT;
use crate::profile::Profile;
use outstanding::{Outstanding, Post};

/// What is to be done with a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Break it. Nothing happens when it is broken already.
    Inject,
    /// Bring it back. Nothing happens when it is not broken.
    Revert,
}

/// What became of a fault.
#[derive(Debug)]
pub struct Seen {
    /// Its index in the profile.
    pub fault: usize,
    /// When.
    pub at: Instant,
    /// What.
    pub what: What,
}

/// A step of a fault on its way in, or out.
#[derive(Debug)]
pub enum What {
    /// How it will be brought back, as JSON without secrets. It goes in once the answer says that the session has it on
    /// the disk; no answer is wanted where the fault cannot outlive this process.
    Undo(String, Option<oneshot::Sender<bool>>),
    /// It is in place.
    Active(Done),
    /// It was ordered back before anything was done.
    CalledBack,
    /// It was not done, and nothing is left of the attempt.
    NotDone(FaultError),
    /// It is back.
    Reverted(Done),
    /// It may still be in place. The next try is after this pause.
    NotReverted(FaultError, Duration),
    /// What it has touched so far.
    Touched(Touched),
    /// The watchdog is gone, or took over: everything that is on is brought back. It is of no fault in particular.
    Unguarded(String),
}

/// Where faults that could outlive the engine are written down, and who guards them.
#[derive(Debug, Clone)]
pub struct Guard {
    /// The directory of sessions.
    pub sessions: PathBuf,
    /// Name of the session.
    pub session: String,
    /// Where the watchdog logs to.
    pub log: PathBuf,
    /// The stormdeck executable.
    pub program: PathBuf,
}

/// The faults of a profile, ready: proxies stand, nothing is broken.
#[derive(Debug)]
pub struct Keeper {
    orders: Option<UnboundedSender<(usize, Order)>>,
    seen: UnboundedReceiver<Seen>,
    begin: Option<oneshot::Sender<Guard>>,
    thread: Option<JoinHandle<()>>,
    /// On the path of others as long as this lives, whatever becomes of the thread.
    _proxies: Arc<Proxies>,
    ended: bool,
}

/// Why the faults of a profile are not ready.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// The system has no thread or event loop for them.
    #[error("the system refused a thread for the faults: {0}")]
    System(#[from] io::Error),
    /// What is wrong with them, in sentences.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  "))]
    Faults(Vec<FaultError>),
}

impl Keeper {
    /// Makes the faults of a profile ready, on a thread of its own.
    ///
    /// # Errors
    /// With everything that keeps them from being ready: a port that is taken, a process that cannot be looked for.
    pub fn open(profile: &Profile) -> Result<Self, KeeperError> {
        let (orders, ordered) = unbounded_channel();
        let (tell, seen) = unbounded_channel();
        let (begin, guard) = oneshot::channel();
        let (ready, is_ready) = std::sync::mpsc::sync_channel(1);
        let proxies = Arc::new(Proxies::start(profile).map_err(KeeperError::Faults)?);
        let path = Arc::clone(&proxies);
        let profile = profile.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = std::thread::Builder::new()
            .name("faults".into())
            .spawn(move || {
                let _context = runtime.enter();
                let drivers = match drivers::of(&profile, &path) {
                    Ok(drivers) => drivers,
                    Err(mistakes) => {
                        let _ = ready.send(Err(mistakes));
                        return;
                    }
                };
                drop(path);
                let _ = ready.send(Ok(()));
                LocalSet::new().block_on(&runtime, serve(&profile, drivers, guard, ordered, tell));
            })?;
        match is_ready.recv() {
            Ok(Ok(())) => Ok(Self {
                orders: Some(orders),
                seen,
                begin: Some(begin),
                thread: Some(thread),
                _proxies: proxies,
                ended: false,
            }),
            Ok(Err(mistakes)) => Err(KeeperError::Faults(mistakes)),
            Err(_) => Err(io::Error::other("it ended at once").into()),
        }
    }

    /// Says where outstanding faults are written down. Orders before this wait for it.
    pub fn begin(&mut self, guard: Guard) {
        if let Some(begin) = self.begin.take() {
            let _ = begin.send(guard);
        }
    }

    /// Orders something. Never waits.
    pub fn order(&self, fault: usize, order: Order) {
        if let Some(orders) = &self.orders {
            let _ = orders.send((fault, order));
        }
    }

    /// What happened next; `None`, once, when the thread is gone, as after [`Keeper::close`]. After that nothing happens any
    /// more.
    pub async fn seen(&mut self) -> Option<Seen> {
        if self.ended {
            return std::future::pending().await;
        }
        let seen = self.seen.recv().await;
        self.ended = seen.is_none();
        seen
    }

    /// Whether its thread is gone, and [`Keeper::seen`] has said so.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Takes no more orders. What is broken is brought back; [`Keeper::seen`] tells of it, then ends.
    pub fn close(&mut self) {
        self.orders = None;
        self.begin = None;
    }
}

impl Drop for Keeper {
    /// Waits a moment for what is being brought back. What takes longer is left to the watchdog.
    fn drop(&mut self) {
        self.close();
        let until = Instant::now() + LAST_MOMENT;
        if let Some(thread) = self.thread.take() {
            while !thread.is_finished() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

/// What a keeper that is dropped waits for, at most.
const LAST_MOMENT: Duration = Duration::from_secs(3);

type Ordered = UnboundedReceiver<(usize, Order)>;

async fn serve(
    profile: &Profile,
    drivers: Vec<Option<Box<dyn Driver>>>,
    guard: oneshot::Receiver<Guard>,
    mut ordered: Ordered,
    tell: UnboundedSender<Seen>,
) {
    let Ok(guard) = guard.await else {
        return;
    };
    let post = Post::default();
    let outstanding = Outstanding::new(guard, profile.secrets.clone(), post.clone());
    let outstanding = Arc::new(Mutex::new(outstanding));
    let mut lines = BTreeMap::new();
    let mut tasks = JoinSet::new();
    for (fault, driver) in drivers.into_iter().enumerate() {
        let Some(driver) = driver else { continue };
        let (orders, receiver) = unbounded_channel();
        let task = task::Task {
            fault,
            name: profile.faults[fault].name.clone(),
            driver,
            outstanding: Arc::clone(&outstanding),
            tell: tell.clone(),
        };
        tasks.spawn_local(task.run(receiver));
        lines.insert(fault, orders);
    }
    let mut beat = tokio::time::interval(BEAT);
    let mut open = true;
    loop {
        tokio::select! {
            order = ordered.recv(), if open => {
                if let Some((fault, order)) = order {
                    let line = lines.get(&fault);
                    let _ = line.map(|line| line.send(order));
                } else {
                    // Each task brings back what it holds, and ends.
                    open = false;
                    lines.clear();
                }
            }
            ended = tasks.join_next() => match ended {
                Some(Ok(())) => {}
                // With the thread goes the heart: the watchdog brings back what is on.
                Some(Err(error)) => {
                    if let Ok(panic) = error.try_into_panic() {
                        std::panic::resume_unwind(panic);
                    }
                }
                None => return,
            },
            _ = beat.tick() => {
                if let Some(why) = post.beat() {
                    let _ = tell.send(Seen::of_all(why));
                    // Those that are not on let it pass.
                    for line in lines.values() {
                        let _ = line.send(Order::Revert);
                    }
                }
            }
        }
    }
}

impl Seen {
    /// What concerns every fault.
    fn of_all(why: String) -> Self {
        Self {
            fault: usize::MAX,
            at: Instant::now(),
            what: What::Unguarded(why),
        }
    }
}
