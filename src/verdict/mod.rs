//! From history to judgement: pure functions, the same a second or a year after the window.
//!
//! In: a [`History`]. Out: a [`Judgement`]. The invariant: missing data is never a go. In this order:
//!
//! 1. **no-go** when a blocker failed, or a gate that is not advisory ended the window; when a fault was not undone, the
//!    system did not come back from one in time, or acknowledged writes were lost;
//! 2. **inconclusive** when a blocker is inconclusive, when stormdeck itself had to end the window, when no tick was
//!    recorded, when the recording stops without an end, or when there are neither gates nor requests;
//! 3. **conditional** when an advisory gate failed or is inconclusive, when a planned fault did not run, did nothing, was
//!    not noticed or was not seen to be over, when there are no gates, when the window was
//!    stopped by hand or warned of something, or when more than [`gates::TOLERATED`] of its ticks are missing;
//! 4. **go** otherwise.
//!
//! Every step away from a go leaves a sentence in [`Judgement::findings`].

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::history::{History, Selection};
use crate::profile::model::Severity;
use crate::session::record::{EndReason, GatePlan, Happening};

use gates::severity_of;

pub mod breakpoint;
pub mod faults;
#[cfg(test)]
mod faults_tests;
pub mod format;
pub mod gates;
pub mod generator;
pub mod labels;
mod late;
pub mod losses;
pub mod quantity;
pub mod recovery;
pub mod scorecard;
#[cfg(test)]
mod scorecard_tests;
mod so_far;
#[cfg(test)]
mod tests;
pub mod watch;

pub use breakpoint::{Breakpoint, Broke, Held};
pub use faults::FaultOutcome;
pub use gates::{GateError, GateSpec, Reading, State, Unit};
pub use generator::GeneratorJudgement;
pub use losses::Losses;
pub use scorecard::Score;
pub use so_far::{WAITS, so_far};
pub use watch::{Change, Watch, live};

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Everything that was asked for holds.
    Go,
    /// It can go, under the conditions that the findings name.
    Conditional,
    /// Something that must hold does not.
    NoGo,
    /// Nobody can tell, which is not a go.
    Inconclusive,
}

impl Verdict {
    /// The exit code of a command that ends in this verdict.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Go | Self::Conditional => 0,
            Self::NoGo | Self::Inconclusive => 1,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Go => "GO",
            Self::Conditional => "CONDITIONAL",
            Self::NoGo => "NO-GO",
            Self::Inconclusive => "INCONCLUSIVE",
        })
    }
}

/// A gate and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct GateOutcome {
    /// Its name.
    pub name: String,
    /// What it expects, in the words of the profile.
    pub expect: String,
    /// What it looks at; empty for everything.
    pub of: String,
    /// Its phases by name; all when empty.
    pub during: Vec<String>,
    /// What a failure means.
    pub severity: Severity,
    /// What the value is counted in; `None` when the expectation could not be read.
    pub unit: Option<Unit>,
    /// The measured value and what it means.
    pub reading: Reading,
}

/// Everything that was decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The answer.
    pub verdict: Verdict,
    /// Every gate, in the order of the profile.
    pub gates: Vec<GateOutcome>,
    /// Whether the generator kept up.
    pub generator: GeneratorJudgement,
    /// Where a climb broke.
    pub breakpoint: Option<Breakpoint>,
    /// Every time a fault was put in, oldest first, and how the system took it. Only at the end of a window.
    pub faults: Vec<FaultOutcome>,
    /// How each service stood each fault.
    pub scores: Vec<Score>,
    /// Sentences that a reader should know before trusting the answer.
    pub findings: Vec<String>,
}

/// Judges a window by what was recorded of it. While it still runs, that is inconclusive for want of an end.
pub fn judge(history: &History) -> Judgement {
    let plans = history.window().map_or(&[][..], |window| &window.gates);
    let specs: Vec<Result<GateSpec, GateError>> = plans.iter().map(GateSpec::from_plan).collect();
    let gates: Vec<GateOutcome> = plans
        .iter()
        .zip(&specs)
        .map(|(plan, spec)| outcome(history, plan, spec, gates::judge_gate))
        .collect();
    let specs: Vec<GateSpec> = specs.into_iter().flatten().collect();
    let generator = generator::judge_generator(history);
    let mut case = Case::default();
    weigh_gates(&mut case, &gates);
    weigh_end(&mut case, history);
    let faults = faults::outcomes(history);
    faults::weigh(&mut case, history, &faults);
    weigh_recording(&mut case, history);
    weigh_absence(&mut case, history, gates.is_empty());
    if history.generator().ticks > 0 && !generator.ok {
        let share = format::percent(generator.share);
        case.findings.push(format!(
            "the generator was not up to the load in {share} of the ticks"
        ));
    }
    Judgement {
        verdict: case.verdict,
        gates,
        generator,
        breakpoint: breakpoint::find(history, &specs),
        scores: scorecard::scores(history, &faults),
        faults,
        findings: case.findings,
    }
}

