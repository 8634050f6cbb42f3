//! A program, run in a process group of its own, by a thread of its own.
//!
//! In: a command and a time limit. Out: how it ended, and the end of what it said. The thread starts the program, reads
//! it, ends its group at the limit or when nobody waits any more, and reaps it; the event loop only waits for an answer.
//! What the program leaves behind in the background, and what that does with the pipe, holds nothing up.
//!
//! One that must not be ended half way, a revert, writes into a file that has no name instead: it outlives whoever started it,
//! and no pipe breaks under it.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, OFlags, fcntl_setfl, memfd_create};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, waitid,
};
use tokio::sync::oneshot;

/// What is read of a program and kept, in bytes; more than is shown, so that no secret is cut where it begins.
const KEPT: usize = 64 << 10;

/// From SIGTERM to SIGKILL.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// How long the pipe is read after the program's end: what it left behind may hold it open for ever.
const LINGER: Duration = Duration::from_millis(50);

/// How often is looked where the kernel does not tell of a process's end.
const SLICE: Duration = Duration::from_millis(10);

/// How often a file is looked at that a program writes into, so that it does not grow.
const EMPTIED: Duration = Duration::from_millis(100);

/// What becomes of a program that nobody waits for any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unheard {
    /// It is ended.
    Ends,
    /// It goes on to its end or its limit.
    GoesOn,
}

/// How a program ended, and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Output {
    /// How it ended.
    pub end: End,
    /// The end of its standard output and error, as they came.
    pub said: Vec<u8>,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// By itself, with this status.
    Exit(i32),
    /// By a signal that was not ours.
    Signal(i32),
    /// At the time limit, by ours.
    Late,
}

/// A program under way. Dropping it ends the program, or lets it go on, as it was started.
pub(super) struct Running {
    answer: oneshot::Receiver<io::Result<Output>>,
    limit: Duration,
    /// The thread holds the other end, and sees that this one is closed.
    _waiting: PipeWriter,
}

/// Ends with an error, and no sooner, when the program is gone, however that came about.
pub(super) type Gone = oneshot::Receiver<std::convert::Infallible>;

/// Starts a program; it is ended after `limit`.
pub(super) fn start(
    command: Command,
    limit: Duration,
    unheard: Unheard,
) -> io::Result<(Running, Gone)> {
    let (gone_sender, gone) = oneshot::channel();
    let (answer_sender, answer) = oneshot::channel();
    let (given_up, waiting) = io::pipe()?;
    let attend = move || {
        let _gone = gone_sender;
        // Nobody is there to hear it when it was given up.
        let _ = answer_sender.send(attend(command, limit, unheard, &given_up));
    };
    std::thread::Builder::new()
        .name("program".into())
        .spawn(attend)?;
    let running = Running {
        answer,
        limit,
        _waiting: waiting,
    };
    Ok((running, gone))
}

impl Running {
    /// Waits for its end.
    pub async fn end(self) -> io::Result<Output> {
        // Past this the kernel itself does not let the program go, and the thread waits for it alone.
        let patience = self.limit + 2 * GRACE;
        match tokio::time::timeout(patience, self.answer).await {
            Ok(Ok(output)) => output,
            Ok(Err(_)) => Err(io::Error::other("the thread that ran it is gone")),
            Err(_) => Ok(Output {
                end: End::Late,
                said: Vec::new(),
            }),
        }
    }
}

/// Runs something that may block on a thread of its own.
pub(super) async fn aside<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (sender, answer) = oneshot::channel();
    std::thread::Builder::new()
        .name(name.into())
        .spawn(move || {
            let _ = sender.send(work());
        })?;
    answer.await.map_err(io::Error::other)
}

fn attend(
    mut command: Command,
    limit: Duration,
    unheard: Unheard,
    given_up: &PipeReader,
) -> io::Result<Output> {
    let (said, writer, given_up) = match unheard {
        Unheard::Ends => {
            let (said, writer) = Said::through_pipe()?;
            (said, writer, Some(given_up))
        }
        Unheard::GoesOn => {
            let (said, writer) = Said::into_file()?;
            (said, writer, None)
        }
    };
    command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    let mut attended = Attended::new(command.spawn()?, said);
    // It holds the writing ends of the pipe.
    drop(command);
    let deadline = Instant::now() + limit;
    let late = loop {
        if attended.ended() {
            break false;
        }
        if Instant::now() >= deadline || attended.wait(given_up, deadline) {
            attended.stop();
            break true;
        }
    };
    attended.finish(late)
}

/// Where what a program says is found.
enum Said {
    Pipe(PipeReader),
    /// In memory and without a name, so that a full disk, which may be the very fault, fails no revert.
    File(File),
    /// Nothing more is said.
    Over,
}

