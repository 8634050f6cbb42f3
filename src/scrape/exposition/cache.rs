//! One target, scraped again and again: the texts of its series are known, so a scrape that says the same as the last
//! one is compared with it, and neither taken apart nor copied.
//!
//! In: a body, and the caller's id for the labels of a series that is seen for the first time. Out: [`Scraped`], with
//! ids in the place of labels, and the ids that are no longer there. The invariant: what comes out is what
//! [`super::parse`] would give; memory follows the size of the last scrapes, not their number.

mod scraped;
mod slab;

use std::collections::HashMap;
use std::sync::Arc;

use super::{
    BadLine, Entries, Entry, Failed, Format, Kind, Meta, Reason, Sample, Told, labels, pairs, parse,
};
use crate::scrape::Labels;
use slab::Slab;

pub use scraped::{BAD_KEPT, Bad, Example, Point, Scraped};

/// A text that was not seen in so many scrapes is forgotten.
const KEPT: u64 = 10;

/// More texts than twice those of the last scrape and this many beside are not kept even that long: names that change
/// with every scrape must not fill the memory.
const SPARE: usize = 1000;

/// No text: before the first one.
const NONE: u32 = u32::MAX;

/// What was said of a metric.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Its type.
    pub kind: Option<Kind>,
    /// What it stands for.
    pub help: String,
    /// Its unit; empty without one.
    pub unit: String,
    name: Box<str>,
    /// The scrape that said so last.
    last: u64,
}

/// A text that was seen.
#[derive(Debug, Clone)]
struct Known {
    text: Arc<str>,
    /// Place of its series; `NONE` if nobody wants it.
    series: u32,
    /// The text that came after it the last time.
    then: u32,
    /// The scrape that it was seen in last.
    last: u64,
}

/// A series, which several texts may stand for.
#[derive(Debug, Clone, Copy)]
struct Series {
    id: u32,
    /// How many known texts stand for it.
    texts: u32,
    /// The scrape that it was seen in last.
    last: u64,
    /// Its time there, ms.
    at: i64,
    /// Whether it was there without a time of its own in the last scrape that is over.
    before: bool,
    /// Likewise in the one that is being read.
    now: bool,
}

/// What is known of a target's expositions.
#[derive(Debug, Clone, Default)]
pub struct Cache {
    known: Slab<Known>,
    series: Slab<Series>,
    by_text: HashMap<Arc<str>, u32>,
    by_id: HashMap<u32, u32>,
    metadata: Slab<Metadata>,
    described: HashMap<Box<str>, u32>,
    /// The comment lines of the last scrape in their order, and what they describe.
    comments: Vec<(Box<[u8]>, u32)>,
    /// The text that the last scrape began with.
    first: Option<u32>,
    format: Option<Format>,
    /// How many scrapes there were.
    scrape: u64,
}

impl Cache {
    /// Knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a body that was scraped at `at` (ms since the Unix epoch) into `out`, whose content is replaced. For each
    /// text of a series that is not known, `id` is asked once: for the id of these labels, or `None` if nobody wants
    /// them. The same labels must get the same id; ids are the caller's own, for it to choose.
    pub fn scrape(
        &mut self,
        body: &[u8],
        format: Format,
        at: i64,
        out: &mut Scraped,
        mut id: impl FnMut(Labels) -> Option<u32>,
    ) {
        self.begin(format, out);
        let mut entries = parse(body, format);
        let mut previous = None;
        let mut seen = 0;
        let mut comment = 0;
        loop {
            if self.same_comment(&mut entries, comment) {
                comment += 1;
                continue;
            }
            let (place, entry) = match self.expected(&mut entries, previous) {
                Some((place, entry)) => (Some(place), Some(entry)),
                None => (None, entries.next()),
            };
            match entry {
                None => break,
                Some(Entry::Meta(meta)) => {
                    let place = self.describe(&meta);
                    self.comments.truncate(comment);
                    self.comments.push((entries.text().into(), place));
                    comment += 1;
                }
                Some(Entry::Bad(bad)) => out.refuse(&bad),
                Some(Entry::Sample(sample)) => {
                    let place = place.unwrap_or_else(|| self.place(sample.series, &mut id));
                    self.follow(previous, place);
                    previous = Some(place);
                    seen += 1;
                    self.count(place, &sample, at, out);
                }
            }
        }
        self.comments.truncate(comment);
        out.failed = entries.failed();
        self.end(out, seen);
    }

