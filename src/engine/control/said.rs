//! What was done, in a sentence, for whoever asked for it.

use crate::engine::command::{Command, Switch};
use crate::engine::conductor::Action;
use crate::profile::Profile;
use crate::profile::model::Model;
use crate::profile::units::{Span, format_duration};
use crate::session::record::{EndReason, Happening, ScenarioState};

/// What the actions that carry out `command` come to.
pub fn sentence(command: &Command, actions: &[Action], profile: &Profile) -> String {
    let recorded = actions.iter().find_map(|action| match action {
        Action::Record { what, .. } => Some(what),
        Action::Curve { .. }
        | Action::Start { .. }
        | Action::Stop { .. }
        | Action::End
        | Action::Abort => None,
    });
    let Some(what) = recorded else {
        return "done".into();
    };
    let phase = |index: usize| profile.phases.get(index).map_or("", |phase| &phase.name);
    match what {
        Happening::Scenario { scenario, state } => {
            let name = name(profile, *scenario);
            match state {
                ScenarioState::Running => format!("{name} puts load"),
                ScenarioState::Draining | ScenarioState::Stopped | ScenarioState::Done => {
                    format!("{name} starts nothing new")
                }
            }
        }
        Happening::Load {
            scenario: Some(scenario),
            factor,
        } => {
            let name = name(profile, *scenario);
            let amount = amount(profile, *scenario, *factor);
            format!("{name}: {amount} until the next phase begins")
        }
        Happening::Load {
            scenario: None,
            factor,
        } if back_to_schedule(command, *factor, profile) => {
            format!("back to the schedule: {}x", tidy(*factor))
        }
        Happening::Load {
            scenario: None,
            factor,
        } => format!("load {}x until the next phase begins", tidy(*factor)),
        Happening::Hold { on: true } => "the phase is held".into(),
        Happening::Hold { on: false } => "the phase goes on".into(),
        Happening::Phase { phase: index } => format!("phase `{}` begins", phase(*index)),
        Happening::Extend {
            phase: index,
            by_us,
        } => {
            let by = format_duration(std::time::Duration::from_micros(*by_us));
            format!("phase `{}` lasts {by} longer", phase(*index))
        }
        Happening::Mark { .. } => "noted".into(),
        Happening::Gauge(gauge) => format!("`{}` is shown as a gauge", gauge.name),
        Happening::SignOff { decision, .. } => format!("signed off: {}", decision.name()),
        Happening::Stop {
            reason: EndReason::Aborted,
            ..
        } => "the window ends now".into(),
        Happening::Stop { .. } => format!(
            "the window ends once what is in flight has finished, at most {} from now",
            Span(profile.window.drain)
        ),
        Happening::Fault { .. }
        | Happening::Undo { .. }
        | Happening::Effect(_)
        | Happening::Output { .. }
        | Happening::Ledger(_)
        | Happening::Gate { .. }
        | Happening::Generator { .. }
        | Happening::Target { .. }
        | Happening::Alert(_)
        | Happening::Warning { .. }
        | Happening::Unknown => "done".into(),
    }
}

/// Whether the order was to end a spike.
fn back_to_schedule(command: &Command, factor: f64, profile: &Profile) -> bool {
    match command {
        Command::Spike { to: Switch::Off } => true,
        #[allow(clippy::float_cmp, reason = "it is the same number or another one")]
        Command::Spike { to: Switch::Toggle } => factor != profile.window.spike.0,
        Command::Spike { to: Switch::On }
        | Command::Start { .. }
        | Command::Stop { .. }
        | Command::Amount { .. }
        | Command::Load { .. }
        | Command::Hold { .. }
        | Command::Next
        | Command::Jump { .. }
        | Command::Extend { .. }
        | Command::Mark { .. }
        | Command::SignOff { .. }
        | Command::Abort { .. }
        | Command::End { .. } => false,
    }
}

fn name(profile: &Profile, scenario: usize) -> &str {
    profile
        .scenarios
        .get(scenario)
        .map_or("", |scenario| &scenario.name)
}

fn amount(profile: &Profile, scenario: usize, amount: f64) -> String {
    match profile.scenarios.get(scenario).map(|it| &it.model) {
        Some(Model::Closed { .. }) => format!("{} users", tidy(amount)),
        Some(Model::Open { .. }) | None => format!("{}/s", tidy(amount)),
    }
}

/// At most four decimal places, and none that say nothing.
fn tidy(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
