//! The trailer after each frame: what a reader needs to know of that minute without decompressing it.
//!
//! The writer folds a frame's records into [`Aggregates`] and puts them, with a fixed-size `Footer`, into a zstd
//! skippable frame, which every zstd tool passes over. Since the footer comes last and says where its frame began, a
//! reader hops from the end of the file backwards. The invariant: a footer is believed only when the CRC over the
//! whole trailer holds.
//!
//! ```text
//! 53 2A 4D 18 | size u32 | aggregates, JSON in one zstd frame | footer, 72 bytes
//! footer, little endian: frame offset u64, frame number u32, CRC-32C of the frame u32, first tick u64, last tick u64 (one less than the first
//!   if the frame holds none), at of its begin u64, at of its end u64, length of its content u64, length of this trailer u32,
//!   CRC-32C of the trailer up to here u32, "sdtrail1"
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::check::MAX_TICK;
use super::coarse::Coarse;
use super::frame::{Parsed, TRAILER_MAGIC, skippable_header};
use super::hist::Hist;
use super::record::{ErrorKind, Event, Gap, Happening, Record, StepTick, Tick};

/// Bytes of a footer.
pub(super) const FOOTER: usize = 72;
/// Last bytes of a trailer.
pub(super) const END: [u8; 8] = *b"sdtrail1";
/// Largest trailer, bytes, its 8 header bytes included.
pub(super) const MAX_TRAILER: usize = 4 << 20;
/// Largest content of a trailer, bytes.
const MAX_JSON: usize = 32 << 20;
/// Events that a trailer keeps; the frame has them all.
const MAX_EVENTS: usize = 200;
/// Characters of an event's text that a trailer keeps.
const MAX_TEXT: usize = 120;

/// What happened in one frame, summed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Aggregates {
    /// SHA-256 of the frame's content, hexadecimal.
    pub hash: String,
    /// Ticks recorded.
    pub ticks: u64,
    /// By scenario.
    #[serde(default)]
    pub scenarios: Vec<ScenarioSum>,
    /// The steps that finished a request, by step.
    #[serde(default)]
    pub steps: Vec<StepSum>,
    /// The series that had a value: index, minimum, maximum, last. NaN is left out.
    #[serde(default)]
    pub series: Vec<(usize, f64, f64, f64)>,
    /// The first events, texts cut short.
    #[serde(default)]
    pub events: Vec<Event>,
    /// Gaps stated in it.
    #[serde(default)]
    pub gaps: Vec<Gap>,
}

/// One scenario in one frame: the sums of the members of the same name of its ticks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ScenarioSum {
    /// Journeys that became due.
    pub due: u64,
    /// Journeys begun.
    pub begun: u64,
    /// Journeys finished.
    pub finished: u64,
    /// Arrivals dropped.
    pub dropped: u64,
}

/// One step in one frame.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StepSum {
    /// Index into `names.steps`.
    pub step: usize,
    /// Requests finished.
    pub requests: u64,
    /// Failed requests by kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub errors: BTreeMap<ErrorKind, u64>,
    /// Response times, µs, with 2 significant figures: each at the top of a bucket at most 1/128 of it wide.
    pub response: Hist,
    /// Service times, µs, likewise. Absent when equal to `response`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Hist>,
}

impl StepSum {
    /// Service times; the response times where the two are the same.
    pub fn service(&self) -> &Hist {
        self.service.as_ref().unwrap_or(&self.response)
    }
}

/// Where a frame is and what it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Footer {
    /// Offset of the frame in the file.
    pub offset: u64,
    /// Number of the frame.
    pub number: u32,
    /// CRC-32C of the frame as it is stored.
    pub stored: u32,
    /// First tick that it holds or could hold.
    pub first: u64,
    /// Last tick in it; one less than `first` when it holds none.
    pub last: u64,
    /// `at` of its key.
    pub from: u64,
    /// `at` of its last record that has one.
    pub to: u64,
    /// Length of its content, bytes.
    pub content: u64,
    /// Length of the trailer, bytes, header included.
    pub trailer: u32,
}

