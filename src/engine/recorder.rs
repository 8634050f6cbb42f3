//! The thread that writes the session, so that a slow or full disk never holds up the load.
//!
//! In: records, through a bounded queue. Out: the session file. The policy when the disk cannot keep up: the record is
//! dropped and counted, the window goes on, and the file says what is missing. Nothing on the sending side ever waits.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use super::process::thread_cpu_time;
use crate::session::record::{End, Gap, Names, Number, Record, ScrapeTick, Tick};
use crate::session::{AppendError, Writer};

/// Records that may wait for the disk: about two minutes of ticks.
const QUEUE: usize = 128;

/// The sending side of the recording.
#[derive(Debug)]
pub struct Recorder {
    queue: SyncSender<Item>,
    thread: JoinHandle<Writer>,
    path: PathBuf,
    dropped: Dropped,
    /// Records other than ticks that did not fit into the queue, in their order.
    waiting: VecDeque<Record>,
    /// Names that did not fit into the queue. Without them no later record can be understood.
    names: Option<Names>,
    figures: Arc<Figures>,
}

/// What goes to the thread.
#[derive(Debug)]
enum Item {
    Record(Box<Record>),
    /// Longer names, for all records after it.
    Names(Box<Names>),
    /// Says whether the record before it is on the disk.
    Durable(oneshot::Sender<bool>),
}

/// What the thread tells of itself.
#[derive(Debug, Default)]
struct Figures {
    /// Ticks that could not be recorded.
    lost: AtomicU64,
    /// CPU time of the thread, µs.
    cpu_us: AtomicU64,
}

/// Ticks that did not fit into the queue: which of them are not yet in the file as a gap, and what their series came to,
/// which the next tick has to say, since a tick names only what changed.
#[derive(Debug, Default)]
struct Dropped {
    range: Option<(u64, u64)>,
    series: BTreeMap<usize, Option<Number>>,
    /// By endpoint.
    scrapes: BTreeMap<usize, Changes>,
}

/// What the series of an endpoint came to.
#[derive(Debug, Default)]
struct Changes {
    at: u64,
    series: BTreeMap<usize, Option<Number>>,
    stamped: BTreeMap<usize, i64>,
}

impl Dropped {
    /// Remembers what a tick says that is lost.
    fn keep(&mut self, tick: &Tick) {
        let from = self.range.map_or(tick.n, |(from, _)| from);
        self.range = Some((from, tick.n));
        self.series.extend(tick.series.iter().copied());
        for scrape in &tick.scrapes {
            let changes = self.scrapes.entry(scrape.of).or_default();
            changes.at = scrape.at;
            changes.series.extend(scrape.series.iter().copied());
            changes.stamped.extend(scrape.stamped.iter().copied());
        }
    }

    /// Has the next tick say it.
    fn complete(&mut self, tick: &mut Tick) {
        if !self.series.is_empty() {
            let mut series = std::mem::take(&mut self.series);
            series.extend(tick.series.iter().copied());
            tick.series = series.into_iter().collect();
        }
        let scrapes = std::mem::take(&mut self.scrapes).into_iter();
        let before = scrapes.map(|(of, changes)| ScrapeTick {
            of,
            at: changes.at,
            series: changes.series.into_iter().collect(),
            stamped: changes.stamped.into_iter().collect(),
        });
        tick.scrapes.splice(0..0, before);
    }
}

impl Recorder {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no thread for it.
    pub fn start(writer: Writer) -> io::Result<Self> {
        let (queue, items) = sync_channel(QUEUE);
        let figures = Arc::new(Figures::default());
        let path = writer.path().to_owned();
        let thread = std::thread::Builder::new().name("recorder".into()).spawn({
            let figures = Arc::clone(&figures);
            move || write_all(writer, &items, &figures)
        })?;
        Ok(Self {
            queue,
            thread,
            path,
            dropped: Dropped::default(),
            waiting: VecDeque::new(),
            names: None,
            figures,
        })
    }

    /// Hands longer names over, for the records that come after them.
    pub fn names(&mut self, names: Names) {
        self.names = Some(names);
        self.send_names();
    }

    /// Whether there are none that wait.
    fn send_names(&mut self) -> bool {
        let Some(names) = self.names.take() else {
            return true;
        };
        match self.queue.try_send(Item::Names(Box::new(names))) {
            Ok(()) => true,
            Err(
                TrySendError::Full(Item::Names(names))
                | TrySendError::Disconnected(Item::Names(names)),
            ) => {
                self.names = Some(*names);
                false
            }
            Err(_) => false,
        }
    }

    /// Hands a record over. Never waits: a tick that does not fit into the queue is dropped, counted and later recorded as
    /// a gap. Other records are few and decide what the recording means: they are kept and go first when there is room.
    pub fn record(&mut self, record: Record) {
        let Record::Tick(mut tick) = record else {
            self.waiting.push_back(record);
            self.send_waiting();
            return;
        };
        if !self.send_waiting() {
            self.figures.lost.fetch_add(1, Ordering::Relaxed);
            self.dropped.keep(&tick);
            return;
        }
        if let Some((from, to)) = self.dropped.range {
            let gap = Record::Gap(Gap {
                from,
                to,
                why: "the disk fell behind".into(),
            });
            if self.send(gap).is_ok() {
                self.dropped.range = None;
            }
        }
        self.dropped.complete(&mut tick);
        if let Err(Record::Tick(tick)) = self.send(Record::Tick(tick)) {
            self.figures.lost.fetch_add(1, Ordering::Relaxed);
            self.dropped.keep(&tick);
        }
    }

