//! The verdict while the window still runs.
//!
//! In: a history without an end. Out: a [`Judgement`] by the rules of [`judge`](super::judge()), but for two things that
//! only the end can say: the missing end itself is no finding, and a gate is judged over those of its phases that have
//! begun. A gate none of whose phases has begun is left out of the answer.

use super::gates::{Reading, State, judge_over};
use super::{
    Case, GateOutcome, GateSpec, Judgement, faults, format, generator, judge, outcome,
    weigh_absence, weigh_gates, weigh_recording,
};
use crate::history::History;
use crate::profile::model::Severity;

/// Why nothing is known of a gate whose phases are still to come.
pub const WAITS: &str = "its phases are still to come";

/// Judges what there is. Once the window has ended, that is its verdict.
pub fn so_far(history: &History) -> Judgement {
    if history.end().is_some() {
        return judge(history);
    }
    let plans = history.window().map_or(&[][..], |window| &window.gates);
    let gates: Vec<GateOutcome> = plans
        .iter()
        .map(|plan| outcome(history, plan, &GateSpec::from_plan(plan), read))
        .collect();
    let begun: Vec<GateOutcome> = gates
        .iter()
        .filter(|gate| gate.reading.reason != WAITS)
        .cloned()
        .collect();
    let mut case = Case::default();
    weigh_gates(&mut case, &begun);
    faults::weigh_so_far(&mut case, history);
    weigh_recording(&mut case, history);
    weigh_absence(&mut case, history, gates.is_empty());
    Judgement {
        verdict: case.verdict,
        gates,
        generator: generator::judge_generator(history),
        breakpoint: None,
        faults: Vec::new(),
        scores: Vec::new(),
        findings: case.findings,
    }
}

/// A gate over those of its phases that have begun.
fn read(history: &History, spec: &GateSpec) -> Reading {
    let begun = |phase: &usize| history.phase(*phase).is_some();
    let phases: Vec<usize> = spec.during.iter().copied().filter(begun).collect();
    if phases.is_empty() && !spec.during.is_empty() {
        return Reading {
            state: State::Inconclusive,
            value: None,
            shown: format::unknown(),
            reason: WAITS.into(),
            samples: 0,
        };
    }
    judge_over(history, spec, &phases)
}

impl Judgement {
    /// Gates of a severity that fail.
    pub fn failed(&self, severity: Severity) -> usize {
        let failed =
            |gate: &&GateOutcome| gate.severity == severity && gate.reading.state == State::Fail;
        self.gates.iter().filter(failed).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::testing::{PAY, Recording, fail};
    use crate::session::record::{EndReason, ErrorKind, Tick};
    use crate::verdict::Verdict;

    fn failing(tick: &mut Tick) {
        fail(tick, PAY, ErrorKind::Timeout, None, 40);
    }

    fn window() -> Recording {
        Recording::new(&[("steady", 30, 1.0), ("spike", 30, 1.0)])
            .gate("errors stay few", "", "errors < 2%", &[])
            .gate("the spike is survived", "", "errors < 50%", &[1])
            .phase(0)
            .ticks(10)
    }

    #[test]
    fn a_running_window_that_holds_is_a_go_so_far_though_a_phase_is_still_to_come() {
        let judgement = so_far(&window().history());
        assert_eq!(judgement.verdict, Verdict::Go);
        assert_eq!(judgement.findings, [] as [&str; 0]);
        assert_eq!(judgement.gates[1].reading.reason, WAITS);
    }

    #[test]
    fn a_gate_that_fails_over_what_there_is_is_a_no_go_so_far() {
        let judgement = so_far(&window().ticks_with(10, failing).history());
        assert_eq!(judgement.verdict, Verdict::NoGo);
        assert_eq!(judgement.failed(Severity::Blocker), 1);
        assert_eq!(judgement.failed(Severity::Advisory), 0);
    }

    #[test]
    fn once_the_window_has_ended_it_is_the_verdict() {
        let history = window().end(EndReason::Finished).history();
        assert_eq!(so_far(&history), judge(&history));
    }
}
