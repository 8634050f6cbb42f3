//! The fold of a window's records to what its metrics say.
//!
//! In: every record of the window, in order. Out: [`Fold`], plain data that `render` writes. The invariant: counters
//! are the sums of the ticks seen, from the start of the window, so they agree with the history and the summary; their
//! size depends on names and kinds of errors, never on time.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::history::Flow;
use crate::session::fold::add_counts;
use crate::session::metric_text::Classic;
use crate::session::record::{
    Bottleneck, ErrorKind, Event, FaultState, GeneratorTick, Happening, Names, Record, StepTick,
    Tick, Window,
};

/// What the metrics say after the records so far.
#[derive(Debug, Clone, Default)]
pub struct Fold {
    /// Names by index.
    pub names: Arc<Names>,
    /// What is being run.
    pub window: Option<Arc<Window>>,
    /// End of the latest tick, µs since the window began.
    pub at: u64,
    /// The phase.
    pub phase: Option<usize>,
    /// The load factor.
    pub load: f64,
    /// Ticks so far.
    pub ticks: u64,
    /// Scenarios by index.
    pub scenarios: Vec<Flow>,
    /// Steps by index.
    pub steps: Vec<Step>,
    /// Gates by index.
    pub gates: Vec<Gate>,
    /// Faults by index.
    pub faults: Vec<Fault>,
    /// The generator.
    pub generator: Generator,
}

/// One step since the window began.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Step {
    /// Requests finished, failed ones included.
    pub requests: u64,
    /// Failed requests by kind.
    pub errors: BTreeMap<ErrorKind, u64>,
    /// Answers by status code.
    pub status: BTreeMap<u16, u64>,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Response times.
    pub response: Classic,
    /// Service times.
    pub service: Classic,
}

/// One gate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gate {
    /// Whether it fails now.
    pub failing: bool,
    /// How often it began to.
    pub failures: u64,
}

/// One fault.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fault {
    /// Its state.
    pub state: FaultState,
    /// How often it was in place.
    pub injections: u64,
}

/// The generator in the latest tick, and what it added up to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Generator {
    /// CPU used by the process, in cores.
    pub cpu: f64,
    /// CPU used by the busiest worker, in cores.
    pub worker_cpu: f64,
    /// CPU used by the recording, in cores.
    pub recorder_cpu: f64,
    /// Longest time in which a worker's event loop did not come round, µs.
    pub lag_us: u64,
    /// Resident memory, bytes.
    pub rss: u64,
    /// Open files.
    pub files: u64,
    /// Limit on open files.
    pub files_max: u64,
    /// Why it was the bottleneck in the latest tick.
    pub bottleneck: Vec<Bottleneck>,
    /// Ticks in which it was, by cause.
    pub causes: BTreeMap<Bottleneck, u64>,
    /// Send-time error since the window began.
    pub late: Classic,
}

impl Fold {
    /// Takes the next record in. Costs a pass over the buckets of a tick's histograms.
    pub fn apply(&mut self, record: &Record) {
        match record {
            Record::Key(key) => {
                self.scenarios
                    .resize_with(key.names.scenarios.len(), Flow::default);
                self.steps.resize_with(key.names.steps.len(), Step::default);
                self.names = Arc::new(key.names.clone());
            }
            Record::Window(window) => {
                self.gates.resize(window.gates.len(), Gate::default());
                self.faults.resize(window.faults.len(), Fault::default());
                self.window = Some(Arc::new((**window).clone()));
            }
            Record::Tick(tick) => self.tick(tick),
            Record::Event(event) => self.event(event),
            Record::Sample(_) | Record::Gap(_) | Record::End(_) | Record::Unknown => {}
        }
    }

    fn tick(&mut self, tick: &Tick) {
        (self.at, self.phase, self.load) = (tick.at, tick.phase, tick.load);
        self.ticks += 1;
        for (sum, scenario) in self.scenarios.iter_mut().zip(&tick.scenarios) {
            sum.add(&Flow::from(scenario));
        }
        for step in &tick.steps {
            if let Some(sum) = self.steps.get_mut(step.step) {
                sum.add(step);
            }
        }
        self.generator.add(&tick.generator);
    }

