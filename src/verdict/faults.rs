//! What faults mean for the verdict.
//!
//! In: the injections of a window, measured. Out: [`FaultOutcome`]s, and findings. The invariant: a fault without proof
//! that it did something and that it is gone is never a go, and neither is a recovery that nobody saw.

use crate::history::injections::Injection;
use crate::history::{History, injections::INJECTIONS};

use super::late::known_late;
use super::losses::{self, Losses};
use super::recovery::{Assessment, Measured, Why, alone_until, assess, between};
use super::{Case, Verdict, format};

/// One time that a fault was put in, and how the system took it.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultOutcome {
    /// Which injection of the window, from 1.
    pub number: u64,
    /// Index of the fault.
    pub fault: usize,
    /// Its name.
    pub name: String,
    /// The service that it was done to; the window's name unless said otherwise.
    pub service: String,
    /// Whether it was in place.
    pub done: bool,
    /// Whether it may be in place still.
    pub outstanding: bool,
    /// How long it was there, µs: from the injection until it was undone; `None` when it was not.
    pub lasted_us: Option<u64>,
    /// Whether it was seen to do anything; `None` when nobody can tell.
    pub effective: Option<bool>,
    /// The recovery budget, µs.
    pub budget_us: Option<u64>,
    /// The alert that should have fired.
    pub detect: Option<String>,
    /// What was measured.
    pub measured: Assessment,
    /// Writes around it that are lost, or there more than once, a ledger each.
    pub losses: Vec<Losses>,
}

/// How a recovery stands to its budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    Yes,
    No,
    /// The budget lies within the interval, or too little was seen.
    Unclear,
}

/// Every injection that is kept, measured.
pub(super) fn outcomes(history: &History) -> Vec<FaultOutcome> {
    let injections = history.injections().iter();
    let mut outcomes: Vec<FaultOutcome> = injections.map(|it| outcome(history, it)).collect();
    let attributed = losses::attribute(history);
    for outcome in &mut outcomes {
        outcome.losses = attributed.of(outcome.number).to_vec();
        if !outcome.losses.is_empty() && outcome.done {
            outcome.effective = Some(true);
        }
    }
    outcomes
}

fn outcome(history: &History, injection: &Injection) -> FaultOutcome {
    let plan = history.fault(injection.fault);
    let measured = assess(history, injection);
    FaultOutcome {
        number: injection.number,
        fault: injection.fault,
        name: name(history, injection.fault),
        service: service(history, injection.fault),
        done: injection.was_done(),
        outstanding: injection.is_outstanding(),
        lasted_us: (injection.cleared).map(|at| at.saturating_sub(injection.injecting)),
        effective: effective(history, injection, &measured),
        budget_us: plan.and_then(|plan| plan.recover_within_us),
        detect: plan.and_then(|plan| plan.detect.clone()),
        measured,
        losses: Vec::new(),
    }
}

/// The name of a fault, by index.
pub fn name(history: &History, fault: usize) -> String {
    let plan = history.fault(fault);
    plan.map_or_else(|| fault.to_string(), |plan| plan.name.clone())
}

fn service(history: &History, fault: usize) -> String {
    let plan = history.fault(fault);
    let named = plan.and_then(|plan| plan.service.clone());
    let window = || history.window().map(|window| window.name.clone());
    named.or_else(window).unwrap_or_default()
}

/// Whether it was seen to do anything: to connections or requests by who put it in, to traffic, to a gate, to an alert,
/// to a gauge. A group does what its members do. What came once another fault was there may be that one's.
fn effective(history: &History, injection: &Injection, measured: &Assessment) -> Option<bool> {
    let touched = |it: &Injection| {
        let effect = it.effect.as_ref();
        effect.is_some_and(|effect| effect.affected > 0 || !effect.text.is_empty())
    };
    let next = alone_until(history, injection);
    let seen = touched(injection)
        || measured.impact.took().is_some()
        || injection.gates.iter().any(|&(_, at)| at <= next)
        || (injection.alerts.iter())
            .any(|fired| !fired.before && !fired.pending && fired.at <= next)
        || !measured.gauges.moved.is_empty()
        || history
            .injections()
            .iter()
            .filter(|it| history.holds(injection, it))
            .any(|it| touched(it));
    match (seen, measured.impact, &injection.effect) {
        (true, _, _) => Some(true),
        // Nobody looked.
        (false, Measured::Unknown(_), None) if measured.gauges.looked_at == 0 => None,
        (false, _, _) => Some(false),
    }
}