    /// Hands a record over and has the thread say when it is on the disk, or that it cannot be. Never waits itself.
    pub fn record_durably(&mut self, record: Record, done: oneshot::Sender<bool>) {
        self.waiting.push_back(record);
        if self.send_waiting() {
            // Whoever waits learns of a full queue by the end of the channel.
            drop(self.queue.try_send(Item::Durable(done)));
        } else {
            let _ = done.send(false);
        }
    }

    /// Whether nothing waits any more.
    fn send_waiting(&mut self) -> bool {
        while let Some(record) = self.waiting.pop_front() {
            if let Err(record) = self.send(record) {
                self.waiting.push_front(record);
                return false;
            }
        }
        true
    }

    /// Ticks that could not be recorded so far.
    pub fn lost(&self) -> u64 {
        self.figures.lost.load(Ordering::Relaxed)
    }

    /// CPU time that recording has taken so far.
    pub fn cpu_time(&self) -> Duration {
        Duration::from_micros(self.figures.cpu_us.load(Ordering::Relaxed))
    }

    /// Where the session is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until everything that was handed over is in the file, and closes it. Gives the hash of its last frame,
    /// which stands for the whole recording.
    ///
    /// # Errors
    /// When the file could not be closed whole; what was written before is still readable.
    pub fn close(self, end: End) -> Result<String, AppendError> {
        for record in self.waiting {
            let _ = self.queue.send(Item::Record(Box::new(record)));
        }
        drop(self.queue);
        match self.thread.join() {
            Ok(writer) => writer.finish(end).map(|finished| finished.head),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    #[allow(
        clippy::result_large_err,
        reason = "the record is given back, not copied"
    )]
    fn send(&mut self, record: Record) -> Result<(), Record> {
        if !self.send_names() {
            return Err(record);
        }
        match self.queue.try_send(Item::Record(Box::new(record))) {
            Err(
                TrySendError::Full(Item::Record(record))
                | TrySendError::Disconnected(Item::Record(record)),
            ) => Err(*record),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

fn write_all(mut writer: Writer, items: &Receiver<Item>, figures: &Figures) -> Writer {
    let mut failing = false;
    for item in items {
        let record = match item {
            Item::Record(record) => record,
            Item::Names(names) => {
                if let Err(error) = writer.set_names(*names) {
                    tracing::error!(%error, "the names of series could not be made longer");
                }
                continue;
            }
            Item::Durable(done) => {
                let _ = done.send(!failing && writer.make_durable().is_ok());
                continue;
            }
        };
        let is_tick = matches!(*record, Record::Tick(_));
        match writer.append(&record) {
            Ok(()) if failing => {
                failing = false;
                tracing::warn!("recording works again; what is missing is marked as a gap");
            }
            Ok(()) => {}
            Err(error) => {
                figures
                    .lost
                    .fetch_add(u64::from(is_tick), Ordering::Relaxed);
                if !std::mem::replace(&mut failing, true) {
                    tracing::error!(%error, "the session could not be written; the window goes on");
                }
            }
        }
        let spent = u64::try_from(thread_cpu_time().as_micros()).unwrap_or(u64::MAX);
        figures.cpu_us.store(spent, Ordering::Relaxed);
    }
    let (unsynced, dropped) = (writer.sync_failures(), writer.dropped());
    if unsynced > 0 || dropped > 0 {
        tracing::warn!(
            unsynced,
            dropped,
            "frames were not made durable, or records were given up"
        );
    }
    writer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lost_ticks_said_of_series_is_said_by_the_next() {
        let number = |value: f64| Some(Number(value));
        let scrape = |at, series: &[(usize, Option<Number>)]| ScrapeTick {
            of: 3,
            at,
            series: series.to_vec(),
            stamped: Vec::new(),
        };
        let tick = |n, series: &[(usize, Option<Number>)], scrapes: Vec<ScrapeTick>| Tick {
            n,
            series: series.to_vec(),
            scrapes,
            ..Tick::default()
        };
        let mut dropped = Dropped::default();
        dropped.keep(&tick(
            5,
            &[(0, number(1.0)), (1, number(2.0))],
            vec![scrape(50, &[(7, number(7.0)), (8, number(8.0))])],
        ));
        dropped.keep(&tick(6, &[(1, None)], vec![scrape(60, &[(8, None)])]));
        assert_eq!(dropped.range, Some((5, 6)));
        let mut next = tick(
            7,
            &[(0, number(3.0))],
            vec![scrape(70, &[(9, number(9.0))])],
        );
        dropped.complete(&mut next);
        assert_eq!(next.series, [(0, number(3.0)), (1, None)]);
        let missed = scrape(60, &[(7, number(7.0)), (8, None)]);
        assert_eq!(next.scrapes, [missed, scrape(70, &[(9, number(9.0))])]);
        let mut later = tick(8, &[], Vec::new());
        dropped.complete(&mut later);
        assert_eq!(later, tick(8, &[], Vec::new()), "it is said once");
    }
}
