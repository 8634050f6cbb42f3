//! Filling in `${NAME}`, `${NAME:-default}` and `${secret:NAME}`; `$$` stands for a dollar.
//!
//! In: one string of a profile and a [`Lookup`]. Out: the string as it is used and as it may be shown, the variables
//! and secrets that it took, and what was missing. Values that are put in are never searched for variables again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;

use super::secret::{Text, placeholder};

/// Where values come from: what the command line said, then the environment.
#[derive(Clone, Copy)]
pub(super) struct Lookup<'a> {
    /// `-e NAME=VALUE`; the last one of a name wins.
    pub given: &'a [(String, String)],
    /// The environment.
    pub env: &'a BTreeMap<String, String>,
}

impl<'a> Lookup<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        let given = self.given.iter().rev().find(|(key, _)| key == name);
        given
            .map(|(_, value)| value)
            .or_else(|| self.env.get(name))
            .map(String::as_str)
    }

    /// The value of a secret: the variable, or the file that `NAME_FILE` names, without its last line break.
    fn secret(&self, name: &str) -> Result<String, Missing> {
        if let Some(value) = self.get(name) {
            return non_empty(name, value);
        }
        let Some(path) = self.get(&format!("{name}_FILE")) else {
            return Err(Missing::Secret(name.to_owned()));
        };
        let refused = |why: String| Missing::SecretFile {
            name: name.to_owned(),
            path: path.to_owned(),
            why,
        };
        let mut value = String::new();
        File::open(path)
            .and_then(|file| file.take(LARGEST_SECRET + 1).read_to_string(&mut value))
            .map_err(|error| refused(error.to_string()))?;
        if value.len() as u64 > LARGEST_SECRET {
            return Err(refused("it is larger than 64 KiB".to_owned()));
        }
        let line = value.strip_suffix('\n').unwrap_or(&value);
        non_empty(name, line.strip_suffix('\r').unwrap_or(line))
    }
}

/// The value of a secret that the environment of this process holds, as a profile finds it.
///
/// # Errors
/// A sentence, with what to do, when it does not hold it.
pub fn secret_of_environment(name: &str) -> Result<String, String> {
    let env = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let lookup = Lookup {
        given: &[],
        env: &env,
    };
    lookup.secret(name).map_err(|missing| {
        let help = missing.help().map(|help| format!("; {help}"));
        format!("{missing}{}", help.unwrap_or_default())
    })
}

fn non_empty(name: &str, value: &str) -> Result<String, Missing> {
    if value.is_empty() {
        Err(Missing::EmptySecret(name.to_owned()))
    } else {
        Ok(value.to_owned())
    }
}

/// Largest file that is taken for a secret, bytes.
const LARGEST_SECRET: u64 = 64 << 10;

/// Defaults within defaults go no deeper than this.
const DEEPEST: usize = 8;

/// What could not be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Missing {
    /// A variable that nobody set.
    #[error("the variable `{0}` is not set")]
    Variable(String),
    /// A secret that nobody set.
    #[error("the secret `{0}` is not set")]
    Secret(String),
    /// A secret with nothing in it.
    #[error("the secret `{0}` is empty")]
    EmptySecret(String),
    /// A secret's file that cannot be read.
    #[error("the secret `{name}` cannot be read from `{path}`: {why}")]
    SecretFile {
        name: String,
        path: String,
        why: String,
    },
    /// `${` without its `}`.
    #[error("`${{` is not closed by `}}`")]
    Open,
    /// Something that is no name.
    #[error("`{0}` is not the name of a variable")]
    Name(String),
    /// A secret with a default.
    #[error("the secret `{0}` has a default, which would not be a secret")]
    SecretDefault(String),
    /// Too many defaults within defaults.
    #[error("defaults within defaults go too deep")]
    Deep,
}

impl Missing {
    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Variable(name) => Some(format!(
                "set it with `-e {name}=…` or in the environment, or give it a default: `${{{name}:-…}}`"
            )),
            Self::Secret(name) | Self::EmptySecret(name) => Some(format!(
                "set the variable `{name}`, or `{name}_FILE` to the path of a file that holds it"
            )),
            Self::Open | Self::Name(_) => Some("write `$$` for a dollar sign".to_owned()),
            Self::SecretDefault(name) => Some(format!("write `${{secret:{name}}}`")),
            Self::SecretFile { .. } | Self::Deep => None,
        }
    }
}

/// A string with everything filled in.
#[derive(Debug, Default)]
pub(super) struct Filled {
    real: String,
    shown: String,
    /// Variables taken: names and values.
    pub variables: Vec<(String, String)>,
    /// Secrets taken: names and values.
    pub secrets: Vec<(String, String)>,
    /// What was missing.
    pub missing: Vec<Missing>,
}

impl Filled {
    fn push(&mut self, text: &str) {
        self.real.push_str(text);
        self.shown.push_str(text);
    }

    /// The text, as it is used and as it may be shown.
    pub fn into_text(self) -> Text {
        if self.secrets.is_empty() {
            Text::plain(self.real)
        } else {
            Text::with_secret(self.real, self.shown)
        }
    }
}

/// Fills in one string.
pub(super) fn fill(raw: &str, lookup: Lookup<'_>) -> Filled {
    let mut filled = Filled::default();
    fill_into(raw, lookup, &mut filled, 0);
    filled
}

