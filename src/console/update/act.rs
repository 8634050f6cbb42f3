//! What each action does.

use super::place::Way;
use super::playback::{change_speed, faster, freeze, jump_to, rewind, seek, slower, to_the_end};
use super::{close, pick, play, refuse, say};
use crate::console::event::{Command, Form, Speed};
use crate::console::keymap::Action;
use crate::console::model::{
    Asks, Consent, Kind, Menu, Model, Over, Overlay, PlaceKind, Span, TimeKind, View,
};
use crate::console::panel::steps::COLUMNS;
use crate::console::{screen, values};
use crate::engine::command::Switch;
use crate::engine::control::Wish;
use crate::session::record::Happening;

/// Rows of a page.
const PAGE: isize = 10;

/// Does it.
#[expect(clippy::too_many_lines, reason = "a line an action, and nothing else")]
pub(super) fn act(model: &mut Model, action: Action) -> Vec<Command> {
    match action {
        Action::Help => show(model, Overlay::Help),
        Action::Palette => show(model, palette()),
        Action::Filter => show(model, prompt(Asks::Filter, &model.ui.filter.clone())),
        Action::Mark => guarded(model, |model| show(model, prompt(Asks::Mark, ""))),
        Action::Seek => show(model, prompt(Asks::Place, "")),
        Action::Scenarios => guarded(model, |model| show(model, Overlay::Menu(Menu::Scenarios))),
        Action::FaultMenu => guarded(model, |model| show(model, Overlay::Menu(Menu::Faults))),
        Action::Jump => guarded(model, |model| show(model, Overlay::Menu(Menu::Phases))),
        Action::ClearAll => wish(model, Wish::Clear),
        Action::Spike => spike(model),
        Action::Raise => words(model, "load +0.1x"),
        Action::Lower => words(model, "load -0.1x"),
        Action::Hold => wish(model, Wish::Hold { to: Switch::Toggle }),
        Action::NextPhase => wish(model, Wish::Next),
        Action::Extend => words(model, "extend 1m"),
        Action::Quit => quit(model),
        Action::NextView => turn_view(model, 1),
        Action::PreviousView => turn_view(model, View::ALL.len() - 1),
        Action::Overview => view(model, View::Overview),
        Action::Latency => view(model, View::Latency),
        Action::Resources => view(model, View::Resources),
        Action::Faults => view(model, View::Faults),
        Action::Gates => view(model, View::Gates),
        Action::Events => view(model, View::Events),
        Action::Freeze => freeze(model),
        Action::Rewind => rewind(model),
        Action::Live => to_the_end(model),
        Action::Begin => seek(model, 1),
        Action::StepTick => play(model, Speed::Step),
        Action::StepBack => seek(model, model.decks[0].tick().saturating_sub(1)),
        Action::Slower => change_speed(model, slower),
        Action::Faster => change_speed(model, faster),
        Action::Fastest => play(model, Speed::Unbounded),
        Action::PreviousEvent => jump_to(model, Way::Back, None, "event before this moment"),
        Action::NextEvent => jump_to(model, Way::On, None, "event after this moment"),
        Action::PreviousPhase => jump_to(
            model,
            Way::Back,
            Some(PlaceKind::Phase),
            "phase began before this moment",
        ),
        Action::PhaseAfter => jump_to(
            model,
            Way::On,
            Some(PlaceKind::Phase),
            "phase begins after this moment",
        ),
        Action::PreviousBreach => jump_to(
            model,
            Way::Back,
            Some(PlaceKind::Breach),
            "gate failed before this moment",
        ),
        Action::NextBreach => jump_to(
            model,
            Way::On,
            Some(PlaceKind::Breach),
            "gate fails after this moment",
        ),
        Action::PreviousMark => jump_to(
            model,
            Way::Back,
            Some(PlaceKind::Mark),
            "mark before this moment",
        ),
        Action::NextMark => jump_to(
            model,
            Way::On,
            Some(PlaceKind::Mark),
            "mark after this moment",
        ),
        Action::ZoomIn => zoom(model, |place| place.checked_sub(1)),
        Action::ZoomOut => zoom(model, |place| Some(place + 1)),
        Action::Earlier => select(model, Way::Back),
        Action::Later => select(model, Way::On),
        Action::Up => move_row(model, -1),
        Action::Down => move_row(model, 1),
        Action::PageUp => move_row(model, -PAGE),
        Action::PageDown => move_row(model, PAGE),
        Action::Time => quiet(model, |model| {
            model.ui.time = match model.ui.time {
                TimeKind::Response => TimeKind::Service,
                TimeKind::Service => TimeKind::Response,
            };
        }),
        Action::Step => quiet(model, |model| {
            let steps = model.decks[0].shown().names().steps.len();
            let next = model.ui.step.map_or(0, |step| step + 1);
            model.ui.step = (next < steps).then_some(next);
        }),
        Action::Over => quiet(model, |model| {
            model.ui.over = match model.ui.over {
                Over::Ten => Over::Phase,
                Over::Phase => Over::Window,
                Over::Window => Over::Ten,
            };
        }),
        Action::Sort => quiet(model, |model| {
            let (column, down) = model.ui.sort;
            model.ui.sort = if down {
                ((column + 1) % COLUMNS.len(), false)
            } else {
                (column, true)
            };
        }),
        Action::Open => open(model),
        Action::Pin => pick::open(model),
        Action::Copy => vec![Command::Copy(values::of_moment(model))],
        Action::CopySummary => vec![Command::CopySummary],
        Action::Save => vec![Command::Save {
            form: Form::Text,
            path: None,
        }],
        Action::Lock => lock(model),
        Action::Back => quiet(model, |model| {
            model.ui.cursor = None;
            model.ui.filter.clear();
            model.ui.row = 0;
        }),
        Action::Suspend => vec![Command::Suspend],
        Action::Redraw => vec![Command::Redraw],
    }
}

