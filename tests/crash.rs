//! What is left when a window does not end as planned: signals, `kill -9`, a full disk.
#![allow(
    clippy::unwrap_used,
    reason = "a test says what it expects by unwrapping"
)]

mod support;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use support::{Nginx, only_session, stormdeck, summary_of};
use tempfile::TempDir;

const PROFILE: &str = "[window]\nname = \"crash\"\nduration = \"60s\"\ntick = \"100ms\"\n[[scenario]]\nname = \"s\"\n\
    target = \"embedded://shop?servers=0&service=fixed:1ms\"\nrate = \"200/s\"\nget = \"/\"\n\
    [[gate]]\nname = \"no errors\"\nexpect = \"errors < 1%\"\n";

fn start(dir: &Path, args: &[&str]) -> Child {
    let path = dir.join("profile.toml");
    std::fs::write(&path, PROFILE).unwrap();
    stormdeck(dir)
        .arg("run")
        .arg(&path)
        .args(["--headless", "--json", "--workers", "1"])
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn records(dir: &Path) -> Vec<Value> {
    let output = stormdeck(dir)
        .args(["export", "--as", "jsonl"])
        .arg(only_session(dir))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn ticks(records: &[Value]) -> Vec<&Value> {
    records
        .iter()
        .filter(|record| record["k"] == "tick")
        .collect()
}

/// Waits until the session holds something, by its size.
fn wait_for_recording(dir: &Path) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let recorded = std::fs::read_dir(dir).unwrap().any(|entry| {
            let entry = entry.unwrap();
            entry.file_name().to_string_lossy().ends_with(".zst")
                && entry.metadata().unwrap().len() > 1500
        });
        if recorded {
            return;
        }
        assert!(Instant::now() < deadline, "nothing was recorded");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn signal(child: &Child, name: &str) {
    assert!(
        Command::new("kill")
            .args([name, &child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn kill_9_at_fifty_moments_loses_at_most_the_tick_in_progress() {
    let one = |number: u64| {
        let dir = TempDir::new().unwrap();
        let mut child = start(dir.path(), &[]);
        wait_for_recording(dir.path());
        // Moments spread over a second, in no step with the ticks.
        std::thread::sleep(Duration::from_micros(number * 20_347 % 1_000_000));
        signal(&child, "-KILL");
        let killed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        child.wait().unwrap();
        let records = records(dir.path());
        let ticks = ticks(&records);
        for (place, tick) in ticks.iter().enumerate() {
            assert_eq!(tick["n"], place as u64 + 1, "ticks are whole and in order");
        }
        let last = Duration::from_micros(ticks.last().unwrap()["wall"].as_u64().unwrap());
        let missing = killed.saturating_sub(last);
        assert!(
            missing < Duration::from_millis(400),
            "run {number}: the last tick ended {missing:?} before the kill"
        );
        let verify = stormdeck(dir.path())
            .arg("verify")
            .arg(only_session(dir.path()))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&verify.stdout);
        assert_eq!(verify.status.code(), Some(1), "{said}");
        assert!(
            said.contains("torn") || said.contains("not closed"),
            "{said}"
        );
    };
    std::thread::scope(|scope| {
        for lane in 0..2 {
            scope.spawn(move || (0..25).for_each(|number| one(number * 2 + lane)));
        }
    });
}

#[test]
fn a_signal_ends_the_window_gracefully_and_the_session_is_whole() {
    for name in ["-INT", "-TERM", "-HUP"] {
        let dir = TempDir::new().unwrap();
        let child = start(dir.path(), &[]);
        wait_for_recording(dir.path());
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        let summary = summary_of(&output);
        assert_eq!(summary["end"], "stopped", "{name}");
        assert_ne!(
            summary["verdict"], "go",
            "a window that was cut short is never a plain go"
        );
        let verify = stormdeck(dir.path())
            .arg("verify")
            .arg(only_session(dir.path()))
            .output()
            .unwrap();
        assert!(
            verify.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&verify.stdout)
        );
        let recorded = records(dir.path());
        let requests: u64 = ticks(&recorded)
            .iter()
            .flat_map(|t| t["steps"].as_array().unwrap())
            .map(|s| s["requests"].as_u64().unwrap())
            .sum();
        assert_eq!(
            summary["requests"], requests,
            "the summary is what the file says"
        );
    }
}

#[test]
fn a_full_disk_does_not_stop_the_window_and_the_loss_is_stated() {
    let nginx = Nginx::start();
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("profile.toml");
    let profile = PROFILE
        .replace("60s", "3s")
        .replace("embedded://shop?servers=0&service=fixed:1ms", &nginx.url());
    std::fs::write(&path, profile).unwrap();
    // A limit on the size of files that this process may write is a disk that is full after 3 KiB.
    let script = "ulimit -f 3; exec \"$0\" run \"$1\" --headless --json --workers 1";
    let output = Command::new("bash")
        .args(["-c", script, env!("CARGO_BIN_EXE_stormdeck")])
        .arg(&path)
        .env("STORMDECK_DIR", dir.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (summary, said) = (summary_of(&output), String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("ticks are lost"), "{said}");
    assert_eq!(
        (&summary["verdict"], output.status.code()),
        (&"inconclusive".into(), Some(1))
    );
    let sent = nginx.stop_and_read_log().len();
    assert!(
        (590..=610).contains(&sent),
        "the load went on: {sent} of 600 requests"
    );
    let recorded = records(dir.path());
    let kept = ticks(&recorded).len();
    assert!(
        (1..30).contains(&kept),
        "what was written before is still readable: {kept} ticks"
    );
}
