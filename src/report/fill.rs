//! Fills the summary from a history and its judgement: rounding, and choosing what is told.

use super::predicted::predictions;
use super::summary::{
    Figures, Gaps, Gate, Generator, Latencies, Named, Phase, SCHEMA, Signature, Slow, Split, Step,
    Summary, Told,
};
use crate::history::{History, Selection, Totals};
use crate::profile::model::{Scope, Severity};
use crate::session::hist::Hist;
use crate::session::record::{Bottleneck, Event, Exemplar, Happening, Sample};
use crate::verdict::{GateOutcome, GeneratorJudgement, Judgement, Unit};

/// Slowest requests that are told.
const SLOWEST: usize = 3;
/// Samples and gaps that are told.
const FEW: usize = 20;

impl Summary {
    /// Sums up a window. `session` is where its recording lies, for the reader to find it again.
    pub fn new(history: &History, judgement: &Judgement, session: &str) -> Self {
        let names = history.names();
        let window = history.window();
        let figures = |selection: &Selection, phases: &[usize]| {
            Figures::of(&history.totals_of(selection, phases))
        };
        let elapsed = history
            .end()
            .map_or(0, |end| end.at)
            .max(history.last().map_or(0, |last| last.at));
        Self {
            schema: SCHEMA,
            verdict: judgement.verdict,
            session: session.to_owned(),
            window: window.map_or_else(String::new, |window| window.name.clone()),
            environment: window.and_then(|window| window.environment.clone()),
            end: history.end().map(|end| end.reason),
            elapsed_s: seconds(elapsed),
            figures: Figures::of(&history.totals(&Scope::All, &[])),
            scenarios: (0..names.scenarios.len())
                .map(|index| Named {
                    name: names.scenarios[index].clone(),
                    figures: figures(&Selection::scenario(names, index), &[]),
                })
                .collect(),
            steps: (0..names.steps.len())
                .map(|index| Step {
                    name: step_name(history, index),
                    scenario: names
                        .scenarios
                        .get(names.steps[index].scenario)
                        .cloned()
                        .unwrap_or_default(),
                    figures: Figures {
                        dropped: None,
                        ..figures(&Selection::step(names, index), &[])
                    },
                })
                .collect(),
            phases: (0..names.phases.len())
                .map(|index| phase(history, index))
                .collect(),
            gates: judgement.gates.iter().map(Gate::of).collect(),
            generator: Generator::of(history, &judgement.generator),
            breakpoint: judgement.breakpoint.clone(),
            faults: super::faults::told(history, judgement),
            scorecard: judgement.scores.clone(),
            predicted: predictions(history),
            findings: judgement.findings.clone(),
            gaps: Gaps {
                ticks: history.missing(),
                stretches: history.gaps().iter().rev().take(FEW).cloned().collect(),
            },
            samples: history
                .samples()
                .take(FEW)
                .map(|sample| Told::of(history, sample))
                .collect(),
            slowest: history
                .slowest()
                .iter()
                .take(SLOWEST)
                .map(|exemplar| Slow::of(history, exemplar))
                .collect(),
            signed: history.events().iter().filter_map(Signature::of).collect(),
        }
    }
}

impl Signature {
    fn of(event: &Event) -> Option<Self> {
        let Happening::SignOff { decision, text } = &event.what else {
            return None;
        };
        Some(Self {
            decision: *decision,
            by: event.by.clone(),
            at_s: seconds(event.at),
            text: text.clone(),
        })
    }
}

impl Figures {
    fn of(totals: &Totals) -> Self {
        Self {
            requests: totals.requests,
            errors: totals.failed(),
            dropped: Some(totals.dropped),
            rate: totals.rate().map(|rate| round(rate, 3)),
            response_ms: Latencies::of(&totals.response),
            service_ms: Latencies::of(&totals.service),
            errors_by_kind: totals.errors.clone(),
            status: totals.status.clone(),
        }
    }
}

