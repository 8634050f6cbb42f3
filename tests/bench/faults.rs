//! How fast faults go in and out, and how fast they are gone when the engine is killed: `cargo bench --bench faults`.
//!
//! In brackets: what it should be under.

#![allow(clippy::expect_used, clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;
#[path = "../control/window.rs"]
#[allow(dead_code)]
mod window;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serde_json::json;
use window::{Place, Window};

/// Rounds of each measurement.
const ROUNDS: usize = 50;

fn main() {
    // Cargo runs benches without this argument in `cargo test`; there is nothing to test here.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    keypress();
    kills();
}

/// What is broken stands beside the load, at this rate.
fn profile(faults: &str) -> String {
    format!(
        "[window]\nname = \"bench\"\nduration = \"10m\"\ndrain = \"1s\"\nmax_faults = 9\n\
         [[scenario]]\nname = \"s\"\ntarget = \"embedded://shop?servers=0&service=fixed:1ms\"\n\
         rate = \"500/s\"\nget = \"/\"\n{faults}"
    )
}

/// From the line on the control socket, which is what a key becomes, to a connection that feels the fault, and to one that
/// does not any more.
fn keypress() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let upstream = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || echo(stream));
        }
    });
    let listen = SocketAddr::from(([127, 0, 0, 1], support::free_port()));
    let faults = format!(
        "[[fault]]\nname = \"gone\"\nproxy = {{ listen = \"{listen}\", upstream = \"{upstream}\" }}\n\
         toxics = [{{ down = \"reset\" }}]\n"
    );
    let window = Window::start_in(Place::of(|_| profile(&faults)));
    let mut line = window.connect();
    let (mut on, mut off) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for (to, spans) in [("on", &mut on), ("off", &mut off)] {
            let began = Instant::now();
            let answer = line.ask(json!({"do": "fault", "fault": "gone", "to": to, "force": true}));
            assert_eq!(answer["ok"], true, "{answer}");
            while answers(listen) == (to == "on") {}
            spans.push(began.elapsed());
        }
    }
    println!(
        "proxy, 500 requests/s beside it: from order to effect {}, from order to gone {}  [50 ms]",
        spans(&mut on),
        spans(&mut off)
    );
    window.stop();
}

fn echo(mut stream: TcpStream) {
    let mut buffer = [0; 64];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..length]).is_err() {
            return;
        }
    }
}

/// Whether a new connection is served.
fn answers(address: SocketAddr) -> bool {
    let served = || {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"x")?;
        stream.read_exact(&mut [0])
    };
    served().is_ok()
}

/// From `kill -9` of the engine, with a command's fault and a paused process outstanding, until both are gone.
fn kills() {
    let mut took: Vec<Duration> = (0..ROUNDS).map(|_| kill()).collect();
    println!(
        "kill -9 of the engine, {ROUNDS} times: faults gone after {}  [3 s at most]",
        spans(&mut took)
    );
}

fn kill() -> Duration {
    let mut sleeper = std::process::Command::new("sleep")
        .arg("600")
        .spawn()
        .expect("a process to pause");
    let place = Place::of(|dir| {
        let pid = dir.join("sleeper.pid");
        fs::write(&pid, sleeper.id().to_string()).expect("room on the disk");
        let (dir, pid) = (dir.display(), pid.display());
        profile(&format!(
            "[[fault]]\nname = \"file\"\ninject = [\"touch\", \"{dir}/broken\"]\nrevert = [\"rm\", \"-f\", \"{dir}/broken\"]\n\
             [[fault]]\nname = \"pause\"\nprocess = {{ pid_file = \"{pid}\", pause = true }}\n"
        ))
    });
    let window = Window::start_in(place);
    window.ctl("fault file on");
    window.ctl("fault pause on");
    let file = window.place.path().join("broken");
    let stands = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", sleeper.id())).unwrap_or_default();
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('T'))
    };
    support::wait_for("both faults", || (file.exists() && stands()).then_some(()));
    window.signal("-KILL");
    let began = Instant::now();
    support::wait_for("both to be gone", || {
        (!file.exists() && !stands()).then_some(())
    });
    let took = began.elapsed();
    sleeper.kill().expect("it is ours");
    sleeper.wait().expect("it ended");
    took
}

fn spans(spans: &mut [Duration]) -> String {
    spans.sort_unstable();
    let at = |share: f64| spans[((spans.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    format!("p50 {:.1} ms, max {:.1} ms", at(0.5), at(1.0))
}
