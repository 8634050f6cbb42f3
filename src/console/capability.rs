//! What the terminal can show, from what it says of itself.
//!
//! In: the environment, what the operator asked for, and, for the colour of the background, an answer of the terminal.
//! Out: a [`Capability`] and with it a [`Theme`]. What the operator asks for wins over what is found. The invariant: a
//! terminal is never asked something that it may answer when the console already reads keys.
//!
//! | found | taken for |
//! | --- | --- |
//! | `TERM` unset, empty or `dumb` | no screen at all: refused, with the two ways round |
//! | `NO_COLOR` not empty, or `TERM=vt…` | no colours: bold, underlined, reversed |
//! | `COLORTERM=truecolor` or `24bit`, or a `TERM` that ends in `-direct` | any colour, but 256 inside GNU screen |
//! | a `TERM` that holds `256`, or one that is known | 256 colours |
//! | `TERM=linux` | 16 colours, the characters of its font |
//! | `LC_ALL`, else `LC_CTYPE`, else `LANG`, not UTF-8 | ASCII |
//! | none of the three set | UTF-8, as every terminal emulator does by now; ASCII on `TERM=vt…` |

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use terminal_colorsaurus::{QueryOptions, ThemeMode, theme_mode};

use super::theme::{Depth, Glyphs, Name, Theme};

/// How long the terminal has to say what colour its background is.
const PATIENCE: Duration = Duration::from_millis(400);

/// How long keys are ignored after a terminal did not answer in time: its answer would read as keys.
const DEAF: Duration = Duration::from_secs(2);

/// The variables of a process.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// That of this process; what is not UTF-8 is left out.
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }

    /// The value of a variable; `None` when it is empty, too.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Environment {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(variables: I) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self(variables.into_iter().map(owned).collect())
    }
}

/// What the operator asks for, by options or in `config.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    /// Which theme.
    pub theme: Option<Name>,
    /// How many colours.
    pub colours: Option<Depth>,
    /// Whether nothing but ASCII is drawn.
    pub ascii: Option<bool>,
}

impl Asked {
    /// This, and where it says nothing, the other.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            theme: self.theme.or(other.theme),
            colours: self.colours.or(other.colours),
            ascii: self.ascii.or(other.ascii),
        }
    }
}

/// What a terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capability {
    /// How many colours.
    pub depth: Depth,
    /// Which characters.
    pub glyphs: Glyphs,
    /// It is inside tmux.
    pub tmux: bool,
    /// Whether its background is dark, where that is known without asking it.
    pub dark: Option<bool>,
    /// Whether it can be asked for the colour of its background: whoever it is will answer, or say that it cannot.
    pub answers: bool,
}

/// A terminal on which nothing can be drawn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a screen cannot be drawn on this terminal ({}); `--plain` prints a line a second instead, `--headless` runs without",
    .0.as_deref().map_or_else(|| "TERM is not set".to_owned(), |term| format!("TERM={term}"))
)]
pub struct Dumb(pub Option<String>);

/// What the environment says of the terminal.
///
/// # Errors
/// When nothing can be drawn on it.
pub fn find(env: &Environment, asked: Asked) -> Result<Capability, Dumb> {
    let term = match env.get("TERM") {
        None => return Err(Dumb(None)),
        Some("dumb") => return Err(Dumb(Some("dumb".to_owned()))),
        Some(term) => term,
    };
    let screen = env.get("STY").is_some();
    let tmux = env.get("TMUX").is_some();
    let ascii = asked.ascii.unwrap_or_else(|| !utf8(env, term));
    let glyphs = match (ascii, term) {
        (true, _) => Glyphs::ASCII,
        (false, "linux") => Glyphs::CONSOLE,
        (false, _) => Glyphs::UNICODE,
    };
    let silent = screen || term == "linux" || is_video_terminal(term) || mosh(env);
    Ok(Capability {
        depth: asked.colours.unwrap_or_else(|| depth(env, term, screen)),
        glyphs,
        tmux,
        dark: background(env, term),
        answers: !silent,
    })
}

