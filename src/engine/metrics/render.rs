//! A fold as a page of metrics. Pure: what goes in is plain data, what comes out is text.

use super::fold::{Fold, Step};
use crate::history::Flow;
use crate::session::metric_text::{Format, Kind, Page, labels};
use crate::session::record::{Bottleneck, FaultState, ModelName, ScenarioState};

/// What a page says.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// What the records say.
    pub fold: Fold,
    /// Name of the session.
    pub session: String,
    /// Ticks that could not be recorded.
    pub lost: u64,
}

/// A metric of steps: its name, its help, and what it counts.
type StepCounter = (&'static str, &'static str, fn(&Step) -> u64);
/// A metric of scenarios.
type FlowMetric = (&'static str, Kind, &'static str, fn(&Flow) -> f64);

const STEP_COUNTERS: [StepCounter; 3] = [
    (
        "stormdeck_requests",
        "Requests finished, failed ones included.",
        |step| step.requests,
    ),
    (
        "stormdeck_received_bytes",
        "Bytes received, headers included.",
        |step| step.bytes_in,
    ),
    (
        "stormdeck_sent_bytes",
        "Bytes sent, headers included.",
        |step| step.bytes_out,
    ),
];

const FLOWS: [FlowMetric; 9] = [
    (
        "stormdeck_due_arrivals",
        Kind::Counter,
        "Journeys that became due, dropped ones included.",
        |flow| flow.due as f64,
    ),
    (
        "stormdeck_begun_journeys",
        Kind::Counter,
        "Journeys begun.",
        |flow| flow.begun as f64,
    ),
    (
        "stormdeck_finished_journeys",
        Kind::Counter,
        "Journeys finished, whether in error or not.",
        |flow| flow.finished as f64,
    ),
    (
        "stormdeck_dropped_arrivals",
        Kind::Counter,
        "Arrivals dropped because max_in_flight was reached.",
        |flow| flow.dropped as f64,
    ),
    (
        "stormdeck_in_flight",
        Kind::Gauge,
        "Journeys in flight.",
        |flow| flow.in_flight as f64,
    ),
    (
        "stormdeck_users",
        Kind::Gauge,
        "Users alive; 0 in the open model.",
        |flow| flow.users as f64,
    ),
    (
        "stormdeck_connections",
        Kind::Gauge,
        "Open connections.",
        |flow| flow.connections as f64,
    ),
    (
        "stormdeck_asked",
        Kind::Gauge,
        "What is asked for: arrivals a second in the open model, users in the closed one.",
        |flow| flow.asked,
    ),
    (
        "stormdeck_scenario_running",
        Kind::Gauge,
        "1 while the scenario puts load.",
        |flow| f64::from(u8::from(flow.state == ScenarioState::Running)),
    ),
];

/// Every cause of a bottleneck, and its word.
const CAUSES: [(Bottleneck, &str); 5] = [
    (Bottleneck::SentLate, "sent_late"),
    (Bottleneck::Cpu, "cpu"),
    (Bottleneck::Files, "files"),
    (Bottleneck::FellBehind, "fell_behind"),
    (Bottleneck::Stalled, "stalled"),
];

/// The page of `/metrics`.
pub fn render(snapshot: &Snapshot, format: Format) -> String {
    let mut page = Page::new(format);
    about(snapshot, &mut page);
    course(snapshot, &mut page);
    steps(&snapshot.fold, &mut page);
    scenarios(&snapshot.fold, &mut page);
    gates(&snapshot.fold, &mut page);
    faults(&snapshot.fold, &mut page);
    generator(snapshot, &mut page);
    page.finish()
}

fn about(snapshot: &Snapshot, page: &mut Page) {
    let build = labels(&[("version", env!("CARGO_PKG_VERSION"))]);
    page.family("stormdeck_build", Kind::Info, "The program.")
        .count(&build, 1);
    if let Some(window) = &snapshot.fold.window {
        let window = labels(&[
            ("window", &window.name),
            (
                "environment",
                window.environment.as_deref().unwrap_or_default(),
            ),
            ("session", &snapshot.session),
        ]);
        page.family("stormdeck_window", Kind::Info, "What is being run.")
            .count(&window, 1);
    }
}

