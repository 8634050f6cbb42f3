//! This machine kept busy: cores burnt, memory filled, disk filled, by a process of our own.
//!
//! In: how much. Out: a child that runs stormdeck's own program (see [`super::burn`]), and its number as the way back.
//! The child is started when the fault is prepared, since its number must be known before anything is done, and waits.
//! The invariant: whatever ends it (us, the end of its input, its own limit, the kernel), the kernel frees all that it
//! took; and it is never asked for more than leaves the machine [`SPARE`].

use std::cell::RefCell;
use std::fmt::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use procfs::{Current, Meminfo};
use rustix::fs::{statfs, statvfs};
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

use super::burn::{COMMAND, FAILED, READY};
use super::driver::{Doing, Done, Driver, FaultError};
use super::process::Identity;
use super::undo::Undo;
use crate::profile::model::Stress;
use crate::profile::units::format_bytes;

/// Memory, and disk, that is always left free, bytes.
pub const SPARE: u64 = 512 << 20;
/// How long past the fault's own limit the process stays, if nobody ends it.
const GRACE: Duration = Duration::from_secs(10);
/// How long an end may take to come: memory is given back page by page.
const END: Duration = Duration::from_secs(20);
/// A file system whose files are memory.
const TMPFS: i128 = 0x0102_1994;

/// A fault that keeps this machine busy.
#[derive(Debug)]
pub struct StressFault {
    stress: Stress,
    max: Duration,
    program: PathBuf,
    /// Started by the last preparation. Dropping it closes its input, which ends it.
    child: RefCell<Option<Child>>,
}

/// The way back: this process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StressUndo {
    process: Identity,
}

impl StressFault {
    /// A fault that lasts for `max` at most.
    ///
    /// # Errors
    /// When it is not known where stormdeck's own program is.
    pub fn new(stress: Stress, max: Duration) -> Result<Self, FaultError> {
        let program = std::env::current_exe().map_err(|error| {
            FaultError(format!(
                "it is not known where stormdeck's program is: {error}"
            ))
        })?;
        Ok(Self::with_program(stress, max, program))
    }

    /// The same, with a program other than the one that runs.
    pub fn with_program(stress: Stress, max: Duration, program: PathBuf) -> Self {
        Self {
            stress,
            max,
            program,
            child: RefCell::new(None),
        }
    }

    fn dir(&self) -> PathBuf {
        self.stress.dir.clone().unwrap_or_else(std::env::temp_dir)
    }

    fn start(&self) -> Result<Undo, FaultError> {
        self.affordable()?;
        let limit = self.max + GRACE;
        let mut command = Command::new(&self.program);
        command
            .arg(COMMAND)
            .arg("--limit-ms")
            .arg(limit.as_millis().to_string());
        let amounts = [
            ("--cpu", self.stress.cpu.map(u64::from)),
            ("--memory", self.stress.memory),
            ("--disk", self.stress.disk),
        ];
        for (flag, amount) in amounts {
            if let Some(amount) = amount {
                command.arg(flag).arg(amount.to_string());
            }
        }
        let child = command
            .arg("--dir")
            .arg(self.dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // A Ctrl-C at the terminal is for the engine, which brings it back.
            .process_group(0)
            .spawn()
            .map_err(|error| {
                let program = self.program.display();
                FaultError(format!("`{program} {COMMAND}` cannot be started: {error}"))
            })?;
        let process = child
            .id()
            .and_then(|pid| Identity::of(i32::try_from(pid).ok()?))
            .ok_or_else(|| FaultError("what keeps the machine busy ended at once".into()))?;
        self.child.replace(Some(child));
        Ok(Undo::Stress(StressUndo { process }))
    }

    /// Refuses what would leave the machine too little.
    fn affordable(&self) -> Result<(), FaultError> {
        if let Some(cores) = self.stress.cpu {
            let there = std::thread::available_parallelism().map_or(1, usize::from);
            if cores as usize > there {
                return Err(FaultError(format!(
                    "`cpu = {cores}` is more than the {there} cores of this machine"
                )));
            }
        }
        let mut memory = self.stress.memory.unwrap_or(0);
        if let Some(disk) = self.stress.disk {
            let dir = self.dir();
            room_on(&dir, disk)?;
            if is_memory(&dir) {
                memory = memory.saturating_add(disk);
            }
        }
        if memory == 0 {
            return Ok(());
        }
        let available = Meminfo::current()
            .ok()
            .and_then(|info| info.mem_available)
            .ok_or_else(|| FaultError("it is not known how much memory is available".into()))?;
        fits("memory", memory, available, SPARE)
    }

    async fn go(&self) -> Result<Done, FaultError> {
        let gone = || FaultError("what keeps the machine busy is not there".into());
        // Taken out while it is waited for: nothing is held across an await.
        let mut child = self.child.take().ok_or_else(gone)?;
        let said = Self::answer(&mut child).await;
        self.child.replace(Some(child));
        let said = said?;
        match said.trim() {
            READY => Ok(Done::seen(self.told())),
            other => Err(FaultError(match other.strip_prefix(FAILED) {
                Some(why) => format!("this machine is not kept busy: {}", why.trim()),
                None => "what keeps the machine busy ended without a word".into(),
            })),
        }
    }

    /// What it says when it has what it was asked for, or cannot have it.
    async fn answer(child: &mut Child) -> Result<String, FaultError> {
        let gone = |_| FaultError("what keeps the machine busy has ended".into());
        let (Some(input), Some(output)) = (&mut child.stdin, &mut child.stdout) else {
            return Err(FaultError(
                "what keeps the machine busy cannot be reached".into(),
            ));
        };
        input.write_all(b"go\n").await.map_err(gone)?;
        let mut line = String::new();
        BufReader::new(output)
            .read_line(&mut line)
            .await
            .map_err(gone)?;
        Ok(line)
    }

    /// `2 cores burnt, 512MiB of memory and 1GiB of disk taken`.
    fn told(&self) -> String {
        let mut text = String::new();
        let mut add = |part: String| {
            let comma = if text.is_empty() { "" } else { ", " };
            // Writing to a string cannot fail.
            let _ = write!(text, "{comma}{part}");
        };
        if let Some(cores) = self.stress.cpu {
            let plural = if cores == 1 { "" } else { "s" };
            add(format!("{cores} core{plural} burnt"));
        }
        if let Some(bytes) = self.stress.memory {
            add(format!("{} of memory taken", format_bytes(bytes)));
        }
        if let Some(bytes) = self.stress.disk {
            let dir = self.dir();
            add(format!(
                "{} of disk taken in {}",
                format_bytes(bytes),
                dir.display()
            ));
        }
        text
    }
}

fn room_on(dir: &Path, wanted: u64) -> Result<(), FaultError> {
    let shown = dir.display();
    let room = statvfs(dir)
        .map_err(|error| FaultError(format!("`{shown}` cannot be looked at: {error}")))?;
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    let tenth = room.f_blocks.saturating_mul(room.f_frsize) / 10;
    fits(
        &format!("disk in `{shown}`"),
        wanted,
        free,
        SPARE.max(tenth),
    )
}

/// Whether the files of a directory are kept in memory.
fn is_memory(dir: &Path) -> bool {
    statfs(dir).is_ok_and(|of| i128::from(of.f_type) == TMPFS)
}

fn fits(what: &str, wanted: u64, free: u64, spare: u64) -> Result<(), FaultError> {
    if wanted <= free.saturating_sub(spare) {
        return Ok(());
    }
    let mib = |bytes: u64| format!("{} MiB", bytes >> 20);
    Err(FaultError(format!(
        "{} of {what} cannot be taken: {} are free, of which {} stay so",
        mib(wanted),
        mib(free),
        mib(spare)
    )))
}

impl Driver for StressFault {
    fn prepare(&self) -> Doing<'_, Undo> {
        Box::pin(async { self.start() })
    }

