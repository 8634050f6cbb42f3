//! Samples of scraped series, for as long as an expression may look back.
//!
//! In: series by their labels and samples in the order of time. Out: the series that matchers select, each with its
//! samples as one slice. Appending follows Prometheus: of one series a sample older than the last is dropped, one at the
//! same time is ignored when its value is the same and dropped when it is another, and both drops are counted. The
//! invariant: a series holds at most its reach of samples, so memory does not grow with the length of a window.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Labels;

/// The value that says a series has ended here: a `NaN` of its own, as in Prometheus. Every other `NaN` is a value.
pub const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// Whether a value is the marker of a series' end.
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE.to_bits()
}

/// What a series was worth at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Milliseconds since the Unix epoch.
    pub at: i64,
    /// The value; [`STALE`] where the series ended.
    pub value: f64,
}

/// A series of one [`Store`]. It says nothing of another store, and nothing any more once the series was forgotten,
/// though its place may be taken by another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SeriesId {
    slot: u32,
    life: u32,
}

/// What became of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is in the store.
    Kept,
    /// The same sample was there already.
    Same,
    /// Dropped: the series has a later one.
    Older,
    /// Dropped: the series has another value for the same moment.
    Conflict,
    /// Dropped: the series was [forgotten](Store::forget); ask for its [id](Store::id) again.
    Forgotten,
}

/// Samples that were dropped since the store began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// Older than the last of their series.
    pub older: u64,
    /// Another value for the moment of the last one.
    pub conflicts: u64,
}

/// Series and their samples.
#[derive(Debug)]
pub struct Store {
    /// Tells stores apart, for who remembers what was selected.
    id: u64,
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_labels: HashMap<Labels, u32>,
    by_name: HashMap<Box<str>, Named>,
    /// Grows whenever a series comes or goes.
    version: u64,
    reach: i64,
    dropped: Dropped,
}

/// The series of one metric name.
#[derive(Debug, Default)]
struct Named {
    /// In the order of their labels.
    slots: Vec<u32>,
    /// The store's version when one of them last came or went.
    version: u64,
}

/// A place for a series.
#[derive(Debug)]
struct Slot {
    /// How many series had this place before.
    life: u32,
    series: Option<Series>,
}

#[derive(Debug)]
struct Series {
    labels: Labels,
    samples: Samples,
    reach: i64,
}

