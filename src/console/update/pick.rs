//! The search for a series to pin.
//!
//! What is recorded is found here, what is scraped but not recorded by the engine, which is asked as one types. A recorded
//! series is pinned in this console, live or in a replay; one that is not becomes a gauge of the window, for everybody.

use crossterm::event::{Event as Terminal, KeyCode, KeyEvent};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler as _;

use super::act::{forbidden, show, wish};
use super::typed::leaves;
use super::{refuse, say};
use crate::console::event::Command;
use crate::console::model::{Model, Overlay};
use crate::console::search::find;
use crate::console::text::clean;
use crate::engine::control::Wish;
use crate::verdict::labels::split;

/// Longest list of what could be meant.
const FOUND: usize = 200;
/// Rows of a page.
const PAGE: usize = 10;
/// The span over which a counter's rate is taken.
const RATE: &str = "1m";

/// Begins the search.
pub(super) fn open(model: &mut Model) -> Vec<Command> {
    if recorded(model).is_empty() && forbidden(model).is_some() {
        return refuse(model, "no series is recorded that could be pinned");
    }
    show(model, Overlay::None);
    look(model, Input::default())
}

/// Every scraped series that is recorded, what is pinned already first.
fn recorded(model: &Model) -> Vec<&str> {
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

/// Looks for what was typed, and asks the engine of a running window for more of it.
pub(super) fn look(model: &mut Model, input: Input) -> Vec<Command> {
    let recorded = recorded(model);
    let found = find(&recorded, input.value(), FOUND);
    let found = found.into_iter().map(|place| recorded[place].to_owned());
    let found = found.collect();
    let text = input.value().to_owned();
    model.ui.overlay = Overlay::Pick {
        found,
        input,
        chosen: 0,
    };
    match forbidden(model) {
        Some(_) => Vec::new(),
        None => vec![Command::Find(text)],
    }
}

/// What the engine knows comes after what is recorded; an answer to what was typed before is too late.
pub(super) fn answered(model: &mut Model, text: &str, scraped: Vec<String>) {
    let Overlay::Pick { input, found, .. } = &mut model.ui.overlay else {
        return;
    };
    if input.value() == text {
        let known: std::collections::HashSet<&String> = found.iter().collect();
        let more = scraped.into_iter().filter(|name| !known.contains(name));
        let more: Vec<String> = more.take(FOUND).collect();
        found.extend(more);
    }
}

/// A key while it is looked for.
pub(super) fn key(
    model: &mut Model,
    key: KeyEvent,
    mut input: Input,
    found: Vec<String>,
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
        KeyCode::PageDown => (chosen + PAGE).min(count - 1),
        KeyCode::PageUp => chosen.saturating_sub(PAGE),
        _ => {
            let before = input.value().to_owned();
            input.handle_event(&Terminal::Key(key));
            if input.value() != before {
                return look(model, input);
            }
            chosen
        }
    };
    model.ui.overlay = Overlay::Pick {
        input,
        found,
        chosen,
    };
    Vec::new()
}

/// Pins a recorded series in this console, or no longer; any other for everybody.
fn pin(model: &mut Model, name: Option<&String>) -> Vec<Command> {
    let Some(name) = name else {
        return refuse(model, "no series has a name like that");
    };
    if !is_recorded(model, name) {
        let expr = expression(name);
        return wish(model, Wish::Pin { expr });
    }
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

fn is_recorded(model: &Model, name: &String) -> bool {
    let deck = &model.decks[0];
    let mut names = [deck.shown().names(), deck.live.names()].into_iter();
    names.any(|names| names.series.contains(name))
}

/// What to show of a series: of a counter how fast it grows, which is what its name says it counts, a second.
fn expression(name: &str) -> String {
    let (metric, _) = split(name);
    let counts = ["_total", "_count", "_sum"];
    if counts.iter().any(|ending| metric.ends_with(ending)) {
        format!("rate({name}[{RATE}])")
    } else {
        name.to_owned()
    }
}
