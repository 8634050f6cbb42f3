//! What a window outlives, and what ends it.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use serde_json::{Value, json};

use crate::support::wait_for;
use crate::support::{only_session, records};
use crate::window::{Place, Window, events, is_alive, said, signal, ticks};

/// `run` that looks on, and the window that it started.
fn front() -> (Child, Window) {
    let place = Place::new();
    let front = place
        .run(&[])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let window = place.window();
    (front, window)
}

/// The window runs on, for as long as it takes to see it.
fn runs_on(window: &Window) -> Vec<Value> {
    window.let_pass(Duration::from_millis(500));
    assert!(window.is_alive());
    window.stop()
}

#[test]
fn a_window_outlives_whoever_looks_on() {
    for name in ["-KILL", "-HUP", "-TERM", "-QUIT"] {
        let (mut front, window) = front();
        assert_ne!(window.pid, front.id().cast_signed());
        signal(front.id().cast_signed(), name);
        front.wait().unwrap();
        let records = runs_on(&window);
        let stops = events(&records, "stop");
        assert_eq!(stops.len(), 1, "{name}: {stops:?}");
        assert!(stops[0]["by"].as_str().unwrap().starts_with("ops@"));
        assert_eq!(records.last().unwrap()["reason"], "stopped");
    }
}

#[test]
fn ctrl_c_leaves_the_window_and_says_how_to_go_on() {
    let (front, window) = front();
    // Its line comes after it has taken the signals over.
    window.let_pass(Duration::from_millis(500));
    signal(front.id().cast_signed(), "-INT");
    let (out, err, code) = said(&front.wait_with_output().unwrap());
    assert_eq!((out.as_str(), code), ("", 130));
    assert!(err.contains("`stormdeck attach "), "{err}");
    assert!(err.contains("`stormdeck stop "), "{err}");
    runs_on(&window);
}

#[test]
fn a_window_outlives_its_terminal() {
    let place = Place::new();
    let pty = native_pty_system().openpty(PtySize::default()).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_stormdeck"));
    command.args(["run", "--workers", "1"]);
    command.arg(place.path().join("profile.toml"));
    command.env("STORMDECK_DIR", place.path());
    command.env("XDG_RUNTIME_DIR", place.path().join("run"));
    command.env("USER", "ops");
    let mut front = pty.slave.spawn_command(command).unwrap();
    drop(pty.slave);
    let window = place.window();
    drop(pty.master);
    let left = front.wait().unwrap();
    assert!(!left.success());
    runs_on(&window);
}

#[test]
fn stop_ends_a_window_whole_and_whoever_looks_on_sees_the_verdict() {
    let (front, window) = front();
    window.let_pass(Duration::from_secs(1));
    let listed = window.place.stormdeck().arg("ls").output().unwrap();
    let (out, err, _) = said(&listed);
    assert!(out.contains("running"), "{out}");
    assert!(err.contains("looks on"), "{err}");
    let records = window.stop();
    let (out, err, code) = said(&front.wait_with_output().unwrap());
    assert_eq!(code, 0, "{out}{err}");
    assert!(
        out.contains("CONDITIONAL") && out.contains("no errors"),
        "{out}"
    );
    assert!(err.contains("recording to "), "{err}");
    let ticks = ticks(&records);
    for (place, tick) in ticks.iter().enumerate() {
        assert_eq!(tick["n"], place as u64 + 1);
    }
    let verify = window
        .place
        .stormdeck()
        .arg("verify")
        .arg(&window.session)
        .output();
    assert_eq!(said(&verify.unwrap()).2, 0);
    assert_eq!(fs::read_dir(window.place.sockets()).unwrap().count(), 0);
    assert!(!window.is_alive());
}

#[test]
fn a_killed_engine_takes_its_services_along_and_its_socket_is_replaced() {
    let place = Place::new();
    let run = |place: &Place| place.run(&["--detach", "--name", "one"]).output().unwrap();
    assert_eq!(said(&run(&place)).2, 0);
    let (_, err, code) = said(&run(&place));
    assert!(err.contains("never overwritten"), "{err}");
    assert_eq!(code, 2, "a session has one engine");
    let window = place.window();
    let tasks = fs::read_to_string(format!("/proc/{0}/task/{0}/children", window.pid)).unwrap();
    let services: Vec<i32> = tasks
        .split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect();
    assert_eq!(services.len(), 1);
    window.signal("-KILL");
    wait_for("its services to end", || {
        (!services.iter().any(|&pid| is_alive(pid))).then_some(())
    });
    let socket = window.place.socket();
    assert!(socket.exists(), "nobody could remove it");
    let name = window.session.to_str().unwrap();
    let ctl = window
        .place
        .stormdeck()
        .args(["ctl", name, "hello"])
        .output();
    let (_, err, code) = said(&ctl.unwrap());
    assert!(err.contains("is not running"), "{err}");
    assert_eq!(code, 2);
    fs::remove_file(&window.session).unwrap();
    assert_eq!(said(&run(&window.place)).2, 0);
    assert_eq!(window.place.socket(), socket);
    assert_eq!(window.connect().ask(json!({"do": "hello"}))["ok"], true);
    window.stop();
}

#[test]
fn whoever_looks_on_at_a_killed_engine_is_told() {
    let (front, window) = front();
    window.let_pass(Duration::from_millis(500));
    window.signal("-KILL");
    let (out, err, code) = said(&front.wait_with_output().unwrap());
    assert!(err.contains("the engine is gone"), "{err}");
    assert!(out.contains("INCONCLUSIVE"), "{out}");
    assert_eq!(code, 1);
}

