//! Scenarios, faults or phases with their keys and what they are doing: the next key chooses.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Scene;
use super::overlay::{frame, middle};
use super::{faults, scenarios};
use crate::console::model::{Menu, Overlay};
use crate::console::table::{Cell, Column, Table};
use crate::console::text::{clean, note};
use crate::history::Schedule;
use crate::session::record::{FaultState, ScenarioState};
use crate::verdict::format;

/// Columns of the box.
const WIDE: usize = 64;

/// Draws it in the middle of the area.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let Overlay::Menu(menu) = scene.ui.overlay else {
        return;
    };
    let theme = scene.theme;
    let (title, none, table) = match menu {
        Menu::Scenarios => (
            "start or stop",
            "there are no scenarios",
            of_scenarios(scene),
        ),
        Menu::Faults => (
            "break or mend",
            "this window has no faults",
            of_faults(scene),
        ),
        Menu::Phases => (
            "begin another phase",
            "there are no phases",
            of_phases(scene),
        ),
    };
    let lines = table.rows.len().max(1);
    let inside = frame(scene, middle(area, WIDE, lines + 2), title, buf);
    if table.rows.is_empty() {
        note(buf, inside, none, theme);
    } else {
        table.draw(inside, buf, theme);
    }
}

fn columns<'a>() -> Table<'a> {
    Table::new(&[
        Column::number("", 0),
        Column::word("", 0),
        Column::words("", 0, 8).close(),
        Column::word("", 1),
        Column::words("", 2, 8),
    ])
}

/// The key that chooses: one of its own, else its number.
fn key(own: Option<char>, index: usize) -> String {
    let number = || char::from_digit(index as u32 + 1, 10);
    own.or_else(number).map_or_else(String::new, String::from)
}

fn of_scenarios<'a>(scene: &Scene<'a>) -> Table<'a> {
    let (theme, history) = (scene.theme, scene.history);
    let mut table = columns();
    let plans = history.window().map_or(&[][..], |window| &window.scenarios);
    for (index, plan) in plans.iter().enumerate() {
        let flow = history
            .last_tick()
            .and_then(|tick| tick.scenarios.get(index));
        let now = flow.map_or(ScenarioState::Stopped, |flow| flow.state);
        let (glyph, word, style) = scenarios::state(theme, now);
        let then = match now {
            ScenarioState::Running => "stops it",
            ScenarioState::Stopped | ScenarioState::Draining | ScenarioState::Done => "starts it",
        };
        table.row(vec![
            Cell::new(key(plan.key, index), theme.accent),
            Cell::new(glyph, style),
            Cell::new(clean(&plan.name), theme.text),
            Cell::new(word, style),
            Cell::new(then, theme.dim),
        ]);
    }
    table
}

fn of_faults<'a>(scene: &Scene<'a>) -> Table<'a> {
    let theme = scene.theme;
    let mut table = columns();
    for (index, fault) in faults::all(scene.history).into_iter().enumerate() {
        let style = match fault.state {
            FaultState::Armed => theme.dim,
            FaultState::Failed => theme.bad,
            FaultState::Recovered => theme.good,
            FaultState::Injecting
            | FaultState::Active
            | FaultState::Reverting
            | FaultState::Recovering => theme.warn,
        };
        let then = if fault.is_on() {
            "clears it".to_owned()
        } else if fault.plan.max_us > 0 {
            let most = format::span(fault.plan.max_us as f64 / 1e6);
            format!("injects it, for {most} at most")
        } else {
            "injects it".to_owned()
        };
        table.row(vec![
            Cell::new(key(fault.plan.key, index), theme.accent),
            Cell::new(faults::glyph(theme, fault.state), style),
            Cell::new(clean(&fault.plan.name), theme.text),
            Cell::new(fault.state.name(), style),
            Cell::new(then, theme.dim),
        ]);
    }
    table
}

fn of_phases<'a>(scene: &Scene<'a>) -> Table<'a> {
    let theme = scene.theme;
    let mut table = columns();
    let plans = scene
        .history
        .window()
        .map_or(&[][..], |window| &window.phases);
    let now = Schedule::of(scene.history).map(|at| at.phase);
    for (index, plan) in plans.iter().enumerate() {
        let (glyph, style) = if now == Some(index) {
            (theme.glyphs.runs, theme.accent)
        } else {
            (" ", theme.text)
        };
        let ran = scene.history.phase(index).is_some();
        let word = match (now == Some(index), ran) {
            (true, _) => "now",
            (false, true) => "has run",
            (false, false) => "",
        };
        let length = format::span(plan.length_us as f64 / 1e6);
        table.row(vec![
            Cell::new((index + 1).to_string(), theme.accent),
            Cell::new(glyph, style),
            Cell::new(clean(&plan.name), style),
            Cell::new(
                format!("{} for {length}", format::factor(plan.load)),
                theme.text,
            ),
            Cell::new(word, theme.dim),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::panel::fixture::{at_every_size, model, pictures};

    #[test]
    fn it_shows_the_keys_and_what_they_would_do() {
        let mut text = String::new();
        for menu in [Menu::Scenarios, Menu::Faults, Menu::Phases] {
            let mut model = model(820);
            model.ui.overlay = Overlay::Menu(menu);
            text += &pictures(&mut model, draw, [(24, 6), (80, 9), (120, 9)]);
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn it_fits_everywhere() {
        for menu in [Menu::Scenarios, Menu::Faults, Menu::Phases] {
            for seconds in [0, 700] {
                let mut model = model(seconds);
                model.ui.overlay = Overlay::Menu(menu);
                at_every_size(&mut model, draw);
            }
        }
    }
}
