//! Where the console's data comes from: threads that read session files and turn them into [`Event`]s.
//!
//! ```text
//!                 seek, play, pause, watch_log
//!                            │
//!   session file ──▶ deck ───┴──▶ Sought, Records(Past), Overview, PlayedOut, Log, Broken ──▶ send
//!        │             └─ recording: index, sums of frames (cached), history of any moment
//!        └─────────▶ live ──────▶ Records(Live), PlayedOut, Broken ─────────────────────────▶ send
//!   standard input ─▶ spool ─▶ an unlinked file, read by a deck as above
//! ```
//!
//! In: session files and what the operator asks for. Out: events, through the function given to [`Feed::open`], which
//! may block: nothing more is read until it returns, so that a bounded channel (of [`QUEUE`] events) behind it keeps
//! memory bounded however slow the console is. The invariant: nothing here waits for the operator, and nobody who reads
//! can hold up the one who writes.

use std::fmt::Display;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::event::{Event, Speed};

mod closer;
mod count;
mod deck;
mod live;
mod log;
pub mod overview;
pub mod places;
mod play;
pub mod recording;
mod spool;
#[cfg(test)]
mod tests;

pub use overview::align;
pub use recording::Recording;

/// Events that a channel between the feed and the console should hold. Each may carry [`BATCH_TICKS`] ticks.
pub const QUEUE: usize = 4;
/// Most ticks in one event: about half a megabyte of a busy window.
pub const BATCH_TICKS: usize = 16;
/// Most records in one event.
pub const BATCH: usize = 2_000;
/// How long dropping a feed waits for a thread that is held up by whoever takes its events.
const PATIENCE: Duration = Duration::from_millis(500);

/// Where a session comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A window that runs: what comes is followed, and any moment of it can be sought as well.
    Live(PathBuf),
    /// A recording.
    Recording(PathBuf),
    /// Standard input: a session file, or the JSON lines of `stormdeck export --as jsonl`.
    Stdin,
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The file cannot be opened.
    #[error("the session `{path}` cannot be opened: {source}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A thread or a temporary file could not be had.
    #[error("the session cannot be read: {0}")]
    Io(#[from] std::io::Error),
}

/// What a deck's thread is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ask {
    Seek(u64),
    Play(Speed),
    Pause,
    WatchLog(bool),
    /// There is more of a stream.
    Grown,
    /// That was all of a stream.
    Complete,
    Stop,
}

/// The threads that read sessions; one or two a deck. Dropping it ends them.
#[derive(Debug)]
pub struct Feed {
    decks: Vec<Handle>,
    /// Disconnected once every thread has ended.
    done: Receiver<()>,
}

#[derive(Debug)]
struct Handle {
    asks: Sender<Ask>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    offset: i64,
}

/// What a thread of a deck needs, whatever it does.
struct Post<S> {
    deck: usize,
    send: S,
    stop: Arc<AtomicBool>,
    /// Dropped when the thread ends.
    done: Sender<()>,
}

impl<S: Clone> Clone for Post<S> {
    fn clone(&self) -> Self {
        Self {
            deck: self.deck,
            send: self.send.clone(),
            stop: Arc::clone(&self.stop),
            done: self.done.clone(),
        }
    }
}

impl<S: Fn(Event)> Post<S> {
    fn send(&self, event: Event) {
        if !self.stopped() {
            (self.send)(event);
        }
    }

    fn broken(&self, why: &dyn Display) {
        let (deck, why) = (self.deck, why.to_string());
        self.send(Event::Broken { deck, why });
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}

impl Feed {
    /// Opens the sessions and begins to read. `send` takes the events; it may block, see the module.
    ///
    /// A recording comes as a `Sought` of its first tick and an `Overview`; a window that runs as a `Sought` of what
    /// there is, `Records` as they are written, and an `Overview` every few seconds.
    pub fn open<S>(sources: Vec<Source>, send: S) -> Result<Self, FeedError>
    where
        S: Fn(Event) + Send + Clone + 'static,
    {
        Self::with_input(sources, std::io::stdin(), send)
    }

