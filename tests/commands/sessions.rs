//! `ls`, `verify` and `export` over sessions that real windows left behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{only_session, records, run_json, stormdeck};
use crate::{QUICK, said};

const LONG: &str = "[window]\nname = \"long\"\nduration = \"60s\"\ntick = \"100ms\"\n[[scenario]]\nname = \"s\"\n\
    target = \"embedded://shop\"\nrate = \"20/s\"\nget = \"/\"\n";

fn ls(dir: &Path) -> String {
    let (out, err, code) = said(&stormdeck(dir).arg("ls").output().unwrap());
    assert_eq!(code, 0, "{err}");
    out
}

/// The line of a session in what `ls` printed.
fn line<'l>(listed: &'l str, name: &str) -> &'l str {
    let found = listed.lines().find(|line| line.starts_with(name));
    found.unwrap_or_else(|| panic!("{name} in {listed}"))
}

#[test]
fn an_empty_directory_and_one_that_is_not_there_have_no_sessions() {
    let dir = TempDir::new().unwrap();
    for dir in [dir.path().to_owned(), dir.path().join("not there")] {
        let (out, err, code) = said(&stormdeck(&dir).arg("ls").output().unwrap());
        assert_eq!((out.as_str(), code), ("", 0));
        let expected = format!("no sessions in `{}`\n", dir.display());
        assert_eq!(err, expected);
    }
}

#[test]
fn a_variable_that_is_set_to_nothing_says_nothing() {
    let dir = TempDir::new().unwrap();
    let mut command = stormdeck(Path::new(""));
    command.env("XDG_STATE_HOME", dir.path());
    let (_, err, code) = said(&command.arg("ls").output().unwrap());
    let default = dir.path().join("stormdeck");
    assert!(err.contains(default.to_str().unwrap()), "{err}");
    assert_eq!(code, 0);
}

