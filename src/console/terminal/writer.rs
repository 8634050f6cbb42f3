//! Bytes to the terminal, from a thread of their own.
//!
//! In: one frame at a time. Out: one `write` for each. The invariant: nobody waits for the terminal. There is at most
//! one frame on its way; while the terminal does not take it (Ctrl-S, a dead connection), [`Writer::busy`] says so and
//! no other is made. So nothing piles up, nothing is dropped between two frames that build on each other, and what is
//! drawn once the terminal reads again is the newest.

use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{QueueSelector, tcflush};

/// A write that takes longer than this means that the terminal had stopped reading.
const STALL: Duration = Duration::from_secs(1);

/// How often it is checked whether a terminal that nothing is written to is still there.
const CHECK: Duration = Duration::from_secs(1);

/// What can be written to like a terminal.
pub trait Out: Send + Sync + fmt::Debug {
    /// Writes all of it, in one call to the system as long as the other side reads.
    ///
    /// # Errors
    /// When the terminal is gone.
    fn write(&self, bytes: &[u8]) -> io::Result<()>;

    /// Throws away what the system holds and the terminal has not read.
    fn discard(&self) {}

    /// Whether someone is still on the other side.
    fn alive(&self) -> bool {
        true
    }
}

/// The terminal of this process.
#[derive(Debug)]
pub struct Tty(File);

impl Tty {
    /// Standard output where that is a terminal, else the terminal that controls this process.
    ///
    /// # Errors
    /// When there is neither.
    pub fn open() -> io::Result<Self> {
        let stdout = io::stdout();
        if stdout.is_terminal() {
            return Ok(Self(stdout.as_fd().try_clone_to_owned()?.into()));
        }
        let tty = File::options().read(true).write(true).open("/dev/tty")?;
        Ok(Self(tty))
    }

    #[cfg(test)]
    pub(super) fn of(tty: File) -> Self {
        Self(tty)
    }

    /// Whether nobody is at its other end any more.
    pub fn is_gone(&self) -> bool {
        let mut fds = [PollFd::new(&self.0, PollFlags::empty())];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let polled = poll(&mut fds, Some(&now));
        polled.is_ok() && fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
    }
}

impl Out for Tty {
    fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match (&self.0).write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Another program may have made the terminal that we share with it non-blocking.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let mut fds = [PollFd::new(&self.0, PollFlags::OUT)];
                    poll(&mut fds, Some(&short(100))).or_else(unless_interrupted)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn discard(&self) {
        // Fails when the terminal is gone; then nothing is held either.
        let _ = tcflush(&self.0, QueueSelector::OFlush);
    }

    fn alive(&self) -> bool {
        let mut fds = [PollFd::new(&self.0, PollFlags::empty())];
        let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
        poll(&mut fds, Some(&short(0))).is_err() || !fds[0].revents().intersects(gone)
    }
}

fn short(milliseconds: i64) -> Timespec {
    Timespec {
        tv_sec: 0,
        tv_nsec: milliseconds * 1_000_000,
    }
}

fn unless_interrupted(error: rustix::io::Errno) -> io::Result<usize> {
    match error {
        rustix::io::Errno::INTR => Ok(0),
        error => Err(error.into()),
    }
}

#[derive(Debug, Default)]
struct State {
    next: Option<Vec<u8>>,
    writing: bool,
    /// A write took long since this was last asked.
    stalled: bool,
    /// Someone wants to know when the terminal has taken everything.
    awaited: bool,
    end: Option<End>,
}

/// Why nothing more is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The terminal is gone.
    Dead,
    /// Nobody is left who would hand anything over.
    Closed,
}

impl State {
    fn dead(&self) -> bool {
        self.end == Some(End::Dead)
    }
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands bytes to the thread that writes them.
#[derive(Debug)]
pub struct Writer {
    shared: Arc<Shared>,
    out: Arc<dyn Out>,
}

impl Writer {
    /// Starts the thread. It calls `drained` when the terminal has taken a frame that someone found it busy with, and
    /// when the terminal is dead.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(out: Arc<dyn Out>, drained: impl Fn() + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (theirs, to) = (Arc::clone(&shared), Arc::clone(&out));
        thread::Builder::new()
            .name("terminal".to_owned())
            .spawn(move || write(&theirs, &*to, drained))?;
        Ok(Self { shared, out })
    }

    /// Whether the last frame is still on its way. When it is, `drained` will be called.
    pub fn busy(&self) -> bool {
        let mut state = self.shared.state();
        let busy = state.writing || state.next.is_some();
        state.awaited |= busy;
        busy
    }

    /// Whether the terminal is gone.
    pub fn dead(&self) -> bool {
        self.shared.state().dead()
    }

    /// Whether the terminal had stopped reading since this was last asked.
    pub fn stalled(&self) -> bool {
        std::mem::take(&mut self.shared.state().stalled)
    }

    /// Writes these bytes next, in one call; they take the place of a frame that the thread has not begun with.
    pub fn put(&self, bytes: Vec<u8>) {
        self.shared.state().next = Some(bytes);
        self.shared.changed.notify_all();
    }

    /// Writes these bytes and waits for it, but no longer than `patience`. When the terminal does not read, what the
    /// system holds for it is thrown away, so that these bytes are what it reads once it does.
    pub fn insist(&self, bytes: Vec<u8>, patience: Duration) {
        self.put(bytes);
        let deadline = Instant::now() + patience;
        while !self.settle(patience / 4) && Instant::now() < deadline {
            self.out.discard();
        }
    }

    /// Waits until nothing is on its way; `false` when that takes longer than `most`.
    fn settle(&self, most: Duration) -> bool {
        let state = self.shared.state();
        let busy = |state: &mut State| (state.writing || state.next.is_some()) && !state.dead();
        let waited = self.shared.changed.wait_timeout_while(state, most, busy);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.state().end.get_or_insert(End::Closed);
        self.shared.changed.notify_all();
    }
}

/// The thread: takes a frame, writes it, says so.
fn write(shared: &Shared, out: &dyn Out, drained: impl Fn()) {
    while let Some(frame) = next(shared, out) {
        let begun = Instant::now();
        let result = out.write(&frame);
        let mut state = shared.state();
        state.writing = false;
        state.stalled |= begun.elapsed() > STALL;
        if result.is_err() {
            state.end = Some(End::Dead);
        }
        let (dead, tell) = (state.dead(), std::mem::take(&mut state.awaited));
        drop(state);
        shared.changed.notify_all();
        if dead {
            break;
        }
        if tell {
            drained();
        }
    }
    if shared.state().dead() {
        drained();
    }
}

/// The next frame; `None` when there will be none, or when the terminal is gone.
fn next(shared: &Shared, out: &dyn Out) -> Option<Vec<u8>> {
    let mut state = shared.state();
    loop {
        if let Some(frame) = state.next.take() {
            state.writing = true;
            return Some(frame);
        }
        if state.end.is_some() {
            return None;
        }
        let waited = shared.changed.wait_timeout(state, CHECK);
        let (held, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        state = held;
        if timeout.timed_out() && !out.alive() {
            state.end = Some(End::Dead);
            return None;
        }
    }
}
