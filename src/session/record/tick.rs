//! One recording interval: what was asked for, what was done, how long it took, and how the generator did.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Number, ScrapeTick};
use crate::session::hist::Hist;

/// What happened in one recording interval.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Tick {
    /// Number, from 1; tick `n` covers the time from `(n-1)` to `n` tick lengths after the window began.
    pub n: u64,
    /// End of the interval, µs since the window began.
    pub at: u64,
    /// Wall clock at its end.
    pub wall: u64,
    /// Index of the phase in which it ends; the drain belongs to the phase before it. Absent outside of any phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<usize>,
    /// Load factor at its end.
    pub load: f64,
    /// Every scenario, by index.
    pub scenarios: Vec<ScenarioTick>,
    /// The steps that finished a request in this tick.
    pub steps: Vec<StepTick>,
    /// How the generator itself is doing.
    #[serde(rename = "gen")]
    pub generator: GeneratorTick,
    /// The slowest requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slow: Vec<Exemplar>,
    /// Gauges' series that changed: index and value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub series: Vec<(usize, Option<Number>)>,
    /// Scrapes that ended in this tick, in the order in which they ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scrapes: Vec<ScrapeTick>,
    /// The moment for which the gauges were evaluated, µs since the window began: over all scrapes up to and with this
    /// tick's. Absent when they were not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gauged: Option<u64>,
}

impl Tick {
    /// Every series that changed, scraped ones first, in the order in which they did: a later value counts.
    pub fn changes(&self) -> impl Iterator<Item = (usize, Option<Number>)> + '_ {
        let scraped = self.scrapes.iter().flat_map(|scrape| &scrape.series);
        scraped.chain(&self.series).copied()
    }
}

/// One scenario in one tick.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ScenarioTick {
    /// Whether it is putting load.
    pub state: ScenarioState,
    /// Open: arrivals a second asked for at the end of the tick. Closed: users asked for.
    pub asked: f64,
    /// Journeys that became due in this tick (open: arrivals, dropped ones included; closed: journeys begun).
    pub due: u64,
    /// Journeys begun.
    pub begun: u64,
    /// Journeys finished, whether in error or not.
    pub finished: u64,
    /// Arrivals dropped because `max_in_flight` was reached.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped: u64,
    /// Journeys in flight at the end of the tick.
    pub in_flight: u64,
    /// Users alive at the end of the tick (closed model).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub users: u64,
    /// Open connections at the end of the tick.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub connections: u64,
    /// True while what an operator set by hand overrides the schedule.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_hand: bool,
}

/// State of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScenarioState {
    /// Puts no load.
    #[default]
    Stopped,
    /// Puts load.
    Running,
    /// Starts nothing new; waits for what is in flight.
    Draining,
    /// Has done all its iterations.
    Done,
}

/// One step in one tick: the requests that finished in it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct StepTick {
    /// Index into `names.steps`.
    pub step: usize,
    /// Requests finished, failed ones included.
    pub requests: u64,
    /// Failed requests by kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub errors: BTreeMap<ErrorKind, u64>,
    /// Answers by status code.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub status: BTreeMap<u16, u64>,
    /// Bytes received, headers included.
    pub bytes_in: u64,
    /// Bytes sent, headers included.
    pub bytes_out: u64,
    /// Response times, µs: from due to the last byte.
    pub response: Hist,
    /// Service times, µs: from sent to the last byte. Absent when equal to `response`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Hist>,
    /// Response time quantiles for readers without a histogram library, µs: p50, p90, p99, max.
    pub q: [u64; 4],
}

impl StepTick {
    /// Service times; the response times where the two are the same.
    pub fn service(&self) -> &Hist {
        self.service.as_ref().unwrap_or(&self.response)
    }

    /// Failed requests.
    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }
}