fn outcome(
    history: &History,
    plan: &GatePlan,
    spec: &Result<GateSpec, GateError>,
    read: impl Fn(&History, &GateSpec) -> Reading,
) -> GateOutcome {
    let phases = &history.names().phases;
    let reading = match spec {
        Ok(spec) => read(history, spec),
        Err(error) => Reading {
            state: State::Inconclusive,
            value: None,
            shown: format::unknown(),
            reason: error.to_string(),
            samples: 0,
        },
    };
    GateOutcome {
        name: plan.name.clone(),
        expect: plan.expect.clone(),
        of: plan.of.clone(),
        during: plan
            .during
            .iter()
            .map(|&phase| {
                phases
                    .get(phase)
                    .map_or_else(|| phase.to_string(), Clone::clone)
            })
            .collect(),
        severity: severity_of(plan).unwrap_or_default(),
        unit: spec.as_ref().ok().map(|spec| gates::unit_of(&spec.expect)),
        reading,
    }
}

/// The verdict so far. It only ever gets worse.
#[derive(Debug)]
struct Case {
    verdict: Verdict,
    findings: Vec<String>,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            verdict: Verdict::Go,
            findings: Vec::new(),
        }
    }
}

impl Case {
    /// Keeps the verdict from being better than `most`.
    fn hold(&mut self, most: Verdict, finding: String) {
        let rank = |verdict| match verdict {
            Verdict::Go => 0,
            Verdict::Conditional => 1,
            Verdict::Inconclusive => 2,
            Verdict::NoGo => 3,
        };
        if rank(most) > rank(self.verdict) {
            self.verdict = most;
        }
        self.findings.push(finding);
    }
}

fn weigh_gates(case: &mut Case, gates: &[GateOutcome]) {
    for gate in gates {
        let (name, reading) = (&gate.name, &gate.reading);
        match (reading.state, gate.severity) {
            (State::Pass, Severity::Blocker | Severity::Advisory) => {}
            (State::Fail, severity) => {
                let finding = if name.contains(&gate.expect) {
                    format!("{name} failed ({})", reading.shown)
                } else {
                    format!("{name} failed: {} ({})", gate.expect, reading.shown)
                };
                let most = match severity {
                    Severity::Blocker => Verdict::NoGo,
                    Severity::Advisory => Verdict::Conditional,
                };
                case.hold(most, finding);
            }
            (State::Inconclusive, severity) => {
                let finding = format!("{name} is inconclusive: {}", reading.reason);
                let most = match severity {
                    Severity::Blocker => Verdict::Inconclusive,
                    Severity::Advisory => Verdict::Conditional,
                };
                case.hold(most, finding);
            }
        }
    }
}

fn weigh_end(case: &mut Case, history: &History) {
    let Some(end) = history.end() else {
        let finding = "the recording stops without an end: the window still runs, or was torn";
        return case.hold(Verdict::Inconclusive, finding.into());
    };
    match end.reason {
        EndReason::Finished => {}
        EndReason::Stopped => {
            let at = history.progress().map(format::percent);
            let at = at.map_or(String::new(), |at| format!(" at {at} of its schedule"));
            let why = history.stop().map(|(_, text)| format!(": {text}"));
            let why = why.unwrap_or_default();
            case.hold(
                Verdict::Conditional,
                format!("the window was stopped{at}{why}"),
            );
        }
        EndReason::Aborted => {
            let (most, who) = aborted_by_a_person(history).unwrap_or_else(|| aborted_by(history));
            case.hold(most, format!("the window was ended early by {who}"));
        }
    }
    if end.lost > 0 {
        let finding = format!("{} ticks could not be recorded", end.lost);
        case.findings.push(finding);
    }
}

