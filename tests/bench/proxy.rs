//! What the fault proxy costs without a fault, and how near its faults are to what was asked: `cargo bench --bench proxy`.
//!
//! ```sh
//! cargo bench --bench proxy -- cost      # throughput at 50 connections and a request's time, beside the direct way
//! cargo bench --bench proxy -- idle      # memory of 9,900 idle connections
//! cargo bench --bench proxy -- switch    # inject and revert under 1,000 busy connections
//! cargo bench --bench proxy -- times     # latency, a late stream, bandwidth, both together
//! ```
//!
//! nginx (one worker) and the load share one core, in the direct rounds as in those through the proxy, which has the
//! other core. The proxy is a process of its own; a process may have 20,000 files here, of which each connection through
//! it takes two.
#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on says where by panicking"
)]

#[path = "../proxy/stage.rs"]
mod stage;
#[path = "../support/mod.rs"]
mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use stage::{Stage, connect, echo, median, round_trip, server, source, wide_echo};
use support::Nginx;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [serve, upstream] = &arguments[..]
        && serve == "serve"
    {
        return serve_until_told(upstream);
    }
    // Cargo runs benches without this argument in `cargo test`; there is nothing to test here.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let chosen: Vec<&String> = arguments.iter().filter(|a| !a.starts_with('-')).collect();
    let wanted = |name: &str| chosen.is_empty() || chosen.iter().any(|chosen| *chosen == name);
    let all: [(&str, fn()); 4] = [
        ("cost", cost),
        ("idle", idle),
        ("switch", switch),
        ("times", times),
    ];
    for (name, measure) in all {
        if wanted(name) {
            measure();
        }
    }
}

/// A proxy in a process of its own.
struct Proxy {
    child: Child,
    address: String,
}

/// Of a round of wrk.
const SECONDS: f64 = 3.0;

const TOXIC: &str = "{ latency = \"100ms\" }";

fn serve_until_told(upstream: &str) {
    let stage = Stage::new(upstream, &[TOXIC]);
    println!("{}", stage.address);
    let _ = std::io::stdin().read(&mut [0]);
}

impl Proxy {
    fn before(upstream: &str) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut child = Command::new("taskset")
            .args(["-c", "1"])
            .arg(program)
            .args(["serve", upstream])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut address)
            .unwrap();
        let address = address.trim().to_owned();
        Self { child, address }
    }

    /// Processor time so far, seconds.
    fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.split_whitespace().collect();
        let ticks = |n: usize| fields[n].parse::<f64>().unwrap();
        // In hundredths of a second on every Linux.
        (ticks(13) + ticks(14)) / 100.0
    }

    /// Resident memory, MB.
    fn resident(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        let kb: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kb * 1024.0 / 1e6
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn nginx() -> Nginx {
    let nginx = Nginx::with_server(
        "location / { return 200 \"a body of exactly thirty-five bytes.\"; }",
        false,
    );
    nginx.pin(0);
    nginx
}

/// Requests a second, as wrk counts them.
fn throughput(address: &str) -> f64 {
    let url = format!("http://{address}/");
    let output = Command::new("taskset")
        .args([
            "-c",
            "0",
            "wrk",
            "-t1",
            "-c50",
            &format!("-d{SECONDS}s"),
            &url,
        ])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.starts_with("Requests/sec:"));
    let rate = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    rate.unwrap_or_else(|| panic!("wrk said: {text}"))
}

/// The median time of a request on one connection.
fn request_time(address: &str) -> Duration {
    let mut stream = connect(address);
    let mut bytes = [0; 4096];
    let times = (0..5_000).map(|_| {
        let began = Instant::now();
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            .unwrap();
        // nginx sends such an answer in one piece.
        assert!(stream.read(&mut bytes).unwrap() > 35);
        began.elapsed()
    });
    median(times.collect())
}

fn cost() {
    let nginx = nginx();
    let proxy = Proxy::before(&nginx.address);
    let (mut shares, mut rates, mut added, mut costs) = (vec![], vec![], vec![], vec![]);
    for _ in 0..5 {
        let (direct, before) = (throughput(&nginx.address), proxy.cpu());
        let through = throughput(&proxy.address);
        costs.push((proxy.cpu() - before) / (through * SECONDS));
        shares.push(through / direct);
        rates.push((direct, through));
        let (direct, through) = (request_time(&nginx.address), request_time(&proxy.address));
        added.push(through.saturating_sub(direct));
    }
    shares.sort_by(f64::total_cmp);
    costs.sort_by(f64::total_cmp);
    println!("50 connections, nginx and wrk on one core, the proxy on the other; median of 5:");
    println!("  requests/s, direct and through the proxy: {rates:.0?}");
    println!(
        "  share of the direct way   {:.2}  (goal: at least 0.70)",
        shares[2]
    );
    println!(
        "  its processor time        {:.1} µs a request, so {:.0} requests/s with a core to itself",
        costs[2] * 1e6,
        1.0 / costs[2]
    );
    println!(
        "  added to a request's p50  {:?}  (goal: under 60 µs)",
        median(added)
    );
}

