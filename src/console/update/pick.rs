//! The search for a series to pin.

use crossterm::event::{Event as Terminal, KeyCode, KeyEvent};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler as _;

use super::act::show;
use super::typed::leaves;
use super::{refuse, say};
use crate::console::event::Command;
use crate::console::model::{Model, Overlay};
use crate::console::search::find;
use crate::console::text::clean;

/// Longest list of what could be meant.
const FOUND: usize = 100;

/// Begins the search.
pub(super) fn open(model: &mut Model) -> Vec<Command> {
    if series(model).is_empty() {
        return refuse(model, "no series is recorded that could be pinned");
    }
    show(model, Overlay::None);
    look(model, Input::default());
    Vec::new()
}

/// What can be pinned: every scraped series that is recorded, what is pinned already first.
fn series(model: &Model) -> Vec<&str> {
    let names = model.decks[0].shown().names();
    let scraped = names.series.iter().enumerate();
    let scraped = scraped.filter(|&(index, _)| names.instance_of(index).is_some());
    let mut series: Vec<&str> = scraped.map(|(_, name)| name.as_str()).collect();
    series.sort_by_key(|name| !is_pinned(model, name));
    series
}

fn is_pinned(model: &Model, name: &str) -> bool {
    model.ui.pinned.iter().any(|pinned| pinned == name)
}

/// Looks for what was typed.
pub(super) fn look(model: &mut Model, input: Input) {
    let series = series(model);
    let found = find(&series, input.value(), FOUND);
    let found = found.into_iter().map(|place| series[place].to_owned());
    model.ui.overlay = Overlay::Pick {
        found: found.collect(),
        input,
        chosen: 0,
    };
}

/// A key while it is looked for.
pub(super) fn key(
    model: &mut Model,
    key: KeyEvent,
    mut input: Input,
    found: &[String],
    chosen: usize,
) -> Vec<Command> {
    if leaves(key) {
        return Vec::new();
    }
    let count = found.len().max(1);
    let chosen = match key.code {
        KeyCode::Enter => return pin(model, found.get(chosen)),
        KeyCode::Down | KeyCode::Tab => (chosen + 1) % count,
        KeyCode::Up | KeyCode::BackTab => (chosen + count - 1) % count,
        KeyCode::PageDown => (chosen + 10).min(count - 1),
        KeyCode::PageUp => chosen.saturating_sub(10),
        _ => {
            let before = input.value().to_owned();
            input.handle_event(&Terminal::Key(key));
            if input.value() != before {
                look(model, input);
                return Vec::new();
            }
            chosen
        }
    };
    model.ui.overlay = Overlay::Pick {
        input,
        found: found.to_vec(),
        chosen,
    };
    Vec::new()
}

/// Pins a series in this console, or no longer.
fn pin(model: &mut Model, name: Option<&String>) -> Vec<Command> {
    let Some(name) = name else {
        return refuse(model, "no series has a name like that");
    };
    let told = if is_pinned(model, name) {
        model.ui.pinned.retain(|pinned| pinned != name);
        format!("{} is not pinned any more", clean(name))
    } else {
        model.ui.pinned.push(name.clone());
        format!("pinned among the resources: {}", clean(name))
    };
    say(model, Ok(told));
    Vec::new()
}
