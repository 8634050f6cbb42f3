//! The records of a session while it is being written.
//!
//! A path goes in; records come out as soon as they can be decompressed, a fraction of a millisecond after the writer
//! has put them down. The invariants: no lock is taken, so that nobody who looks on can hold up the writer; bytes of a
//! block that is not yet whole are never kept, so that a writer may cut them off again.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::decode::{Decoder, ReadError, Tally};
use super::record::Record;

/// How often the file is looked at even if no notice comes: file systems without inotify exist.
const POLL: Duration = Duration::from_millis(250);

/// Bytes read at once.
const CHUNK: usize = 256 << 10;

/// What a follower has to say.
#[allow(
    clippy::large_enum_variant,
    reason = "it is handed on at once, and nearly always a record"
)]
#[derive(Debug, Clone, PartialEq)]
pub enum Followed {
    /// The next record.
    Record(Record),
    /// Nothing came within the time given.
    Nothing,
    /// The window has ended, and all of its records were handed out.
    Ended,
    /// [`Stopper::stop`] was called.
    Stopped,
}

/// Follows a session file.
pub struct Follower {
    file: File,
    decoder: Decoder,
    chunk: Box<[u8]>,
    notices: Receiver<()>,
    stop: Stopper,
    /// Kept for its notices; `None` where the system has none to give.
    watcher: Option<RecommendedWatcher>,
    /// The file is not read again before a notice or the poll, once all of it was.
    drained: bool,
}

/// Ends a follower's wait from another thread.
#[derive(Debug, Clone)]
pub struct Stopper {
    stopped: Arc<AtomicBool>,
    wake: SyncSender<()>,
}

impl Stopper {
    /// Makes the follower return [`Followed::Stopped`], now and from now on.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        // Full: a notice waits already and wakes it as well.
        let _ = self.wake.try_send(());
    }
}

impl Follower {
    /// Follows a session from its beginning.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ReadError> {
        Self::from_offset(path, 0)
    }

    /// Follows a session from a frame, whose offset is from [`super::index::FrameInfo`].
    pub fn from_offset(path: impl AsRef<Path>, offset: u64) -> Result<Self, ReadError> {
        let path = path.as_ref();
        let mut follower = Self::of(File::open(path)?, offset)?;
        follower.watcher = watch(path, follower.stop.wake.clone());
        Ok(follower)
    }

    /// Follows an open file, which needs no name, from a frame at this offset. Without notices what is new is found a
    /// quarter of a second later.
    pub fn of(file: File, offset: u64) -> Result<Self, ReadError> {
        let (wake, notices) = sync_channel(1);
        let stop = Stopper {
            stopped: Arc::new(AtomicBool::new(false)),
            wake,
        };
        Ok(Self {
            file,
            decoder: Decoder::new(offset)?,
            chunk: vec![0; CHUNK].into_boxed_slice(),
            notices,
            stop,
            watcher: None,
            drained: false,
        })
    }

    /// A handle that ends the wait from elsewhere.
    pub fn stopper(&self) -> Stopper {
        self.stop.clone()
    }

    /// What was seen so far.
    pub fn tally(&self) -> &Tally {
        self.decoder.tally()
    }

    /// The next record, or what else there is to say after at most `timeout`.
    pub fn next(&mut self, timeout: Duration) -> Result<Followed, ReadError> {
        let deadline = Instant::now() + timeout;
        loop {
            if self.stop.stopped.load(Ordering::Acquire) {
                return Ok(Followed::Stopped);
            }
            if let Some(record) = self.decoder.next_record()? {
                return Ok(Followed::Record(record));
            }
            if self.decoder.tally().ended {
                return Ok(Followed::Ended);
            }
            if !self.drained && self.read()? {
                continue;
            }
            self.drained = true;
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                // The next call looks once more before it waits.
                self.drained = false;
                return Ok(Followed::Nothing);
            }
            match self.notices.recv_timeout(left.min(POLL)) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => self.drained = false,
                // Cannot be, since the stopper holds a sender.
                Err(RecvTimeoutError::Disconnected) => return Ok(Followed::Stopped),
            }
        }
    }

    /// Waits for the next record as long as it takes; `None` once the window has ended or the follower was stopped.
    pub fn wait(&mut self) -> Result<Option<Record>, ReadError> {
        loop {
            match self.next(Duration::from_hours(1))? {
                Followed::Record(record) => return Ok(Some(record)),
                Followed::Nothing => {}
                Followed::Ended | Followed::Stopped => return Ok(None),
            }
        }
    }

    /// Gives the decoder what is new in the file. False if nothing is.
    fn read(&mut self) -> Result<bool, ReadError> {
        let offset = self.decoder.offset();
        if self.file.metadata()?.len() < offset {
            // The writer cut off a record that it could not put down whole; the frame goes on differently.
            self.decoder = self.decoder.again()?;
            return Ok(true);
        }
        // What was read before and is not part of a whole block is read again: it may have changed.
        let known = self.decoder.unused();
        let mut filled = 0;
        let mut at = offset;
        self.decoder.forget_unused();
        loop {
            let count = self.file.read_at(&mut self.chunk, at)?;
            self.decoder.feed(&self.chunk[..count]);
            at += count as u64;
            filled += count;
            // A block, or a trailer, can be larger than one portion.
            if count == 0 || filled > known {
                break;
            }
        }
        Ok(filled > known)
    }
}

impl Iterator for Follower {
    type Item = Result<Record, ReadError>;

    /// As [`Follower::wait`].
    fn next(&mut self) -> Option<Self::Item> {
        self.wait().transpose()
    }
}

/// Watches the file. Without notices the poll finds everything, a quarter of a second later.
fn watch(path: &Path, wake: SyncSender<()>) -> Option<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |_| {
        // Full: a notice waits already.
        let _ = wake.try_send(());
    })
    .ok()?;
    watcher.watch(path, RecursiveMode::NonRecursive).ok()?;
    Some(watcher)
}
