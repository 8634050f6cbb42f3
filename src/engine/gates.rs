//! The gates while the window runs: what to record when one fails or heals, and when one ends the window.

use crate::history::History;
use crate::profile::model::Severity;
use crate::session::record::{GatePlan, Happening};
use crate::verdict::{Change, GateSpec, Watch, format, live};

/// All gates of a window, each with how long it has been failing.
#[derive(Debug, Default)]
pub struct Gates {
    gates: Vec<(usize, GateSpec, Watch)>,
}

/// What changed at a tick.
#[derive(Debug, Default)]
pub struct Changes {
    /// To record.
    pub events: Vec<Happening>,
    /// Why the window must end, if it must.
    pub abort: Option<String>,
}

impl Gates {
    /// Watches these. A gate that cannot be read was reported when the profile was; it is left to the verdict.
    pub fn new(plans: &[GatePlan]) -> Self {
        let read = plans.iter().enumerate().filter_map(|(index, plan)| {
            let spec = GateSpec::from_plan(plan).ok()?;
            Some((index, spec, Watch::default()))
        });
        Self {
            gates: read.collect(),
        }
    }

    /// The names of the blockers that fail now.
    pub fn failing_blockers(&self) -> Vec<String> {
        let failing = self
            .gates
            .iter()
            .filter(|(_, spec, watch)| spec.severity == Severity::Blocker && watch.is_failing());
        failing.map(|(_, spec, _)| spec.name.clone()).collect()
    }

    /// Looks at every gate at a moment, µs since the window began.
    pub fn update(&mut self, at: u64, history: &History) -> Changes {
        let mut changes = Changes::default();
        for (gate, spec, watch) in &mut self.gates {
            let reading = live(history, spec);
            if let Some(change) = watch.update(at, reading.as_ref()) {
                let value = reading.map(|reading| reading.shown).unwrap_or_default();
                let holds = change == Change::Healed;
                changes.events.push(Happening::Gate {
                    gate: *gate,
                    holds,
                    value,
                });
            }
            if changes.abort.is_none() && watch.must_abort(spec) {
                changes.abort = Some(format!(
                    "gate `{}` failed for {}",
                    spec.name,
                    format::span(watch.failing_for().as_secs_f64())
                ));
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::testing::{PAY, Recording, SECOND, fail};
    use crate::session::record::{EndReason, ErrorKind, Record, Tick};
    use crate::verdict::{Verdict, judge};

    fn failing(tick: &mut Tick) {
        fail(tick, PAY, ErrorKind::Timeout, None, 40);
    }

    fn phases() -> Recording {
        let phases = [("steady", 30, 1.0), ("spike", 30, 1.0), ("again", 30, 1.0)];
        Recording::new(&phases).gate("errors stay few", "", "errors < 2%", &[0, 2])
    }

    /// At which second a gate changed, and whether it holds since.
    type Changed = Vec<(u64, bool)>;

    /// At which second the window had to end, and why.
    type Aborted = Option<(u64, String)>;

    /// What the gates say while the recording is made.
    fn said(recording: &Recording) -> (Changed, Aborted) {
        let mut history = History::without_rollups();
        let mut gates = Gates::default();
        let (mut events, mut abort) = (Vec::new(), None);
        for record in recording.records() {
            history.apply(&record);
            if let Record::Window(window) = &record {
                gates = Gates::new(&window.gates);
            }
            let Record::Tick(tick) = record else {
                continue;
            };
            let second = tick.at / SECOND;
            let changes = gates.update(tick.at, &history);
            for event in changes.events {
                let Happening::Gate { holds, value, .. } = event else {
                    panic!("{event:?}");
                };
                assert!(!value.is_empty(), "at {second} s");
                events.push((second, holds));
            }
            abort = abort.or(changes.abort.map(|text| (second, text)));
        }
        (events, abort)
    }

    #[test]
    fn a_gate_that_fails_when_its_phase_ends_is_not_said_to_hold() {
        let recording = phases().phase(0).ticks(20).ticks_with(10, failing);
        let recording = recording.phase(1).ticks(30).phase(2).ticks(30);
        assert_eq!(said(&recording).0, [(23, false)]);
    }

    #[test]
    fn a_gate_that_heals_in_its_phase_is_said_to_hold() {
        let recording = phases().phase(0).ticks_with(5, failing).ticks(20);
        let (events, _) = said(&recording);
        assert_eq!(events.len(), 2, "{events:?}");
        assert_eq!((events[0], events[1].1), ((1, false), true));
    }

    #[test]
    fn time_failed_in_a_phase_that_is_over_does_not_count_towards_an_abort() {
        let base = phases().abort_after(12);
        let recording = base.phase(0).ticks_with(10, failing);
        let recording = recording.phase(1).ticks(30).phase(2);
        let recording = recording.ticks_with(10, failing);
        assert_eq!(said(&recording).1, None);
        assert_eq!(said(&recording.ticks_with(3, failing)).1.unwrap().0, 53);
    }

    #[test]
    fn the_gate_that_ends_a_window_is_the_one_that_the_verdict_names() {
        let recording = phases().abort_after(12).phase(0).ticks_with(13, failing);
        let (_, abort) = said(&recording);
        let (second, text) = abort.unwrap();
        assert_eq!(
            (second, text.as_str()),
            (13, "gate `errors stay few` failed for 12s")
        );
        let recorded = recording
            .event(Happening::Stop {
                reason: EndReason::Aborted,
                text,
            })
            .end(EndReason::Aborted);
        let judgement = judge(&recorded.history());
        assert_eq!(judgement.verdict, Verdict::NoGo);
        let named = "the window was ended early by errors stay few";
        assert!(
            judgement.findings.iter().any(|finding| finding == named),
            "{:?}",
            judgement.findings
        );
    }
}
