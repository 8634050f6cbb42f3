//! Which series an expression looks at.
//!
//! In: matchers. Out: the series of a store that they select, remembered until series come or go, so that a selection
//! costs nothing from one tick to the next.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use regex::Regex;

use super::{Refused, pattern};
use crate::scrape::Labels;
use crate::scrape::labels::NAME;
use crate::scrape::store::Store;

/// How far an instant selector looks back for a value, in milliseconds: the 5 minutes of Prometheus.
pub const LOOKBACK: i64 = 5 * 60 * 1000;

/// One condition on a label.
#[derive(Debug, Clone)]
pub(super) struct Matcher {
    pub name: Box<str>,
    pub test: Test,
}

#[derive(Debug, Clone)]
pub(super) enum Test {
    Equal(Box<str>),
    NotEqual(Box<str>),
    Matches(Regex),
    MatchesNot(Regex),
}

impl Matcher {
    fn matches(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.name);
        match &self.test {
            Test::Equal(expected) => **expected == *value,
            Test::NotEqual(unwanted) => **unwanted != *value,
            Test::Matches(regex) => regex.is_match(value),
            Test::MatchesNot(regex) => !regex.is_match(value),
        }
    }
}

/// What an expression reads: some series, and how much of their past.
#[derive(Clone)]
pub struct Selector {
    /// How far back it looks from the moment of evaluation, in milliseconds, lookback, offset and enclosing subqueries
    /// included: a series has to be kept that long. `i64::MAX` with `@`, which may look at any moment.
    pub reach: i64,
    matchers: Vec<Matcher>,
    /// The one metric name that can match.
    name: Option<Box<str>>,
    remembered: Arc<Mutex<Option<Remembered>>>,
}

struct Remembered {
    version: (u64, u64),
    slots: Arc<[u32]>,
}

impl Selector {
    pub(super) fn new(matchers: Vec<Matcher>, reach: i64) -> Self {
        let name = matchers.iter().find_map(|matcher| match &matcher.test {
            Test::Equal(value) if *matcher.name == *NAME && !value.is_empty() => {
                Some(value.clone())
            }
            _ => None,
        });
        Self {
            reach,
            matchers,
            name,
            remembered: Arc::default(),
        }
    }

    /// Reads a bare instant selector, such as `http_requests_total{code=~"5.."}`.
    ///
    /// # Errors
    /// When it is none, or no expression at all.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        super::read::selector(text)
    }

    /// Only those of them that have this label.
    #[must_use]
    pub fn restricted(mut self, label: &str, value: &str) -> Self {
        self.matchers.push(Matcher {
            name: label.into(),
            test: Test::Equal(value.into()),
        });
        Self::new(self.matchers, self.reach)
    }

    /// Whether a series is one of those.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.matchers.iter().all(|matcher| matcher.matches(labels))
    }

    /// The metric name that all of those series have, if the selector demands one.
    pub fn metric(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Their places in a store, in the order of their labels.
    pub(super) fn select(&self, store: &Store) -> Arc<[u32]> {
        let version = store.version(self.metric());
        // What a panic left behind is a whole selection or the one before.
        let mut remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(remembered) = &*remembered
            && remembered.version == version
        {
            return Arc::clone(&remembered.slots);
        }
        let slots: Arc<[u32]> = store
            .select(self.metric(), |labels| self.matches(labels))
            .into();
        *remembered = Some(Remembered {
            version,
            slots: Arc::clone(&slots),
        });
        slots
    }

    /// The labels that `absent` gives: those that the matchers demand.
    pub(super) fn demanded(&self) -> Labels {
        let mut labels: Vec<(&str, &str)> = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        for matcher in self.matchers.iter().filter(|other| *other.name != *NAME) {
            let name = &*matcher.name;
            match &matcher.test {
                Test::Equal(value) if !seen.contains(&name) => {
                    seen.push(name);
                    labels.push((name, value));
                }
                _ => labels.retain(|(other, _)| *other != name),
            }
        }
        Labels::new(labels)
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selector")
            .field("matchers", &self.matchers)
            .field("reach", &self.reach)
            .finish_non_exhaustive()
    }
}

/// Compiles a matcher's pattern.
pub(super) fn regex(text: &str) -> Result<Regex, String> {
    pattern::compile(text).map_err(|why| format!("`{text}` is not a regular expression: {why}"))
}
