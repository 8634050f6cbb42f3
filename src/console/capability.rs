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

/// Asks the terminal. Takes at most [`PATIENCE`], and must come before anything reads keys.
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

/// The theme for a terminal, and for how long the keys are to be ignored because its answer may still come. It is asked
/// only when the theme depends on it. A background that nobody knows is taken for dark.
pub fn theme(
    capability: &Capability,
    asked: Asked,
    ask: impl FnOnce() -> Answer,
) -> (Theme, Duration) {
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
    let theme = Theme::new(name, dark, capability.depth, capability.glyphs);
    (theme, deaf)
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test says what it expects by unwrapping"
)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> Capability {
        let mut env: Vec<(&str, &str)> = vec![("LANG", "en_US.UTF-8")];
        env.extend(variables);
        find(&env.into_iter().collect(), Asked::default()).unwrap()
    }

    #[test]
    fn colours_are_as_many_as_the_terminal_says() {
        let cases: [(&[(&str, &str)], Depth); 14] = [
            (&[("TERM", "xterm-256color")], Depth::Indexed),
            (&[("TERM", "xterm")], Depth::Indexed),
            (
                &[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")],
                Depth::True,
            ),
            (
                &[("TERM", "xterm-256color"), ("COLORTERM", "24bit")],
                Depth::True,
            ),
            (
                &[("TERM", "xterm-256color"), ("COLORTERM", "1")],
                Depth::Indexed,
            ),
            (&[("TERM", "xterm-direct")], Depth::True),
            (
                &[
                    ("TERM", "tmux-256color"),
                    ("COLORTERM", "truecolor"),
                    ("TMUX", "/tmp/x"),
                ],
                Depth::True,
            ),
            (
                &[
                    ("TERM", "screen-256color"),
                    ("COLORTERM", "truecolor"),
                    ("STY", "1.x"),
                ],
                Depth::Indexed,
            ),
            (&[("TERM", "linux")], Depth::Basic),
            (
                &[("TERM", "linux"), ("COLORTERM", "truecolor")],
                Depth::Basic,
            ),
            (&[("TERM", "xterm-16color")], Depth::Basic),
            (&[("TERM", "something-new")], Depth::Basic),
            (&[("TERM", "vt220")], Depth::None),
            (
                &[
                    ("TERM", "xterm-256color"),
                    ("COLORTERM", "truecolor"),
                    ("NO_COLOR", "1"),
                ],
                Depth::None,
            ),
        ];
        for (variables, depth) in cases {
            assert_eq!(found(variables).depth, depth, "{variables:?}");
        }
        let empty = [("TERM", "xterm-256color"), ("NO_COLOR", "")];
        assert_eq!(found(&empty).depth, Depth::Indexed);
    }

    #[test]
    fn what_the_operator_asks_for_wins() {
        let env: Environment = [("TERM", "xterm"), ("NO_COLOR", "1"), ("LC_ALL", "C")]
            .into_iter()
            .collect();
        let asked = Asked {
            theme: Some(Name::Light),
            colours: Some(Depth::True),
            ascii: Some(false),
        };
        let capability = find(&env, asked).unwrap();
        assert_eq!(capability.depth, Depth::True);
        assert!(!capability.glyphs.ascii);
        let config = Asked {
            theme: Some(Name::Dark),
            ..Asked::default()
        };
        assert_eq!(asked.or(config), asked);
        assert_eq!(Asked::default().or(config), config);
    }

    #[test]
    fn a_locale_without_utf_8_means_ascii_and_the_first_that_is_set_decides() {
        let cases: [(&[(&str, &str)], bool); 8] = [
            (&[("LANG", "de_DE.UTF-8")], false),
            (&[("LANG", "de_DE.utf8")], false),
            (&[("LANG", "C.UTF-8")], false),
            (&[("LANG", "C")], true),
            (&[("LANG", "de_DE.ISO-8859-1")], true),
            (&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "POSIX")], true),
            (&[("LANG", "C"), ("LC_CTYPE", "en_GB.UTF-8")], false),
            (&[("LANG", "en_GB.UTF-8"), ("LC_ALL", "")], false),
        ];
        for (variables, ascii) in cases {
            let term = [("TERM", "xterm")];
            let env = term.iter().chain(variables).copied().collect();
            let capability = find(&env, Asked::default()).unwrap();
            assert_eq!(capability.glyphs.ascii, ascii, "{variables:?}");
        }
        let none = find(&[("TERM", "xterm")].into_iter().collect(), Asked::default());
        assert!(!none.unwrap().glyphs.ascii);
        let serial = find(&[("TERM", "vt100")].into_iter().collect(), Asked::default());
        assert!(serial.unwrap().glyphs.ascii);
    }

    #[test]
    fn the_linux_console_gets_what_its_font_has() {
        assert_eq!(found(&[("TERM", "linux")]).glyphs, Glyphs::CONSOLE);
        assert_eq!(found(&[("TERM", "linux")]).dark, Some(true));
    }

    #[test]
    fn a_dumb_terminal_is_refused_with_the_ways_round() {
        for (variables, why) in [
            (vec![("TERM", "dumb")], "TERM=dumb"),
            (vec![], "TERM is not set"),
            (vec![("TERM", "")], "TERM is not set"),
        ] {
            let error = find(&variables.into_iter().collect(), Asked::default()).unwrap_err();
            let text = error.to_string();
            assert!(text.contains(why), "{text}");
            assert!(
                text.contains("--plain") && text.contains("--headless"),
                "{text}"
            );
        }
    }

    #[test]
    fn only_a_terminal_that_will_answer_is_asked_and_only_when_it_matters() {
        let asks = |variables: &[(&str, &str)], theme| {
            let asked = Asked {
                theme,
                ..Asked::default()
            };
            let mut was_asked = false;
            let answer = || {
                was_asked = true;
                Answer::Light
            };
            let made = super::theme(&found(variables), asked, answer).0;
            (was_asked, made)
        };
        let plain: &[(&str, &str)] = &[("TERM", "xterm-256color")];
        let light = Theme::new(Name::Light, false, Depth::Indexed, Glyphs::UNICODE);
        assert_eq!(asks(plain, None), (true, light.clone()));
        assert!(asks(&[("TERM", "tmux-256color"), ("TMUX", "/tmp/x")], None).0);
        for silent in [
            [("TERM", "screen-256color"), ("STY", "1.pts")].as_slice(),
            &[("TERM", "linux")],
            &[("TERM", "xterm-256color"), ("COLORFGBG", "15;0")],
            &[("TERM", "xterm-256color"), ("NO_COLOR", "1")],
            &[
                ("TERM", "xterm-256color"),
                ("SSH_CONNECTION", "a"),
                ("NCURSES_NO_UTF8_ACS", "1"),
            ],
        ] {
            assert!(!asks(silent, None).0, "{silent:?}");
        }
        assert!(!asks(plain, Some(Name::Dark)).0);
        let exported = [("TERM", "rxvt"), ("COLORFGBG", "0;default;15")];
        assert_eq!(asks(&exported, None), (false, light));
    }

    #[test]
    fn after_a_late_answer_the_keys_are_ignored_for_a_while() {
        let capability = found(&[("TERM", "xterm-256color")]);
        let deaf = |answer| super::theme(&capability, Asked::default(), || answer).1;
        assert_eq!(deaf(Answer::Late), DEAF);
        assert_eq!(deaf(Answer::Dark), Duration::ZERO);
        assert_eq!(deaf(Answer::Unknown), Duration::ZERO);
    }
}
