//! From a profile to what the session says of it at its start: names by index, and the window as planned.

use std::time::Duration;

use crate::profile::Profile;
use crate::profile::model::{
    Fault, FaultDriver, Gate, Model, Scenario, Scope, Severity, Target, TargetSource,
};
use crate::profile::plan::whereabouts;
use crate::session::record::{
    FaultPlan, GatePlan, GaugePlan, ModelName, Names, PhasePlan, ScenarioPlan, StepName,
    TargetPlan, Window,
};

/// The names that records refer to by index. Steps are numbered by scenario, then by the scenario's journeys, then by
/// the journeys' steps.
pub fn names(profile: &Profile) -> Names {
    let steps = profile
        .scenarios
        .iter()
        .enumerate()
        .flat_map(|(index, scenario)| {
            scenario.journeys.iter().flat_map(move |share| {
                let journey = &profile.journeys[share.journey];
                journey.steps.iter().map(move |step| StepName {
                    scenario: index,
                    journey: journey.name.clone(),
                    step: step.name.clone(),
                })
            })
        });
    Names {
        scenarios: profile
            .scenarios
            .iter()
            .map(|scenario| scenario.name.clone())
            .collect(),
        steps: steps.collect(),
        phases: profile
            .phases
            .iter()
            .map(|phase| phase.name.clone())
            .collect(),
        ..Names::default()
    }
}

/// Index of each scenario's first step in [`Names::steps`].
pub fn first_steps(profile: &Profile) -> Vec<usize> {
    let counts = profile.scenarios.iter().map(|scenario| {
        scenario
            .journeys
            .iter()
            .map(|share| profile.journeys[share.journey].steps.len())
            .sum::<usize>()
    });
    counts
        .scan(0, |next, count| {
            let first = *next;
            *next += count;
            Some(first)
        })
        .collect()
}

/// Journeys in all; `None` unless every scenario has a fixed number of them, so that the window ends with the last.
pub fn work(profile: &Profile) -> Option<u64> {
    let of_each = profile
        .scenarios
        .iter()
        .map(|scenario| match scenario.model {
            Model::Closed { iterations, .. } => iterations,
            Model::Open { .. } => None,
        });
    let sum = of_each.reduce(|all, one| Some(all?.saturating_add(one?)));
    sum.flatten()
}

/// The window as planned, for the session's second record.
pub fn window(
    profile: &Profile,
    by: &str,
    workers: usize,
    wall: u64,
    warnings: Vec<String>,
) -> Window {
    Window {
        name: profile.window.name.clone(),
        about: profile.window.about.clone(),
        environment: profile.window.environment.clone(),
        runbook: profile.window.runbook.clone(),
        seed: profile.window.seed,
        wall,
        tick_us: micros(profile.window.tick),
        time_scale: profile.time_scale,
        by: by.to_owned(),
        stormdeck: env!("CARGO_PKG_VERSION").to_owned(),
        workers,
        profile: profile.path.display().to_string(),
        source: profile.source.clone(),
        variables: profile.variables.clone(),
        phases: profile
            .phases
            .iter()
            .map(|phase| PhasePlan {
                name: phase.name.clone(),
                length_us: micros(phase.length),
                ramp_us: micros(phase.ramp),
                load: phase.load.0,
                climb: phase.climb.clone(),
                faults: phase.faults.iter().map(|planned| planned.fault).collect(),
            })
            .collect(),
        scenarios: profile.scenarios.iter().map(scenario_plan).collect(),
        gates: profile.gates.iter().map(gate_plan).collect(),
        targets: profile.targets.iter().map(target_plan).collect(),
        gauges: gauge_plans(profile),
        faults: profile.faults.iter().map(fault_plan).collect(),
        predicted: profile.window.predicted.clone(),
        metrics: None,
        warnings,
    }
}

fn scenario_plan(scenario: &Scenario) -> ScenarioPlan {
    let (model, amount) = match scenario.model {
        Model::Open { rate, .. } => (ModelName::Open, rate.0),
        Model::Closed { users, .. } => (ModelName::Closed, f64::from(users)),
    };
    ScenarioPlan {
        name: scenario.name.clone(),
        key: scenario.key,
        target: scenario.target.shown().to_owned(),
        model,
        amount,
    }
}

fn target_plan(target: &Target) -> TargetPlan {
    let kind = match &target.source {
        TargetSource::Scrape(_) | TargetSource::Many(_) => "scrape",
        TargetSource::Prometheus(_) => "prometheus",
        TargetSource::Alertmanager(_) => "alertmanager",
    };
    TargetPlan {
        name: target.name.clone(),
        kind: kind.to_owned(),
        url: whereabouts(&target.source),
        every_us: micros(target.every),
    }
}

fn gauge_plans(profile: &Profile) -> Vec<GaugePlan> {
    let plans = profile.gauges.iter().map(|gauge| GaugePlan {
        name: gauge.name.clone(),
        of: gauge.of.map(|of| profile.targets[of].name.clone()),
        expr: gauge.expr.clone(),
        unit: gauge.unit.name().to_owned(),
        warn: gauge.warn.map(|level| level.text(gauge.unit)),
        crit: gauge.crit.map(|level| level.text(gauge.unit)),
    });
    plans.collect()
}

fn gate_plan(gate: &Gate) -> GatePlan {
    let of = match &gate.of {
        Scope::All => String::new(),
        Scope::Scenario(name)
        | Scope::Journey(name)
        | Scope::Step {
            journey: None,
            step: name,
        } => name.clone(),
        Scope::Step {
            journey: Some(journey),
            step,
        } => format!("{journey}/{step}"),
    };
    let severity = match gate.severity {
        Severity::Blocker => "blocker",
        Severity::Advisory => "advisory",
    };
    GatePlan {
        name: gate.name.clone(),
        of,
        expect: gate.expect.to_string(),
        during: gate.during.clone(),
        severity: severity.to_owned(),
        abort_after_us: gate.abort_after.map(micros),
        over_us: micros(gate.over),
    }
}

fn fault_plan(fault: &Fault) -> FaultPlan {
    let members = match &fault.driver {
        FaultDriver::Group { faults, .. } => faults.clone(),
        FaultDriver::Proxy { .. }
        | FaultDriver::Toxiproxy { .. }
        | FaultDriver::Http { .. }
        | FaultDriver::Exec { .. }
        | FaultDriver::Process { .. }
        | FaultDriver::Stress(_)
        | FaultDriver::Network(_) => Vec::new(),
    };
    FaultPlan {
        name: fault.name.clone(),
        key: fault.key,
        kind: fault.driver.kind(),
        max_us: micros(fault.max),
        recover_within_us: fault.recover_within.map(micros),
        detect: fault.detect.clone(),
        service: fault.service.clone(),
        members,
    }
}

/// Whole microseconds, as the session counts time.
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
