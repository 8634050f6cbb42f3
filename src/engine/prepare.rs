//! From a profile to work that workers can begin: everything that can fail is tried here, before anything is sent.

use std::sync::Arc;

use super::plan;
use crate::load::fleet::{FleetSpec, ScenarioSpec, Traffic};
use crate::load::http::TransportPlan;
use crate::load::http_work::HttpPlan;
use crate::load::journey::{Feeds, Program};
use crate::load::limits;
use crate::load::schedule::Curve;
use crate::load::stats::Redact;
use crate::profile::Profile;
use crate::profile::model::Model;

/// What the workers are to do, and what the operator should know before they begin.
#[derive(Debug)]
pub struct Prepared {
    /// For the fleet.
    pub spec: FleetSpec<HttpPlan>,
    /// Sentences.
    pub warnings: Vec<String>,
}

/// Everything that is wrong with a profile's load.
#[derive(Debug, thiserror::Error)]
#[error("the load cannot begin:\n  {}", .0.join("\n  "))]
pub struct LoadError(pub Vec<String>);

/// Compiles journeys, reads data files and certificates, raises the limit on open files. The curves are still empty:
/// the conductor sends them.
///
/// # Errors
/// With every mistake that was found, not only the first.
pub fn prepare(profile: &Profile, workers: usize) -> Result<Prepared, LoadError> {
    let mut mistakes = Vec::new();
    let feeds = collect(&mut mistakes, Feeds::load(profile));
    let first_steps = plan::first_steps(profile);
    let mut scenarios = Vec::new();
    for (index, scenario) in profile.scenarios.iter().enumerate() {
        let program = collect(
            &mut mistakes,
            Program::compile(profile, index, first_steps[index]),
        );
        let transport = TransportPlan::compile(scenario, &profile.window.allow_hosts);
        let transport = collect(&mut mistakes, transport.map_err(|error| vec![error]));
        scenarios.push((scenario, program, transport));
    }
    let feeds = feeds.map(Arc::new);
    let specs = scenarios
        .into_iter()
        .filter_map(|(scenario, program, transport)| {
            let (program, feeds) = (Arc::new(program?), Arc::clone(feeds.as_ref()?));
            let plan = HttpPlan::new(scenario, transport?, program, feeds, profile.window.seed);
            let traffic = match scenario.model {
                Model::Open {
                    arrivals,
                    max_in_flight,
                    ..
                } => Traffic::Open {
                    arrivals,
                    max_in_flight,
                },
                Model::Closed { iterations, .. } => Traffic::Closed { iterations },
            };
            Some(ScenarioSpec {
                plan: Arc::new(plan),
                traffic,
                curve: Curve::default(),
                running: scenario.start,
            })
        });
    let specs: Vec<_> = specs.collect();
    if !mistakes.is_empty() {
        return Err(LoadError(mistakes));
    }
    let redactor = profile.redactor();
    let spec = FleetSpec {
        workers,
        cpus: Vec::new(),
        tick: profile.window.tick,
        seed: profile.window.seed,
        steps: plan::names(profile).steps.len(),
        scenarios: specs,
        redact: Redact(Arc::new(move |text| redactor.text(text).into_owned())),
    };
    Ok(Prepared {
        spec,
        warnings: warnings(profile, workers),
    })
}

fn warnings(profile: &Profile, workers: usize) -> Vec<String> {
    let insecure = profile
        .scenarios
        .iter()
        .filter(|scenario| scenario.tls.insecure)
        .map(|scenario| {
            format!(
                "INSECURE: scenario `{}` accepts any certificate of {}",
                scenario.name, scenario.target
            )
        });
    let files = limits::warning(
        limits::files_needed(profile, workers),
        limits::raise_files(),
    );
    insecure.chain(files).collect()
}

fn collect<T, E: std::fmt::Display>(
    mistakes: &mut Vec<String>,
    result: Result<T, Vec<E>>,
) -> Option<T> {
    result
        .map_err(|errors| mistakes.extend(errors.iter().map(ToString::to_string)))
        .ok()
}