impl FaultOutcome {
    /// Whether the system was back in time; without a budget, whether it was back at all.
    pub(super) fn kept(&self) -> Kept {
        let budget = self.budget_us.unwrap_or(u64::MAX);
        match self.measured.recovery.took {
            Measured::Took(took) if took.most <= budget => Kept::Yes,
            Measured::Never(_) if self.budget_us.is_none() => Kept::No,
            took if took.is_over(budget) => Kept::No,
            Measured::Took(_)
            | Measured::Seems { .. }
            | Measured::Waiting(_)
            | Measured::Never(_)
            | Measured::Unknown(_) => Kept::Unclear,
        }
    }

    fn was_hurt(&self) -> bool {
        !matches!(self.measured.impact, Measured::Never(_))
    }
}

/// Judges faults at the end of a window.
pub(super) fn weigh(case: &mut Case, history: &History, outcomes: &[FaultOutcome]) {
    for outcome in outcomes {
        weigh_one(case, history, outcome);
    }
    let more = history.injections_seen().saturating_sub(INJECTIONS as u64);
    if more > 0 {
        let finding = format!("{more} of the first injections of faults are not judged: too many");
        case.hold(Verdict::Conditional, finding);
    }
    weigh_plan(case, history, outcomes);
    losses::weigh(case, history);
}

/// Judges faults while the window runs: what can only get worse.
pub(super) fn weigh_so_far(case: &mut Case, history: &History) {
    for injection in history.injections() {
        let name = name(history, injection.fault);
        if let Some(failed) = injection.failed.as_ref().filter(|failed| failed.undoing) {
            once(case, not_undone(&name, &failed.text));
            continue;
        }
        let plan = history.fault(injection.fault);
        let Some(budget) = plan.and_then(|plan| plan.recover_within_us) else {
            continue;
        };
        if known_late(history, injection, budget) {
            let budget = format::span(budget as f64 / 1e6);
            let finding = format!("the system was not back {budget} after {name} was ordered back");
            once(case, finding);
        }
    }
    losses::weigh(case, history);
}

/// A no-go that may have more than one injection for a reason.
fn once(case: &mut Case, finding: String) {
    if !case.findings.contains(&finding) {
        case.hold(Verdict::NoGo, finding);
    }
}

fn not_undone(name: &str, why: &str) -> String {
    let why = match why {
        "" => String::new(),
        why => format!(": {why}"),
    };
    format!("{name} was not undone and may still be in place{why}")
}

fn weigh_one(case: &mut Case, history: &History, outcome: &FaultOutcome) {
    let name = &outcome.name;
    let injection = history.injections().iter();
    let injection = injection.rev().find(|it| it.number == outcome.number);
    let said = injection
        .and_then(|it| it.failed.as_ref())
        .map_or("", |failed| &failed.text);
    if outcome.outstanding {
        return case.hold(Verdict::NoGo, not_undone(name, said));
    }
    if !outcome.done {
        let finding = match said {
            "" => format!("{name} could not be put in"),
            why => format!("{name} could not be put in: {why}"),
        };
        return case.hold(Verdict::Conditional, finding);
    }
    match outcome.effective {
        Some(true) => {}
        Some(false) => {
            let nothing = nothing_seen(&outcome.measured);
            case.hold(Verdict::Conditional, format!("{name} {nothing}"));
        }
        None => {
            let finding = format!("whether {name} did anything is not known");
            case.hold(Verdict::Conditional, finding);
        }
    }
    let is_group = history
        .fault(outcome.fault)
        .is_some_and(|plan| !plan.members.is_empty());
    if let Some(injection) = injection
        && !is_group
        && !is_undone_for_sure(injection, outcome)
    {
        let finding = format!("nothing proves that {name} was undone: a `check` would");
        case.hold(Verdict::Conditional, finding);
    }
    weigh_recovery(case, outcome);
    weigh_detection(case, outcome);
}

