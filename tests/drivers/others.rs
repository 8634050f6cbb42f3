//! Programs that go on as another user, as under `sudo`: they take no signal.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use stormdeck::fault::driver::Proof;
use tempfile::TempDir;

use crate::Stage;
use crate::support::wait_for;

/// Set for the process of a test that nobody runs: where its `sudo` is.
const SUDO: &str = "STORMDECK_TEST_SUDO";
const NOBODY: u32 = 65534;

/// Runs the test of this name once more as nobody, with a program that runs others as root, as `sudo` does. What that is
/// begins the command lines that it is given.
fn as_nobody(test: &str, run: fn(&str)) {
    if let Ok(sudo) = std::env::var(SUDO) {
        return run(&sudo);
    }
    let setpriv = Path::new("/usr/bin/setpriv");
    if !rustix::process::geteuid().is_root() || !setpriv.exists() {
        println!("skipped: only root can make processes of another user");
        return;
    }
    let dir = TempDir::new().unwrap();
    let sudo = dir.path().join("sudo");
    fs::copy(setpriv, &sudo).unwrap();
    chown(dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    fs::set_permissions(&sudo, fs::Permissions::from_mode(0o4755)).unwrap();
    // In a session of its own: what root does in the session of the tests beside it could be the fault's as well.
    let output = Command::new("/usr/bin/setsid")
        .arg("--wait")
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(SUDO, format!("{} --reuid 0", sudo.display()))
        .env("TMPDIR", dir.path())
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

/// A fault whose injection lands some time after it was begun.
fn late(inject: &str, dir: &Path) -> Stage {
    let fault = format!(
        "inject = '{inject}'\nrevert = 'rm -f broken'\ncheck = 'test ! -e broken'\n\
         shell = true\ndir = \".\"\ntimeout = \"1s\""
    );
    Stage::new(&fault, dir, &[])
}

/// It lands, and is brought back for good only then.
fn is_never_told_as_back_too_early(inject: &str, by_engine: bool) {
    let dir = TempDir::new().unwrap();
    let stage = late(inject, dir.path());
    let undo = stage.prepare().unwrap();
    stage.begin(&undo, Duration::from_millis(500));
    let revert = || {
        if by_engine {
            stage.revert(&undo)
        } else {
            stage.revert_from_disk(&undo)
        }
    };
    let broken = dir.path().join("broken");
    let why = revert().unwrap_err().to_string();
    assert!(why.contains("still running"), "{why}");
    wait_for("the injection", || broken.exists().then_some(()));
    let done = wait_for("the way back", || revert().ok());
    assert_eq!(done.proof, Proof::Checked);
    assert!(!broken.exists());
}

#[test]
fn what_takes_no_signal_is_not_taken_for_gone() {
    as_nobody(
        "others::what_takes_no_signal_is_not_taken_for_gone",
        |sudo| {
            let command = format!("{sudo} sh -c \"sleep 9; touch broken\"");
            is_never_told_as_back_too_early(&format!("exec {command}"), true);
            // The shell takes the signal, what it waits for does not.
            is_never_told_as_back_too_early(&format!("{command}; true"), true);
        },
    );
}

#[test]
fn what_takes_no_signal_is_not_taken_for_gone_by_whoever_did_not_start_it() {
    as_nobody(
        "others::what_takes_no_signal_is_not_taken_for_gone_by_whoever_did_not_start_it",
        |sudo| {
            let command = format!("{sudo} sh -c \"sleep 9; touch broken\"");
            is_never_told_as_back_too_early(&format!("exec {command}"), false);
            is_never_told_as_back_too_early(&format!("{command}; true"), false);
        },
    );
}

#[test]
fn a_revert_that_takes_no_signal_is_not_run_on_top_of_itself() {
    as_nobody(
        "others::a_revert_that_takes_no_signal_is_not_run_on_top_of_itself",
        |sudo| {
            let dir = TempDir::new().unwrap();
            let once = "mkdir under-way || { touch overlap; exit 9; }; sleep 8; rmdir under-way";
            fs::write(dir.path().join("revert.sh"), once).unwrap();
            let fault = format!(
                "inject = 'true'\nrevert = 'exec {sudo} sh revert.sh'\nshell = true\ndir = \".\"\ntimeout = \"500ms\""
            );
            let stage = Stage::new(&fault, dir.path(), &[]);
            let undo = stage.prepare().unwrap();
            let first = stage.revert(&undo).unwrap_err().to_string();
            assert!(first.contains("is still running: no signal"), "{first}");
            let second = stage.revert(&undo).unwrap_err().to_string();
            assert!(second.starts_with("an earlier try"), "{second}");
            assert!(!dir.path().join("overlap").exists());
        },
    );
}
