//! Memory, disk and cores really taken, and given back whatever ends it.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use stormdeck::fault::driver::Driver;
use stormdeck::fault::stress::StressFault;
use stormdeck::fault::undo::Undo;
use stormdeck::profile::model::Stress;

use super::support::wait_for;
use super::{break_it, bring_back};

const MIB: u64 = 1 << 20;

fn fault(stress: Stress, max: Duration) -> StressFault {
    StressFault::with_program(stress, max, env!("CARGO_BIN_EXE_stormdeck").into())
}

fn pid(undo: &Undo) -> u64 {
    let undo = serde_json::to_value(undo).unwrap();
    undo["process"]["pid"].as_u64().unwrap()
}

fn status(pid: u64, field: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Whether a process is there and has not ended.
fn lives(pid: u64) -> bool {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    text.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// CPU time of a process so far, in hundredths of a second.
fn cpu(pid: u64) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = text.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// Bytes of its files without a name.
fn unnamed(pid: u64) -> u64 {
    let Ok(open) = std::fs::read_dir(format!("/proc/{pid}/fd")) else {
        return 0;
    };
    let files = open.filter_map(|entry| {
        let path = entry.ok()?.path();
        let target = std::fs::read_link(&path).ok()?;
        let meta = File::open(&path).ok()?.metadata().ok()?;
        (meta.is_file() && target.to_string_lossy().ends_with("(deleted)")).then_some(meta)
    });
    files
        .map(|meta| std::os::unix::fs::MetadataExt::blocks(&meta) * 512)
        .sum()
}

#[test]
fn memory_disk_and_a_core_are_taken_and_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let stress = Stress {
        cpu: Some(1),
        memory: Some(64 * MIB),
        disk: Some(32 * MIB),
        dir: Some(dir.path().to_owned()),
    };
    let fault = fault(stress, Duration::from_mins(1));
    let undo = break_it(&fault);
    let pid = pid(&undo);
    let resident = status(pid, "VmRSS:").unwrap() * 1024;
    assert!(resident >= 64 * MIB, "{resident} bytes are resident");
    assert!(unnamed(pid) >= 32 * MIB, "{} bytes of disk", unnamed(pid));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    let adjusted = std::fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap();
    assert_eq!(adjusted.trim(), "1000");
    let before = cpu(pid);
    wait_for("a burnt core", || (cpu(pid) > before + 5).then_some(()));
    bring_back(&undo);
    assert!(!lives(pid));
    bring_back(&undo);
}

#[test]
fn it_ends_when_whoever_started_it_does_and_by_itself_in_the_end() {
    let stress = || Stress {
        memory: Some(MIB),
        ..Stress::default()
    };
    let first = fault(stress(), Duration::from_mins(1));
    let undo = break_it(&first);
    assert!(lives(pid(&undo)));
    // As when the engine is killed: nobody holds its input any more.
    drop(first);
    wait_for("its end", || (!lives(pid(&undo))).then_some(()));
    // Without a word it does nothing, and does not wait for ever either.
    let idle = fault(stress(), Duration::from_mins(1));
    let undo = super::block_on(async { idle.prepare().await.unwrap() });
    assert!(status(pid(&undo), "VmRSS:").unwrap() < 64 << 10);
    drop(idle);
    wait_for("its end", || (!lives(pid(&undo))).then_some(()));
}

#[test]
fn one_that_is_killed_by_the_system_is_known_to_have_ended_early() {
    let stress = Stress {
        memory: Some(MIB),
        ..Stress::default()
    };
    let fault = fault(stress, Duration::from_mins(1));
    let undo = break_it(&fault);
    let early = || super::block_on(async { fault.ended_early() });
    assert_eq!(early(), None);
    let raw = i32::try_from(pid(&undo)).unwrap();
    let process = rustix::process::Pid::from_raw(raw).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
    let why = wait_for("its end to be seen", early).to_string();
    assert!(why.starts_with("it ended early: "), "{why}");
    assert!(why.contains("when memory is short"), "{why}");
    bring_back(&undo);
}

#[test]
fn a_disk_that_is_not_there_is_said_before_anything_is_done() {
    let stress = Stress {
        disk: Some(MIB),
        dir: Some(Path::new("/nowhere/at/all").to_owned()),
        ..Stress::default()
    };
    let why = super::refusal(&fault(stress, Duration::from_secs(1)));
    assert!(
        why.starts_with("`/nowhere/at/all` cannot be looked at"),
        "{why}"
    );
}
