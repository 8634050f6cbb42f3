//! Events in words, the same on every line that names one.

use ratatui::style::Style;

use crate::console::theme::Theme;
use crate::history::History;
use crate::session::record::{Event, FaultState, Happening, ModelName, ScenarioState};
use crate::verdict::{format, generator};

/// An event as it is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Its sign on the timeline; `None` for what is not marked there.
    pub glyph: Option<&'static str>,
    /// How much it matters.
    pub style: Style,
    /// In words: `gate failed  errors < 2% (3.1%)`.
    pub text: String,
    /// Of two signs in one place the higher is shown.
    pub rank: u8,
}

impl Told {
    fn quiet(theme: &Theme, text: String) -> Self {
        Self {
            glyph: None,
            style: theme.text,
            text,
            rank: 0,
        }
    }

    fn sign(glyph: &'static str, style: Style, rank: u8, text: String) -> Self {
        Self {
            glyph: Some(glyph),
            style,
            text,
            rank,
        }
    }
}

/// Tells an event; `None` for one of a kind that a later version added.
pub fn tell(history: &History, event: &Event, theme: &Theme) -> Option<Told> {
    let glyphs = &theme.glyphs;
    let quiet = |text: String| Told::quiet(theme, text);
    Some(match &event.what {
        Happening::Phase { phase } => quiet(phase_words(history, *phase)),
        Happening::Scenario { scenario, state } => {
            let word = scenario_word(*state);
            quiet(format!("{} {word}", scenario_name(history, *scenario)))
        }
        Happening::Load { scenario, factor } => {
            let text = load_words(history, *scenario, *factor);
            Told::sign(glyphs.mark, theme.warn, 1, text)
        }
        Happening::Extend { by_us, .. } => {
            let by = format::span(*by_us as f64 / 1e6);
            quiet(format!("phase longer by {by}"))
        }
        Happening::Hold { on: true } => quiet("phase held".into()),
        Happening::Hold { on: false } => quiet("phase released".into()),
        Happening::Gate { gate, holds, value } => gate_told(history, theme, *gate, *holds, value),
        Happening::Fault { fault, state, text } => {
            let plan = history
                .window()
                .and_then(|window| window.faults.get(*fault));
            let name = plan.map_or("?", |fault| fault.name.as_str());
            let (word, glyph, style, rank) = fault_word(*state, theme);
            let text = with_reason(format!("fault {word}  {name}"), text);
            Told {
                glyph,
                style,
                text,
                rank,
            }
        }
        Happening::Mark { text } => {
            Told::sign(glyphs.mark, theme.accent, 2, format!("mark  {text}"))
        }
        Happening::SignOff { decision, text } => {
            let text = with_reason(format!("signed {}", decision.name()), text);
            Told::sign(glyphs.yes, theme.accent, 2, text)
        }
        Happening::Generator { causes } if causes.is_empty() => {
            quiet("generator keeps up again".into())
        }
        Happening::Generator { causes } => {
            let causes = causes.iter().map(|&cause| generator::cause_words(cause));
            let causes = causes.collect::<Vec<_>>().join(", ");
            let text = format!("generator is the bottleneck: {causes}");
            Told::sign(glyphs.alert, theme.warn, 3, text)
        }
        Happening::Warning { text } => Told::sign(glyphs.alert, theme.warn, 1, text.clone()),
        Happening::Stop { text, .. } => quiet(format!("stop: {text}")),
        Happening::Unknown => return None,
    })
}

fn with_reason(text: String, why: &str) -> String {
    if why.is_empty() {
        text
    } else {
        format!("{text}: {why}")
    }
}

fn scenario_name(history: &History, scenario: usize) -> &str {
    let name = history.names().scenarios.get(scenario);
    name.map_or("?", String::as_str)
}

fn phase_words(history: &History, phase: usize) -> String {
    let name = history.names().phases.get(phase);
    let name = name.map_or("?", String::as_str);
    let plan = history.window().and_then(|window| window.phases.get(phase));
    let load = plan.map(|plan| format::factor(plan.load));
    match load.filter(|load| load != name) {
        Some(load) => format!("phase {name} {load}"),
        None => format!("phase {name}"),
    }
}

fn load_words(history: &History, scenario: Option<usize>, amount: f64) -> String {
    let Some(scenario) = scenario else {
        return format!("load set to {}", format::factor(amount));
    };
    let plans = history.window().map_or(&[][..], |window| &window.scenarios);
    let amount = match plans.get(scenario).map(|plan| plan.model) {
        Some(ModelName::Closed) => format!("{} users", format::count_short(amount)),
        Some(ModelName::Open) | None => format::rate_short(amount),
    };
    format!("{} set to {amount}", scenario_name(history, scenario))
}

fn gate_told(history: &History, theme: &Theme, gate: usize, holds: bool, value: &str) -> Told {
    let plan = history.window().and_then(|window| window.gates.get(gate));
    let name = plan.map_or("?", |gate| gate.name.as_str());
    if holds {
        Told {
            style: theme.good,
            ..Told::quiet(theme, format!("gate holds  {name} ({value})"))
        }
    } else {
        let text = format!("gate failed  {name} ({value})");
        Told::sign(theme.glyphs.no, theme.bad, 4, text)
    }
}

fn scenario_word(state: ScenarioState) -> &'static str {
    match state {
        ScenarioState::Stopped => "stopped",
        ScenarioState::Running => "started",
        ScenarioState::Draining => "drains",
        ScenarioState::Done => "is done",
    }
}

/// Word, sign, style and rank of a fault's new state.
fn fault_word(state: FaultState, theme: &Theme) -> (&'static str, Option<&'static str>, Style, u8) {
    let glyphs = &theme.glyphs;
    match state {
        FaultState::Armed => ("armed", None, theme.text, 0),
        FaultState::Injecting => ("goes on", None, theme.warn, 0),
        FaultState::Active => ("on", Some(glyphs.on), theme.bad, 3),
        FaultState::Reverting => ("goes off", None, theme.warn, 0),
        FaultState::Recovering => ("off", Some(glyphs.off), theme.warn, 2),
        FaultState::Recovered => ("recovered", Some(glyphs.yes), theme.good, 2),
        FaultState::Failed => ("failed", Some(glyphs.no), theme.bad, 5),
    }
}
