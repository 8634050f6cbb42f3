//! What the latency panels measure: which steps, which of the two times, over which stretch.

use super::Scene;
use crate::console::model::{Over, TimeKind};
use crate::console::widget::dense::Dense;
use crate::history::{History, Packed, Selection, Slot, StepBucket};
use crate::session::hist::Hist;
use crate::session::record::ModelName;

/// The steps, and which time.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The steps.
    pub selection: Selection,
    /// Their name: `all`, or that of a step.
    pub name: String,
    /// The step, when it is one.
    pub step: Option<usize>,
    /// Which time.
    pub time: TimeKind,
    models: Models,
}

/// Whose users wait for answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Models {
    Open,
    Closed,
    Both,
}

impl Measured {
    /// What the operator chose.
    pub fn of(scene: &Scene<'_>) -> Self {
        let names = scene.history.names();
        let step = scene.ui.step.filter(|&step| step < names.steps.len());
        let selection = step.map_or_else(Selection::all, |step| Selection::step(names, step));
        let name = step.map_or_else(
            || "all".to_owned(),
            |step| format!("{}/{}", names.steps[step].journey, names.steps[step].step),
        );
        Self {
            models: models(scene.history, &selection),
            selection,
            name,
            step,
            time: scene.ui.time,
        }
    }

    /// A panel's name, that of the steps and what more is to be said, as a title.
    pub fn title(&self, scene: &Scene<'_>, panel: &str, more: &[&str]) -> String {
        let parts = [panel, &self.name];
        let parts = parts.iter().chain(more).copied().chain(self.model_note());
        let dot = format!(" {} ", scene.theme.glyphs.dot);
        parts.collect::<Vec<_>>().join(&dot)
    }

    /// The time that is measured, of a step.
    pub fn times<'a>(&self, step: &'a StepBucket) -> &'a Packed {
        match self.time {
            TimeKind::Response => &step.response,
            TimeKind::Service => step.service(),
        }
    }

    /// The distribution between two ticks, both included.
    pub fn between(&self, history: &History, from: u64, to: u64) -> Hist {
        sum(history, &self.selection, from, to, |step| self.times(step))
    }

    /// Two words for a title, when users that wait for answers are among those measured.
    fn model_note(&self) -> Option<&'static str> {
        match self.models {
            Models::Open => None,
            Models::Closed => Some("closed model"),
            Models::Both => Some("partly closed model"),
        }
    }

    /// Why that matters, in a sentence.
    pub fn hint(&self) -> Option<String> {
        let who = self.model_note()?;
        Some(format!(
            "{who}: does not show what waiting users would feel"
        ))
    }
}

fn models(history: &History, selection: &Selection) -> Models {
    let plans = history.window().map_or(&[][..], |window| &window.scenarios);
    let has = |model| {
        let mut plans = plans.iter().enumerate();
        plans.any(|(index, plan)| plan.model == model && selection.has_scenario(index))
    };
    match (has(ModelName::Open), has(ModelName::Closed)) {
        (_, false) => Models::Open,
        (false, true) => Models::Closed,
        (true, true) => Models::Both,
    }
}

fn sum(
    history: &History,
    selection: &Selection,
    from: u64,
    to: u64,
    times: impl Fn(&StepBucket) -> &Packed,
) -> Hist {
    let mut sum = Dense::default();
    for slot in history.slots(from.max(1), to, 1) {
        let Slot::Seen(bucket) = slot else { continue };
        for step in bucket
            .steps
            .iter()
            .filter(|step| selection.has_step(step.step))
        {
            sum.add(times(step));
        }
    }
    sum.hist()
}

/// The distribution of what is measured over what the operator chose.
pub fn over(scene: &Scene<'_>, measured: &Measured) -> Hist {
    let (response, service) = both(scene, measured);
    match measured.time {
        TimeKind::Response => response,
        TimeKind::Service => service,
    }
}

/// Response and service times over what the operator chose.
pub fn both(scene: &Scene<'_>, measured: &Measured) -> (Hist, Hist) {
    let (history, selection) = (scene.history, &measured.selection);
    let phases = match scene.ui.over {
        Over::Ten => {
            let to = history.last().map_or(0, |last| last.tick);
            let ticks = (10_000_000 / history.tick_us()).max(1);
            let from = to.saturating_sub(ticks - 1).max(1);
            return (
                sum(history, selection, from, to, |step| &step.response),
                sum(history, selection, from, to, StepBucket::service),
            );
        }
        Over::Phase => history.last().and_then(|last| last.phase),
        Over::Window => None,
    };
    let phases: Vec<usize> = phases.into_iter().collect();
    let totals = history.totals_of(selection, &phases);
    (totals.response, totals.service)
}

/// What is covered, in a word or two.
pub fn short(over: Over) -> &'static str {
    match over {
        Over::Ten => "10 s",
        Over::Phase => "phase",
        Over::Window => "window",
    }
}
