//! A window of the whole program, with a folder of its own for everything, and what is in its session.

#![allow(dead_code, reason = "each module uses its own part")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use stormdeck::session::follow::{Followed, Follower};
use stormdeck::session::record::{Event, Happening, Record};
use tempfile::TempDir;

use crate::pty::{Pty, Start};
use crate::support::{self, SOON, wait_for};

/// Two phases of a minute, an open and a closed scenario, ten ticks a second.
pub const LONG: &str = r#"
[window]
name = "driven"
tick = "100ms"
drain = "1s"
[[scenario]]
name = "shoppers"
target = "embedded://shop?servers=0&service=fixed:1ms"
rate = "50/s"
get = "/"
[[scenario]]
name = "writers"
target = "embedded://shop?servers=0&service=fixed:1ms"
model = "closed"
users = 2
think = "50ms"
get = "/"
[[phase]]
name = "steady"
for = "60s"
[[phase]]
name = "after"
for = "60s"
[[gate]]
name = "no errors"
expect = "errors < 50%"
"#;

/// A folder for sessions, sockets and settings. Dropping it kills the engines whose sockets are in it.
pub struct Place {
    dir: TempDir,
}

impl Place {
    /// With a profile.
    pub fn new(profile: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let run = dir.path().join("run");
        fs::create_dir(&run).unwrap();
        fs::set_permissions(&run, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(dir.path().join("profile.toml"), profile).unwrap();
        Self { dir }
    }

    /// With a window that runs already, without a terminal.
    pub fn running(profile: &str) -> Self {
        let place = Self::new(profile);
        let output = place.output(&["run", "profile.toml", "--workers", "1", "--detach"]);
        assert!(output.status.success(), "{output:?}");
        place
    }

    /// With a session that was recorded from beginning to end.
    pub fn recorded(profile: &str) -> Self {
        let place = Self::new(profile);
        let output = place.output(&["run", "profile.toml", "--workers", "1", "--headless"]);
        assert!(output.status.code() != Some(2), "{output:?}");
        place
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes the operator's settings.
    pub fn config(&self, text: &str) {
        let folder = self.path().join("stormdeck");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("config.toml"), text).unwrap();
    }

    /// This program here, in a terminal.
    pub fn at_home(&self, start: Start) -> Start {
        let run = self.path().join("run");
        start
            .home(self.path())
            .env("XDG_RUNTIME_DIR", run.to_str().unwrap())
            .env("USER", "ops")
    }

    /// stormdeck here, in a terminal.
    pub fn start<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Start {
        self.at_home(Start::new(args))
    }

    /// The console, in a terminal, on what `args` say, once it shows a window.
    pub fn console<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Pty {
        let mut pty = Pty::start(&self.start(args));
        shows_a_window(&mut pty);
        pty
    }

    /// stormdeck here without a terminal, to its end.
    pub fn output(&self, args: &[&str]) -> Output {
        support::stormdeck(self.path())
            .env("XDG_RUNTIME_DIR", self.path().join("run"))
            .env("XDG_CONFIG_HOME", self.path())
            .env("USER", "ops")
            .current_dir(self.path())
            .args(args)
            .output()
            .unwrap()
    }

    /// The one session, once it is there.
    pub fn session(&self) -> PathBuf {
        let is_session = |path: &PathBuf| path.to_string_lossy().ends_with(".jsonl.zst");
        wait_for("a session", || {
            let entries = fs::read_dir(self.path()).unwrap();
            entries.map(|entry| entry.unwrap().path()).find(is_session)
        })
    }

    /// Reads along in the session, from its beginning.
    pub fn tape(&self) -> Tape {
        Tape(Follower::open(self.session()).unwrap())
    }

    /// The processes of the engines that can be reached.
    pub fn engines(&self) -> Vec<i32> {
        let sockets = fs::read_dir(self.path().join("run/stormdeck"));
        let sockets = sockets.into_iter().flatten().flatten();
        let streams = sockets.filter_map(|entry| UnixStream::connect(entry.path()).ok());
        let peers =
            streams.filter_map(|stream| rustix::net::sockopt::socket_peercred(&stream).ok());
        peers
            .map(|peer| peer.pid.as_raw_nonzero().get())
            .filter(|&pid| pid != std::process::id().cast_signed())
            .collect()
    }

    /// Ends the window.
    pub fn stop(&self) {
        let output = self.output(&["stop", "--abort"]);
        assert!(output.status.success(), "{output:?}");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for engine in self.engines() {
            let _ = Command::new("kill")
                .args(["-KILL", &engine.to_string()])
                .status();
        }
    }
}

/// Somebody who reads along in a session. Each wait goes on behind what the last one found.
pub struct Tape(Follower);

impl Tape {
    /// The first record from here on of which there is something to say.
    pub fn until<T>(&mut self, what: &str, mut wanted: impl FnMut(&Record) -> Option<T>) -> T {
        let deadline = Instant::now() + SOON;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.0.next(left).unwrap() {
                Followed::Record(record) => {
                    if let Some(found) = wanted(&record) {
                        return found;
                    }
                }
                Followed::Nothing => panic!("waited in vain for {what} in the session"),
                Followed::Ended | Followed::Stopped => panic!("the session ended before {what}"),
            }
        }
    }

