//! From a name in a profile to the steps and scenarios that it means.

use crate::profile::model::Scope;
use crate::session::record::Names;

/// The steps and scenarios that a [`Scope`] names, by index.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// Ascending; `None` for every step.
    steps: Option<Vec<usize>>,
    /// Ascending; `None` for every scenario.
    scenarios: Option<Vec<usize>>,
}

impl Selection {
    /// No step and no scenario: what is asked of it is about ticks only, and costs next to nothing.
    pub fn nothing() -> Self {
        Self {
            steps: Some(Vec::new()),
            scenarios: Some(Vec::new()),
        }
    }

    /// Everything.
    pub fn all() -> Self {
        Self::default()
    }

    /// One step, and the scenario that it belongs to.
    pub fn step(names: &Names, step: usize) -> Self {
        Self::of_steps(names, [step])
    }

    /// One scenario, with all its steps.
    pub fn scenario(names: &Names, scenario: usize) -> Self {
        let steps = (0..names.steps.len()).filter(|&step| names.steps[step].scenario == scenario);
        Self {
            steps: Some(steps.collect()),
            scenarios: Some(vec![scenario]),
        }
    }

    fn of_steps(names: &Names, steps: impl IntoIterator<Item = usize>) -> Self {
        let steps: Vec<usize> = steps.into_iter().collect();
        let mut scenarios: Vec<usize> = steps
            .iter()
            .filter_map(|&step| names.steps.get(step))
            .map(|name| name.scenario)
            .collect();
        scenarios.sort_unstable();
        scenarios.dedup();
        Self {
            steps: Some(steps),
            scenarios: Some(scenarios),
        }
    }

    /// Whether it has this step.
    pub fn has_step(&self, step: usize) -> bool {
        self.steps
            .as_ref()
            .is_none_or(|steps| steps.binary_search(&step).is_ok())
    }

    /// Whether it has this scenario, wholly or in part.
    pub fn has_scenario(&self, scenario: usize) -> bool {
        self.scenarios
            .as_ref()
            .is_none_or(|scenarios| scenarios.binary_search(&scenario).is_ok())
    }
}

/// What `scope` names; `None` when nothing has that name. A journey's or step's selection has the scenarios that it
/// is part of, whole, since arrivals are counted by scenario.
pub fn select(names: &Names, scope: &Scope) -> Option<Selection> {
    match scope {
        Scope::All => Some(Selection::all()),
        Scope::Scenario(name) => {
            let scenario = names.scenarios.iter().position(|known| known == name)?;
            Some(Selection::scenario(names, scenario))
        }
        Scope::Journey(name) => steps_where(names, |journey, _| journey == name),
        Scope::Step { journey, step } => steps_where(names, |of, name| {
            name == step && journey.as_ref().is_none_or(|journey| journey == of)
        }),
    }
}

/// The scope that a recorded name means: empty for everything, else the first that fits of a scenario, a journey, a
/// step, `journey/step`. `None` when nothing has that name.
pub fn scope_of(names: &Names, text: &str) -> Option<Scope> {
    let text = text.trim();
    if text.is_empty() {
        return Some(Scope::All);
    }
    let pair = text.split_once('/').map(|(journey, step)| Scope::Step {
        journey: Some(journey.trim().to_owned()),
        step: step.trim().to_owned(),
    });
    [
        Scope::Scenario(text.to_owned()),
        Scope::Journey(text.to_owned()),
        Scope::Step {
            journey: None,
            step: text.to_owned(),
        },
    ]
    .into_iter()
    .chain(pair)
    .find(|scope| select(names, scope).is_some())
}

fn steps_where(names: &Names, fits: impl Fn(&str, &str) -> bool) -> Option<Selection> {
    let steps: Vec<usize> = (0..names.steps.len())
        .filter(|&step| fits(&names.steps[step].journey, &names.steps[step].step))
        .collect();
    (!steps.is_empty()).then(|| Selection::of_steps(names, steps))
}