    /// A scrape that brought no body: all series are gone. Gives their ids.
    pub fn lost(&mut self) -> Vec<u32> {
        let mut out = Scraped {
            failed: Some(Failed::NoEnd),
            ..Scraped::default()
        };
        self.scrape += 1;
        self.end(&mut out, 0);
        out.vanished
    }

    /// What was said of a metric in the last scrapes, by the name that it was said for (see [`super::family`]).
    pub fn metadata(&self, name: &str) -> Option<&Metadata> {
        self.metadata.get(*self.described.get(name)?)
    }

    /// How many texts of series are known.
    pub fn len(&self) -> usize {
        self.by_text.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.by_text.is_empty()
    }

    /// Forgets the texts of all ids that are not kept, and those that nobody wanted: `scrape` asks for them again. For
    /// when ids go out of use or what is wanted has changed.
    pub fn retain(&mut self, mut keep: impl FnMut(u32) -> bool) {
        let series = &self.series;
        let mut stays = |known: &Known| series.get(known.series).is_some_and(|it| keep(it.id));
        let gone: Vec<u32> = self
            .known
            .iter()
            .filter(|(_, known)| !stays(known))
            .map(|(place, _)| place)
            .collect();
        for place in gone {
            self.forget(place);
        }
    }

    fn begin(&mut self, format: Format, out: &mut Scraped) {
        self.scrape += 1;
        out.clear();
        // What follows what is only tried on texts that were read in the same format.
        if self.format.replace(format) != Some(format) {
            self.first = None;
            self.known.iter_mut().for_each(|known| known.then = NONE);
            self.comments.clear();
        }
    }

    /// Whether the next line is the comment that stood in this place before. Then it is passed over.
    fn same_comment(&mut self, entries: &mut Entries<'_>, number: usize) -> bool {
        let Some((line, place)) = self.comments.get(number) else {
            return false;
        };
        let same = entries.skip_comment(line);
        if let Some(metadata) = self.metadata.get_mut(*place).filter(|_| same) {
            metadata.last = self.scrape;
        }
        same
    }

