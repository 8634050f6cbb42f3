//! From what a client wants, in names, to what the conductor can do, in indices.
//!
//! In: a wish and the names of the profile. Out: a command, or a sentence that says what there is. Texts come from
//! outside and end up in the session and on screens, so they are cut and freed of control characters here.

use crate::engine::command::{Breaking, Command};
use crate::profile::Profile;
use crate::profile::diagnostic::nearest;
use crate::profile::model::Model;

use super::protocol::Wish;

/// Characters of a note that are kept.
const MAX_TEXT: usize = 2000;

/// Characters that are kept of who asks.
const MAX_BY: usize = 120;

/// Names in a sentence that lists them.
const LISTED: usize = 12;

/// The names that a profile gives to what a person may ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Scenarios, each with whether it is an open one.
    pub scenarios: Vec<(String, bool)>,
    /// Phases.
    pub phases: Vec<String>,
    /// Faults.
    pub faults: Vec<String>,
    /// What is watched.
    pub targets: Vec<String>,
}

/// What a wish comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Resolved {
    /// Something for the conductor.
    Command(Command),
    /// Something is to be broken, or brought back.
    Fault(Breaking),
    /// An expression is to be shown as a gauge.
    Pin(String),
    /// The shipped gauges of what was recognized at this target are to be shown.
    Gauges(usize),
    /// Scraped series whose names hold these words are asked for.
    Series(String),
    /// How the window stands is asked for.
    Status,
    /// Nothing needs to be done, and this is said.
    Said(String),
}

impl Names {
    /// Those of a profile.
    pub fn of(profile: &Profile) -> Self {
        let open = |model: &Model| matches!(model, Model::Open { .. });
        Self {
            scenarios: profile
                .scenarios
                .iter()
                .map(|scenario| (scenario.name.clone(), open(&scenario.model)))
                .collect(),
            phases: profile
                .phases
                .iter()
                .map(|phase| phase.name.clone())
                .collect(),
            faults: profile
                .faults
                .iter()
                .map(|fault| fault.name.clone())
                .collect(),
            targets: profile
                .targets
                .iter()
                .map(|target| target.name.clone())
                .collect(),
        }
    }

    /// Finds what a wish names.
    ///
    /// # Errors
    /// A sentence, when it names what is not there, or what this version does not do.
    pub fn resolve(&self, wish: Wish) -> Result<Resolved, String> {
        let command = match wish {
            Wish::Start { scenario } => Command::Start {
                scenario: self.scenario(&scenario)?,
            },
            Wish::Stop { scenario } => Command::Stop {
                scenario: self.scenario(&scenario)?,
            },
            Wish::Rate { scenario, to } => Command::Amount {
                scenario: self.scenario_of(&scenario, true)?,
                to: to.adjust(),
            },
            Wish::Users { scenario, to } => Command::Amount {
                scenario: self.scenario_of(&scenario, false)?,
                to: to.adjust(),
            },
            Wish::Load { to } => Command::Load { to: to.adjust() },
            Wish::Spike { to } => Command::Spike { to },
            Wish::Hold { to } => Command::Hold { to },
            Wish::Next => Command::Next,
            Wish::Jump { phase } => Command::Jump {
                phase: self.phase(&phase)?,
            },
            Wish::Extend { length } => Command::Extend { by: length.0 },
            Wish::Mark { text } => Command::Mark {
                text: clean(&text, MAX_TEXT),
            },
            Wish::Fault { fault, to, force } => {
                let names = self.faults.iter().map(String::as_str);
                let fault = find("fault", &fault, names)?;
                return Ok(Resolved::Fault(Breaking::One { fault, to, force }));
            }
            Wish::Clear => return Ok(Resolved::Fault(Breaking::Clear)),
            Wish::SignOff { decision, text } => Command::SignOff {
                decision,
                text: clean(&text, MAX_TEXT),
            },
            Wish::End { text } => Command::End {
                text: reason(&text, "asked for"),
            },
            Wish::Abort { text } => Command::Abort {
                text: reason(&text, "aborted"),
            },
            Wish::Pin { .. } | Wish::Series { .. } | Wish::Gauges { .. }
                if self.targets.is_empty() =>
            {
                return Err("nothing is scraped: the profile has no `[[target]]`".into());
            }
            Wish::Gauges { target } => {
                let names = self.targets.iter().map(String::as_str);
                return find("target", &target, names).map(Resolved::Gauges);
            }
            Wish::Pin { expr } => return Ok(Resolved::Pin(clean(&expr, MAX_TEXT))),
            Wish::Series { text } => return Ok(Resolved::Series(text)),
            Wish::Status => return Ok(Resolved::Status),
            Wish::Hello => {
                let version = env!("CARGO_PKG_VERSION");
                return Ok(Resolved::Said(format!("stormdeck {version}")));
            }
        };
        Ok(Resolved::Command(command))
    }

    fn scenario(&self, wanted: &str) -> Result<usize, String> {
        let names = self.scenarios.iter().map(|(name, _)| name.as_str());
        find("scenario", wanted, names)
    }

    /// A scenario of the model that a verb is for.
    fn scenario_of(&self, wanted: &str, open: bool) -> Result<usize, String> {
        let index = self.scenario(wanted)?;
        match (self.scenarios[index].1, open) {
            (true, false) => Err(format!(
                "`{wanted}` is an open scenario and has no users; change its `rate`"
            )),
            (false, true) => Err(format!(
                "`{wanted}` is a closed scenario and has no rate; change its `users`"
            )),
            (true, true) | (false, false) => Ok(index),
        }
    }

