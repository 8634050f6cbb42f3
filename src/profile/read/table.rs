//! Taking a TOML table apart, key by key, and remembering everything that is wrong with it.
//!
//! In: the spanned values of the `toml` crate. Out: typed values, or `None` after the mistake was noted. The
//! invariant: a reader that got `None` may go on with any value it likes, since a profile with mistakes never comes out.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub(super) use super::context::{Context, Place};
use crate::profile::diagnostic::{Diagnostic, nearest};
use crate::profile::secret::Text;
use crate::profile::units;

/// A table whose keys are taken one by one.
pub(super) struct Table<'c, 'a> {
    pub cx: &'c Context<'a>,
    entries: &'c DeTable<'a>,
    /// Where a missing key is noted.
    pub place: Place,
    /// What the table is, with its article: `a scenario`.
    what: &'static str,
    known: Vec<&'static str>,
}

impl<'c, 'a> Table<'c, 'a> {
    pub fn new(
        cx: &'c Context<'a>,
        entries: &'c DeTable<'a>,
        place: Place,
        what: &'static str,
    ) -> Self {
        Self {
            cx,
            entries,
            place,
            what,
            known: Vec::new(),
        }
    }

    /// The value of a key, which is known from now on.
    pub fn take(&mut self, key: &'static str) -> Option<Node<'c, 'a>> {
        self.known.push(key);
        let (name, value) = self.entries.get_key_value(key)?;
        Some(Node {
            cx: self.cx,
            key: name.get_ref(),
            key_place: name.span(),
            value,
        })
    }

    /// The value of a key that must be there.
    pub fn need(&mut self, key: &'static str) -> Option<Node<'c, 'a>> {
        let node = self.take(key);
        if node.is_none() {
            self.missing(key);
        }
        node
    }

    /// Notes that something must be there.
    pub fn missing(&self, key: &str) {
        self.cx.report(
            Diagnostic::new(format!("{} needs `{key}`", self.what), self.place.clone())
                .label(format!("`{key}` is missing")),
        );
    }

    /// Every entry in the order of the file, for tables whose keys are free.
    pub fn entries(&self) -> Vec<Node<'c, 'a>> {
        let mut all: Vec<_> = self
            .entries
            .iter()
            .map(|(name, value)| Node {
                cx: self.cx,
                key: name.get_ref(),
                key_place: name.span(),
                value,
            })
            .collect();
        all.sort_by_key(|node| node.key_place.start);
        all
    }

    /// Notes every key that was never asked for.
    pub fn finish(self) {
        for node in self.entries() {
            if self.known.contains(&node.key) {
                continue;
            }
            let mut diagnostic = Diagnostic::new(
                format!("{} has no key `{}`", self.what, node.key),
                node.key_place.clone(),
            );
            if let Some(key) = nearest(node.key, self.known.iter().copied()) {
                diagnostic = diagnostic.label(format!("did you mean `{key}`?"));
            } else {
                let mut known = self.known.clone();
                known.sort_unstable();
                diagnostic = diagnostic
                    .label("unknown key")
                    .help(format!("known are {}", known.join(", ")));
            }
            self.cx.report(diagnostic);
        }
    }

    pub fn string(&mut self, key: &'static str) -> Option<String> {
        self.take(key)?.string()
    }

    pub fn text(&mut self, key: &'static str) -> Option<Text> {
        self.take(key)?.text()
    }

    pub fn boolean(&mut self, key: &'static str) -> Option<bool> {
        self.take(key)?.boolean()
    }

    pub fn parse<T: FromStr<Err: Display>>(&mut self, key: &'static str) -> Option<T> {
        self.take(key)?.parse()
    }

    pub fn duration(&mut self, key: &'static str) -> Option<Duration> {
        self.take(key)?.duration()
    }

    /// A time that is not zero.
    pub fn positive(&mut self, key: &'static str) -> Option<Duration> {
        self.take(key)?.positive()
    }

