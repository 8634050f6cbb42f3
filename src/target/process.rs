//! What the process itself costs, read from `/proc`: the `process_*` metrics that every Prometheus client exports.
//!
//! Nothing flows in. What cannot be read is left out, never reported as 0.

use std::fs;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// Memory that is in RAM, bytes.
pub fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Processor time used so far by all threads, s.
pub fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Open files, sockets included.
pub fn open_fds() -> Option<usize> {
    // One of them is the directory being read.
    Some(
        fs::read_dir("/proc/self/fd")
            .ok()?
            .count()
            .saturating_sub(1),
    )
}

/// When the process began, s since 1970. Computed once: from one moment to the next it would come out a little
/// different, and look like a restart.
pub fn start_time() -> Option<f64> {
    static START: OnceLock<Option<f64>> = OnceLock::new();
    *START.get_or_init(read_start_time)
}

fn read_start_time() -> Option<f64> {
    // `starttime` is the 22nd field of `stat`, in clock ticks after boot: Linux shows user space 100 a second. The
    // second field may hold spaces and parentheses, so fields are counted from the last parenthesis.
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let ticks: f64 = stat
        .rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(19)?
        .parse()
        .ok()?;
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let uptime: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Some(now.as_secs_f64() - uptime + ticks / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_knows_itself() {
        assert!(resident_bytes().unwrap() > 1 << 20);
        assert!(open_fds().unwrap() >= 3);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let age = now.as_secs_f64() - start_time().unwrap();
        assert!((-1.0..86_400.0).contains(&age), "{age} s old");
        let before = cpu_seconds();
        let sum = (0..3_000_000_u64).fold(0, |sum: u64, next| sum.wrapping_mul(31) ^ next);
        assert!(cpu_seconds() > before, "{sum}");
    }
}
