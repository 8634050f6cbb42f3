//! What watching costs: `cargo bench --bench scrape`.
//!
//! The real program runs a window of `SECONDS` (60 unless said otherwise) with next to no load, three times: without a
//! target, with 100 endpoints of 1,000 series that are scraped each second and 300 of the series recorded, and with 500
//! endpoints. The endpoints are addresses of loopback that a process of their own serves, with a value that is another
//! one in each scrape. Printed is the CPU time of the program beside that of the window that watches nothing, and the
//! intervals that were missed, as the recording has them.
#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on says where by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

/// Series of an endpoint.
const SERIES: usize = 1_000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("serve") => serve(arguments[2].parse().unwrap()),
        // Cargo runs benches without this argument in `cargo test`; there is nothing to test here.
        _ if arguments.iter().any(|argument| argument == "--bench") => measure(),
        _ => {}
    }
}

fn measure() {
    let seconds: u32 = std::env::var("SECONDS")
        .ok()
        .and_then(|seconds| seconds.parse().ok())
        .unwrap_or(60);
    println!("windows of {seconds} s, endpoints of {SERIES} series, each scraped every second");
    let nothing = window(0, seconds);
    println!(
        "watching nothing: {:.2} % of a core",
        share(nothing.cpu, seconds)
    );
    for count in [100, 500] {
        let watched = window(count, seconds);
        println!(
            "{count} endpoints: {:.1} % of a core more, {} series recorded, {} scrapes, {} intervals missed{}",
            share(watched.cpu - nothing.cpu, seconds),
            watched.recorded,
            watched.scrapes,
            watched.missed,
            if count == 100 {
                "  (goal: under 15 %)"
            } else {
                "  (goal: none missed)"
            },
        );
    }
}

fn share(cpu: f64, seconds: u32) -> f64 {
    cpu / f64::from(seconds) * 100.0
}

/// What a window came to.
struct Measured {
    /// CPU time of the program, s.
    cpu: f64,
    recorded: usize,
    scrapes: usize,
    missed: f64,
}

fn window(count: usize, seconds: u32) -> Measured {
    let dir = TempDir::new().unwrap();
    let server = (count > 0).then(|| Endpoints::start(count));
    let hosts = server.as_ref().map_or(String::new(), |server| {
        let hosts: Vec<String> = server.addresses.iter().map(|host| format!("{host:?}")).collect();
        format!(
            "[[target]]\nname = \"many\"\nstatic = [{}]\nevery = \"1s\"\ntimeout = \"1s\"\nrecord = ['m0{{i=~\"[0-2]\"}}']\n",
            hosts.join(",")
        )
    });
    let profile = format!(
        "[window]\nname = \"w\"\nduration = \"{seconds}s\"\n[[scenario]]\nname = \"s\"\nrate = \"1/s\"\nget = \"/\"\n\
         target = \"embedded://shop\"\n{hosts}"
    );
    let path = dir.path().join("profile.toml");
    fs::write(&path, profile).unwrap();
    let before = children_cpu();
    let status = support::stormdeck(dir.path())
        .arg("run")
        .arg(&path)
        .args(["--headless", "--json"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    // The demo service is a child of its own, and the same in each window.
    let cpu = children_cpu() - before;
    drop(server);
    read(dir.path(), cpu)
}

fn read(dir: &Path, cpu: f64) -> Measured {
    let records = support::records(&support::only_session(dir));
    let mut keys = records.iter().filter(|record| record["k"] == "key");
    let names = keys
        .next_back()
        .map(|key| key["names"]["series"].clone())
        .unwrap();
    let names: Vec<String> = serde_json::from_value(names).unwrap_or_default();
    let missed: Vec<usize> = (0..names.len())
        .filter(|&index| names[index].starts_with("scrape_intervals_missed_total"))
        .collect();
    let mut last = vec![0.0; names.len()];
    let mut scrapes = 0;
    let ticks = records.iter().filter(|record| record["k"] == "tick");
    for scrape in ticks
        .filter_map(|tick| tick["scrapes"].as_array())
        .flatten()
    {
        scrapes += 1;
        for change in scrape["series"].as_array().into_iter().flatten() {
            last[change[0].as_u64().unwrap() as usize] = change[1].as_f64().unwrap_or(0.0);
        }
    }
    Measured {
        cpu,
        recorded: names.iter().filter(|name| name.starts_with("m0{")).count(),
        scrapes,
        missed: missed.iter().map(|&index| last[index]).sum(),
    }
}

/// CPU time of the children that were waited for, s.
fn children_cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    // cutime and cstime, in hundredths of a second on Linux.
    let ticks = |field: usize| fields[field].parse::<f64>().unwrap();
    (ticks(13) + ticks(14)) / 100.0
}

/// The process that serves the endpoints. It is not waited for before its window is measured.
struct Endpoints {
    child: Child,
    addresses: Vec<String>,
}

impl Endpoints {
    fn start(count: usize) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["serve", &count.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let addresses = out.lines().take(count).map(Result::unwrap).collect();
        Self { child, addresses }
    }
}

impl Drop for Endpoints {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves so many addresses, says which, and ends with its standard input.
fn serve(count: usize) {
    let mut out = std::io::stdout().lock();
    for number in 0..count {
        let host = format!("127.0.{}.{}", 1 + number / 250, 1 + number % 250);
        let listener = TcpListener::bind((host.as_str(), 0)).unwrap();
        writeln!(out, "{}", listener.local_addr().unwrap()).unwrap();
        std::thread::Builder::new()
            .stack_size(128 << 10)
            .spawn(move || {
                for stream in listener.incoming() {
                    answer(stream.unwrap());
                }
            })
            .unwrap();
    }
    out.flush().unwrap();
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

/// Answers one connection at a time, which is all that a scraper has.
fn answer(mut stream: TcpStream) {
    static SCRAPES: AtomicU64 = AtomicU64::new(0);
    stream.set_nodelay(true).unwrap();
    let mut head = [0; 8192];
    while stream.read(&mut head).is_ok_and(|length| length > 0) {
        let scrape = SCRAPES.fetch_add(1, Ordering::Relaxed);
        let mut body = String::with_capacity(SERIES * 40);
        for metric in 0..10 {
            let _ = writeln!(body, "# HELP m{metric} A metric.\n# TYPE m{metric} gauge");
            for series in 0..SERIES / 10 {
                let _ = writeln!(
                    body,
                    "m{metric}{{i=\"{series}\",zone=\"a\"}} {}",
                    scrape + series as u64
                );
            }
        }
        let sent = write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        if sent.is_err() {
            return;
        }
    }
}