/// Shows the series of the selected gauge, or no longer.
fn open(model: &mut Model) -> Vec<Command> {
    if let Some((gauge, is_open)) = screen::selected_gauge(model) {
        model.ui.opened.insert(gauge, !is_open);
    }
    Vec::new()
}

/// Changes what is shown, and nothing outside.
fn quiet(model: &mut Model, change: impl FnOnce(&mut Model)) -> Vec<Command> {
    change(model);
    Vec::new()
}

pub(super) fn show(model: &mut Model, overlay: Overlay) -> Vec<Command> {
    quiet(model, |model| {
        model.ui.overlay = overlay;
        model.ui.scroll = 0;
    })
}

fn palette() -> Overlay {
    Overlay::Palette {
        input: tui_input::Input::default(),
        completions: Vec::new(),
        chosen: 0,
    }
}

fn prompt(asks: Asks, text: &str) -> Overlay {
    Overlay::Prompt {
        asks,
        input: text.to_owned().into(),
    }
}

/// Why nothing can be asked of the window.
pub(super) fn forbidden(model: &Model) -> Option<&'static str> {
    let deck = &model.decks[0];
    match deck.kind {
        Kind::Replay => Some("this is a recording: nothing can be asked of it"),
        Kind::Live if model.ui.read_only => Some("this console only looks on (--read-only)"),
        Kind::Live if deck.live.end().is_some() => Some("the window has ended"),
        Kind::Live if deck.broken.is_some() => Some("the window cannot be reached"),
        Kind::Live => None,
    }
}

/// Does what would act on the window, or says why not.
fn guarded(model: &mut Model, act: impl FnOnce(&mut Model) -> Vec<Command>) -> Vec<Command> {
    match forbidden(model) {
        Some(why) => refuse(model, why),
        None => act(model),
    }
}

/// Sends a wish; a dangerous one after it was asked about.
pub(super) fn wish(model: &mut Model, wish: Wish) -> Vec<Command> {
    guarded(model, |model| {
        if !wish.is_dangerous() {
            return vec![Command::Wish(wish)];
        }
        let question = format!("{}?", values::of_wish(&wish, model));
        show(
            model,
            Overlay::Confirm {
                question,
                answers: vec![
                    ('y', "yes", Consent::Wish(wish)),
                    ('n', "no", Consent::Back),
                ],
            },
        )
    })
}

/// Sends the wish that these words are.
pub(super) fn words(model: &mut Model, words: &str) -> Vec<Command> {
    match Wish::parse(words) {
        Ok(parsed) => wish(model, parsed),
        Err(error) => refuse(model, error.to_string()),
    }
}

