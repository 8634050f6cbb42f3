//! Which process: by a file with its number, by the port that it listens on, by its command line.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use procfs::net::TcpState;
use procfs::process::{FDTarget, Process, Stat};
use regex::Regex;

use super::tree::{self, Identity};
use crate::fault::driver::FaultError;
use crate::fault::run::aside;
use crate::profile::model::Which;

/// Flag of a thread of the kernel, in `/proc/PID/stat`.
const KERNEL_THREAD: u32 = 0x0020_0000;

/// A process may seem to have begun so much after the file that names it was written: the system tells the moment of its
/// own start in whole seconds, and its clock may have been set since.
const SLACK: Duration = Duration::from_secs(5);

/// The one process that is meant.
///
/// # Errors
/// When there is none, more than one, or one that must not be touched.
pub(super) async fn one(which: &Which) -> Result<Identity, FaultError> {
    one_like(which, |_| true).await
}

/// The one that is meant among those like this. A port and a file name one process, whatever it is like.
///
/// # Errors
/// When there is none, more than one, or one that must not be touched.
pub(super) async fn one_like(
    which: &Which,
    is_like: impl Fn(&Stat) -> bool + Send + 'static,
) -> Result<Identity, FaultError> {
    let which = which.clone();
    let look = move || match &which {
        Which::PidFile(path) => by_file(path),
        Which::Port(port) => by_port(*port),
        Which::Command(pattern) => by_command(pattern, is_like),
    };
    aside("look", look).await.map_err(FaultError::of)?
}

fn by_file(path: &Path) -> Result<Identity, FaultError> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| FaultError(format!("the pid file `{shown}` cannot be read: {error}")))?;
    // PostgreSQL writes more lines after the number.
    let pid = text
        .lines()
        .next()
        .and_then(|line| line.trim().parse::<i32>().ok())
        .filter(|pid| *pid > 0)
        .ok_or_else(|| FaultError(format!("the pid file `{shown}` holds no process number")))?;
    let stat = tree::all()
        .into_iter()
        .find(|stat| stat.pid == pid)
        .ok_or_else(|| {
            FaultError(format!(
                "the pid file `{shown}` names process {pid}, which is not there"
            ))
        })?;
    may_be_touched(&stat)?;
    let written = std::fs::metadata(path).and_then(|file| file.modified());
    if let (Ok(written), Some(begun)) = (written, begun(&stat))
        && begun > written + SLACK
    {
        return Err(FaultError(format!(
            "the pid file `{shown}` is stale: process {pid} began after it was written, and is another"
        )));
    }
    Ok(identity(&stat))
}

/// When a process began, to the second.
fn begun(stat: &Stat) -> Option<SystemTime> {
    let boot = procfs::boot_time_secs().ok()?;
    let since = stat.starttime / procfs::ticks_per_second().max(1);
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(boot + since))
}

fn by_port(port: u16) -> Result<Identity, FaultError> {
    let mut sockets = procfs::net::tcp().map_err(FaultError::of)?;
    // Absent where the system has no IPv6.
    sockets.extend(procfs::net::tcp6().unwrap_or_default());
    let inodes: HashSet<u64> = sockets
        .iter()
        .filter(|socket| socket.state == TcpState::Listen && socket.local_address.port() == port)
        .map(|socket| socket.inode)
        .collect();
    if inodes.is_empty() {
        return Err(FaultError(format!(
            "no process of this machine listens on TCP port {port}"
        )));
    }
    let holders: Vec<Stat> = tree::all()
        .into_iter()
        .filter(|stat| holds(stat.pid, &inodes))
        .collect();
    top_one(holders, &format!("port {port}"), || {
        format!(
            "the process that listens on port {port} is not this user's: run as root to touch it"
        )
    })
}

/// Whether a process has one of these sockets open.
fn holds(pid: i32, inodes: &HashSet<u64>) -> bool {
    let open = Process::new(pid).and_then(|process| process.fd());
    open.is_ok_and(|mut open| {
        open.any(|file| {
            matches!(file.map(|file| file.target), Ok(FDTarget::Socket(inode)) if inodes.contains(&inode))
        })
    })
}

fn by_command(pattern: &str, is_like: impl Fn(&Stat) -> bool) -> Result<Identity, FaultError> {
    let regex = Regex::new(pattern).map_err(FaultError::of)?;
    let matching: Vec<Stat> = tree::all()
        .into_iter()
        // A person's shell, `sudo`, an editor's terminal may hold the pattern because stormdeck was started with it.
        .filter(|stat| may_be_touched(stat).is_ok())
        .filter(|stat| command_line(stat.pid).is_some_and(|line| regex.is_match(&line)))
        .filter(is_like)
        .collect();
    top_one(matching, &format!("`{pattern}`"), || {
        format!("no process that may be touched has a command line that `{pattern}` matches")
    })
}

