//! Writes that are counted one by one, and read back in the end: what the system said it had, and has not.
//!
//! ```text
//!   step with `ledger` ─▶ number ─▶ request ─▶ Write ─(with each tick)─▶ Book ─(in the end)─▶ reading ─▶ Ledger
//! ```
//!
//! In: what became of each write of a journey. Out: how many of those that were acknowledged are lost, there twice, or
//! cannot be told. The invariant: a number is given out once, so that what is found under it is that write and no other.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::clock::Clock;
use super::http::{Limits, Transport, TransportPlan};
use super::journey::{Found, ReadBack};
use crate::session::record::Ledger;

mod book;

pub use book::{Book, Near, Write};

/// Requests under way while writes are read back.
const LANES: usize = 32;
/// Connections that they share.
const CONNECTIONS: u32 = 8;
/// Largest answer that is read, bytes.
const LARGEST: u64 = 10 << 20;
/// Before what gave no answer is asked once more.
const AGAIN: Duration = Duration::from_secs(1);

/// The number of the next write, in this process and in any other that began in another second: the second in which it
/// began, and a count in its last six digits. Below 2^53, so that whoever reads JSON with floating point reads it whole.
static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    AtomicU64::new(since.map_or(0, |since| since.as_secs() * 1_000_000))
});

/// Gives out a number. One addition that all workers share, for writes of ledgers only.
pub(super) fn next() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed) + 1
}

/// How the writes of one ledger are read back, and what over.
#[derive(Debug, Clone)]
pub struct Reader {
    /// The request, and how its answer is understood.
    pub read: Arc<ReadBack>,
    /// What it is sent over.
    pub transport: Arc<TransportPlan>,
    /// Limit on lookup, connecting and TLS.
    pub connect_timeout: Duration,
}

/// A reading under way, on a thread of its own.
#[derive(Debug)]
pub struct Reading {
    stop: Arc<AtomicBool>,
    /// What was found, a ledger each.
    pub found: oneshot::Receiver<Vec<Ledger>>,
}

impl Reading {
    /// Starts to read the writes of these ledgers, which are closed, back, one ledger after the other. What has not been read within
    /// `limit` stays unknown.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(ledgers: Vec<(Reader, Book)>, limit: Duration) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, found) = oneshot::channel();
        let stopped = Arc::clone(&stop);
        thread::Builder::new()
            .name("ledger".into())
            .spawn(move || {
                let runtime = Builder::new_current_thread()
                    .enable_all()
                    .build_local(LocalOptions::default());
                // Without an event loop nothing is sent, which says it.
                let Ok(runtime) = runtime else { return };
                let judged = runtime.block_on(async {
                    let deadline = Instant::now() + limit;
                    let mut judged = Vec::new();
                    for (reader, book) in &ledgers {
                        let found = read_all(reader, book.kept(), deadline, &stopped).await;
                        judged.push(book.judge(&reader.read.name, &found));
                    }
                    judged
                });
                // Nobody waits any more when the window was given up.
                let _ = sender.send(judged);
            })?;
        Ok(Self { stop, found })
    }

    /// Leaves what has not been read yet unknown.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// What there is to read, shared by the lanes.
struct Task {
    reader: Reader,
    /// Places in `numbers` that are still to be read.
    places: Vec<usize>,
    numbers: Vec<u64>,
    next: Cell<usize>,
    found: RefCell<Vec<Found>>,
    began: Instant,
    deadline: Instant,
    stop: Arc<AtomicBool>,
}

/// Reads every write, and what gave no answer once more.
async fn read_all(
    reader: &Reader,
    writes: impl Iterator<Item = &Write>,
    deadline: Instant,
    stop: &Arc<AtomicBool>,
) -> Vec<Found> {
    let numbers: Vec<u64> = writes.map(|write| write.number).collect();
    let mut found = vec![Found::Unknown; numbers.len()];
    for round in 0..2 {
        let unknown = |(_, found): &(usize, &Found)| matches!(found, Found::Unknown);
        let places: Vec<usize> = found
            .iter()
            .enumerate()
            .filter(unknown)
            .map(|(place, _)| place)
            .collect();
        let over = stop.load(Ordering::Relaxed) || Instant::now() >= deadline;
        if places.is_empty() || over {
            break;
        }
        if round > 0 {
            tokio::time::sleep(AGAIN).await;
        }
        let task = Rc::new(Task {
            reader: reader.clone(),
            places,
            numbers: numbers.clone(),
            next: Cell::new(0),
            found: RefCell::new(found),
            began: Instant::now(),
            deadline,
            stop: Arc::clone(stop),
        });
        run(&task).await;
        found = task.found.take();
    }
    found
}

async fn run(task: &Rc<Task>) {
    let transport = Transport::new(
        Arc::clone(&task.reader.transport),
        Clock::start(),
        Some(CONNECTIONS),
        false,
    );
    let mut lanes = JoinSet::new();
    for _ in 0..LANES.min(task.places.len()) {
        lanes.spawn_local(lane(Rc::clone(task), Rc::clone(&transport)));
    }
    while lanes.join_next().await.is_some() {}
}

/// Reads one write after the other, each at its time: so many a second over all lanes, evenly.
async fn lane(task: Rc<Task>, transport: Rc<Transport>) {
    let read = &task.reader.read;
    let mut lane = transport.lane();
    let mut user = read.user();
    loop {
        let turn = task.next.replace(task.next.get() + 1);
        let Some(&place) = task.places.get(turn) else {
            return;
        };
        let due = task.began + Duration::from_secs_f64(turn as f64 / read.rate.0.max(1.0));
        tokio::time::sleep_until(due.min(task.deadline)).await;
        if task.stop.load(Ordering::Relaxed) || Instant::now() >= task.deadline {
            return;
        }
        let Ok(request) = read.request(&mut user, task.numbers[place]) else {
            continue;
        };
        let limits = Limits {
            timeout: read.step.timeout,
            connect_timeout: task.reader.connect_timeout,
            keep: read.step.keep,
            max_body: LARGEST,
        };
        let exchange = lane.send(request, limits).await;
        task.found.borrow_mut()[place] = read.understand(&mut user, &exchange);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_given_out_once_and_fit_a_double() {
        let (first, second) = (next(), next());
        assert_eq!(second, first + 1);
        assert!(second < 1 << 53);
        assert_eq!(second as f64 as u64, second);
    }
}
