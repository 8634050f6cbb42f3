//! The process that brings faults back when the engine cannot: killed, or standing still.
//!
//! The engine starts it before the first fault that would outlive it, hands it the journal's lock as standard output, and
//! sends a heartbeat down its standard input. When that stops or ends, it brings back what the journal holds. When nothing
//! is outstanding any more the engine closes the pipe, and it ends with nothing to do.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use super::journal::Journal;
use super::recover;

/// The hidden subcommand that is a watchdog.
pub const COMMAND: &str = "watchdog";

/// The engine's heart beats this often.
pub const BEAT: Duration = Duration::from_secs(1);

/// An engine whose heart has not beaten for so long has lost its lease.
pub const LEASE: Duration = Duration::from_secs(10);

/// How long a watchdog tries to bring a fault back. What is left then is found by `recover`.
const PATIENCE: Duration = Duration::from_mins(15);

/// What it says once it is on guard.
const READY: &str = "on guard";

/// A watchdog as its engine has it. Dropping it closes the pipe: it ends, after bringing back what is outstanding.
#[derive(Debug)]
pub struct Watchdog {
    child: Option<Child>,
    heart: Option<ChildStdin>,
}

impl Watchdog {
    /// Starts one over a journal and waits until it is on guard, some milliseconds.
    ///
    /// `program` is the stormdeck executable; `secrets` become variables of its environment, for ways back that need them.
    ///
    /// # Errors
    /// When it does not start, or says why it cannot guard.
    pub fn start<'s>(
        program: &Path,
        journal: &Journal,
        secrets: impl IntoIterator<Item = (&'s str, &'s str)>,
    ) -> io::Result<Self> {
        let mut child = Command::new(program)
            .arg(COMMAND)
            .arg(journal.dir())
            .envs(secrets)
            // Signals that a terminal, or a supervisor, sends to the engine's group are not meant for it.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::from(journal.share()?))
            .stderr(Stdio::piped())
            .spawn()?;
        let heart = child.stdin.take();
        let mut said = String::new();
        if let Some(err) = child.stderr.take() {
            BufReader::new(err).read_line(&mut said)?;
        }
        if said.trim() != READY {
            drop(heart);
            let _ = child.kill();
            let _ = child.wait();
            let why = format!("the watchdog did not start; it said {:?}", said.trim());
            return Err(io::Error::other(why));
        }
        Ok(Self {
            child: Some(child),
            heart,
        })
    }

    /// Keeps the lease for another [`LEASE`].
    ///
    /// # Errors
    /// When it is gone: nobody would bring the faults back if this process died now.
    pub fn beat(&mut self) -> io::Result<()> {
        match &mut self.heart {
            Some(heart) => heart.write_all(b".\n"),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl Watchdog {
    /// Lets it go: nothing is outstanding.
    pub fn dismiss(self) {
        drop(self);
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.heart.take());
        // It has nothing to do and ends at once, or it has, and is not waited for here.
        if let Some(mut child) = self.child.take() {
            let reap = move || child.wait();
            let _ = std::thread::Builder::new().name("reap".into()).spawn(reap);
        }
    }
}

/// Runs a watchdog: what the hidden subcommand does. Returns when nothing is outstanding any more, or when it gives up.
///
/// # Errors
/// When it cannot guard at all.
pub fn run(dir: PathBuf) -> io::Result<()> {
    // Refused to the leader of a process group, which it is; the group of its own is what matters then.
    let _ = rustix::process::setsid();
    let lock = File::from(rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?);
    let journal = Journal::of_lock(dir, lock)?;
    let nowhere = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdout(&nowhere)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    eprintln!("{READY}");
    rustix::stdio::dup2_stderr(&nowhere)?;
    listen()?;
    let cleared = runtime.block_on(recover::clear(&journal, PATIENCE))?;
    for (fault, result) in cleared {
        match result {
            Ok(()) => tracing::warn!(fault, "brought back: the engine is gone"),
            Err(why) => tracing::error!(fault, why, "could not be brought back"),
        }
    }
    Ok(())
}

/// Returns when the engine's heart has stopped.
fn listen() -> io::Result<()> {
    let (beats, heard) = sync_channel(1);
    std::thread::Builder::new()
        .name("heart".into())
        .spawn(move || {
            let mut input = io::stdin().lock();
            let mut buffer = [0; 64];
            loop {
                match input.read(&mut buffer) {
                    Ok(0) => return,
                    Err(error) if error.kind() != io::ErrorKind::Interrupted => return,
                    Ok(_) if beats.send(()).is_err() => return,
                    Ok(_) | Err(_) => {}
                }
            }
        })?;
    loop {
        match heard.recv_timeout(LEASE) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}