/// Sums up a frame while it is written.
#[derive(Debug, Default)]
pub(super) struct Folder {
    sums: Aggregates,
    steps: BTreeMap<usize, StepFold>,
    series: Vec<Option<(f64, f64, f64)>>,
    /// First tick; 0 when there is none.
    pub first: u64,
    /// Last tick; 0 when there is none.
    pub last: u64,
    /// `at` of the last record that has one.
    pub to: u64,
}

/// Sums up a step.
#[derive(Debug, Default)]
struct StepFold {
    requests: u64,
    errors: BTreeMap<ErrorKind, u64>,
    response: Coarse,
    /// `None` as long as it is equal to `response`.
    service: Option<Coarse>,
}

impl StepFold {
    fn add(&mut self, step: &StepTick) {
        self.requests = self.requests.saturating_add(step.requests);
        for (&kind, &count) in &step.errors {
            let total = self.errors.entry(kind).or_default();
            *total = total.saturating_add(count);
        }
        if step.service.is_some() && self.service.is_none() {
            self.service = Some(self.response.clone());
        }
        if let Some(service) = &mut self.service {
            service.add(step.service());
        }
        self.response.add(&step.response);
    }

    fn sum(&self, step: usize) -> StepSum {
        StepSum {
            step,
            requests: self.requests,
            errors: self.errors.clone(),
            response: self.response.hist(),
            service: self.service.as_ref().map(Coarse::hist),
        }
    }
}

impl Folder {
    /// Adds a record of the frame.
    pub fn add(&mut self, record: &Record) {
        match record {
            Record::Key(key) => {
                self.to = self.to.max(key.at);
                for (index, value) in key.series.iter().enumerate() {
                    self.value(index, value.map(|number| number.0));
                }
            }
            Record::Tick(tick) => self.tick(tick),
            Record::Event(event) => {
                self.to = self.to.max(event.at);
                if self.sums.events.len() < MAX_EVENTS {
                    self.sums.events.push(brief(event));
                }
            }
            Record::Gap(gap) => self.sums.gaps.push(gap.clone()),
            Record::End(end) => self.to = self.to.max(end.at),
            Record::Window(_) | Record::Sample(_) | Record::Unknown => {}
        }
    }

    fn tick(&mut self, tick: &Tick) {
        if self.first == 0 {
            self.first = tick.n;
        }
        self.last = tick.n;
        self.to = self.to.max(tick.at);
        self.sums.ticks += 1;
        if self.sums.scenarios.len() < tick.scenarios.len() {
            self.sums
                .scenarios
                .resize_with(tick.scenarios.len(), ScenarioSum::default);
        }
        for (sum, scenario) in self.sums.scenarios.iter_mut().zip(&tick.scenarios) {
            sum.due = sum.due.saturating_add(scenario.due);
            sum.begun = sum.begun.saturating_add(scenario.begun);
            sum.finished = sum.finished.saturating_add(scenario.finished);
            sum.dropped = sum.dropped.saturating_add(scenario.dropped);
        }
        for step in &tick.steps {
            self.steps.entry(step.step).or_default().add(step);
        }
        for &(index, value) in &tick.series {
            self.value(index, value.map(|number| number.0));
        }
    }

    fn value(&mut self, index: usize, value: Option<f64>) {
        let Some(value) = value.filter(|value| !value.is_nan()) else {
            return;
        };
        if self.series.len() <= index {
            self.series.resize(index + 1, None);
        }
        let sum = self.series[index].get_or_insert((value, value, value));
        *sum = (sum.0.min(value), sum.1.max(value), value);
    }

    /// The sums so far, of a frame with this hash.
    pub fn sums(&self, hash: String) -> Aggregates {
        // JSON has no infinities; a series that reached one is left to the frame itself.
        let finite =
            |&(_, min, max, _): &(usize, f64, f64, f64)| min.is_finite() && max.is_finite();
        let series = self.series.iter().enumerate();
        Aggregates {
            hash,
            steps: self
                .steps
                .iter()
                .map(|(&step, fold)| fold.sum(step))
                .collect(),
            series: series
                .filter_map(|(index, sum)| sum.map(|(min, max, last)| (index, min, max, last)))
                .filter(finite)
                .collect(),
            ..self.sums.clone()
        }
    }
}

