//! The identity of a series: its labels, the metric's name among them.

use std::fmt;
use std::sync::Arc;

/// The label that holds a metric's name.
pub const NAME: &str = "__name__";

/// A set of labels: sorted by name, each name once, none with an empty value (for Prometheus, that is no label at all).
/// Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Arc<[(Box<str>, Box<str>)]>);

impl Labels {
    /// Of names and values in any order. Of several with the same name the last one counts.
    pub fn new<N: Into<Box<str>>, V: Into<Box<str>>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let pairs = pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        let mut pairs: Vec<(Box<str>, Box<str>)> = pairs.collect();
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        pairs.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                std::mem::swap(&mut kept.1, &mut later.1);
            }
            same
        });
        pairs.retain(|(_, value)| !value.is_empty());
        Self(pairs.into())
    }

    /// The value of a label; empty without it.
    pub fn get(&self, name: &str) -> &str {
        let place = self.0.binary_search_by(|(other, _)| (**other).cmp(name));
        place.map_or("", |place| &*self.0[place].1)
    }

    /// The metric's name; empty without one.
    pub fn name(&self) -> &str {
        self.get(NAME)
    }

    /// Whether these are not only equal but the very same in memory, which costs nothing to find out.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Names and values, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// How many there are, the metric's name included.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Default for Labels {
    fn default() -> Self {
        Self(Arc::new([]))
    }
}

/// As Prometheus writes it: `up{instance="127.0.0.1:9100",job="node"}`, `{job="node"}` without a name, and a name that
/// is none of the plain ones in quotes within the braces. This is the name of a series in a session.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        let plain = is_plain_metric(name);
        if plain {
            f.write_str(name)?;
        }
        let mut open = false;
        let mut next = |f: &mut fmt::Formatter<'_>| {
            let mark = if std::mem::replace(&mut open, true) {
                ","
            } else {
                "{"
            };
            f.write_str(mark)
        };
        if !plain && !name.is_empty() {
            next(f)?;
            write_quoted(f, name)?;
        }
        for (label, value) in self.iter().filter(|(label, _)| *label != NAME) {
            next(f)?;
            if is_plain_label(label) {
                f.write_str(label)?;
            } else {
                write_quoted(f, label)?;
            }
            f.write_str("=")?;
            write_quoted(f, value)?;
        }
        match (open, name.is_empty()) {
            (true, _) => f.write_str("}"),
            (false, true) => f.write_str("{}"),
            (false, false) => Ok(()),
        }
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether a metric's name needs no quotes: `[a-zA-Z_:][a-zA-Z0-9_:]*`.
pub fn is_plain_metric(name: &str) -> bool {
    is_plain(name, |byte| byte == b':')
}

/// Whether a label's name needs no quotes: `[a-zA-Z_][a-zA-Z0-9_]*`.
pub fn is_plain_label(name: &str) -> bool {
    is_plain(name, |_| false)
}

fn is_plain(name: &str, also: impl Fn(u8) -> bool) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || also(byte);
    let mut bytes = name.bytes();
    bytes.next().is_some_and(&letter) && bytes.all(|byte| letter(byte) || byte.is_ascii_digit())
}

fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    let mut rest = text;
    while let Some(place) = rest.find(['\\', '"', '\n']) {
        f.write_str(&rest[..place])?;
        f.write_str(match rest.as_bytes()[place] {
            b'\n' => "\\n",
            b'"' => "\\\"",
            _ => "\\\\",
        })?;
        rest = &rest[place + 1..];
    }
    f.write_str(rest)?;
    f.write_str("\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sorted_single_and_never_empty() {
        let labels = Labels::new([("b", "2"), (NAME, "up"), ("a", "1"), ("c", ""), ("b", "3")]);
        assert_eq!(labels.to_string(), r#"up{a="1",b="3"}"#);
        assert_eq!(labels, Labels::new([("a", "1"), ("b", "3"), (NAME, "up")]));
        assert_eq!(
            (labels.get("b"), labels.get("c"), labels.name()),
            ("3", "", "up")
        );
    }

    #[test]
    fn a_later_empty_value_takes_a_label_away() {
        assert!(Labels::new([("a", "1"), ("a", "")]).is_empty());
    }

    #[test]
    fn what_is_not_plain_is_quoted() {
        let text = |pairs: &[(&str, &str)]| Labels::new(pairs.iter().copied()).to_string();
        assert_eq!(text(&[]), "{}");
        assert_eq!(text(&[(NAME, "up")]), "up");
        assert_eq!(text(&[("job", "a\"b\\c\nd")]), r#"{job="a\"b\\c\nd"}"#);
        assert_eq!(text(&[(NAME, "a.b"), ("c d", "1")]), r#"{"a.b","c d"="1"}"#);
    }
}
