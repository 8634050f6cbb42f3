//! What the console costs and how soon it answers: `cargo bench --bench console [-- NAME…]`.
//!
//! ```sh
//! cargo bench --bench console -- bytes     # bytes a second to the terminal, live and with nothing changing
//! cargo bench --bench console -- cpu       # CPU on a busy window, memory over the replay of a day
//! cargo bench --bench console -- keys      # from a key to its frame, with 10,000 requests a second beside it
//! cargo bench --bench console -- replay    # from the start of a replay to its first frame, and seeks
//! cargo bench --bench console -- stalled   # what a terminal that is not read does to the load: nothing
//! ```
//!
//! Every figure is taken from outside: the console is the real program in a pseudo terminal of 120 by 36 with 256
//! colours, and what counts is what can be read from there. In brackets: what a figure should be under.
//! `STORMDECK_BENCH_SECONDS` is how long one looks on (60), `STORMDECK_BENCH_HOURS` the length of the
//! recording (24), `STORMDECK_BENCH_SESSION` a file to keep it in, `ROUNDS` the number of comparisons (3). What else
//! runs on the machine disturbs all but the bytes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::unused_self,
    reason = "a benchmark that cannot go on says where by panicking"
)]

#[path = "console/screen.rs"]
mod screen;
#[path = "../session/sim.rs"]
#[allow(dead_code)]
mod sim;
#[path = "console/simulated.rs"]
mod simulated;
#[path = "../support/mod.rs"]
mod support;
#[path = "console/window.rs"]
mod window;

use std::cell::OnceCell;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use screen::{Frame, Screen};
use sim::Sim;
use simulated::{Busy, Day};
use window::{Window, heavy, home_of, moderate, nginx};

fn main() {
    // Cargo runs benches without this argument in `cargo test`; there is nothing to test here.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let chosen: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let wanted = |name: &str| chosen.is_empty() || chosen.iter().any(|argument| argument == name);
    let day = OnceCell::new();
    if wanted("bytes") {
        bytes();
    }
    if wanted("cpu") {
        cpu();
        memory(day.get_or_init(Day::record));
    }
    if wanted("keys") {
        keys();
    }
    if wanted("replay") {
        replay(day.get_or_init(Day::record));
    }
    if wanted("stalled") {
        stalled();
    }
}

/// A number from the environment.
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// How long to look on.
fn span(default: u64) -> Duration {
    Duration::from_secs(setting("STORMDECK_BENCH_SECONDS", default))
}

/// The value below which this share of them lies.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = (values.len() as f64 * share) as usize;
    let last = values.len().saturating_sub(1);
    values.get(place.min(last)).copied().unwrap_or(f64::NAN)
}

fn ms(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64() * 1e3
}

fn bytes() {
    let span = span(60);
    let window = Window::start(&moderate(span.as_secs() + 20));
    let mut screen = Screen::start(window.home.path(), &["attach", window.name()]);
    let first = screen.until("a running window", |text| text.contains("REC"));
    screen.look_on(Duration::from_secs(4));
    println!("bytes: a window with a moderate load, its overview, no keys, {span:?}");
    println!("  first frame     {:8} bytes", first.bytes);
    told(&screen.look_on(span), span, "[6000]");
    writes(&mut screen);
    drop(screen);
    drop(window);

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("short.jsonl.zst");
    simulated::record(&path, 600);
    let mut screen = Screen::start(dir.path(), &["replay", path.to_str().unwrap()]);
    screen.shows("REPLAY paused");
    screen.look_on(Duration::from_secs(2));
    let span = span.min(Duration::from_secs(15));
    let sum: usize = screen.look_on(span).iter().map(|frame| frame.bytes).sum();
    println!(
        "  with nothing changing {:.1} bytes/s over {span:?}  [100]",
        sum as f64 / span.as_secs_f64()
    );
}

