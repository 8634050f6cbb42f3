//! Wishes as words that a person types: `rate shoppers +10%`, `jump spike`, `mark pool grew`.
//!
//! In: a line of words, and for completions the names that the profile knows. Out: a [`Wish`], or a sentence that says
//! how the verb is used. Names need no quotes, blanks or not: what follows the verb, less a value at the end, is the
//! name. Whether a name exists is for the engine to say.

use std::str::FromStr;

use super::change::Change;
use super::protocol::Wish;
use crate::engine::command::Switch;
use crate::profile::diagnostic::nearest;
use crate::profile::units::{Span, UnitError};
use crate::session::record::Decision;

/// A word that begins a wish.
#[derive(Debug, Clone, Copy)]
pub struct Verb {
    /// The word.
    pub name: &'static str,
    /// How it goes on: `rate SCENARIO TO`.
    pub usage: &'static str,
    /// What it does, in a sentence without a full stop.
    pub help: &'static str,
    /// Whether a person should be asked once more.
    pub dangerous: bool,
    takes: Takes,
}

/// What follows a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Scenario,
    ScenarioAndAmount,
    Factor,
    Switch,
    Phase,
    Time,
    Note,
    FaultAndSwitch,
    DecisionAndNote,
    PerhapsNote,
    Expression,
    Target,
    PerhapsWords,
}

const fn verb(name: &'static str, usage: &'static str, help: &'static str, takes: Takes) -> Verb {
    Verb {
        name,
        usage,
        help,
        dangerous: false,
        takes,
    }
}

const fn dangerous(verb: Verb) -> Verb {
    Verb {
        dangerous: true,
        ..verb
    }
}

/// Every verb, in the order in which help shows them.
#[rustfmt::skip]
pub const VERBS: &[Verb] = &[
    verb("start", "start SCENARIO", "let a scenario put load", Takes::Scenario),
    verb("stop", "stop SCENARIO", "let a scenario put no load; what is in flight finishes", Takes::Scenario),
    verb("rate", "rate SCENARIO 300/s|+10%|-50/s", "change an open scenario's arrivals until the next phase", Takes::ScenarioAndAmount),
    verb("users", "users SCENARIO 500|+10%|-50", "change a closed scenario's users until the next phase", Takes::ScenarioAndAmount),
    verb("load", "load 2x|150%|+0.5x|+10%", "change the load factor until the next phase", Takes::Factor),
    dangerous(verb("spike", "spike [on|off]", "the profile's spike factor, or back to the schedule", Takes::Switch)),
    verb("hold", "hold [on|off]", "keep the phase from ending, or let it go on", Takes::Switch),
    dangerous(verb("next", "next", "end the phase now", Takes::Nothing)),
    dangerous(verb("jump", "jump PHASE|NUMBER", "end the phase now and begin another", Takes::Phase)),
    verb("extend", "extend 5m", "let the phase last longer", Takes::Time),
    verb("mark", "mark TEXT", "put a note on the timeline", Takes::Note),
    dangerous(verb("fault", "fault FAULT [on|off|force]", "break something, or bring it back", Takes::FaultAndSwitch)),
    verb("clear-all", "clear-all", "bring everything back that is broken, at once", Takes::Nothing),
    dangerous(verb("sign-off", "sign-off go|no-go [TEXT]", "sign the window off", Takes::DecisionAndNote)),
    dangerous(verb("end", "end [TEXT]", "end the window, once what is in flight has finished", Takes::PerhapsNote)),
    dangerous(verb("abort", "abort [TEXT]", "end the window without waiting for what is in flight", Takes::PerhapsNote)),
    verb("pin", "pin EXPRESSION", "show a PromQL expression over what is scraped as a gauge", Takes::Expression),
    verb("gauges", "gauges TARGET", "show the gauges that are shipped for what a target is", Takes::Target),
    verb("series", "series [WORDS]", "say which series are scraped", Takes::PerhapsWords),
    verb("status", "status", "say how the window stands", Takes::Nothing),
    verb("hello", "hello", "say whether the window can be reached", Takes::Nothing),
];

/// Why words are no wish.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    /// There are none.
    #[error("say what to do: {}", names())]
    Nothing,
    /// No verb begins like that.
    #[error("`{word}` is nothing that a window can do{}; it can: {}", .nearest.map_or(String::new(), |near| format!(", did you mean `{near}`?")), names())]
    Unknown {
        /// The word.
        word: String,
        /// What was probably meant.
        nearest: Option<&'static str>,
    },
    /// What follows the verb is missing, or too much.
    #[error("write `{usage}`{hint}")]
    Usage {
        /// How it goes.
        usage: &'static str,
        /// What else there is to say.
        hint: &'static str,
    },
    /// A value cannot be read.
    #[error(transparent)]
    Unit(#[from] UnitError),
}