impl Latencies {
    fn of(hist: &Hist) -> Self {
        if hist.is_empty() {
            return Self::default();
        }
        let quantile = |q| Some(ms(hist.quantile(q) as f64));
        Self {
            mean: Some(ms(hist.mean())),
            p50: quantile(0.5),
            p90: quantile(0.9),
            p95: quantile(0.95),
            p99: quantile(0.99),
            p999: quantile(0.999),
            max: quantile(1.0),
        }
    }
}

fn phase(history: &History, index: usize) -> Phase {
    let known = history.phase(index);
    let totals = history.totals(&Scope::All, &[index]);
    Phase {
        name: history.names().phases[index].clone(),
        load: history
            .window()
            .and_then(|window| window.phases.get(index))
            .map(|plan| plan.load),
        start_s: known.as_ref().map(|phase| seconds(phase.start)),
        end_s: known.as_ref().map(|phase| seconds(phase.end)),
        figures: Figures::of(&totals),
    }
}

impl Gate {
    fn of(outcome: &GateOutcome) -> Self {
        let reading = &outcome.reading;
        let decimals = match outcome.unit {
            Some(Unit::Ratio) => 6,
            Some(Unit::Ms | Unit::PerSecond | Unit::Count) | None => 3,
        };
        Self {
            name: outcome.name.clone(),
            expect: outcome.expect.clone(),
            value: reading.value.map(|value| round(value, decimals)),
            unit: outcome.unit,
            shown: reading.shown.clone(),
            state: reading.state,
            severity: match outcome.severity {
                Severity::Blocker => "blocker",
                Severity::Advisory => "advisory",
            },
            of: outcome.of.clone(),
            during: outcome.during.clone(),
            reason: (!reading.reason.is_empty()).then(|| reading.reason.clone()),
            samples: reading.samples,
        }
    }
}

impl Generator {
    fn of(history: &History, judgement: &GeneratorJudgement) -> Self {
        let peak = history.generator().peak;
        let share = |&(cause, share): &(Bottleneck, f64)| (cause, round(share, 6));
        Self {
            ok: judgement.ok,
            share: round(judgement.share, 6),
            causes: judgement.causes.iter().map(share).collect(),
            sentence: judgement.sentence.clone(),
            late_ms: Latencies::of(&history.generator().late()),
            lag_ms: ms(peak.lag_us as f64),
            cpu: round(peak.cpu, 3),
            worker_cpu: round(peak.worker_cpu, 3),
            recorder_share: round(history.generator().recorder_share(), 5),
            rss_bytes: peak.rss,
            files: peak.files,
            files_max: peak.files_max,
        }
    }
}

impl Told {
    fn of(history: &History, sample: &Sample) -> Self {
        Self {
            kind: sample.kind,
            step: step_name(history, sample.step),
            status: sample.status,
            detail: sample.detail.clone(),
        }
    }
}

impl Slow {
    fn of(history: &History, exemplar: &Exemplar) -> Self {
        let [wait, connect, tls, first_byte, body] = exemplar.split.map(|part| ms(part as f64));
        Self {
            step: step_name(history, exemplar.step),
            at_s: seconds(exemplar.at),
            response_ms: ms(exemplar.response as f64),
            status: exemplar.status,
            error: exemplar.error,
            trace: exemplar.trace.clone(),
            split_ms: Split {
                wait,
                connect,
                tls,
                first_byte,
                body,
            },
        }
    }
}

fn step_name(history: &History, step: usize) -> String {
    match history.names().steps.get(step) {
        Some(name) if name.journey == name.step => name.step.clone(),
        Some(name) => format!("{}/{}", name.journey, name.step),
        None => step.to_string(),
    }
}

pub(super) fn ms(micros: f64) -> f64 {
    round(micros / 1e3, 3)
}

pub(super) fn seconds(micros: u64) -> f64 {
    round(micros as f64 / 1e6, 3)
}

pub(super) fn round(value: f64, decimals: i32) -> f64 {
    let scale = 10f64.powi(decimals);
    (value * scale).round() / scale
}