/// Prints what these frames come to.
fn told(frames: &[Frame], span: Duration, goal: &str) {
    let mut sizes: Vec<f64> = frames.iter().map(|frame| frame.bytes as f64).collect();
    println!(
        "  to the terminal {:8.0} bytes/s  {goal}; {:.2} frames/s of {:.0} bytes in the median, {:.0} at most",
        sizes.iter().sum::<f64>() / span.as_secs_f64(),
        frames.len() as f64 / span.as_secs_f64(),
        quantile(&mut sizes, 0.5),
        quantile(&mut sizes, 1.0),
    );
}

/// How many writes a frame takes, where the system can be asked: a pseudo terminal does not keep them apart.
fn writes(screen: &mut Screen) {
    const FOR: Duration = Duration::from_secs(10);
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("writes");
    let id = screen.id().to_string();
    let traced = Command::new("timeout")
        .args(["--signal=INT", &FOR.as_secs().to_string(), "strace", "-f"])
        .args(["-e", "trace=write,writev", "-s", "16", "-p", &id, "-o"])
        .arg(&log)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    screen.look_on(FOR + Duration::from_secs(1));
    if let Ok(mut traced) = traced {
        let _ = traced.wait();
    }
    let calls = std::fs::read_to_string(&log).unwrap_or_default();
    // `123 write(5, "\33[?2026h"..., 4321) = 4321`
    let begins: Vec<&str> = calls
        .lines()
        .filter(|call| call.contains("\"\\33[?2026h"))
        .collect();
    let Some(to) = begins
        .first()
        .and_then(|call| call.split(['(', ',']).nth(1))
    else {
        println!("  writes a frame  not measured: strace cannot look on here");
        return;
    };
    let all = calls
        .lines()
        .filter(|call| call.contains(&format!("({to},")))
        .count();
    println!(
        "  writes a frame  {:8.2}  [1]; {all} writes for {} frames, counted by strace",
        all as f64 / begins.len() as f64,
        begins.len()
    );
}

fn cpu() {
    let span = span(60);
    let dir = tempfile::tempdir().unwrap();
    let busy = Busy::begin(dir.path());
    let path = busy.path.to_str().unwrap();
    let mut screen = Screen::start(dir.path(), &["attach", "--read-only", path]);
    screen.until("a running window", |text| text.contains("REC"));
    screen.look_on(Duration::from_secs(3));
    println!(
        "cpu: a busy window: 20 steps, 10,000 requests/s, 50 gauges, 300 series, 5 faults; {span:?}"
    );
    let views = [("overview", "1"), ("latency", "2"), ("resources", "3")];
    for (number, (view, key)) in views.into_iter().enumerate() {
        let span = if number == 0 { span } else { span / 4 };
        screen.send(key);
        screen.look_on(Duration::from_secs(2));
        let (before, began) = (screen.cpu(), Instant::now());
        let frames = screen.look_on(span);
        let used = screen.cpu().saturating_sub(before).as_secs_f64();
        let goal = if number == 0 { "  [2 %]" } else { "" };
        println!(
            "  {view:<15} {:8.2} % of a core{goal}",
            100.0 * used / began.elapsed().as_secs_f64()
        );
        told(&frames, span, "");
    }
    println!("  memory          {:8.1} MB", screen.memory().0);
}

/// The position on the screen of a replay, s: what stands before ` / ` and the length.
fn position(text: &str, length: &str) -> Option<u64> {
    let (before, _) = text.split_once(&format!(" / {length}"))?;
    let clock = before.rsplit(' ').next()?;
    clock
        .split(':')
        .try_fold(0, |sum, part| Some(sum * 60 + part.parse::<u64>().ok()?))
}

fn clock(seconds: u64) -> String {
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}", seconds % 60)
}

fn open(day: &Day) -> Screen {
    Screen::start(home_of(&day.path), &["replay", day.path.to_str().unwrap()])
}

/// Where the scrubber has the position: it knows the length only when it has seen the whole recording.
fn on_scrubber(text: &str, day: &Day) -> Option<u64> {
    let length = clock(day.ticks);
    let line = text.lines().rev().find(|line| line.contains(&length))?;
    position(line, &length)
}

