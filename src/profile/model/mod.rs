//! What a profile says, as plain data.
//!
//! Every struct mirrors one TOML table of the profile; the field names are the TOML keys. The reader in
//! `read` fills them and reports every mistake it meets; nothing here does I/O.

mod fault;
mod journey;
mod ledger;
mod scenario;
mod target;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::expect::Expectation;
use super::secret::{Redactor, Secrets, Text};
use super::units::Factor;
pub use fault::{
    Call, CommandLine, Down, Ends, Fault, FaultDriver, Network, ProcessAct, Requests, Stress,
    Toxic, ToxicKind, Which,
};
pub use journey::{Body, DataFeed, DataFormat, Expect, Journey, Pick, Save, Step, ThinkTime};
pub use ledger::Ledger;
pub use scenario::{Arrivals, Connections, HttpVersion, JourneyShare, Model, Scenario, Tls};
pub use target::{Gauge, GaugeSet, GaugeUnit, Level, Many, Target, TargetSource, is_selector};

/// A whole profile: what one window does, and what is expected of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// `[window]`: what holds for the window as a whole.
    pub window: Window,
    /// `[[scenario]]`: the streams of work, in the order of the file.
    pub scenarios: Vec<Scenario>,
    /// `[[journey]]`: what one arrival or user does. A scenario's shorthand (`get = "/"`) has become a journey
    /// with one step, named after the scenario.
    pub journeys: Vec<Journey>,
    /// `[[ledger]]`: writes that are read back when the window is over.
    pub ledgers: Vec<Ledger>,
    /// `[[data]]`: rows that journeys draw from.
    pub data: Vec<DataFeed>,
    /// `[[target]]`: Prometheus endpoints and servers.
    pub targets: Vec<Target>,
    /// `[[gauge]]`: named numbers drawn from the targets.
    pub gauges: Vec<Gauge>,
    /// `[[fault]]`: what can be broken, and the way back.
    pub faults: Vec<Fault>,
    /// `[[phase]]`: stretches of the window. Never empty: a profile without phases has one, named `main`,
    /// that lasts `[window] duration`. A `climb` has become one phase a step.
    pub phases: Vec<Phase>,
    /// `[[gate]]`: what the verdict counts; the phases' own `expect` lines have become gates as well.
    pub gates: Vec<Gate>,
    /// `[notify]`: who is told.
    pub notify: Notify,
    /// The text of the profile as written, before interpolation, so that no secret can be in it.
    pub source: String,
    /// The profile's path, or the name of a shipped one.
    pub path: PathBuf,
    /// Names and values that `${…}` took from the environment or `-e`; secrets are not among them.
    pub variables: BTreeMap<String, String>,
    /// The secrets that `${secret:…}` took. Printing shows their names only.
    pub secrets: Secrets,
    /// The factor on every duration of the schedule (`--time-scale`); 1 unless a rehearsal asked for less.
    pub time_scale: f64,
}

impl Profile {
    /// Blots this profile's secrets out of what comes back from outside. Build it once: that costs, using it hardly.
    pub fn redactor(&self) -> Redactor {
        Redactor::new(&self.secrets)
    }
}

/// `[window]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// What this window is called on the screen and in the report; the name of the file unless said otherwise.
    pub name: String,
    /// One line on what it is for.
    pub about: String,
    /// Hosts that load and faults may touch besides loopback: names, `*.suffix`, addresses or CIDR blocks.
    pub allow_hosts: Vec<String>,
    /// The seed of every random choice; the same seed gives the same data and arrival times.
    /// 42 unless said otherwise.
    pub seed: u64,
    /// A link to the runbook.
    pub runbook: Option<String>,
    /// Where this runs: `staging`, `production`.
    pub environment: Option<String>,
    /// What the author expects to measure (`"pay p99" = "80ms"`), reported beside what was measured.
    pub predicted: BTreeMap<String, String>,
    /// How long a window without `[[phase]]` lasts. May be left out when every scenario has `iterations`: the window
    /// then ends with its work, after 10 minutes at most.
    pub duration: Option<Duration>,
    /// The recording interval: 1 s unless said otherwise.
    pub tick: Duration,
    /// How long requests in flight may take to finish once the window is over: 10 s unless said otherwise.
    pub drain: Duration,
    /// Address on which the engine serves its own metrics.
    pub metrics: Option<String>,
    /// The load factor that the spike key applies: 10x unless said otherwise.
    pub spike: Factor,
    /// Faults that may be on at a time: 1 unless said otherwise.
    pub max_faults: usize,
}

/// `[[phase]]`: a stretch of the window.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// Unique among phases.
    pub name: String,
    /// How long it lasts, its ramp included.
    pub length: Duration,
    /// Load factor that its ramp ends at and the rest holds.
    pub load: Factor,
    /// Time in which the load goes in a straight line from the previous phase's factor to this one's.
    pub ramp: Duration,
    /// Faults of this phase.
    pub faults: Vec<PhaseFault>,
    /// The `climb` that this phase is a step of, by name; `None` for an ordinary phase.
    pub climb: Option<String>,
}

/// A fault at its time in a phase.
#[derive(Debug, Clone, PartialEq)]
pub struct PhaseFault {
    /// Index into [`Profile::faults`].
    pub fault: usize,
    /// From the start of the phase.
    pub after: Duration,
    /// How long it stays; until the phase ends if `None`.
    pub length: Option<Duration>,
    /// It is injected again so long after each injection, as long as the phase lasts.
    pub every: Option<Duration>,
    /// It begins at a random moment, by the window's seed, within so long from `after` on.
    pub within: Option<Duration>,
}

/// `[[gate]]`: an expectation that the verdict counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// Unique among gates.
    pub name: String,
    /// What it is about.
    pub of: Scope,
    /// What must hold.
    pub expect: Expectation,
    /// Indexes into [`Profile::phases`]; all phases when empty.
    pub during: Vec<usize>,
    /// What a failure means.
    pub severity: Severity,
    /// End the window when the gate has failed this long, judged over the last `over`.
    pub abort_after: Option<Duration>,
    /// The sliding span over which the live state is judged: 10 s unless said otherwise.
    pub over: Duration,
}

/// What a gate looks at, by name as recorded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Scope {
    /// Everything.
    #[default]
    All,
    /// One scenario.
    Scenario(String),
    /// One journey, in whichever scenario.
    Journey(String),
    /// One step; `journey/step` when the bare name is not unique.
    Step {
        /// The journey, when it was named.
        journey: Option<String>,
        /// The step.
        step: String,
    },
}

impl std::fmt::Display for Scope {
    /// As a gate's `of` names it; nothing for everything.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => Ok(()),
            Self::Scenario(name) | Self::Journey(name) => f.write_str(name),
            Self::Step { journey, step } => match journey {
                Some(journey) => write!(f, "{journey}/{step}"),
                None => f.write_str(step),
            },
        }
    }
}

/// What a failed gate means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Severity {
    /// No-go.
    #[default]
    Blocker,
    /// A condition on a go.
    Advisory,
}

/// `[notify]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Notify {
    /// URL that gets a JSON message at the start, at breaches and at the end.
    pub webhook: Option<Text>,
}
