//! One endpoint from scrape to scrape: what it said, as what goes into the session.
//!
//! In: what came of each scrape. Out: a [`ScrapeTick`] with the recorded series that changed. The invariant: whatever a
//! body says, the series of an endpoint are the target's own (`job` and `instance` are ours), and a scrape that failed
//! ends all of them, as in Prometheus.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::Labels;
use super::client::Fetched;
use super::exposition::Format;
use super::exposition::cache::{Cache, Scraped};
use super::filter::Filter;
use super::labels::NAME;
use super::names::Book;
use super::promql::Selector;
use crate::session::record::{Instance, Number, OF_SCRAPES as OWN, ScrapeTick};

/// Series beyond four times those of a body, and so many more, are let go of.
const SPARE: usize = 1_000;

/// Which series are recorded.
#[derive(Debug, Default)]
pub struct Wanted {
    selectors: Vec<Selector>,
}

impl Wanted {
    /// Records these too.
    pub fn add(&mut self, selectors: &[Selector]) {
        self.selectors.extend_from_slice(selectors);
    }

    /// How far back any of them looks, ms.
    pub fn reach(&self) -> i64 {
        let reaches = self.selectors.iter().map(|selector| selector.reach);
        reaches.max().unwrap_or(0)
    }

    fn wants(&self, labels: &Labels) -> bool {
        self.selectors
            .iter()
            .any(|selector| selector.matches(labels))
    }
}

/// What came of a scrape.
#[derive(Debug)]
pub struct Scrape {
    /// When it began, µs since the window began.
    pub at: u64,
    /// Likewise, ms since the Unix epoch.
    pub at_ms: i64,
    /// How long it took.
    pub took: Duration,
    /// Intervals that were left out before it.
    pub missed: u64,
    /// The body, or why there is none.
    pub outcome: Result<Fetched, String>,
}

/// What goes into the session of it.
#[derive(Debug, PartialEq)]
pub struct Taken {
    /// The scrape.
    pub tick: ScrapeTick,
    /// That it is up now and was not before, or is down now and was not before, and why.
    pub turned: Option<Result<(), String>>,
    /// What is wrong with the body, when nothing was before.
    pub bad: Option<String>,
    /// Whether it is the first body since the last scrape that failed.
    pub fresh: bool,
}

/// An endpoint that is scraped.
#[derive(Debug)]
pub struct Endpoint {
    index: usize,
    /// Labels that all of its series have.
    ours: Labels,
    filter: Arc<Filter>,
    cache: Cache,
    out: Scraped,
    known: Series,
    own: [One; OWN.len()],
    scrapes: u64,
    missed: u64,
    health: Health,
    bad: bool,
    reconsider: bool,
}

/// The series of an endpoint, by the ids that the cache has for them.
#[derive(Debug, Default)]
struct Series {
    all: Vec<One>,
    by_labels: HashMap<Labels, u32>,
    /// Those that are recorded, or are to be.
    recorded: Vec<u32>,
}

/// A series of an endpoint.
#[derive(Debug, Clone)]
struct One {
    labels: Labels,
    place: Place,
    /// As it was recorded last.
    value: Option<f64>,
    /// The scrape that it was seen in last.
    seen: u64,
}

/// How the last scrape went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    /// There was none.
    Unknown,
    Up,
    Down,
}

/// Whether a series is in the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Nothing wants it.
    Unwanted,
    /// It is to be, once there may be new names.
    Waiting,
    /// It has this place among the names.
    At(usize),
}

impl One {
    fn new(labels: Labels, wanted: bool) -> Self {
        Self {
            labels,
            place: if wanted {
                Place::Waiting
            } else {
                Place::Unwanted
            },
            value: None,
            seen: 0,
        }
    }

    /// Takes a value in. Gives its place in the session if it has one.
    fn set(
        &mut self,
        value: f64,
        instance: usize,
        book: &mut Book,
        tick: &mut ScrapeTick,
    ) -> Option<usize> {
        if self.place == Place::Waiting
            && let Some(index) = book.scraped(instance, &self.labels)
        {
            self.place = Place::At(index);
        }
        let Place::At(index) = self.place else {
            return None;
        };
        let before = self.value.replace(value);
        if before.is_none_or(|before| before.to_bits() != value.to_bits()) {
            tick.series.push((index, Some(Number(value))));
        }
        Some(index)
    }

