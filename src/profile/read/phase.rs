//! `[[phase]]`: the stretches of a window, and the one that a window without them has.

use std::time::Duration;

use toml::de::DeValue;

use super::names::Names;
use super::table::{Node, Place, Table};
use crate::profile::diagnostic::Diagnostic;
use crate::profile::expect::Expectation;
use crate::profile::model::{Fault, Model, Phase, PhaseFault, Scenario, Window};
use crate::profile::units::{Factor, format_duration};

/// How long a window lasts at most whose end is that the work is done.
const WORK_BOUND: Duration = Duration::from_mins(10);
/// The most steps of a climb.
const MOST_STEPS: u64 = 1000;
/// The name of the phase of a window that has none.
const ONLY: &str = "main";

/// Phases, and the names under which gates know them: a phase's own, or that of a climb for all its steps.
pub(super) struct Phases {
    pub list: Vec<Phase>,
    pub groups: Vec<(String, Vec<usize>)>,
}

/// An `expect` line of a phase, to become a gate.
pub(super) struct Expected {
    pub phase: String,
    pub during: Vec<usize>,
    pub expect: Expectation,
    pub place: Place,
}

/// What phases refer to.
pub(super) struct Around<'x> {
    pub scenarios: &'x [Scenario],
    pub faults: &'x [Fault],
    pub fault_names: &'x Names,
}

pub(super) fn read_all(
    top: &mut Table<'_, '_>,
    window: &Window,
    around: &Around<'_>,
) -> (Phases, Vec<Expected>) {
    let mut phases = Phases {
        list: Vec::new(),
        groups: Vec::new(),
    };
    let mut expected = Vec::new();
    let mut names = Names::new("phase");
    let node = top.take("phase");
    if let Some(node) = &node {
        for table in node.tables("a phase") {
            read(table, &mut phases, &mut expected, &mut names, around);
        }
    }
    match (node, window.duration) {
        (None, duration) => only(
            top,
            &mut phases,
            duration.or_else(|| bound(around.scenarios)),
        ),
        (Some(node), Some(_)) => node.cx.report(
            Diagnostic::new(
                "a window has either phases or a `duration`",
                node.key_place.clone(),
            )
            .help("remove `duration` from `[window]`: the phases say how long it lasts"),
        ),
        (Some(_), None) => {}
    }
    let total: Duration = phases.list.iter().fold(Duration::ZERO, |sum, phase| {
        sum.saturating_add(phase.length)
    });
    if total > crate::profile::units::LONGEST {
        top.cx.wrong(0..0, "the phases last longer than 1000 days");
    }
    (phases, expected)
}

/// Work that ends by itself needs no length, only a bound.
fn bound(scenarios: &[Scenario]) -> Option<Duration> {
    let ends = |scenario: &Scenario| match scenario.model {
        Model::Closed { iterations, .. } => iterations.is_some(),
        Model::Open { .. } => false,
    };
    (!scenarios.is_empty() && scenarios.iter().all(ends)).then_some(WORK_BOUND)
}

/// The phase of a window without `[[phase]]`.
fn only(top: &Table<'_, '_>, phases: &mut Phases, length: Option<Duration>) {
    if length.is_none() {
        top.cx.report(
            Diagnostic::new("this profile does not say how long it lasts", 0..0)
                .help("write `duration = \"1m\"` in `[window]`, or add a `[[phase]]`"),
        );
    }
    phases.groups.push((ONLY.to_owned(), vec![0]));
    phases.list.push(Phase {
        name: ONLY.to_owned(),
        length: length.unwrap_or(WORK_BOUND),
        load: Factor(1.0),
        ramp: Duration::ZERO,
        faults: Vec::new(),
        climb: None,
    });
}

fn read(
    mut table: Table<'_, '_>,
    phases: &mut Phases,
    expected: &mut Vec<Expected>,
    names: &mut Names,
    around: &Around<'_>,
) {
    let name = names.read(&mut table);
    let first = phases.list.len();
    let climb = table.take("climb");
    let length = table.take("for");
    let load = table.take("load");
    let ramp = table.take("ramp");
    let faults = table.take("faults");
    if let Some(node) = climb {
        for foreign in [&length, &load, &faults].into_iter().flatten() {
            foreign.cx.wrong(
                foreign.key_place.clone(),
                format!(
                    "`{}` beside `climb`, which says it for each step",
                    foreign.key
                ),
            );
        }
        climb_steps(&node, &name, ramp.as_ref(), phases, names);
    } else {
        if length.is_none() {
            table.missing("for");
        }
        let length = length.and_then(|node| node.positive());
        let load = load.and_then(|node| node.parse()).unwrap_or(Factor(1.0));
        let phase = Phase {
            name: name.clone(),
            ramp: ramp_within(ramp.as_ref(), length),
            faults: faults.map_or_else(Vec::new, |node| phase_faults(&node, length, around)),
            length: table.cx.scaled(length.unwrap_or(WORK_BOUND)),
            load,
            climb: None,
        };
        phases.list.push(phase);
    }
    let during: Vec<usize> = (first..phases.list.len()).collect();
    for node in table
        .take("expect")
        .and_then(|node| node.list())
        .unwrap_or_default()
    {
        if let Some(expect) = node.parse::<Expectation>() {
            expected.push(Expected {
                phase: name.clone(),
                during: during.clone(),
                expect,
                place: node.place(),
            });
        }
    }
    phases.groups.push((name, during));
    table.finish();
}

