//! What is going to be run, as the first record of a session says it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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
    /// What is watched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<TargetPlan>,
    /// Gauges, whose values are series of the same name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gauges: Vec<GaugePlan>,
    /// What can be broken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultPlan>,
    /// Where the engine served its own metrics: an address and a port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<String>,
    /// What the author predicted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub predicted: BTreeMap<String, String>,
    /// Things that the operator was told before the start: `tls is insecure`, `not enough open files`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Window {
    /// How long its phases last together by plan, µs; 0 when nothing was planned.
    pub fn planned_us(&self) -> u64 {
        let lengths = self.phases.iter().map(|phase| phase.length_us);
        lengths.fold(0, u64::saturating_add)
    }
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
    /// Faults that its schedule puts in, as indices into the window's faults.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<usize>,
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

/// A target as planned.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TargetPlan {
    /// Its name.
    pub name: String,
    /// How it is watched: `scrape`, `prometheus` or `alertmanager`.
    pub kind: String,
    /// Where it is, secrets hidden.
    pub url: String,
    /// The interval, µs.
    pub every_us: u64,
}

/// A gauge as planned, in the words of the profile.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GaugePlan {
    /// Its name, and that of its series.
    pub name: String,
    /// The target it is drawn from; absent for all that are scraped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// The expression, in `PromQL`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub expr: String,
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
    /// The alert that should fire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detect: Option<String>,
    /// The service that it is done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Of a group: its members, as indices into the window's faults.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<usize>,
}
