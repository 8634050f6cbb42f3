//! Where in a recording a person means, and where the next place worth seeing is.

use crate::console::model::{Deck, Place, PlaceKind};
use crate::profile::units::Span;

/// The tick that a person's words mean: a time since the window began (`12:30`, `1:02:03`, `90s`), from the moment shown
/// (`+30s`, `-5m`), or a share of the recording (`40%`).
pub(super) fn parse(words: &str, deck: &Deck) -> Result<u64, String> {
    let words = words.trim();
    let (from, to) = extent(deck);
    let tick_us = deck.shown().tick_us();
    let ticks = |seconds: f64| (seconds * 1e6 / tick_us as f64).round() as u64;
    let tick = if let Some(share) = words.strip_suffix('%') {
        let share: f64 = share.trim().parse().map_err(|_| usage())?;
        if !(0.0..=100.0).contains(&share) {
            return Err("a share is from 0% to 100%".into());
        }
        from + ((to.saturating_sub(from)) as f64 * share / 100.0).round() as u64
    } else if let Some(span) = words.strip_prefix('+') {
        deck.tick().saturating_add(ticks(seconds(span)?))
    } else if let Some(span) = words.strip_prefix('-') {
        deck.tick().saturating_sub(ticks(seconds(span)?))
    } else {
        ticks(seconds(words)?)
    };
    Ok(tick.clamp(from.max(1), to.max(1)))
}

/// First and last tick that there are.
pub(super) fn extent(deck: &Deck) -> (u64, u64) {
    let live = deck.live.last().map_or(0, |last| last.tick);
    let to = deck.overview.to.max(live).max(deck.tick());
    (deck.overview.from.max(1), to)
}

/// `12:30`, `1:02:03` or a span of time, in seconds.
fn seconds(words: &str) -> Result<f64, String> {
    if words.contains(':') {
        return words.split(':').try_fold(0.0, |sum, part| {
            let part: f64 = part.trim().parse().map_err(|_| usage())?;
            Ok(sum * 60.0 + part)
        });
    }
    let span: Span = words.parse().map_err(|_| usage())?;
    Ok(span.0.as_secs_f64())
}

fn usage() -> String {
    "write a time (12:30, 1:02:03, 90s), a way from here (+30s, -5m) or a share (40%)".into()
}

/// Which way to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Earlier.
    Back,
    /// Later.
    On,
}

/// The nearest place of a kind (any when `None`) that way from the moment shown.
pub(super) fn find(deck: &Deck, way: Way, kind: Option<PlaceKind>) -> Option<&Place> {
    let here = deck.tick();
    let wanted = |place: &&Place| kind.is_none_or(|kind| place.kind == kind);
    let mut places = deck.overview.places.iter().filter(wanted);
    match way {
        Way::On => places.find(|place| place.tick > here),
        Way::Back => places.rev().find(|place| place.tick < here),
    }
}
