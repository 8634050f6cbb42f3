//! Moments worth jumping to.
//!
//! In: the events of a recording. Out: places in ascending order, and the one before or after a tick. The invariant: a
//! place is where its event shows first, in the tick that covers its moment.

use crate::console::happening;
use crate::console::model::{Place, PlaceKind};
use crate::session::record::{Event, Happening, Names, Window};

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

/// What is told of a place: of a phase its name, by which it is jumped to.
fn describe(
    what: &Happening,
    names: &Names,
    window: Option<&Window>,
) -> Option<(PlaceKind, String)> {
    let kind = match what {
        Happening::Phase { phase } => {
            return Some((PlaceKind::Phase, names.phases.get(*phase)?.clone()));
        }
        Happening::Gate { holds: false, .. } => PlaceKind::Breach,
        Happening::Mark { .. } => PlaceKind::Mark,
        Happening::Fault { .. } => PlaceKind::Fault,
        Happening::Gate { holds: true, .. }
        | Happening::SignOff { .. }
        | Happening::Scenario { .. }
        | Happening::Load { .. }
        | Happening::Extend { .. }
        | Happening::Hold { .. }
        | Happening::Generator { .. }
        | Happening::Warning { .. }
        | Happening::Stop { .. } => PlaceKind::Other,
        Happening::Unknown => return None,
    };
    Some((kind, happening::tell(names, window, what).short))
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