fn nothing_seen(measured: &Assessment) -> String {
    let nothing = "did nothing that was seen: no connection, no request";
    match measured.gauges.looked_at {
        0 => nothing.into(),
        1 => format!("{nothing}, nor the one gauge"),
        gauges => format!("{nothing}, none of {gauges} gauges"),
    }
}

/// Whether the state was read back after it was undone, or traffic that was hurt was seen to be well again.
fn is_undone_for_sure(injection: &Injection, outcome: &FaultOutcome) -> bool {
    let hurt = matches!(outcome.measured.impact, Measured::Took(_));
    let well = matches!(outcome.measured.recovery.took, Measured::Took(_));
    injection.cleared.is_none() || injection.proven || (hurt && well)
}

fn weigh_recovery(case: &mut Case, outcome: &FaultOutcome) {
    let name = &outcome.name;
    let took = outcome.measured.recovery.took;
    let budget = outcome
        .budget_us
        .map(|budget| format::span(budget as f64 / 1e6));
    let of = budget.map_or(String::new(), |budget| format!(", {budget} were allowed"));
    match (outcome.kept(), took) {
        (Kept::Yes, _) => {}
        (Kept::No, Measured::Never(_) | Measured::Waiting(_) | Measured::Unknown(_)) => {
            let finding = format!("the system had not come back from {name} {took}{of}");
            case.hold(Verdict::NoGo, finding.replace("not within", "within"));
        }
        (Kept::No, Measured::Took(took) | Measured::Seems { took, .. }) => {
            let took = between(took);
            let finding = format!("the system took {took} to come back from {name}{of}");
            case.hold(Verdict::NoGo, finding);
        }
        // What was never away need not come back.
        (Kept::Unclear, Measured::Seems { .. } | Measured::Unknown(Why::Ended))
            if !outcome.was_hurt() && outcome.effective.is_some() => {}
        (Kept::Unclear, Measured::Unknown(why)) => {
            let finding = format!("whether the system came back from {name} is not known");
            case.hold(Verdict::Conditional, format!("{finding}: {}", why.text()));
        }
        (Kept::Unclear, took) => {
            let finding = format!("the recovery from {name} cannot be told from its budget");
            case.hold(Verdict::Conditional, format!("{finding}: {took}{of}"));
        }
    }
    let breaches = outcome.measured.breaches.len();
    if breaches > 0 && outcome.was_hurt() {
        let times = if breaches == 1 {
            "once"
        } else {
            "more than once"
        };
        let finding =
            format!("after {name}, traffic was well and then out of bounds again {times}");
        case.findings.push(finding);
    }
}

/// A fault that nobody noticed is worth a word, and no more: it is about the watch, not about the system.
fn weigh_detection(case: &mut Case, outcome: &FaultOutcome) {
    let Some(alert) = &outcome.detect else {
        return;
    };
    let detection = &outcome.measured.detection;
    let name = &outcome.name;
    let finding = match detection.took {
        Measured::Took(_) | Measured::Seems { .. } => return,
        Measured::Never(_) | Measured::Waiting(_) if detection.note.is_empty() => {
            format!("{alert} did not fire for {name}")
        }
        Measured::Never(_) | Measured::Waiting(_) => {
            format!("{alert} could not notice {name}: {}", detection.note)
        }
        Measured::Unknown(why) => {
            format!(
                "whether {alert} noticed {name} is not known: {}",
                why.text()
            )
        }
    };
    case.hold(Verdict::Conditional, finding);
}

/// What was planned and did not run.
fn weigh_plan(case: &mut Case, history: &History, outcomes: &[FaultOutcome]) {
    let Some(window) = history.window() else {
        return;
    };
    for (fault, plan) in window.faults.iter().enumerate() {
        let planned = window.phases.iter().find(|it| it.faults.contains(&fault));
        let ran = outcomes.iter().any(|outcome| outcome.fault == fault);
        if let Some(phase) = planned.filter(|_| !ran) {
            let finding = format!("{} was planned for {} and never ran", plan.name, phase.name);
            case.hold(Verdict::Conditional, finding);
        }
    }
}