    fn inject<'a>(&'a self, _undo: &'a Undo) -> Doing<'a, Done> {
        Box::pin(self.go())
    }

    fn ended_early(&self) -> Option<FaultError> {
        let mut child = self.child.borrow_mut();
        // An error tells nothing of it.
        let status = child.as_mut()?.try_wait().ok()??;
        let short = match status.signal() {
            Some(9) => ", as the system does when memory is short",
            Some(_) | None => "",
        };
        Some(FaultError(format!(
            "it ended early: what kept the machine busy is gone ({status}{short})"
        )))
    }
}

impl StressUndo {
    /// Ends the process, and waits until it has given everything back.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn revert(&self) -> Result<Done, FaultError> {
        self.process.signal(Signal::KILL)?;
        let begun = std::time::Instant::now();
        while self.process.stat().is_some() {
            if begun.elapsed() > END {
                return Err(FaultError(format!(
                    "process {} keeps the machine busy and does not end",
                    self.process.pid
                )));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(Done::seen(format!(
            "process {} has ended",
            self.process.pid
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(stress: Stress) -> String {
        let fault = StressFault::with_program(stress, Duration::from_secs(1), "/bin/true".into());
        fault.start().unwrap_err().to_string()
    }

    #[test]
    fn more_than_the_machine_can_spare_is_refused_with_the_numbers() {
        let memory = refusal(Stress {
            memory: Some(1 << 50),
            ..Stress::default()
        });
        assert!(
            memory.starts_with("1073741824 MiB of memory cannot be taken: ")
                && memory.ends_with("of which 512 MiB stay so"),
            "{memory}"
        );
        let disk = refusal(Stress {
            disk: Some(1 << 50),
            dir: Some("/tmp".into()),
            ..Stress::default()
        });
        assert!(disk.contains("of disk in `/tmp` cannot be taken"), "{disk}");
        let cores = refusal(Stress {
            cpu: Some(100_000),
            ..Stress::default()
        });
        assert!(cores.contains("more than the"), "{cores}");
    }

    #[test]
    fn files_that_are_memory_are_known_as_such() {
        assert!(!is_memory(Path::new("/proc")));
        // Elsewhere than in most Linux systems there may be none.
        if Path::new("/dev/shm").exists() {
            assert!(is_memory(Path::new("/dev/shm")));
        }
    }

    #[test]
    fn the_spare_part_is_never_taken() {
        assert!(fits("memory", 100, SPARE + 100, SPARE).is_ok());
        assert!(fits("memory", 101, SPARE + 100, SPARE).is_err());
        assert!(fits("memory", 1, 10, SPARE).is_err());
    }
}
