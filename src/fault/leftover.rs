//! Programs of an injection that nobody waits for any more: the engine that started them was killed. Left alone, they would
//! go on breaking things after the way back was taken.
//!
//! They are found by a mark in their environment. Only what is still the head of the process group in which it was
//! started counts: a service that an injection started on purpose has made itself a daemon, and is none of our business.

use std::fs;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process_group};

use super::program::MARK;
use super::run::GRACE;

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
            std::thread::sleep(std::time::Duration::from_millis(10));
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
