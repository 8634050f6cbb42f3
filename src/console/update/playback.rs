//! Which moment is shown: live, frozen, rewound, sought, played.

use super::place::{self, Way};
use super::{play, refuse, say};
use crate::console::event::{Command, Speed};
use crate::console::model::{Kind, Model, PlaceKind};

/// The speeds that `<` and `>` go through.
const SPEEDS: [f64; 11] = [
    0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0,
];
/// How far back from live a rewind goes each time, µs.
const REWIND_US: u64 = 10_000_000;

/// The speed before this one.
pub(super) fn slower(now: f64) -> Option<f64> {
    SPEEDS.iter().rev().find(|&&speed| speed < now).copied()
}

/// The speed after this one.
pub(super) fn faster(now: f64) -> Option<f64> {
    SPEEDS.iter().find(|&&speed| speed > now).copied()
}

pub(super) fn freeze(model: &mut Model) -> Vec<Command> {
    if model.ui.playing.is_some() {
        model.ui.playing = None;
        return vec![Command::Pause];
    }
    let speed = Speed::Times(model.ui.speed);
    let deck = &mut model.decks[0];
    match (deck.kind, &deck.past) {
        (Kind::Live, None) => {
            deck.past = Some(deck.live.clone());
            model.ui.frozen = true;
            Vec::new()
        }
        (Kind::Live, Some(_)) if model.ui.frozen => to_the_end(model),
        (Kind::Live, Some(_)) | (Kind::Replay, _) => play(model, speed),
    }
}

pub(super) fn rewind(model: &mut Model) -> Vec<Command> {
    let deck = &model.decks[0];
    let back = (REWIND_US / deck.live.tick_us()).max(1);
    seek(model, deck.tick().saturating_sub(back))
}

/// Shows another moment.
pub(super) fn seek(model: &mut Model, tick: u64) -> Vec<Command> {
    let was_playing = model.ui.playing.take();
    model.ui.frozen = false;
    let mut commands = Vec::new();
    if was_playing.is_some() {
        commands.push(Command::Pause);
    }
    commands.push(Command::Seek { tick: tick.max(1) });
    if let Some(speed) = was_playing {
        commands.extend(play(model, speed));
    }
    commands
}

/// Back to live, or to the end of a recording.
pub(super) fn to_the_end(model: &mut Model) -> Vec<Command> {
    model.ui.frozen = false;
    model.ui.playing = None;
    let deck = &mut model.decks[0];
    match deck.kind {
        Kind::Live => {
            deck.past = None;
            vec![Command::Pause]
        }
        Kind::Replay => {
            let (_, last) = place::extent(deck);
            vec![Command::Pause, Command::Seek { tick: last.max(1) }]
        }
    }
}

pub(super) fn change_speed(
    model: &mut Model,
    next: impl FnOnce(f64) -> Option<f64>,
) -> Vec<Command> {
    if let Some(speed) = next(model.ui.speed) {
        model.ui.speed = speed;
    }
    match model.ui.playing {
        Some(_) => play(model, Speed::Times(model.ui.speed)),
        None => Vec::new(),
    }
}

pub(super) fn jump_to(
    model: &mut Model,
    way: Way,
    kind: Option<PlaceKind>,
    what: &str,
) -> Vec<Command> {
    let found = place::find(&model.decks[0], way, kind);
    let Some((tick, text)) = found.map(|place| (place.tick, place.text.clone())) else {
        return refuse(model, format!("there is no {what}"));
    };
    let commands = seek(model, tick);
    say(model, Ok(text));
    commands
}
