//! What one user (closed) or one arrival (open) carries through its journeys.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use minijinja::Value;
use minijinja::value::{Object, ObjectRepr};

use super::cookies::Jar;
use super::feed::{Feed, Feeds, Row};
use super::random;
use super::template::functions::Ambient;
use super::trace::Trace;
use super::{CompiledJourney, think};
use crate::load::http::Failure;
use crate::profile::model::ThinkTime;
use crate::session::record::ErrorKind;

/// What one user (closed) or one arrival (open) carries through its journeys: saved values, cookies, its rng, its data rows.
///
/// Under 200 bytes as long as it has no cookies, rows or saved values; what journeys without templates need never
/// allocates. Rows of `unique` feeds go back when the user is dropped.
#[derive(Debug)]
pub struct User {
    seed: u64,
    pub(super) ambient: Ambient,
    /// Number of the latest write of a ledger; 0 before the first.
    pub(super) written: u64,
    trace_state: u64,
    trace: Option<Trace>,
    /// Absent where the scenario keeps no cookies.
    pub(super) jar: Option<Jar>,
    /// What templates see; absent until there is something to see.
    pub(super) scope: Option<Arc<Scope>>,
}

impl User {
    /// `number`: the user's or arrival's number, which with the seed decides everything random about it.
    pub fn new(seed: u64, number: u64, cookies: bool) -> Self {
        let mixed = random::mix_all(&[seed, number]);
        Self {
            seed,
            ambient: Ambient {
                rng: random::rng(mixed),
                number,
                iteration: 0,
            },
            written: 0,
            trace_state: mixed,
            trace: None,
            jar: cookies.then(Jar::default),
            scope: None,
        }
    }

    /// Starts a journey: takes a row from each feed that the journey uses (unique rows: kept for the user's life), clears saved values, keeps cookies.
    ///
    /// The random values of the journey depend on seed, scenario, number and iteration, and on nothing that happened
    /// before. Fails with kind `Data` when a `unique` feed has no row left.
    pub fn begin(
        &mut self,
        journey: &CompiledJourney,
        feeds: &Feeds,
        iteration: u64,
    ) -> Result<(), Failure> {
        let mixed = random::mix_all(&[self.seed, journey.salt, self.ambient.number, iteration]);
        self.ambient.rng = random::rng(mixed);
        self.ambient.iteration = iteration;
        self.trace_state = random::mix(mixed);
        self.trace = None;
        if self.scope.is_none() && journey.feeds.is_empty() {
            return Ok(());
        }
        let scope = self.scope.get_or_insert_default();
        // Values of a rendering never outlive it, so this user is the only owner and nothing is copied.
        let Some(scope) = Arc::get_mut(scope) else {
            return Err(data_failure("the user's values are still in use".into()));
        };
        scope.saved.clear();
        scope.rows.retain(|row| row.feed.is_unique());
        for feed in journey
            .feeds
            .iter()
            .filter_map(|&place| feeds.feeds.get(place))
        {
            if !scope.holds(feed) {
                let row = feed
                    .take(&mut self.ambient.rng)
                    .ok_or_else(|| none_left(feed))?;
                scope.rows.push(Arc::new(row));
            }
        }
        Ok(())
    }

    /// A pause drawn from a think time.
    pub fn think(&mut self, think: ThinkTime) -> Duration {
        think::draw(think, &mut self.ambient.rng)
    }

    /// The trace id of the request built last, when the scenario traces.
    pub fn trace_id(&self) -> Option<String> {
        self.trace.map(|trace| format!("{:032x}", trace.id))
    }

    /// The number of the latest write of a ledger.
    pub fn written(&self) -> u64 {
        self.written
    }

    pub(super) fn next_trace(&mut self) -> Trace {
        let trace = Trace::next(&mut self.trace_state);
        self.trace = Some(trace);
        trace
    }

    pub(super) fn save(&mut self, name: &Arc<str>, value: Value) {
        let Some(scope) = Arc::get_mut(self.scope.get_or_insert_default()) else {
            return;
        };
        match scope.saved.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => scope.saved.push((Arc::clone(name), value)),
        }
    }

    /// What templates see. No allocation: it is the scope itself, counted once more.
    pub(super) fn values(&self) -> Value {
        self.scope.as_ref().map_or_else(
            || Value::from(()),
            |scope| Value::from_dyn_object(Arc::clone(scope)),
        )
    }
}

/// Names and values that templates see: few, so a list is searched.
#[derive(Debug, Default)]
pub(super) struct Scope {
    saved: Vec<(Arc<str>, Value)>,
    rows: Vec<Arc<Row>>,
}

impl Scope {
    fn holds(&self, feed: &Arc<Feed>) -> bool {
        self.rows.iter().any(|row| Arc::ptr_eq(&row.feed, feed))
    }
}

impl Object for Scope {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        if let Some((_, value)) = self.saved.iter().find(|(name, _)| name.as_ref() == key) {
            return Some(value.clone());
        }
        let row = self.rows.iter().find(|row| row.feed.name.as_ref() == key)?;
        Some(Value::from_dyn_object(Arc::clone(row)))
    }
}

fn none_left(feed: &Feed) -> Failure {
    let (name, rows) = (&feed.name, feed.rows());
    data_failure(format!(
        "data `{name}`: all {rows} rows are taken; `pick = \"unique\"` needs a row for each user at a time"
    ))
}

/// A request that could not be made.
pub(super) fn data_failure(detail: String) -> Failure {
    Failure {
        kind: ErrorKind::Data,
        detail,
        status: None,
        body: Bytes::new(),
    }
}
