//! Colours and glyphs by what they mean.
//!
//! Panels ask for a meaning and never for a colour. Every meaning is also carried by a glyph or a word, so that nothing is
//! lost under `NO_COLOR`, on the Linux console or to an eye that cannot tell two colours apart.
//!
//! A theme is made from a [`Name`], from what the terminal can show ([`Depth`], [`Glyphs`]) and from whether its background
//! is dark. No theme sets a background of its own: the terminal's shows through.

mod palette;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use ratatui::style::{Modifier, Style};

use palette::Palette;

/// The themes that come with stormdeck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Name {
    /// `dark` or `light`, as the terminal is.
    #[default]
    Auto,
    /// For a dark background.
    Dark,
    /// For a light one.
    Light,
    /// Nothing is dimmed; every colour stands out from the background by 7 to 1.
    HighContrast,
    /// Blue is good, orange is bad, and what is near a limit is lighter than either: told apart with protanopia,
    /// deuteranopia and tritanopia, as a test checks. Lines of charts differ in lightness.
    ColourBlind,
}

impl Name {
    /// Every theme.
    pub const ALL: [Self; 5] = [
        Self::Auto,
        Self::Dark,
        Self::Light,
        Self::HighContrast,
        Self::ColourBlind,
    ];

    /// Its name in options and in `config.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Dark => "dark",
            Self::Light => "light",
            Self::HighContrast => "high-contrast",
            Self::ColourBlind => "colour-blind",
        }
    }
}

/// How many colours a terminal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// None: bold, underlined and reversed instead.
    None,
    /// The 16 that every terminal has; which they are is up to the terminal.
    Basic,
    /// A palette of 256.
    Indexed,
    /// Any.
    True,
}

impl Depth {
    /// Every depth.
    pub const ALL: [Self; 4] = [Self::None, Self::Basic, Self::Indexed, Self::True];

    /// Its name in options and in `config.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "16",
            Self::Indexed => "256",
            Self::True => "true",
        }
    }
}

/// Neither of the known names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not one of {}", .known.join(", "))]
pub struct UnknownName {
    /// What was given.
    pub given: String,
    /// What there is.
    pub known: Vec<&'static str>,
}

fn named<T: Copy>(all: &[T], name: fn(T) -> &'static str, given: &str) -> Result<T, UnknownName> {
    let found = all.iter().find(|&&one| name(one) == given);
    found.copied().ok_or_else(|| UnknownName {
        given: given.to_owned(),
        known: all.iter().map(|&one| name(one)).collect(),
    })
}

impl FromStr for Name {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        named(&Self::ALL, Self::name, text)
    }
}

impl FromStr for Depth {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        named(&Self::ALL, Self::name, text)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Depth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

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
    /// Whether patterns of eight dots (`⣿`) show.
    pub braille: bool,
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
        braille: true,
    };

    /// For the Linux console, whose font has the 256 characters of the IBM PC and few more.
    pub const CONSOLE: Self = Self {
        bars: ["_", "_", "▄", "▄", "▄", "▄", "█", "█"],
        yes: "√",
        no: "x",
        runs: "►",
        on: "•",
        mark: "♦",
        up: "↑",
        down: "↓",
        alert: "!",
        gap: "-",
        braille: false,
        ..Self::UNICODE
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
        braille: false,
    };
}

impl Default for Theme {
    /// Dark, 256 colours.
    fn default() -> Self {
        Self::new(Name::Dark, true, Depth::Indexed, Glyphs::UNICODE)
    }
}

impl Theme {
    /// A theme as this terminal can show it. `dark` says how its background is; only [`Name::Dark`] and [`Name::Light`]
    /// do not ask.
    pub fn new(name: Name, dark: bool, depth: Depth, glyphs: Glyphs) -> Self {
        if depth == Depth::None {
            return Self::without_colours(&glyphs);
        }
        let palette = Palette::of(name, dark);
        let colour = |ink: palette::Ink| Style::new().fg(ink.at(depth));
        Self {
            text: Style::new(),
            dim: palette.dim.map_or(Style::new(), colour),
            title: Style::new().add_modifier(Modifier::BOLD),
            border: palette.border.map_or(Style::new(), colour),
            good: colour(palette.good),
            warn: colour(palette.warn),
            bad: colour(palette.bad).add_modifier(Modifier::BOLD),
            accent: colour(palette.accent).add_modifier(palette.accent_as),
            selected: Style::new().add_modifier(Modifier::REVERSED),
            series: palette.series.map(colour),
            heat: palette.heat.map(colour).to_vec(),
            glyphs,
        }
    }

    /// What a colour would say is bold, underlined or reversed; what the heat map says is in its glyphs.
    fn without_colours(glyphs: &Glyphs) -> Self {
        let plain = Style::new();
        let with = |modifier| plain.add_modifier(modifier);
        Self {
            text: plain,
            dim: with(Modifier::DIM),
            title: with(Modifier::BOLD),
            border: with(Modifier::DIM),
            good: plain,
            warn: with(Modifier::UNDERLINED),
            bad: with(Modifier::BOLD | Modifier::REVERSED),
            accent: with(Modifier::BOLD),
            selected: with(Modifier::REVERSED),
            series: [
                plain,
                with(Modifier::BOLD),
                with(Modifier::DIM),
                with(Modifier::UNDERLINED),
                with(Modifier::BOLD | Modifier::UNDERLINED),
                with(Modifier::DIM | Modifier::UNDERLINED),
            ],
            heat: vec![plain; palette::HEAT],
            glyphs: *glyphs,
        }
    }
}
