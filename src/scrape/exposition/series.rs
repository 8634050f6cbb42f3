//! The text of a series, taken apart: `name{label="value"}` that was read before, so nothing can be wrong with it.

use std::borrow::Cow;

use super::Format;
use super::cursor::{Cursor, LABEL_VALUE_ESCAPES};
use crate::scrape::Labels;
use crate::scrape::labels::NAME;

/// The labels of a series, the metric's name among them, from the text of one that was read.
pub fn labels(series: &str) -> Labels {
    Labels::new(pairs(series))
}

/// The metric's name.
pub fn name(series: &str) -> Cow<'_, str> {
    let mut pairs = pairs(series);
    let found = pairs.find(|(label, _)| label == NAME);
    found.map_or(Cow::Borrowed(""), |(_, name)| name)
}

/// Names and values of a series in the order of its text, with escapes decoded. The metric's name is `__name__`.
pub fn pairs(series: &str) -> Pairs<'_> {
    let mut cursor = Cursor::new(series.as_bytes(), Format::Text);
    let name = cursor.metric_name().len();
    let (name, rest) = series.split_at(name);
    Pairs { name, rest }
}

/// See [`pairs`].
#[derive(Debug, Clone)]
pub struct Pairs<'t> {
    name: &'t str,
    rest: &'t str,
}

impl<'t> Iterator for Pairs<'t> {
    type Item = (Cow<'t, str>, Cow<'t, str>);

    fn next(&mut self) -> Option<Self::Item> {
        if !self.name.is_empty() {
            let name = std::mem::take(&mut self.name);
            return Some((Cow::Borrowed(NAME), Cow::Borrowed(name)));
        }
        let between = |c: char| matches!(c, ' ' | '\t' | ',' | '{');
        let text = self.rest.trim_start_matches(between);
        let (label, text) = word(text)?;
        let Some(text) = text.trim_start_matches([' ', '\t']).strip_prefix('=') else {
            // A quoted text alone is the metric's name.
            self.rest = text;
            return Some((Cow::Borrowed(NAME), label));
        };
        let (value, rest) = word(text.trim_start_matches([' ', '\t']))?;
        self.rest = rest;
        Some((label, value))
    }
}

/// A quoted text decoded, or a plain name, and what follows it.
fn word(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut cursor = Cursor::new(text.as_bytes(), Format::Text);
    let quoted = text.starts_with('"');
    if quoted {
        cursor.quoted().ok()?;
    } else if cursor.label_name().is_empty() {
        return None;
    }
    let (word, rest) = text.split_at_checked(cursor.at)?;
    let word = if quoted {
        unescaped(word.get(1..word.len() - 1)?, LABEL_VALUE_ESCAPES)
    } else {
        Cow::Borrowed(word)
    };
    Some((word, rest))
}

/// Text with `\` and one of `escapes` in the place of the character that it stands for; other backslashes stay, as in
/// Prometheus.
pub(super) fn unescaped<'t>(text: &'t str, escapes: &[u8]) -> Cow<'t, str> {
    let Some(first) = text.find('\\') else {
        return Cow::Borrowed(text);
    };
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut place) = (text, Some(first));
    while let Some(at) = place {
        let next = rest.as_bytes().get(at + 1).copied();
        let skip = if let Some(byte) = next.filter(|byte| escapes.contains(byte)) {
            out.push_str(&rest[..at]);
            out.push(if byte == b'n' { '\n' } else { char::from(byte) });
            2
        } else {
            out.push_str(&rest[..=at]);
            1
        };
        rest = &rest[at + skip..];
        place = rest.find('\\');
    }
    out.push_str(rest);
    Cow::Owned(out)
}