fn depth(env: &Environment, term: &str, screen: bool) -> Depth {
    if env.get("NO_COLOR").is_some() || is_video_terminal(term) {
        return Depth::None;
    }
    let any = matches!(env.get("COLORTERM"), Some("truecolor" | "24bit"));
    match term {
        "linux" | "ansi" | "cygwin" | "xterm-16color" => Depth::Basic,
        // Its outer terminal may show any colour; GNU screen passes on 256.
        _ if screen => Depth::Indexed,
        _ if any || term.ends_with("-direct") => Depth::True,
        _ if term.contains("256") || KNOWN.iter().any(|known| term.starts_with(known)) => {
            Depth::Indexed
        }
        _ => Depth::Basic,
    }
}

/// Terminals that show 256 colours without saying so in `TERM`.
const KNOWN: [&str; 11] = [
    "xterm",
    "screen",
    "tmux",
    "rxvt",
    "alacritty",
    "foot",
    "kitty",
    "wezterm",
    "ghostty",
    "konsole",
    "st-",
];

/// A terminal of glass and wire, or what pretends to be one: a serial line.
fn is_video_terminal(term: &str) -> bool {
    let number = term.strip_prefix("vt");
    number.is_some_and(|number| number.starts_with(|digit: char| digit.is_ascii_digit()))
}

/// mosh draws on a terminal of its own, which does not know the colours of the one outside. It leaves this trace.
fn mosh(env: &Environment) -> bool {
    env.get("MOSH_CONNECTION").is_some()
        || env.get("NCURSES_NO_UTF8_ACS").is_some() && env.get("SSH_CONNECTION").is_some()
}

fn utf8(env: &Environment, term: &str) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| env.get(name));
    locale.map_or_else(
        || !is_video_terminal(term),
        |locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        },
    )
}

/// Whether the background is dark, from what some terminals export: `COLORFGBG=15;0`.
fn background(env: &Environment, term: &str) -> Option<bool> {
    if term == "linux" || is_video_terminal(term) {
        return Some(true);
    }
    let colours = env.get("COLORFGBG")?;
    let back: u8 = colours.rsplit(';').next()?.parse().ok()?;
    match back {
        0..=6 | 8 => Some(true),
        7 | 9..=15 => Some(false),
        _ => None,
    }
}

/// What a terminal said of its background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is dark.
    Dark,
    /// It is light.
    Light,
    /// It cannot tell.
    Unknown,
    /// Nothing yet; it may still come.
    Late,
}

/// Asks the terminal. Takes less than half a second, and must come before anything reads keys.
pub fn ask() -> Answer {
    let mut options = QueryOptions::default();
    options.timeout = PATIENCE;
    match theme_mode(options) {
        Ok(ThemeMode::Dark) => Answer::Dark,
        Ok(ThemeMode::Light) => Answer::Light,
        Err(terminal_colorsaurus::Error::Timeout(_)) => Answer::Late,
        Err(_) => Answer::Unknown,
    }
}

/// A theme, and what else came of finding it.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// The theme.
    pub theme: Theme,
    /// It is made for a light background.
    pub light: bool,
    /// For how long keys are to be ignored, because the terminal's answer may still come among them.
    pub deaf: Duration,
}

/// The theme for a terminal, which is asked only when the theme depends on it. A background that nobody knows is taken
/// for dark.
pub fn theme(capability: &Capability, asked: Asked, ask: impl FnOnce() -> Answer) -> Look {
    let name = asked.theme.unwrap_or_default();
    let depends = match name {
        Name::Auto | Name::HighContrast | Name::ColourBlind => capability.depth != Depth::None,
        Name::Dark | Name::Light => false,
    };
    let answer = match capability.dark {
        Some(true) => Answer::Dark,
        Some(false) => Answer::Light,
        None if depends && capability.answers => ask(),
        None => Answer::Unknown,
    };
    let dark = match answer {
        Answer::Dark | Answer::Unknown | Answer::Late => true,
        Answer::Light => false,
    };
    let deaf = match answer {
        Answer::Late => DEAF,
        Answer::Dark | Answer::Light | Answer::Unknown => Duration::ZERO,
    };
    Look {
        theme: Theme::new(name, dark, capability.depth, capability.glyphs),
        light: match name {
            Name::Dark => false,
            Name::Light => true,
            Name::Auto | Name::HighContrast | Name::ColourBlind => !dark,
        },
        deaf,
    }
}
