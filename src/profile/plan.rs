//! What a profile will do, before it does it.
//!
//! In: a [`Profile`]. Out: a [`Plan`], plain data computed without touching anything, and the text of it that
//! `stormdeck check` prints. Whatever the plan shows has its secrets hidden.

mod text;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::curve::Piece;
use super::model::{
    Body, Connections, FaultDriver, Model, Network, PhaseFault, Profile, Scenario, Severity,
    TargetSource,
};
use super::secret::Text;
use super::units::Factor;

/// What a profile will do.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The window's name.
    pub name: String,
    /// What it is for.
    pub about: String,
    /// Where it runs.
    pub environment: Option<String>,
    /// How long it lasts.
    pub length: Duration,
    /// True when it ends before that because all its work is done.
    pub ends_with_work: bool,
    /// The factor on its durations.
    pub time_scale: f64,
    /// The load over time.
    pub curve: Vec<Piece>,
    /// Its phases.
    pub phases: Vec<PlannedPhase>,
    /// Its scenarios.
    pub scenarios: Vec<PlannedScenario>,
    /// Requests of all scenarios.
    pub requests: Expected,
    /// What will be judged.
    pub gates: Vec<PlannedGate>,
    /// What can be broken.
    pub faults: Vec<PlannedFault>,
    /// What is scraped: name, address, and how often.
    pub targets: Vec<(String, String, Duration)>,
    /// Hosts that are touched, in order.
    pub hosts: Vec<String>,
    /// Files that are read, in order.
    pub files: Vec<PathBuf>,
    /// What deserves a second look before the start.
    pub warnings: Vec<String>,
}

/// A fault that can be switched on and off.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedFault {
    /// Its name.
    pub name: String,
    /// Its key.
    pub key: Option<char>,
    /// How it is done, in a word or two.
    pub kind: String,
    /// It goes out by itself after this long.
    pub max: Duration,
    /// The recovery budget.
    pub recover_within: Option<Duration>,
    /// The alert that should fire.
    pub detect: Option<String>,
}

/// A phase and its place in the window.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedPhase {
    /// Its name.
    pub name: String,
    /// Its start, from the window's start.
    pub start: Duration,
    /// Its end.
    pub end: Duration,
    /// Its load factor.
    pub load: Factor,
    /// The ramp at its start.
    pub ramp: Duration,
    /// Its faults: name, and when they go in.
    pub faults: Vec<(String, PhaseFault)>,
}

/// A scenario and how much it will do.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedScenario {
    /// Its name.
    pub name: String,
    /// Its key.
    pub key: Option<char>,
    /// Where it goes, secrets hidden.
    pub target: String,
    /// Arrivals a second in the open model, users in the closed one.
    pub open: bool,
    /// Arrivals a second or users, for each phase of the plan.
    pub amounts: Vec<f64>,
    /// Arrivals in all; `None` in the closed model, where they depend on the answers.
    pub arrivals: Option<f64>,
    /// Requests in all.
    pub requests: Expected,
    /// Its journeys: name, weight, steps.
    pub journeys: Vec<(String, u32, usize)>,
    /// False when it waits for someone to start it.
    pub starts: bool,
}

/// A number of requests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Expected {
    /// About so many: the mean of what chance decides, if every journey goes to its end.
    About(f64),
    /// At least so many, and more the faster the answers are.
    AtLeast(f64),
}

impl Expected {
    /// The number.
    pub fn count(self) -> f64 {
        match self {
            Self::About(count) | Self::AtLeast(count) => count,
        }
    }

    fn and(self, other: Self) -> Self {
        let sum = self.count() + other.count();
        match (self, other) {
            (Self::About(_), Self::About(_)) => Self::About(sum),
            (Self::AtLeast(_), _) | (_, Self::AtLeast(_)) => Self::AtLeast(sum),
        }
    }
}

/// A gate in the words of the profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedGate {
    /// Its name.
    pub name: String,
    /// What must hold.
    pub expect: String,
    /// What it looks at; empty for everything.
    pub of: String,
    /// Phases; empty for all.
    pub during: Vec<String>,
    /// What a failure means.
    pub severity: Severity,
    /// The window ends after it has failed this long.
    pub abort_after: Option<Duration>,
}

