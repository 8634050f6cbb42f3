//! Programs that break something and bring it back.

use std::fs;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use stormdeck::fault::driver::Proof;
use stormdeck::fault::undo::Undo;
use tempfile::TempDir;

use crate::Stage;
use crate::support::wait_for;

/// A switch in a file, which is off when the file is not there.
const SWITCH: &str = r#"
inject = ["touch", "broken"]
revert = ["rm", "-f", "broken"]
check = ["test", "!", "-e", "broken"]
dir = "."
"#;

#[test]
fn a_program_breaks_it_and_another_brings_it_back_and_both_are_seen() {
    let dir = TempDir::new().unwrap();
    let stage = Stage::new(SWITCH, dir.path(), &[]);
    for _ in 0..2 {
        let undo = stage.prepare().unwrap();
        assert!(!dir.path().join("broken").exists());
        assert_eq!(stage.inject(&undo).unwrap().proof, Proof::Checked);
        assert!(dir.path().join("broken").exists());
        assert_eq!(stage.revert(&undo).unwrap().proof, Proof::Checked);
        assert!(!dir.path().join("broken").exists());
        // Again, and by somebody else, it does no harm.
        assert_eq!(stage.revert_from_disk(&undo).unwrap().proof, Proof::Checked);
    }
}

#[test]
fn a_way_back_of_an_earlier_version_is_taken() {
    let dir = TempDir::new().unwrap();
    let stage = Stage::new(SWITCH, dir.path(), &[]);
    let undo = stage.prepare().unwrap();
    stage.inject(&undo).unwrap();
    let mut written = serde_json::to_value(&undo).unwrap();
    // Where the session is not its own there is none.
    written.as_object_mut().unwrap().remove("origin");
    let earlier: Undo = serde_json::from_value(written).unwrap();
    let done = stage.revert_from_disk(&earlier).unwrap();
    assert_eq!(done.proof, Proof::Checked);
}

#[test]
fn a_check_that_still_passes_proves_nothing() {
    let dir = TempDir::new().unwrap();
    let fault = "inject = [\"echo\", \"done\"]\nrevert = [\"true\"]\ncheck = [\"true\"]";
    let stage = Stage::new(fault, dir.path(), &[]);
    let undo = stage.prepare().unwrap();
    let done = stage.inject(&undo).unwrap();
    assert_eq!(done.proof, Proof::None);
    assert_eq!(
        done.said,
        "done\nthe check still passes: the fault shows no effect"
    );
}

#[test]
fn a_line_of_shell_has_the_variables_and_the_folder_of_the_profile() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("below")).unwrap();
    let fault = r#"
inject = 'echo "$WHAT in $(basename "$PWD")"; echo twice >&2'
revert = ["sh", "-c", "exit 0"]
shell = true
env = { WHAT = "${secret:TOKEN}" }
dir = "below"
"#;
    let stage = Stage::new(fault, dir.path(), &[("TOKEN", "hunter2")]);
    let undo = stage.prepare().unwrap();
    let written = serde_json::to_string(&undo).unwrap();
    assert!(!written.contains("hunter2"), "{written}");
    let done = stage.inject(&undo).unwrap();
    assert_eq!(done.said, "‹secret:TOKEN› in below\ntwice");
    assert_eq!(done.proof, Proof::None);
}

#[test]
fn a_program_has_of_the_secrets_only_those_that_it_was_given() {
    let dir = TempDir::new().unwrap();
    // A variable that every process of a test has.
    let text = r#"
[window]
duration = "1s"
[[target]]
name = "shop"
url = "http://127.0.0.1:1/metrics"
bearer = "${secret:CARGO_PKG_NAME}"
[[fault]]
name = "it"
inject = 'echo "<$CARGO_PKG_NAME>"; echo "<$CARGO_PKG_VERSION>"'
revert = 'echo "<$CARGO_PKG_NAME>"; echo "<$CARGO_PKG_VERSION>"'
shell = true
"#;
    let given = Stage::of(text, dir.path(), &[]);
    let undo = given.prepare().unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let said = format!("<>\n<{version}>");
    assert_eq!(given.inject(&undo).unwrap().said, said);
    assert_eq!(given.revert(&undo).unwrap().said, said);
    assert_eq!(given.revert_from_disk(&undo).unwrap().said, said);
    let text = format!("{text}env = {{ CARGO_PKG_NAME = \"named\" }}");
    let named = Stage::of(&text, dir.path(), &[]);
    let undo = named.prepare().unwrap();
    assert!(named.inject(&undo).unwrap().said.starts_with("<named>"));
}

