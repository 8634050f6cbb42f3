//! The only code that changes the [`Model`]: an [`Event`] in, [`Command`]s out. No I/O and no clock.
//!
//! Keys go to what lies on top: an overlay first, else the keymap. The invariants: a wish is only ever sent for a window
//! that runs, by a console that may act; whatever comes in while the picture is frozen is still folded into the live
//! history.

mod act;
mod pick;
mod place;
mod playback;
#[cfg(test)]
mod tests;
mod typed;

use super::event::{Command, Event, Speed};
use super::model::{Kind, Model, Overlay, Said, Side, Span};
use crate::history::History;
use crate::session::record::Record;

/// Most lines of the engine's log that are kept.
const LOG: usize = 500;

/// Takes an event in and says what should happen outside.
pub fn update(model: &mut Model, event: Event) -> Vec<Command> {
    let knew = knows_window(model);
    let commands = take_in(model, event);
    if !knew && knows_window(model) {
        model.ui.span = fitting(model.decks[0].shown());
    }
    commands
}

fn knows_window(model: &Model) -> bool {
    model.decks[0].shown().window().is_some()
}

/// The span to begin with: of a short window more than a corner of the chart should be filled.
fn fitting(history: &History) -> Span {
    let phases = history.window().map_or(&[][..], |window| &window.phases);
    let planned: u64 = phases.iter().map(|phase| phase.length_us).sum();
    match planned / 1_000_000 {
        0..240 => Span::Minute,
        _ => Span::Five,
    }
}

fn take_in(model: &mut Model, event: Event) -> Vec<Command> {
    match event {
        Event::Key(key) => return typed::key(model, key),
        Event::Paste(text) => return typed::paste(model, &text),
        Event::Resize(columns, rows) => model.ui.size = (columns, rows),
        Event::Records {
            deck,
            side,
            records,
        } => return take_records(model, deck, side, &records),
        Event::Sought {
            deck,
            side,
            history,
        } => {
            if let Some(deck) = model.decks.get_mut(deck) {
                match side {
                    Side::Live => deck.live = *history,
                    Side::Past => deck.past = Some(*history),
                }
            }
        }
        Event::Overview { deck, overview } => {
            if let Some(deck) = model.decks.get_mut(deck) {
                deck.overview = *overview;
            }
        }
        Event::PlayedOut { deck } => played_out(model, deck),
        Event::Broken { deck, why } => {
            say(model, Err(why.clone()));
            if let Some(deck) = model.decks.get_mut(deck) {
                deck.broken = Some(why);
            }
        }
        Event::Log { deck, lines } => {
            if let Some(deck) = model.decks.get_mut(deck) {
                deck.log.extend(lines);
                let surplus = deck.log.len().saturating_sub(LOG);
                deck.log.drain(..surplus);
            }
        }
        Event::Series { text, found } => pick::answered(model, &text, found),
        Event::Answer(said) | Event::Done(said) => say(model, said),
    }
    Vec::new()
}

fn take_records(model: &mut Model, deck: usize, side: Side, records: &[Record]) -> Vec<Command> {
    let Some(deck) = model.decks.get_mut(deck) else {
        return Vec::new();
    };
    let history = match side {
        Side::Live => Some(&mut deck.live),
        Side::Past => deck.past.as_mut(),
    };
    if let Some(history) = history {
        for record in records {
            history.apply(record);
        }
    }
    if side == Side::Live && model.ui.leave_at_end && deck.live.end().is_some() {
        return vec![Command::Quit];
    }
    Vec::new()
}

/// A recording stands at its end; a rewound window is live again.
fn played_out(model: &mut Model, deck: usize) {
    let beside = model.decks.len() > 1;
    let Some(deck) = model.decks.get_mut(deck) else {
        return;
    };
    match deck.kind {
        Kind::Live if model.ui.playing.is_none() => return,
        Kind::Live => deck.past = None,
        // The longer of two goes on.
        Kind::Replay if beside => return,
        Kind::Replay => {}
    }
    model.ui.playing = None;
}

/// Says something in the place of the hints, until the next key.
fn say(model: &mut Model, said: Result<String, String>) {
    let (text, bad) = match said {
        Ok(text) => (text, false),
        Err(text) => (text, true),
    };
    model.ui.said = Some(Said { text, bad });
}

/// Says why something is not done.
fn refuse(model: &mut Model, why: impl Into<String>) -> Vec<Command> {
    say(model, Err(why.into()));
    Vec::new()
}

/// Closes what lies over the view.
fn close(model: &mut Model) {
    model.ui.overlay = Overlay::None;
}

/// Plays from the moment shown.
fn play(model: &mut Model, speed: Speed) -> Vec<Command> {
    model.ui.frozen = false;
    model.ui.playing = (speed != Speed::Step).then_some(speed);
    vec![Command::Play { speed }]
}
