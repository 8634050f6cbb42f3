//! A program, run in a process group of its own, by a thread of its own.
//!
//! In: a command and a time limit. Out: how it ended, and the end of what it said. The thread starts the program, reads
//! it, ends its group at the limit or when nobody waits any more, and reaps it; the event loop only waits for an answer.
//! What the program leaves behind in the background, and what that does with the pipe, holds nothing up.
//!
//! One that must not be ended half way, a revert, writes into a file that has no name instead: it outlives whoever started it,
//! and no pipe breaks under it.
//!
//! One whose answer is read by us keeps it apart from its complaints, and whole. A server is only started, and reaped.

mod heard;
mod left;

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, waitid,
};
use tokio::sync::oneshot;

use self::heard::{KEPT, Said, Stream, WHOLE};
use self::left::Left;
pub(super) use self::left::{Last, UNSTOPPABLE, has_ended, is_running};
use crate::profile::units::format_duration;

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
    /// The end of its standard error, where that was kept apart.
    pub complaint: Vec<u8>,
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
    /// Not even by ours: it goes on past the time limit.
    Stuck,
}

impl End {
    /// What there is to say of it, when it was not a success.
    pub fn failure(self, limit: Duration) -> Option<String> {
        Some(match self {
            Self::Exit(0) => return None,
            Self::Exit(status) => format!("ended with status {status}"),
            Self::Signal(signal) => format!("was ended by signal {signal}"),
            Self::Late => format!(
                "did not end within {} and was killed",
                format_duration(limit)
            ),
            Self::Stuck => format!(
                "did not end within {} and is still running: {UNSTOPPABLE}",
                format_duration(limit)
            ),
        })
    }
}

/// What is heard of a program.
#[derive(Debug, Clone, Copy)]
enum Hearing {
    /// The end of all that it says, in the order in which it came.
    Together(Unheard),
    /// Its answer, and what it complains of. It is ended when nobody waits any more.
    Apart,
}

/// A program under way. Dropping it ends the program, or lets it go on, as it was started.
pub(super) struct Running {
    answer: oneshot::Receiver<io::Result<Output>>,
    limit: Duration,
    /// The thread holds the other end, and sees that this one is closed.
    _waiting: PipeWriter,
}

/// Ends with an error, and no sooner, when the program is gone, however that came about; one that was ended, with its whole
/// group.
pub(super) type Gone = oneshot::Receiver<std::convert::Infallible>;

/// Starts a program; it is ended after `limit`.
pub(super) fn start(
    command: Command,
    limit: Duration,
    unheard: Unheard,
) -> io::Result<(Running, Gone)> {
    begin(command, limit, Hearing::Together(unheard))
}

/// Likewise one whose answer is read.
pub(super) fn ask(command: Command, limit: Duration) -> io::Result<Running> {
    Ok(begin(command, limit, Hearing::Apart)?.0)
}

fn begin(command: Command, limit: Duration, hearing: Hearing) -> io::Result<(Running, Gone)> {
    let (gone_sender, gone) = oneshot::channel();
    let (answer_sender, answer) = oneshot::channel();
    let (given_up, waiting) = io::pipe()?;
    let attend = move || {
        let _gone = gone_sender;
        let (answer, left) = match attend(command, limit, hearing, &given_up) {
            Ok((output, left)) => (Ok(output), left),
            Err(error) => (Err(error), None),
        };
        // Nobody is there to hear it when it was given up.
        let _ = answer_sender.send(answer);
        if let Some(left) = left {
            left.outlast();
        }
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
        let patience = self.limit + 3 * GRACE;
        match tokio::time::timeout(patience, self.answer).await {
            Ok(Ok(output)) => output,
            Ok(Err(_)) => Err(io::Error::other("the thread that ran it is gone")),
            Err(_) => Ok(Output {
                end: End::Stuck,
                said: Vec::new(),
                complaint: Vec::new(),
            }),
        }
    }
}

