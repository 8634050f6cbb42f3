//! The records of a session, as plain data.
//!
//! One record is one JSON line. Members are short because a day has 86,400 ticks; each is explained here, and this
//! page is the format's reference. Times named `at` are µs since the window began, by a monotonic clock; times named
//! `wall` are µs since the Unix epoch, by the wall clock, and may step. Readers ignore members and kinds that they do
//! not know.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};

use super::hist::Hist;

/// The major version of the format. A reader refuses a higher one.
pub const VERSION: u32 = 1;

/// One entry of the session file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "k", rename_all = "snake_case")]
pub enum Record {
    /// Opens a frame and makes it stand alone.
    Key(Key),
    /// What is being run; follows the first key.
    Window(Box<Window>),
    /// What happened in one recording interval.
    Tick(Box<Tick>),
    /// Something happened at a moment: a phase began, someone acted, a gate failed.
    Event(Event),
    /// The first answer of a new kind of error.
    Sample(Sample),
    /// Ticks that are not in the file, and why.
    Gap(Gap),
    /// The window is over.
    End(End),
    /// A kind that a later version added.
    #[serde(other)]
    Unknown,
}

/// Opens a frame: with it, everything after it can be understood without anything before it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Key {
    /// Format version, [`VERSION`].
    pub v: u32,
    /// Number of this frame, from 0.
    pub frame: u64,
    /// The first tick that this frame can hold.
    pub tick: u64,
    /// µs since the window began.
    pub at: u64,
    /// Wall clock, µs since the Unix epoch.
    pub wall: u64,
    /// SHA-256 of the previous frame's uncompressed content, hexadecimal; empty in the first frame.
    pub prev: String,
    /// Names that the records of this frame refer to by index. Names are only ever appended.
    pub names: Names,
    /// The latest value of every series in `names.series`, `null` for one without a value now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub series: Vec<Option<Number>>,
}

/// Names by index.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Names {
    /// Scenarios.
    pub scenarios: Vec<String>,
    /// Steps: one entry for each step of each journey of each scenario.
    pub steps: Vec<StepName>,
    /// Phases.
    pub phases: Vec<String>,
    /// Series: gauges, and scraped series once there are any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub series: Vec<String>,
}

/// The full name of a step.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StepName {
    /// Index of its scenario.
    pub scenario: usize,
    /// Its journey.
    pub journey: String,
    /// Its own name.
    pub step: String,
}

/// What is being run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Window {
    /// The window's name.
    pub name: String,
    /// What it is for.
    pub about: String,
    /// Where it runs.
    pub environment: Option<String>,
    /// The runbook's URL.
    pub runbook: Option<String>,
    /// Seed of every random choice.
    pub seed: u64,
    /// Wall clock at the start, µs since the Unix epoch.
    pub wall: u64,
    /// Length of a tick, µs.
    pub tick_us: u64,
    /// Factor on the schedule's durations.
    pub time_scale: f64,
    /// Who started it: `user@host`.
    pub by: String,
    /// Version of stormdeck.
    pub stormdeck: String,
    /// Worker threads.
    pub workers: usize,
    /// The profile's path.
    pub profile: String,
    /// The profile's text before interpolation; secrets are never in it.
    pub source: String,
    /// What `${…}` stood for; secrets are not among them.
    pub variables: BTreeMap<String, String>,
    /// The phases as planned.
    pub phases: Vec<PhasePlan>,
    /// The scenarios as planned.
    pub scenarios: Vec<ScenarioPlan>,
    /// What the verdict counts.
    pub gates: Vec<GatePlan>,
    /// Gauges, whose values are series of the same name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gauges: Vec<GaugePlan>,
    /// What can be broken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultPlan>,
    /// What the author predicted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub predicted: BTreeMap<String, String>,
    /// Things that the operator was told before the start: `tls is insecure`, `not enough open files`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A phase as planned.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PhasePlan {
    /// Its name.
    pub name: String,
    /// Its length, µs, after `time_scale`.
    pub length_us: u64,
    /// The ramp at its start, µs, after `time_scale`.
    pub ramp_us: u64,
    /// Its load factor.
    pub load: f64,
    /// The climb that it is a step of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub climb: Option<String>,
}

/// A scenario as planned.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ScenarioPlan {
    /// Its name.
    pub name: String,
    /// Its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<char>,
    /// Where it goes, secrets hidden.
    pub target: String,
    /// Open or closed.
    pub model: ModelName,
    /// Arrivals a second, or users, at 1x.
    pub amount: f64,
}

/// Open or closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelName {
    /// Arrivals at a rate.
    #[default]
    Open,
    /// Users that wait for answers.
    Closed,
}

/// A gauge as planned, in the words of the profile.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GaugePlan {
    /// Its name, and that of its series.
    pub name: String,
    /// What it counts in: `bytes`, `seconds`, `ratio`, `per second`, `count`; empty for a plain number.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// When to look at it: `> 400MiB`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn: Option<String>,
    /// When it is out of bounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crit: Option<String>,
}

/// A gate as planned, in the words of the profile.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GatePlan {
    /// Its name.
    pub name: String,
    /// What it looks at: empty, or a scenario, journey, step or `journey/step`.
    pub of: String,
    /// What must hold: `p99 < 100ms`.
    pub expect: String,
    /// Phases by index; all when empty.
    pub during: Vec<usize>,
    /// `blocker` or `advisory`.
    pub severity: String,
    /// Ends the window after failing this long, µs, after `time_scale`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort_after_us: Option<u64>,
    /// The sliding span of the live state, µs, after `time_scale`.
    pub over_us: u64,
}