impl Store {
    /// An empty store whose series keep `reach` milliseconds before their last sample, until told
    /// [otherwise](Self::set_reach).
    pub fn new(reach: i64) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            slots: Vec::new(),
            free: Vec::new(),
            by_labels: HashMap::new(),
            by_name: HashMap::new(),
            version: 0,
            reach: reach.max(0),
            dropped: Dropped::default(),
        }
    }

    /// The series with these labels, which begins here if there is none. One without a sample is forgotten by the next
    /// [`forget`](Self::forget).
    pub fn id(&mut self, labels: &Labels) -> SeriesId {
        let slot = match self.by_labels.get(labels) {
            Some(&slot) => slot,
            None => self.begin(labels),
        };
        SeriesId {
            slot,
            life: self.slots[slot as usize].life,
        }
    }

    /// The series with these labels, if there is one.
    pub fn find(&self, labels: &Labels) -> Option<SeriesId> {
        let &slot = self.by_labels.get(labels)?;
        let life = self.slots[slot as usize].life;
        Some(SeriesId { slot, life })
    }

    /// Adds a sample, `at` milliseconds since the Unix epoch, and lets go of what its series no longer reaches back to.
    pub fn append(&mut self, id: SeriesId, at: i64, value: f64) -> Appended {
        let Some(series) = series_mut(&mut self.slots, id) else {
            return Appended::Forgotten;
        };
        match series.samples.last() {
            Some(last) if last.at > at => {
                self.dropped.older += 1;
                return Appended::Older;
            }
            Some(last) if last.at == at && last.value.to_bits() == value.to_bits() => {
                return Appended::Same;
            }
            Some(last) if last.at == at => {
                self.dropped.conflicts += 1;
                return Appended::Conflict;
            }
            Some(_) | None => {}
        }
        series.samples.push(Sample { at, value });
        series.samples.keep_from(at.saturating_sub(series.reach));
        Appended::Kept
    }

    /// Says that a series has ended: from `at` on nothing looks back to what it was before. Another sample begins it again.
    pub fn mark_stale(&mut self, id: SeriesId, at: i64) -> Appended {
        self.append(id, at, STALE)
    }

    /// Keeps every series at least so far back, in milliseconds, from now on.
    pub fn reach_at_least(&mut self, reach: i64) {
        self.reach = self.reach.max(reach);
        for series in self
            .slots
            .iter_mut()
            .filter_map(|slot| slot.series.as_mut())
        {
            series.reach = series.reach.max(reach);
        }
    }

    /// How far back, in milliseconds, a series is kept from now on. What is gone does not come back.
    pub fn set_reach(&mut self, id: SeriesId, reach: i64) {
        if let Some(series) = series_mut(&mut self.slots, id) {
            series.reach = reach.max(0);
        }
    }

    /// Lets go of every sample that its series no longer reaches back to from `now`, and of the series that have none left.
    pub fn forget(&mut self, now: i64) {
        for slot in 0..self.slots.len() {
            let Some(series) = &mut self.slots[slot].series else {
                continue;
            };
            series.samples.keep_from(now.saturating_sub(series.reach));
            if series.samples.as_slice().is_empty() {
                self.end(slot as u32);
            }
        }
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        self.by_labels.len()
    }

    /// Whether there is no series.
    pub fn is_empty(&self) -> bool {
        self.by_labels.is_empty()
    }

    /// What was dropped since the store began.
    pub fn dropped(&self) -> Dropped {
        self.dropped
    }

    /// The samples of a series in the order of time; none when it was forgotten.
    pub fn samples(&self, id: SeriesId) -> &[Sample] {
        let slot = self.slots.get(id.slot as usize);
        slot.filter(|slot| slot.life == id.life)
            .and_then(|slot| slot.series.as_ref())
            .map_or(&[], |series| series.samples.as_slice())
    }

    /// All series, in no order.
    pub fn series(&self) -> impl Iterator<Item = (SeriesId, &Labels)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(slot, place)| {
            let series = place.series.as_ref()?;
            let slot = slot as u32;
            let life = place.life;
            Some((SeriesId { slot, life }, &series.labels))
        })
    }

    /// The names of the metrics that there are series of, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.by_name.iter();
        names.filter_map(|(name, named)| (!named.slots.is_empty()).then_some(&**name))
    }

    /// What a selection depends on: while it stays the same, so does the selection. For one metric name if there is one.
    pub(super) fn version(&self, name: Option<&str>) -> (u64, u64) {
        let version = match name {
            Some(name) => self.by_name.get(name).map_or(0, |named| named.version),
            None => self.version,
        };
        (self.id, version)
    }

    /// The places of the series, of one metric name if there is one, that `wanted` wants, in the order of their labels.
    pub(super) fn select(&self, name: Option<&str>, wanted: impl Fn(&Labels) -> bool) -> Vec<u32> {
        let labels = |slot: u32| {
            let series = self.slots[slot as usize].series.as_ref();
            series.map(|series| &series.labels)
        };
        let wanted = |&slot: &u32| labels(slot).is_some_and(&wanted);
        if let Some(name) = name {
            let named = self.by_name.get(name);
            let slots = named.map_or(&[][..], |named| &named.slots[..]);
            slots.iter().copied().filter(wanted).collect()
        } else {
            let mut slots: Vec<u32> = (0..self.slots.len() as u32).filter(wanted).collect();
            slots.sort_by(|a, b| labels(*a).cmp(&labels(*b)));
            slots
        }
    }

    /// What is in a place.
    pub(super) fn at(&self, slot: u32) -> Option<(&Labels, &Samples)> {
        let series = self.slots.get(slot as usize)?.series.as_ref()?;
        Some((&series.labels, &series.samples))
    }

    fn begin(&mut self, labels: &Labels) -> u32 {
        let series = Series {
            labels: labels.clone(),
            samples: Samples::default(),
            reach: self.reach,
        };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                life: 0,
                series: None,
            });
            self.slots.len() as u32 - 1
        });
        self.slots[slot as usize].series = Some(series);
        self.by_labels.insert(labels.clone(), slot);
        self.version += 1;
        let named = self.by_name.entry(labels.name().into()).or_default();
        let slots = &self.slots;
        let place = named.slots.partition_point(|other| {
            let other = slots[*other as usize].series.as_ref();
            other.is_some_and(|other| other.labels < *labels)
        });
        named.slots.insert(place, slot);
        named.version = self.version;
        slot
    }

    fn end(&mut self, slot: u32) {
        let place = &mut self.slots[slot as usize];
        let Some(series) = place.series.take() else {
            return;
        };
        // A life that came round would take 2^32 series in one place.
        place.life = place.life.wrapping_add(1);
        self.free.push(slot);
        self.by_labels.remove(&series.labels);
        self.version += 1;
        if let Some(named) = self.by_name.get_mut(series.labels.name()) {
            named.slots.retain(|other| *other != slot);
            named.version = self.version;
            if named.slots.is_empty() {
                self.by_name.remove(series.labels.name());
            }
        }
    }
}