    /// The next event that is wanted, and who did it.
    pub fn event(&mut self, what: &str, wanted: impl Fn(&Happening) -> bool) -> Event {
        self.until(what, |record| match record {
            Record::Event(event) if wanted(&event.what) => Some(event.clone()),
            _ => None,
        })
    }

    /// So many more ticks, none of them missing.
    pub fn ticks(&mut self, count: usize) {
        let mut last = None;
        for _ in 0..count {
            let tick = self.until("a tick", |record| match record {
                Record::Tick(tick) => Some(tick.n),
                Record::Gap(gap) => panic!("{gap:?}"),
                _ => None,
            });
            assert!(last.is_none_or(|last| tick == last + 1), "{last:?} {tick}");
            last = Some(tick);
        }
    }

    /// Everything that is in the session by now. Ticks go on arriving after it.
    pub fn skip_to_now(&mut self) {
        while let Followed::Record(_) = self.0.next(Duration::ZERO).unwrap() {}
    }
}

/// Waits until a console shows a window with its header, its scenarios and a heat map with something in it.
pub fn shows_a_window(pty: &mut Pty) {
    pty.until("a window on the screen", |screen| {
        let text = screen.contents();
        let parts = ["00:0", "scenarios", "shoppers", "latency", "req/s"];
        parts.iter().all(|part| text.contains(part)) && has_heat(&text)
    });
}

/// Whether something is on the heat map.
pub fn has_heat(text: &str) -> bool {
    let lines = text.lines().skip_while(|line| !line.contains("latency"));
    let lines = lines.take_while(|line| !line.contains("p50"));
    lines.flat_map(str::chars).any(|sign| "░▒▓█".contains(sign))
}

/// Whether a terminal is as it was before: its mode, its screen, its cursor, its way to paste.
pub fn is_restored(pty: &mut Pty) -> bool {
    let mode = pty.has_its_mode();
    let screen = pty.screen();
    mode && !screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste()
}

/// The exit code that belongs to the verdict in a summary. A machine that is busy with something else may make the
/// generator late, and the verdict another.
pub fn code_of(summary: &str) -> u32 {
    let said = |words: &[&str]| summary.lines().any(|line| words.contains(&line.trim()));
    match (
        said(&["GO", "CONDITIONAL"]),
        said(&["NO-GO", "INCONCLUSIVE"]),
    ) {
        (true, false) => 0,
        (false, true) => 1,
        _ => panic!("no verdict: {summary}"),
    }
}
