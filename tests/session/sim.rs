//! A window that never ran: the same records for the same seed, on every machine.

use stormdeck::session::Record;
use stormdeck::session::hist::Hist;
use stormdeck::session::record::{
    End, EndReason, ErrorKind, Event, Exemplar, GeneratorTick, Happening, Instance, Names, Number,
    PhasePlan, Sample, ScenarioPlan, ScenarioState, ScenarioTick, ScrapeTick, StepName, StepTick,
    Tick, Window,
};

/// Start of every simulated window, µs since the Unix epoch: 2026-01-02 03:04:05 UTC.
pub const START: u64 = 1_767_323_045_000_000;

/// Makes records.
pub struct Sim {
    state: u64,
    steps: usize,
    series: Vec<f64>,
    requests: u64,
    two_times: bool,
    scraped: bool,
}

impl Sim {
    /// A window with this many steps and series, and about `requests` requests a tick and step.
    pub fn new(steps: usize, series: usize, requests: u64, seed: u64) -> Self {
        let series = (0..series).map(|index| index as f64 * 1e3).collect();
        Self {
            state: seed,
            steps,
            series,
            requests,
            two_times: true,
            scraped: true,
        }
    }

    /// Without service times of their own: every request was sent when it was due.
    pub fn on_time(mut self) -> Self {
        self.two_times = false;
        self
    }

    /// As before anything was scraped: all series are gauges'.
    #[allow(dead_code, reason = "only the golden file is that old")]
    pub fn before_scrapes(mut self) -> Self {
        self.scraped = false;
        self
    }

    /// Of the series every other one is scraped, the others are gauges'.
    fn is_scraped(&self, series: usize) -> bool {
        self.scraped && series % 2 == 1
    }

