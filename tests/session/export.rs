//! Sessions in the formats of other tools, read back with those tools' own readers where there is one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use stormdeck::session::export::{Format, export};
use stormdeck::session::{Reader, Record};

use crate::sim::{START, Sim};
use crate::{text, write};

fn exported(path: &Path, format: Format) -> String {
    let mut out = Vec::new();
    export(&mut Reader::open(path).unwrap(), format, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn session(ticks: u64) -> (tempfile::TempDir, std::path::PathBuf, Vec<Record>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    let written = write(&path, &mut Sim::new(3, 4, 25, 9), ticks);
    (dir, path, written)
}

#[test]
fn json_lines_are_the_records() {
    let (_dir, path, written) = session(70);
    let lines = exported(&path, Format::Jsonl);
    assert!(!lines.contains("\"crc\""));
    let lines: Vec<&str> = lines
        .lines()
        .filter(|line| !line.starts_with("{\"k\":\"key\""))
        .collect();
    assert_eq!(lines, written.iter().map(text).collect::<Vec<_>>());
}

#[test]
fn csv_has_a_row_for_each_tick_and_step_under_named_columns() {
    let (_dir, path, written) = session(70);
    let rows = exported(&path, Format::Csv);
    let mut table = csv::Reader::from_reader(rows.as_bytes());
    let rows: Vec<BTreeMap<String, String>> = table.deserialize().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 70 * 3);
    let Record::Tick(first) = &written[1] else {
        panic!()
    };
    let step = &first.steps[0];
    let row = &rows[0];
    assert_eq!(
        (row["tick"].as_str(), row["at_s"].as_str()),
        ("1", "1.000000")
    );
    assert!(
        row["wall"].starts_with("2026-01-02T03:04:06.") && row["wall"].ends_with('Z'),
        "{}",
        row["wall"]
    );
    assert_eq!(
        (row["phase"].as_str(), row["scenario"].as_str()),
        ("steady", "shoppers")
    );
    assert_eq!(
        (row["journey"].as_str(), row["step"].as_str()),
        ("journey 0", "step 0")
    );
    assert_eq!(row["requests"], step.requests.to_string());
    let p99: f64 = row["response_p99_ms"].parse().unwrap();
    assert!((p99 - step.response.quantile(0.99) as f64 / 1e3).abs() < 1e-9);
    let p999: f64 = row["service_p99.9_ms"].parse().unwrap();
    assert!((p999 - step.service().quantile(0.999) as f64 / 1e3).abs() < 1e-9);
}

#[test]
fn the_histogram_log_is_read_by_hdrhistogram_with_every_value_in_place() {
    let (_dir, path, written) = session(65);
    let log = exported(&path, Format::Hlog);
    assert!(
        log.starts_with("#[Histogram log format version 1.3]\n"),
        "{}",
        &log[..100]
    );
    let mut expected = BTreeMap::new();
    for record in &written {
        let Record::Tick(tick) = record else { continue };
        for step in &tick.steps {
            for (kind, hist) in [("response", &step.response), ("service", step.service())] {
                let tag = format!(
                    "shoppers/journey_{}/step_{}/{kind}",
                    step.step / 2,
                    step.step
                );
                expected.insert((tick.n - 1, tag), hist.clone());
            }
        }
    }
    let mut read = BTreeMap::new();
    for entry in IntervalLogIterator::new(log.as_bytes()) {
        match entry.unwrap() {
            LogEntry::Interval(interval) => {
                assert_eq!(interval.duration().as_secs(), 1);
                let tag = interval.tag().unwrap().as_str().to_owned();
                let bytes = base64(interval.encoded_histogram());
                let dense = Deserializer::new()
                    .deserialize(&mut bytes.as_slice())
                    .unwrap();
                let hist = stormdeck::session::Hist::from_dense(&dense);
                read.insert((interval.start_timestamp().as_secs(), tag), hist);
            }
            LogEntry::StartTime(time) | LogEntry::BaseTime(time) => {
                assert_eq!(time.as_secs(), START / 1_000_000);
            }
        }
    }
    assert_eq!(read, expected);
}

fn base64(text: &str) -> Vec<u8> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|&c| c != b'=').map(value).collect();
    let mut out = Vec::new();
    for four in digits.chunks(4) {
        let word = four
            .iter()
            .fold(0u32, |word, &digit| word << 6 | u32::from(digit))
            << (6 * (4 - four.len()));
        out.extend_from_slice(&word.to_be_bytes()[1..four.len()]);
    }
    out
}

#[test]
fn openmetrics_keeps_each_metric_together_and_its_counters_end_at_the_sums() {
    let (_dir, path, written) = session(130);
    let metrics = exported(&path, Format::Openmetrics);
    assert!(metrics.ends_with("\n# EOF\n"));
    let mut last: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    let (mut done, mut current) = (BTreeSet::new(), "");
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let mut parts = line.rsplitn(3, ' ');
        let stamp: f64 = parts.next().unwrap().parse().unwrap();
        let value: f64 = parts.next().unwrap().parse().unwrap();
        let metric = parts.next().unwrap();
        let name = metric.split('{').next().unwrap();
        assert!(
            name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_'),
            "{name}"
        );
        // A histogram's buckets, count and sum belong together; other metrics come one by one.
        if !name.contains("_time_seconds") && metric != current {
            assert!(done.insert(metric), "{metric} comes in pieces");
            current = metric;
        }
        if let Some((before, _)) = last.insert(metric, (stamp, value)) {
            assert!(stamp > before, "{metric} goes back in time");
        }
    }
    let requests: u64 = written
        .iter()
        .map(|record| match record {
            Record::Tick(tick) => tick.steps[1].requests,
            _ => 0,
        })
        .sum();
    let labels = "scenario=\"shoppers\",journey=\"journey 0\",step=\"step 1\"";
    assert_eq!(
        last[format!("stormdeck_requests_total{{{labels}}}").as_str()].1 as u64,
        requests
    );
    let bucket = |le: &str| {
        last[format!("stormdeck_response_time_seconds_bucket{{{labels},le=\"{le}\"}}").as_str()].1
    };
    let count = last[format!("stormdeck_response_time_seconds_count{{{labels}}}").as_str()].1;
    assert!(bucket("0.01") < bucket("0.1"));
    assert_eq!(bucket("+Inf") as u64, count as u64);
    assert!((last["stormdeck_load_factor"].0 - (START as f64 / 1e6 + 130.0)).abs() < 1e-3);
}