    pub fn file(&mut self, key: &'static str) -> Option<PathBuf> {
        self.take(key)?.file()
    }

    pub fn integer(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        self.take(key)?.integer(range)
    }

    /// One character that a person can type: a letter or a digit.
    pub fn key(&mut self) -> Option<(char, Place)> {
        let node = self.take("key")?;
        let text = node.string()?;
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) if c.is_alphanumeric() => Some((c, node.place())),
            _ => {
                node.wrong("a key is one letter or digit");
                None
            }
        }
    }

    /// A sub-table whose values are strings.
    pub fn string_map(&mut self, key: &'static str) -> BTreeMap<String, String> {
        let Some(table) = self.take(key).and_then(|node| node.table("this table")) else {
            return BTreeMap::new();
        };
        table
            .entries()
            .into_iter()
            .filter_map(|node| Some((node.key.to_owned(), node.string()?)))
            .collect()
    }
}

/// One value and its place.
#[derive(Clone)]
pub(super) struct Node<'c, 'a> {
    pub cx: &'c Context<'a>,
    pub key: &'c str,
    pub key_place: Place,
    value: &'c Spanned<DeValue<'a>>,
}

impl<'c, 'a> Node<'c, 'a> {
    pub fn place(&self) -> Place {
        let span = self.value.span();
        if span.is_empty() {
            self.key_place.clone()
        } else {
            span
        }
    }

    pub fn value(&self) -> &'c DeValue<'a> {
        self.value.get_ref()
    }

    /// Notes a mistake at this value.
    pub fn wrong(&self, message: impl Into<String>) {
        self.cx.wrong(self.place(), message);
    }

    fn wrong_type(&self, wanted: &str) {
        let found = match self.value() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.cx.report(
            Diagnostic::new(format!("`{}` must be {wanted}", self.key), self.place())
                .label(format!("this is {found}")),
        );
    }

    /// A string with everything filled in, secrets allowed.
    pub fn text(&self) -> Option<Text> {
        let DeValue::String(raw) = self.value() else {
            self.wrong_type("a string");
            return None;
        };
        self.cx.fill(raw, &self.place())
    }

    /// A string without secrets.
    pub fn string(&self) -> Option<String> {
        self.public(&self.text()?)
    }

    fn public(&self, text: &Text) -> Option<String> {
        if text.is_secret() {
            self.cx.report(
                Diagnostic::new(
                    format!("a secret cannot be used in `{}`, which is shown and recorded", self.key),
                    self.place(),
                )
                .help("secrets are taken in URLs, headers, bodies, tokens, webhooks and the `env` of faults"),
            );
            return None;
        }
        Some(text.reveal().to_owned())
    }

    /// A string or a number, as text.
    fn scalar(&self, wanted: &str) -> Option<String> {
        match self.value() {
            DeValue::String(_) => self.string(),
            DeValue::Integer(n) if n.radix() == 10 => Some(n.as_str().to_owned()),
            DeValue::Float(n) => Some(n.as_str().to_owned()),
            _ => {
                self.wrong_type(wanted);
                None
            }
        }
    }

