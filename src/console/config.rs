//! The operator's own settings: `$XDG_CONFIG_HOME/stormdeck/config.toml`, else `~/.config/stormdeck/config.toml`.
//!
//! ```toml
//! theme   = "colour-blind"     # auto, dark, light, high-contrast, colour-blind
//! colours = "256"              # auto, none, 16, 256, true
//! ascii   = false
//!
//! [keys]                       # the names that the help shows
//! mark  = ["m", "ctrl-m"]
//! spike = ["f5"]
//! ```
//!
//! In: that text. Out: a [`Config`], or every mistake in it with its place. The invariants: no file is no mistake; a
//! file with a mistake is never half in force; and a key that the operator bound does what the operator bound it to.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::capability::{Asked, Environment};
use super::keymap::{ACTIONS, Definition, Keymap, KeymapError, When};
use super::theme::{Depth, Name};
use crate::profile::diagnostic::{Diagnostic, ProfileError, nearest};

/// The largest file that is taken for settings, bytes.
const LARGEST: u64 = 1 << 20;

/// What may stand in the file.
const KNOWN: [&str; 4] = ["theme", "colours", "ascii", "keys"];

/// What an operator set.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// How the screen looks.
    pub asked: Asked,
    /// The bindings in force.
    pub keymap: Keymap,
    /// What the operator should know of these settings: sentences.
    pub warnings: Vec<String>,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is there, and cannot be read.
    #[error("cannot read `{}`: {error}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Not settings at all.
    #[error("`{}` is larger than 1 MiB, which are no settings", .0.display())]
    TooLarge(PathBuf),
    /// A text with mistakes.
    #[error(transparent)]
    Mistakes(#[from] ProfileError),
}

impl ConfigError {
    /// The error as text, in colour where it has any.
    pub fn render(&self, colour: bool) -> String {
        match self {
            Self::Mistakes(error) => error.render(colour),
            other => format!("error: {other}"),
        }
    }
}

/// Where the settings are; `None` when there is no home.
pub fn path(env: &Environment) -> Option<PathBuf> {
    let absolute = |name| {
        env.get(name)
            .map(Path::new)
            .filter(|path| path.is_absolute())
    };
    let folder = match absolute("XDG_CONFIG_HOME") {
        Some(folder) => folder.to_owned(),
        None => absolute("HOME")?.join(".config"),
    };
    Some(folder.join("stormdeck/config.toml"))
}

/// Reads the operator's settings; those from the start when there is no file.
///
/// # Errors
/// When the file cannot be read, and when it has mistakes: then with all of them.
pub fn load(env: &Environment) -> Result<Config, ConfigError> {
    use std::io::Read as _;
    let Some(path) = path(env) else {
        return Ok(Config::default());
    };
    let mut text = String::new();
    let read = std::fs::File::open(&path)
        .and_then(|file| file.take(LARGEST + 1).read_to_string(&mut text));
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Config::default()),
        Err(error) => Err(ConfigError::Unreadable { path, error }),
        Ok(_) if text.len() as u64 > LARGEST => Err(ConfigError::TooLarge(path)),
        Ok(_) => Ok(parse(&text, &path.display().to_string())?),
    }
}

/// Reads settings; `origin` names them in messages.
///
/// # Errors
/// When there are mistakes: then with all of them.
pub fn parse(text: &str, origin: &str) -> Result<Config, ProfileError> {
    let (document, syntax) = DeTable::parse_recoverable(text);
    let mut reader = Reader::default();
    for error in &syntax {
        let place = error.span().unwrap_or(0..0);
        reader
            .mistakes
            .push(Diagnostic::new(error.message(), place).label("here"));
    }
    // What stands on a broken line was guessed, and what is wrong with it may be a mere consequence.
    let config = match syntax.as_slice() {
        [] => reader.read(document.get_ref()),
        [_, ..] => Config::default(),
    };
    if reader.mistakes.is_empty() {
        Ok(config)
    } else {
        Err(ProfileError::new(origin, text, reader.mistakes, 0))
    }
}

#[derive(Debug, Default)]
struct Reader {
    mistakes: Vec<Diagnostic>,
}

type Value<'a> = Spanned<DeValue<'a>>;