    fn event(&mut self, event: &Event) {
        match &event.what {
            Happening::Phase { phase } => self.phase = Some(*phase),
            Happening::Gate { gate, holds, .. } => {
                if let Some(gate) = self.gates.get_mut(*gate) {
                    gate.failures += u64::from(!holds && !gate.failing);
                    gate.failing = !holds;
                }
            }
            Happening::Fault { fault, state, .. } => {
                if let Some(fault) = self.faults.get_mut(*fault) {
                    let begins = *state == FaultState::Active && fault.state != *state;
                    fault.injections += u64::from(begins);
                    fault.state = *state;
                }
            }
            Happening::Scenario { .. }
            | Happening::Load { .. }
            | Happening::Extend { .. }
            | Happening::Hold { .. }
            | Happening::Mark { .. }
            | Happening::Undo { .. }
            | Happening::Effect(_)
            | Happening::Output { .. }
            | Happening::Ledger(_)
            | Happening::SignOff { .. }
            | Happening::Generator { .. }
            | Happening::Target { .. }
            | Happening::Alert(_)
            | Happening::Gauge(_)
            | Happening::Warning { .. }
            | Happening::Stop { .. }
            | Happening::Unknown => {}
        }
    }
}

impl Step {
    fn add(&mut self, tick: &StepTick) {
        self.requests = self.requests.saturating_add(tick.requests);
        add_counts(&mut self.errors, &tick.errors);
        add_counts(&mut self.status, &tick.status);
        self.bytes_in = self.bytes_in.saturating_add(tick.bytes_in);
        self.bytes_out = self.bytes_out.saturating_add(tick.bytes_out);
        self.response.add(&tick.response);
        self.service.add(tick.service());
    }
}

impl Generator {
    fn add(&mut self, tick: &GeneratorTick) {
        self.cpu = tick.cpu;
        self.worker_cpu = tick.worker_cpu;
        self.recorder_cpu = tick.recorder_cpu;
        self.lag_us = tick.lag_us;
        self.rss = tick.rss;
        self.files = tick.files;
        self.files_max = tick.files_max;
        self.bottleneck.clone_from(&tick.bottleneck);
        for &cause in &tick.bottleneck {
            *self.causes.entry(cause).or_default() += 1;
        }
        self.late.add(&tick.late);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Selection;
    use crate::history::testing::{PAY, Recording, fail, fault_event};
    use crate::profile::model::Scope;
    use crate::session::record::FaultPlan;

    #[test]
    fn its_sums_are_those_of_the_history() {
        let recording = Recording::new(&[("steady", 30, 1.0), ("spike", 30, 10.0)])
            .phase(0)
            .ticks(20)
            .phase(1)
            .ticks_with(10, |tick| {
                fail(tick, PAY, ErrorKind::Status5xx, Some(503), 7);
            });
        let mut fold = Fold::default();
        for record in recording.records() {
            fold.apply(&record);
        }
        let history = recording.history();
        assert_eq!((fold.ticks, fold.phase), (30, Some(1)));
        for (index, step) in fold.steps.iter().enumerate() {
            let totals = history.totals_of(&Selection::step(history.names(), index), &[]);
            assert!(totals.requests > 0);
            assert_eq!(
                (step.requests, &step.errors, &step.status),
                (totals.requests, &totals.errors, &totals.status)
            );
            assert_eq!(
                (step.bytes_in, step.bytes_out),
                (totals.bytes_in, totals.bytes_out)
            );
            let (mut response, mut service) = (Classic::default(), Classic::default());
            response.add(&totals.response);
            service.add(&totals.service);
            assert_eq!(
                (step.response.buckets, step.response.count),
                (response.buckets, response.count)
            );
            assert_eq!(
                (step.service.buckets, step.service.count),
                (service.buckets, service.count)
            );
        }
        let all = history.totals(&Scope::All, &[]);
        let sum = |count: fn(&Flow) -> u64| fold.scenarios.iter().map(count).sum::<u64>();
        assert_eq!(
            (
                sum(|flow| flow.due),
                sum(|flow| flow.begun),
                sum(|flow| flow.dropped)
            ),
            (all.due, all.begun, all.dropped)
        );
        assert_eq!(
            fold.generator.late.count,
            history.generator().late().count()
        );
    }

    #[test]
    fn a_gate_that_fails_twice_and_a_fault_that_comes_and_goes_are_counted() {
        let gate = |holds| Happening::Gate {
            gate: 0,
            holds,
            value: "1s".into(),
        };
        let fault = |state| fault_event(0, state);
        let recording = Recording::new(&[("steady", 30, 1.0)])
            .gate("errors stay few", "", "errors < 2%", &[])
            .window(|window| window.faults = vec![FaultPlan::default()])
            .phase(0)
            .event(gate(false))
            .event(gate(true))
            .event(gate(false))
            .event(fault(FaultState::Injecting))
            .event(fault(FaultState::Active))
            .event(fault(FaultState::Reverting));
        let mut fold = Fold::default();
        for record in recording.records() {
            fold.apply(&record);
        }
        let (failing, failures) = (true, 2);
        assert_eq!(fold.gates, [Gate { failing, failures }]);
        let (state, injections) = (FaultState::Reverting, 1);
        assert_eq!(fold.faults, [Fault { state, injections }]);
    }
}
