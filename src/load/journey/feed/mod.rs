//! Data feeds: rows of files that templates see by the feed's name.
//!
//! In: CSV with a header, or JSON lines, read whole at the start. Out: rows, in order, at random or each to one user
//! at a time. All cells of a file live in one string. Taking a row costs an atomic addition (`cycle`), a draw
//! (`random`), or a lock that is held for a push or a pop (`unique`; only when a user begins or ends). The invariant:
//! a `unique` row never belongs to two users at once, and comes back when its user is gone.

mod read;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr};
use rand::RngExt;

use super::JourneyError;
use super::random::Rng;
use crate::profile::model::{Pick, Profile};

/// Shared data feeds of the whole window (unique rows are handed out across workers), behind an `Arc`.
#[derive(Debug, Default)]
pub struct Feeds {
    pub(super) feeds: Vec<Arc<Feed>>,
}

impl Feeds {
    /// Reads every data file of the profile. Says everything that is wrong at once, up to 20 complaints.
    pub fn load(profile: &Profile) -> Result<Self, Vec<JourneyError>> {
        let (mut feeds, mut errors) = (Vec::new(), Vec::new());
        for feed in &profile.data {
            match read::file(&feed.file, feed.format) {
                Ok(table) => feeds.push(Arc::new(Feed::new(feed.name.clone(), feed.pick, table))),
                Err(found) => errors.extend(
                    found
                        .into_iter()
                        .map(|error| JourneyError(format!("data `{}`: {error}", feed.name))),
                ),
            }
        }
        errors.truncate(read::MOST_ERRORS);
        if errors.is_empty() {
            Ok(Self { feeds })
        } else {
            Err(errors)
        }
    }
}

/// What a file held. Cell (row, column) is at `row * columns + column`.
#[derive(Debug, Default)]
pub(super) struct Table {
    columns: Vec<Arc<str>>,
    text: String,
    /// Where each cell ends in `text`; it begins where the one before ends.
    ends: Vec<u32>,
    /// What each cell is; empty when all are text.
    kinds: Vec<CellKind>,
}

/// What a cell is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CellKind {
    /// The row has no such member.
    Missing,
    Text,
    /// A JSON value other than a string, as JSON.
    Json,
}

impl Table {
    fn rows(&self) -> usize {
        self.ends.len().checked_div(self.columns.len()).unwrap_or(0)
    }

    fn cell(&self, row: usize, column: usize) -> Option<Value> {
        let place = row * self.columns.len() + column;
        let end = *self.ends.get(place)? as usize;
        let start = place
            .checked_sub(1)
            .map_or(0, |before| self.ends[before] as usize);
        let text = &self.text[start..end];
        match self.kinds.get(place).copied().unwrap_or(CellKind::Text) {
            CellKind::Missing => None,
            CellKind::Text => Some(Value::from(text)),
            CellKind::Json => {
                let json = serde_json::from_str::<serde_json::Value>(text).ok()?;
                Some(value(&json))
            }
        }
    }
}

/// A JSON value as templates see it. Depth is bounded by the parser's own limit.
pub(super) fn value(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(truth) => Value::from(*truth),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => Value::from(whole),
            (None, Some(whole)) => Value::from(whole),
            (None, None) => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Array(items) => Value::from(items.iter().map(value).collect::<Vec<_>>()),
        serde_json::Value::Object(members) => Value::from_pairs(
            members
                .iter()
                .map(|(name, json)| (name.as_str(), value(json))),
        ),
    }
}

/// One feed.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) name: Arc<str>,
    pick: Pick,
    table: Table,
    next: AtomicUsize,
    /// Rows that nobody owns, for `unique`; the first row on top.
    free: Mutex<Vec<u32>>,
}

impl Feed {
    fn new(name: String, pick: Pick, table: Table) -> Self {
        let free = match pick {
            Pick::Unique => (0..table.rows() as u32).rev().collect(),
            Pick::Cycle | Pick::Random => Vec::new(),
        };
        Self {
            name: name.into(),
            pick,
            table,
            next: AtomicUsize::new(0),
            free: Mutex::new(free),
        }
    }

    /// Whether a row stays with its user.
    pub(super) fn is_unique(&self) -> bool {
        self.pick == Pick::Unique
    }

    /// Names of the columns.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.table.columns.iter().map(AsRef::as_ref)
    }

    /// A row; `None` when every row of a `unique` feed is taken.
    pub(super) fn take(self: &Arc<Self>, rng: &mut Rng) -> Option<Row> {
        let rows = self.table.rows();
        let row = match self.pick {
            Pick::Cycle => self.next.fetch_add(1, Ordering::Relaxed) % rows,
            Pick::Random => rng.random_range(0..rows),
            Pick::Unique => self
                .free
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop()? as usize,
        };
        Some(Row {
            feed: Arc::clone(self),
            row: row as u32,
        })
    }

    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        self.table.rows()
    }
}

/// A row in somebody's hands. A `unique` one is given back when it is dropped.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) feed: Arc<Feed>,
    row: u32,
}

impl Drop for Row {
    fn drop(&mut self) {
        if self.feed.is_unique() {
            self.feed
                .free
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(self.row);
        }
    }
}

/// Templates see a row as a map of its columns.
impl Object for Row {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        let column = self.feed.columns().position(|column| column == key)?;
        self.feed.table.cell(self.row as usize, column)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.feed.columns().map(Value::from).collect())
    }
}

#[cfg(test)]
mod tests;
