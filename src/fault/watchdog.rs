//! The process that brings faults back when the engine cannot: killed, or standing still.
//!
//! The engine starts it before the first fault that would outlive it, hands it the journal's lock as standard output, and
//! sends a heartbeat down its standard input. When that stops or ends, it brings back what the journal holds. When nothing
//! is outstanding any more the engine dismisses it, and it ends.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::signal::unix::{SignalKind, signal};

use super::hidden;
use super::journal::Journal;
use super::recover::{self, Cleared};
use super::run::reap;

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

/// How long it may take to say so.
const READY_WITHIN: Duration = Duration::from_secs(5);

/// A beat of the heart.
const BEATS: &[u8] = b".\n";

/// The engine's last line when nothing is outstanding.
const DISMISSED: &str = "dismissed";

/// How long a watchdog that was dismissed is waited for.
const LEAVES_WITHIN: Duration = Duration::from_secs(2);

/// A watchdog as its engine has it. Dropping it closes the pipe: it brings back what is outstanding, then ends.
#[derive(Debug)]
pub struct Watchdog {
    child: Option<Child>,
    heart: Option<ChildStdin>,
}

impl Watchdog {
    /// Starts one over a journal and waits until it is on guard, some milliseconds, at most 5 s.
    ///
    /// `program` is the stormdeck executable, which logs to `log`; `secrets` become variables of its environment, for ways back that need them.
    ///
    /// # Errors
    /// When it does not start, or says why it cannot guard.
    pub fn start<'s>(
        program: &Path,
        journal: &Journal,
        log: &Path,
        secrets: impl IntoIterator<Item = (&'s str, &'s str)>,
    ) -> io::Result<Self> {
        let secrets: Vec<_> = secrets.into_iter().collect();
        let names: Vec<&str> = secrets.iter().map(|(name, _)| *name).collect();
        let mut child = Command::new(program)
            .arg(COMMAND)
            .arg(journal.dir())
            .arg(log)
            .envs(secrets)
            .env(hidden::GIVEN, names.join(","))
            .stdin(Stdio::piped())
            .stdout(Stdio::from(journal.share()?))
            .stderr(Stdio::piped())
            .spawn()?;
        let heart = child.stdin.take();
        let said = match child.stderr.take() {
            Some(err) => first_line(err, READY_WITHIN),
            None => Ok(String::new()),
        };
        let why = match said {
            Ok(said) if said == READY => {
                return Ok(Self {
                    child: Some(child),
                    heart,
                });
            }
            Ok(said) => format!("it said {said:?}"),
            Err(error) => error.to_string(),
        };
        drop(heart);
        let _ = child.kill();
        let _ = child.wait();
        Err(io::Error::other(format!(
            "the watchdog did not start; {why}"
        )))
    }

    /// Keeps the lease for another [`LEASE`].
    ///
    /// # Errors
    /// When it is gone: nobody would bring the faults back if this process died now.
    pub fn beat(&mut self) -> io::Result<()> {
        self.tell(BEATS)
    }

    /// Sends it away, since nothing is outstanding: it ends without a look at the journal. Waits for its end, some
    /// milliseconds, at most 2 s: to be called off the event loop.
    pub fn dismiss(mut self) {
        // One that is gone already needs no word.
        let _ = self.tell(format!("{DISMISSED}\n").as_bytes());
        drop(self.heart.take());
        let Some(mut child) = self.child.take() else {
            return;
        };
        let end = Instant::now() + LEAVES_WITHIN;
        while Instant::now() < end {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        // It is waited for, and reaped, by the thread of the drop.
        self.child = Some(child);
    }

    fn tell(&mut self, line: &[u8]) -> io::Result<()> {
        match &mut self.heart {
            Some(heart) => heart.write_all(line),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.heart.take());
        // It may have something to bring back, and is not waited for here.
        if let Some(child) = self.child.take() {
            reap(child);
        }
    }
}

/// The first line that comes, without its end, or what there is of it.
fn first_line(mut from: impl Read + AsFd, within: Duration) -> io::Result<String> {
    let end = Instant::now() + within;
    let mut line = Vec::new();
    let mut buffer = [0; 256];
    while !line.contains(&b'\n') {
        if !is_ready(&from, end)? {
            let late = format!("it said nothing within {} s", within.as_secs());
            return Err(io::Error::other(late));
        }
        match from.read(&mut buffer)? {
            0 => break,
            read => line.extend_from_slice(&buffer[..read]),
        }
    }
    let line = String::from_utf8_lossy(&line);
    Ok(line.lines().next().unwrap_or_default().trim().to_owned())
}

/// Waits until something can be read, or it is closed; `false` when that is not by `end`.
fn is_ready(from: &impl AsFd, end: Instant) -> io::Result<bool> {
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(from, PollFlags::IN)], Some(&timeout)) {
            Ok(ready) => return Ok(ready > 0),
            // A signal, which is none of its business.
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// How a watch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// Nothing is outstanding.
    Dismissed,
    /// The pipe is closed: the engine's process is gone.
    Gone,
    /// The engine stands still. It may go on.
    Late,
}

