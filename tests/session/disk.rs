//! Disks that are full. The tests run themselves again in a child process, in which files cannot grow, or in which a
//! small file system is mounted that nobody else sees.

use std::path::Path;
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use stormdeck::session::{AppendError, Reader, Record, Writer};

use crate::sim::{Sim, end};
use crate::{read, ticks, zstd_accepts};

/// Names the directory to work in; set in the child only.
const DIR: &str = "STORMDECK_TEST_DISK";

/// Runs a test of this file again by `shell`, whose `"$@"` is the command.
fn in_child(test: &str, shell: &str, dir: &Path) -> bool {
    let status = Command::new("unshare")
        .args(["-m", "sh", "-c", shell, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(DIR, dir)
        .status();
    status.is_ok_and(|status| status.success())
}

/// Writes until a record is refused and 30 ticks more, lets `relieve` make room, and writes on.
fn fill_and_go_on(path: &Path, relieve: impl FnOnce()) {
    let mut sim = Sim::new(4, 50, 60, 4);
    let mut writer = Writer::create(path, sim.names()).unwrap();
    writer.append(&sim.window()).unwrap();
    let mut n = 0;
    let first_lost = loop {
        n += 1;
        assert!(n < 5000, "the disk never filled up");
        match writer.append(&sim.tick(n)) {
            Ok(()) => {}
            Err(AppendError::Lost { ticks: 1, .. }) => break n,
            Err(error) => panic!("{error}"),
        }
    };
    for _ in 0..30 {
        n += 1;
        let _ = writer.append(&sim.tick(n));
    }
    // What is there can be read while the disk is full.
    let held = ticks(&read(path));
    assert!(held.starts_with(&(1..first_lost).collect::<Vec<_>>()));
    let _ = writer.append(&sim.event(n));
    let lost = writer.lost();
    relieve();
    for _ in 0..100 {
        n += 1;
        writer.append(&sim.tick(n)).unwrap();
    }
    assert_eq!(writer.lost(), lost);
    writer.finish(end(n)).unwrap();
    let records = read(path);
    let stated: u64 = records
        .iter()
        .map(|record| match record {
            Record::Gap(gap) => {
                assert_eq!(gap.why, "disk full");
                gap.to - gap.from + 1
            }
            _ => 0,
        })
        .sum();
    assert_eq!(stated, lost);
    assert_eq!(ticks(&records).len() as u64, n - lost);
    assert_eq!(
        records
            .iter()
            .filter(|record| matches!(record, Record::Event(_)))
            .count(),
        1
    );
    assert_ne!(zstd_accepts(path), Some(false));
    let mut reader = Reader::open(path).unwrap().hashing();
    while reader.next_record().unwrap().is_some() {}
    let tally = reader.tally();
    assert_eq!(
        (tally.damaged, tally.broken_links, tally.torn, tally.ended),
        (0, 0, false, true),
        "{tally:?}"
    );
}

#[test]
fn a_file_that_may_not_grow_loses_ticks_says_so_and_goes_on() {
    let Some(dir) = std::env::var_os(DIR) else {
        let dir = tempfile::tempdir().unwrap();
        let test = "disk::a_file_that_may_not_grow_loses_ticks_says_so_and_goes_on";
        // The signal that comes with the limit would end the process.
        let status = Command::new("sh")
            .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", test])
            .env(DIR, dir.path())
            .status();
        assert!(status.unwrap().success());
        return;
    };
    let limit = getrlimit(Resource::Fsize);
    let small = Rlimit {
        current: Some(300_000),
        maximum: limit.maximum,
    };
    setrlimit(Resource::Fsize, small).unwrap();
    fill_and_go_on(&Path::new(&dir).join("a.jsonl.zst"), || {
        setrlimit(Resource::Fsize, limit).unwrap();
    });
}

#[test]
fn a_full_file_system_loses_ticks_says_so_and_goes_on() {
    let Some(dir) = std::env::var_os(DIR) else {
        let dir = tempfile::tempdir().unwrap();
        let test = "disk::a_full_file_system_loses_ticks_says_so_and_goes_on";
        let mount = format!("mount -t tmpfs -o size=1m tmpfs '{}'", dir.path().display());
        let can = Command::new("unshare")
            .args(["-m", "sh", "-c", &mount])
            .output();
        if !can.is_ok_and(|output| output.status.success()) {
            eprintln!(
                "no file system can be mounted here; the test with a limit on the file covers the same code"
            );
            return;
        }
        assert!(in_child(
            test,
            &format!("{mount} && exec \"$@\""),
            dir.path()
        ));
        return;
    };
    let dir = Path::new(&dir);
    let ballast = dir.join("ballast");
    std::fs::write(&ballast, vec![1; 700_000]).unwrap();
    fill_and_go_on(&dir.join("a.jsonl.zst"), || {
        std::fs::remove_file(&ballast).unwrap();
    });
}