/// Where the window is.
fn course(snapshot: &Snapshot, page: &mut Page) {
    let fold = &snapshot.fold;
    if let Some(window) = &fold.window {
        let name = "stormdeck_window_start_timestamp_seconds";
        page.family(name, Kind::Gauge, "When the window began, since 1970.")
            .sample("", window.wall as f64 / 1e6);
    }
    let name = "stormdeck_window_elapsed_seconds";
    page.family(
        name,
        Kind::Gauge,
        "End of the latest tick since the window began.",
    )
    .sample("", fold.at as f64 / 1e6);
    if let Some(phase) = fold.phase {
        let name = fold.names.phases.get(phase).map_or("", String::as_str);
        let number = phase as u64 + 1;
        page.family(
            "stormdeck_phase_number",
            Kind::Gauge,
            "The phase, counted from 1.",
        )
        .count("", number);
        let phase = labels(&[("phase", name), ("number", &number.to_string())]);
        page.family("stormdeck_phase", Kind::Info, "The phase, by its name.")
            .count(&phase, 1);
    }
    let name = "stormdeck_load_factor";
    page.family(
        name,
        Kind::Gauge,
        "The load factor at the end of the latest tick.",
    )
    .sample("", fold.load);
    page.family(
        "stormdeck_ticks",
        Kind::Counter,
        "Ticks of the window, recorded or not.",
    )
    .count("", fold.ticks);
    let help = "Ticks that could not be recorded.";
    page.family("stormdeck_lost_ticks", Kind::Counter, help)
        .count("", snapshot.lost);
}

