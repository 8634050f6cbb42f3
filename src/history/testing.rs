//! Records for tests: a shop with two scenarios, five steps, and ticks of one second.

use std::collections::BTreeMap;

use super::History;
use crate::session::hist::Hist;
use crate::session::record::{
    Bottleneck, End, EndReason, ErrorKind, Event, Exemplar, FaultState, Gap, GatePlan,
    GeneratorTick, Happening, Key, ModelName, Names, PhasePlan, Record, ScenarioPlan,
    ScenarioState, ScenarioTick, StepName, StepTick, Tick, Window,
};

pub(crate) const SECOND: u64 = 1_000_000;

/// Index of `buy/pay`.
pub(crate) const PAY: usize = 3;

/// That a fault came into a state, and nothing more.
pub(crate) fn fault_event(fault: usize, state: FaultState) -> Happening {
    changed(fault, state, false)
}

/// That a fault came into a state, which was read back.
pub(crate) fn proven_event(fault: usize, state: FaultState) -> Happening {
    changed(fault, state, true)
}

fn changed(fault: usize, state: FaultState, proven: bool) -> Happening {
    Happening::Fault {
        fault,
        state,
        text: String::new(),
        forced: false,
        in_place: false,
        proven,
        until: None,
    }
}

/// Writes a recording, tick by tick.
#[derive(Debug, Clone)]
pub(crate) struct Recording {
    window: Window,
    records: Vec<Record>,
    n: u64,
    phase: Option<usize>,
    load: f64,
}

impl Recording {
    /// Phases with their length in seconds and load factor.
    pub(crate) fn new(phases: &[(&str, u64, f64)]) -> Self {
        let phases = phases.iter().map(|&(name, seconds, load)| PhasePlan {
            name: name.into(),
            length_us: seconds * SECOND,
            load,
            ..PhasePlan::default()
        });
        let scenario = |name: &str, model, amount| ScenarioPlan {
            name: name.into(),
            target: "http://127.0.0.1:8080".into(),
            model,
            amount,
            ..ScenarioPlan::default()
        };
        Self {
            window: Window {
                name: "checkout 4.2".into(),
                environment: Some("staging".into()),
                tick_us: SECOND,
                time_scale: 1.0,
                by: "ops@bastion".into(),
                phases: phases.collect(),
                scenarios: vec![
                    scenario("shoppers", ModelName::Open, 200.0),
                    scenario("writers", ModelName::Closed, 50.0),
                ],
                ..Window::default()
            },
            records: Vec::new(),
            n: 0,
            phase: None,
            load: 1.0,
        }
    }

    pub(crate) fn gate(mut self, name: &str, of: &str, expect: &str, during: &[usize]) -> Self {
        self.window.gates.push(GatePlan {
            name: name.into(),
            of: of.into(),
            expect: expect.into(),
            during: during.to_vec(),
            severity: "blocker".into(),
            abort_after_us: None,
            over_us: 10 * SECOND,
        });
        self
    }

    /// Makes the latest gate advisory.
    pub(crate) fn advisory(mut self) -> Self {
        self.window.gates.last_mut().unwrap().severity = "advisory".into();
        self
    }

    /// Lets the latest gate end the window.
    pub(crate) fn abort_after(mut self, seconds: u64) -> Self {
        self.window.gates.last_mut().unwrap().abort_after_us = Some(seconds * SECOND);
        self
    }

    /// Changes what the window record says.
    pub(crate) fn window(mut self, change: impl FnOnce(&mut Window)) -> Self {
        change(&mut self.window);
        self
    }

    /// Begins a phase.
    pub(crate) fn phase(mut self, phase: usize) -> Self {
        self.load = self.window.phases[phase].load;
        self.phase = Some(phase);
        self.event(Happening::Phase { phase })
    }

    pub(crate) fn event(mut self, what: Happening) -> Self {
        let at = self.n * self.window.tick_us;
        self.records.push(Record::Event(Event {
            at,
            wall: at,
            by: None,
            what,
        }));
        self
    }

    /// So many ticks of steady traffic.
    pub(crate) fn ticks(self, count: u64) -> Self {
        self.ticks_with(count, |_| {})
    }

    /// So many ticks of steady traffic, each changed.
    pub(crate) fn ticks_with(mut self, count: u64, change: impl Fn(&mut Tick)) -> Self {
        for _ in 0..count {
            self.n += 1;
            let mut tick = tick(self.n, self.phase, self.load);
            tick.at = self.n * self.window.tick_us;
            change(&mut tick);
            self.records.push(Record::Tick(Box::new(tick)));
        }
        self
    }

    /// Ticks that pass without being recorded.
    pub(crate) fn skip(mut self, count: u64) -> Self {
        self.n += count;
        self
    }

    /// Ticks that pass without being recorded, and a record that says so.
    pub(crate) fn gap(mut self, count: u64, why: &str) -> Self {
        self.records.push(Record::Gap(Gap {
            from: self.n + 1,
            to: self.n + count,
            why: why.into(),
        }));
        self.skip(count)
    }

    pub(crate) fn end(mut self, reason: EndReason) -> Self {
        self.records.push(Record::End(End {
            at: self.n * SECOND,
            wall: self.n * SECOND,
            reason,
            lost: 0,
        }));
        self
    }

