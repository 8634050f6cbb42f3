//! Which key does what. One line of [`ACTIONS`] makes a binding, its line in the help, its place in the hint bar and its
//! entry in the command palette.
//!
//! In: the user's bindings from `config.toml`, and keys as they are pressed. Out: an [`Action`]. The invariant: every
//! action has a name, and the help can show for each which keys are bound to it just now.

use std::collections::BTreeMap;

use crokey::{KeyCombination, KeyCombinationFormat};
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(
    missing_docs,
    reason = "`ACTIONS` describes each in the words of the help"
)]
pub enum Action {
    Help,
    Quit,
    NextView,
    PreviousView,
    Overview,
    Latency,
    Resources,
    Faults,
    Gates,
    Events,
    Palette,
    Filter,
    Scenarios,
    FaultMenu,
    ClearAll,
    Spike,
    Raise,
    Lower,
    Hold,
    NextPhase,
    Jump,
    Extend,
    Mark,
    Freeze,
    Rewind,
    Live,
    Begin,
    StepTick,
    StepBack,
    Slower,
    Faster,
    Fastest,
    Seek,
    PreviousEvent,
    NextEvent,
    PreviousPhase,
    PhaseAfter,
    PreviousBreach,
    NextBreach,
    PreviousMark,
    NextMark,
    ZoomIn,
    ZoomOut,
    Earlier,
    Later,
    Up,
    Down,
    PageUp,
    PageDown,
    Time,
    Step,
    Over,
    Sort,
    Open,
    Pin,
    Copy,
    CopySummary,
    Save,
    Lock,
    Back,
    Suspend,
    Redraw,
}

/// When an action means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Always.
    Always,
    /// While a window is shown that can still be told something.
    Live,
    /// In a recording, or while a running window is rewound.
    Past,
}

/// One action, as it is bound from the start.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// What is asked for.
    pub action: Action,
    /// Keys, in crokey's notation; several by spaces.
    pub keys: &'static str,
    /// Its name in `config.toml` and in the palette.
    pub name: &'static str,
    /// Its line in the help.
    pub help: &'static str,
    /// The word in the hint bar; empty to leave it out.
    pub hint: &'static str,
    /// When it means something.
    pub when: When,
}

const fn define(
    action: Action,
    keys: &'static str,
    name: &'static str,
    hint: &'static str,
    when: When,
    help: &'static str,
) -> Definition {
    Definition {
        action,
        keys,
        name,
        help,
        hint,
        when,
    }
}

use When::{Always, Live, Past};

