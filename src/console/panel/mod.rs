//! What is on screen, one file a panel, named after what it shows.
//!
//! A panel is a function from a [`Scene`] to cells of a buffer. It draws inside the area that it is given, whatever its
//! size, and never panics when that is too small; what does not fit is left out whole, never cut inside a number.

pub mod alerts;
#[cfg(test)]
mod chart_tests;
mod columns;
pub mod confirm;
mod counts;
mod course;
pub mod events;
pub mod exemplars;
mod families;
pub mod faults;
#[cfg(test)]
pub(crate) mod fixture;
pub mod footer;
pub mod gates;
mod gates_view;
mod gauge;
pub mod happening;
pub mod header;
pub mod help;
pub mod histogram;
pub mod latency;
pub mod log;
mod measured;
pub mod menu;
pub mod overlay;
mod own;
pub mod palette;
pub mod percentiles;
pub mod pick;
pub mod prompt;
pub mod rates;
pub mod recovery;
pub mod resources;
mod row;
pub mod samples;
pub mod scenarios;
pub mod scrubber;
pub mod steps;
pub mod targets;
pub mod timeline;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::model::{Deck, Ui};
use super::theme::Theme;
use crate::history::History;

/// What a panel may look at.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The session.
    pub deck: &'a Deck,
    /// Its records as far as they are shown.
    pub history: &'a History,
    /// What the operator chose.
    pub ui: &'a Ui,
    /// Colours and glyphs.
    pub theme: &'a Theme,
    /// How keys are written and what they do, for hints and help.
    pub keymap: &'a super::keymap::Keymap,
}

/// Draws one panel.
pub type Draw = fn(&Scene<'_>, Rect, &mut Buffer);
