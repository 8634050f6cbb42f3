//! Servers that do everything wrong: each failure counted under its own kind, in bounded memory, without a panic.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::server::Server;
use crate::support::{stormdeck, summary_of};

/// Waits for a request, roughly, then does this.
fn after_request(act: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> Server {
    Server::raw(move |mut stream| {
        let mut request = [0; 4096];
        if stream.read(&mut request).is_ok_and(|read| read > 0) {
            act(&mut stream);
        }
    })
}

fn saying(text: &'static str) -> Server {
    after_request(move |stream| {
        let _ = stream.write_all(text.as_bytes());
    })
}

/// Says `head` once, then `more` for ever.
fn endless(head: &'static str, more: &str) -> Server {
    let more = more.repeat(1000);
    after_request(move |stream| {
        let _ = stream.write_all(head.as_bytes());
        while stream.write_all(more.as_bytes()).is_ok() {}
    })
}

/// A gigabyte of zeros in a megabyte: a thousand gzip members one after the other.
fn bomb() -> Server {
    let mut gzip = Command::new("gzip")
        .args(["-9", "-c"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = gzip.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || input.write_all(&vec![0; 1 << 20]).unwrap());
    let member = gzip.wait_with_output().unwrap().stdout;
    feeder.join().unwrap();
    let body = member.repeat(1000);
    after_request(move |stream| {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.write_all(&body);
    })
}

/// The highest resident memory of a process so far, bytes.
fn peak_memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// Requests that each server gets.
const TRIES: u64 = 4;

/// Name, server, and the kind of error that it must count as: none for an answer that is right.
type Wrong = (&'static str, Server, Option<&'static str>);

fn wrong_servers() -> Vec<Wrong> {
    vec![
        (
            "garbage",
            saying("\u{1}\u{2}what is this\r\n\r\n"),
            Some("protocol"),
        ),
        (
            "half a head",
            saying("HTTP/1.1 200 OK\r\nconte"),
            Some("closed_early"),
        ),
        (
            "endless head",
            endless("HTTP/1.1 200 OK\r\n", "x-filler: and so on\r\n"),
            Some("protocol"),
        ),
        (
            "endless line",
            endless("HTTP/1.1 200 OK\r\nx: ", "and so on "),
            Some("protocol"),
        ),
        (
            "too short",
            saying("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort"),
            Some("closed_early"),
        ),
        (
            "too long",
            saying("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nfar more than two"),
            Some("protocol"),
        ),
        (
            "wrong length",
            saying("HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\nbody"),
            Some("protocol"),
        ),
        (
            "wrong chunks",
            saying("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n"),
            Some("protocol"),
        ),
        (
            "endless body",
            endless(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
                &format!("400\r\n{}\r\n", "more".repeat(256)),
            ),
            Some("protocol"),
        ),
        ("bomb", bomb(), None),
        ("closes", after_request(|_| {}), Some("closed_early")),
        (
            "says nothing",
            after_request(|stream| while stream.read(&mut [0]).is_ok_and(|read| read > 0) {}),
            Some("timeout"),
        ),
    ]
}

/// A user with a few requests for each server.
fn profile_of(servers: &[Wrong]) -> String {
    let mut profile = String::from("[window]\nname = \"wrong\"\ntick = \"100ms\"\n");
    for (name, server, _) in servers {
        write!(
            profile,
            "[[scenario]]\nname = \"{name}\"\ntarget = \"{}\"\nusers = 1\niterations = {TRIES}\ntimeout = \"400ms\"\n\
             max_body = \"2MiB\"\nget = \"/\"\n",
            server.url
        )
        .unwrap();
    }
    profile
}

/// Runs a profile, and gives its highest resident memory beside what it said.
fn run_watched(profile: &str) -> (Output, u64) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("profile.toml");
    fs::write(&path, profile).unwrap();
    let mut child = stormdeck(dir.path())
        .arg("run")
        .arg(&path)
        .args(["--headless", "--json", "--workers", "1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        peak = peak_memory(child.id()).unwrap_or(0).max(peak);
        std::thread::sleep(Duration::from_millis(5));
    }
    (child.wait_with_output().unwrap(), peak)
}

#[test]
fn each_wrong_of_a_server_is_counted_under_its_kind_in_bounded_memory() {
    let servers = wrong_servers();
    let (output, peak) = run_watched(&profile_of(&servers));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let summary = summary_of(&output);
    for (name, _, kind) in &servers {
        let all = summary["scenarios"].as_array().unwrap();
        let scenario = all
            .iter()
            .find(|scenario| scenario["name"] == *name)
            .unwrap();
        assert_eq!(scenario["requests"], TRIES, "{name}");
        let expected = match kind {
            Some(kind) => serde_json::json!({ *kind: TRIES }),
            None => Value::Object(serde_json::Map::new()),
        };
        assert_eq!(
            scenario["errors_by_kind"], expected,
            "{name}: {}",
            summary["samples"]
        );
    }
    assert!(peak > 1 << 20, "it was looked at while it ran");
    assert!(peak < 200 << 20, "{} MiB", peak >> 20);
}
