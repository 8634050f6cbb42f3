//! Where keys go: to what lies over the view, else through the keymap.

use crossterm::event::{Event as Terminal, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler as _;

use super::act::{self, act};
use super::{close, pick, place, play, playback, refuse, say};
use crate::console::event::{Command, Form, Speed};
use crate::console::keymap::{ACTIONS, Action, When};
use crate::console::model::{Asks, Kind, Menu, Model, Overlay, Span};
use crate::console::screen;
use crate::engine::command::Switch;
use crate::engine::control::Wish;
use crate::engine::control::words::{Candidates, complete_line};
use crate::session::record::{FaultState, Happening, ScenarioState};

/// What the palette understands beside the actions' names and the words of `stormdeck ctl`.
const WORDS: [(&str, &[&str]); 5] = [
    ("save", &["text", "svg", "html"]),
    ("seek", &[]),
    ("zoom", &["1m", "5m", "15m", "1h", "3h", "12h", "all"]),
    ("speed", &["0.5x", "1x", "10x", "100x", "1000x"]),
    ("filter", &[]),
];
/// Longest list of completions.
const COMPLETIONS: usize = 12;

/// A key.
pub(super) fn key(model: &mut Model, key: KeyEvent) -> Vec<Command> {
    if key.kind == KeyEventKind::Release {
        return Vec::new();
    }
    model.ui.said = None;
    if model.ui.locked {
        return match action(model, key) {
            Some(Action::Lock) => act(model, Action::Lock),
            Some(_) | None => refuse(model, "locked: press the key of `lock` to unlock"),
        };
    }
    match std::mem::take(&mut model.ui.overlay) {
        Overlay::None => match action(model, key) {
            Some(action) => act(model, action),
            None => Vec::new(),
        },
        Overlay::Help => help(model, key),
        Overlay::Palette {
            input,
            completions,
            chosen,
        } => palette(model, key, input, &completions, chosen),
        Overlay::Pick {
            input,
            found,
            chosen,
        } => pick::key(model, key, input, found, chosen),
        Overlay::Prompt { asks, input } => prompt(model, key, asks, input),
        Overlay::Confirm { question, answers } => {
            let typed = match key.code {
                KeyCode::Char(typed) => Some(typed.to_ascii_lowercase()),
                _ => None,
            };
            if let Some((.., consent)) = answers.iter().find(|(key, ..)| Some(*key) == typed) {
                return act::consent(model, consent.clone());
            }
            if !leaves(key) {
                // Any other key is no answer.
                model.ui.overlay = Overlay::Confirm { question, answers };
            }
            Vec::new()
        }
        Overlay::Menu(menu) => choose(model, key, menu),
    }
}

/// Text that was pasted goes where text is typed.
pub(super) fn paste(model: &mut Model, text: &str) -> Vec<Command> {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    match &mut model.ui.overlay {
        Overlay::Palette { input, .. } | Overlay::Prompt { input, .. } => {
            *input = format!("{}{text}", input.value()).into();
        }
        Overlay::Pick { input, .. } => {
            let input = format!("{}{text}", input.value()).into();
            return pick::look(model, input);
        }
        Overlay::None | Overlay::Help | Overlay::Confirm { .. } | Overlay::Menu(_) => {}
    }
    Vec::new()
}

/// What a key asks for now; where it means nothing now, what it would ask for elsewhere, to say why not.
fn action(model: &Model, key: KeyEvent) -> Option<Action> {
    let deck = &model.decks[0];
    let now = |when| match when {
        When::Always => true,
        When::Live => deck.kind == Kind::Live,
        When::Past => deck.kind == Kind::Replay || deck.past.is_some(),
    };
    let elsewhere = |when| when == When::Live;
    let keymap = &model.keymap;
    keymap
        .action(key, now)
        .or_else(|| keymap.action(key, elsewhere))
}

/// Escape, and what a person presses who wants out.
pub(super) fn leaves(key: KeyEvent) -> bool {
    key.code == KeyCode::Esc
        || (key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL))
}

fn help(model: &mut Model, key: KeyEvent) -> Vec<Command> {
    let down = match action(model, key) {
        Some(Action::Up) => -1,
        Some(Action::Down) => 1,
        Some(Action::PageUp) => -10,
        Some(Action::PageDown | Action::Freeze) => 10,
        Some(_) | None => return Vec::new(),
    };
    model.ui.overlay = Overlay::Help;
    let scroll = model.ui.scroll.saturating_add_signed(down);
    model.ui.scroll = scroll.min(screen::most_scroll(model));
    Vec::new()
}

