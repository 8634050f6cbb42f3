//! Moments worth jumping to.
//!
//! In: the events of a recording. Out: places in ascending order, and the one before or after a tick. The invariant: a
//! place is where its event shows first, in the tick that covers its moment.

use crate::console::model::{Place, PlaceKind};
use crate::session::record::{EndReason, Event, Happening, Names, ScenarioState, Window};

/// The nearest place after this tick that is wanted.
pub fn next(places: &[Place], tick: u64, wanted: impl Fn(PlaceKind) -> bool) -> Option<&Place> {
    let after = places.partition_point(|place| place.tick <= tick);
    places[after..].iter().find(|place| wanted(place.kind))
}

/// The nearest place before this tick that is wanted.
pub fn previous(places: &[Place], tick: u64, wanted: impl Fn(PlaceKind) -> bool) -> Option<&Place> {
    let before = places.partition_point(|place| place.tick < tick);
    places[..before]
        .iter()
        .rev()
        .find(|place| wanted(place.kind))
}

/// Where the phase of this name began first.
pub fn phase<'a>(places: &'a [Place], name: &str) -> Option<&'a Place> {
    let mut phases = places.iter().filter(|place| place.kind == PlaceKind::Phase);
    phases.find(|place| place.text == name)
}

/// The places of these events; those without words of their own are left out.
pub(super) fn of_events(
    events: &[Event],
    tick_us: u64,
    names: &Names,
    window: Option<&Window>,
) -> Vec<Place> {
    let place = |event: &Event| {
        let (kind, text) = describe(&event.what, names, window)?;
        let tick = event.at / tick_us + 1;
        Some(Place { tick, kind, text })
    };
    events.iter().filter_map(place).collect()
}

fn describe(
    what: &Happening,
    names: &Names,
    window: Option<&Window>,
) -> Option<(PlaceKind, String)> {
    let scenario = |index: usize| names.scenarios.get(index).map_or("?", String::as_str);
    let other = |text: String| Some((PlaceKind::Other, text));
    match what {
        Happening::Phase { phase } => Some((PlaceKind::Phase, names.phases.get(*phase)?.clone())),
        Happening::Gate { gate, holds, value } => {
            let gates = window.map_or(&[][..], |window| &window.gates);
            let name = gates.get(*gate).map_or("a gate", |gate| &gate.name);
            match holds {
                false => Some((PlaceKind::Breach, format!("{name} ({value})"))),
                true => other(format!("{name} holds again ({value})")),
            }
        }
        Happening::Mark { text } => Some((PlaceKind::Mark, text.clone())),
        Happening::Fault { fault, state, .. } => {
            let faults = window.map_or(&[][..], |window| &window.faults);
            let name = faults.get(*fault).map_or("a fault", |fault| &fault.name);
            Some((PlaceKind::Fault, format!("{name} {}", state.name())))
        }
        Happening::SignOff { decision, .. } => other(format!("signed {}", decision.name())),
        Happening::Scenario {
            scenario: index,
            state,
        } => {
            let state = match state {
                ScenarioState::Stopped => "stopped",
                ScenarioState::Running => "started",
                ScenarioState::Draining => "draining",
                ScenarioState::Done => "done",
            };
            other(format!("{} {state}", scenario(*index)))
        }
        Happening::Load {
            scenario: None,
            factor,
        } => other(format!("load {factor}x")),
        Happening::Load {
            scenario: Some(index),
            factor,
        } => other(format!("{} {factor}x", scenario(*index))),
        Happening::Extend { by_us, .. } => other(format!("phase + {} s", by_us / 1_000_000)),
        Happening::Hold { on: true } => other("held".to_owned()),
        Happening::Hold { on: false } => other("released".to_owned()),
        Happening::Generator { causes } if causes.is_empty() => {
            other("generator recovered".to_owned())
        }
        Happening::Generator { .. } => other("generator is the bottleneck".to_owned()),
        Happening::Warning { text } => other(text.clone()),
        Happening::Stop { reason, text } => other(match reason {
            EndReason::Finished => format!("end: {text}"),
            EndReason::Stopped => format!("stopped: {text}"),
            EndReason::Aborted => format!("aborted: {text}"),
        }),
        Happening::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jumps_find_the_nearest_of_the_wanted_kind() {
        let place = |tick, kind| Place {
            tick,
            kind,
            text: tick.to_string(),
        };
        let places = [
            place(1, PlaceKind::Phase),
            place(5, PlaceKind::Mark),
            place(9, PlaceKind::Phase),
        ];
        let tick = |place: Option<&Place>| place.map(|place| place.tick);
        let phase = |kind| kind == PlaceKind::Phase;
        assert_eq!(tick(next(&places, 1, |_| true)), Some(5));
        assert_eq!(tick(next(&places, 1, phase)), Some(9));
        assert_eq!(tick(next(&places, 9, |_| true)), None);
        assert_eq!(tick(previous(&places, 9, |_| true)), Some(5));
        assert_eq!(tick(previous(&places, 5, phase)), Some(1));
        assert_eq!(tick(previous(&places, 1, phase)), None);
    }
}