fn spike(model: &mut Model) -> Vec<Command> {
    let to = if is_spiking(model) {
        Switch::Off
    } else {
        Switch::On
    };
    wish(model, Wish::Spike { to })
}

/// Whether the latest word on the load of all scenarios, since the phase began, was a spike.
fn is_spiking(model: &Model) -> bool {
    let history = &model.decks[0].live;
    let planned = history
        .last()
        .and_then(|last| history.window()?.phases.get(last.phase?))
        .map_or(1.0, |phase| phase.load);
    let latest = history
        .events()
        .iter()
        .rev()
        .find_map(|event| match event.what {
            Happening::Phase { .. } => Some(planned),
            Happening::Load {
                scenario: None,
                factor,
            } => Some(factor),
            _ => None,
        });
    latest.is_some_and(|factor| factor > planned * 1.5)
}

fn quit(model: &mut Model) -> Vec<Command> {
    if !model.decks[0].can_act() || model.ui.read_only {
        return vec![Command::Quit];
    }
    let answers = vec![
        ('l', "leave it running", Consent::Leave),
        ('s', "stop it", Consent::Stop),
        ('n', "stay", Consent::Back),
    ];
    show(
        model,
        Overlay::Confirm {
            question: "The window runs on without this console. Leave it running, or stop it?"
                .into(),
            answers,
        },
    )
}

/// What an answer to a question does.
pub(super) fn consent(model: &mut Model, consent: Consent) -> Vec<Command> {
    close(model);
    match consent {
        Consent::Wish(wish) => guarded(model, |_| vec![Command::Wish(wish)]),
        Consent::Leave => vec![Command::Quit],
        Consent::Stop => {
            model.ui.leave_at_end = true;
            say(model, Ok("waiting for what is in flight".into()));
            vec![Command::Wish(Wish::End {
                text: String::new(),
            })]
        }
        Consent::Back => Vec::new(),
    }
}

fn view(model: &mut Model, view: View) -> Vec<Command> {
    let was = std::mem::replace(&mut model.ui.view, view);
    (model.ui.row, model.ui.scroll) = (0, 0);
    match (was == View::Events, view == View::Events) {
        (false, true) => vec![Command::WatchLog(true)],
        (true, false) => vec![Command::WatchLog(false)],
        (true, true) | (false, false) => Vec::new(),
    }
}

fn turn_view(model: &mut Model, by: usize) -> Vec<Command> {
    let now = View::ALL.iter().position(|&view| view == model.ui.view);
    let next = (now.unwrap_or(0) + by) % View::ALL.len();
    view(model, View::ALL[next])
}

fn zoom(model: &mut Model, next: impl FnOnce(usize) -> Option<usize>) -> Vec<Command> {
    let now = Span::ALL.iter().position(|&span| span == model.ui.span);
    let wanted = now.and_then(next).and_then(|place| Span::ALL.get(place));
    if let Some(&span) = wanted {
        model.ui.span = span;
        model.ui.cursor = None;
    }
    Vec::new()
}

/// Moves the selected moment by one cell of the charts.
fn select(model: &mut Model, way: Way) -> Vec<Command> {
    let cell = screen::ticks_per_cell(model);
    let newest = model.decks[0].tick();
    let now = model.ui.cursor.unwrap_or(newest);
    let cursor = match way {
        Way::Back => now.saturating_sub(cell).max(1),
        Way::On => now.saturating_add(cell),
    };
    model.ui.cursor = (cursor < newest).then_some(cursor);
    Vec::new()
}

fn move_row(model: &mut Model, down: isize) -> Vec<Command> {
    // Events count from the newest, which is at the bottom: new ones push nobody's row away.
    let down = if model.ui.view == View::Events {
        -down
    } else {
        down
    };
    let row = model.ui.row.saturating_add_signed(down);
    model.ui.row = row.min(screen::rows(model).saturating_sub(1));
    Vec::new()
}

fn lock(model: &mut Model) -> Vec<Command> {
    model.ui.locked = !model.ui.locked;
    let text = if model.ui.locked {
        "locked: keys do nothing until the same key unlocks them"
    } else {
        "unlocked"
    };
    say(model, Ok(text.into()));
    Vec::new()
}
