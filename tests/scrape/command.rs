//! `stormdeck scrape`, as a person or a script runs it.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::server::{Server, answer};
use crate::support::{free_port, stormdeck};

fn scrape(args: &[&str]) -> Output {
    let mut command = stormdeck(Path::new("."));
    command.arg("scrape").args(args).output().unwrap()
}

/// What `--json` prints for a file with this content, and the exit code.
fn json_of(body: &str, args: &[&str]) -> (Value, i32) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("body");
    fs::write(&path, body).unwrap();
    let output = scrape(&[&[path.to_str().unwrap(), "--json"], args].concat());
    let value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (value, output.status.code().unwrap())
}

#[test]
fn json_has_samples_bad_lines_and_the_error() {
    let body = "# TYPE m counter\nm{b=\"2\",a=\"x\\ny\"} 1.50 7\nn NaN\nn{x=\"\"} 3\no -Inf\np 1e21\n!\n{\"q.r\"} +Inf\n";
    let sample = |name: &str, labels: Value, value: &str, ts_ms: Value| json!({"name": name, "labels": labels, "value": value, "ts_ms": ts_ms});
    let expected = json!({
        "samples": [
            sample("m", json!({"a": "x\ny", "b": "2"}), "1.5", json!(7)),
            sample("n", json!({}), "NaN", Value::Null),
            sample("o", json!({}), "-Inf", Value::Null),
            sample("p", json!({}), "1e+21", Value::Null),
            sample("q.r", json!({}), "+Inf", Value::Null),
        ],
        "bad_lines": 2,
        "error": null,
    });
    assert_eq!(json_of(body, &[]), (expected, 1));
    let good = json!({"samples": [sample("m", json!({}), "1", json!(1500))], "bad_lines": 0, "error": null});
    assert_eq!(json_of("m 1 1.5\n# EOF\n", &[]), (good, 0));
    let (cut, code) = json_of("m 1\n", &["--format", "openmetrics"]);
    assert_eq!(
        (&cut["samples"], &cut["bad_lines"], code),
        (&json!([]), &json!(0), 1)
    );
    assert!(cut["error"].as_str().unwrap().contains("# EOF"), "{cut}");
    let (empty, code) = json_of("", &[]);
    assert_eq!(
        (empty, code),
        (json!({"samples": [], "bad_lines": 0, "error": null}), 0)
    );
}

#[test]
fn a_body_is_shown_by_metric() {
    let body = "# HELP http_seconds How long\tit took.\n# TYPE http_seconds histogram\n\
        http_seconds_bucket{le=\"1\"} 1\nhttp_seconds_bucket{le=\"+Inf\"} 2\nhttp_seconds_sum 3\nhttp_seconds_count 2\n\
        # TYPE up gauge\nup 1\nup 2\nx{y=\"z\"} 0x1f\nz 1 1700000000000\n";
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("body");
    fs::write(&path, body).unwrap();
    for (name, args) in [("brief", &[][..]), ("series", &["--series"])] {
        let output = scrape(&[&[path.to_str().unwrap()], args].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        insta::with_settings!({filters => vec![(r"in [0-9.]+ m?s\n", "in TIME\n")]}, {
            insta::assert_snapshot!(name, text);
        });
    }
}

#[test]
fn standard_input_is_read_too() {
    let mut child = stormdeck(Path::new("."))
        .args(["scrape", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"m 1\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (value["samples"][0]["value"].as_str(), output.status.code()),
        (Some("1"), Some(0))
    );
}

#[test]
fn an_address_is_scraped_by_what_it_says_it_is() {
    let server = Server::answering(|asked| match asked.header("x-key") {
        Some("7") => answer(
            "200 OK",
            "content-type: application/openmetrics-text\r\n",
            "m 1 1.5\n# EOF\n",
        ),
        _ => answer("401 Unauthorized", "", ""),
    });
    let output = scrape(&[&server.url, "--json", "--header", "X-Key: 7"]);
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (value["samples"][0]["ts_ms"].as_i64(), output.status.code()),
        (Some(1500), Some(0))
    );
    let output = scrape(&[&server.url]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.starts_with("the scrape failed: the target answered 401"),
        "{text}"
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn what_cannot_be_had_is_a_failed_scrape_and_what_makes_no_sense_is_none() {
    let nobody = format!("http://127.0.0.1:{}/", free_port());
    for args in [
        &[nobody.as_str(), "--json"][..],
        &["/nonexistent/file", "--json"],
    ] {
        let output = scrape(args);
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(
            value["error"].is_string() && value["samples"] == json!([]),
            "{value}"
        );
        assert_eq!(output.status.code(), Some(1));
    }
    let (value, code) = json_of("m 1\n", &["--max-size", "3"]);
    assert_eq!(
        value["error"],
        "it is larger than 3B, the most that is read"
    );
    assert_eq!(code, 1);
    for args in [
        &["ftp://127.0.0.1/"][..],
        &["https://127.0.0.1/", "--ca", "/nonexistent.pem"],
        &["x", "--timeout", "0s"],
        &["x", "--timeout", "soon"],
        &["x", "--header", "none"],
        &["http://127.0.0.1/", "--header", "a b: c"],
        &[],
    ] {
        let output = scrape(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty());
    }
}
