//! Processes and their descendants: who they are, that they stand still, go on, are gone.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use procfs::process::{Process, Stat};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal, test_kill_process};
use serde::{Deserialize, Serialize};

use crate::fault::driver::FaultError;
use crate::fault::run::aside;
use crate::fault::run::has_ended;

/// How long a signal may take to be obeyed: a process in the middle of a system call on a slow disk does not listen.
const OBEY: Duration = Duration::from_secs(5);
/// Between two looks at whether it was.
const LOOK: Duration = Duration::from_millis(2);
/// How often a tree is looked at again for those born meanwhile; each that is found cannot bear any more.
const ROUNDS: usize = 64;
/// Flag of a process that is about to end, in `/proc/PID/stat`.
const EXITING: u32 = 0x4;

/// A process, told apart from a later one of the same number by when it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Its number.
    pub pid: i32,
    /// When it began, clock ticks since the machine started.
    pub start: u64,
}

impl Identity {
    /// The process that has this number now.
    pub fn of(pid: i32) -> Option<Self> {
        let stat = Process::new(pid).ok()?.stat().ok()?;
        Some(Self {
            pid,
            start: stat.starttime,
        })
    }

    /// What the system says of it; nothing when it has ended, whoever has its number now.
    pub fn stat(self) -> Option<Stat> {
        let stat = Process::new(self.pid).ok()?.stat().ok()?;
        (stat.starttime == self.start && is_alive(&stat)).then_some(stat)
    }

    /// Whether it is still there, and not about to end.
    pub fn lives(self) -> bool {
        self.stat().is_some_and(|stat| stat.flags & EXITING == 0)
    }