/// A ramp, scaled, that is no longer than its phase.
fn ramp_within(node: Option<&Node<'_, '_>>, length: Option<Duration>) -> Duration {
    let Some((node, ramp)) = node.and_then(|node| Some((node, node.duration()?))) else {
        return Duration::ZERO;
    };
    if let Some(length) = length
        && ramp > length
    {
        node.wrong(format!(
            "a ramp of {} does not fit into a phase of {}",
            format_duration(ramp),
            format_duration(length)
        ));
    }
    node.cx.scaled(ramp)
}

fn phase_faults(
    node: &Node<'_, '_>,
    length: Option<Duration>,
    around: &Around<'_>,
) -> Vec<PhaseFault> {
    let Some(nodes) = node.list() else {
        return Vec::new();
    };
    nodes
        .iter()
        .filter_map(|node| phase_fault(node, length.unwrap_or(Duration::MAX), around))
        .collect()
}

/// `"slow database"`, or `{ name = "slow database", after = "30s", for = "60s" }`.
fn phase_fault(node: &Node<'_, '_>, phase: Duration, around: &Around<'_>) -> Option<PhaseFault> {
    if matches!(node.value(), DeValue::String(_)) {
        let name = node.string()?;
        return Some(PhaseFault {
            fault: around.fault_names.resolve(node.cx, &name, node.place())?,
            after: Duration::ZERO,
            length: None,
            every: None,
            within: None,
        });
    }
    let mut table = node.table("a phase's fault")?;
    let named = table.need("name");
    let after = table.take("after");
    let length = table.take("for");
    let every = table.take("every");
    let within = table.take("within");
    table.finish();
    let start = after.as_ref().and_then(Node::duration).unwrap_or_default();
    if let Some(node) = &after
        && start >= phase
    {
        node.wrong(format!(
            "the phase is over after {}",
            format_duration(phase)
        ));
    }
    let stays = length.as_ref().and_then(Node::positive);
    let named = named?;
    let name = named.string()?;
    let fault = around.fault_names.resolve(node.cx, &name, named.place())?;
    if let (Some(node), Some(stays)) = (&length, stays) {
        let max = around
            .faults
            .get(fault)
            .map_or(Duration::MAX, |fault| fault.max);
        if start < phase && stays > phase.saturating_sub(start) {
            node.wrong(format!(
                "the phase is over {} after this fault begins",
                format_duration(phase.saturating_sub(start))
            ));
        } else if node.cx.scaled(stays) > max {
            node.cx.report(
                Diagnostic::new(
                    format!("`{name}` is cleared before that by its `max`"),
                    node.place(),
                )
                .help(format!("raise its `max` to {}", format_duration(stays))),
            );
        }
    }
    Some(PhaseFault {
        fault,
        after: node.cx.scaled(start),
        length: stays.map(|stays| node.cx.scaled(stays)),
        every: every
            .and_then(|node| node.positive())
            .map(|time| node.cx.scaled(time)),
        within: within
            .and_then(|node| node.positive())
            .map(|time| node.cx.scaled(time)),
    })
}

/// `climb = { from = "1x", to = "20x", by = "1x", each = "30s" }`: one phase a step.
fn climb_steps(
    node: &Node<'_, '_>,
    name: &str,
    ramp: Option<&Node<'_, '_>>,
    phases: &mut Phases,
    names: &mut Names,
) {
    let Some(mut table) = node.table("a climb") else {
        return;
    };
    let factor = |node: Option<Node<'_, '_>>| node.and_then(|node| node.parse::<Factor>());
    let from = factor(table.need("from"));
    let to = factor(table.need("to"));
    let by = factor(table.need("by"));
    let each = table.need("each").and_then(|node| node.positive());
    table.finish();
    let ramp = ramp_within(ramp, each);
    let (Some(from), Some(to), Some(by), Some(each)) = (from, to, by, each) else {
        return;
    };
    if by.0 <= 0.0 || to.0 < from.0 {
        node.wrong("a climb goes up: `to` at least `from`, and `by` above zero");
        return;
    }
    // A hair more, so that `by = 0.1x` reaches `to` in spite of rounding.
    let steps = ((to.0 - from.0) / by.0 + 1e-9).floor();
    if steps >= MOST_STEPS as f64 {
        node.wrong(format!("a climb has at most {MOST_STEPS} steps"));
        return;
    }
    for step in 0..=steps as u64 {
        // Rounded, so that the third step of 0.1x is 0.3x and not 0.30000000000000004x.
        let factor = Factor(((from.0 + by.0 * step as f64) * 1e9).round() / 1e9);
        let step_name = format!("{name} {factor}");
        names.add(node.cx, &step_name, node.place());
        phases.list.push(Phase {
            name: step_name,
            length: node.cx.scaled(each),
            load: factor,
            ramp,
            faults: Vec::new(),
            climb: Some(name.to_owned()),
        });
    }
}