fn memory(day: &Day) {
    let mut screen = open(day);
    screen.until("the recording", |text| on_scrubber(text, day).is_some());
    screen.look_on(Duration::from_secs(1));
    println!("memory: {} ticks replayed at full speed", day.ticks);
    println!("  opened          {:8.1} MB", screen.memory().0);
    let began = screen.send("*");
    for (words, share) in [("half", 0.5), ("all", 1.0)] {
        let ticks = (day.ticks as f64 * share) as u64;
        let frame = screen.until("more of the recording", |text| {
            on_scrubber(text, day).is_some_and(|at| at >= ticks)
        });
        let (now, most) = screen.memory();
        println!(
            "  after {words:<9} {now:8.1} MB, {most:.1} at most until then  [60]; {:.0} ticks/s",
            ticks as f64 / (frame.last - began).as_secs_f64()
        );
    }
}

fn keys() {
    const KEYS: usize = 200;
    const VIEWS: [&str; 6] = [
        "scenarios",
        "latency",
        "resources",
        "faults",
        "gates",
        "events",
    ];
    let nginx = nginx();
    let window = Window::start(&heavy(&nginx, 180));
    let mut screen = Screen::start(window.home.path(), &["attach", window.name()]);
    screen.until("a running window", |text| text.contains("REC"));
    screen.look_on(Duration::from_secs(5));
    let mut sim = Sim::new(1, 0, 0, 7);
    let (mut first, mut whole) = (Vec::new(), Vec::new());
    for number in 1..=KEYS {
        screen.look_on(Duration::from_millis(50 + sim.random() % 400));
        let view = VIEWS[number % VIEWS.len()];
        let sent = screen.send("\t");
        let frame = screen.until(view, |text| {
            let title = text.lines().nth(1).unwrap_or_default();
            title.trim_start_matches(['┌', ' ']).starts_with(view)
        });
        first.push(ms(sent, frame.first));
        whole.push(ms(sent, frame.last));
    }
    println!("keys: {KEYS} times Tab, with 10,000 requests/s and their server on the same cores");
    for (name, times, goal) in [
        ("first byte", &mut first, ""),
        ("whole frame", &mut whole, "  [30]"),
    ] {
        println!(
            "  {name:<15} p50 {:.1} ms, p99 {:.1} ms{goal}, max {:.1} ms",
            quantile(times, 0.5),
            quantile(times, 0.99),
            quantile(times, 1.0)
        );
    }
}

fn replay(day: &Day) {
    const STARTS: usize = 9;
    const SEEKS: u64 = 40;
    let (mut any, mut first, mut all) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let mut screen = open(day);
        let begun = screen.begun;
        any.push(ms(begun, screen.until("anything", |_| true).last));
        // The window's name is known with the first moment.
        let shown = |text: &str| text.contains("checkout 4.2");
        let frame = if shown(&screen.contents()) {
            None
        } else {
            Some(screen.until("the recording", shown))
        };
        first.push(frame.map_or_else(|| any[any.len() - 1], |frame| ms(begun, frame.last)));
        let whole = |text: &str| on_scrubber(text, day).is_some();
        let frame = (!whole(&screen.contents())).then(|| screen.until("its overview", whole));
        all.push(frame.map_or_else(|| first[first.len() - 1], |frame| ms(begun, frame.last)));
    }
    println!("replay: a recording of {} ticks, from outside", day.ticks);
    for (name, times, goal) in [
        ("any frame", &mut any, ""),
        ("first moment", &mut first, ""),
        ("and overview", &mut all, "  [300]"),
    ] {
        println!(
            "  {name:<15} {:8.1} ms in the median of {STARTS}, {:.1} at most{goal}",
            quantile(times, 0.5),
            quantile(times, 1.0)
        );
    }
    let mut screen = open(day);
    screen.until("its overview", |text| on_scrubber(text, day).is_some());
    screen.look_on(Duration::from_secs(1));
    // Of its time, this is what a machine with nothing else to do would take.
    println!(
        "  CPU until then  {:8.0} ms",
        screen.cpu().as_secs_f64() * 1e3
    );
    let before = screen.cpu();
    let mut sim = Sim::new(1, 0, 0, 7);
    let mut times = Vec::new();
    for number in 0..SEEKS {
        // The first is the one in the middle.
        let share = if number == 0 {
            50
        } else {
            1 + sim.random() % 99
        };
        let tick = 1 + ((day.ticks - 1) as f64 * share as f64 / 100.0).round() as u64;
        if on_scrubber(&screen.contents(), day) == Some(tick) {
            continue;
        }
        screen.send(&format!("@{share}%"));
        screen.settle(Duration::from_millis(100));
        let sent = screen.send("\r");
        let frame = screen.until("that moment", |text| on_scrubber(text, day) == Some(tick));
        times.push(ms(sent, frame.last));
    }
    println!(
        "  seek by keys    {:8.1} ms in the median of {}, {:.1} at most  [100]",
        quantile(&mut times, 0.5),
        times.len(),
        quantile(&mut times, 1.0)
    );
    let used = screen.cpu().saturating_sub(before).as_secs_f64();
    println!(
        "  CPU a seek      {:8.0} ms, typing included",
        used * 1e3 / times.len() as f64
    );
}