/// A fault as planned.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FaultPlan {
    /// Its name.
    pub name: String,
    /// Its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<char>,
    /// How it is done, in a word or two: `command`, or the proxy's toxics, `latency + bandwidth`.
    pub kind: String,
    /// It is cleared by itself after this long, µs.
    pub max_us: u64,
    /// The recovery budget, µs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recover_within_us: Option<u64>,
}

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
    /// Series that changed: index and value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub series: Vec<(usize, Option<Number>)>,
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

/// Something that happened at a moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// µs since the window began.
    pub at: u64,
    /// Wall clock.
    pub wall: u64,
    /// Who did it: `user@host`; absent when the schedule or stormdeck itself did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub what: Happening,
}

/// What an event says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Happening {
    /// A phase began.
    Phase {
        /// Its index.
        phase: usize,
    },
    /// A scenario was started or stopped by hand, or finished its iterations.
    Scenario {
        /// Its index.
        scenario: usize,
        /// Its new state.
        state: ScenarioState,
    },
    /// The load factor, or one scenario's rate or users, was set by hand.
    Load {
        /// The scenario; absent for all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scenario: Option<usize>,
        /// The new factor.
        factor: f64,
    },
    /// The current phase was made longer by hand.
    Extend {
        /// Its index.
        phase: usize,
        /// By how much, µs.
        by_us: u64,
    },
    /// The current phase was held or released.
    Hold {
        /// True when held.
        on: bool,
    },
    /// A gate's live state changed.
    Gate {
        /// Its index in the window's gates.
        gate: usize,
        /// True when it holds again, false when it failed.
        holds: bool,
        /// The measured value as text: `132ms`.
        value: String,
    },
    /// A fault went from one state to the next.
    Fault {
        /// Its index in the window's faults.
        fault: usize,
        /// Its new state.
        state: FaultState,
        /// A sentence: why, or what went wrong. Empty where the state says it all.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
    },
    /// A note on the timeline.
    Mark {
        /// The note.
        text: String,
    },
    /// A person signed the window off. The last one counts.
    SignOff {
        /// Go or no-go.
        decision: Decision,
        /// Why, in the person's words; may be empty.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
    },
    /// The generator became the bottleneck, or has not been it for ten seconds; which ticks it was in, the ticks say.
    Generator {
        /// Why; empty when it recovered.
        causes: Vec<Bottleneck>,
    },
    /// Something that the operator should know.
    Warning {
        /// A sentence.
        text: String,
    },
    /// Someone, or a gate, asked for the end.
    Stop {
        /// Why the window ends.
        reason: EndReason,
        /// A sentence: who, which signal, which gate.
        text: String,
    },
    /// A kind that a later version added.
    #[serde(other)]
    Unknown,
}

/// State of a fault. One way round: armed, injecting, active, reverting, recovering, recovered, and armed again; any of
/// them may end in failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultState {
    /// Ready, nothing is broken.
    #[default]
    Armed,
    /// On its way in.
    Injecting,
    /// In place.
    Active,
    /// On its way out.
    Reverting,
    /// Undone; the system has not come back yet.
    Recovering,
    /// The system is back.
    Recovered,
    /// It could not be done, or not be undone.
    Failed,
}

impl FaultState {
    /// The word used in the file, on the screen and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Armed => "armed",
            Self::Injecting => "injecting",
            Self::Active => "active",
            Self::Reverting => "reverting",
            Self::Recovering => "recovering",
            Self::Recovered => "recovered",
            Self::Failed => "failed",
        }
    }
}

/// What a person decided about a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Good enough.
    Go,
    /// Not good enough.
    NoGo,
}

impl Decision {
    /// The word used in the file, on the screen and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::NoGo => "no-go",
        }
    }
}

/// Ticks that are not in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// First missing tick.
    pub from: u64,
    /// Last missing tick.
    pub to: u64,
    /// Why: `disk full`, `recorder fell behind`, `damaged`, `resumed after a crash`.
    pub why: String,
}

/// The window is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// µs since the window began.
    pub at: u64,
    /// Wall clock.
    pub wall: u64,
    /// Why.
    pub reason: EndReason,
    /// Ticks that could not be recorded.
    pub lost: u64,
}

/// Why a window ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The schedule ran out.
    Finished,
    /// Someone stopped it, by command or signal.
    Stopped,
    /// A gate with `abort_after` failed too long, or someone asked for an end without waiting for what was in flight.
    Aborted,
}

/// A series value. JSON has no NaN and no infinities; they are written as the strings `"NaN"`, `"+Inf"`, `"-Inf"`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number(pub f64);

impl Serialize for Number {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            v if v.is_nan() => serializer.serialize_str("NaN"),
            f64::INFINITY => serializer.serialize_str("+Inf"),
            f64::NEG_INFINITY => serializer.serialize_str("-Inf"),
            v => serializer.serialize_f64(v),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    // By hand, because an untagged enum is parsed through a copy of its content, and a tick has hundreds of these.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, \"NaN\", \"+Inf\" or \"-Inf\"")
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Number, E> {
                Ok(Number(value))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Number, E> {
                match text {
                    "NaN" => Ok(Number(f64::NAN)),
                    "+Inf" => Ok(Number(f64::INFINITY)),
                    "-Inf" => Ok(Number(f64::NEG_INFINITY)),
                    other => Err(E::custom(format!("`{other}` is not a number"))),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn is_zero(value: &u64) -> bool {
    *value == 0
}