#[test]
fn a_window_stays_in_reach_when_the_login_that_started_it_is_gone() {
    let window = Window::start();
    let run = window.place.path().join("run");
    // What a login manager does when its user leaves, and when they come back.
    fs::remove_dir_all(&run).unwrap();
    fs::create_dir(&run).unwrap();
    fs::set_permissions(&run, fs::Permissions::from_mode(0o700)).unwrap();
    let (_, err, code) = window.ctl("hello");
    // Between the two the engine may have noticed already.
    assert!(
        code == 0 || err.contains("its control socket is not to be found"),
        "{err}"
    );
    wait_for("the socket to be made again", || {
        (window.ctl("hello").2 == 0).then_some(())
    });
    window.stop();
}

#[test]
fn sockets_that_were_left_behind_are_removed_by_the_next_engine() {
    let place = Place::new();
    fs::create_dir(place.sockets()).unwrap();
    fs::set_permissions(place.sockets(), fs::Permissions::from_mode(0o700)).unwrap();
    let (old, young) = (
        place.sockets().join("old.sock"),
        place.sockets().join("young.sock"),
    );
    for socket in [&old, &young] {
        drop(UnixListener::bind(socket).unwrap());
    }
    let touched = Command::new("touch")
        .args(["-d", "2 minutes ago"])
        .arg(&old)
        .status();
    assert!(touched.unwrap().success());
    assert_eq!(said(&place.run(&["--detach"]).output().unwrap()).2, 0);
    assert!(!old.exists());
    assert!(
        young.exists(),
        "it may belong to an engine that begins just now"
    );
    fs::remove_file(young).unwrap();
    place.window().stop();
}

#[test]
fn a_headless_window_is_driven_like_any_other() {
    let place = Place::new();
    let child = place
        .run(&["--headless", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let window = place.window();
    assert_eq!(window.pid, child.id().cast_signed(), "in this process");
    let (out, _, code) = window.ctl("users writers 3");
    assert_eq!(
        (out.as_str(), code),
        ("writers: 3 users until the next phase begins\n", 0)
    );
    window.let_pass(Duration::from_millis(500));
    assert_eq!(window.ctl("end").2, 0);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_place_for_sockets_that_is_not_ours_alone_is_refused() {
    let refused = |prepare: &dyn Fn(&Place), why: &str| {
        let place = Place::new();
        prepare(&place);
        let (out, err, code) = said(&place.run(&["--detach"]).output().unwrap());
        assert!(err.contains(why), "{err}");
        assert_eq!((out.as_str(), code), ("", 2));
        let left = fs::read_dir(place.path()).unwrap();
        assert_eq!(
            left.count(),
            2 + usize::from(place.path().join("else").exists())
        );
        place
    };
    let link = |place: &Place| {
        let elsewhere = place.path().join("else");
        fs::create_dir(&elsewhere).unwrap();
        fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o700)).unwrap();
        symlink(&elsewhere, place.sockets()).unwrap();
    };
    let place = refused(&link, "is a symbolic link");
    refused(
        &|place| {
            fs::create_dir(place.sockets()).unwrap();
            fs::set_permissions(place.sockets(), fs::Permissions::from_mode(0o750)).unwrap();
        },
        "has mode 0750",
    );
    if rustix::process::geteuid().is_root() {
        refused(
            &|place| {
                fs::create_dir(place.sockets()).unwrap();
                fs::set_permissions(place.sockets(), fs::Permissions::from_mode(0o700)).unwrap();
                std::os::unix::fs::chown(place.sockets(), Some(65534), Some(65534)).unwrap();
            },
            "belongs to user 65534",
        );
    } else {
        eprintln!("skipped: only root can give a directory away");
    }
    // In this terminal there is another way to end a window, so it begins, and says what is missing.
    let child = place
        .run(&["--headless"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut child = child.unwrap();
    wait_for("a recording", || {
        let session = fs::read_dir(place.path()).unwrap().any(|entry| {
            let entry = entry.unwrap();
            entry.file_name().to_string_lossy().ends_with(".zst")
                && entry.metadata().unwrap().len() > 1500
        });
        session.then_some(())
    });
    signal(child.id().cast_signed(), "-INT");
    child.wait().unwrap();
    let records = records(&only_session(place.path()));
    let warnings = records[1]["warnings"].to_string();
    assert!(
        warnings.contains("the window cannot be driven"),
        "{warnings}"
    );
}

#[test]
fn what_keeps_an_engine_from_beginning_is_told_in_front() {
    let place = Place::new();
    fs::write(place.path().join("file"), "").unwrap();
    let mut command = place.run(&["--detach", "--dir"]);
    let output = command
        .arg(place.path().join("file/sessions"))
        .output()
        .unwrap();
    let (out, err, code) = said(&output);
    assert_eq!((out.as_str(), code), ("", 2));
    assert!(
        err.starts_with("stormdeck: could not run the window: the directory of sessions"),
        "{err}"
    );
    assert_eq!(
        fs::read_dir(place.path().join("run/stormdeck"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn an_engine_holds_on_to_nothing_of_its_starter() {
    let place = Place::new();
    let mut child = place
        .run(&["--detach"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut out, mut err) = (String::new(), String::new());
    // Both end only when nobody holds the other end any more, neither the engine nor its services.
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut out)
        .unwrap();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut err)
        .unwrap();
    assert!(child.wait().unwrap().success());
    let window = place.window();
    assert!(window.is_alive());
    assert_eq!(err, "");
    assert_eq!(
        rustix::process::getsid(rustix::process::Pid::from_raw(window.pid))
            .unwrap()
            .as_raw_nonzero()
            .get(),
        window.pid
    );
}
