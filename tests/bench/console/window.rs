//! A real window: the engine in a process of its own, as `stormdeck run --detach` starts it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use stormdeck::history::History;
use stormdeck::report::Summary;
use stormdeck::session::Reader;
use stormdeck::verdict;
use tempfile::TempDir;

use crate::support::{Nginx, stormdeck};

/// A running window; stopped on drop if it still runs.
pub struct Window {
    pub home: TempDir,
    pub session: PathBuf,
}

/// What became of a window.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// Requests made, as a share of what was due.
    pub achieved: f64,
    /// Send-time error, ms.
    pub late_p99: f64,
    pub late_max: f64,
}

impl Window {
    pub fn start(profile: &str) -> Self {
        let home = TempDir::new().unwrap();
        let path = home.path().join("bench.toml");
        std::fs::write(&path, profile).unwrap();
        let output = stormdeck(home.path())
            .env("XDG_RUNTIME_DIR", home.path())
            .args(["run", "--detach"])
            .arg(&path)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let session = String::from_utf8(output.stdout).unwrap();
        Self {
            session: PathBuf::from(session.trim()),
            home,
        }
    }

    /// The session, as an argument.
    pub fn name(&self) -> &str {
        self.session.to_str().unwrap()
    }

    /// Waits for its end, for no longer than this, and says what became of it. `rate` is what was asked for.
    pub fn ends(self, within: Duration, rate: f64, seconds: u64) -> Outcome {
        let deadline = Instant::now() + within;
        let history = loop {
            let history = History::of_records(Reader::open(&self.session).unwrap()).unwrap();
            if history.end().is_some() {
                break history;
            }
            assert!(Instant::now() < deadline, "the window does not end");
            std::thread::sleep(Duration::from_millis(500));
        };
        let judgement = verdict::judge(&history);
        let summary = Summary::new(&history, &judgement, "bench").json().unwrap();
        let summary: Value = serde_json::from_str(&summary).unwrap();
        let late = |name: &str| summary["generator"]["late_ms"][name].as_f64();
        Outcome {
            achieved: summary["requests"].as_f64().unwrap() / (rate * seconds as f64),
            late_p99: late("p99").unwrap_or(f64::NAN),
            late_max: late("max").unwrap_or(f64::NAN),
        }
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let _ = stormdeck(self.home.path())
            .env("XDG_RUNTIME_DIR", self.home.path())
            .args(["stop", "--abort"])
            .arg(&self.session)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

/// nginx without an access log, on whichever core is free.
pub fn nginx() -> Nginx {
    Nginx::with_server(
        "location / { return 200 \"a body of exactly thirty-five bytes.\"; }",
        false,
    )
}

/// 10,000 requests a second for so long.
pub fn heavy(nginx: &Nginx, seconds: u64) -> String {
    format!(
        "[window]\nname = \"heavy\"\nduration = \"{seconds}s\"\n[[scenario]]\nname = \"all\"\n\
         target = \"{}\"\nrate = \"10k/s\"\nget = \"/\"\n",
        nginx.url()
    )
}

/// A shop with a moderate number of customers for so long.
pub fn moderate(seconds: u64) -> String {
    let shop = include_str!("../../../profiles/demo.toml");
    // The scenarios, the journeys and the gates of the demo; phases without a spike.
    let (scenarios, rest) = shop.split_once("[[phase]]").expect("it has phases");
    let (_, gates) = rest.split_once("[[gate]]").expect("it has gates");
    format!(
        "{}[[phase]]\nname = \"steady\"\nfor = \"{seconds}s\"\n[[phase]]\nname = \"after\"\nfor = \"10s\"\n[[gate]]{gates}",
        scenarios.replace("rate     = \"20/s\"", "rate = \"50/s\"")
    )
}

/// The folder that a console of a recording may call its own.
pub fn home_of(session: &Path) -> &Path {
    session.parent().unwrap_or(Path::new("."))
}