    /// splitmix64.
    pub fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn unit(&mut self) -> f64 {
        (self.random() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn names(&self) -> Names {
        let step = |index: usize| StepName {
            scenario: 0,
            journey: format!("journey {}", index / 2),
            step: format!("step {index}"),
        };
        Names {
            scenarios: vec!["shoppers".into()],
            steps: (0..self.steps).map(step).collect(),
            phases: vec!["steady".into(), "spike".into()],
            series: (0..self.series.len())
                .map(|index| format!("shop_metric_{index}{{instance=\"a\"}}"))
                .collect(),
            scraped: (0..self.series.len())
                .take(if self.scraped { usize::MAX } else { 0 })
                .map(|index| self.is_scraped(index).then_some(0))
                .collect(),
            instances: Vec::from_iter(self.scraped.then(|| Instance {
                target: "shop".into(),
                instance: "a".into(),
            })),
        }
    }

    pub fn window(&self) -> Record {
        let phase = |name: &str, load| PhasePlan {
            name: name.into(),
            length_us: 60_000_000,
            load,
            ..PhasePlan::default()
        };
        Record::Window(Box::new(Window {
            name: "checkout 4.2".into(),
            about: "a simulated window".into(),
            seed: 42,
            wall: START,
            tick_us: 1_000_000,
            time_scale: 1.0,
            by: "ops@bastion".into(),
            stormdeck: "0.1.0".into(),
            workers: 2,
            profile: "checkout.toml".into(),
            source: "[window]\nname = \"checkout 4.2\"\n".into(),
            phases: vec![phase("steady", 1.0), phase("spike", 10.0)],
            scenarios: vec![ScenarioPlan {
                name: "shoppers".into(),
                target: "http://127.0.0.1:8080".into(),
                amount: 200.0,
                ..ScenarioPlan::default()
            }],
            ..Window::default()
        }))
    }

    pub fn tick(&mut self, n: u64) -> Record {
        let at = n * 1_000_000;
        let steps = (0..self.steps).map(|step| self.step(step)).collect();
        let mut series = Vec::new();
        for index in 0..self.series.len() {
            if self.random().is_multiple_of(4) {
                let value = self.series[index] + (self.unit() * 100.0).round() / 4.0;
                self.series[index] = value;
                let value = if self.random().is_multiple_of(500) {
                    f64::NAN
                } else {
                    value
                };
                let gone = self.random().is_multiple_of(500);
                series.push((index, (!gone).then_some(Number(value))));
            }
        }
        let (changed, series) = series
            .into_iter()
            .partition(|&(index, _)| self.is_scraped(index));
        let scrapes = Vec::from_iter(self.scraped.then(|| ScrapeTick {
            of: 0,
            at: at - 400_000,
            series: changed,
            stamped: Vec::new(),
        }));
        let done = self.requests * self.steps as u64;
        Record::Tick(Box::new(Tick {
            n,
            at,
            wall: START + at + self.random() % 1000,
            phase: Some(usize::from(n > 60)),
            load: 1.0,
            scenarios: vec![ScenarioTick {
                state: ScenarioState::Running,
                asked: done as f64,
                due: done,
                begun: done,
                finished: done,
                in_flight: self.random() % 50,
                connections: 50,
                ..ScenarioTick::default()
            }],
            steps,
            generator: GeneratorTick {
                late: self.hist(100, 40.0),
                lag_us: self.random() % 900,
                recorder_cpu: 0.001,
                cpu: (self.unit() * 100.0).round() / 100.0,
                worker_cpu: (self.unit() * 100.0).round() / 100.0,
                rss: 40_000_000 + self.random() % 100_000,
                files: 80,
                files_max: 20_000,
                due: done,
                begun: done,
                bottleneck: Vec::new(),
            },
            slow: vec![Exemplar {
                step: 0,
                at: at - 500_000,
                status: Some(200),
                response: 80_000 + self.random() % 10_000,
                split: [10, 0, 0, 70_000, 10_000],
                ..Exemplar::default()
            }],
            series,
            scrapes,
            gauged: self.scraped.then_some(at),
        }))
    }

    fn step(&mut self, step: usize) -> StepTick {
        let requests = self.requests * 3 / 4 + self.random() % (self.requests / 2 + 1);
        let failed = if self.random().is_multiple_of(20) {
            1 + self.random() % 3
        } else {
            0
        };
        let response = self.hist(requests, 5_000.0 * (step + 1) as f64);
        let service = (self.two_times && step.is_multiple_of(2))
            .then(|| self.hist(requests, 4_000.0 * (step + 1) as f64));
        let q = [0.5, 0.9, 0.99].map(|q| response.quantile(q));
        StepTick {
            step,
            requests,
            errors: (failed > 0)
                .then_some((ErrorKind::Status5xx, failed))
                .into_iter()
                .collect(),
            status: [(200, requests - failed.min(requests)), (503, failed)]
                .into_iter()
                .filter(|&(_, count)| count > 0)
                .collect(),
            bytes_in: requests * 900,
            bytes_out: requests * 120,
            q: [q[0], q[1], q[2], response.max()],
            response,
            service,
        }
    }

    /// Exponential times with this mean over a fixed part.
    fn hist(&mut self, count: u64, mean: f64) -> Hist {
        let mut hist = Hist::new();
        for _ in 0..count {
            let value = mean / 4.0 - (1.0 - self.unit()).ln() * mean;
            hist.record(value as u64);
        }
        hist
    }

    pub fn event(&mut self, n: u64) -> Record {
        let at = n * 1_000_000 + 10;
        let what = match n % 4 {
            0 => Happening::Phase {
                phase: (n as usize / 4) % 2,
            },
            1 => Happening::Mark {
                text: format!("note {n}: größer"),
            },
            2 => Happening::Hold { on: n % 8 == 2 },
            _ => Happening::Warning {
                text: "the disk is slow".into(),
            },
        };
        let by = (n % 4 == 1).then(|| "ops@bastion".to_owned());
        Record::Event(Event {
            at,
            wall: START + at,
            by,
            what,
        })
    }

    pub fn sample(&mut self, n: u64) -> Record {
        Record::Sample(Sample {
            at: n * 1_000_000 + 20,
            step: n as usize % self.steps,
            kind: ErrorKind::Status5xx,
            status: Some(503),
            detail: "the status is 503".into(),
            body: "overloaded\n".into(),
        })
    }

    /// The window, `ticks` ticks, an event every 7 and a sample every 50 of them.
    pub fn records(&mut self, ticks: u64) -> Vec<Record> {
        let mut records = vec![self.window()];
        for n in 1..=ticks {
            records.push(self.tick(n));
            if n.is_multiple_of(7) {
                records.push(self.event(n));
            }
            if n.is_multiple_of(50) {
                records.push(self.sample(n));
            }
        }
        records
    }
}

/// The end of a window of this many ticks.
pub fn end(ticks: u64) -> End {
    let at = ticks * 1_000_000;
    End {
        at,
        wall: START + at,
        reason: EndReason::Finished,
        lost: 0,
    }
}