    /// Ends it, where it has a value.
    fn end(&mut self, tick: &mut ScrapeTick) {
        if let (Some(_), Place::At(index)) = (self.value.take(), self.place) {
            tick.series.push((index, None));
        }
    }
}

impl Series {
    /// The id of a series; it is a new one unless its labels are known.
    fn id(&mut self, labels: Labels, wanted: &Wanted) -> u32 {
        if let Some(&id) = self.by_labels.get(&labels) {
            return id;
        }
        let id = self.all.len() as u32;
        let wanted = wanted.wants(&labels);
        if wanted {
            self.recorded.push(id);
        }
        self.by_labels.insert(labels.clone(), id);
        self.all.push(One::new(labels, wanted));
        id
    }

    /// Looks again at what is wanted.
    fn reconsider(&mut self, wanted: &Wanted) {
        for (id, one) in self.all.iter_mut().enumerate() {
            if one.place == Place::Unwanted && wanted.wants(&one.labels) {
                one.place = Place::Waiting;
                self.recorded.push(id as u32);
            }
        }
    }

    /// Keeps only what has a value in the session. All ids are others afterwards.
    fn shrink(&mut self) {
        let all = std::mem::take(&mut self.all).into_iter();
        self.all = all.filter(|one| one.value.is_some()).collect();
        let ids = 0..self.all.len() as u32;
        self.recorded = ids.clone().collect();
        let labels = self.all.iter().map(|one| one.labels.clone());
        self.by_labels = labels.zip(ids).collect();
    }
}

impl Endpoint {
    /// The endpoint of this place in the names of the session, with these labels besides `job` and `instance`.
    pub fn new(
        index: usize,
        instance: &Instance,
        labels: &BTreeMap<String, String>,
        filter: Arc<Filter>,
    ) -> Self {
        let labels = labels
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let of = [
            ("job", &*instance.target),
            ("instance", &*instance.instance),
        ];
        let ours = Labels::new(labels.chain(of));
        let own = OWN.map(|name| One::new(Labels::new(ours.iter().chain([(NAME, name)])), true));
        Self {
            index,
            ours,
            filter,
            cache: Cache::new(),
            out: Scraped::default(),
            known: Series::default(),
            own,
            scrapes: 0,
            missed: 0,
            health: Health::Unknown,
            bad: false,
            reconsider: false,
        }
    }

    /// The series that it has or had lately.
    pub fn series(&self) -> impl Iterator<Item = &Labels> {
        let all = self.own.iter().chain(&self.known.all);
        all.map(|one| &one.labels)
    }

    /// The names of the metrics that its last body had.
    pub fn metrics(&self) -> HashSet<&str> {
        let now = self.known.all.iter().filter(|one| one.seen == self.scrapes);
        now.map(|one| one.labels.name()).collect()
    }

    /// Looks again at what is to be recorded, with the next scrape.
    pub fn reconsider(&mut self) {
        self.reconsider = true;
    }

    /// Takes a scrape in.
    pub fn take(&mut self, scrape: &Scrape, wanted: &Wanted, book: &mut Book) -> Taken {
        self.scrapes += 1;
        self.missed += scrape.missed;
        if std::mem::take(&mut self.reconsider) {
            self.known.reconsider(wanted);
        }
        if self.known.all.len() > 4 * self.cache.len() + SPARE {
            self.known.shrink();
            self.cache = Cache::new();
        }
        let mut tick = ScrapeTick {
            of: self.index,
            at: scrape.at,
            ..ScrapeTick::default()
        };
        let outcome = match &scrape.outcome {
            Ok(fetched) => self.read(fetched, scrape.at_ms, wanted),
            Err(why) => Err(why.clone()),
        };
        let mut out = std::mem::take(&mut self.out);
        if outcome.is_err() {
            out = Scraped::default();
            self.cache.lost();
        }
        self.put(&out, book, &mut tick);
        let figures = [
            f64::from(u8::from(outcome.is_ok())),
            scrape.took.as_secs_f64(),
            out.samples as f64,
            out.bad_lines as f64,
            self.missed as f64,
        ];
        self.put_own(figures, book, &mut tick);
        let bad = self.told_bad(&out);
        let fresh = outcome.is_ok() && self.health != Health::Up;
        self.out = out;
        Taken {
            tick,
            turned: self.turn(outcome.err()),
            bad,
            fresh,
        }
    }