/// Every action, in the order of the help and of the hint bar.
#[rustfmt::skip]
pub const ACTIONS: &[Definition] = &[
    define(Action::Help,          "?",                 "help",           "help",      Always, "show the keys"),
    define(Action::Scenarios,     "s",                 "scenarios",      "scenarios", Live,   "start or stop a scenario, by its key"),
    define(Action::FaultMenu,     "f",                 "fault",          "faults",    Live,   "switch a fault on or off, by its key"),
    define(Action::Spike,         "x",                 "spike",          "spike",     Live,   "spike on or off"),
    define(Action::Raise,         "+ =",               "raise",          "+/- load",  Live,   "raise the load by a tenth of what the profile states"),
    define(Action::Lower,         "-",                 "lower",          "",          Live,   "lower it by as much"),
    define(Action::Hold,          "p",                 "hold",           "hold",      Live,   "hold the phase, or let it go on"),
    define(Action::NextPhase,     "n",                 "next-phase",     "next phase", Live,  "end the phase now and begin the next"),
    define(Action::Jump,          "shift-j",           "jump",           "",          Live,   "begin another phase, by its number"),
    define(Action::Extend,        "e",                 "extend",         "",          Live,   "let the phase last a minute longer"),
    define(Action::Mark,          "m",                 "mark",           "mark",      Live,   "put a note on the timeline"),
    define(Action::ClearAll,      "!",                 "clear-all",      "",          Live,   "clear every fault at once"),
    define(Action::Freeze,        "space",             "freeze",         "freeze",    Always, "freeze the picture; in a recording, play or pause"),
    define(Action::Rewind,        "<",                 "rewind",         "",          Live,   "go back from live, ten seconds a time; the window goes on"),
    define(Action::Live,          "end",               "live",           "",          Always, "return to live; in a recording, to its end"),
    define(Action::Begin,         "home",              "begin",          "",          Past,   "to the beginning"),
    define(Action::StepTick,      ".",                 "step",           "step",      Past,   "one tick on"),
    define(Action::StepBack,      ",",                 "step-back",      "",          Past,   "one tick back"),
    define(Action::Slower,        "<",                 "slower",         "</> speed", Past,   "play at half the speed"),
    define(Action::Faster,        ">",                 "faster",         "",          Past,   "play at twice the speed"),
    define(Action::Fastest,       "*",                 "fastest",        "",          Past,   "play as fast as it can be read"),
    define(Action::Seek,          "@",                 "seek",           "seek",      Always, "go to a time (12:30) or a share (40%)"),
    define(Action::PreviousEvent, "[",                 "previous-event", "",          Always, "to the event before"),
    define(Action::NextEvent,     "]",                 "next-event",     "[ ] event", Past,   "to the next event"),
    define(Action::PreviousPhase, "(",                 "previous-phase", "",          Always, "to the phase before"),
    define(Action::PhaseAfter,    ")",                 "phase-after",    "( ) phase", Past,   "to the next phase"),
    define(Action::PreviousBreach, "{",                "previous-breach", "",         Always, "to the gate failure before"),
    define(Action::NextBreach,    "}",                 "next-breach",    "{ } breach", Past,  "to the next gate failure"),
    define(Action::PreviousMark,  "\"",                "previous-mark",  "",          Always, "to the mark before"),
    define(Action::NextMark,      "'",                 "next-mark",      "",          Past,   "to the next mark"),
    define(Action::NextView,      "tab",               "next-view",      "view",      Always, "the next view"),
    define(Action::PreviousView,  "backtab",           "previous-view",  "",          Always, "the view before"),
    define(Action::Overview,      "1",                 "overview",       "",          Always, "everything at once"),
    define(Action::Latency,       "2",                 "latency",        "",          Always, "latency: heat map, histogram, percentiles, steps"),
    define(Action::Resources,     "3",                 "resources",      "",          Always, "gauges, targets, alerts, and the generator itself"),
    define(Action::Faults,        "4",                 "faults",         "",          Always, "faults and recovery"),
    define(Action::Gates,         "5 g",               "gates",          "gates",     Always, "gates and sign-off"),
    define(Action::Events,        "6",                 "events",         "",          Always, "events, slowest requests, error samples, log"),
    define(Action::ZoomIn,        "i",                 "zoom-in",        "i/o zoom",  Always, "charts over less time"),
    define(Action::ZoomOut,       "o",                 "zoom-out",       "",          Always, "charts over more time"),
    define(Action::Earlier,       "left h",            "earlier",        "",          Always, "select an earlier moment on the charts"),
    define(Action::Later,         "right l",           "later",          "",          Always, "select a later moment"),
    define(Action::Up,            "up k",              "up",             "",          Always, "the row above"),
    define(Action::Down,          "down j",            "down",           "",          Always, "the row below"),
    define(Action::PageUp,        "pageup ctrl-u",     "page-up",        "",          Always, "a page up"),
    define(Action::PageDown,      "pagedown ctrl-d",   "page-down",      "",          Always, "a page down"),
    define(Action::Time,          "t",                 "time",           "",          Always, "response time or service time"),
    define(Action::Step,          "v",                 "step-of",        "",          Always, "latencies of the next step; then of all again"),
    define(Action::Over,          "b",                 "over",           "",          Always, "histogram of the last 10 s, the phase, the window"),
    define(Action::Sort,          "c",                 "sort",           "",          Always, "sort by the next column; upwards and downwards by turns"),
    define(Action::Open,          "enter",             "open",           "series",    Always, "resources: show the series of the selected gauge, or no longer"),
    define(Action::Pin,           "shift-p",           "pin",            "pin",       Always, "find a scraped series, and show it among the resources"),
    define(Action::Filter,        "/",                 "filter",         "",          Always, "show only what contains a text"),
    define(Action::Palette,       ":",                 "command",        "command",   Always, "type a command"),
    define(Action::Copy,          "y",                 "copy",           "",          Always, "copy the values at the selected moment"),
    define(Action::CopySummary,   "shift-y",           "copy-summary",   "",          Always, "copy the summary so far"),
    define(Action::Save,          "w",                 "save",           "",          Always, "save the screen as text (`:save svg`, `:save html`)"),
    define(Action::Lock,          "shift-l",           "lock",           "",          Always, "ignore keys until this one is pressed again"),
    define(Action::Suspend,       "ctrl-z",            "suspend",        "",          Always, "back to the shell; `fg` returns"),
    define(Action::Redraw,        "ctrl-l",            "redraw",         "",          Always, "draw the screen anew"),
    define(Action::Back,          "esc",               "back",           "",          Always, "close what is open; unselect the moment"),
    define(Action::Quit,          "q ctrl-c",          "quit",           "leave",     Always, "leave; asks what becomes of a running window"),
];

