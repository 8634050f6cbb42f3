//! Targets that fail in every way that a target can, and what that costs.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

use crate::support::{daemons, free_port, only_session, stormdeck};
use crate::{Running, course, is_event, names, profile, run};

/// A target on a port of its own that answers each request as it is told, with the number of the request.
fn target(answer: impl Fn(usize, &mut TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (answer, count) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
    // Ends with the test's process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let (answer, count) = (Arc::clone(&answer), Arc::clone(&count));
            std::thread::spawn(move || {
                let mut head = [0; 4096];
                while stream.read(&mut head).is_ok_and(|length| length > 0) {
                    answer(count.fetch_add(1, Ordering::Relaxed), &mut stream);
                }
            });
        }
    });
    address
}

fn send(stream: &mut TcpStream, head: &str, body: &str) {
    let _ = write!(
        stream,
        "HTTP/1.1 200 OK\r\n{head}content-length: {}\r\n\r\n{body}",
        body.len()
    );
}

fn watch(name: &str, address: &str, more: &str) -> String {
    format!(
        "[[target]]\nname = \"{name}\"\nurl = \"http://{address}/metrics\"\nevery = \"200ms\"\n{more}\n"
    )
}

#[test]
fn a_bad_target_costs_neither_the_load_nor_a_good_one() {
    let hangs = target(|_, _| ());
    let trickles = target(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\na 1");
    });
    let lies = target(|_, stream| send(stream, "", "<html><body>sorry</body></html>"));
    let huge = target(|_, stream| {
        let line = "a{pod=\"0123456789\"} 1\n";
        let _ = write!(stream, "HTTP/1.1 200 OK\r\n\r\n");
        for _ in 0..200_000 {
            if stream.write_all(line.as_bytes()).is_err() {
                break;
            }
        }
        let _ = stream.shutdown(std::net::Shutdown::Both);
    });
    let good = target(|_, stream| send(stream, "", "good 1\n"));
    let watched = [
        watch("hangs", &hangs, "timeout = \"300ms\""),
        watch("trickles", &trickles, "timeout = \"300ms\""),
        watch("lies", &lies, ""),
        watch("huge", &huge, "max_size = \"100kB\""),
        watch("nobody", &format!("127.0.0.1:{}", free_port()), ""),
        watch("good", &good, "record = [\"good\"]"),
    ];
    let dir = TempDir::new().unwrap();
    let records = run(dir.path(), &profile(4, &watched.concat()));
    let down: Vec<String> = records
        .iter()
        .filter(|record| is_event(record, "target"))
        .map(|record| record["text"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(down.len(), 5, "each once: {down:?}");
    for why in ["HTML", "100", "listens"] {
        assert!(
            down.iter().any(|text| text.contains(why)),
            "{why}: {down:?}"
        );
    }
    let names = names(&records);
    let up = |target: &str| {
        let of = format!("job=\"{target}\"");
        let name = names
            .iter()
            .find(|name| name.starts_with("up{") && name.contains(&of));
        course_of_up(&records, name.unwrap())
    };
    assert_eq!(up("good"), Some(1.0));
    for bad in ["hangs", "trickles", "lies", "huge", "nobody"] {
        assert_eq!(up(bad), Some(0.0), "{bad}");
    }
    let end = records
        .iter()
        .rev()
        .find(|record| record["k"] == "tick")
        .unwrap();
    assert!(end["scenarios"][0]["dropped"].is_null());
}

/// The last value of a series that is scraped.
fn course_of_up(records: &[serde_json::Value], name: &str) -> Option<f64> {
    let index = names(records).iter().position(|other| other == name)?;
    let ticks = records.iter().filter(|record| record["k"] == "tick");
    let scrapes = ticks
        .filter_map(|tick| tick["scrapes"].as_array())
        .flatten();
    let changes: Vec<_> = scrapes
        .filter_map(|scrape| scrape["series"].as_array())
        .flatten()
        .filter(|change| change[0] == index)
        .collect();
    changes.last()?[1].as_f64()
}

#[test]
fn a_target_that_restarts_loses_its_series_and_its_counters_are_reset() {
    // Counts up, is gone for three scrapes, and begins again from nothing.
    let flaky = target(|number, stream| match number {
        0..=5 => send(stream, "", &format!("hits_total {}\n", 1_000 + number * 10)),
        6..=8 => {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
        _ => send(stream, "", &format!("hits_total {}\n", (number - 9) * 10)),
    });
    let watched = watch("flaky", &flaky, "")
        + "[[gauge]]\nname = \"hits\"\nof = \"flaky\"\nexpr = \"rate(hits_total[2s])\"\nunit = \"per_second\"\n";
    let dir = TempDir::new().unwrap();
    let records = run(dir.path(), &profile(5, &watched));
    let turns: Vec<bool> = records
        .iter()
        .filter(|record| is_event(record, "target"))
        .map(|record| record["up"].as_bool().unwrap())
        .collect();
    assert_eq!(turns, [false, true]);
    let names = names(&records);
    let hits = names.iter().find(|name| name.starts_with("hits{")).unwrap();
    let rates: Vec<f64> = course(&records, hits).into_values().flatten().collect();
    assert!(!rates.is_empty());
    // A reset is no fall, and what was counted before it no rise: 10 each 200 ms are 50 a second at most.
    assert!(
        rates.iter().all(|rate| (0.0..200.0).contains(rate)),
        "{rates:?}"
    );
}

#[test]
fn a_body_that_changes_and_has_bad_lines_is_read_as_far_as_it_is_good() {
    let odd = target(|number, stream| match number % 2 {
        0 => send(stream, "content-type: text/plain\r\n", "a 1\nb{ 2\n"),
        _ => send(
            stream,
            "content-type: application/openmetrics-text; version=1.0.0\r\n",
            "# TYPE a gauge\na 1.0\n# EOF\n",
        ),
    });
    let dir = TempDir::new().unwrap();
    let watched = watch("odd", &odd, "record = [\"a\"]");
    let records = run(dir.path(), &profile(3, &watched));
    let told = records
        .iter()
        .find(|record| is_event(record, "target"))
        .unwrap();
    assert!(told["text"].as_str().unwrap().contains("line 2"), "{told}");
    assert_eq!(told["up"], true);
    let a = r#"a{instance="ADDRESS",job="odd"}"#.replace("ADDRESS", &odd);
    assert_eq!(course_of_up(&records, &a), Some(1.0));
}

#[test]
fn lists_of_targets_are_read_again_when_they_change() {
    let dir = TempDir::new().unwrap();
    let node = daemons::node_exporter();
    let list = dir.path().join("nodes.json");
    std::fs::write(&list, "[]").unwrap();
    let watched = "[[target]]\nname = \"nodes\"\nfile_sd = [\"nodes.json\"]\nevery = \"200ms\"\nauto = true\nkeep = [\"node_.*\"]\n";
    let window = Running::start(dir.path(), &profile(120, watched));
    let text = format!(
        "[{{\"targets\": [\"{}\"], \"labels\": {{\"rack\": \"r1\"}}}}]",
        node.address
    );
    std::fs::write(&list, text).unwrap();
    let gauge = window.wait("the gauges of a node", |record| is_event(record, "gauge"));
    assert_eq!(gauge["of"], "nodes");
    std::fs::write(&list, "[]").unwrap();
    let index = |records: &[serde_json::Value]| {
        names(records)
            .iter()
            .position(|name| name.starts_with("up{") && name.contains("rack=\"r1\""))
    };
    window.wait("the end of its series", |_| {
        let records = crate::records(&only_session(dir.path()));
        let Some(index) = index(&records) else {
            return false;
        };
        let ticks = records.iter().filter(|record| record["k"] == "tick");
        let scrapes = ticks
            .filter_map(|tick| tick["scrapes"].as_array())
            .flatten();
        let mut changes = scrapes
            .filter_map(|scrape| scrape["series"].as_array())
            .flatten();
        changes.any(|change| change[0] == index && change[1].is_null())
    });
    window.end();
}

#[test]
fn check_finds_what_is_wrong_with_targets() {
    let dir = TempDir::new().unwrap();
    let watched = "[[target]]\nname = \"a\"\nurl = \"http://127.0.0.1:1/\"\nrecord = [\"rate(x[1m])\"]\n\
                   [[target]]\nname = \"b\"\nurl = \"http://127.0.0.1:1/\"\nkeep = ['{a=~\"(\"}']\n";
    let path = dir.path().join("profile.toml");
    std::fs::write(&path, profile(3, watched)).unwrap();
    let output = stormdeck(dir.path())
        .arg("check")
        .arg(&path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("target `a`") && said.contains("target `b`"),
        "{said}"
    );
}

#[test]
fn a_clock_that_is_off_is_measured_and_told_once() {
    let late = target(|_, stream| send(stream, "date: Thu, 01 Jan 2026 00:00:00 GMT\r\n", "a 1\n"));
    let dir = TempDir::new().unwrap();
    let records = run(dir.path(), &profile(2, &watch("late", &late, "")));
    let told: Vec<&str> = records
        .iter()
        .filter(|record| is_event(record, "target"))
        .filter_map(|record| record["text"].as_str())
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("its clock is") && told[0].contains("behind ours"),
        "{told:?}"
    );
}