#[test]
fn what_cannot_be_run_is_told_before_anything_is_broken() {
    let dir = TempDir::new().unwrap();
    let why = |fault: &str| {
        let stage = Stage::new(fault, dir.path(), &[]);
        stage.prepare().unwrap_err().to_string()
    };
    assert_eq!(
        why("inject = [\"true\"]\nrevert = [\"no-such-program\", \"x\"]"),
        "`no-such-program x` cannot be run: there is no such program in PATH"
    );
    assert_eq!(
        why("inject = [\"./gone\"]\nrevert = [\"true\"]"),
        "`./gone` cannot be run: there is no such program"
    );
    let folder = why("inject = [\"true\"]\nrevert = [\"true\"]\ndir = \"gone\"");
    assert!(folder.contains("there is no folder"), "{folder}");
    assert_eq!(
        why("inject = [\"true\"]\nrevert = [\"true\"]\ncheck = \"no-such-check\"\nshell = true"),
        "`no-such-check` ended with status 127: sh: 1: no-such-check: not found"
    );
}

#[test]
fn a_program_that_fails_says_how_and_the_end_of_what_it_said() {
    let dir = TempDir::new().unwrap();
    let why = |inject: &str| {
        let fault = format!(
            "inject = '{inject}'\nrevert = [\"true\"]\nshell = true\nenv = {{ WORD = \"${{secret:TOKEN}}\" }}"
        );
        let stage = Stage::new(&fault, dir.path(), &[("TOKEN", "hunter2")]);
        let undo = stage.prepare().unwrap();
        stage.inject(&undo).unwrap_err().to_string()
    };
    assert_eq!(
        why("echo no $WORD; exit 3"),
        "`echo no $WORD; exit 3` ended with status 3: no ‹secret:TOKEN›"
    );
    assert_eq!(why("kill -9 $$$$"), "`kill -9 $$` was ended by signal 9");
}

#[test]
fn a_script_goes_by_what_it_is_for() {
    let dir = TempDir::new().unwrap();
    let script = "'''\nset -eu\necho no luck\nexit 2\n'''";
    let fault = format!("inject = {script}\nrevert = [\"true\"]\nshell = true");
    let stage = Stage::new(&fault, dir.path(), &[]);
    let undo = stage.prepare().unwrap();
    let why = stage.inject(&undo).unwrap_err().to_string();
    assert_eq!(why, "the script `inject` ended with status 2: no luck");
}

#[test]
fn a_program_that_hangs_is_killed_with_all_its_children_at_the_limit() {
    let dir = TempDir::new().unwrap();
    // Neither it nor its child listens to SIGTERM.
    let fault = r#"
inject = 'trap "" TERM; sleep 1000 & echo $! > child; echo began; wait; wait; sleep 1000'
revert = ["true"]
shell = true
timeout = "200ms"
dir = "."
"#;
    let stage = Stage::new(fault, dir.path(), &[]);
    let undo = stage.prepare().unwrap();
    let began = Instant::now();
    let why = stage.inject(&undo).unwrap_err().to_string();
    assert!(began.elapsed() < Duration::from_secs(20));
    assert!(
        why.ends_with("did not end within 200ms and was killed: began"),
        "{why}"
    );
    gone(&fs::read_to_string(dir.path().join("child")).unwrap());
}