    /// A phase by its name, or by its number from 1.
    fn phase(&self, wanted: &str) -> Result<usize, String> {
        let found = find("phase", wanted, self.phases.iter().map(String::as_str));
        match wanted.parse::<usize>() {
            Ok(number) if found.is_err() => match number.checked_sub(1) {
                Some(index) if index < self.phases.len() => Ok(index),
                Some(_) | None => Err(format!(
                    "there is no phase {number}; they go from 1 to {}",
                    self.phases.len()
                )),
            },
            Ok(_) | Err(_) => found,
        }
    }
}

/// The place of a name; upper and lower case are one unless two names differ in nothing else.
fn find<'n>(
    what: &str,
    wanted: &str,
    names: impl Iterator<Item = &'n str> + Clone,
) -> Result<usize, String> {
    let mut known = names.clone();
    let mut alike = names.clone();
    let found = known
        .position(|name| name == wanted)
        .or_else(|| alike.position(|name| name.eq_ignore_ascii_case(wanted)));
    if let Some(index) = found {
        return Ok(index);
    }
    let shown = clean(wanted, 60);
    if let Some(near) = nearest(wanted, names.clone()) {
        return Err(format!(
            "there is no {what} `{shown}`; did you mean `{near}`?"
        ));
    }
    let count = names.clone().count();
    let mut list: Vec<&str> = names.take(LISTED).collect();
    if count > LISTED {
        list.push("…");
    }
    Err(match count {
        0 => format!("there is no {what} `{shown}`; the profile has none"),
        1 => format!("there is no {what} `{shown}`; there is {}", list.join("")),
        _ => format!(
            "there is no {what} `{shown}`; there are {}",
            list.join(", ")
        ),
    })
}

fn reason(text: &str, otherwise: &str) -> String {
    match clean(text, MAX_TEXT) {
        text if text.is_empty() => otherwise.to_owned(),
        text => text,
    }
}

/// Who asks, fit to be shown; never empty.
pub(super) fn who(by: &str, uid: u32) -> String {
    match clean(by, MAX_BY) {
        by if by.is_empty() => format!("uid{uid}"),
        by => by,
    }
}

/// Text from outside, fit to be shown: one line, so many characters, nothing that a terminal would act on.
fn clean(text: &str, most: usize) -> String {
    let text = text.split(char::is_control).collect::<Vec<_>>().join(" ");
    let text = text.trim();
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::command::{Adjust, Switch};

    fn names() -> Names {
        Names {
            scenarios: vec![("shoppers".into(), true), ("writers".into(), false)],
            phases: vec!["steady".into(), "7".into()],
            faults: vec!["slow database".into()],
            targets: vec!["shop".into()],
        }
    }

    fn said(words: &str) -> String {
        match names().resolve(Wish::parse(words).unwrap()) {
            Ok(Resolved::Said(said)) | Err(said) => said,
            Ok(other) => panic!("{words}: {other:?}"),
        }
    }

    fn command(words: &str) -> Command {
        match names().resolve(Wish::parse(words).unwrap()) {
            Ok(Resolved::Command(command)) => command,
            other => panic!("{words}: {other:?}"),
        }
    }

    #[test]
    fn names_become_indices() {
        let rate = Command::Amount {
            scenario: 0,
            to: Adjust::By(-50.0),
        };
        assert_eq!(command("rate Shoppers -50/s"), rate);
        assert_eq!(command("stop writers"), Command::Stop { scenario: 1 });
        assert_eq!(command("jump 7"), Command::Jump { phase: 1 });
        assert_eq!(command("jump 1"), Command::Jump { phase: 0 });
        assert_eq!(command("hold"), Command::Hold { to: Switch::Toggle });
    }

    #[test]
    fn what_is_not_there_is_answered_with_what_is() {
        let table = [
            (
                "start x",
                "there is no scenario `x`; there are shoppers, writers",
            ),
            (
                "start shopers",
                "there is no scenario `shopers`; did you mean `shoppers`?",
            ),
            ("jump 3", "there is no phase 3; they go from 1 to 2"),
            ("jump 0", "there is no phase 0; they go from 1 to 2"),
            (
                "fault fire",
                "there is no fault `fire`; there is slow database",
            ),
            (
                "users shoppers 5",
                "`shoppers` is an open scenario and has no users; change its `rate`",
            ),
            (
                "rate writers 5/s",
                "`writers` is a closed scenario and has no rate; change its `users`",
            ),
        ];
        for (words, expected) in table {
            assert_eq!(said(words), expected, "{words}");
        }
        let fault = |words: &str| match names().resolve(Wish::parse(words).unwrap()) {
            Ok(Resolved::Fault(breaking)) => breaking,
            other => panic!("{words}: {other:?}"),
        };
        let forced = Breaking::One {
            fault: 0,
            to: Switch::On,
            force: true,
        };
        assert_eq!(fault("fault slow database force"), forced);
        assert_eq!(fault("clear"), Breaking::Clear);
    }

    #[test]
    fn text_from_outside_is_one_bounded_line_without_control_characters() {
        let mark = |text: &str| {
            let wish = Wish::Mark { text: text.into() };
            match names().resolve(wish) {
                Ok(Resolved::Command(Command::Mark { text })) => text,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(mark("two\nlines\u{1b}[31m \0"), "two lines [31m");
        assert_eq!(mark(&"ß".repeat(5000)).chars().count(), MAX_TEXT + 1);
        assert_eq!(who("\u{7}\n", 12), "uid12");
    }
}
