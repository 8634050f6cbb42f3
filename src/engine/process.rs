//! What the engine's own process uses, as Linux accounts for it.

use std::time::{Duration, Instant};

/// Ticks between two counts of the open files: counting reads a directory with an entry for each.
const FILES_EVERY: u32 = 10;

/// What the process used since it was last asked.
#[derive(Debug)]
pub struct Meter {
    asked: Instant,
    cpu: Duration,
    files: u64,
    until_count: u32,
}

/// What the process used in one stretch of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// CPU, in cores.
    pub cpu: f64,
    /// How long the stretch was.
    pub span: Duration,
    /// Resident memory, bytes.
    pub rss: u64,
    /// Open files, counted every few times only.
    pub files: u64,
    /// Limit on open files.
    pub files_max: u64,
}

impl Meter {
    /// Starts measuring now.
    pub fn start() -> Self {
        Self {
            asked: Instant::now(),
            cpu: cpu_time(),
            files: 0,
            until_count: 0,
        }
    }

    /// What was used since the start or the last call.
    pub fn read(&mut self) -> Usage {
        let (now, cpu) = (Instant::now(), cpu_time());
        let span = now - self.asked;
        let spent = cpu.saturating_sub(self.cpu);
        (self.asked, self.cpu) = (now, cpu);
        if self.until_count == 0 {
            self.files = open_files();
            self.until_count = FILES_EVERY;
        }
        self.until_count -= 1;
        Usage {
            cpu: spent.as_secs_f64() / span.as_secs_f64().max(1e-9),
            span,
            rss: resident_bytes(),
            files: self.files,
            files_max: files_limit(),
        }
    }
}

/// CPU time of the whole process so far.
pub fn cpu_time() -> Duration {
    time_of(rustix::time::ClockId::ProcessCPUTime)
}

/// CPU time of the calling thread so far.
pub fn thread_cpu_time() -> Duration {
    time_of(rustix::time::ClockId::ThreadCPUTime)
}

fn time_of(clock: rustix::time::ClockId) -> Duration {
    let spent = rustix::time::clock_gettime(clock);
    Duration::new(
        u64::try_from(spent.tv_sec).unwrap_or(0),
        u32::try_from(spent.tv_nsec).unwrap_or(0),
    )
}

/// Who runs this process, as `user@host`.
pub fn who() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    let user = user.unwrap_or_else(|_| format!("uid{}", rustix::process::getuid().as_raw()));
    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    format!("{user}@{host}")
}

/// Who runs this process, and from where if they came over SSH: `user@host from 10.0.0.7`.
pub fn who_from() -> String {
    let who = who();
    let came = ["SSH_CONNECTION", "SSH_CLIENT"]
        .iter()
        .find_map(|name| std::env::var(name).ok());
    // Both begin with the address that the person came from.
    match came
        .as_deref()
        .and_then(|came| came.split_whitespace().next())
    {
        Some(address) => format!("{who} from {address}"),
        None => who,
    }
}

/// Resident memory in bytes; 0 where `/proc` does not tell.
pub fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Open files, by counting `/proc/self/fd`; 0 where that is not there. Costs a directory read: about 20 ms with
/// 20,000 open files, so it is asked for by the recorder's side and never by a worker.
pub fn open_files() -> u64 {
    std::fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count().saturating_sub(1) as u64)
}

/// The limit on open files.
pub fn files_limit() -> u64 {
    rustix::process::getrlimit(rustix::process::Resource::Nofile)
        .current
        .unwrap_or(u64::MAX)
}