    fn with_input<S, R>(sources: Vec<Source>, input: R, send: S) -> Result<Self, FeedError>
    where
        S: Fn(Event) + Send + Clone + 'static,
        R: Read + Send + 'static,
    {
        let (done_sender, done) = channel();
        let mut feed = Self {
            decks: Vec::new(),
            done,
        };
        let mut input = Some(input);
        for (deck, source) in sources.into_iter().enumerate() {
            let (asks, asked) = channel();
            let post = Post {
                deck,
                send: send.clone(),
                stop: Arc::new(AtomicBool::new(false)),
                done: done_sender.clone(),
            };
            let open = |path: &PathBuf| {
                File::open(path).map_err(|source| FeedError::Open {
                    path: path.clone(),
                    source,
                })
            };
            let (file, path, kind) = match source {
                Source::Live(path) => (open(&path)?, Some(path), deck::Kind::Live),
                Source::Recording(path) => (open(&path)?, Some(path), deck::Kind::Recording),
                Source::Stdin => {
                    let spool = spool::Spool::new()?;
                    let file = spool.file()?;
                    if let Some(input) = input.take() {
                        // Not joined: nothing can end a read of standard input but its end.
                        let (post, asks) = (post.clone(), asks.clone());
                        std::thread::Builder::new()
                            .name("spool".into())
                            .spawn(move || spool.run(input, &post, &asks))?;
                    }
                    (file, None, deck::Kind::Stream)
                }
            };
            let stop = Arc::clone(&post.stop);
            let worker = deck::Deck::new(file, path, kind, post);
            let thread = std::thread::Builder::new()
                .name(format!("deck-{deck}"))
                .spawn(move || worker.run(&asked))?;
            feed.decks.push(Handle {
                asks,
                stop,
                thread: Some(thread),
                offset: 0,
            });
        }
        Ok(feed)
    }

    /// Ticks to add to the first deck's count to get this deck's, see [`align`].
    pub fn set_offset(&mut self, deck: usize, offset: i64) {
        if let Some(handle) = self.decks.get_mut(deck) {
            handle.offset = offset;
        }
    }

    /// Shows another moment of every deck, in the count of the first: a `Sought` of the past each. Playing goes on from
    /// there.
    pub fn seek(&self, tick: u64) {
        for handle in &self.decks {
            handle.ask(Ask::Seek(tick.saturating_add_signed(handle.offset).max(1)));
        }
    }

    /// Plays on from the moment sought last.
    pub fn play(&self, speed: Speed) {
        self.ask(Ask::Play(speed));
    }

    /// Stops playing. What is under way still comes.
    pub fn pause(&self) {
        self.ask(Ask::Pause);
    }

    /// Reads the engine's log from now on, at most once a second, or no longer.
    pub fn watch_log(&self, on: bool) {
        self.ask(Ask::WatchLog(on));
    }

    fn ask(&self, ask: Ask) {
        for handle in &self.decks {
            handle.ask(ask);
        }
    }
}

impl Handle {
    fn ask(&self, ask: Ask) {
        // A thread that has ended has said why.
        let _ = self.asks.send(ask);
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        for handle in &self.decks {
            handle.stop.store(true, Ordering::Release);
            handle.ask(Ask::Stop);
        }
        // A spool that waits for its input holds its end open; the decks are what is waited for.
        let deadline = std::time::Instant::now() + PATIENCE;
        while self.decks.iter().any(Handle::runs) {
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            let wait = left.min(Duration::from_millis(5));
            if left.is_zero() || self.done.recv_timeout(wait) == Err(RecvTimeoutError::Disconnected)
            {
                break;
            }
        }
        for handle in &mut self.decks {
            if let Some(thread) = handle.thread.take_if(|thread| thread.is_finished()) {
                let _ = thread.join();
            }
        }
    }
}

impl Handle {
    fn runs(&self) -> bool {
        self.thread
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
    }
}
