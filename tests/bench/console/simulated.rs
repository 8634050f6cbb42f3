//! Sessions that never ran: a recording of a day, and a busy window that is written while one looks on.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use stormdeck::session::Writer;
use stormdeck::session::dir::EXTENSION;
use stormdeck::session::record::{
    Event, FaultPlan, FaultState, GatePlan, GaugePlan, Happening, Names, Record,
};

use crate::setting;
use crate::sim::{START, Sim, end};

const STEPS: usize = 20;
const GAUGES: usize = 50;
const FAULTS: usize = 5;

/// Ticks that a busy window has behind it when one begins to look on: more than its charts show.
const BEFORE: u64 = 900;

/// A window of so many ticks as in `replay.rs`: 8 steps at 60/s, 12 histograms, 300 series.
pub fn record(path: &Path, ticks: u64) {
    let mut sim = Sim::new(8, 300, 60, 1);
    let mut writer = Writer::create(path, sim.names()).unwrap();
    writer.append(&sim.window()).unwrap();
    for n in 1..=ticks {
        writer.append(&sim.tick(n)).unwrap();
        if n.is_multiple_of(177) {
            writer.append(&sim.event(n)).unwrap();
        }
    }
    writer.finish(end(ticks)).unwrap();
}

/// A day, recorded once for all who want it. `STORMDECK_BENCH_HOURS` makes it another length; a file that
/// `STORMDECK_BENCH_SESSION` names is taken, or made, instead of a temporary one.
pub struct Day {
    pub path: PathBuf,
    pub ticks: u64,
    _dir: tempfile::TempDir,
}

impl Day {
    pub fn record() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = std::env::var_os("STORMDECK_BENCH_SESSION")
            .map_or_else(|| dir.path().join("day.jsonl.zst"), PathBuf::from);
        let ticks = setting("STORMDECK_BENCH_HOURS", 24) * 3600;
        if !path.exists() {
            eprintln!("recording {ticks} simulated ticks");
            record(&path, ticks);
        }
        Self {
            path,
            ticks,
            _dir: dir,
        }
    }
}

/// A busy window, written by a thread of this process a tick a second.
pub struct Busy {
    pub path: PathBuf,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Busy {
    /// 20 steps with 10,000 requests a second in all, 50 gauges, 300 series, 6 gates, 5 faults that come and go.
    pub fn begin(dir: &Path) -> Self {
        let path = dir.join(format!("busy{EXTENSION}"));
        let mut sim = Sim::new(STEPS, 300, 10_000 / STEPS as u64, 1);
        let mut writer = Writer::create(&path, names(&sim)).unwrap();
        writer.append(&window(&sim)).unwrap();
        for n in 1..=BEFORE {
            tick(&mut writer, &mut sim, n);
        }
        let over = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            let mut next = Instant::now();
            for n in BEFORE + 1.. {
                if theirs.load(Ordering::SeqCst) {
                    break;
                }
                tick(&mut writer, &mut sim, n);
                next += Duration::from_secs(1);
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        });
        Self {
            path,
            over,
            thread: Some(thread),
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn names(sim: &Sim) -> Names {
    let mut names = sim.names();
    for (index, name) in names.series.iter_mut().take(GAUGES).enumerate() {
        *name = format!("gauge {index}");
    }
    names
}

fn window(sim: &Sim) -> Record {
    let Record::Window(mut window) = sim.window() else {
        unreachable!("it makes a window")
    };
    for phase in &mut window.phases {
        phase.length_us = 3_600_000_000;
    }
    window.gauges = (0..GAUGES)
        .map(|index| GaugePlan {
            name: format!("gauge {index}"),
            unit: "bytes".into(),
            warn: index.is_multiple_of(5).then(|| "> 20KB".into()),
            ..GaugePlan::default()
        })
        .collect();
    window.gates = (0..6)
        .map(|index| GatePlan {
            name: format!("gate {index}"),
            of: format!("step {index}"),
            expect: format!("p99 < {}ms", 20 * (index + 1)),
            severity: "blocker".into(),
            over_us: 10_000_000,
            ..GatePlan::default()
        })
        .collect();
    window.faults = (0..FAULTS)
        .map(|index| FaultPlan {
            name: format!("fault {index}"),
            key: char::from_digit(index as u32, 10),
            kind: "command".into(),
            max_us: 120_000_000,
            recover_within_us: Some(30_000_000),
            ..FaultPlan::default()
        })
        .collect();
    Record::Window(window)
}

fn tick(writer: &mut Writer, sim: &mut Sim, n: u64) {
    const WAY: [FaultState; 6] = [
        FaultState::Injecting,
        FaultState::Active,
        FaultState::Reverting,
        FaultState::Recovering,
        FaultState::Recovered,
        FaultState::Armed,
    ];
    writer.append(&sim.tick(n)).unwrap();
    if n.is_multiple_of(7) {
        let turn = (n / 7) as usize;
        let at = n * 1_000_000 + 10;
        let event = Event {
            at,
            wall: START + at,
            by: Some("ops@bastion".into()),
            what: Happening::Fault {
                fault: turn / WAY.len() % FAULTS,
                state: WAY[turn % WAY.len()],
                text: String::new(),
                forced: false,
                in_place: false,
                proven: false,
                until: None,
            },
        };
        writer.append(&Record::Event(event)).unwrap();
    }
}
