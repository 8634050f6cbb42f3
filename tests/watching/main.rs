//! Windows that watch something: the real program, real exporters, a real Prometheus and Alertmanager.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod alerts;
mod gauges;
mod targets;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Child;

use serde_json::Value;

use support::{only_session, records, stormdeck, wait_for};

/// A window with hardly any load, and what it watches. A scenario goes to the shop that it starts itself.
fn profile(seconds: u32, watched: &str) -> String {
    format!(
        "[window]\nname = \"watching\"\nduration = \"{seconds}s\"\ntick = \"200ms\"\ndrain = \"1s\"\n\
         [[scenario]]\nname = \"s\"\ntarget = \"embedded://shop?servers=0&service=fixed:1ms\"\n\
         rate = \"50/s\"\nget = \"/\"\n{watched}"
    )
}

/// Runs a window to its end and gives its records.
fn run(dir: &Path, profile: &str) -> Vec<Value> {
    let (_, code) = support::run_json(dir, profile, &[]);
    assert_eq!(code, 0);
    records(&only_session(dir))
}

/// A window that runs, ended on drop.
struct Running<'d> {
    dir: &'d Path,
    child: Child,
}

impl<'d> Running<'d> {
    fn start(dir: &'d Path, profile: &str) -> Self {
        let path = dir.join("profile.toml");
        std::fs::write(&path, profile).unwrap();
        let child = stormdeck(dir)
            .env("XDG_RUNTIME_DIR", dir)
            .arg("run")
            .arg(&path)
            .arg("--headless")
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let running = Self { dir, child };
        wait_for("the window", || running.ctl(&["hello"]).ok());
        running
    }

    /// What the window answers: what it said, or why it would not.
    fn ctl(&self, words: &[&str]) -> Result<String, String> {
        let output = stormdeck(self.dir)
            .env("XDG_RUNTIME_DIR", self.dir)
            .args(["ctl", "-"])
            .args(words)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr))
        }
    }

    /// Waits until a record like that is in the session.
    fn wait(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        wait_for(what, || {
            let session = only_session(self.dir);
            records(&session).into_iter().find(|record| is_it(record))
        })
    }

    /// Ends it, and gives its records.
    fn end(mut self) -> Vec<Value> {
        self.ctl(&["end"]).unwrap();
        assert!(self.child.wait().unwrap().success());
        records(&only_session(self.dir))
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a record is an event of this kind.
fn is_event(record: &Value, what: &str) -> bool {
    record["k"] == "event" && record["what"] == what
}

/// The names of series, from the last key.
fn names(records: &[Value]) -> Vec<String> {
    let keys = records.iter().filter(|record| record["k"] == "key");
    let names = keys.last().unwrap()["names"]["series"].clone();
    serde_json::from_value(names).unwrap_or_default()
}

/// The values of a series (`None` where it has none), at each tick at which gauges were evaluated, by that moment.
fn course(records: &[Value], name: &str) -> BTreeMap<u64, Option<f64>> {
    let index = names(records).iter().position(|other| other == name);
    let index = index.unwrap_or_else(|| panic!("no series {name} in {:?}", names(records)));
    let mut now = None;
    let mut course = BTreeMap::new();
    for tick in records.iter().filter(|record| record["k"] == "tick") {
        let scraped = tick["scrapes"].as_array().into_iter().flatten();
        let scraped = scraped
            .filter_map(|scrape| scrape["series"].as_array())
            .flatten();
        let own = tick["series"].as_array().into_iter().flatten();
        for change in scraped.chain(own).filter(|change| change[0] == index) {
            now = change[1].as_f64();
        }
        if let Some(at) = tick["gauged"].as_u64() {
            course.insert(at, now);
        }
    }
    course
}
