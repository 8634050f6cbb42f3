//! The summary as data: what `--json` prints and what the text is made of.
//!
//! The field names are the JSON's. Times named `_ms` are milliseconds with three decimals, `_s` seconds; what is not
//! known is `null`. Members are only ever added within one `schema`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::predicted::Prediction;
use crate::session::record::{Bottleneck, Decision, EndReason, ErrorKind, Gap};
use crate::verdict::{Breakpoint, State, Unit, Verdict};

/// Version of the summary's form.
pub const SCHEMA: u32 = 1;

/// A window, summed up.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The answer.
    pub verdict: Verdict,
    /// The session file.
    pub session: String,
    /// The window's name; empty when not even that was recorded.
    pub window: String,
    /// Where it ran.
    pub environment: Option<String>,
    /// Why it ended; `null` when the recording stops without an end.
    pub end: Option<EndReason>,
    /// Time from the start to the last tick or the end, whichever was later.
    pub elapsed_s: f64,
    /// Everything together.
    #[serde(flatten)]
    pub figures: Figures,
    /// By scenario.
    pub scenarios: Vec<Named>,
    /// By step, as `journey/step`.
    pub steps: Vec<Step>,
    /// By phase, those that did not run included.
    pub phases: Vec<Phase>,
    /// The gates.
    pub gates: Vec<Gate>,
    /// Whether the generator kept up.
    pub generator: Generator,
    /// Where a climb broke.
    pub breakpoint: Option<Breakpoint>,
    /// Every time a fault was put in, oldest first, and how the system took it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<super::faults::Fault>,
    /// How each service stood each fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scorecard: Vec<crate::verdict::Score>,
    /// What the author predicted, beside what was measured.
    pub predicted: Vec<Prediction>,
    /// What should be known before trusting the verdict.
    pub findings: Vec<String>,
    /// What is missing from the recording.
    pub gaps: Gaps,
    /// The first answer of each kind of error at each step, at most 20.
    pub samples: Vec<Told>,
    /// The three slowest requests, slowest first.
    pub slowest: Vec<Slow>,
    /// Who signed the window off, in order. A signature says what a person decided; it changes no verdict.
    pub signed: Vec<Signature>,
}

/// Counts and distributions of one selection.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Figures {
    /// Requests finished, failed ones included.
    pub requests: u64,
    /// Failed requests.
    pub errors: u64,
    /// Arrivals dropped; `null` for a step, since what was dropped never came to a step.
    pub dropped: Option<u64>,
    /// Finished requests a second.
    pub rate: Option<f64>,
    /// From due to the last byte.
    pub response_ms: Latencies,
    /// From sent to the last byte.
    pub service_ms: Latencies,
    /// Failed requests by kind.
    pub errors_by_kind: BTreeMap<ErrorKind, u64>,
    /// Answers by status code.
    pub status: BTreeMap<u16, u64>,
}

/// One distribution, in ms; all `null` when nothing was measured.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Latencies {
    /// Arithmetic mean.
    pub mean: Option<f64>,
    /// Median.
    pub p50: Option<f64>,
    /// 90 %.
    pub p90: Option<f64>,
    /// 95 %.
    pub p95: Option<f64>,
    /// 99 %.
    pub p99: Option<f64>,
    /// 99.9 %.
    #[serde(rename = "p99.9")]
    pub p999: Option<f64>,
    /// Largest.
    pub max: Option<f64>,
}

/// A scenario.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// `journey/step`.
    pub name: String,
    /// The scenario that it ran in.
    pub scenario: String,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// A phase.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// Its load factor as planned.
    pub load: Option<f64>,
    /// When it began; `null` when it did not run.
    pub start_s: Option<f64>,
    /// When it ended.
    pub end_s: Option<f64>,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// A gate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gate {
    /// Its name.
    pub name: String,
    /// What it expects.
    pub expect: String,
    /// What was measured, in `unit`.
    pub value: Option<f64>,
    /// What `value` is counted in.
    pub unit: Option<Unit>,
    /// The value for people.
    pub shown: String,
    /// Whether it holds.
    pub state: State,
    /// `blocker` or `advisory`.
    pub severity: &'static str,
    /// What it looks at; empty for everything.
    pub of: String,
    /// Its phases; all when empty.
    pub during: Vec<String>,
    /// Why it is inconclusive, or what should be known beside the state.
    pub reason: Option<String>,
    /// What the value rests on.
    pub samples: u64,
}

/// The generator.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Generator {
    /// Whether the latencies are about the system.
    pub ok: bool,
    /// Share of ticks in which it was the bottleneck.
    pub share: f64,
    /// The share by cause.
    pub causes: BTreeMap<Bottleneck, f64>,
    /// For people.
    pub sentence: String,
    /// Send-time error.
    pub late_ms: Latencies,
    /// Longest event loop lag.
    pub lag_ms: f64,
    /// Most CPU used in a tick, in cores.
    pub cpu: f64,
    /// Most CPU used by one worker.
    pub worker_cpu: f64,
    /// The part of all CPU used that recording took.
    pub recorder_share: f64,
    /// Most resident memory.
    pub rss_bytes: u64,
    /// Most open files.
    pub files: u64,
    /// Limit on open files.
    pub files_max: u64,
}

/// What is missing from the recording.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gaps {
    /// Ticks, all gaps together.
    pub ticks: u64,
    /// The newest 20 gaps.
    pub stretches: Vec<Gap>,
}

/// A sample of an error.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Told {
    /// The kind.
    pub kind: ErrorKind,
    /// `journey/step`.
    pub step: String,
    /// Status, if an answer came.
    pub status: Option<u16>,
    /// What failed.
    pub detail: String,
}

/// What a person decided.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Signature {
    /// Go or no-go.
    pub decision: Decision,
    /// `user@host`, as far as it is known.
    pub by: Option<String>,
    /// When, since the window began.
    pub at_s: f64,
    /// Why, in the person's words; may be empty.
    pub text: String,
}

/// A slow request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Slow {
    /// `journey/step`.
    pub step: String,
    /// When it was due.
    pub at_s: f64,
    /// Response time.
    pub response_ms: f64,
    /// Status, if an answer came.
    pub status: Option<u16>,
    /// Why it failed, if it did.
    pub error: Option<ErrorKind>,
    /// Trace id, if the scenario traces.
    pub trace: Option<String>,
    /// Where the time went.
    pub split_ms: Split,
}

/// Where a request's time went, in ms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Split {
    /// Due to sent, without connecting.
    pub wait: f64,
    /// Name lookup and connect.
    pub connect: f64,
    /// TLS handshake.
    pub tls: f64,
    /// Sent to the answer's head.
    pub first_byte: f64,
    /// The rest of the answer.
    pub body: f64,
}

impl Summary {
    /// As JSON, on several lines, with a line break at the end.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

impl Figures {
    /// Failed over all requests; `None` without a request.
    pub fn error_ratio(&self) -> Option<f64> {
        (self.requests > 0).then(|| self.errors as f64 / self.requests as f64)
    }
}