#[test]
fn a_list_says_which_windows_run_and_how_the_others_ended() {
    let dir = TempDir::new().unwrap();
    run_json(dir.path(), QUICK, &["--name", "whole"]);
    let profile = dir.path().join("long.toml");
    fs::write(&profile, LONG).unwrap();
    let start = |name| {
        let mut command = stormdeck(dir.path());
        command.arg("run").arg(&profile);
        command.args(["--headless", "--json", "--name", name]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        // Until its window is recorded: before that, no signal would end it gracefully.
        let recorded = |line: &str| line.starts_with(name) && line.contains("long");
        while !ls(dir.path()).lines().any(recorded) {
            assert!(Instant::now() < deadline, "{}", ls(dir.path()));
        }
        child
    };
    let mut killed = start("killed");
    assert!(line(&ls(dir.path()), "killed").contains("running"));
    killed.kill().unwrap();
    killed.wait().unwrap();
    let mut ended = start("ended");
    let pid = ended.id().to_string();
    Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    ended.wait().unwrap();

    let listed = ls(dir.path());
    assert!(line(&listed, "whole").contains("finished"), "{listed}");
    assert!(line(&listed, "killed").contains("crashed"), "{listed}");
    assert!(line(&listed, "ended").contains("stopped"), "{listed}");
    let order: Vec<&str> = listed.lines().map(|l| &l[..5]).collect();
    assert_eq!(order, ["SESSI", "ended", "kille", "whole"], "newest first");
}

#[test]
fn verify_tells_a_sound_session_from_a_torn_a_damaged_and_none_at_all() {
    let dir = TempDir::new().unwrap();
    run_json(dir.path(), QUICK, &["--name", "sound"]);
    let sound = fs::read(only_session(dir.path())).unwrap();
    let put = |name: &str, bytes: &[u8]| {
        fs::write(dir.path().join(format!("{name}.jsonl.zst")), bytes).unwrap();
    };
    put("torn", &sound[..sound.len() / 2]);
    let mut flipped = sound.clone();
    flipped[sound.len() / 3] ^= 0x10;
    put("damaged", &flipped);
    put("other", b"this is something else altogether");
    put("empty", b"");
    for (name, code, says) in [
        ("sound", 0, "sound"),
        ("torn", 1, "torn"),
        ("damaged", 1, "damaged"),
        ("other", 2, "not a session"),
        ("empty", 1, "torn"),
        ("missing", 2, "`stormdeck ls` lists them"),
    ] {
        let output = stormdeck(dir.path()).args(["verify", name]).output();
        let (out, err, found) = said(&output.unwrap());
        assert_eq!(found, code, "{name}: {out}{err}");
        assert!(format!("{out}{err}").contains(says), "{name}: {out}{err}");
        assert!(!err.contains("panicked"), "{err}");
    }
}

/// A window with answers of two kinds, and what its summary says: session, requests, errors.
fn mixed(dir: &Path) -> (PathBuf, u64, u64) {
    let profile = QUICK.to_owned()
        + "[[scenario]]\nname = \"lost\"\ntarget = \"embedded://shop?servers=0&service=fixed:1ms\"\n\
           users = 1\niterations = 7\nget = \"/no/such/page\"\n";
    let (summary, code) = run_json(dir, &profile, &[]);
    assert_eq!(code, 1, "an error breaks the gate");
    assert_eq!(summary["requests"], 47);
    assert_eq!(summary["errors_by_kind"]["status_4xx"], 7);
    let count = |name: &str| summary[name].as_u64().unwrap();
    (only_session(dir), count("requests"), count("errors"))
}

fn exported(dir: &Path, format: &str) -> String {
    let output = stormdeck(dir).args(["export", "--as", format]).output();
    let (out, err, code) = said(&output.unwrap());
    assert_eq!((err.as_str(), code), ("", 0));
    out
}

#[test]
fn every_export_counts_what_the_summary_counted() {
    let dir = TempDir::new().unwrap();
    let (session, requests, errors) = mixed(dir.path());

    let records = records(&session);
    let steps = records
        .iter()
        .filter_map(|record| record["steps"].as_array())
        .flatten();
    let failed = |step: &Value| -> u64 {
        let kinds = step["errors"].as_object();
        let counts = kinds.map(|kinds| kinds.values().map(|n| n.as_u64().unwrap()).sum());
        counts.unwrap_or(0)
    };
    let sums = steps.fold((0, 0), |(all, bad), step| {
        (all + step["requests"].as_u64().unwrap(), bad + failed(step))
    });
    assert_eq!(sums, (requests, errors), "jsonl");

    let text = exported(dir.path(), "csv");
    let mut table = csv::Reader::from_reader(text.as_bytes());
    let headers = table.headers().unwrap().clone();
    let place = |name| headers.iter().position(|header| header == name).unwrap();
    let sums = table.records().fold((0, 0), |(all, bad), row| {
        let row = row.unwrap();
        let cell = |name| row[place(name)].parse::<u64>().unwrap();
        (all + cell("requests"), bad + cell("errors"))
    });
    assert_eq!(sums, (requests, errors), "csv");

    let text = exported(dir.path(), "openmetrics");
    assert!(text.ends_with("# EOF\n"));
    let sum = |name: &str| -> u64 {
        // Counters only grow: the last line of a series is its sum.
        let mut last = std::collections::BTreeMap::new();
        for line in text.lines().filter(|line| line.starts_with(name)) {
            let (series, rest) = line.rsplit_once("} ").unwrap();
            let value = rest.split(' ').next().unwrap();
            last.insert(series, value.parse::<f64>().unwrap() as u64);
        }
        last.values().sum()
    };
    assert_eq!(sum("stormdeck_requests_total{"), requests, "openmetrics");
    assert_eq!(sum("stormdeck_request_errors_total{"), errors);
}

#[test]
fn another_tool_reads_the_histogram_log_and_finds_every_request() {
    use base64::Engine as _;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    let dir = TempDir::new().unwrap();
    let (_, requests, _) = mixed(dir.path());
    let text = exported(dir.path(), "hlog");
    let (mut responses, mut services) = (0, 0);
    for entry in IntervalLogIterator::new(text.as_bytes()) {
        let LogEntry::Interval(interval) = entry.unwrap() else {
            continue;
        };
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(interval.encoded_histogram())
            .unwrap();
        let histogram = Deserializer::new()
            .deserialize::<u64, _>(&mut bytes.as_slice())
            .unwrap();
        match interval.tag().unwrap().as_str().rsplit_once('/').unwrap().1 {
            "response" => responses += histogram.len(),
            "service" => services += histogram.len(),
            other => panic!("{other}"),
        }
    }
    assert_eq!((responses, services), (requests, requests));
}

#[test]
fn an_export_can_be_read_from_a_pipe_and_written_to_a_file() {
    let dir = TempDir::new().unwrap();
    let (session, ..) = mixed(dir.path());
    let file = dir.path().join("out.csv");
    let output = stormdeck(dir.path())
        .args(["export", "-", "--as", "csv", "-o"])
        .arg(&file)
        .stdin(fs::File::open(&session).unwrap())
        .output();
    assert_eq!(said(&output.unwrap()), (String::new(), String::new(), 0));
    assert_eq!(
        fs::read_to_string(file).unwrap(),
        exported(dir.path(), "csv")
    );
}