    /// Takes in whether a server answers that is asked and not scraped.
    pub fn answered(
        &mut self,
        at: u64,
        took: Duration,
        error: Option<String>,
        book: &mut Book,
    ) -> Taken {
        let mut tick = ScrapeTick {
            of: self.index,
            at,
            ..ScrapeTick::default()
        };
        let up = f64::from(u8::from(error.is_none()));
        self.put_own([up, took.as_secs_f64()], book, &mut tick);
        Taken {
            tick,
            turned: self.turn(error),
            bad: None,
            fresh: false,
        }
    }

    /// It is scraped no more: every series of it ends.
    pub fn end(&mut self, at: u64) -> ScrapeTick {
        let mut tick = ScrapeTick {
            of: self.index,
            at,
            ..ScrapeTick::default()
        };
        let all = self.known.all.iter_mut().chain(&mut self.own);
        all.for_each(|one| one.end(&mut tick));
        tick
    }

    /// Reads a body into `out`.
    fn read(&mut self, fetched: &Fetched, at_ms: i64, wanted: &Wanted) -> Result<(), String> {
        let format = Format::of(fetched.content_type.as_deref()).map_err(|why| why.to_string())?;
        let Self {
            cache,
            out,
            known,
            ours,
            filter,
            own,
            ..
        } = self;
        cache.scrape(&fetched.body, format, at_ms, out, |labels| {
            let labels = relabelled(&labels, ours);
            // What it says of itself is for us to say.
            let is_own = own.iter().any(|own| own.labels == labels);
            (!is_own && filter.passes(&labels)).then(|| known.id(labels, wanted))
        });
        match out.failed {
            Some(why) => Err(why.to_string()),
            None => Ok(()),
        }
    }

    /// Puts the values of a body into the scrape, and the end of what is not in it any more.
    fn put(&mut self, out: &Scraped, book: &mut Book, tick: &mut ScrapeTick) {
        for point in &out.points {
            let one = &mut self.known.all[point.id as usize];
            one.seen = self.scrapes;
            let place = one.set(point.value, self.index, book, tick);
            if let (Some(place), Some(stamp)) = (place, point.ts_ms) {
                tick.stamped.push((place, stamp));
            }
        }
        for &id in &self.known.recorded {
            let one = &mut self.known.all[id as usize];
            if one.seen != self.scrapes {
                one.end(tick);
            }
        }
    }

    fn put_own<const N: usize>(
        &mut self,
        figures: [f64; N],
        book: &mut Book,
        tick: &mut ScrapeTick,
    ) {
        for (own, figure) in self.own.iter_mut().zip(figures) {
            own.set(figure, self.index, book, tick);
        }
    }

    fn turn(&mut self, error: Option<String>) -> Option<Result<(), String>> {
        let now = match error {
            None => Health::Up,
            Some(_) => Health::Down,
        };
        match (std::mem::replace(&mut self.health, now), error) {
            (Health::Unknown | Health::Up, Some(why)) => Some(Err(why)),
            (Health::Down, None) => Some(Ok(())),
            (Health::Unknown | Health::Up, None) | (Health::Down, Some(_)) => None,
        }
    }

    fn told_bad(&mut self, out: &Scraped) -> Option<String> {
        let before = std::mem::replace(&mut self.bad, out.bad_lines > 0);
        let first = out.bad.first().filter(|_| !before)?;
        let lines = match out.bad_lines {
            1 => "a bad line".to_owned(),
            count => format!("{count} bad lines; the first is"),
        };
        let separator = if out.bad_lines == 1 { ":" } else { "" };
        Some(format!(
            "{lines}{separator} line {}: {}: `{}`",
            first.line, first.reason, first.excerpt
        ))
    }
}

/// The labels of a body with ours. One of theirs that has the name of one of ours is kept as `exported_…`, as in
/// Prometheus.
fn relabelled(theirs: &Labels, ours: &Labels) -> Labels {
    let clashes = |name: &str| !ours.get(name).is_empty();
    let theirs = theirs.iter().map(|(name, value)| {
        let mut name = name.to_owned();
        while clashes(&name) {
            name.insert_str(0, "exported_");
        }
        (name, value.to_owned())
    });
    let ours = ours
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    Labels::new(theirs.chain(ours))
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
