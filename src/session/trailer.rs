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

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::check::MAX_TICK;
use super::frame::{Parsed, TRAILER_MAGIC, skippable_header};
use super::hist::Hist;
use super::index::FrameInfo;
use super::record::{Bottleneck, ErrorKind, Event, Exemplar, Gap, Sample, ScenarioState};

/// Bytes of a footer.
pub(super) const FOOTER: usize = 72;
/// Last bytes of a trailer.
pub(super) const END: [u8; 8] = *b"sdtrail1";
/// Largest trailer, bytes, its 8 header bytes included.
pub(super) const MAX_TRAILER: usize = 4 << 20;
/// Largest content of a trailer, bytes.
const MAX_JSON: usize = 32 << 20;

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
    /// Gaps among its ticks, stated or not.
    #[serde(default)]
    pub gaps: Vec<Gap>,
    /// Where its ticks lie; absent when there are none, and in trailers of early versions, whose frames have to be read
    /// by their ticks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub course: Option<Course>,
    /// The generator.
    #[serde(default, rename = "gen", skip_serializing_if = "Option::is_none")]
    pub generator: Option<GeneratorSum>,
    /// The slowest requests, slowest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slow: Vec<Exemplar>,
    /// The first samples.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Sample>,
}

/// Where the ticks of a frame lie. All of them are of one phase.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Course {
    /// Its first tick.
    pub first: u64,
    /// Its last tick.
    pub last: u64,
    /// End of the last tick, µs since the window began.
    pub at: u64,
    /// Wall clock at that moment.
    pub wall: u64,
    /// The phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<usize>,
    /// Load factor at the end of the last tick.
    pub load: f64,
    /// Highest load factor at the end of a tick.
    pub load_max: f64,
    /// Time from tick to tick, µs, of those ticks that come right after another.
    pub micros: u64,
    /// Ticks without the one before them, whose length is therefore not known.
    pub loose: u64,
}

/// The generator in one frame.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct GeneratorSum {
    /// Send-time error, µs, with 2 significant figures.
    pub late: Hist,
    /// Largest value of any tick, likewise of the next five.
    pub lag_us: u64,
    /// CPU of the process, in cores.
    pub cpu: f64,
    /// CPU of the busiest worker, in cores.
    pub worker_cpu: f64,
    /// Resident memory, bytes.
    pub rss: u64,
    /// Open files.
    pub files: u64,
    /// Limit on open files.
    pub files_max: u64,
    /// Sum over the ticks of the CPU of the process, in cores.
    pub cpu_sum: f64,
    /// Sum over the ticks of the CPU of the recording thread, in cores.
    pub recorder_sum: f64,
    /// Arrivals due.
    pub due: u64,
    /// Arrivals taken up.
    pub begun: u64,
    /// Ticks in which it was the bottleneck.
    #[serde(default)]
    pub bottleneck_ticks: u64,
    /// Those ticks by cause.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub causes: BTreeMap<Bottleneck, u64>,
}

/// One scenario in one frame: the sums of the members of the same name of its ticks, and what the last of them says.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ScenarioSum {
    /// Journeys that became due.
    pub due: u64,
    /// Journeys begun.
    pub begun: u64,
    /// Journeys finished.
    pub finished: u64,
    /// Arrivals dropped.
    pub dropped: u64,
    /// Its state at the end.
    #[serde(default)]
    pub state: ScenarioState,
    /// Arrivals a second, or users, asked for at the end.
    #[serde(default)]
    pub asked: f64,
    /// Journeys in flight at the end.
    #[serde(default)]
    pub in_flight: u64,
    /// Most journeys in flight at the end of any tick.
    #[serde(default)]
    pub in_flight_max: u64,
    /// Users alive at the end.
    #[serde(default)]
    pub users: u64,
    /// Open connections at the end.
    #[serde(default)]
    pub connections: u64,
    /// Whether an operator's setting overrode the schedule at the end.
    #[serde(default)]
    pub by_hand: bool,
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
    /// Answers by status code.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub status: BTreeMap<u16, u64>,
    /// Bytes received.
    #[serde(default)]
    pub bytes_in: u64,
    /// Bytes sent.
    #[serde(default)]
    pub bytes_out: u64,
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

/// The few members of [`Aggregates`] that an overview needs. The others are passed over, which takes a quarter of the
/// time that reading them does.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Glance {
    /// Ticks recorded.
    pub ticks: u64,
    /// Where they lie.
    #[serde(default)]
    pub course: Option<Course>,
    /// Requests by step.
    #[serde(default)]
    pub steps: Vec<StepGlance>,
    /// The first events, texts cut short.
    #[serde(default)]
    pub events: Vec<Event>,
}

impl Glance {
    /// Whether what its ticks are counted by is what the frame is known to hold.
    pub(crate) fn fits(&self, frame: &FrameInfo) -> bool {
        match &self.course {
            Some(course) => course.fits(frame, self.ticks),
            None => self.ticks == 0,
        }
    }
}

impl Course {
    /// Whether these ticks, this many of them, can lie in the frame.
    pub(crate) fn fits(&self, frame: &FrameInfo, ticks: u64) -> bool {
        self.first >= frame.ticks.start.max(1)
            && self.last < frame.ticks.end
            && self.first <= self.last
            && (1..=self.last - self.first + 1).contains(&ticks)
    }
}

/// The requests of one step in one frame.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StepGlance {
    /// Requests finished.
    pub requests: u64,
    /// Failed requests by kind.
    #[serde(default)]
    pub errors: BTreeMap<ErrorKind, u64>,
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

/// The sums in a whole trailer that [`check`] has accepted, or the part of them that is asked for; `None` if they are not
/// readable.
pub(super) fn sums<T: DeserializeOwned>(trailer: &[u8]) -> Option<T> {
    let body = trailer.get(8..trailer.len().checked_sub(FOOTER)?)?;
    let size = zstd::zstd_safe::get_frame_content_size(body).ok()??;
    let json = zstd::bulk::decompress(body, (size as usize).min(MAX_JSON)).ok()?;
    serde_json::from_slice(&json).ok()
}
