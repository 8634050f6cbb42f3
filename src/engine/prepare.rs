//! From a profile to work that workers can begin: everything that can fail is tried here, before anything is sent.

use std::collections::HashSet;
use std::sync::Arc;

use super::{embedded, metrics, plan};
use crate::load::fleet::{FleetSpec, ScenarioSpec, Traffic};
use crate::load::http::TransportPlan;
use crate::load::http_work::HttpPlan;
use crate::load::journey::{Feeds, Program, ReadBack};
use crate::load::ledger::Reader;
use crate::load::limits;
use crate::load::schedule::Curve;
use crate::profile::Profile;
use crate::profile::model::{JourneyShare, Model};
use crate::scrape::watch::{self, WatchError};

/// What the workers are to do, and what the operator should know before they begin.
#[derive(Debug)]
pub struct Prepared<P = HttpPlan> {
    /// For the fleet.
    pub spec: FleetSpec<P>,
    /// How writes are read back, by ledger of the profile.
    pub ledgers: Vec<Reader>,
    /// Sentences.
    pub warnings: Vec<String>,
}

/// Everything that is wrong with what a profile puts on a system, and what it watches of it.
#[derive(Debug, thiserror::Error)]
#[error("the window cannot begin:\n  {}", .0.join("\n  "))]
pub struct LoadError(pub Vec<String>);

/// Tries everything that can fail before a window, and begins nothing: what it finds is what would keep the window
/// from beginning. Gives what this machine has too little of, in sentences; what the profile itself warns of is in its
/// [`plan`](crate::profile::plan::Plan).
///
/// # Errors
/// With every mistake that was found, not only the first.
pub fn check(profile: &Profile, workers: usize) -> Result<Vec<String>, LoadError> {
    let mut profile = profile.clone();
    let found = embedded::check(&mut profile);
    let mut mistakes: Vec<String> = found.iter().map(ToString::to_string).collect();
    if let Err(LoadError(more)) = prepare(&profile, workers) {
        mistakes.extend(more);
    }
    if let Err(WatchError(more)) = watch::check(&profile.targets, &profile.gauges) {
        mistakes.extend(more);
    }
    if !mistakes.is_empty() {
        return Err(LoadError(mistakes));
    }
    let own = exposed(&profile).into_iter();
    let files = files_warning(&profile, workers);
    Ok(own.chain(files).chain(short_phases(&profile)).collect())
}

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
    if let Some(feeds) = &feeds {
        let programs = scenarios
            .iter()
            .filter_map(|(_, program, _)| program.as_ref());
        for program in programs {
            collect(&mut mistakes, program.check_feeds(feeds));
        }
    }
    let ledgers = readers(profile, &mut mistakes);
    // Scenarios share journeys, and each says what is wrong with its own.
    let mut said = HashSet::new();
    mistakes.retain(|mistake| said.insert(mistake.clone()));
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
    let spec = FleetSpec {
        workers,
        cpus: Vec::new(),
        tick: profile.window.tick,
        seed: profile.window.seed,
        steps: plan::names(profile).steps.len(),
        scenarios: specs,
        redactor: profile.redactor(),
    };
    Ok(Prepared {
        spec,
        ledgers,
        warnings: warnings(profile, workers),
    })
}

/// How the writes of each ledger are read back: over the scenario that writes them, the first if there are several.
fn readers(profile: &Profile, mistakes: &mut Vec<String>) -> Vec<Reader> {
    let mut readers = Vec::new();
    for (index, ledger) in profile.ledgers.iter().enumerate() {
        let writes = |share: &JourneyShare| {
            let journey = profile.journeys.get(share.journey);
            journey
                .is_some_and(|journey| journey.steps.iter().any(|step| step.ledger == Some(index)))
        };
        let Some(scenario) = profile
            .scenarios
            .iter()
            .find(|scenario| scenario.journeys.iter().any(writes))
        else {
            mistakes.push(format!(
                "ledger `{}`: no step that a scenario runs writes to it",
                ledger.name
            ));
            continue;
        };
        let transport = TransportPlan::compile(scenario, &profile.window.allow_hosts);
        let transport = collect(mistakes, transport.map_err(|error| vec![error]));
        let read = collect(mistakes, ReadBack::compile(ledger, scenario));
        if let (Some(read), Some(transport)) = (read, transport) {
            readers.push(Reader {
                read: Arc::new(read),
                transport,
                connect_timeout: scenario.connect_timeout,
            });
        }
    }
    readers
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
    insecure
        .chain(exposed(profile))
        .chain(files_warning(profile, workers))
        .chain(short_phases(profile))
        .collect()
}

/// What to say when phases are too short to be seen in the recording, as in a rehearsal at a small time scale.
fn short_phases(profile: &Profile) -> Option<String> {
    let tick = profile.window.tick;
    let mut short = profile.phases.iter().filter(|phase| phase.length < tick);
    let first = &short.next()?.name;
    let who = match short.count() {
        0 => format!("phase `{first}` is"),
        more => format!("phase `{first}` and {more} more are"),
    };
    Some(format!(
        "{who} shorter than a tick ({tick:?}), and may be missing from the recording; a shorter `tick` in `[window]` shows more"
    ))
}

/// What to say of metrics that others than this machine can read.
fn exposed(profile: &Profile) -> Option<String> {
    metrics::exposed(profile.window.metrics.as_deref()?)
}

fn files_warning(profile: &Profile, workers: usize) -> Option<String> {
    let needed = limits::files_needed(profile, workers);
    limits::warning(needed, limits::raise_files())
}

fn collect<T, E: std::fmt::Display>(
    mistakes: &mut Vec<String>,
    result: Result<T, Vec<E>>,
) -> Option<T> {
    result
        .map_err(|errors| mistakes.extend(errors.iter().map(ToString::to_string)))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Options, load};

    #[test]
    fn a_column_that_a_data_file_lacks_is_a_mistake_and_said_once_for_all_scenarios() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("users.csv"), "name,password\nann,one\n").unwrap();
        let scenario = |name: &str| {
            format!(
                "[[scenario]]\nname = \"{name}\"\nrate = \"1/s\"\ntarget = \"http://127.0.0.1:1\"\n\
                 journeys = [{{ name = \"j\" }}]\n"
            )
        };
        let text = format!(
            "[window]\nname = \"w\"\nduration = \"1s\"\n{}{}\
             [[journey]]\nname = \"j\"\nsteps = [{{ name = \"x\", get = \"/{{{{ user.nmae }}}}\" }}]\n\
             [[data]]\nname = \"user\"\nfile = \"users.csv\"\n",
            scenario("a"),
            scenario("b")
        );
        let path = dir.path().join("profile.toml");
        std::fs::write(&path, text).unwrap();
        let profile = load(&path.display().to_string(), &Options::default()).unwrap();
        let LoadError(mistakes) = prepare(&profile, 1).unwrap_err();
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        assert!(mistakes[0].contains("no column `nmae`"), "{mistakes:?}");
    }
}