fn names() -> String {
    let names: Vec<&str> = VERBS.iter().map(|verb| verb.name).collect();
    names.join(", ")
}

impl Wish {
    /// Reads a wish as a person types it.
    ///
    /// # Errors
    /// When it is none; the sentence says how it should be.
    pub fn parse(words: &str) -> Result<Self, WordsError> {
        let words = words.trim();
        let (word, rest) = split_first(words);
        if word.is_empty() {
            return Err(WordsError::Nothing);
        }
        let verb = find(word).ok_or_else(|| WordsError::Unknown {
            word: word.chars().take(40).collect(),
            nearest: nearest(word, VERBS.iter().map(|verb| verb.name)),
        })?;
        read(verb, rest)
    }

    /// Whether a person should be asked once more before it is sent.
    pub fn is_dangerous(&self) -> bool {
        match self {
            // Going back is none.
            Self::Spike { to } | Self::Fault { to, .. } => *to != Switch::Off,
            Self::Next
            | Self::Jump { .. }
            | Self::SignOff { .. }
            | Self::End { .. }
            | Self::Abort { .. } => true,
            Self::Start { .. }
            | Self::Stop { .. }
            | Self::Rate { .. }
            | Self::Users { .. }
            | Self::Load { .. }
            | Self::Hold { .. }
            | Self::Extend { .. }
            | Self::Mark { .. }
            | Self::Clear
            | Self::Pin { .. }
            | Self::Gauges { .. }
            | Self::Series { .. }
            | Self::Status
            | Self::Hello => false,
        }
    }
}

/// The verb of this name, in whatever case.
fn find(word: &str) -> Option<&'static Verb> {
    // What many a hand will type in a hurry.
    let word = if word.eq_ignore_ascii_case("clear") {
        "clear-all"
    } else {
        word
    };
    VERBS
        .iter()
        .find(|verb| verb.name.eq_ignore_ascii_case(word))
}

fn read(verb: &Verb, rest: &str) -> Result<Wish, WordsError> {
    let usage = WordsError::Usage {
        usage: verb.usage,
        hint: match verb.name {
            "stop" => "; `end` ends the window",
            _ => "",
        },
    };
    let text = || rest.to_owned();
    let name = unquoted(rest).to_owned();
    let (before, last) = split_last(rest);
    let before_name = || unquoted(before).to_owned();
    let empty = match verb.takes {
        Takes::Nothing => !rest.is_empty(),
        Takes::ScenarioAndAmount => before.is_empty() || last.is_empty(),
        Takes::Scenario
        | Takes::Target
        | Takes::Factor
        | Takes::Phase
        | Takes::Time
        | Takes::Note => name.is_empty(),
        Takes::FaultAndSwitch | Takes::DecisionAndNote | Takes::Expression => rest.is_empty(),
        Takes::Switch | Takes::PerhapsNote | Takes::PerhapsWords => false,
    };
    if empty {
        return Err(usage);
    }
    Ok(match verb.name {
        "start" => Wish::Start { scenario: name },
        "stop" => Wish::Stop { scenario: name },
        "rate" => Wish::Rate {
            scenario: before_name(),
            to: last.parse()?,
        },
        "users" => Wish::Users {
            scenario: before_name(),
            to: last.parse()?,
        },
        "load" => Wish::Load {
            to: Change::from_str(rest)?,
        },
        "spike" => Wish::Spike {
            to: switch(rest).ok_or(usage)?,
        },
        "hold" => Wish::Hold {
            to: switch(rest).ok_or(usage)?,
        },
        "next" => Wish::Next,
        "jump" => Wish::Jump { phase: name },
        "extend" => Wish::Extend {
            length: rest.trim_start_matches('+').parse::<Span>()?,
        },
        "mark" => Wish::Mark { text: text() },
        "fault" => match (switch(last), last == "force") {
            (Some(to), _) if !before.is_empty() => Wish::Fault {
                fault: before_name(),
                to,
                force: false,
            },
            (None, true) if !before.is_empty() => Wish::Fault {
                fault: before_name(),
                to: Switch::On,
                force: true,
            },
            (Some(_) | None, _) => Wish::Fault {
                fault: name,
                to: Switch::Toggle,
                force: false,
            },
        },
        "clear-all" => Wish::Clear,
        "pin" => Wish::Pin { expr: text() },
        "gauges" => Wish::Gauges { target: name },
        "series" => Wish::Series { text: text() },
        "sign-off" => {
            let (word, rest) = split_first(rest);
            let decision = match word {
                "go" => Decision::Go,
                "no-go" | "nogo" => Decision::NoGo,
                _ => return Err(usage),
            };
            Wish::SignOff {
                decision,
                text: rest.to_owned(),
            }
        }
        "end" => Wish::End { text: text() },
        "abort" => Wish::Abort { text: text() },
        "status" => Wish::Status,
        _ => Wish::Hello,
    })
}