impl Plan {
    /// The plan of a profile.
    pub fn of(profile: &Profile) -> Self {
        let scenarios: Vec<_> = profile
            .scenarios
            .iter()
            .map(|scenario| scenario_plan(profile, scenario))
            .collect();
        let requests = scenarios
            .iter()
            .map(|scenario| scenario.requests)
            .fold(Expected::About(0.0), Expected::and);
        Self {
            name: profile.window.name.clone(),
            about: profile.window.about.clone(),
            environment: profile.window.environment.clone(),
            length: profile.length(),
            ends_with_work: ends_with_work(profile),
            time_scale: profile.time_scale,
            curve: profile.load_curve(),
            phases: phases(profile),
            scenarios,
            requests,
            gates: gates(profile),
            faults: profile
                .faults
                .iter()
                .map(|fault| PlannedFault {
                    name: fault.name.clone(),
                    key: fault.key,
                    kind: fault.driver.kind(),
                    max: fault.max,
                    recover_within: fault.recover_within,
                    detect: fault.detect.clone(),
                })
                .collect(),
            targets: targets(profile),
            hosts: hosts(profile),
            files: files(profile),
            warnings: warnings(profile),
        }
    }
}

/// Whether every scenario has a fixed amount of work.
fn ends_with_work(profile: &Profile) -> bool {
    let fixed = |scenario: &Scenario| match scenario.model {
        Model::Closed { iterations, .. } => iterations.is_some(),
        Model::Open { .. } => false,
    };
    !profile.scenarios.is_empty() && profile.scenarios.iter().all(fixed)
}

fn phases(profile: &Profile) -> Vec<PlannedPhase> {
    let mut start = Duration::ZERO;
    let mut planned = Vec::new();
    for phase in &profile.phases {
        let end = start + phase.length;
        let faults = phase.faults.iter().filter_map(|fault| {
            let name = &profile.faults.get(fault.fault)?.name;
            Some((name.clone(), fault.clone()))
        });
        planned.push(PlannedPhase {
            name: phase.name.clone(),
            start,
            end,
            load: phase.load,
            ramp: phase.ramp,
            faults: faults.collect(),
        });
        start = end;
    }
    planned
}

fn scenario_plan(profile: &Profile, scenario: &Scenario) -> PlannedScenario {
    let journeys: Vec<_> = scenario
        .journeys
        .iter()
        .filter_map(|share| {
            let journey = profile.journeys.get(share.journey)?;
            Some((journey.name.clone(), share.weight, journey.steps.len()))
        })
        .collect();
    let weights: f64 = journeys
        .iter()
        .map(|(_, weight, _)| f64::from(*weight))
        .sum();
    let steps: f64 = journeys
        .iter()
        .map(|(_, weight, steps)| f64::from(*weight) * *steps as f64)
        .sum::<f64>()
        / weights.max(1.0);
    let curve = profile.scenario_curve(scenario);
    let (arrivals, requests) = match scenario.model {
        _ if !scenario.start => (None, Expected::About(0.0)),
        Model::Open { rate, .. } => {
            let arrivals = rate.0 * curve.iter().map(Piece::area).sum::<f64>();
            (Some(arrivals), Expected::About(arrivals * steps))
        }
        Model::Closed {
            iterations: Some(iterations),
            ..
        } => (None, Expected::About(iterations as f64 * steps)),
        Model::Closed { users, .. } => {
            // Each user sends one request at the very least; how many more depends on the answers.
            let most = curve.iter().map(|p| p.start.max(p.end)).fold(0.0, f64::max);
            (None, Expected::AtLeast((f64::from(users) * most).round()))
        }
    };
    PlannedScenario {
        name: scenario.name.clone(),
        key: scenario.key,
        target: scenario.target.to_string(),
        open: matches!(scenario.model, Model::Open { .. }),
        amounts: profile
            .phases
            .iter()
            .map(|phase| scenario.amount(phase.load.0))
            .collect(),
        arrivals,
        requests,
        journeys,
        starts: scenario.start,
    }
}

fn gates(profile: &Profile) -> Vec<PlannedGate> {
    profile
        .gates
        .iter()
        .map(|gate| PlannedGate {
            name: gate.name.clone(),
            expect: gate.expect.to_string(),
            of: gate.of.to_string(),
            during: gate
                .during
                .iter()
                .filter_map(|phase| Some(profile.phases.get(*phase)?.name.clone()))
                .collect(),
            severity: gate.severity,
            abort_after: gate.abort_after,
        })
        .collect()
}

/// Where a target is, as it may be shown.
pub(crate) fn whereabouts(source: &TargetSource) -> String {
    match source {
        TargetSource::Scrape(url)
        | TargetSource::Prometheus(url)
        | TargetSource::Alertmanager(url) => url.to_string(),
        TargetSource::Many(many) => {
            let files = many.files.iter().map(|file| file.display().to_string());
            let places: Vec<String> = many.hosts.iter().cloned().chain(files).collect();
            places.join(", ")
        }
    }
}