/// Waits on a thread of its own for the end of a program that goes on by itself, so that nothing is left of it then. How it
/// ended may be asked for; nobody need.
pub(super) fn reap(mut child: Child) -> oneshot::Receiver<io::Result<ExitStatus>> {
    let (sender, ended) = oneshot::channel();
    let reap = move || sender.send(child.wait());
    // Without a thread it is reaped by the system, when this process ends.
    let _ = std::thread::Builder::new().name("reap".into()).spawn(reap);
    ended
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
    hearing: Hearing,
    given_up: &PipeReader,
) -> io::Result<(Output, Option<Left>)> {
    let mut given_up = Some(given_up);
    let (said, writer) = match hearing {
        Hearing::Together(Unheard::GoesOn) => {
            given_up = None;
            Said::into_file()?
        }
        Hearing::Together(Unheard::Ends) | Hearing::Apart => Said::through_pipe()?,
    };
    let (streams, complaints) = match hearing {
        Hearing::Together(_) => (vec![Stream::of(said, KEPT)], writer.try_clone()?),
        Hearing::Apart => {
            let (complaint, complaints) = Said::through_pipe()?;
            let streams = vec![Stream::of(said, WHOLE), Stream::of(complaint, KEPT)];
            (streams, complaints)
        }
    };
    command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(complaints);
    let mut attended = Attended::new(command.spawn()?, streams);
    // It holds the writing ends of the pipe.
    drop(command);
    let deadline = Instant::now() + limit;
    let stopped = loop {
        if attended.ended() {
            break None;
        }
        if Instant::now() >= deadline || attended.wait(given_up, deadline) {
            break Some(attended.stop());
        }
    };
    match stopped {
        Some(false) => Ok(attended.leave()),
        Some(true) => Ok((attended.finish(true)?, None)),
        None => Ok((attended.finish(false)?, None)),
    }
}

/// A child, and what it says.
struct Attended {
    child: Child,
    pid: Pid,
    /// Tells of its end, where the kernel has that.
    pidfd: Option<OwnedFd>,
    streams: Vec<Stream>,
}

impl Attended {
    fn new(child: Child, streams: Vec<Stream>) -> Self {
        let pid = Pid::from_child(&child);
        Self {
            child,
            pid,
            pidfd: pidfd_open(pid, PidfdFlags::empty()).ok(),
            streams,
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
        let mut fds = Vec::with_capacity(4);
        if let Some(pipe) = given_up {
            fds.push(PollFd::new(pipe, PollFlags::empty()));
        }
        for stream in &self.streams {
            match &stream.source {
                Said::Pipe(pipe) => fds.push(PollFd::new(pipe, PollFlags::IN)),
                Said::File(_) => left = left.min(EMPTIED),
                Said::Over => {}
            }
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
        self.streams.iter_mut().for_each(Stream::read);
        over
    }

    /// Ends it and its group: asks first. Whether that came about.
    fn stop(&mut self) -> bool {
        // Whether a signal reached anyone, and all, is seen by what is left.
        let _ = kill_process_group(self.pid, Signal::TERM);
        let deadline = Instant::now() + GRACE;
        while !self.ended() && Instant::now() < deadline {
            self.wait(None, deadline);
        }
        let _ = kill_process_group(self.pid, Signal::KILL);
        let deadline = Instant::now() + GRACE;
        while is_running(self.pid) {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(SLICE);
        }
        true
    }

    /// What it said so far, and what is left of it.
    fn leave(self) -> (Output, Option<Left>) {
        let (child, group) = (self.child, self.pid);
        let output = heard(self.streams, End::Stuck);
        (output, Some(Left::new(child, group)))
    }

    /// Reaps it, and reads what it still said.
    fn finish(mut self, late: bool) -> io::Result<Output> {
        let status = self.child.wait()?;
        self.pidfd = None;
        let deadline = Instant::now() + LINGER;
        let open = |stream: &Stream| stream.is_piped();
        while self.streams.iter().any(open) && Instant::now() < deadline {
            self.wait(None, deadline);
        }
        let end = if late { End::Late } else { end(status) };
        Ok(heard(self.streams, end))
    }
}

fn heard(streams: Vec<Stream>, end: End) -> Output {
    let mut heard = streams.into_iter().map(Stream::finish);
    Output {
        end,
        said: heard.next().unwrap_or_default(),
        complaint: heard.next().unwrap_or_default(),
    }
}

fn end(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Exit(code),
        (None, signal) => End::Signal(signal.unwrap_or_default()),
    }
}