    /// Anything that reads itself from text; a bare number counts as its text.
    pub fn parse<T: FromStr<Err: Display>>(&self) -> Option<T> {
        let text = self.scalar("a string")?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.wrong(error.to_string());
                None
            }
        }
    }

    pub fn duration(&self) -> Option<Duration> {
        self.parse::<units::Span>().map(|span| span.0)
    }

    /// A time that is not zero.
    pub fn positive(&self) -> Option<Duration> {
        let duration = self.duration()?;
        if duration.is_zero() {
            self.wrong(format!("`{}` must be longer than nothing", self.key));
            return None;
        }
        Some(duration)
    }

    pub fn boolean(&self) -> Option<bool> {
        match self.value() {
            DeValue::Boolean(value) => return Some(*value),
            DeValue::String(_) => match self.string()?.as_str() {
                "true" => return Some(true),
                "false" => return Some(false),
                _ => {}
            },
            _ => {}
        }
        self.wrong_type("true or false");
        None
    }

    pub fn integer(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let parsed = match self.value() {
            DeValue::Integer(n) => i128::from_str_radix(n.as_str(), n.radix()).ok(),
            DeValue::String(_) => self.string()?.trim().parse::<i128>().ok(),
            _ => None,
        };
        let Some(number) = parsed else {
            self.wrong_type("a whole number");
            return None;
        };
        match u64::try_from(number) {
            Ok(n) if range.contains(&n) => Some(n),
            _ => {
                let bound = if number < i128::from(*range.start()) {
                    format!("at least {}", range.start())
                } else {
                    format!("at most {}", range.end())
                };
                self.wrong(format!("`{}` must be {bound}, not {number}", self.key));
                None
            }
        }
    }

    /// A number of bytes: `10MB`, or a bare count.
    pub fn bytes(&self) -> Option<u64> {
        self.parse::<units::Bytes>().map(|bytes| bytes.0)
    }

    /// A file that exists, relative to the profile's folder.
    pub fn file(&self) -> Option<PathBuf> {
        let path = self.string()?;
        self.cx.existing(&path, self.place())
    }

    /// The elements of a list; a single value counts as a list of one. An empty list is a mistake.
    pub fn list(&self) -> Option<Vec<Self>> {
        let DeValue::Array(array) = self.value() else {
            return Some(vec![self.clone()]);
        };
        if array.is_empty() {
            self.wrong(format!("`{}` is empty", self.key));
            return None;
        }
        Some(array.iter().map(|value| self.element(value)).collect())
    }

    /// A table; `what` names it in messages, with its article.
    pub fn table(&self, what: &'static str) -> Option<Table<'c, 'a>> {
        let DeValue::Table(entries) = self.value() else {
            self.wrong_type("a table");
            return None;
        };
        Some(Table::new(self.cx, entries, self.place(), what))
    }

    /// The tables of `[[key]]`.
    pub fn tables(&self, what: &'static str) -> Vec<Table<'c, 'a>> {
        let DeValue::Array(array) = self.value() else {
            self.cx.report(
                Diagnostic::new(
                    format!("`{}` comes as a list of tables", self.key),
                    self.key_place.clone(),
                )
                .help(format!("write `[[{}]]`", self.key)),
            );
            return Vec::new();
        };
        array
            .iter()
            .filter_map(|value| self.element(value).table(what))
            .collect()
    }

    /// A value as JSON, without secrets.
    pub fn json(&self) -> Option<serde_json::Value> {
        match self.value() {
            DeValue::String(_) => self.string().map(Into::into),
            DeValue::Array(array) => array
                .iter()
                .map(|value| self.element(value).json())
                .collect(),
            DeValue::Table(_) => {
                let mut map = serde_json::Map::new();
                for node in self.table("this table")?.entries() {
                    map.insert(node.key.to_owned(), node.json()?);
                }
                Some(map.into())
            }
            _ => self.json_scalar(),
        }
    }

    /// A number, boolean or date as JSON.
    pub fn json_scalar(&self) -> Option<serde_json::Value> {
        let value = match self.value() {
            DeValue::Boolean(value) => Some((*value).into()),
            DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix())
                .ok()
                .map(Into::into),
            DeValue::Float(n) => n
                .as_str()
                .parse::<f64>()
                .ok()
                .and_then(serde_json::Number::from_f64)
                .map(Into::into),
            DeValue::Datetime(date) => Some(date.to_string().into()),
            DeValue::String(_) | DeValue::Array(_) | DeValue::Table(_) => None,
        };
        if value.is_none() {
            self.wrong("this value cannot be written as JSON");
        }
        value
    }

    /// An element of this list.
    pub fn element(&self, value: &'c Spanned<DeValue<'a>>) -> Self {
        Node {
            cx: self.cx,
            key: self.key,
            key_place: self.key_place.clone(),
            value,
        }
    }
}