fn switch(word: &str) -> Option<Switch> {
    match word {
        "on" => Some(Switch::On),
        "off" => Some(Switch::Off),
        "toggle" | "" => Some(Switch::Toggle),
        _ => None,
    }
}

fn split_first(text: &str) -> (&str, &str) {
    match text.split_once(char::is_whitespace) {
        Some((first, rest)) => (first, rest.trim()),
        None => (text, ""),
    }
}

fn split_last(text: &str) -> (&str, &str) {
    match text.rsplit_once(char::is_whitespace) {
        Some((before, last)) => (before.trim(), last),
        None => ("", text),
    }
}

/// The name in quotes, where a person put some.
fn unquoted(name: &str) -> &str {
    ['"', '\'', '`']
        .iter()
        .find_map(|&quote| name.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(name)
}

/// The names that a profile knows, for completions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Candidates {
    /// Scenarios.
    pub scenarios: Vec<String>,
    /// Phases.
    pub phases: Vec<String>,
    /// Faults.
    pub faults: Vec<String>,
    /// Targets.
    pub targets: Vec<String>,
    /// Gates, which notes like to name.
    pub gates: Vec<String>,
}

/// What the last word of `text` may become, whole: a verb, a name of several words, a value. Empty where nothing fits,
/// and where only a person can know.
pub fn complete(text: &str, names: &Candidates) -> Vec<String> {
    let (start, fitting) = completions(text, names);
    let typed = text[start..].to_lowercase();
    let fits = |candidate: &&str| candidate.to_lowercase().starts_with(&typed);
    fitting
        .into_iter()
        .filter(fits)
        .map(str::to_owned)
        .collect()
}

/// The same as whole lines: `text` with its last word completed in each way.
pub fn complete_line(text: &str, names: &Candidates) -> Vec<String> {
    let (start, _) = completions(text, names);
    let lines = complete(text, names).into_iter();
    lines
        .map(|word| format!("{}{word}", &text[..start]))
        .collect()
}

/// Where the word begins that is being typed, and what could stand there.
fn completions<'a>(text: &str, names: &'a Candidates) -> (usize, Vec<&'a str>) {
    let begin = text.len() - text.trim_start().len();
    let Some(blank) = text[begin..].find(char::is_whitespace) else {
        return (begin, VERBS.iter().map(|verb| verb.name).collect());
    };
    let after = text[begin + blank..].trim_start();
    let rest = text.len() - after.len();
    let Some(verb) = find(&text[begin..begin + blank]) else {
        return (text.len(), Vec::new());
    };
    let of = |names: &'a [String]| names.iter().map(String::as_str).collect::<Vec<_>>();
    // After a whole name and a blank comes what follows the name.
    let past = |names: &[String]| {
        let ends = names.iter().filter_map(|name| {
            let value = after.get(name.len()..)?;
            let same = after[..name.len()].eq_ignore_ascii_case(name);
            (same && value.starts_with(char::is_whitespace)).then_some(value.trim_start().len())
        });
        ends.min().map(|value| text.len() - value)
    };
    let last = text.len() - split_last(after).1.len();
    match verb.takes {
        Takes::Nothing | Takes::Factor | Takes::Time | Takes::Expression | Takes::PerhapsWords => {
            (text.len(), Vec::new())
        }
        Takes::Scenario => (rest, of(&names.scenarios)),
        Takes::ScenarioAndAmount => match past(&names.scenarios) {
            Some(value) => (value, Vec::new()),
            None => (rest, of(&names.scenarios)),
        },
        Takes::Switch => (rest, vec!["on", "off"]),
        Takes::Phase => (rest, of(&names.phases)),
        Takes::Target => (rest, of(&names.targets)),
        Takes::FaultAndSwitch => match past(&names.faults) {
            Some(value) => (value, vec!["on", "off"]),
            None => (rest, of(&names.faults)),
        },
        Takes::DecisionAndNote if last == rest => (rest, vec!["go", "no-go"]),
        // A name only once it has begun: a note may hold anything else.
        Takes::DecisionAndNote | Takes::Note | Takes::PerhapsNote if last < text.len() => {
            (last, of(&names.gates))
        }
        Takes::DecisionAndNote | Takes::Note | Takes::PerhapsNote => (last, Vec::new()),
    }
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
