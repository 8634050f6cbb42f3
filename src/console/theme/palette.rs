//! The colours of the themes, each given twice: at its place in the palette of 256, which also says what it is in true
//! colour, and as the nearest of the 16 that every terminal has.

use ratatui::style::{Color, Modifier};

use super::{Depth, Name};
use crate::console::capture::indexed;

/// Shades of the heat map.
pub(super) const HEAT: usize = 8;

/// One colour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ink {
    /// Among 256.
    pub index: u8,
    /// Among 16.
    pub basic: Color,
}

impl Ink {
    /// As a terminal with so many colours shows it.
    pub fn at(self, depth: Depth) -> Color {
        match depth {
            Depth::None => Color::Reset,
            Depth::Basic => self.basic,
            Depth::Indexed => Color::Indexed(self.index),
            Depth::True => {
                let [r, g, b] = indexed(self.index);
                Color::Rgb(r, g, b)
            }
        }
    }
}

/// Colours by what they mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Palette {
    /// `None` where nothing is to be dimmed.
    pub dim: Option<Ink>,
    pub border: Option<Ink>,
    pub good: Ink,
    pub warn: Ink,
    pub bad: Ink,
    pub accent: Ink,
    /// What sets the accent off where its colour does not.
    pub accent_as: Modifier,
    pub series: [Ink; 6],
    pub heat: [Ink; HEAT],
}

impl Palette {
    pub fn of(name: Name, dark: bool) -> &'static Self {
        match (name, dark) {
            (Name::Dark, _) | (Name::Auto, true) => &DARK,
            (Name::Light, _) | (Name::Auto, false) => &LIGHT,
            (Name::HighContrast, true) => &CONTRAST_DARK,
            (Name::HighContrast, false) => &CONTRAST_LIGHT,
            (Name::ColourBlind, true) => &BLIND_DARK,
            (Name::ColourBlind, false) => &BLIND_LIGHT,
        }
    }
}

const fn ink(index: u8, basic: Color) -> Ink {
    Ink { index, basic }
}

use Color::{
    Black, Blue, Cyan, DarkGray, Gray, Green, LightBlue, LightCyan, LightGreen, LightMagenta,
    LightRed, LightYellow, Magenta, Red, White, Yellow,
};

const DARK: Palette = Palette {
    dim: Some(ink(245, Gray)),
    border: Some(ink(239, DarkGray)),
    good: ink(71, Green),
    warn: ink(179, Yellow),
    bad: ink(203, LightRed),
    accent: ink(75, LightCyan),
    accent_as: Modifier::empty(),
    series: [
        ink(75, LightBlue),
        ink(179, Yellow),
        ink(71, Green),
        ink(176, LightMagenta),
        ink(80, Cyan),
        ink(209, LightRed),
    ],
    heat: [
        ink(24, Blue),
        ink(31, Blue),
        ink(37, Cyan),
        ink(71, Green),
        ink(143, Green),
        ink(179, Yellow),
        ink(208, LightYellow),
        ink(203, LightRed),
    ],
};

const LIGHT: Palette = Palette {
    dim: Some(ink(241, DarkGray)),
    border: Some(ink(248, Gray)),
    good: ink(22, Green),
    warn: ink(94, Magenta),
    bad: ink(160, Red),
    accent: ink(26, Blue),
    accent_as: Modifier::empty(),
    series: [
        ink(26, Blue),
        ink(94, Magenta),
        ink(22, Green),
        ink(127, LightMagenta),
        ink(23, Cyan),
        ink(160, Red),
    ],
    heat: [
        ink(110, Cyan),
        ink(74, Cyan),
        ink(67, Blue),
        ink(65, Blue),
        ink(100, Green),
        ink(130, Magenta),
        ink(160, Red),
        ink(88, Red),
    ],
};

const CONTRAST_DARK: Palette = Palette {
    dim: None,
    border: None,
    good: ink(46, LightGreen),
    warn: ink(226, LightYellow),
    bad: ink(217, LightRed),
    accent: ink(51, LightCyan),
    accent_as: Modifier::BOLD,
    series: [
        ink(231, White),
        ink(226, LightYellow),
        ink(51, LightCyan),
        ink(46, LightGreen),
        ink(219, LightMagenta),
        ink(215, LightRed),
    ],
    heat: [
        ink(117, LightBlue),
        ink(87, LightCyan),
        ink(51, LightCyan),
        ink(118, LightGreen),
        ink(154, LightGreen),
        ink(226, LightYellow),
        ink(220, LightYellow),
        ink(231, White),
    ],
};

const CONTRAST_LIGHT: Palette = Palette {
    dim: None,
    border: None,
    good: ink(22, Black),
    warn: ink(52, Magenta),
    bad: ink(88, Red),
    accent: ink(18, Blue),
    accent_as: Modifier::BOLD,
    series: [
        ink(16, Black),
        ink(18, Blue),
        ink(88, Red),
        ink(22, Green),
        ink(53, Magenta),
        ink(236, DarkGray),
    ],
    heat: [
        ink(24, Blue),
        ink(24, Blue),
        ink(18, Blue),
        ink(22, Green),
        ink(22, Green),
        ink(52, Magenta),
        ink(88, Red),
        ink(16, Black),
    ],
};

const BLIND_DARK: Palette = Palette {
    dim: Some(ink(245, Gray)),
    border: Some(ink(239, DarkGray)),
    good: ink(75, LightBlue),
    warn: ink(229, LightYellow),
    bad: ink(208, Yellow),
    accent: ink(231, White),
    accent_as: Modifier::BOLD,
    series: [
        ink(75, LightBlue),
        ink(208, Yellow),
        ink(231, White),
        ink(26, Blue),
        ink(244, DarkGray),
        ink(130, Magenta),
    ],
    heat: [
        ink(24, Blue),
        ink(25, Blue),
        ink(67, LightBlue),
        ink(110, LightBlue),
        ink(180, Yellow),
        ink(215, Yellow),
        ink(222, LightYellow),
        ink(230, White),
    ],
};

const BLIND_LIGHT: Palette = Palette {
    dim: Some(ink(241, DarkGray)),
    border: Some(ink(248, Gray)),
    good: ink(25, Blue),
    warn: ink(52, Black),
    bad: ink(166, Yellow),
    accent: ink(16, Black),
    accent_as: Modifier::BOLD,
    series: [
        ink(25, Blue),
        ink(166, Yellow),
        ink(16, Black),
        ink(67, Cyan),
        ink(58, Magenta),
        ink(243, DarkGray),
    ],
    heat: [
        ink(180, Yellow),
        ink(173, Yellow),
        ink(137, Yellow),
        ink(102, DarkGray),
        ink(67, Blue),
        ink(25, Blue),
        ink(18, Blue),
        ink(16, Black),
    ],
};