/// The person who ended the window early, if one did. As with a stop, what was measured until then counts.
fn aborted_by_a_person(history: &History) -> Option<(Verdict, String)> {
    let aborts = || {
        let events = history.events().iter();
        events.filter(|event| {
            let reason = EndReason::Aborted;
            matches!(&event.what, Happening::Stop { reason: found, .. } if *found == reason)
        })
    };
    // A gate that aborted first is what counts, even if somebody then lost patience with the drain.
    if aborts().any(|event| event.by.is_none()) {
        return None;
    }
    let by = aborts().next()?.by.as_deref()?;
    let text = history.stop().map_or("", |(_, text)| text);
    Some((Verdict::Conditional, format!("{by}: {text}")))
}

/// Who ended the window, and what that means: no-go, unless all of them are advisory. The sentence of the stop names
/// the gate, and its last event says that it fails; failing both, one of the two will do.
fn aborted_by(history: &History) -> (Verdict, String) {
    let plans = history.window().map_or(&[][..], |window| &window.gates);
    let text = history.stop().map_or("", |(_, text)| text);
    let mut fails = vec![false; plans.len()];
    for event in history.events() {
        if let Happening::Gate { gate, holds, .. } = event.what
            && let Some(fails) = fails.get_mut(gate)
        {
            *fails = !holds;
        }
    }
    let aborting: Vec<(&GatePlan, bool, bool)> = plans
        .iter()
        .zip(fails)
        .filter(|(plan, _)| plan.abort_after_us.is_some())
        .map(|(plan, fails)| (plan, fails, text.contains(&plan.name)))
        .collect();
    let who: Vec<&GatePlan> = [(true, true), (false, true), (true, false)]
        .into_iter()
        .map(|(must_fail, must_be_named)| {
            let fits = aborting
                .iter()
                .filter(|&&(_, fails, named)| (fails || !must_fail) && (named || !must_be_named));
            fits.map(|&(plan, ..)| plan).collect()
        })
        .find(|found: &Vec<&GatePlan>| !found.is_empty())
        .unwrap_or_default();
    let gates: Vec<&str> = who.iter().map(|plan| plan.name.as_str()).collect();
    let advisory = |plan: &&GatePlan| severity_of(plan) == Some(Severity::Advisory);
    if aborting.is_empty() {
        (Verdict::Inconclusive, format!("stormdeck itself: {text}"))
    } else if gates.is_empty() {
        (Verdict::NoGo, "a gate".into())
    } else if who.iter().all(advisory) {
        (Verdict::Conditional, gates.join(", "))
    } else {
        (Verdict::NoGo, gates.join(", "))
    }
}

fn weigh_absence(case: &mut Case, history: &History, no_gates: bool) {
    let no_requests = history.requests() == 0;
    match (no_gates, no_requests) {
        (false, false) => {}
        (false, true) => case.findings.push("no request finished".into()),
        (true, false) => case.hold(Verdict::Conditional, "no gates were set".into()),
        (true, true) => case.hold(
            Verdict::Inconclusive,
            "no gates were set, and no request finished".into(),
        ),
    }
}

fn weigh_recording(case: &mut Case, history: &History) {
    // Ticks are the same for all, and the distributions are not asked for.
    let totals = history.totals_of(&Selection::nothing(), &[]);
    if totals.ticks == 0 {
        return case.hold(Verdict::Inconclusive, "no tick was recorded".into());
    }
    if totals.missing > 0 {
        let all = totals.ticks.saturating_add(totals.missing);
        let finding = format!(
            "{} of {all} ticks are missing from the recording",
            totals.missing
        );
        if totals.missing_share() > gates::TOLERATED {
            case.hold(Verdict::Conditional, finding);
        } else {
            case.findings.push(finding);
        }
    }
    for event in history.events() {
        if let Happening::Warning { text } = &event.what {
            case.hold(Verdict::Conditional, text.clone());
        }
    }
    let window = history.window();
    let scale = window.map_or(0.0, |window| window.time_scale);
    if scale > 0.0 && (scale - 1.0).abs() > 1e-9 {
        let finding = format!("this was a rehearsal: every duration was scaled by {scale}");
        case.findings.push(finding);
    }
    if let Some(window) = window {
        case.findings.extend(window.warnings.iter().cloned());
    }
}
