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

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::clock::{Clock, Nanos};
use super::http::{Limits, Transport, TransportPlan};
use super::journey::{Found, ReadBack};
use crate::session::record::Ledger;

/// Writes of one ledger that are remembered; of more, so many are drawn at random.
pub const KEPT: usize = 100_000;
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

/// A write that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Write {
    /// Index of its ledger in the profile.
    pub ledger: usize,
    /// Its number.
    pub number: u64,
    /// When the answer that it expected was there; `None` if there was another, or none.
    pub acknowledged: Option<Nanos>,
}

/// What is known of the writes of one ledger.
#[derive(Debug)]
pub struct Book {
    sent: u64,
    acknowledged: u64,
    kept: Vec<Write>,
    random: StdRng,
}

impl Book {
    /// An empty one. `seed` decides which writes are kept when there are too many.
    pub fn new(seed: u64) -> Self {
        Self {
            sent: 0,
            acknowledged: 0,
            kept: Vec::new(),
            random: StdRng::seed_from_u64(seed),
        }
    }

    /// Takes a write in. Each has the same chance to be kept.
    pub fn add(&mut self, write: Write) {
        self.sent += 1;
        self.acknowledged += u64::from(write.acknowledged.is_some());
        if self.kept.len() < KEPT {
            self.kept.push(write);
            return;
        }
        let place = self.random.random_range(0..self.sent) as usize;
        if let Some(kept) = self.kept.get_mut(place) {
            *kept = write;
        }
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.sent == 0
    }

    /// A sentence, when not every write is known any more.
    pub fn sampled(&self, name: &str) -> Option<String> {
        let kept = self.kept.len();
        (self.sent > kept as u64).then(|| {
            format!(
                "ledger `{name}`: {} writes were sent; {kept} of them, drawn at random, are read back",
                self.sent
            )
        })
    }

    /// What was found, by the order in which writes are kept.
    fn judge(&self, name: &str, found: &[Found]) -> Ledger {
        let mut ledger = Ledger {
            name: name.to_owned(),
            sent: self.sent,
            acknowledged: self.acknowledged,
            ..Ledger::default()
        };
        for (write, found) in self.kept.iter().zip(found) {
            match (found, write.acknowledged) {
                (Found::There(count), acknowledged) => {
                    ledger.duplicated += u64::from(*count > 1);
                    ledger.surplus += u64::from(acknowledged.is_none());
                }
                (Found::Gone, Some(at)) => {
                    let at = at / 1000;
                    ledger.lost += 1;
                    let (first, last) = ledger.lost_between.unwrap_or((at, at));
                    ledger.lost_between = Some((first.min(at), last.max(at)));
                }
                (Found::Gone, None) => {}
                (Found::Unknown, _) => ledger.unknown += 1,
            }
        }
        ledger
    }
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
    /// Starts to read the writes of these ledgers back, one ledger after the other. What has not been read within
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
                        let found = read_all(reader, &book.kept, deadline, &stopped).await;
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
    writes: &[Write],
    deadline: Instant,
    stop: &Arc<AtomicBool>,
) -> Vec<Found> {
    let numbers: Vec<u64> = writes.iter().map(|write| write.number).collect();
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

    fn write(number: u64, acknowledged: Option<Nanos>) -> Write {
        Write {
            ledger: 0,
            number,
            acknowledged,
        }
    }

    #[test]
    fn numbers_are_given_out_once_and_fit_a_double() {
        let (first, second) = (next(), next());
        assert_eq!(second, first + 1);
        assert!(second < 1 << 53);
        assert_eq!(second as f64 as u64, second);
    }

    #[test]
    fn what_was_found_is_counted_by_what_was_acknowledged() {
        let mut book = Book::new(1);
        let found = [
            (Some(5_000_000), Found::There(1)),
            (Some(6_000_000), Found::Gone),
            (Some(9_000_000), Found::Gone),
            (Some(7_000_000), Found::Gone),
            (Some(1_000), Found::There(2)),
            (None, Found::There(1)),
            (None, Found::Gone),
            (Some(1_000), Found::Unknown),
        ];
        for (number, (acknowledged, _)) in (1..).zip(&found) {
            book.add(write(number, *acknowledged));
        }
        let found: Vec<Found> = found.iter().map(|(_, found)| *found).collect();
        let expected = Ledger {
            name: "orders".into(),
            sent: 8,
            acknowledged: 6,
            lost: 3,
            duplicated: 1,
            surplus: 1,
            unknown: 1,
            lost_between: Some((6_000, 9_000)),
        };
        assert_eq!(book.judge("orders", &found), expected);
        assert_eq!(book.sampled("orders"), None);
    }

    #[test]
    fn of_too_many_writes_each_is_kept_with_the_same_chance() {
        let mut book = Book::new(7);
        let all = 2 * KEPT as u64;
        for number in 0..all {
            book.add(write(number, Some(number)));
        }
        assert_eq!((book.kept.len(), book.sent), (KEPT, all));
        let late = book.kept.iter().filter(|write| write.number >= all / 2);
        let share = late.count() as f64 / KEPT as f64;
        assert!((0.49..0.51).contains(&share), "{share}");
        let said = book.sampled("orders").unwrap();
        assert!(
            said.contains("200000 writes") && said.contains("100000 of them"),
            "{said}"
        );
    }
}
