//! Programs that nobody waits for any more: whoever started them was killed. Those of an injection, left alone, would go on
//! breaking things after the way back was taken. A revert must not run a second time on top of itself.
//!
//! They are found by a mark in their environment. Only what is still the head of the process group in which it was
//! started counts: a service that an injection started on purpose has made itself a daemon, and is none of our business.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::program::MARK;
use super::run::GRACE;

/// From one look to the next.
const LOOK: Duration = Duration::from_millis(10);

/// Waits until nothing carries this mark any more. What has not come to an end by itself within `limit` is ended, as whoever
/// started it would have done. It blocks.
pub(super) fn await_end(mark: &str, limit: Duration) {
    let wanted = format!("{MARK}={mark}");
    let deadline = Instant::now() + limit;
    let mut left = marked(wanted.as_bytes());
    while !left.is_empty() {
        if Instant::now() >= deadline {
            return end(mark);
        }
        std::thread::sleep(LOOK);
        left.retain(|pid| is_head(*pid) && carries(*pid, wanted.as_bytes()));
    }
}

/// Ends what carries this mark, and waits until it is gone. It blocks.
pub(super) fn end(mark: &str) {
    let wanted = format!("{MARK}={mark}");
    let found = marked(wanted.as_bytes());
    for pid in &found {
        let _ = kill_process_group(*pid, Signal::TERM);
    }
    let deadline = Instant::now() + GRACE;
    let mut left = found;
    while !left.is_empty() {
        left.retain(|pid| is_head(*pid) && carries(*pid, wanted.as_bytes()));
        if Instant::now() >= deadline {
            for pid in left.drain(..) {
                let _ = kill_process_group(pid, Signal::KILL);
            }
        } else if !left.is_empty() {
            std::thread::sleep(LOOK);
        }
    }
}

fn marked(wanted: &[u8]) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| Pid::from_raw(entry.ok()?.file_name().to_str()?.parse().ok()?))
        .filter(|pid| is_head(*pid) && carries(*pid, wanted))
        .collect()
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