fn stalled() {
    const AROUND: u64 = 6;
    let (rounds, span) = (setting("ROUNDS", 3), span(60));
    let nginx = nginx();
    let seconds = span.as_secs() + 2 * AROUND;
    let profile = heavy(&nginx, seconds);
    let patience = Duration::from_secs(seconds + 60);
    println!(
        "stalled: 10,000 requests/s for {seconds} s, a terminal that is not read for {span:?} of it"
    );
    let mut ratios = Vec::new();
    for _ in 0..rounds {
        let without = Window::start(&profile).ends(patience, 1e4, seconds);
        let window = Window::start(&profile);
        let mut screen = Screen::start(window.home.path(), &["attach", window.name()]);
        screen.until("a running window", |text| text.contains("REC"));
        screen.look_on(Duration::from_secs(AROUND / 3));
        let before = (screen.cpu(), screen.memory().0);
        screen.read(false);
        let until = Instant::now() + span;
        while Instant::now() < until {
            // What a person does who wonders.
            screen.send("\t");
            std::thread::sleep(Duration::from_millis(500));
        }
        let after = (screen.cpu(), screen.memory().0);
        let begun = Instant::now();
        screen.read(true);
        screen.send("1");
        let seen = screen.until("the present", |text| {
            let now = elapsed(text).unwrap_or(0);
            now + 2 >= span.as_secs() + AROUND / 3
        });
        drop(screen);
        let with = window.ends(patience, 1e4, seconds);
        ratios.push(with.late_p99 / without.late_p99);
        println!(
            "  no console      achieved {:.4}, send-time error p99 {:.3} ms, max {:.1} ms",
            without.achieved, without.late_p99, without.late_max
        );
        println!(
            "  not read        achieved {:.4}, send-time error p99 {:.3} ms, max {:.1} ms; console {:.2} % of a core, {:+.1} MB; {:.0} ms from reading on to the present",
            with.achieved,
            with.late_p99,
            with.late_max,
            100.0 * after.0.saturating_sub(before.0).as_secs_f64() / span.as_secs_f64(),
            after.1 - before.1,
            ms(begun, seen.last)
        );
    }
    println!(
        "  p99 with such a console over without: {:.2} in the median",
        quantile(&mut ratios, 0.5)
    );
}

/// How long the window has run by the header, s.
fn elapsed(text: &str) -> Option<u64> {
    let (_, after) = text.lines().next()?.split_once("REC ")?;
    after
        .split(' ')
        .next()?
        .split(':')
        .try_fold(0, |sum, part| Some(sum * 60 + part.parse::<u64>().ok()?))
}