#[test]
fn what_a_program_leaves_behind_holds_nothing_up() {
    let dir = TempDir::new().unwrap();
    let fault = "inject = 'sleep 1000 & echo $!'\nrevert = [\"true\"]\nshell = true";
    let stage = Stage::new(fault, dir.path(), &[]);
    let undo = stage.prepare().unwrap();
    let began = Instant::now();
    let said = stage.inject(&undo).unwrap().said;
    assert!(began.elapsed() < Duration::from_secs(20));
    // It was started on purpose, for all that is known.
    let pid: i32 = said.trim().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn a_program_that_never_stops_talking_is_bounded() {
    let dir = TempDir::new().unwrap();
    let fault = "inject = [\"yes\"]\nrevert = [\"true\"]\ntimeout = \"300ms\"";
    let stage = Stage::new(fault, dir.path(), &[]);
    let undo = stage.prepare().unwrap();
    let why = stage.inject(&undo).unwrap_err().to_string();
    assert!(why.contains("was killed: …"), "{why}");
    assert!(why.len() < 1000, "{why}");
}

#[test]
fn an_injection_that_is_given_up_does_not_go_on_behind_its_revert() {
    let dir = TempDir::new().unwrap();
    let fault = r#"
inject = 'trap "" TERM; echo $$$$ > pid; sleep 1; sleep 1; touch broken; sleep 1000'
revert = ["rm", "-f", "broken"]
check = ["test", "!", "-e", "broken"]
shell = true
dir = "."
"#;
    let stage = Stage::new(fault, dir.path(), &[]);
    let undo = stage.prepare().unwrap();
    stage.begin(&undo, Duration::from_millis(500));
    assert_eq!(stage.revert(&undo).unwrap().proof, Proof::Checked);
    gone(&fs::read_to_string(dir.path().join("pid")).unwrap());
    assert!(!dir.path().join("broken").exists());
}

#[test]
fn an_injection_whose_engine_was_killed_does_not_go_on_behind_its_revert() {
    let dir = TempDir::new().unwrap();
    let stage = Stage::new(SWITCH, dir.path(), &[]);
    let undo = stage.prepare().unwrap();
    let written = serde_json::to_value(&undo).unwrap();
    let start = |arguments: &[&str], head: bool| {
        let mut command = Command::new(arguments[0]);
        command
            .args(&arguments[1..])
            .env("STORMDECK_FAULT", written["mark"].as_str().unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        if head {
            command.process_group(0);
        }
        command.spawn().unwrap()
    };
    // As the engine had started it, and a service that such a program started, which has made itself a daemon.
    let script = "trap '' TERM; while :; do sleep 1; done";
    let mut orphan = start(&["sh", "-c", script], true);
    let mut service = start(&["setsid", "sleep", "1000"], false);
    let name = format!("/proc/{}/comm", service.id());
    wait_for("the service", || {
        let name = fs::read_to_string(&name).ok()?;
        (name.trim() == "sleep").then_some(())
    });
    let waited = std::thread::spawn(move || orphan.wait().unwrap());
    let reverted = stage.revert_from_disk(&undo);
    let served = service.try_wait().unwrap();
    let _ = service.kill();
    let _ = service.wait();
    assert_eq!(reverted.unwrap().proof, Proof::Checked);
    assert_eq!(waited.join().unwrap().signal(), Some(9));
    assert!(served.is_none(), "the service was left alone");
}

/// A revert that takes its time, tells when it overlaps itself, and talks into whatever it was given.
const SLOW_REVERT: &str = r#"
inject = ["touch", "broken"]
revert = 'mkdir under-way || { touch overlap; exit 9; }; echo began; sleep 1; echo goes on; rm -f broken; echo x >> runs; rmdir under-way'
shell = true
dir = "."
"#;

#[test]
fn a_revert_that_is_given_up_comes_to_its_end_and_the_next_one_waits_for_it() {
    let dir = TempDir::new().unwrap();
    let stage = Stage::new(SLOW_REVERT, dir.path(), &[]);
    let undo = stage.prepare().unwrap();
    stage.inject(&undo).unwrap();
    stage.begin_revert(&undo, Duration::from_millis(300));
    assert!(dir.path().join("broken").exists());
    let said = stage.revert_from_disk(&undo).unwrap().said;
    assert_eq!(said, "began\ngoes on");
    assert!(!dir.path().join("overlap").exists());
    assert_eq!(
        fs::read_to_string(dir.path().join("runs")).unwrap(),
        "x\nx\n"
    );
}

#[test]
fn a_revert_that_hangs_is_waited_for_no_longer_than_its_limit() {
    let dir = TempDir::new().unwrap();
    let fault = r#"
inject = ["true"]
revert = 'test -e hung || { echo $$$$ > hung; sleep 1000; }'
shell = true
dir = "."
timeout = "1s"
"#;
    let stage = Stage::new(fault, dir.path(), &[]);
    let undo = stage.prepare().unwrap();
    stage.begin_revert(&undo, Duration::from_millis(500));
    stage.revert_from_disk(&undo).unwrap();
    gone(&fs::read_to_string(dir.path().join("hung")).unwrap());
}

#[test]
fn a_revert_that_never_stops_talking_is_bounded() {
    let dir = TempDir::new().unwrap();
    let fault = "inject = [\"true\"]\nrevert = [\"yes\"]\ntimeout = \"300ms\"";
    let stage = Stage::new(fault, dir.path(), &[]);
    let undo = stage.prepare().unwrap();
    let why = stage.revert(&undo).unwrap_err().to_string();
    assert!(why.contains("was killed: …") && why.len() < 1000, "{why}");
}

#[test]
fn no_zombie_is_left() {
    let dir = TempDir::new().unwrap();
    let fault = "inject = 'echo $$$$; exit 1'\nrevert = [\"true\"]\nshell = true";
    let stage = Stage::new(fault, dir.path(), &[]);
    let undo = stage.prepare().unwrap();
    let why = stage.inject(&undo).unwrap_err().to_string();
    gone(why.rsplit(' ').next().unwrap());
}

/// Waits until no process has this number, not even one that nobody has reaped. Orphans are reaped by the first process,
/// which takes its time, or does not care.
fn gone(pid: &str) {
    let stat = format!("/proc/{}/stat", pid.trim());
    wait_for("the end of a process", || match fs::read_to_string(&stat) {
        Err(_) => Some(()),
        Ok(text) => {
            let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace();
            let (state, parent) = (fields.next()?, fields.next()?);
            (state == "Z" && parent != std::process::id().to_string()).then_some(())
        }
    });
}