fn idle() {
    const CONNECTIONS: usize = 9_900;
    let nginx = nginx();
    let proxy = Proxy::before(&nginx.address);
    let empty = proxy.resident();
    let streams: Vec<TcpStream> = (0..CONNECTIONS)
        .map(|_| {
            let mut stream = connect(&proxy.address);
            stream
                .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
                .unwrap();
            assert!(stream.read(&mut [0; 4096]).unwrap() > 35);
            stream
        })
        .collect();
    let full = proxy.resident();
    println!("{CONNECTIONS} idle connections, each used once: {full:.1} MB, {empty:.1} MB without");
    let each = (full - empty) / CONNECTIONS as f64;
    println!(
        "  {:.2} KB a connection, {:.1} MB at 10,000  (goal: under 100 MB)",
        each * 1e3,
        empty + each * 1e4
    );
    drop(streams);
}

fn switch() {
    let stage = Stage::new(&wide_echo(), &[TOXIC, "{ bandwidth = \"1GB/s\" }"]);
    let mut streams: Vec<TcpStream> = (0..1_000).map(|_| connect(&stage.address)).collect();
    for stream in &mut streams {
        round_trip(stream);
        stream.set_nonblocking(true).unwrap();
    }
    let (over, heard) = std::sync::mpsc::channel::<()>();
    let busy = std::thread::spawn(move || {
        let (chunk, mut bytes) = ([7; 4096], [0; 16384]);
        while heard.try_recv().is_err() {
            for stream in &mut streams {
                // What is full or empty now is not a moment later.
                let _ = stream.write(&chunk);
                let _ = stream.read(&mut bytes);
            }
        }
    });
    let (mut inject, mut revert) = (vec![], vec![]);
    for round in 0..40 {
        inject.push(stage.inject(round % 2));
        std::thread::sleep(Duration::from_millis(50));
        revert.push(stage.revert(round % 2));
        std::thread::sleep(Duration::from_millis(50));
    }
    over.send(()).unwrap();
    busy.join().unwrap();
    println!("1,000 busy connections, a fault switched 40 times (goal: under 50 ms each):");
    for (name, times) in [("inject", inject), ("revert", revert)] {
        let most = times.iter().max().copied().unwrap_or_default();
        println!("  {name}  p50 {:?}, max {most:?}", median(times));
    }
}

/// How long it takes until everything from `upstream` is there.
fn whole(upstream: &str, toxics: &str) -> Duration {
    let stage = Stage::new(upstream, &[toxics]);
    stage.inject(0);
    let began = Instant::now();
    stage.connect().read_to_end(&mut Vec::new()).unwrap();
    began.elapsed()
}

fn times() {
    let stage = Stage::new(&echo(), &[TOXIC]);
    stage.inject(0);
    let mut stream = stage.connect();
    let trips: Vec<Duration> = (0..50).map(|_| round_trip(&mut stream)).collect();
    let most = trips.iter().max().copied().unwrap_or_default();
    println!(
        "latency 100 ms: p50 {:?}, max {most:?}  (goal: 100 to 102 ms, under 110 ms)",
        median(trips)
    );
    let chunks = server(|mut stream| {
        let began = Instant::now();
        for n in 0..20 {
            let due = Duration::from_millis(20 * n);
            std::thread::sleep(due.saturating_sub(began.elapsed()));
            stream.write_all(b"chunk").unwrap();
        }
    });
    let late = whole(&chunks, "{ latency = \"200ms\" }");
    println!("20 chunks at 20 ms, 200 ms late: the last at {late:?}  (goal: 574 to 586 ms)");
    let slow = whole(&source(200_000), "{ bandwidth = \"100KB/s\" }");
    println!("200,000 B at 100 KB/s: {slow:?}  (goal: 1.98 to 2.02 s)");
    let both = whole(
        &source(50_000),
        "{ latency = \"100ms\" }, { bandwidth = \"100KB/s\" }",
    );
    println!("50,000 B at 100 KB/s, 100 ms late: {both:?}  (goal: 590 to 610 ms)");
}
