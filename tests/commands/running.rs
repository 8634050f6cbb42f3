//! `check`, `run` and `target`: what they accept, where they write, and how they end.

use std::fs;
use std::io::{BufRead, BufReader, pipe};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::{only_session, stormdeck, summary_of};
use crate::{QUICK, said};

#[test]
fn check_tells_what_a_profile_will_do() {
    let output = stormdeck(Path::new(".")).args(["check", "steps"]).output();
    let (out, err, code) = said(&output.unwrap());
    assert_eq!((err.as_str(), code), ("", 0));
    insta::assert_snapshot!("check_steps", out);
}

#[test]
fn check_shows_every_mistake_with_its_place() {
    let dir = TempDir::new().unwrap();
    let profile = dir.path().join("wrong.toml");
    fs::write(
        &profile,
        "[window]\ndurration = \"1m\"\n\n[[scenario]]\nname = \"s\"\ntarget = \"http://127.0.0.1:1\"\n\
         rate = \"ten\"\nget = \"/\"\n",
    )
    .unwrap();
    let output = stormdeck(dir.path()).arg("check").arg(&profile).output();
    let (out, err, code) = said(&output.unwrap());
    assert_eq!((out.as_str(), code), ("", 2));
    let shown = err.replace(&dir.path().display().to_string(), "DIR");
    insta::assert_snapshot!("check_mistakes", shown);
}

#[test]
fn a_variable_on_the_command_line_wins_over_the_environment() {
    let check = |args: &[&str]| {
        let output = stormdeck(Path::new("."))
            .env("P95", "222ms")
            .args(["check", "smoke"])
            .args(args)
            .output();
        let (out, err, code) = said(&output.unwrap());
        assert_eq!(code, 0, "{err}");
        out
    };
    assert!(check(&[]).contains("p95 < 222ms"));
    assert!(check(&["-e", "P95=111ms"]).contains("p95 < 111ms"));
    let slip = check(&["-e", "P59=111ms"]);
    assert!(
        slip.contains("nothing in the profile asks for it"),
        "{slip}"
    );
    let output = stormdeck(Path::new("."))
        .args(["check", "smoke", "-e", "P95"])
        .output();
    let (_, err, code) = said(&output.unwrap());
    assert!(err.contains("write NAME=VALUE"), "{err}");
    assert_eq!(code, 2);
}

#[test]
fn check_tells_of_phases_that_a_rehearsal_makes_too_short_to_see() {
    let output = stormdeck(Path::new("."))
        .args(["check", "breakpoint", "--time-scale", "0.01"])
        .output();
    let (out, _, code) = said(&output.unwrap());
    let told = "phase `climb 1x` and 19 more are shorter than a tick (1s)";
    assert!(out.contains(told), "{out}");
    assert_eq!(code, 0);
}

/// `run` of [`QUICK`] with its state in `dir`.
fn quick(dir: &Path) -> Command {
    let profile = dir.join("quick.toml");
    fs::write(&profile, QUICK).unwrap();
    let mut command = stormdeck(dir);
    command.arg("run").arg(profile).arg("--headless");
    command
}

#[test]
fn a_window_that_ends_with_its_work_tells_how_much_is_done_and_no_time() {
    let dir = TempDir::new().unwrap();
    let (_, err, code) = said(&quick(dir.path()).output().unwrap());
    assert!(err.contains("100% done"), "{err}");
    assert!(!err.contains("left"), "{err}");
    assert_eq!(code, 0);
}

#[test]
fn a_session_is_never_overwritten_and_its_name_is_no_path() {
    let dir = TempDir::new().unwrap();
    let sessions = dir.path().join("sessions");
    let named = |name: &str| {
        let output = quick(dir.path())
            .args(["--name", name, "--dir"])
            .arg(&sessions)
            .output();
        said(&output.unwrap())
    };
    assert_eq!(named("one").2, 0);
    let before = fs::read(only_session(&sessions)).unwrap();
    let (_, err, code) = named("one");
    assert!(err.contains("never overwritten"), "{err}");
    assert_eq!(code, 2);
    assert_eq!(fs::read(only_session(&sessions)).unwrap(), before);
    for name in ["../two", "a/b", "", ".hidden", "/tmp/x"] {
        let (_, err, code) = named(name);
        assert!(err.contains("a session's name"), "{name}: {err}");
        assert_eq!(code, 2, "{name}");
    }
    assert_eq!(named("two.jsonl.zst").2, 0);
    assert!(sessions.join("two.jsonl.zst").exists());
}

#[test]
fn the_log_lies_beside_the_session_and_nothing_of_it_is_on_the_screen() {
    let dir = TempDir::new().unwrap();
    let output = quick(dir.path())
        .args(["--json", "--name", "logged"])
        .env("STORMDECK_LOG", "debug")
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(summary_of(&output)["verdict"], "go");
    let log = fs::read_to_string(dir.path().join("logged.log")).unwrap();
    assert!(log.contains("the window begins"), "{log}");
    assert!(log.contains("the window ends"), "{log}");
}

#[test]
fn what_was_recorded_is_for_its_owner_alone() {
    let dir = TempDir::new().unwrap();
    let sessions = dir.path().join("state/sessions");
    let output = quick(dir.path()).arg("--dir").arg(&sessions).output();
    assert_eq!(said(&output.unwrap()).2, 0);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&sessions), 0o700);
    let files: Vec<_> = fs::read_dir(&sessions)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(files.len(), 2, "a session and its log: {files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn a_window_goes_on_when_nobody_reads_what_it_says() {
    let dir = TempDir::new().unwrap();
    let gone = || {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        writer
    };
    let status = quick(dir.path())
        .args(["--name", "alone"])
        .stdout(gone())
        .stderr(gone())
        .status();
    assert_eq!(status.unwrap().code(), Some(0));
    let verify = stormdeck(dir.path()).args(["verify", "alone"]).output();
    assert_eq!(said(&verify.unwrap()).2, 0);
}

/// The demo service, and the address that it says it listens on.
fn target(args: &[&str]) -> (Child, String) {
    let mut child = stormdeck(Path::new("."))
        .arg("target")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    let address = line.trim_end().strip_prefix("listening on http://");
    let address = address.unwrap_or_else(|| panic!("{line:?}")).to_owned();
    (child, address)
}

#[test]
fn the_demo_service_ends_with_a_signal_or_with_its_parent() {
    let (mut child, address) = target(&[]);
    TcpStream::connect(&address).unwrap();
    let pid = child.id().to_string();
    Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(TcpStream::connect(&address).is_err());

    let (mut child, address) = target(&["--with-parent"]);
    TcpStream::connect(&address).unwrap();
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