/// Why a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The name could not be looked up.
    Dns,
    /// The connection was refused.
    Refused,
    /// Connecting took longer than `connect_timeout`.
    ConnectTimeout,
    /// Connecting failed otherwise (unreachable, out of ports or files).
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// The host is not in `allow_hosts`.
    Forbidden,
    /// The connection was reset.
    Reset,
    /// The connection was closed before the answer was whole.
    ClosedEarly,
    /// No whole answer within `timeout`.
    Timeout,
    /// What came is not HTTP, or is larger than allowed.
    Protocol,
    /// A status from 400 to 499 that was not expected.
    #[serde(rename = "status_4xx")]
    Status4xx,
    /// A status from 500 to 599 that was not expected.
    #[serde(rename = "status_5xx")]
    Status5xx,
    /// The answer was not what `expect` or `save` asked for.
    Expectation,
    /// The request could not be made: a template failed, or a `unique` feed had no row left.
    Data,
    /// Still in flight when the window stopped.
    Unfinished,
}

impl ErrorKind {
    /// Every kind, in the order in which they are shown.
    pub const ALL: [Self; 15] = [
        Self::Dns,
        Self::Refused,
        Self::ConnectTimeout,
        Self::Connect,
        Self::Tls,
        Self::Forbidden,
        Self::Reset,
        Self::ClosedEarly,
        Self::Timeout,
        Self::Protocol,
        Self::Status4xx,
        Self::Status5xx,
        Self::Expectation,
        Self::Data,
        Self::Unfinished,
    ];

    /// The word used in the file, on the screen and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Refused => "refused",
            Self::ConnectTimeout => "connect_timeout",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Forbidden => "forbidden",
            Self::Reset => "reset",
            Self::ClosedEarly => "closed_early",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
            Self::Status4xx => "status_4xx",
            Self::Status5xx => "status_5xx",
            Self::Expectation => "expectation",
            Self::Data => "data",
            Self::Unfinished => "unfinished",
        }
    }
}

/// How the generator itself did in one tick.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct GeneratorTick {
    /// Send-time error of open arrivals, µs: from due to the moment the generator took them up.
    pub late: Hist,
    /// Longest time in which a worker's event loop did not come round, µs.
    pub lag_us: u64,
    /// CPU used by the whole process, in cores.
    pub cpu: f64,
    /// CPU used by the busiest worker thread, in cores (1 = saturated).
    pub worker_cpu: f64,
    /// CPU used by the recording thread, in cores; part of `cpu`.
    #[serde(default)]
    pub recorder_cpu: f64,
    /// Resident memory, bytes.
    pub rss: u64,
    /// Open files.
    pub files: u64,
    /// Limit on open files.
    pub files_max: u64,
    /// Arrivals due in this tick, all open scenarios.
    pub due: u64,
    /// Arrivals taken up, all open scenarios.
    pub begun: u64,
    /// Why this tick's latencies say more about the generator than about the system; empty when it kept up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bottleneck: Vec<Bottleneck>,
}

/// Ways in which the generator itself becomes the bottleneck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bottleneck {
    /// Requests left late by more than the allowed send-time error.
    SentLate,
    /// A worker thread was saturated.
    Cpu,
    /// The limit on open files was reached.
    Files,
    /// Fewer arrivals were taken up than were due, apart from those dropped by `max_in_flight`.
    FellBehind,
    /// A worker did not report in time.
    Stalled,
}

/// One slow request.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Exemplar {
    /// Index into `names.steps`.
    pub step: usize,
    /// When it was due, µs since the window began.
    pub at: u64,
    /// Trace id, when the scenario traces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Status of the answer, if one came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why it failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorKind>,
    /// Response time, µs.
    pub response: u64,
    /// Where the time went, µs: wait (due to sent, without connecting), connect (name lookup included), TLS,
    /// first byte, body.
    pub split: [u64; 5],
}

/// The first answer of a new kind of error at a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// µs since the window began.
    pub at: u64,
    /// Index into `names.steps`.
    pub step: usize,
    /// The kind.
    pub kind: ErrorKind,
    /// Status, if an answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What failed, in a sentence, secrets hidden.
    pub detail: String,
    /// The start of the body, at most 2 KB, secrets hidden; bytes that are not UTF-8 are replaced.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn is_zero(value: &u64) -> bool {
    *value == 0
}
