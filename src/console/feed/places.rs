//! Moments worth jumping to.
//!
//! In: the events of a recording. Out: places in ascending order. The invariant: a place is where its event shows first,
//! in the tick that covers its moment.

use crate::console::happening;
use crate::console::model::{Place, PlaceKind};
use crate::session::record::{Event, Happening, Names, Window};

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
        | Happening::Effect(_)
        | Happening::Output { .. }
        | Happening::Ledger(_)
        | Happening::Scenario { .. }
        | Happening::Load { .. }
        | Happening::Extend { .. }
        | Happening::Hold { .. }
        | Happening::Generator { .. }
        | Happening::Target { .. }
        | Happening::Alert(_)
        | Happening::Gauge(_)
        | Happening::Warning { .. }
        | Happening::Stop { .. } => PlaceKind::Other,
        Happening::Undo { .. } | Happening::Unknown => return None,
    };
    Some((kind, happening::tell(names, window, what).short))
}
