//! Where everything is on screen.

use super::model::{Model, View};
use crate::session::record::Window;

/// Ticks that one cell of the charts stands for.
pub fn ticks_per_cell(model: &Model) -> u64 {
    let deck = &model.decks[0];
    let ticks = match model.ui.span.seconds() {
        Some(seconds) => seconds * 1_000_000 / deck.shown().tick_us(),
        None => deck.tick(),
    };
    (ticks / 60).max(1)
}

/// Rows of what the view lets select.
pub fn rows(model: &Model) -> usize {
    let history = model.decks[0].shown();
    let planned = |count: fn(&Window) -> usize| history.window().map_or(0, count);
    match model.ui.view {
        View::Overview => planned(|window| window.scenarios.len()),
        View::Latency => history.names().steps.len(),
        View::Resources => history.names().series.len(),
        View::Faults => planned(|window| window.faults.len()),
        View::Gates => planned(|window| window.gates.len()),
        View::Events => history.events().len(),
    }
}
