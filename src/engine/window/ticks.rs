//! What the engine does with each tick: completes it with what only it knows, records it, and judges by it.

use super::{Window, nanos, wall};
use crate::load::clock::Nanos;
use crate::load::generator::{self, Circumstances};
use crate::load::tick::FleetTick;
use crate::session::record::{GeneratorTick, Happening, Record, ScenarioState, Tick};

impl Window {
    /// Takes a tick in: completes it with what only the engine knows, records it, looks at the gates.
    pub(super) fn on_tick(&mut self, mut tick: FleetTick) {
        let writes = std::mem::take(&mut tick.writes);
        self.ledgers.add(writes, self.clock.now(), &self.history);
        let n = tick.n;
        let length = nanos(self.profile.window.tick);
        let end = n * length;
        let at = if tick.last && tick.at > 0 {
            tick.at.min(end)
        } else {
            end
        };
        let samples = tick.samples.clone();
        let mut record = self.complete(tick, at);
        self.add_observed(&mut record);
        if let Some(causes) = self.causes.update(record.at, &record.generator.bottleneck) {
            self.note(None, Happening::Generator { causes });
        }
        self.put(Record::Tick(Box::new(record)));
        for sample in samples {
            self.put(Record::Sample(sample));
        }
        let dead = self.fleet.newly_dead();
        self.on_deaths(&dead);
        if let Some(slept) = self.sleep.slept() {
            self.on_sleep(slept);
        }
        self.watch_gates(at / 1000);
        self.judge_recoveries();
        if self.drain_until.is_none() && self.all_done() {
            let actions = self.conductor.finish(self.clock.now());
            self.act(actions);
        }
    }

    fn complete(&mut self, tick: FleetTick, at: Nanos) -> Tick {
        let usage = self.meter.read();
        let recorder_cpu = self.recorder.cpu_time();
        let recorded =
            recorder_cpu.saturating_sub(std::mem::replace(&mut self.recorder_cpu, recorder_cpu));
        let circumstances = Circumstances::of(&tick);
        let asked = self.conductor.asked(at);
        let mut scenarios = tick.scenarios;
        for (scenario, by_hand) in scenarios.iter_mut().zip(asked.by_hand) {
            scenario.by_hand = by_hand;
        }
        let mut generator = GeneratorTick {
            late: tick.late,
            lag_us: tick.lag_us,
            cpu: usage.cpu,
            worker_cpu: tick.worker_cpu,
            recorder_cpu: recorded.as_secs_f64() / usage.span.as_secs_f64().max(1e-9),
            rss: usage.rss,
            files: usage.files,
            files_max: usage.files_max,
            due: tick.due,
            begun: tick.begun,
            bottleneck: Vec::new(),
        };
        generator.bottleneck = generator::judge(&generator, circumstances);
        Tick {
            n: tick.n,
            at: at / 1000,
            wall: wall(),
            phase: Some(asked.phase),
            load: asked.factor,
            scenarios,
            steps: tick.steps,
            generator,
            slow: tick.slow,
            series: Vec::new(),
            scrapes: Vec::new(),
            gauged: None,
        }
    }

    fn watch_gates(&mut self, at: u64) {
        if self.drain_until.is_some() {
            return;
        }
        let changes = self.gates.update(at, &self.history);
        for change in changes.events {
            self.note(None, change);
        }
        if let Some(text) = changes.abort {
            let actions = self.conductor.abort(text, self.clock.now());
            self.act(actions);
        }
    }

    /// Whether every scenario has a fixed amount of work and has done it.
    fn all_done(&self) -> bool {
        let scenarios = self
            .history
            .last_tick()
            .map_or(&[][..], |tick| &tick.scenarios);
        !scenarios.is_empty()
            && scenarios
                .iter()
                .all(|scenario| scenario.state == ScenarioState::Done)
    }
}
