//! What happened at a moment, and who did it.

use serde::{Deserialize, Serialize};

use super::{Alert, Bottleneck, EndReason, GaugePlan, ScenarioState};

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
        /// Whether a person insisted on it against a guard rail.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        forced: bool,
        /// Of one that failed: whether it may still be in place. If not, nothing is left of it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        in_place: bool,
        /// Whether the state was read back from what was broken, or mended, and found as it should be.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        proven: bool,
        /// Of one that goes in or is in place: when it goes out by itself, µs since the window began.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<u64>,
    },
    /// How a fault is brought back, durable before anything is broken.
    Undo {
        /// Its index in the window's faults.
        fault: usize,
        /// The way back as JSON, secrets hidden; the journal of outstanding faults holds the same.
        way: String,
    },
    /// What a fault was seen to do to traffic, so far.
    Effect(Box<Effect>),
    /// What a program or a request of a fault said; bounded, secrets hidden.
    Output {
        /// Its index in the window's faults.
        fault: usize,
        /// The text, several lines perhaps.
        text: String,
    },
    /// A ledger was read back: what became of the writes that were acknowledged.
    Ledger(Box<Ledger>),
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
    /// A target could not be reached any more, or could again; or something about it is worth a word.
    Target {
        /// Its index in `names.instances`.
        instance: usize,
        /// Whether it answers.
        up: bool,
        /// Why not; of one that answers, what is to be said of it: bad lines, a clock that is
        /// off, gauges that it could be shown by. Empty when nothing is.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
    },
    /// An alert changed its state.
    Alert(Box<Alert>),
    /// A gauge was added while the window ran: pinned by a person, or of a set for a known exporter.
    Gauge(Box<GaugePlan>),
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

/// What a fault was seen to do to traffic, from its injection to a moment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Effect {
    /// Its index in the window's faults.
    pub fault: usize,
    /// Connections that were there or came while it was on; requests, for a fault on requests.
    pub seen: u64,
    /// Those among them that it touched.
    pub affected: u64,
    /// Bytes that it touched.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes: u64,
    /// From the injection to the first that it touched, µs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_us: Option<u64>,
    /// What was found by looking: a check that failed, a process that stands still. Empty when nothing was.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// What became of acknowledged writes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    /// Name of the ledger.
    pub name: String,
    /// Writes that were sent.
    pub sent: u64,
    /// Those among them that the system acknowledged.
    pub acknowledged: u64,
    /// Acknowledged, and not there when read back: the recovery point is missed by so many.
    pub lost: u64,
    /// There more than once.
    pub duplicated: u64,
    /// Not acknowledged, and there all the same.
    pub surplus: u64,
    /// Could not be read back.
    pub unknown: u64,
    /// When the first and the last of the lost ones were acknowledged, µs since the window began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_between: Option<(u64, u64)>,
    /// Acknowledged writes of which it is known whether they are there: what `lost` is a part of. Absent in recordings
    /// of versions that did not count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<u64>,
    /// Whether a sample only was looked at even of the writes near injections of faults.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sampled: bool,
    /// Length of a moment in `by_time`, µs.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub step_us: u64,
    /// At most [`Ledger::MOMENTS`] moments with lost or duplicated writes, in the order of time; together all of `lost`
    /// and `duplicated`. Empty where there are none, and in recordings of versions that did not tell them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_time: Vec<Missing>,
}

impl Ledger {
    /// Most entries of `by_time`.
    pub const MOMENTS: usize = 2_000;
}

/// Writes of one moment that are not there as they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Missing {
    /// Its beginning, µs since the window began; it lasts for the ledger's `step_us`.
    pub at: u64,
    /// Acknowledged in it, and not there when read back.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost: u64,
    /// Sent, acknowledged or not, with an answer in it, and there more than once.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub duplicated: u64,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// State of a fault. One way round: armed, injecting, active, reverting, recovering, recovered, and armed again.
/// Failed means that it was not done, or, where the event says that it may still be in place, that it could not be undone yet.
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
    /// Every state, in the order in which a fault goes through them.
    pub const ALL: [Self; 7] = [
        Self::Armed,
        Self::Injecting,
        Self::Active,
        Self::Reverting,
        Self::Recovering,
        Self::Recovered,
        Self::Failed,
    ];

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
