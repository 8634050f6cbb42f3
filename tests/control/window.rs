//! A window that runs in a process of its own, and one end of its control socket.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what it expects by unwrapping"
)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{SOON, only_session, records, stormdeck, wait_for};

/// Two phases of a minute, an open and a closed scenario, a fault that is never injected.
pub const PROFILE: &str = r#"
[window]
name = "driven"
tick = "100ms"
drain = "2s"
[[scenario]]
name = "shoppers"
target = "embedded://shop?servers=0&service=fixed:1ms"
rate = "200/s"
get = "/"
[[scenario]]
name = "writers"
target = "embedded://shop?servers=0&service=fixed:1ms"
model = "closed"
users = 5
think = "50ms"
get = "/"
[[phase]]
name = "steady"
for = "60s"
[[phase]]
name = "database slow"
for = "60s"
load = "2x"
[[fault]]
name = "slow database"
inject = ["true"]
revert = ["true"]
[[gate]]
name = "no errors"
expect = "errors < 50%"
"#;

/// Directories for sessions and sockets, with nothing in them yet.
pub struct Place {
    pub dir: TempDir,
}

/// A running window; killed on drop if it still runs.
pub struct Window {
    pub place: Place,
    pub session: PathBuf,
    pub pid: i32,
}

/// One connection to it.
pub struct Line {
    pub stream: UnixStream,
    reader: BufReader<UnixStream>,
    next: u64,
}

impl Place {
    pub fn new() -> Self {
        Self::of(|_| PROFILE.to_owned())
    }

    /// With a profile that may name files in the directory.
    pub fn of(profile: impl FnOnce(&Path) -> String) -> Self {
        let dir = TempDir::new().unwrap();
        let run = dir.path().join("run");
        fs::create_dir(&run).unwrap();
        fs::set_permissions(&run, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(dir.path().join("profile.toml"), profile(dir.path())).unwrap();
        Self { dir }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The directory of sockets.
    pub fn sockets(&self) -> PathBuf {
        self.path().join("run/stormdeck")
    }

    pub fn stormdeck(&self) -> Command {
        let mut command = stormdeck(self.path());
        command
            .env("XDG_RUNTIME_DIR", self.path().join("run"))
            .env("USER", "ops")
            .env_remove("SSH_CONNECTION")
            .env_remove("SSH_CLIENT");
        command
    }

    /// `run` of [`PROFILE`].
    pub fn run(&self, args: &[&str]) -> Command {
        let mut command = self.stormdeck();
        command
            .arg("run")
            .arg(self.path().join("profile.toml"))
            .args(["--workers", "1"])
            .args(args);
        command
    }

    /// The one socket, once it is there.
    pub fn socket(&self) -> PathBuf {
        wait_for("a control socket", || {
            let entries = fs::read_dir(self.sockets()).ok()?;
            entries.map(|entry| entry.unwrap().path()).next()
        })
    }

    /// The window whose socket is there, whoever started it.
    pub fn window(self) -> Window {
        let socket = self.socket();
        let stream = wait_for("an engine", || UnixStream::connect(&socket).ok());
        let peer = rustix::net::sockopt::socket_peercred(&stream).unwrap();
        Window {
            session: only_session(self.path()),
            pid: peer.pid.as_raw_nonzero().get(),
            place: self,
        }
    }
}

impl Window {
    pub fn start() -> Self {
        Self::start_in(Place::new())
    }

    /// Runs the profile of a place.
    pub fn start_in(place: Place) -> Self {
        let output = place.run(&["--detach"]).output().unwrap();
        let (out, err, code) = said(&output);
        assert_eq!(code, 0, "{err}");
        let window = place.window();
        assert_eq!(out.trim(), window.session.display().to_string());
        window
    }

    pub fn connect(&self) -> Line {
        Line::to(&self.place.socket())
    }

    /// `stormdeck ctl - WORDS`.
    pub fn ctl(&self, words: &str) -> (String, String, i32) {
        let mut command = self.place.stormdeck();
        let command = command.args(["ctl", "-"]).args(words.split(' '));
        said(&command.output().unwrap())
    }

    /// `stormdeck stop`, and what is in the session then.
    pub fn stop(&self) -> Vec<Value> {
        let output = self.place.stormdeck().arg("stop").output().unwrap();
        let (_, err, code) = said(&output);
        assert_eq!(code, 0, "{err}");
        self.records()
    }

    pub fn records(&self) -> Vec<Value> {
        records(&self.session)
    }

    pub fn signal(&self, name: &str) {
        signal(self.pid, name);
    }

    /// Whether the engine is there; one that ended and was not reaped yet is not.
    pub fn is_alive(&self) -> bool {
        is_alive(self.pid)
    }

    /// Waits until its clock shows at least this much more than now.
    pub fn let_pass(&self, span: Duration) {
        let mut line = self.connect();
        let now = |line: &mut Line| line.ask(json!({"do": "status"}))["status"]["at_us"].as_u64();
        let until = now(&mut line).unwrap() + span.as_micros() as u64;
        wait_for("the window to go on", || {
            (now(&mut line).unwrap() >= until).then_some(())
        });
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        if self.is_alive() {
            self.signal("-KILL");
        }
    }
}

impl Line {
    pub fn to(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        Self {
            reader: BufReader::new(stream.try_clone().unwrap()),
            stream,
            next: 1,
        }
    }

    /// Writes bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// The next answer; `None` when the other side has closed.
    pub fn read(&mut self) -> Option<Value> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(serde_json::from_str(&line).unwrap()),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("no answer: {error}"),
        }
    }

    /// Asks for something as `ops@test`.
    pub fn ask(&mut self, wish: Value) -> Value {
        let id = self.next;
        self.next += 1;
        let Value::Object(mut request) = wish else {
            panic!("a wish is an object");
        };
        request.insert("v".into(), json!(1));
        request.insert("id".into(), json!(id));
        request.entry("by").or_insert(json!("ops@test"));
        self.write(format!("{}\n", Value::Object(request)).as_bytes());
        let answer = self.read().expect("an answer");
        assert_eq!((&answer["v"], &answer["id"]), (&json!(1), &json!(id)));
        answer
    }
}

pub fn signal(pid: i32, name: &str) {
    let mut kill = Command::new("kill");
    assert!(
        kill.args([name, &pid.to_string()])
            .status()
            .unwrap()
            .success()
    );
}

pub fn is_alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').map(|(_, rest)| rest.trim_start());
    // Its first thread may be gone before the others, which still hold its files and their locks.
    let threads = fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    state.is_some_and(|state| !state.starts_with('Z') || threads > 1)
}

/// What a command said, and its exit code.
pub fn said(output: &Output) -> (String, String, i32) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().expect("it ended by itself");
    (text(&output.stdout), text(&output.stderr), code)
}

/// The events of one kind.
pub fn events<'a>(records: &'a [Value], what: &str) -> Vec<&'a Value> {
    let event = |record: &&Value| record["k"] == "event" && record["what"] == what;
    records.iter().filter(event).collect()
}

/// The ticks.
pub fn ticks(records: &[Value]) -> Vec<&Value> {
    records
        .iter()
        .filter(|record| record["k"] == "tick")
        .collect()
}