impl Reader {
    fn read(&mut self, table: &DeTable<'_>) -> Config {
        let mut asked = Asked::default();
        let mut own = BTreeMap::new();
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "theme" => asked.theme = self.one_of(value, "theme", &Name::ALL, Name::name),
                "colours" => asked.colours = self.colours(value),
                "ascii" => asked.ascii = self.yes_or_no(value),
                "keys" => own = self.keys(value),
                other => self.unknown(other, key.span(), "setting", KNOWN),
            }
        }
        let mut warnings = Vec::new();
        let keymap = settle(own, &mut warnings);
        Config {
            asked,
            keymap,
            warnings,
        }
    }

    fn note(&mut self, message: String, place: Range<usize>, label: &str) {
        self.mistakes
            .push(Diagnostic::new(message, place).label(label));
    }

    fn unknown<'k>(
        &mut self,
        given: &str,
        place: Range<usize>,
        what: &str,
        known: impl IntoIterator<Item = &'k str> + Clone,
    ) {
        let message = format!("there is no {what} `{given}`");
        let diagnostic = Diagnostic::new(message, place);
        self.mistakes
            .push(if let Some(near) = nearest(given, known.clone()) {
                diagnostic.label(format!("did you mean `{near}`?"))
            } else {
                let known: Vec<&str> = known.into_iter().collect();
                diagnostic.help(format!("there are {}", known.join(", ")))
            });
    }

    fn text<'v>(&mut self, value: &'v Value<'_>, what: &str) -> Option<&'v str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            let message = format!("{what} is a text in quotes");
            self.note(message, value.span(), "");
        }
        text
    }

    fn one_of<T: Copy>(
        &mut self,
        value: &Value<'_>,
        what: &str,
        all: &[T],
        name: fn(T) -> &'static str,
    ) -> Option<T> {
        let given = self.text(value, &format!("`{what}`"))?;
        let found = all.iter().copied().find(|&one| name(one) == given);
        if found.is_none() {
            let names: Vec<&str> = all.iter().map(|&one| name(one)).collect();
            self.unknown(given, value.span(), what, names);
        }
        found
    }

    /// `auto` leaves it to the terminal; a number may stand without quotes.
    fn colours(&mut self, value: &Value<'_>) -> Option<Depth> {
        if let Some(number) = value.get_ref().as_integer() {
            let found = Depth::ALL
                .into_iter()
                .find(|depth| depth.name() == number.as_str());
            if found.is_none() {
                let names = Depth::ALL.map(Depth::name);
                self.unknown(number.as_str(), value.span(), "number of colours", names);
            }
            return found;
        }
        if value.get_ref().as_str() == Some("auto") {
            return None;
        }
        self.one_of(value, "colours", &Depth::ALL, Depth::name)
    }

    fn yes_or_no(&mut self, value: &Value<'_>) -> Option<bool> {
        let found = value.get_ref().as_bool();
        if found.is_none() {
            let message = "`ascii` is true or false".to_owned();
            self.note(message, value.span(), "");
        }
        found
    }

    fn keys(&mut self, value: &Value<'_>) -> BTreeMap<String, Vec<String>> {
        let mut own = BTreeMap::new();
        let Some(table) = value.get_ref().as_table() else {
            let message = "`keys` is a table: action = [\"key\"]".to_owned();
            self.note(message, value.span(), "");
            return own;
        };
        for (name, keys) in table {
            let action = name.get_ref().as_ref();
            if ACTIONS.iter().any(|known| known.name == action) {
                own.insert(action.to_owned(), self.keys_of(action, keys));
            } else {
                let known = ACTIONS.iter().map(|known| known.name);
                self.unknown(action, name.span(), "action", known);
            }
        }
        own
    }

    /// The keys of one action: a list, or one alone.
    fn keys_of(&mut self, action: &str, value: &Value<'_>) -> Vec<String> {
        let list = match value.get_ref() {
            DeValue::Array(list) => list.iter().collect(),
            _ => vec![value],
        };
        let mut keys = Vec::new();
        for value in list {
            let Some(key) = self.text(value, "a key") else {
                continue;
            };
            match written(action, key) {
                Ok(_) => keys.push(key.to_owned()),
                Err(KeymapError::NoKey { key, why, .. }) => {
                    let message = format!("`{key}` is no key: {why}");
                    self.note(message, value.span(), "as in x, ctrl-x, shift-x, f5, space");
                }
                Err(error @ KeymapError::NoAction(_)) => {
                    self.note(error.to_string(), value.span(), "");
                }
            }
        }
        keys
    }
}

/// A key as the help writes it, so that two ways to name one key can be compared.
fn written(action: &str, key: &str) -> Result<String, KeymapError> {
    let one = BTreeMap::from([(action.to_owned(), vec![key.to_owned()])]);
    let (keymap, mut errors) = Keymap::rebound(&one);
    match errors.pop() {
        Some(error) => Err(error),
        None => Ok(keymap.keys(action).concat()),
    }
}

/// Whether there is a moment at which both mean something.
fn meet(one: When, other: When) -> bool {
    match (one, other) {
        (When::Always, _)
        | (_, When::Always)
        | (When::Live, When::Live)
        | (When::Past, When::Past) => true,
        (When::Live, When::Past) | (When::Past, When::Live) => false,
    }
}

/// The keymap: what the operator bound, then what was bound from the start as far as its keys are still free.
fn settle(mut own: BTreeMap<String, Vec<String>>, warnings: &mut Vec<String>) -> Keymap {
    let taken: Vec<(&Definition, String)> = bound(&own).collect();
    for (at, (one, key)) in taken.iter().enumerate() {
        for (other, same) in &taken[at + 1..] {
            if key == same && one.action != other.action && meet(one.when, other.when) {
                let (one, other) = (one.name, other.name);
                warnings.push(format!(
                    "`{key}` is bound to `{one}` and to `{other}`; it does `{one}`"
                ));
            }
        }
    }
    for definition in ACTIONS {
        if own.contains_key(definition.name) {
            continue;
        }
        let free = |key: &&str| {
            let key = written(definition.name, key).unwrap_or_default();
            let mut others = taken.iter();
            !others.any(|(other, same)| *same == key && meet(other.when, definition.when))
        };
        let keys: Vec<&str> = definition.keys.split(' ').collect();
        let left: Vec<String> = keys
            .iter()
            .copied()
            .filter(|key| free(key))
            .map(str::to_owned)
            .collect();
        if left.len() < keys.len() {
            if left.is_empty() {
                warnings.push(format!("`{}` has no key any more", definition.name));
            }
            own.insert(definition.name.to_owned(), left);
        }
    }
    // Every name and key was read before.
    Keymap::rebound(&own).0
}

/// What the operator bound, in the order of [`ACTIONS`], which decides when two share a key.
fn bound(
    own: &BTreeMap<String, Vec<String>>,
) -> impl Iterator<Item = (&'static Definition, String)> {
    ACTIONS.iter().flat_map(|definition| {
        let keys = own.get(definition.name).into_iter().flatten();
        keys.filter_map(move |key| Some((definition, written(definition.name, key).ok()?)))
    })
}
