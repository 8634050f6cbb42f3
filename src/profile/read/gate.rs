//! `[[gate]]`, and the gates that the phases' own `expect` lines make.

use std::collections::HashMap;
use std::time::Duration;

use super::journey::{Journeys, choice};
use super::names::{Names, unresolved};
use super::phase::{Expected, Phases};
use super::scenario::Scenarios;
use super::table::{Node, Table};
use crate::profile::diagnostic::Diagnostic;
use crate::profile::expect::{Cmp, Expectation};
use crate::profile::model::{Gate, Scope, Severity};

/// The span over which a gate's live state is judged, unless said otherwise.
const OVER: Duration = Duration::from_secs(10);

/// What gates may look at, by name.
struct Known<'x> {
    scenarios: &'x Names,
    journeys: &'x Journeys,
    /// How many journeys have a step of this name.
    steps: HashMap<&'x str, usize>,
    phases: &'x Phases,
}

pub(super) fn read_all(
    top: &mut Table<'_, '_>,
    scenarios: &Scenarios,
    journeys: &Journeys,
    phases: &Phases,
    expected: Vec<Expected>,
) -> Vec<Gate> {
    let mut known = Known {
        scenarios: &scenarios.names,
        journeys,
        steps: HashMap::new(),
        phases,
    };
    for step in journeys.list.iter().flat_map(|journey| &journey.steps) {
        *known.steps.entry(&step.name).or_default() += 1;
    }
    let mut names = Names::new("gate");
    let mut gates = Vec::new();
    if let Some(node) = top.take("gate") {
        for table in node.tables("a gate") {
            gates.push(read(table, &mut names, &known));
        }
    }
    for Expected {
        phase,
        during,
        expect,
        place,
    } in expected
    {
        let name = format!("{expect} in {phase}");
        names.add(top.cx, &name, place);
        gates.push(Gate {
            name,
            of: Scope::All,
            expect,
            during,
            severity: Severity::Blocker,
            abort_after: None,
            over: top.cx.scaled(OVER),
        });
    }
    gates
}

fn read(mut owned: Table<'_, '_>, names: &mut Names, known: &Known<'_>) -> Gate {
    let table = &mut owned;
    let given = table
        .take("name")
        .and_then(|node| Some((node.string()?, node.place())));
    let of = table.take("of").map(|node| scope(&node, known));
    let expect: Option<Expectation> = table.need("expect").and_then(|node| node.parse());
    let (during_names, during) = during(table, known);
    let severities = [
        ("blocker", Severity::Blocker),
        ("advisory", Severity::Advisory),
    ];
    let severity = table
        .take("severity")
        .and_then(|node| choice(&node, &severities));
    let own_name = match (given, expect, &of) {
        (Some(given), _, _) => Some(given),
        // Without either, the name would be a guess, and a clash of guesses no mistake of the author.
        (None, None, _) | (None, _, Some(None)) => None,
        (None, Some(expect), of) => {
            let of = match of {
                Some(Some(scope)) => format!(" of {scope}"),
                Some(None) | None => String::new(),
            };
            let during = match during_names.join(", ") {
                all if all.is_empty() => all,
                some => format!(" in {some}"),
            };
            Some((format!("{expect}{of}{during}"), table.place.clone()))
        }
    };
    if let Some((name, place)) = &own_name {
        names.add(table.cx, name, place.clone());
    }
    let gate = Gate {
        name: own_name.map_or_else(String::new, |(name, _)| name),
        of: of.flatten().unwrap_or_default(),
        // The stand-in never comes out: a gate without an expectation is a mistake.
        expect: expect.unwrap_or(Expectation::Requests {
            cmp: Cmp::Greater,
            bound: 0.0,
        }),
        during,
        severity: severity.unwrap_or_default(),
        abort_after: table
            .positive("abort_after")
            .map(|time| table.cx.scaled(time)),
        over: table.cx.scaled(table.positive("over").unwrap_or(OVER)),
    };
    owned.finish();
    gate
}

/// The phases of a gate: their names as written, and their indexes.
fn during(table: &mut Table<'_, '_>, known: &Known<'_>) -> (Vec<String>, Vec<usize>) {
    let nodes = table.take("during").and_then(|node| node.list());
    let nodes = nodes.unwrap_or_default();
    let names: Vec<(String, &Node<'_, '_>)> = nodes
        .iter()
        .filter_map(|node| Some((node.string()?, node)))
        .collect();
    let mut indexes: Vec<usize> = names
        .iter()
        .flat_map(|(name, node)| phases(node, name, known.phases))
        .collect();
    indexes.sort_unstable();
    indexes.dedup();
    (names.into_iter().map(|(name, _)| name).collect(), indexes)
}

/// The indexes of a phase, or of all steps of a climb.
fn phases(node: &Node<'_, '_>, name: &str, phases: &Phases) -> Vec<usize> {
    let group = phases.groups.iter().find(|(group, _)| group == name);
    if let Some((_, indexes)) = group {
        return indexes.clone();
    }
    if let Some(index) = phases.list.iter().position(|phase| phase.name == name) {
        return vec![index];
    }
    let names = phases.groups.iter().map(|(name, _)| name.as_str());
    unresolved(node.cx, "phase", name, node.place(), names);
    Vec::new()
}

/// A scenario, else a journey, else a step, else `journey/step`.
fn scope(node: &Node<'_, '_>, known: &Known<'_>) -> Option<Scope> {
    let name = node.string()?;
    if known.scenarios.get(&name).is_some() {
        return Some(Scope::Scenario(name));
    }
    if known.journeys.names.get(&name).is_some() {
        return Some(Scope::Journey(name));
    }
    match known.steps.get(name.as_str()) {
        Some(1) => {
            return Some(Scope::Step {
                journey: None,
                step: name,
            });
        }
        Some(_) => {
            ambiguous(node, &name, known);
            return None;
        }
        None => {}
    }
    // Both names may hold a slash of their own.
    for (at, _) in name.match_indices('/') {
        let (journey, step) = (&name[..at], &name[at + 1..]);
        let steps = known
            .journeys
            .names
            .get(journey)
            .and_then(|index| known.journeys.list.get(index));
        if steps.is_some_and(|journey| journey.steps.iter().any(|s| s.name == step)) {
            return Some(Scope::Step {
                journey: Some(journey.to_owned()),
                step: step.to_owned(),
            });
        }
    }
    let all = known
        .scenarios
        .iter()
        .chain(known.journeys.names.iter())
        .chain(known.steps.keys().copied());
    unresolved(
        node.cx,
        "scenario, journey or step",
        &name,
        node.place(),
        all,
    );
    None
}

fn ambiguous(node: &Node<'_, '_>, name: &str, known: &Known<'_>) {
    let full: Vec<String> = known
        .journeys
        .list
        .iter()
        .filter(|journey| journey.steps.iter().any(|step| step.name == name))
        .take(6)
        .map(|journey| format!("`{}/{name}`", journey.name))
        .collect();
    node.cx.report(
        Diagnostic::new(
            format!("several journeys have a step `{name}`"),
            node.place(),
        )
        .help(format!("write {}", full.join(" or "))),
    );
}
