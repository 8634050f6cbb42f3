//! What was recorded of scrapes, as samples that `PromQL` can be asked of.
//!
//! In: records, in the order of the file, from the file or from the window that writes them. Out: a [`Store`]. The live
//! gauges and a recording that is asked later go through this one fold, so both come to the same number. The invariant:
//! after each record the store holds what a Prometheus would hold that had scraped the recorded series and no others.

use std::collections::HashMap;

use super::exposition;
use super::labels::Labels;
use super::store::{Appended, SeriesId, Store};
use crate::session::record::{Key, Names, Number, Record, ScrapeTick, Tick};

/// The fold of what was recorded of scrapes.
#[derive(Debug)]
pub struct Recorded {
    store: Store,
    /// By index in `names.series`; `None` for a gauge's own.
    series: Vec<Option<Kept>>,
    /// The series that have a value now, by instance.
    present: HashMap<usize, Vec<usize>>,
    /// Wall clock at the window's start, µs since the Unix epoch.
    began: u64,
    /// The moment of the latest evaluation of gauges, µs since the window began.
    gauged: Option<u64>,
}

/// A scraped series.
#[derive(Debug)]
struct Kept {
    labels: Labels,
    instance: usize,
    id: Option<SeriesId>,
    value: Option<f64>,
    /// Its last sample had a time of its own: the end of such a series is not marked, as in Prometheus.
    stamped: bool,
}

impl Recorded {
    /// Of nothing yet; keeps samples for `reach` ms.
    pub fn new(reach: i64) -> Self {
        Self {
            store: Store::new(reach),
            series: Vec::new(),
            present: HashMap::new(),
            began: 0,
            gauged: None,
        }
    }

    /// What can be asked.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Keeps samples for at least so many ms from now on.
    pub fn reach_at_least(&mut self, reach: i64) {
        self.store.reach_at_least(reach);
    }

    /// A moment of the window as expressions count time: ms since the Unix epoch. By the window's own monotonic clock,
    /// so that a step of the wall clock bends no rate.
    pub fn moment(&self, at: u64) -> i64 {
        i64::try_from(self.began.saturating_add(at) / 1_000).unwrap_or(i64::MAX)
    }

    /// When the gauges were last evaluated, µs since the window began.
    pub fn gauged(&self) -> Option<u64> {
        self.gauged
    }

    /// Says when the window began, µs since the Unix epoch, where no record does.
    pub fn begin(&mut self, wall: u64) {
        self.began = wall;
    }

    /// Lets go of what is too old at a moment, ms since the Unix epoch.
    pub fn forget(&mut self, at: i64) {
        self.store.forget(at);
    }

    /// Takes the next record in.
    pub fn apply(&mut self, record: &Record) {
        match record {
            Record::Key(key) => self.apply_key(key),
            Record::Window(window) => self.began = window.wall,
            Record::Tick(tick) => self.apply_tick(tick),
            Record::Event(_)
            | Record::Sample(_)
            | Record::Gap(_)
            | Record::End(_)
            | Record::Unknown => {}
        }
    }

    fn apply_key(&mut self, key: &Key) {
        self.learn(&key.names);
        // What ticks that are missing had changed, the key knows.
        let known = self.series.len().min(key.series.len());
        for (index, value) in key.series.iter().take(known).enumerate() {
            self.set(index, *value, self.moment(key.at));
        }
        self.prune();
    }

    /// Takes over names beyond those that are known.
    pub fn learn(&mut self, names: &Names) {
        for index in self.series.len()..names.series.len() {
            let kept = names.instance_of(index).map(|instance| Kept {
                labels: exposition::labels(&names.series[index]),
                instance,
                id: None,
                value: None,
                stamped: false,
            });
            self.series.push(kept);
        }
    }

    fn apply_tick(&mut self, tick: &Tick) {
        for scrape in &tick.scrapes {
            self.apply_scrape(scrape);
        }
        self.gauged = tick.gauged.or(self.gauged);
        if tick.n.is_multiple_of(60) {
            self.store.forget(self.moment(tick.at));
        }
    }

    /// Takes one scrape in.
    pub fn apply_scrape(&mut self, scrape: &ScrapeTick) {
        let at = self.moment(scrape.at);
        for &(index, value) in &scrape.series {
            self.set(index, value, at);
        }
        if scrape.series.iter().any(|(_, value)| value.is_none()) {
            self.prune();
        }
        let stamps: HashMap<usize, i64> = scrape.stamped.iter().copied().collect();
        let present = self
            .present
            .get(&scrape.of)
            .map_or(&[][..], |present| present);
        for &index in present {
            let Some(kept) = self.series[index].as_mut() else {
                continue;
            };
            let Some(value) = kept.value else { continue };
            let stamp = stamps.get(&index).copied();
            kept.stamped = stamp.is_some();
            append(&mut self.store, kept, stamp.unwrap_or(at), value);
        }
    }

    fn set(&mut self, index: usize, value: Option<Number>, at: i64) {
        let Some(Some(kept)) = self.series.get_mut(index) else {
            return;
        };
        let before = std::mem::replace(&mut kept.value, value.map(|number| number.0));
        match (before, value) {
            (None, Some(_)) => self.present.entry(kept.instance).or_default().push(index),
            (Some(_), None) => {
                if let (Some(id), false) = (kept.id, kept.stamped) {
                    self.store.mark_stale(id, at);
                }
            }
            (None, None) | (Some(_), Some(_)) => {}
        }
    }

    fn prune(&mut self) {
        let series = &self.series;
        for present in self.present.values_mut() {
            present.retain(|&index| {
                let kept = series[index].as_ref();
                kept.is_some_and(|kept| kept.value.is_some())
            });
        }
    }
}

fn append(store: &mut Store, kept: &mut Kept, at: i64, value: f64) {
    let id = *kept.id.get_or_insert_with(|| store.id(&kept.labels));
    if store.append(id, at, value) == Appended::Forgotten {
        let id = store.id(&kept.labels);
        kept.id = Some(id);
        store.append(id, at, value);
    }
}

#[cfg(test)]
#[path = "recorded_tests.rs"]
mod tests;
