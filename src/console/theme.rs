//! Colours and glyphs by what they mean.
//!
//! Panels ask for a meaning and never for a colour. Every meaning is also carried by a glyph or a word, so that nothing is
//! lost under `NO_COLOR`, on the Linux console or to an eye that cannot tell two colours apart.

use ratatui::style::{Color, Modifier, Style};

/// Styles by meaning, and the glyphs to draw with.
#[derive(Debug, Clone, PartialEq)]
pub struct Theme {
    /// Plain text and numbers.
    pub text: Style,
    /// Labels, units, axes: what the eye may pass over.
    pub dim: Style,
    /// Titles of panels.
    pub title: Style,
    /// Borders.
    pub border: Style,
    /// Holds, recovered, going.
    pub good: Style,
    /// Near a limit, by hand, recovering.
    pub warn: Style,
    /// Fails, broken, over a limit.
    pub bad: Style,
    /// What is alive now: `REC`, the current phase, keys in hints.
    pub accent: Style,
    /// The selected row or moment.
    pub selected: Style,
    /// Lines that must be told apart.
    pub series: [Style; 6],
    /// From few to many; the glyphs of [`Glyphs::heat`] carry the same.
    pub heat: Vec<Style>,
    /// What to draw with.
    pub glyphs: Glyphs,
}

/// Glyphs by meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glyphs {
    /// Only ASCII: lines are `-` and `|`.
    pub ascii: bool,
    /// Heights from lowest to highest.
    pub bars: [&'static str; 8],
    /// From few to many.
    pub heat: [&'static str; 5],
    /// Passed, holds.
    pub yes: &'static str,
    /// Failed.
    pub no: &'static str,
    /// Not known.
    pub unknown: &'static str,
    /// Runs.
    pub runs: &'static str,
    /// Stopped.
    pub stopped: &'static str,
    /// Switched off.
    pub off: &'static str,
    /// Switched on.
    pub on: &'static str,
    /// A mark, an event.
    pub mark: &'static str,
    /// Rises.
    pub up: &'static str,
    /// Falls.
    pub down: &'static str,
    /// Look here.
    pub alert: &'static str,
    /// A missing stretch.
    pub gap: &'static str,
    /// Between words on one line.
    pub dot: &'static str,
}

impl Glyphs {
    /// For terminals that show Unicode.
    pub const UNICODE: Self = Self {
        ascii: false,
        bars: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
        heat: [" ", "░", "▒", "▓", "█"],
        yes: "✓",
        no: "✗",
        unknown: "?",
        runs: "▶",
        stopped: "■",
        off: "○",
        on: "●",
        mark: "◆",
        up: "↗",
        down: "↘",
        alert: "⚠",
        gap: "╌",
        dot: "·",
    };

    /// For `--ascii`.
    pub const ASCII: Self = Self {
        ascii: true,
        bars: ["_", ".", ",", "-", "=", "+", "*", "#"],
        heat: [" ", ".", ":", "*", "#"],
        yes: "+",
        no: "x",
        unknown: "?",
        runs: ">",
        stopped: "=",
        off: "o",
        on: "@",
        mark: "^",
        up: "/",
        down: "\\",
        alert: "!",
        gap: "~",
        dot: "-",
    };
}

impl Default for Theme {
    /// Dark, 256 colours.
    fn default() -> Self {
        let colour = |index| Style::new().fg(Color::Indexed(index));
        Self {
            text: Style::new(),
            dim: colour(245),
            title: Style::new().add_modifier(Modifier::BOLD),
            border: colour(239),
            good: colour(71),
            warn: colour(179),
            bad: colour(203).add_modifier(Modifier::BOLD),
            accent: colour(75),
            selected: Style::new().add_modifier(Modifier::REVERSED),
            series: [75, 179, 71, 176, 80, 209].map(colour),
            heat: [24, 31, 37, 71, 143, 179, 208, 203].map(colour).to_vec(),
            glyphs: Glyphs::UNICODE,
        }
    }
}