    /// The next entry when it is a sample of the series that came after this one before.
    fn expected<'b>(
        &self,
        entries: &mut Entries<'b>,
        previous: Option<u32>,
    ) -> Option<(u32, Entry<'b>)> {
        let place = match previous {
            None => self.first?,
            Some(previous) => self.known.get(previous)?.then,
        };
        Some((place, entries.next_of(&self.known.get(place)?.text)?))
    }

    /// The place of a text, which is a new one or in another place than the last time.
    fn place(&mut self, text: &str, id: &mut impl FnMut(Labels) -> Option<u32>) -> u32 {
        if let Some(&place) = self.by_text.get(text) {
            return place;
        }
        let series = match id(labels(text)) {
            None => NONE,
            Some(id) => match self.by_id.get(&id) {
                Some(&series) => series,
                None => self.add_series(id),
            },
        };
        if let Some(series) = self.series.get_mut(series) {
            series.texts += 1;
        }
        let text: Arc<str> = text.into();
        let place = self.known.add(Known {
            text: Arc::clone(&text),
            series,
            then: NONE,
            last: 0,
        });
        self.by_text.insert(text, place);
        place
    }

    fn add_series(&mut self, id: u32) -> u32 {
        let place = self.series.add(Series {
            id,
            texts: 0,
            last: 0,
            at: 0,
            before: false,
            now: false,
        });
        self.by_id.insert(id, place);
        place
    }

    /// Remembers what comes after what, for the next scrape.
    fn follow(&mut self, previous: Option<u32>, place: u32) {
        // A text with line breaks is always read, so that lines are counted right.
        let then = match self.known.get(place) {
            Some(known) if !known.text.contains('\n') => place,
            _ => NONE,
        };
        match previous.and_then(|previous| self.known.get_mut(previous)) {
            Some(previous) => previous.then = then,
            None => self.first = Some(then),
        }
    }

    fn count(&mut self, place: u32, sample: &Sample<'_>, at: i64, out: &mut Scraped) {
        out.samples += 1;
        let Some(known) = self.known.get_mut(place) else {
            return;
        };
        known.last = self.scrape;
        let Some(series) = self.series.get_mut(known.series) else {
            return;
        };
        let at = sample.ts_ms.unwrap_or(at);
        let again = series.last == self.scrape;
        let refused = match again {
            true if at == series.at => Some(Reason::Twice),
            true if at < series.at => Some(Reason::Older),
            _ => None,
        };
        series.now |= sample.ts_ms.is_none();
        if let Some(reason) = refused {
            return out.refuse(&BadLine {
                line: sample.line,
                text: sample.series.as_bytes(),
                reason,
            });
        }
        (series.last, series.at) = (self.scrape, at);
        let id = series.id;
        out.points.push(Point {
            id,
            value: sample.value,
            ts_ms: sample.ts_ms,
        });
        if let Some(exemplar) = &sample.exemplar {
            out.exemplars.push(Example {
                id,
                labels: Labels::new(pairs(exemplar.labels)),
                value: exemplar.value,
                ts_ms: exemplar.ts_ms,
            });
        }
    }

    /// Keeps what is said of a metric; gives its place.
    fn describe(&mut self, meta: &Meta<'_>) -> u32 {
        let name = &*meta.name;
        let place = self.described.get(name).copied().unwrap_or_else(|| {
            let place = self.metadata.add(Metadata {
                name: name.into(),
                ..Metadata::default()
            });
            self.described.insert(name.into(), place);
            place
        });
        let Some(known) = self.metadata.get_mut(place) else {
            return place;
        };
        known.last = self.scrape;
        match &meta.told {
            Told::Type(kind) => known.kind = Some(*kind),
            Told::Help(help) if known.help != **help => known.help = help.to_string(),
            Told::Unit(unit) if known.unit != *unit => (*unit).clone_into(&mut known.unit),
            Told::Help(_) | Told::Unit(_) => {}
        }
        place
    }

    /// Settles what has vanished and forgets what is long gone.
    fn end(&mut self, out: &mut Scraped, seen: usize) {
        let failed = out.failed.is_some();
        if failed {
            out.points.clear();
            out.exemplars.clear();
        }
        for series in self.series.iter_mut() {
            let now = std::mem::take(&mut series.now) && !failed;
            if std::mem::replace(&mut series.before, now) && !now {
                out.vanished.push(series.id);
            }
        }
        let limit = |seen| 2 * seen + SPARE;
        let crowded = !failed
            && (self.known.len() > limit(seen) || self.metadata.len() > limit(self.comments.len()));
        if !crowded && !self.scrape.is_multiple_of(KEPT) {
            return;
        }
        let oldest = if crowded {
            self.scrape
        } else {
            self.scrape.saturating_sub(KEPT)
        };
        let old = self.known.iter().filter(|(_, known)| known.last < oldest);
        let old: Vec<u32> = old.map(|(place, _)| place).collect();
        for place in old {
            self.forget(place);
        }
        let old = self.metadata.iter().filter(|(_, it)| it.last < oldest);
        let old: Vec<u32> = old.map(|(place, _)| place).collect();
        for metadata in old
            .into_iter()
            .filter_map(|place| self.metadata.remove(place))
        {
            self.described.remove(&metadata.name);
        }
    }

    fn forget(&mut self, place: u32) {
        let Some(known) = self.known.remove(place) else {
            return;
        };
        self.by_text.remove(&known.text);
        let Some(series) = self.series.get_mut(known.series) else {
            return;
        };
        series.texts -= 1;
        if series.texts == 0 {
            self.by_id.remove(&series.id);
            self.series.remove(known.series);
        }
    }
}

#[cfg(test)]
mod tests;