fn targets(profile: &Profile) -> Vec<(String, String, Duration)> {
    profile
        .targets
        .iter()
        .map(|target| {
            let url = whereabouts(&target.source);
            (target.name.clone(), url, target.every)
        })
        .collect()
}

/// The host of a URL, as it may be shown.
fn host(url: &Text) -> Option<String> {
    let shown = url.shown();
    if let Some(rest) = shown.strip_prefix("embedded://") {
        let service = rest.split(['/', '?', '#']).next()?;
        return Some(format!("embedded://{service}"));
    }
    if shown.starts_with("unix:") {
        return Some(shown.split(['?', '#']).next().unwrap_or(shown).to_owned());
    }
    let parsed = Url::parse(url.reveal()).ok()?;
    let host = parsed.host_str()?;
    if url.is_secret() && !shown.contains(host) {
        return Some("a host that is a secret".to_owned());
    }
    let port = parsed.port_or_known_default()?;
    Some(format!("{host}:{port}"))
}

fn hosts(profile: &Profile) -> Vec<String> {
    let mut hosts = BTreeSet::new();
    hosts.extend(profile.scenarios.iter().filter_map(|s| host(&s.target)));
    let steps = profile.journeys.iter().flat_map(|journey| &journey.steps);
    hosts.extend(steps.filter_map(|step| {
        let absolute = step.url.reveal().starts_with("http");
        absolute.then(|| host(&step.url))?
    }));
    hosts.extend(profile.targets.iter().filter_map(|t| host(t.source.url()?)));
    hosts.extend(profile.notify.webhook.iter().filter_map(host));
    for fault in &profile.faults {
        match &fault.driver {
            FaultDriver::Proxy {
                listen, upstream, ..
            } => hosts.extend([listen.clone(), upstream.clone()]),
            FaultDriver::Toxiproxy { api, ends, .. } => {
                hosts.extend(host(api));
                let ends = ends.iter();
                hosts.extend(ends.flat_map(|ends| [ends.listen.clone(), ends.upstream.clone()]));
            }
            FaultDriver::Http {
                inject,
                revert,
                check,
            } => {
                let calls = inject.iter().chain(revert).chain(check);
                hosts.extend(calls.filter_map(|call| host(&call.url)));
            }
            FaultDriver::Network(Network::Blackhole { hosts: lost }) => {
                hosts.extend(lost.iter().cloned());
            }
            FaultDriver::Exec { .. }
            | FaultDriver::Process { .. }
            | FaultDriver::Stress(_)
            | FaultDriver::Network(Network::Shape { .. })
            | FaultDriver::Group { .. } => {}
        }
    }
    hosts.into_iter().collect()
}

fn files(profile: &Profile) -> Vec<PathBuf> {
    let mut files = BTreeSet::new();
    files.extend(profile.data.iter().map(|feed| feed.file.clone()));
    for step in profile.journeys.iter().flat_map(|journey| &journey.steps) {
        if let Body::File(path) = &step.body {
            files.insert(path.clone());
        }
    }
    let scenarios = profile.scenarios.iter().map(|scenario| &scenario.tls);
    let targets = profile.targets.iter().map(|target| &target.tls);
    for tls in scenarios.chain(targets) {
        files.extend(
            [&tls.ca, &tls.cert, &tls.key]
                .into_iter()
                .flatten()
                .cloned(),
        );
    }
    files.into_iter().collect()
}

fn warnings(profile: &Profile) -> Vec<String> {
    let mut warnings = Vec::new();
    let peak = profile.phases.iter().map(|p| p.load.0).fold(0.0, f64::max);
    for scenario in &profile.scenarios {
        let name = &scenario.name;
        if scenario.tls.insecure {
            warnings.push(format!(
                "scenario `{name}` accepts any certificate (tls.insecure): what it measures may not be your service"
            ));
        }
        if let (Model::Closed { .. }, Connections::PerUser) =
            (&scenario.model, scenario.connections)
            && scenario.amount(peak) > 20_000.0
        {
            warnings.push(format!(
                "scenario `{name}` opens a connection for each of {} users; `connections = N` shares a pool",
                scenario.amount(peak)
            ));
        }
    }
    for target in profile.targets.iter().filter(|target| target.tls.insecure) {
        warnings.push(format!(
            "target `{}` accepts any certificate (tls.insecure)",
            target.name
        ));
    }
    for fault in &profile.faults {
        if let FaultDriver::Exec { check, .. } = &fault.driver
            && check.is_none()
        {
            warnings.push(format!(
                "fault `{}` has no `check`: that it was undone is taken from the exit code of `revert`",
                fault.name
            ));
        }
    }
    if profile.gates.is_empty() {
        warnings.push("there is no gate: the verdict has nothing to judge by".to_owned());
    }
    warnings
}
