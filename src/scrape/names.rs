//! Names that a session has for series: each gets an index when it is first needed, and keeps it.
//!
//! The invariant: indexes are handed out in order and never again, and new names come in few batches, since each batch
//! begins a new frame of the recording.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::Labels;
use crate::session::record::{Instance, Names};

/// Scraped series that a session takes; what is beyond is not recorded.
pub const MOST_SERIES: usize = 20_000;

/// Batches of new names that may come at once.
const BURST: u32 = 30;
/// Time in which one more batch may come.
const REFILL: Duration = Duration::from_secs(10);

/// The names of series and endpoints, as they are in the session.
#[derive(Debug)]
pub struct Book {
    names: Names,
    scraped: HashMap<(usize, Labels), usize>,
    gauges: HashMap<String, usize>,
    /// How much of `names` was handed out already.
    told: usize,
    told_instances: usize,
    batches: u32,
    refilled: Instant,
    full: bool,
}

impl Book {
    /// Of nothing yet.
    pub fn new(now: Instant) -> Self {
        Self {
            names: Names::default(),
            scraped: HashMap::new(),
            gauges: HashMap::new(),
            told: 0,
            told_instances: 0,
            batches: BURST,
            refilled: now,
            full: false,
        }
    }

    /// All names so far. Only series and instances are in it.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The index of an endpoint; the same for one that was there before.
    pub fn instance(&mut self, instance: Instance) -> usize {
        let known = self
            .names
            .instances
            .iter()
            .position(|known| *known == instance);
        known.unwrap_or_else(|| {
            self.names.instances.push(instance);
            self.names.instances.len() - 1
        })
    }

    /// The index of a scraped series; `None` while there may be no new one.
    pub fn scraped(&mut self, instance: usize, labels: &Labels) -> Option<usize> {
        if let Some(&index) = self.scraped.get(&(instance, labels.clone())) {
            return Some(index);
        }
        if self.scraped.len() == MOST_SERIES {
            self.full = true;
            return None;
        }
        let index = self.add(labels.to_string(), Some(instance))?;
        self.scraped.insert((instance, labels.clone()), index);
        Some(index)
    }

    /// The index of a gauge's series; `None` while there may be no new one.
    pub fn gauge(&mut self, name: &str) -> Option<usize> {
        if let Some(&index) = self.gauges.get(name) {
            return Some(index);
        }
        let index = self.add(name.to_owned(), None)?;
        self.gauges.insert(name.to_owned(), index);
        Some(index)
    }

    fn add(&mut self, name: String, instance: Option<usize>) -> Option<usize> {
        if self.batches == 0 {
            return None;
        }
        self.names.series.push(name);
        self.names.scraped.push(instance);
        Some(self.names.series.len() - 1)
    }

    /// The names that are new since it was asked last, if there are any: all of them, to be taken over as they are.
    pub fn fresh(&mut self, now: Instant) -> Option<Names> {
        while self.batches < BURST && now.saturating_duration_since(self.refilled) >= REFILL {
            self.refilled += REFILL;
            self.batches += 1;
        }
        if self.batches == BURST {
            self.refilled = now;
        }
        let told = (self.names.series.len(), self.names.instances.len());
        if told == (self.told, self.told_instances) {
            return None;
        }
        (self.told, self.told_instances) = told;
        self.batches = self.batches.saturating_sub(1);
        Some(self.names.clone())
    }

    /// Whether series were refused because there are too many, since it was asked last.
    pub fn was_full(&mut self) -> bool {
        std::mem::take(&mut self.full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pod: u64) -> Labels {
        Labels::new([("__name__", "up".to_owned()), ("pod", pod.to_string())])
    }

    #[test]
    fn a_name_keeps_its_index_and_is_told_once() {
        let now = Instant::now();
        let mut book = Book::new(now);
        assert_eq!(book.fresh(now), None);
        let instance = book.instance(Instance::default());
        assert_eq!(book.scraped(instance, &labels(1)), Some(0));
        assert_eq!(book.gauge("load"), Some(1));
        assert_eq!(book.scraped(instance, &labels(1)), Some(0));
        let names = book.fresh(now).unwrap();
        assert_eq!(names.series, ["up{pod=\"1\"}", "load"]);
        assert_eq!(names.scraped, [Some(0), None]);
        assert_eq!(names.instances.len(), 1);
        assert_eq!(book.fresh(now), None);
        assert_eq!(book.instance(Instance::default()), instance);
    }

    #[test]
    fn names_that_never_stop_coming_come_in_batches() {
        let start = Instant::now();
        let mut book = Book::new(start);
        let mut batches = 0;
        for second in 0..600 {
            book.scraped(0, &labels(second));
            batches += u64::from(book.fresh(start + Duration::from_secs(second)).is_some());
        }
        assert!(batches > 60 && batches <= 30 + 60, "{batches}");
    }

    #[test]
    fn a_session_takes_so_many_series_and_no_more() {
        let mut book = Book::new(Instant::now());
        for pod in 0..=MOST_SERIES as u64 {
            book.scraped(0, &labels(pod));
        }
        assert_eq!(book.names().series.len(), MOST_SERIES);
        assert!(book.was_full() && !book.was_full());
    }
}