/// The event with long texts cut.
fn brief(event: &Event) -> Event {
    let mut event = event.clone();
    match &mut event.what {
        Happening::Mark { text }
        | Happening::Warning { text }
        | Happening::Fault { text, .. }
        | Happening::SignOff { text, .. }
        | Happening::Stop { text, .. } => {
            if let Some((place, _)) = text.char_indices().nth(MAX_TEXT) {
                text.truncate(place);
                text.push('…');
            }
        }
        Happening::Phase { .. }
        | Happening::Scenario { .. }
        | Happening::Load { .. }
        | Happening::Extend { .. }
        | Happening::Hold { .. }
        | Happening::Gate { .. }
        | Happening::Generator { .. }
        | Happening::Unknown => {}
    }
    event
}

/// Appends a trailer to `out` and returns its length. `packer` is kept from one to the next, for its memory.
pub(super) fn encode(
    footer: &Footer,
    sums: &Aggregates,
    packer: &mut zstd::bulk::Compressor<'_>,
    out: &mut Vec<u8>,
) -> std::io::Result<u32> {
    let json = serde_json::to_vec(sums)?;
    let mut body = packer.compress(&json)?;
    if body.len() + 8 + FOOTER > MAX_TRAILER {
        body.clear();
    }
    let size = (body.len() + FOOTER) as u32;
    let start = out.len();
    out.extend_from_slice(&TRAILER_MAGIC);
    out.extend_from_slice(&size.to_le_bytes());
    out.extend_from_slice(&body);
    let words = [
        footer.offset,
        u64::from(footer.number) | u64::from(footer.stored) << 32,
        footer.first,
        footer.last,
        footer.from,
        footer.to,
        footer.content,
    ];
    for word in words {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(&(size + 8).to_le_bytes());
    let crc = crc32c::crc32c(&out[start..]);
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(&END);
    Ok(size + 8)
}

/// The footer at the end of `bytes`, not yet checked against the trailer's CRC.
pub(super) fn footer(bytes: &[u8]) -> Option<Footer> {
    let bytes = bytes.last_chunk::<FOOTER>()?;
    let word = |place: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[place * 8..place * 8 + 8]);
        u64::from_le_bytes(word)
    };
    let footer = Footer {
        offset: word(0),
        number: word(1) as u32,
        stored: (word(1) >> 32) as u32,
        first: word(2),
        last: word(3),
        from: word(4),
        to: word(5),
        content: word(6),
        trailer: word(7) as u32,
    };
    let length = footer.trailer as usize;
    (bytes.ends_with(&END) && (FOOTER + 8..=MAX_TRAILER).contains(&length)).then_some(footer)
}

/// The footer of a whole trailer, if its CRC holds.
pub(super) fn check(trailer: &[u8]) -> Option<Footer> {
    let footer = footer(trailer)?;
    let covered = trailer.len() - 12;
    let crc = trailer.get(covered..covered + 4)?;
    let sound = crc32c::crc32c(&trailer[..covered]).to_le_bytes() == crc
        && footer.trailer as usize == trailer.len()
        && skippable_header(trailer) == Parsed::Is(trailer.len() - 8)
        && (1..=footer.last.saturating_add(1)).contains(&footer.first)
        && footer.last <= MAX_TICK;
    sound.then_some(footer)
}

/// The sums in a whole trailer that [`check`] has accepted; `None` if they are not readable.
pub(super) fn aggregates(trailer: &[u8]) -> Option<Aggregates> {
    let body = trailer.get(8..trailer.len().checked_sub(FOOTER)?)?;
    let size = zstd::zstd_safe::get_frame_content_size(body).ok()??;
    let json = zstd::bulk::decompress(body, (size as usize).min(MAX_JSON)).ok()?;
    serde_json::from_slice(&json).ok()
}