/// What a process was started with, as it tells it now.
pub(super) fn command_line(pid: i32) -> Option<String> {
    let words = Process::new(pid).ok()?.cmdline().ok()?;
    (!words.is_empty()).then(|| words.join(" "))
}

/// The file that a process runs, wherever a newer one has taken its place; nothing when this user may not know.
pub(super) fn program(pid: i32) -> Option<PathBuf> {
    let path = Process::new(pid).ok()?.exe().ok()?;
    let name = path.to_string_lossy();
    Some(match name.strip_suffix(" (deleted)") {
        Some(name) => PathBuf::from(name),
        None => path,
    })
}

/// The only one of these that is no child of another of them: workers listen on their parent's socket, and carry its
/// name.
fn top_one(
    found: Vec<Stat>,
    what: &str,
    none: impl Fn() -> String,
) -> Result<Identity, FaultError> {
    let pids: HashSet<i32> = found.iter().map(|stat| stat.pid).collect();
    let mut top: Vec<Stat> = found;
    top.retain(|stat| !pids.contains(&stat.ppid));
    match &top[..] {
        [] => Err(FaultError(none())),
        [only] => {
            may_be_touched(only)?;
            Ok(identity(only))
        }
        several => {
            let pids: Vec<String> = several
                .iter()
                .take(5)
                .map(|stat| stat.pid.to_string())
                .collect();
            Err(FaultError(format!(
                "{what} fits {} processes ({}…): say which one more narrowly",
                several.len(),
                pids.join(", ")
            )))
        }
    }
}

fn identity(stat: &Stat) -> Identity {
    Identity {
        pid: stat.pid,
        start: stat.starttime,
    }
}

/// Refuses what the machine or stormdeck itself lives by.
fn may_be_touched(stat: &Stat) -> Result<(), FaultError> {
    let refuse = |why: &str| {
        Err(FaultError(format!(
            "process {} is {why}: it is not touched",
            stat.pid
        )))
    };
    if stat.pid == 1 {
        return refuse("the first of this machine");
    }
    if stat.flags & KERNEL_THREAD != 0 {
        return refuse("a thread of the kernel");
    }
    if own_line().contains(&stat.pid) {
        return refuse("stormdeck itself, or something that it was started by");
    }
    if is_stormdeck(stat.pid) {
        return refuse("a part of stormdeck");
    }
    Ok(())
}

/// This process and its ancestors.
fn own_line() -> Vec<i32> {
    let mut line = vec![i32::try_from(std::process::id()).unwrap_or(0)];
    while let Some(parent) = line
        .last()
        .and_then(|pid| Process::new(*pid).ok()?.stat().ok())
        .map(|stat| stat.ppid)
        .filter(|parent| *parent > 0 && !line.contains(parent))
    {
        line.push(parent);
    }
    line
}

/// Refuses a tree with a part of stormdeck in it, as that of a terminal or of a supervisor from which one runs.
///
/// # Errors
/// With a sentence that names both.
pub(super) async fn without_stormdeck(tree: Vec<Identity>) -> Result<(), FaultError> {
    aside("look", move || spares(&tree, is_stormdeck))
        .await
        .map_err(FaultError::of)?
}

fn spares(tree: &[Identity], is_ours: impl Fn(i32) -> bool) -> Result<(), FaultError> {
    let ours = tree.iter().find(|process| is_ours(process.pid));
    match (tree.first(), ours) {
        (Some(root), Some(ours)) => Err(FaultError(format!(
            "process {} has process {} below it, a part of stormdeck: it is not touched",
            root.pid, ours.pid
        ))),
        (_, None) | (None, _) => Ok(()),
    }
}

/// Whether a process runs this very program: a console, an engine, a watchdog. The demo service is there to be broken.
fn is_stormdeck(pid: i32) -> bool {
    let exe = |process: Process| process.exe().ok();
    let own = Process::myself().ok().and_then(exe);
    let Ok(process) = Process::new(pid) else {
        return false;
    };
    let words = process.cmdline().unwrap_or_default();
    own.is_some() && exe(process) == own && words.get(1).is_none_or(|word| word != "target")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_with_a_part_of_stormdeck_is_refused() {
        let tree = [7, 8, 9].map(|pid| Identity { pid, start: 0 });
        assert_eq!(spares(&tree, |_| false), Ok(()));
        let why = spares(&tree, |pid| pid == 9).unwrap_err();
        assert!(why.0.starts_with("process 7 has process 9 below"), "{why}");
        assert!(is_stormdeck(std::process::id().cast_signed()));
    }
}
