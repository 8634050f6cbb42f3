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