    /// Makes sure that this user may send it signals; one that has ended needs none.
    fn may_be_signalled(self) -> Result<(), FaultError> {
        let Some(pid) = Pid::from_raw(self.pid) else {
            return Ok(());
        };
        match test_kill_process(pid) {
            Err(error) if error != Errno::SRCH && self.stat().is_some() => Err(self.refused(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn refused(self, error: Errno) -> FaultError {
        FaultError(format!(
            "process {} takes no signal from this user: {error}",
            self.pid
        ))
    }

    /// Sends it a signal; false when it has ended.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn signal(self, signal: Signal) -> Result<bool, FaultError> {
        let Some(pid) = Pid::from_raw(self.pid) else {
            return Ok(false);
        };
        // The descriptor stands for the process that had the number when it was opened; that it is the right one is
        // asked after that.
        let handle = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(handle) => handle,
            Err(Errno::SRCH) => return Ok(false),
            Err(error) => return Err(self.refused(error)),
        };
        if self.stat().is_none() {
            return Ok(false);
        }
        match pidfd_send_signal(&handle, signal) {
            Ok(()) => Ok(true),
            Err(Errno::SRCH) => Ok(false),
            Err(error) => Err(self.refused(error)),
        }
    }
}

fn is_alive(stat: &Stat) -> bool {
    !has_ended(stat)
}

fn stands_still(stat: &Stat) -> bool {
    matches!(stat.state, 'T' | 't')
}

/// Every process that has not ended.
pub(super) fn all() -> Vec<Stat> {
    procfs::process::all_processes()
        .map(|all| {
            all.filter_map(|process| process.ok()?.stat().ok())
                .filter(is_alive)
                .collect()
        })
        .unwrap_or_default()
}

/// These, and their descendants after them.
async fn with_descendants(roots: Vec<Identity>) -> Result<Vec<Identity>, FaultError> {
    let all = aside("look", all).await.map_err(FaultError::of)?;
    let mut children: HashMap<i32, Vec<Identity>> = HashMap::new();
    for stat in &all {
        let identity = Identity {
            pid: stat.pid,
            start: stat.starttime,
        };
        children.entry(stat.ppid).or_default().push(identity);
    }
    let there: HashSet<Identity> = children.values().flatten().copied().collect();
    let mut found: Vec<Identity> = roots;
    found.retain(|root| there.contains(root));
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        for child in children.get(&parent.pid).into_iter().flatten() {
            if !found.contains(child) {
                found.push(*child);
            }
        }
        at += 1;
    }
    Ok(found)
}

/// A process and its descendants.
pub(super) async fn of(root: Identity) -> Result<Vec<Identity>, FaultError> {
    with_descendants(vec![root]).await
}

/// A process and its descendants, all of which must be running, and this user's: what stands still already was stopped by
/// someone else, and is not ours to wake; and a tree is not stopped in part.
pub(super) async fn running(root: Identity) -> Result<Vec<Identity>, FaultError> {
    let found = of(root).await?;
    for process in &found {
        if process.stat().as_ref().is_some_and(stands_still) {
            return Err(FaultError(format!(
                "process {} stands still already: let it go on (`kill -CONT {}`) first",
                process.pid, process.pid
            )));
        }
        process.may_be_signalled()?;
    }
    if found.is_empty() {
        return Err(ended(root));
    }
    Ok(found)
}

fn ended(root: Identity) -> FaultError {
    FaultError(format!("process {} has ended by itself", root.pid))
}

/// Stops a process and its descendants; gives all that stand still.
pub(super) async fn stop(root: Identity) -> Result<Vec<Identity>, FaultError> {
    let mut stopped = Vec::new();
    for _ in 0..ROUNDS {
        let found = of(root).await?;
        let fresh: Vec<Identity> = found
            .into_iter()
            .filter(|process| !stopped.contains(process))
            .collect();
        if fresh.is_empty() {
            break;
        }
        for process in &fresh {
            process.signal(Signal::STOP)?;
        }
        reached(&fresh, "stand still", |process| {
            process.stat().is_none_or(|stat| stands_still(&stat))
        })
        .await?;
        stopped.extend(fresh);
    }
    if root.stat().is_none() {
        return Err(ended(root));
    }
    Ok(stopped)
}

/// Lets these and their descendants go on; gives how many there are. Those that run are left alone, and one that cannot
/// be woken keeps none of the others.
pub(super) async fn wake(known: &[Identity]) -> Result<usize, FaultError> {
    let found = with_descendants(known.to_vec()).await?;
    let mut still = found.clone();
    still.retain(|process| is_stopped(*process));
    signal_all(&still, Signal::CONT)?;
    reached(&still, "go on", |process| {
        process.stat().is_none_or(|stat| !stands_still(&stat))
    })
    .await?;
    Ok(found.len())
}

/// Whether it stands still, or will as soon as it listens.
fn is_stopped(process: Identity) -> bool {
    process.stat().as_ref().is_some_and(stands_still) || awaits(process, Signal::STOP)
}

/// Whether a signal was sent to it that it has not felt yet.
pub(super) fn awaits(process: Identity, signal: Signal) -> bool {
    let bit = 1 << (signal.as_raw() - 1);
    let status = Process::new(process.pid).and_then(|process| process.status());
    status.is_ok_and(|status| (status.sigpnd | status.shdpnd) & bit != 0)
}

/// Sends all of them a signal, also when one does not take it; then every mistake is told.
pub(super) fn signal_all(processes: &[Identity], signal: Signal) -> Result<(), FaultError> {
    let failed: Vec<String> = processes
        .iter()
        .filter_map(|process| process.signal(signal).err())
        .map(|error| error.0)
        .collect();
    if failed.is_empty() {
        Ok(())
    } else {
        Err(FaultError(failed.join("; ")))
    }
}

/// Waits until all of them have ended.
pub(super) async fn gone(doomed: &[Identity]) -> Result<(), FaultError> {
    reached(doomed, "end", |process| process.stat().is_none()).await
}

/// Waits until it is so for all of them, but not for ever.
async fn reached(
    processes: &[Identity],
    what: &str,
    is_so: impl Fn(Identity) -> bool,
) -> Result<(), FaultError> {
    let begun = Instant::now();
    for process in processes {
        while !is_so(*process) {
            if begun.elapsed() > OBEY {
                let state = process.stat().map_or('?', |stat| stat.state);
                return Err(FaultError(format!(
                    "process {} does not {what} after {} s: it is in state {state}",
                    process.pid,
                    OBEY.as_secs()
                )));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
    Ok(())
}
