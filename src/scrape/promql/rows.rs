//! Values in between: series of one moment.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};

use super::EvalError;
use crate::scrape::Labels;
use crate::scrape::labels::NAME;

/// Labels whose name may have been dropped. Most functions drop it from every series, and building new labels for each
/// would cost more than all the rest.
#[derive(Debug, Clone)]
pub(super) struct Tags {
    pub of: Labels,
    pub unnamed: bool,
}

impl Tags {
    pub fn get(&self, name: &str) -> &str {
        if self.unnamed && name == NAME {
            ""
        } else {
            self.of.get(name)
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.of.iter();
        pairs.filter(|(name, _)| !self.unnamed || *name != NAME)
    }

    pub fn into_labels(self) -> Labels {
        if self.unnamed && !self.of.name().is_empty() {
            Labels::new(self.iter())
        } else {
            self.of
        }
    }

    /// Those that `keep` keeps.
    pub fn only(&self, keep: impl Fn(&str) -> bool) -> Labels {
        Labels::new(self.iter().filter(|(name, _)| keep(name)))
    }

    /// With one label set; an empty value takes it away.
    pub fn with(&self, name: &str, value: &str) -> Labels {
        Labels::new(self.iter().chain([(name, value)]))
    }
}

impl From<Labels> for Tags {
    fn from(of: Labels) -> Self {
        Self { of, unnamed: false }
    }
}

impl PartialEq for Tags {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Tags {}

impl Hash for Tags {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for pair in self.iter() {
            pair.hash(state);
        }
    }
}

/// A series and its value.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub tags: Tags,
    pub value: f64,
}

/// An instant vector.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    pub rows: Vec<Row>,
    /// Known to be told apart by their labels even without the name; then dropping it needs no look.
    pub told_apart: bool,
}

impl Rows {
    /// Rows of which nothing is known.
    pub fn unknown(rows: Vec<Row>) -> Self {
        Self {
            rows,
            told_apart: false,
        }
    }

    /// Refuses two with the same labels.
    pub fn checked(self) -> Result<Self, EvalError> {
        if self.told_apart || self.rows.len() < 2 {
            return Ok(self);
        }
        let mut seen = HashSet::with_capacity(self.rows.len());
        let twice = self.rows.iter().find(|row| !seen.insert(&row.tags));
        match twice {
            Some(row) => Err(EvalError::SameLabels(row.tags.clone().into_labels())),
            None => Ok(self),
        }
    }

    /// Other values without the names.
    pub fn map(mut self, value: impl Fn(f64) -> f64) -> Result<Self, EvalError> {
        for row in &mut self.rows {
            row.value = value(row.value);
            row.tags.unnamed = true;
        }
        self.checked()
    }
}

/// What tells rows apart that are put together: the values of some labels, or all labels but some. Two of the same kind are
/// equal exactly when those labels are, since no label holds the byte 0xff.
#[derive(Debug)]
pub(super) struct Signature<'l> {
    /// Sorted.
    pub labels: &'l [String],
    /// All but those, and but the name.
    pub without: bool,
}

impl Signature<'_> {
    /// Writes the signature of a row over what was in `out`.
    pub fn write(&self, tags: &Tags, out: &mut Vec<u8>) {
        out.clear();
        let mut put = |text: &str| {
            out.extend_from_slice(text.as_bytes());
            out.push(0xff);
        };
        if !self.without {
            for name in self.labels {
                put(tags.get(name));
            }
            return;
        }
        for (name, value) in tags.iter().filter(|(name, _)| !self.takes_away(name)) {
            put(name);
            put(value);
        }
    }

    /// The labels that make the signature.
    pub fn labels(&self, tags: &Tags) -> Labels {
        if self.without {
            tags.only(|name| !self.takes_away(name))
        } else {
            tags.only(|name| self.lists(name))
        }
    }

    fn lists(&self, name: &str) -> bool {
        self.labels
            .binary_search_by(|other| (**other).cmp(name))
            .is_ok()
    }

    fn takes_away(&self, name: &str) -> bool {
        name == NAME || self.lists(name)
    }
}