impl Said {
    fn through_pipe() -> io::Result<(Self, OwnedFd)> {
        let (pipe, writer) = io::pipe()?;
        rustix::io::ioctl_fionbio(&pipe, true)?;
        Ok((Self::Pipe(pipe), writer.into()))
    }

    fn into_file() -> io::Result<(Self, OwnedFd)> {
        let writer = memfd_create("said", MemfdFlags::CLOEXEC)?;
        // It is emptied while it is written.
        fcntl_setfl(&writer, OFlags::APPEND)?;
        Ok((Self::File(File::from(writer.try_clone()?)), writer))
    }

    /// What there is, as far as one read gives it.
    fn read(&mut self, into: &mut Vec<u8>) {
        let mut buffer = [0; 16 << 10];
        let read = match self {
            Self::Pipe(pipe) => pipe.read(&mut buffer),
            Self::File(file) => return end_of(file, into),
            Self::Over => return,
        };
        match read {
            Ok(0) => *self = Self::Over,
            Ok(read) => into.extend_from_slice(&buffer[..read]),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) => {}
            Err(_) => *self = Self::Over,
        }
    }
}

/// Moves the end of a file that is being appended to. What is written in that very moment may be lost.
fn end_of(file: &File, into: &mut Vec<u8>) {
    let Ok(length @ 1..) = file.metadata().map(|meta| meta.len()) else {
        return;
    };
    let kept = length.min(KEPT as u64);
    let mut end = vec![0; kept as usize];
    let read = file.read_exact_at(&mut end, length - kept);
    if read.is_ok() && file.set_len(0).is_ok() {
        into.extend_from_slice(&end);
    }
}

/// A child, and what it has said so far.
struct Attended {
    child: Child,
    pid: Pid,
    /// Tells of its end, where the kernel has that.
    pidfd: Option<OwnedFd>,
    source: Said,
    said: Vec<u8>,
}

impl Attended {
    fn new(child: Child, source: Said) -> Self {
        let pid = Pid::from_child(&child);
        Self {
            child,
            pid,
            pidfd: pidfd_open(pid, PidfdFlags::empty()).ok(),
            source,
            said: Vec::new(),
        }
    }

    /// Whether it has ended. It is not reaped, so that its number, and its group's, stays its own.
    fn ended(&self) -> bool {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        // An error means that it is no child any more.
        !matches!(waitid(WaitId::Pid(self.pid), look), Ok(None))
    }

    /// Waits until something happens, at most until `deadline`, and reads what was said. Whether the other end of
    /// `given_up` is closed.
    fn wait(&mut self, given_up: Option<&PipeReader>, deadline: Instant) -> bool {
        let mut left = deadline.saturating_duration_since(Instant::now());
        let mut fds = Vec::with_capacity(3);
        if let Some(pipe) = given_up {
            fds.push(PollFd::new(pipe, PollFlags::empty()));
        }
        match &self.source {
            Said::Pipe(pipe) => fds.push(PollFd::new(pipe, PollFlags::IN)),
            Said::File(_) => left = left.min(EMPTIED),
            Said::Over => {}
        }
        match &self.pidfd {
            Some(pidfd) => fds.push(PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN)),
            None => left = left.min(SLICE),
        }
        let timeout = Timespec::try_from(left).ok();
        let waited = poll(&mut fds, timeout.as_ref());
        let over = given_up.is_some() && !fds[0].revents().is_empty();
        if waited.is_err() {
            std::thread::sleep(left.min(SLICE));
        }
        self.read();
        over
    }

    /// Reads what there is, once, so that a program that never stops talking does not keep this thread from the clock.
    fn read(&mut self) {
        self.source.read(&mut self.said);
        if self.said.len() > 2 * KEPT {
            self.said.drain(..self.said.len() - KEPT);
        }
    }

    /// Ends it and its group: asks first.
    fn stop(&mut self) {
        // Errors mean that there is no one left.
        let _ = kill_process_group(self.pid, Signal::TERM);
        let deadline = Instant::now() + GRACE;
        while !self.ended() && Instant::now() < deadline {
            self.wait(None, deadline);
        }
        let _ = kill_process_group(self.pid, Signal::KILL);
    }

    /// Reaps it, and reads what it still said.
    fn finish(mut self, late: bool) -> io::Result<Output> {
        let status = self.child.wait()?;
        self.pidfd = None;
        let deadline = Instant::now() + LINGER;
        while matches!(self.source, Said::Pipe(_)) && Instant::now() < deadline {
            self.wait(None, deadline);
        }
        self.read();
        let over = self.said.len().saturating_sub(KEPT);
        self.said.drain(..over);
        Ok(Output {
            end: if late { End::Late } else { end(status) },
            said: self.said,
        })
    }
}

fn end(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Exit(code),
        (None, signal) => End::Signal(signal.unwrap_or_default()),
    }
}
