//! Programs that nobody waits for any more: whoever started them was killed. Those of an injection, left alone, would go on
//! breaking things after the way back was taken. A revert must not run a second time on top of itself.
//!
//! They are found by a mark in their environment. Only what is still the head of the process group in which it was
//! started counts: a service that an injection started on purpose has made itself a daemon, and is none of our business.
//! An environment may be read by its own user only: what is another user's, and comes from where the injection does, may
//! be one of them.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use procfs::process::{Process, Stat};
use procfs::{Current, Uptime};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};

use super::program::MARK;
use super::run::{GRACE, has_ended, is_running};

/// From one look to the next.
const LOOK: Duration = Duration::from_millis(10);

/// From one look at every process to the next.
const SELDOM: Duration = Duration::from_millis(100);

/// Where what an injection starts comes from, and not before when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Origin {
    /// The session of processes: an engine has one of its own.
    session: i32,
    /// Clock ticks since the machine started.
    since: u64,
}

impl Origin {
    /// This process, now; nothing where the system does not tell, and where it shares its session with a shell: whatever a
    /// person runs there later would be taken for the fault's.
    pub fn now() -> Option<Self> {
        let own = Process::myself().ok()?.stat().ok()?;
        let session = Some(own.session).filter(|session| *session == own.pid)?;
        let ticks = Uptime::current().ok()?.uptime * procfs::ticks_per_second() as f64;
        let since = ticks as u64;
        Some(Self { session, since })
    }

    /// Whether a process may be of the injection. One whose group has a head that runs is found by the mark of that.
    fn fits(self, stat: &Stat) -> bool {
        let head = || Process::new(stat.pgrp).and_then(|head| head.stat());
        stat.session == self.session
            && stat.starttime >= self.since
            && stat.pid != stat.session
            && !has_ended(stat)
            && (stat.pid == stat.pgrp || !head().is_ok_and(|head| !has_ended(&head)))
    }
}

/// Waits until nothing carries this mark any more. What has not come to an end by itself within `limit` is ended, as whoever
/// started it would have done. Whether nothing is left. It blocks.
pub(super) fn await_end(mark: &str, limit: Duration) -> bool {
    let wanted = format!("{MARK}={mark}");
    let deadline = Instant::now() + limit;
    let Ok(mut left) = marked(wanted.as_bytes()) else {
        return false;
    };
    while !left.is_empty() {
        if Instant::now() >= deadline {
            return end(mark);
        }
        std::thread::sleep(LOOK);
        left.retain(|pid| is_head(*pid) && carries(*pid, wanted.as_bytes()));
    }
    true
}

/// Ends what carries this mark, and its group, and waits until that is gone. Whether it is. It blocks.
pub(super) fn end(mark: &str) -> bool {
    let wanted = format!("{MARK}={mark}");
    let Ok(mut left) = marked(wanted.as_bytes()) else {
        return false;
    };
    for signal in [Signal::TERM, Signal::KILL] {
        for group in &left {
            // Whom it reached is seen by who is left.
            let _ = kill_process_group(*group, signal);
        }
        let deadline = Instant::now() + GRACE;
        loop {
            left.retain(|group| is_running(*group));
            if left.is_empty() || Instant::now() >= deadline {
                break;
            }
            std::thread::sleep(LOOK);
        }
    }
    left.is_empty()
}

/// Waits so long for the end of processes that may be of an injection, or a revert, and cannot be looked into. Whether none
/// is left. It blocks.
pub(super) fn await_strangers(origin: Origin, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        let all = procfs::process::all_processes();
        // Not to be able to look is not to see nobody.
        let left = all.map_or(true, |mut all| {
            all.any(|process| {
                let stat = process.and_then(|process| process.stat());
                stat.is_ok_and(|stat| origin.fits(&stat) && is_closed(stat.pid))
            })
        });
        if !left || Instant::now() >= deadline {
            return !left;
        }
        std::thread::sleep(SELDOM);
    }
}

/// Whether this user may not look into it.
fn is_closed(pid: i32) -> bool {
    fs::read(format!("/proc/{pid}/environ"))
        .is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

fn marked(wanted: &[u8]) -> io::Result<Vec<Pid>> {
    let mut all = everyone()?;
    all.retain(|pid| is_head(*pid) && carries(*pid, wanted));
    Ok(all)
}

/// The numbers of everything that carries this mark, a service that has made itself a daemon too. It blocks.
pub(super) fn carriers(mark: &str) -> io::Result<Vec<i32>> {
    let wanted = format!("{MARK}={mark}");
    let all = everyone()?.into_iter();
    Ok(all
        .filter(|pid| carries(*pid, wanted.as_bytes()))
        .map(|pid| pid.as_raw_nonzero().get())
        .collect())
}

fn everyone() -> io::Result<Vec<Pid>> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.parse().ok());
        all.extend(number.and_then(Pid::from_raw));
    }
    Ok(all)
}

/// Whether it heads a process group, but no session of its own.
fn is_head(pid: Pid) -> bool {
    let pid = pid.as_raw_nonzero();
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    // The name of the program, in parentheses, may hold anything.
    let Some((_, rest)) = stat.rsplit_once(')') else {
        return false;
    };
    let mut fields = rest.split_ascii_whitespace().skip(2);
    let own = pid.to_string();
    fields.next() == Some(own.as_str()) && fields.next() != Some(own.as_str())
}

/// Whether its environment holds this, as far as that may be read. That of a process that has ended is empty.
fn carries(pid: Pid, wanted: &[u8]) -> bool {
    fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero()))
        .is_ok_and(|env| env.split(|byte| *byte == 0).any(|entry| entry == wanted))
}