    pub(crate) fn records(&self) -> Vec<Record> {
        let phases = self.window.phases.iter().map(|phase| phase.name.clone());
        let names = names(phases.collect());
        let key = Record::Key(Key {
            v: 1,
            names,
            ..Key::default()
        });
        let window = Record::Window(Box::new(self.window.clone()));
        [key, window]
            .into_iter()
            .chain(self.records.iter().cloned())
            .collect()
    }

    pub(crate) fn history(&self) -> History {
        let mut history = History::new();
        for record in self.records() {
            history.apply(&record);
        }
        history
    }
}

fn names(phases: Vec<String>) -> Names {
    let step = |scenario, journey: &str, step: &str| StepName {
        scenario,
        journey: journey.into(),
        step: step.into(),
    };
    Names {
        scenarios: vec!["shoppers".into(), "writers".into()],
        steps: vec![
            step(0, "browse", "home"),
            step(0, "browse", "search"),
            step(0, "buy", "login"),
            step(0, "buy", "pay"),
            step(1, "write", "post"),
        ],
        phases,
        series: vec!["shop memory".into(), "pg conns".into()],
        ..Names::default()
    }
}

/// Requests spread evenly from `low` to `high` µs, response 100 µs above service.
pub(crate) fn step(step: usize, requests: u64, low: u64, high: u64) -> StepTick {
    let at = |place: u64| low + (high - low) * place / requests.max(2).saturating_sub(1);
    let service: Hist = hist((0..requests).map(at));
    let response = hist((0..requests).map(|place| at(place) + 100));
    StepTick {
        step,
        requests,
        status: BTreeMap::from([(200, requests)]),
        bytes_in: requests * 1_000,
        bytes_out: requests * 200,
        response,
        service: Some(service),
        ..StepTick::default()
    }
}

pub(crate) fn hist(values: impl IntoIterator<Item = u64>) -> Hist {
    let mut hist = Hist::new();
    for value in values {
        hist.record(value);
    }
    hist
}

fn tick(n: u64, phase: Option<usize>, load: f64) -> Tick {
    let many = |base: f64| (base * load).round() as u64;
    let scenario = |journeys, asked, in_flight| ScenarioTick {
        state: ScenarioState::Running,
        asked,
        due: journeys,
        begun: journeys,
        finished: journeys,
        in_flight,
        connections: in_flight,
        ..ScenarioTick::default()
    };
    Tick {
        n,
        at: n * SECOND,
        wall: 1_700_000_000_000_000 + n * SECOND,
        phase,
        load,
        scenarios: vec![
            scenario(many(200.0), 200.0 * load, 4),
            scenario(many(50.0), 50.0 * load, 50),
        ],
        steps: vec![
            step(0, many(160.0), 2_000, 12_000),
            step(1, many(160.0), 3_000, 30_000),
            step(2, many(40.0), 5_000, 40_000),
            step(3, many(40.0), 8_000, 80_000),
            step(4, many(50.0), 1_000, 9_000),
        ],
        generator: GeneratorTick {
            late: hist([40, 60, 80, 110]),
            lag_us: 300,
            recorder_cpu: 0.001,
            cpu: 0.4,
            worker_cpu: 0.25,
            rss: 40 << 20,
            files: 60,
            files_max: 20_000,
            due: many(200.0),
            begun: many(200.0),
            bottleneck: Vec::new(),
        },
        slow: vec![Exemplar {
            step: PAY,
            at: n * SECOND - 500_000,
            trace: Some(format!("4bf92f3577b34da6a3ce929d{n:08x}")),
            status: Some(200),
            error: None,
            response: 80_100,
            split: [100, 0, 0, 79_000, 1_000],
        }],
        ..Tick::default()
    }
}

/// So many requests of a step fail in this way.
pub(crate) fn fail(tick: &mut Tick, step: usize, kind: ErrorKind, status: Option<u16>, count: u64) {
    let Some(step) = tick.steps.iter_mut().find(|tick| tick.step == step) else {
        return;
    };
    *step.errors.entry(kind).or_default() += count;
    *step.status.entry(200).or_default() -= count;
    if let Some(status) = status {
        *step.status.entry(status).or_default() += count;
    }
}

/// The generator is the bottleneck.
pub(crate) fn overload(tick: &mut Tick) {
    tick.generator.bottleneck = vec![Bottleneck::SentLate, Bottleneck::Cpu];
    tick.generator.worker_cpu = 0.99;
    tick.generator.late = hist([40_000, 60_000]);
}

/// A climb by steps, up to the third, which is slow. It has not ended.
pub(crate) fn climb() -> Recording {
    let slow = |tick: &mut Tick| tick.steps[PAY] = step(PAY, 120, 90_000, 400_000);
    Recording::new(&[
        ("climb 1x", 60, 1.0),
        ("climb 2x", 60, 2.0),
        ("climb 3x", 60, 3.0),
        ("climb 4x", 60, 4.0),
    ])
    .window(|window| {
        for phase in &mut window.phases {
            phase.climb = Some("climb".into());
        }
    })
    .gate("fast", "pay", "p99 < 100ms", &[0, 1, 2, 3])
    .advisory()
    .phase(0)
    .ticks(60)
    .phase(1)
    .ticks(60)
    .phase(2)
    .ticks_with(20, slow)
}