fn steps(fold: &Fold, page: &mut Page) {
    let named: Vec<(Vec<(&str, &str)>, &Step)> = fold
        .names
        .steps
        .iter()
        .zip(&fold.steps)
        .map(|(name, step)| {
            let scenario = fold.names.scenarios.get(name.scenario);
            let pairs = vec![
                ("scenario", scenario.map_or("", String::as_str)),
                ("journey", name.journey.as_str()),
                ("step", name.step.as_str()),
            ];
            (pairs, step)
        })
        .collect();
    for (name, help, count) in STEP_COUNTERS {
        let mut family = page.family(name, Kind::Counter, help);
        for (pairs, step) in &named {
            family.count(&labels(pairs), count(step));
        }
    }
    let with = |pairs: &[(&'static str, &str)], name, value: &str| {
        labels(&[pairs, &[(name, value)]].concat())
    };
    let mut family = page.family(
        "stormdeck_request_errors",
        Kind::Counter,
        "Requests failed, by kind.",
    );
    for (pairs, step) in &named {
        for (kind, &count) in &step.errors {
            family.count(&with(pairs, "kind", kind.name()), count);
        }
    }
    let mut family = page.family(
        "stormdeck_responses",
        Kind::Counter,
        "Answers, by status code.",
    );
    for (pairs, step) in &named {
        for (status, &count) in &step.status {
            family.count(&with(pairs, "status", &status.to_string()), count);
        }
    }
    let help = "From the moment a request was due to its last byte.";
    let mut family = page.family("stormdeck_response_time_seconds", Kind::Histogram, help);
    for (pairs, step) in &named {
        family.histogram(&labels(pairs), &step.response);
    }
    let help = "From the moment a request was sent to its last byte.";
    let mut family = page.family("stormdeck_service_time_seconds", Kind::Histogram, help);
    for (pairs, step) in &named {
        family.histogram(&labels(pairs), &step.service);
    }
}

fn scenarios(fold: &Fold, page: &mut Page) {
    let plans = fold
        .window
        .as_ref()
        .map_or(&[][..], |window| &window.scenarios);
    let mut family = page.family(
        "stormdeck_scenario",
        Kind::Info,
        "The scenarios as planned.",
    );
    for plan in plans {
        let model = match plan.model {
            ModelName::Open => "open",
            ModelName::Closed => "closed",
        };
        family.count(&labels(&[("scenario", &plan.name), ("model", model)]), 1);
    }
    for (name, kind, help, value) in FLOWS {
        let mut family = page.family(name, kind, help);
        for (scenario, flow) in fold.names.scenarios.iter().zip(&fold.scenarios) {
            family.sample(&labels(&[("scenario", scenario)]), value(flow));
        }
    }
}

fn gates(fold: &Fold, page: &mut Page) {
    let plans = fold.window.as_ref().map_or(&[][..], |window| &window.gates);
    let named = || {
        plans.iter().zip(&fold.gates).map(|(plan, gate)| {
            let pairs = [("gate", &*plan.name), ("severity", &*plan.severity)];
            (plan, labels(&pairs), gate)
        })
    };
    let mut family = page.family("stormdeck_gate", Kind::Info, "What the gates expect.");
    for (plan, gate, _) in named() {
        let more = labels(&[("of", &plan.of), ("expect", &plan.expect)]);
        family.count(&format!("{gate},{more}"), 1);
    }
    let help = "1 while the gate fails, as it stands live.";
    let mut family = page.family("stormdeck_gate_failing", Kind::Gauge, help);
    for (_, name, gate) in named() {
        family.count(&name, u64::from(gate.failing));
    }
    let help = "Times that the gate began to fail.";
    let mut family = page.family("stormdeck_gate_failures", Kind::Counter, help);
    for (_, name, gate) in named() {
        family.count(&name, gate.failures);
    }
}

fn faults(fold: &Fold, page: &mut Page) {
    let plans = fold
        .window
        .as_ref()
        .map_or(&[][..], |window| &window.faults);
    let help = "1 for the state that the fault is in, 0 for the others.";
    let mut family = page.family("stormdeck_fault_state", Kind::Gauge, help);
    for (plan, fault) in plans.iter().zip(&fold.faults) {
        for state in FaultState::ALL {
            let labels = labels(&[("fault", &plan.name), ("state", state.name())]);
            family.count(&labels, u64::from(fault.state == state));
        }
    }
    let help = "Times that the fault was in place.";
    let mut family = page.family("stormdeck_fault_injections", Kind::Counter, help);
    for (plan, fault) in plans.iter().zip(&fold.faults) {
        family.count(&labels(&[("fault", &plan.name)]), fault.injections);
    }
}

fn generator(snapshot: &Snapshot, page: &mut Page) {
    let generator = &snapshot.fold.generator;
    let gauges = [
        (
            "stormdeck_generator_cpu_cores",
            "CPU that the process used in the latest tick, in cores.",
            generator.cpu,
        ),
        (
            "stormdeck_generator_worker_cpu_cores",
            "CPU that the busiest worker used in the latest tick; 1 is saturated.",
            generator.worker_cpu,
        ),
        (
            "stormdeck_generator_recorder_cpu_cores",
            "CPU that the recording used in the latest tick, in cores.",
            generator.recorder_cpu,
        ),
        (
            "stormdeck_generator_lag_seconds",
            "Longest time in the latest tick in which an event loop did not come round.",
            generator.lag_us as f64 / 1e6,
        ),
        (
            "stormdeck_generator_resident_memory_bytes",
            "Memory in RAM.",
            generator.rss as f64,
        ),
        (
            "stormdeck_generator_open_files",
            "Open files.",
            generator.files as f64,
        ),
        (
            "stormdeck_generator_max_files",
            "The limit on open files.",
            generator.files_max as f64,
        ),
    ];
    for (name, help, value) in gauges {
        page.family(name, Kind::Gauge, help).sample("", value);
    }
    let help = "1 where the generator was the bottleneck in the latest tick, by cause.";
    let mut family = page.family("stormdeck_generator_bottleneck", Kind::Gauge, help);
    for (cause, word) in CAUSES {
        let holds = generator.bottleneck.contains(&cause);
        family.count(&labels(&[("cause", word)]), u64::from(holds));
    }
    let help = "Ticks in which the generator was the bottleneck, by cause.";
    let mut family = page.family("stormdeck_generator_bottleneck_ticks", Kind::Counter, help);
    for (cause, word) in CAUSES {
        let ticks = generator.causes.get(&cause).copied().unwrap_or(0);
        family.count(&labels(&[("cause", word)]), ticks);
    }
    let help = "From the moment an open arrival was due to the moment it was taken up.";
    page.family("stormdeck_generator_late_seconds", Kind::Histogram, help)
        .histogram("", &generator.late);
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