/// The bindings in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Keymap {
    bound: Vec<(&'static str, Vec<KeyCombination>)>,
}

/// Why a binding cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeymapError {
    /// No action has that name.
    #[error("there is no action `{0}`")]
    NoAction(String),
    /// Not the name of a key.
    #[error("`{key}` for `{action}` is no key: {why}")]
    NoKey {
        /// For which action.
        action: String,
        /// What was written.
        key: String,
        /// Why.
        why: String,
    },
}

impl Default for Keymap {
    fn default() -> Self {
        let keys = |text: &str| text.split(' ').filter_map(|key| parse(key).ok()).collect();
        Self {
            bound: ACTIONS
                .iter()
                .map(|definition| (definition.name, keys(definition.keys)))
                .collect(),
        }
    }
}

impl Keymap {
    /// The bindings with some replaced: name of the action, its keys.
    ///
    /// # Errors
    /// All of the replacements that cannot be used; the others are in force.
    pub fn rebound(own: &BTreeMap<String, Vec<String>>) -> (Self, Vec<KeymapError>) {
        let mut keymap = Self::default();
        let mut errors = Vec::new();
        for (name, keys) in own {
            let Some(place) = keymap.bound.iter().position(|(bound, _)| bound == name) else {
                errors.push(KeymapError::NoAction(name.clone()));
                continue;
            };
            let mut parsed = Vec::new();
            for key in keys {
                match parse(key) {
                    Ok(key) => parsed.push(key),
                    Err(why) => errors.push(KeymapError::NoKey {
                        action: name.clone(),
                        key: key.clone(),
                        why,
                    }),
                }
            }
            keymap.bound[place].1 = parsed;
        }
        (keymap, errors)
    }

    /// What a key asks for, where `now` says which actions mean something: the first of [`ACTIONS`] that is bound to it.
    pub fn action(&self, key: KeyEvent, now: impl Fn(When) -> bool) -> Option<Action> {
        if key.kind == KeyEventKind::Release {
            return None;
        }
        let key = plain(key);
        let bound = ACTIONS.iter().zip(&self.bound);
        bound
            .filter(|(definition, _)| now(definition.when))
            .find(|(_, (_, keys))| keys.contains(&key))
            .map(|(definition, _)| definition.action)
    }

    /// The keys of the action with this name, as they are written on screen; empty when it has none.
    pub fn keys(&self, name: &str) -> Vec<String> {
        let bound = self.bound.iter().find(|(bound, _)| *bound == name);
        bound.map_or_else(Vec::new, |(_, keys)| {
            keys.iter().map(|&key| write(key)).collect()
        })
    }
}

/// The key as bindings name it. A character that is no letter says itself whether shift was held.
fn plain(mut key: KeyEvent) -> KeyCombination {
    match key.code {
        KeyCode::Char(character) if !character.is_alphabetic() => {
            key.modifiers.remove(KeyModifiers::SHIFT);
        }
        KeyCode::BackTab => key.modifiers.insert(KeyModifiers::SHIFT),
        _ => {}
    }
    KeyCombination::from(key).normalized()
}

