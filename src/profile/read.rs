//! Reading a profile: TOML text in, [`Profile`] or everything that is wrong with it out.
//!
//! The text is parsed once, with recovery, so that mistakes of syntax do not hide the others. Then one file a kind of
//! table takes its keys, in an order in which everything that is referred to has been read before: data, journeys,
//! scenarios, targets, gauges, faults, phases, gates. Each notes mistakes and goes on; only at the end is it decided.

mod body;
mod check;
mod context;
mod fault;
mod gate;
mod gauge;
mod journey;
mod ledger;
mod names;
mod phase;
mod scenario;
mod set;
mod table;
mod target;
mod window;

use std::collections::HashSet;
use std::path::Path;

use toml::de::DeTable;

use self::context::{Context, Found};
use self::table::Table;
use super::diagnostic::{Diagnostic, MOST, ProfileError};
use super::interpolate::Lookup;
use super::model::Profile;
use super::source::Options;

pub use self::set::gauge_set;

/// Reads a profile's text. `origin` names it in messages, `base` is where its relative paths start.
pub(super) fn read(
    text: &str,
    origin: &Path,
    base: &Path,
    options: &Options,
) -> Result<Profile, ProfileError> {
    let (document, syntax) = DeTable::parse_recoverable(text);
    let lookup = Lookup {
        given: &options.variables,
        env: &options.env,
    };
    let cx = Context::new(lookup, base, options.time_scale);
    let top = Table::new(&cx, document.get_ref(), 0..0, "a profile");
    let mut profile = tables(top, origin);
    let found = cx.finish();
    text.clone_into(&mut profile.source);
    origin.clone_into(&mut profile.path);
    profile.time_scale = options.time_scale;

    let omitted = found.omitted + syntax.len().saturating_sub(MOST);
    let (diagnostics, found) = mistakes(text, &syntax, found);
    if diagnostics.is_empty() && omitted == 0 {
        profile.variables = found.variables;
        profile.secrets = found.secrets;
        Ok(profile)
    } else {
        let origin = origin.display().to_string();
        Err(ProfileError::new(origin, text, diagnostics, omitted))
    }
}

/// Every table of the profile. What comes out is only whole when no mistake was noted.
fn tables(mut top: Table<'_, '_>, origin: &Path) -> Profile {
    let window = window::read(&mut top, origin);
    let data = journey::read_data(&mut top);
    let (ledgers, ledger_names) = ledger::read_all(&mut top);
    let mut journeys = journey::read_all(&mut top, &ledger_names);
    let scenarios = scenario::read_all(&mut top, &mut journeys);
    let (targets, target_names) = target::read_all(&mut top);
    let gauges = gauge::read_all(&mut top, &target_names);
    let (faults, fault_names) = fault::read_all(&mut top);
    let around = phase::Around {
        scenarios: &scenarios.list,
        faults: &faults,
        fault_names: &fault_names,
    };
    let (phases, expectations) = phase::read_all(&mut top, &window, &around);
    let gates = gate::read_all(&mut top, &scenarios, &journeys, &phases, expectations);
    let notify = window::read_notify(&mut top);
    if scenarios.list.is_empty() && targets.is_empty() && faults.is_empty() {
        top.cx.report(
            Diagnostic::new("this profile does nothing", 0..0)
                .help("add a `[[scenario]]`, a `[[target]]` to watch, or a `[[fault]]` to drill"),
        );
    }
    top.finish();
    Profile {
        window,
        scenarios: scenarios.list,
        journeys: journeys.list,
        ledgers,
        data,
        targets,
        gauges,
        faults,
        phases: phases.list,
        gates,
        notify,
        source: String::new(),
        path: origin.to_owned(),
        variables: std::collections::BTreeMap::new(),
        secrets: super::secret::Secrets::default(),
        time_scale: 1.0,
    }
}

/// The mistakes of syntax, and those of content that are not their mere consequence.
fn mistakes(text: &str, syntax: &[toml::de::Error], mut found: Found) -> (Vec<Diagnostic>, Found) {
    let breaks: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
    let line = |at: usize| breaks.partition_point(|end| *end < at);
    let mut diagnostics: Vec<Diagnostic> = syntax
        .iter()
        .take(MOST)
        .map(|error| Diagnostic::new(error.message(), error.span().unwrap_or(0..0)).label("here"))
        .collect();
    let broken: HashSet<usize> = diagnostics.iter().map(|d| line(d.span.start)).collect();
    let content = std::mem::take(&mut found.diagnostics);
    if broken.is_empty() {
        diagnostics.extend(content);
    } else {
        // What is missing may stand on a broken line; what stands on a broken line was guessed.
        diagnostics.extend(content.into_iter().filter(|d| {
            d.label.starts_with("did you mean") && !broken.contains(&line(d.span.start))
        }));
    }
    for (name, place) in &found.secret_places {
        if found.variables.contains_key(name) {
            diagnostics.push(
                Diagnostic::new(
                    format!("`{name}` is a secret here and an ordinary variable elsewhere"),
                    place.clone(),
                )
                .help(format!("write `${{secret:{name}}}` everywhere")),
            );
        }
    }
    (diagnostics, found)
}