fn prompt(model: &mut Model, key: KeyEvent, asks: Asks, mut input: Input) -> Vec<Command> {
    if leaves(key) {
        if asks == Asks::Filter {
            model.ui.filter.clear();
        }
        return Vec::new();
    }
    if key.code != KeyCode::Enter {
        input.handle_event(&Terminal::Key(key));
        if asks == Asks::Filter {
            input.value().clone_into(&mut model.ui.filter);
            model.ui.row = 0;
        }
        model.ui.overlay = Overlay::Prompt { asks, input };
        return Vec::new();
    }
    let text = input.value().trim().to_owned();
    match asks {
        Asks::Filter => {
            model.ui.filter = text;
            Vec::new()
        }
        Asks::Mark | Asks::Place if text.is_empty() => Vec::new(),
        Asks::Mark => act::wish(model, Wish::Mark { text }),
        Asks::Place => seek(model, &text),
    }
}

fn seek(model: &mut Model, words: &str) -> Vec<Command> {
    match place::parse(words, &model.decks[0]) {
        Ok(tick) => playback::seek(model, tick),
        Err(why) => refuse(model, why),
    }
}

fn palette(
    model: &mut Model,
    key: KeyEvent,
    mut input: Input,
    completions: &[String],
    chosen: usize,
) -> Vec<Command> {
    if leaves(key) {
        return Vec::new();
    }
    let count = completions.len().max(1);
    let chosen = match key.code {
        KeyCode::Enter => return execute(model, input.value().trim()),
        KeyCode::Tab => {
            if let Some(line) = completions.get(chosen) {
                input = format!("{line} ").into();
            }
            0
        }
        KeyCode::Down => (chosen + 1) % count,
        KeyCode::Up | KeyCode::BackTab => (chosen + count - 1) % count,
        _ => {
            input.handle_event(&Terminal::Key(key));
            0
        }
    };
    let completions = complete(model, input.value());
    model.ui.overlay = Overlay::Palette {
        input,
        completions,
        chosen,
    };
    Vec::new()
}

/// The lines that a text could become.
fn complete(model: &Model, text: &str) -> Vec<String> {
    let own = ACTIONS.iter().map(|action| action.name.to_owned());
    let words = WORDS.iter().flat_map(|(word, values)| {
        let lines = values.iter().map(move |value| format!("{word} {value}"));
        std::iter::once((*word).to_owned()).chain(lines)
    });
    let mut lines: Vec<String> = own.chain(words).collect();
    lines.retain(|line| line.starts_with(text.trim_start()));
    lines.extend(complete_line(text, &candidates(model)));
    lines.sort();
    lines.dedup();
    lines.retain(|line| line != text);
    lines.truncate(COMPLETIONS);
    lines
}

fn candidates(model: &Model) -> Candidates {
    let window = model.decks[0].shown().window();
    window.map_or_else(Candidates::default, |window| Candidates {
        scenarios: window.scenarios.iter().map(|s| s.name.clone()).collect(),
        phases: window
            .phases
            .iter()
            .map(|phase| phase.name.clone())
            .collect(),
        faults: window
            .faults
            .iter()
            .map(|fault| fault.name.clone())
            .collect(),
        targets: window
            .targets
            .iter()
            .map(|target| target.name.clone())
            .collect(),
        gates: window.gates.iter().map(|gate| gate.name.clone()).collect(),
    })
}

/// Does what was typed behind `:`.
fn execute(model: &mut Model, line: &str) -> Vec<Command> {
    let (word, rest) = line
        .split_once(' ')
        .map_or((line, ""), |(word, rest)| (word, rest.trim()));
    match (word, rest) {
        ("", _) => return Vec::new(),
        ("save", form) if !form.is_empty() => return save(model, form),
        ("seek", words) if !words.is_empty() => return seek(model, words),
        ("zoom", span) => return zoom(model, span),
        ("speed", speed) => return set_speed(model, speed),
        ("filter", text) if !text.is_empty() => {
            text.clone_into(&mut model.ui.filter);
            return Vec::new();
        }
        _ => {}
    }
    let named = ACTIONS.iter().find(|action| action.name == line);
    match named {
        Some(definition) => act(model, definition.action),
        None => act::words(model, line),
    }
}