fn series_mut(slots: &mut [Slot], id: SeriesId) -> Option<&mut Series> {
    let slot = slots.get_mut(id.slot as usize)?;
    (slot.life == id.life)
        .then_some(slot.series.as_mut())
        .flatten()
}

/// Samples in the order of time, as one slice. What leaves at the front is cut off when it is half of all, so that
/// appending costs the same at any length.
#[derive(Debug, Default)]
pub(super) struct Samples {
    all: Vec<Sample>,
    first: usize,
    /// Markers among what is still there: mostly none, and then nothing has to look for them.
    stale: usize,
    /// How often a value is less than the one before: never in most counters, and then nothing has to look for resets.
    falls: usize,
}

impl Samples {
    fn push(&mut self, sample: Sample) {
        self.stale += usize::from(is_stale(sample.value));
        self.falls += usize::from(self.last().is_some_and(|last| sample.value < last.value));
        self.all.push(sample);
    }

    fn last(&self) -> Option<Sample> {
        self.as_slice().last().copied()
    }

    fn keep_from(&mut self, at: i64) {
        let samples = self.as_slice();
        let (mut count, mut stale, mut falls) = (0, 0, 0);
        for (place, sample) in samples.iter().enumerate() {
            if sample.at >= at {
                break;
            }
            count += 1;
            stale += usize::from(is_stale(sample.value));
            let next = samples.get(place + 1);
            falls += usize::from(next.is_some_and(|next| next.value < sample.value));
        }
        self.first += count;
        self.stale -= stale;
        self.falls -= falls;
        if self.first * 2 > self.all.len() {
            self.all.drain(..self.first);
            self.first = 0;
            if self.all.capacity() > 64 && self.all.len() * 4 < self.all.capacity() {
                self.all.shrink_to(self.all.len() * 2);
            }
        }
    }

    pub(super) fn as_slice(&self) -> &[Sample] {
        &self.all[self.first..]
    }

    /// Whether a marker is among them.
    pub(super) fn any_stale(&self) -> bool {
        self.stale > 0
    }

    /// Whether no value is less than the one before.
    pub(super) fn never_fall(&self) -> bool {
        self.falls == 0 && self.stale == 0
    }

    /// The last one at or before `at`.
    pub(super) fn last_by(&self, at: i64) -> Option<Sample> {
        let samples = self.as_slice();
        let after = after(samples, at);
        after.checked_sub(1).map(|place| samples[place])
    }

    /// Those of a stretch of time, both ends included.
    pub(super) fn within(&self, from: i64, to: i64) -> &[Sample] {
        let samples = self.as_slice();
        let after = after(samples, to);
        let first = first_from(&samples[..after], from);
        let range: Range<usize> = first..after;
        &samples[range]
    }
}

/// The first place after `at`. What is asked for is mostly the newest.
fn after(samples: &[Sample], at: i64) -> usize {
    match samples.last() {
        Some(last) if last.at <= at => samples.len(),
        _ => samples.partition_point(|sample| sample.at <= at),
    }
}

/// The first place at or after `from`. Samples are mostly evenly apart, so the right place is mostly guessed, which looks
/// at a fraction of the memory that a search does.
fn first_from(samples: &[Sample], from: i64) -> usize {
    let search = || samples.partition_point(|sample| sample.at < from);
    let [first, .., last] = samples else {
        return search();
    };
    if from <= first.at {
        return 0;
    }
    let span = last.at.saturating_sub(first.at) as f64;
    let steps = from.saturating_sub(first.at) as f64 / span * (samples.len() - 1) as f64;
    let guess = steps.ceil() as usize;
    match samples.get(guess) {
        Some(sample) if guess > 0 && sample.at >= from && samples[guess - 1].at < from => guess,
        Some(_) | None => search(),
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
