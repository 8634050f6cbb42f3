//! A program, run in a process group of its own, by a thread of its own.
//!
//! In: a command and a time limit. Out: how it ended, and the end of what it said. The thread starts the program, reads
//! it, ends its group at the limit or when nobody waits any more, and reaps it; the event loop only waits for an answer.
//! What the program leaves behind in the background, and what that does with the pipe, holds nothing up.

use std::io::{self, PipeReader, PipeWriter, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
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

/// A program under way. Dropping it ends the program.
pub(super) struct Running {
    answer: oneshot::Receiver<io::Result<Output>>,
    limit: Duration,
    /// The thread holds the other end, and sees that this one is closed.
    _waiting: PipeWriter,
}

/// Ends with an error, and no sooner, when the program is gone, however that came about.
pub(super) type Gone = oneshot::Receiver<std::convert::Infallible>;

/// Starts a program; it is ended after `limit`.
pub(super) fn start(command: Command, limit: Duration) -> io::Result<(Running, Gone)> {
    let (gone_sender, gone) = oneshot::channel();
    let (answer_sender, answer) = oneshot::channel();
    let (given_up, waiting) = io::pipe()?;
    let attend = move || {
        let _gone = gone_sender;
        // Nobody is there to hear it when it was given up.
        let _ = answer_sender.send(attend(command, limit, &given_up));
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

fn attend(mut command: Command, limit: Duration, given_up: &PipeReader) -> io::Result<Output> {
    let (pipe, writer) = io::pipe()?;
    command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    let mut attended = Attended::new(command.spawn()?, pipe)?;
    // It holds the writing ends of the pipe.
    drop(command);
    let deadline = Instant::now() + limit;
    let late = loop {
        if attended.ended() {
            break false;
        }
        if Instant::now() >= deadline || attended.wait(Some(given_up), deadline) {
            attended.stop();
            break true;
        }
    };
    attended.finish(late)
}

/// A child, and what it has said so far.
struct Attended {
    child: Child,
    pid: Pid,
    /// Tells of its end, where the kernel has that.
    pidfd: Option<OwnedFd>,
    pipe: Option<PipeReader>,
    said: Vec<u8>,
}

impl Attended {
    fn new(child: Child, pipe: PipeReader) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&pipe, true)?;
        let pid = Pid::from_child(&child);
        Ok(Self {
            child,
            pid,
            pidfd: pidfd_open(pid, PidfdFlags::empty()).ok(),
            pipe: Some(pipe),
            said: Vec::new(),
        })
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
        if let Some(pipe) = &self.pipe {
            fds.push(PollFd::new(pipe, PollFlags::IN));
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
        let Some(pipe) = &mut self.pipe else { return };
        let mut buffer = [0; 16 << 10];
        match pipe.read(&mut buffer) {
            Ok(0) => self.pipe = None,
            Ok(read) => {
                self.said.extend_from_slice(&buffer[..read]);
                if self.said.len() > 2 * KEPT {
                    self.said.drain(..self.said.len() - KEPT);
                }
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) => {}
            Err(_) => self.pipe = None,
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
        while self.pipe.is_some() && Instant::now() < deadline {
            self.wait(None, deadline);
        }
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