fn fill_into(raw: &str, lookup: Lookup<'_>, filled: &mut Filled, depth: usize) {
    let mut rest = raw;
    while let Some(at) = rest.find('$') {
        filled.push(&rest[..at]);
        let after = &rest[at + 1..];
        rest = if let Some(after) = after.strip_prefix('$') {
            filled.push("$");
            after
        } else if let Some(inner) = after.strip_prefix('{') {
            let Some(end) = closing(inner) else {
                filled.missing.push(Missing::Open);
                return;
            };
            substitute(&inner[..end], lookup, filled, depth);
            &inner[end + 1..]
        } else {
            // A lone dollar is common in regular expressions and JSON paths.
            filled.push("$");
            after
        };
    }
    filled.push(rest);
}

/// The place of the brace that closes, braces in between paired.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn substitute(inner: &str, lookup: Lookup<'_>, filled: &mut Filled, depth: usize) {
    if let Some(secret) = inner.strip_prefix("secret:") {
        let (name, default) = secret
            .split_once(":-")
            .map_or((secret, None), |(n, d)| (n, Some(d)));
        let value = match (is_name(name), default) {
            (false, _) => Err(Missing::Name(shorten(name))),
            (true, Some(_)) => Err(Missing::SecretDefault(name.to_owned())),
            (true, None) => lookup.secret(name),
        };
        match value {
            Ok(value) => {
                filled.real.push_str(&value);
                filled.shown.push_str(&placeholder(name));
                filled.secrets.push((name.to_owned(), value));
            }
            Err(missing) => filled.missing.push(missing),
        }
        return;
    }
    let (name, default) = inner
        .split_once(":-")
        .map_or((inner, None), |(n, d)| (n, Some(d)));
    if !is_name(name) {
        filled.missing.push(Missing::Name(shorten(name)));
        return;
    }
    match (lookup.get(name), default) {
        (Some(value), None) => taken(name, value, filled),
        (Some(value), Some(_)) if !value.is_empty() => taken(name, value, filled),
        (_, Some(_)) if depth >= DEEPEST => filled.missing.push(Missing::Deep),
        (_, Some(default)) => {
            let from = filled.shown.len();
            fill_into(default, lookup, filled, depth + 1);
            let value = filled.shown[from..].to_owned();
            filled.variables.push((name.to_owned(), value));
        }
        (None, None) => filled.missing.push(Missing::Variable(name.to_owned())),
    }
}

fn taken(name: &str, value: &str, filled: &mut Filled) {
    filled.push(value);
    filled.variables.push((name.to_owned(), value.to_owned()));
}

fn shorten(name: &str) -> String {
    name.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    fn filled(raw: &str) -> Filled {
        let env = env(&[
            ("HOST", "shop"),
            ("EMPTY", ""),
            ("TOKEN", "hunter2"),
            ("LOOP", "${LOOP}"),
        ]);
        let given = [
            ("PORT".to_owned(), "1".to_owned()),
            ("PORT".to_owned(), "8080".to_owned()),
        ];
        fill(
            raw,
            Lookup {
                given: &given,
                env: &env,
            },
        )
    }

    #[test]
    fn variables_defaults_and_dollars_are_filled_in() {
        for (raw, wanted) in [
            ("http://${HOST}:${PORT}/", "http://shop:8080/"),
            ("${NONE:-here}", "here"),
            ("${EMPTY:-here}", "here"),
            ("[${EMPTY}]", "[]"),
            ("${NONE:-}", ""),
            ("${NONE:-${HOST}!}", "shop!"),
            ("${NONE:-/q={{ word() }}}", "/q={{ word() }}"),
            ("$${HOST} costs $5", "${HOST} costs $5"),
            ("json:$.a", "json:$.a"),
            ("${LOOP}", "${LOOP}"),
        ] {
            let filled = filled(raw);
            assert_eq!(filled.missing, [], "{raw}");
            assert_eq!(filled.into_text().reveal(), wanted, "{raw}");
        }
    }

    #[test]
    fn everything_that_is_missing_is_said() {
        let missing = filled("${A} ${secret:B} ${c-d} ${secret:TOKEN:-x} ${").missing;
        assert_eq!(
            missing,
            [
                Missing::Variable("A".to_owned()),
                Missing::Secret("B".to_owned()),
                Missing::Name("c-d".to_owned()),
                Missing::SecretDefault("TOKEN".to_owned()),
                Missing::Open,
            ]
        );
    }

    #[test]
    fn a_secret_is_used_but_not_shown() {
        let text = filled("Bearer ${secret:TOKEN}").into_text();
        assert_eq!(text.reveal(), "Bearer hunter2");
        assert_eq!(text.to_string(), "Bearer ‹secret:TOKEN›");
    }

    #[test]
    fn a_secret_in_a_default_stays_one() {
        let filled = filled("${NONE:-${secret:TOKEN}}");
        assert_eq!(filled.variables[0].1, "‹secret:TOKEN›");
        assert_eq!(filled.into_text().shown(), "‹secret:TOKEN›");
    }

    #[test]
    fn a_secret_may_live_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "hunter2\n").unwrap();
        let env = env(&[("DB_FILE", file.to_str().unwrap())]);
        let lookup = Lookup {
            given: &[],
            env: &env,
        };
        assert_eq!(fill("${secret:DB}", lookup).into_text().reveal(), "hunter2");
        std::fs::write(&file, vec![b'x'; 65 << 10]).unwrap();
        assert!(matches!(
            fill("${secret:DB}", lookup).missing[..],
            [Missing::SecretFile { .. }]
        ));
    }

    #[test]
    fn endless_defaults_end() {
        let raw = "${A:-".repeat(10_000) + &"}".repeat(10_000);
        assert_eq!(filled(&raw).missing, [Missing::Deep]);
    }
}