/// A key by its name in crokey's notation; a single character stands for itself.
fn parse(text: &str) -> Result<KeyCombination, String> {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(character), None) if !character.is_alphanumeric() => {
            Ok(KeyCombination::from(KeyCode::Char(character)).normalized())
        }
        _ => crokey::parse(text)
            .map(KeyCombination::normalized)
            .map_err(|error| error.to_string()),
    }
}

/// A key as it is written on screen.
pub fn write(key: KeyCombination) -> String {
    KeyCombinationFormat::default()
        .with_implicit_shift()
        .with_lowercase_modifiers()
        .to_string(key)
        .replace("Hyphen", "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pressed(code: KeyCode, modifiers: KeyModifiers) -> KeyEvent {
        KeyEvent::new(code, modifiers)
    }

    fn always(when: When) -> bool {
        when == Always
    }

    #[test]
    fn keys_are_found_however_a_terminal_reports_them() {
        let keymap = Keymap::default();
        for (code, modifiers, action) in [
            (KeyCode::Char('?'), KeyModifiers::NONE, Action::Help),
            (KeyCode::Char('?'), KeyModifiers::SHIFT, Action::Help),
            (KeyCode::Char('L'), KeyModifiers::NONE, Action::Lock),
            (KeyCode::Char('L'), KeyModifiers::SHIFT, Action::Lock),
            (KeyCode::Char('l'), KeyModifiers::SHIFT, Action::Lock),
            (KeyCode::BackTab, KeyModifiers::SHIFT, Action::PreviousView),
            (KeyCode::BackTab, KeyModifiers::NONE, Action::PreviousView),
            (KeyCode::Char('c'), KeyModifiers::CONTROL, Action::Quit),
            (KeyCode::Char(' '), KeyModifiers::NONE, Action::Freeze),
            (KeyCode::Char(':'), KeyModifiers::SHIFT, Action::Palette),
        ] {
            let found = keymap.action(pressed(code, modifiers), always);
            assert_eq!(found, Some(action), "{code:?} {modifiers:?}");
        }
    }

    #[test]
    fn one_key_means_what_makes_sense_now() {
        let keymap = Keymap::default();
        let key = pressed(KeyCode::Char('<'), KeyModifiers::NONE);
        let live = |when| when != Past;
        let recording = |when| when != Live;
        assert_eq!(keymap.action(key, live), Some(Action::Rewind));
        assert_eq!(keymap.action(key, recording), Some(Action::Slower));
    }

    #[test]
    fn no_two_actions_share_a_key_at_the_same_time() {
        let keymap = Keymap::default();
        for now in [Live, Past] {
            let together = |when: When| when == Always || when == now;
            let bound = ACTIONS.iter().zip(&keymap.bound);
            let mut keys: Vec<_> = bound
                .filter(|(definition, _)| together(definition.when))
                .flat_map(|(_, (_, keys))| keys.clone())
                .collect();
            let all = keys.len();
            keys.sort();
            keys.dedup();
            assert_eq!(keys.len(), all, "{now:?}");
        }
    }

    #[test]
    fn keys_can_be_bound_anew_and_mistakes_leave_the_rest_in_force() {
        let own = |name: &str, keys: &[&str]| {
            let keys = keys.iter().map(|&key| key.to_owned()).collect();
            (name.to_owned(), keys)
        };
        let (keymap, errors) = Keymap::rebound(&BTreeMap::from([
            own("spike", &["ctrl-x", "F5"]),
            own("spik", &["x"]),
            own("hold", &["hyper-p"]),
            own("mark", &[]),
        ]));
        assert_eq!(keymap.keys("spike"), ["ctrl-x", "F5"]);
        assert!(keymap.keys("mark").is_empty());
        assert_eq!(errors.len(), 2, "{errors:?}");
        let x = pressed(KeyCode::Char('x'), KeyModifiers::NONE);
        assert_eq!(keymap.action(x, |_| true), None);
    }

    #[test]
    fn keys_are_written_as_they_are_typed() {
        let keymap = Keymap::default();
        let keys: Vec<_> = [
            "help",
            "lock",
            "raise",
            "freeze",
            "quit",
            "previous-view",
            "seek",
        ]
        .map(|name| keymap.keys(name).join(" "))
        .into();
        assert_eq!(keys, ["?", "L", "+ =", "Space", "q ctrl-c", "BackTab", "@"]);
    }
}