fn save(model: &mut Model, words: &str) -> Vec<Command> {
    let (form, path) = words
        .split_once(' ')
        .map_or((words, ""), |(form, path)| (form, path.trim()));
    let form = match form {
        "text" | "txt" => Form::Text,
        "svg" => Form::Svg,
        "html" => Form::Html,
        _ => return refuse(model, "write `save text|svg|html [FILE]`"),
    };
    let path = (!path.is_empty()).then(|| path.into());
    vec![Command::Save { form, path }]
}

fn zoom(model: &mut Model, words: &str) -> Vec<Command> {
    let span = match words {
        "1m" => Span::Minute,
        "5m" => Span::Five,
        "15m" => Span::Quarter,
        "1h" => Span::Hour,
        "3h" => Span::Three,
        "12h" => Span::Twelve,
        "all" | "whole" => Span::Whole,
        _ => return refuse(model, "write `zoom 1m|5m|15m|1h|3h|12h|all`"),
    };
    model.ui.span = span;
    model.ui.cursor = None;
    Vec::new()
}

fn set_speed(model: &mut Model, words: &str) -> Vec<Command> {
    let speed = words.trim_end_matches('x').parse::<f64>();
    let Some(speed) = speed.ok().filter(|speed| (0.5..=1000.0).contains(speed)) else {
        return refuse(model, "write `speed 0.5x` up to `speed 1000x`");
    };
    model.ui.speed = speed;
    say(model, Ok(format!("recordings play at {speed}x")));
    match model.ui.playing {
        Some(_) => play(model, Speed::Times(speed)),
        None => Vec::new(),
    }
}

/// A key in a menu: the entry with that key.
fn choose(model: &mut Model, key: KeyEvent, menu: Menu) -> Vec<Command> {
    let KeyCode::Char(typed) = key.code else {
        return Vec::new();
    };
    close(model);
    let wished = match menu {
        Menu::Scenarios => scenario(model, typed),
        Menu::Faults => fault(model, typed),
        Menu::Phases => typed.to_digit(10).map(|number| Wish::Jump {
            phase: number.to_string(),
        }),
    };
    match wished {
        Some(wished) => act::wish(model, wished),
        None => refuse(model, format!("nothing has the key `{typed}` here")),
    }
}

/// Starts the scenario with this key, or stops it. One without a key of its own goes by its number.
fn scenario(model: &Model, typed: char) -> Option<Wish> {
    let history = &model.decks[0].live;
    let scenarios = &history.window()?.scenarios;
    let number = typed
        .to_digit(10)
        .and_then(|digit| (digit as usize).checked_sub(1));
    let place = scenarios
        .iter()
        .position(|plan| plan.key == Some(typed))
        .or(number.filter(|&place| scenarios.get(place).is_some_and(|plan| plan.key.is_none())))?;
    let scenario = scenarios[place].name.clone();
    let state = history
        .last_tick()
        .and_then(|tick| Some(tick.scenarios.get(place)?.state));
    Some(match state {
        Some(ScenarioState::Running) => Wish::Stop { scenario },
        Some(ScenarioState::Stopped | ScenarioState::Draining | ScenarioState::Done) | None => {
            Wish::Start { scenario }
        }
    })
}

/// Switches the fault with this key on, or off.
fn fault(model: &Model, typed: char) -> Option<Wish> {
    let history = &model.decks[0].live;
    let faults = &history.window()?.faults;
    let number = typed
        .to_digit(10)
        .and_then(|digit| (digit as usize).checked_sub(1));
    let place = faults
        .iter()
        .position(|plan| plan.key == Some(typed))
        .or(number.filter(|&place| faults.get(place).is_some_and(|plan| plan.key.is_none())))?;
    let latest = history
        .events()
        .iter()
        .rev()
        .find_map(|event| match &event.what {
            Happening::Fault { fault, state, .. } if *fault == place => Some(*state),
            _ => None,
        });
    let on = matches!(latest, Some(FaultState::Injecting | FaultState::Active));
    Some(Wish::Fault {
        fault: faults[place].name.clone(),
        to: if on { Switch::Off } else { Switch::On },
        force: false,
    })
}