/// Runs a watchdog: what the hidden subcommand does. Returns when nothing is outstanding any more, or when it gives up.
///
/// # Errors
/// When it cannot guard at all.
pub fn run(dir: PathBuf) -> io::Result<()> {
    // Signals that a terminal, or a supervisor, sends to the engine's group or session are not meant for it. Refused
    // where it was started as the head of a group, which is away from them as well.
    let _ = rustix::process::setsid();
    let lock = File::from(rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?);
    let journal = Journal::of_lock(dir, lock)?;
    let nowhere = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdout(&nowhere)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    {
        // Nor are those that are sent to every process when a machine goes down, or to all of one name. From the first
        // such call on they do nothing by themselves.
        let _context = runtime.enter();
        for kind in [
            SignalKind::terminate(),
            SignalKind::interrupt(),
            SignalKind::hangup(),
        ] {
            drop(signal(kind)?);
        }
    }
    eprintln!("{READY}");
    rustix::stdio::dup2_stderr(&nowhere)?;
    let ended = listen(&io::stdin(), LEASE);
    // From now on the engine's heart beats in vain, and it learns by that.
    rustix::stdio::dup2_stdin(&nowhere)?;
    match ended {
        Ended::Dismissed => return Ok(()),
        Ended::Gone => tracing::warn!("the engine is gone"),
        Ended::Late => tracing::warn!("the engine stands still and has lost its lease"),
    }
    runtime.block_on(clear(&journal, ended, PATIENCE))
}

/// Brings back what the journal holds, each tried for so long. An engine that only stood still may be writing an entry
/// down before it hears, by its next beats, that nobody is on guard.
async fn clear(journal: &Journal, ended: Ended, patience: Duration) -> io::Result<()> {
    let takes_in = match ended {
        Ended::Late => 2 * BEAT,
        Ended::Gone | Ended::Dismissed => Duration::ZERO,
    };
    let tell = |said: &str| tracing::warn!("{said}");
    let end = Instant::now() + patience;
    let cleared = loop {
        match recover::clear(journal, patience, takes_in, &tell).await {
            Ok(cleared) => break cleared,
            // As when the system has no more handles. Nobody else would come.
            Err(error) => {
                tracing::error!(%error, "the journal cannot be read");
                if Instant::now() >= end {
                    return Err(error);
                }
            }
        }
        tokio::time::sleep(BEAT).await;
    };
    for Cleared { fault, result, .. } in cleared {
        match result {
            Ok(said) => tracing::warn!(fault, said, "brought back"),
            Err(why) => tracing::error!(fault, why, "could not be brought back"),
        }
    }
    Ok(())
}

/// Returns when the engine's heart has stopped, or with its last word.
fn listen(heart: &impl AsFd, lease: Duration) -> Ended {
    let mut buffer = [0; 64];
    let mut line = Vec::new();
    loop {
        match is_ready(heart, Instant::now() + lease) {
            Ok(true) => {}
            Ok(false) => return Ended::Late,
            Err(_) => return Ended::Gone,
        }
        match rustix::io::read(heart, &mut buffer) {
            Ok(0) => return Ended::Gone,
            Ok(read) => line.extend_from_slice(&buffer[..read]),
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return Ended::Gone,
        }
        while let Some(end) = line.iter().position(|byte| *byte == b'\n') {
            if line[..end] == *DISMISSED.as_bytes() {
                return Ended::Dismissed;
            }
            line.drain(..=end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::undo::Undo;

    const SHORT: Duration = Duration::from_millis(50);

    #[test]
    fn an_engine_is_gone_or_late_or_has_sent_it_away() {
        let heard = |said: &[u8], closed: bool| {
            let (reader, mut writer) = io::pipe().unwrap();
            writer.write_all(said).unwrap();
            let open = (!closed).then_some(writer);
            let ended = listen(&reader, SHORT);
            drop(open);
            ended
        };
        assert_eq!(heard(b".\n.\n", false), Ended::Late);
        assert_eq!(heard(b".\n.\n", true), Ended::Gone);
        assert_eq!(heard(b"", true), Ended::Gone);
        assert_eq!(heard(b".\n.\ndismissed\n", true), Ended::Dismissed);
        assert_eq!(heard(b".\ndismissed\n", false), Ended::Dismissed);
        assert_eq!(heard(b".\ndismiss", true), Ended::Gone);
    }

    #[test]
    fn a_journal_that_cannot_be_read_for_now_is_read_later() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(dir.path(), "a").unwrap();
        let number = journal.write("x", &Undo::WithEngine).unwrap();
        let (there, away) = (journal.dir().to_owned(), dir.path().join("away"));
        std::fs::rename(&there, &away).unwrap();
        let mover = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            std::fs::rename(&away, &there).unwrap();
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let patience = Duration::from_secs(30);
        let cleared = runtime.block_on(clear(&journal, Ended::Gone, patience));
        mover.join().unwrap();
        cleared.unwrap();
        assert!(!journal.holds(number));
    }

    #[test]
    fn one_that_says_nothing_is_not_waited_for() {
        let (reader, mut writer) = io::pipe().unwrap();
        let why = first_line(&reader, SHORT).unwrap_err().to_string();
        assert_eq!(why, "it said nothing within 0 s");
        writer.write_all(b"on guard\n").unwrap();
        assert_eq!(first_line(&reader, SHORT).unwrap(), READY);
    }
}
