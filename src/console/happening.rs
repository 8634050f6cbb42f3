//! What happened, in words, the same wherever it is told: on the screen, in `--plain` lines, in places to jump to.
//!
//! In: an event, and the names and the plan that its numbers refer to. Out: words without control characters; signs and
//! colours are a matter of [`super::panel`]. The invariant: a number without a name is told as a number, never left out.

use super::text::clean;
use crate::history::History;
use crate::session::record::{
    AlertState, Decision, Effect, Event, FaultState, GatePlan, Happening, Instance, Ledger,
    ModelName, Names, ScenarioState, Window,
};
use crate::verdict::format;
use crate::verdict::generator::cause_words;

/// An event in words.
#[derive(Debug, Clone, PartialEq)]
pub struct Words {
    /// Its kind in a word or two.
    pub word: &'static str,
    /// What it is about; may be empty.
    pub text: String,
    /// All of it in as few words as do beside a sign.
    pub short: String,
}

impl Words {
    /// Where the sign says enough of the kind.
    fn of_sign(word: &'static str, text: String) -> Self {
        Self {
            word,
            short: text.clone(),
            text,
        }
    }

    /// Where the word is needed.
    fn of_word(word: &'static str, text: String) -> Self {
        Self {
            word,
            short: because(word.to_owned(), &text),
            text,
        }
    }

    /// The same, done against a guard rail.
    fn insisted(mut self) -> Self {
        self.text.push_str(" (forced)");
        self
    }

    /// The kind, then what it is about: `gate failed  errors < 2% (3.1%)`.
    pub fn whole(&self) -> String {
        format!("{}  {}", self.word, self.text)
            .trim_end()
            .to_owned()
    }
}

/// An event on a line of its own: `gate failed  errors < 2% (3.1%)`.
pub fn in_words(history: &History, event: &Event) -> String {
    of_history(history, &event.what).whole()
}

/// What happened to the window of a history.
pub fn of_history(history: &History, what: &Happening) -> Words {
    tell(history.names(), history.window(), what)
}

/// What happened, by these names and this plan.
pub fn tell(names: &Names, window: Option<&Window>, what: &Happening) -> Words {
    match what {
        Happening::Phase { phase } => Words::of_sign("phase", phase_words(names, window, *phase)),
        Happening::Scenario { scenario, state } => {
            let text = name(&names.scenarios, *scenario);
            let word = match state {
                ScenarioState::Stopped => "stopped",
                ScenarioState::Running => "started",
                ScenarioState::Draining => "stopping",
                ScenarioState::Done => "done",
            };
            Words {
                word,
                short: format!("{text} {word}"),
                text,
            }
        }
        Happening::Load { scenario, factor } => {
            let text = load_words(names, window, *scenario, *factor);
            Words::of_sign("load", text)
        }
        Happening::Extend { by_us, .. } => {
            let by = format::span(*by_us as f64 / 1e6);
            Words {
                short: format!("extended by {by}"),
                ..Words::of_word("extended", format!("by {by}"))
            }
        }
        Happening::Hold { on: true } => Words::of_word("held", String::new()),
        Happening::Hold { on: false } => Words::of_word("goes on", String::new()),
        Happening::Gate { gate, holds, value } => {
            let plan = window.and_then(|window| window.gates.get(*gate));
            let text = plan.map_or_else(|| (gate + 1).to_string(), expects);
            let word = if *holds { "gate holds" } else { "gate failed" };
            Words::of_sign(word, format!("{text} ({})", clean(value)))
        }
        Happening::Fault {
            fault,
            state,
            text,
            forced,
            ..
        } => {
            let words = fault_words(window, *fault, *state, text);
            if *forced { words.insisted() } else { words }
        }
        Happening::Undo { fault, .. } => Words::of_sign("way back", fault_name(window, *fault)),
        Happening::Effect(effect) => Words::of_sign("effect", effect_words(window, effect)),
        Happening::Output { fault, text } => {
            let line = text.lines().last().unwrap_or_default();
            let text = format!("{}: {}", fault_name(window, *fault), clean(line));
            Words::of_sign("output", text)
        }
        Happening::Ledger(ledger) => Words::of_sign("ledger", ledger_words(ledger)),
        Happening::Mark { text } => Words::of_sign("mark", clean(text).into_owned()),
        Happening::SignOff { decision, text } => {
            let word = match decision {
                Decision::Go => "signed go",
                Decision::NoGo => "signed no-go",
            };
            Words::of_word(word, clean(text).into_owned())
        }
        Happening::Generator { causes } => {
            let causes: Vec<&str> = causes.iter().map(|&cause| cause_words(cause)).collect();
            let text = match causes.as_slice() {
                [] => "keeps up again".to_owned(),
                causes => causes.join(", "),
            };
            Words::of_word("generator", text)
        }
        Happening::Target { instance, up, text } => {
            let of = names.instances.get(*instance);
            let who = of.map_or_else(|| (instance + 1).to_string(), target_words);
            match (*up, text.is_empty()) {
                (true, true) => Words::of_sign("target up", who),
                (true, false) => Words::of_sign("target", format!("{who} ({})", clean(text))),
                (false, true) => Words::of_sign("target down", who),
                (false, false) => Words::of_sign("target down", format!("{who} ({})", clean(text))),
            }
        }
        Happening::Alert(alert) => {
            let text = clean(&format!("{}{}", alert.name, alert.labels)).into_owned();
            Words {
                short: clean(&alert.name).into_owned(),
                ..Words::of_word(alert_word(alert.state), text)
            }
        }
        Happening::Gauge(gauge) => Words::of_word("gauge", clean(&gauge.name).into_owned()),
        Happening::Warning { text } => Words::of_sign("warning", clean(text).into_owned()),
        Happening::Stop { text, .. } => Words::of_word("end", clean(text).into_owned()),
        Happening::Unknown => Words::of_sign("unknown", "of a later version".to_owned()),
    }
}

/// An endpoint by its target, and its own address where the target has several.
fn target_words(instance: &Instance) -> String {
    clean(&format!("{} {}", instance.target, instance.instance)).into_owned()
}

fn alert_word(state: AlertState) -> &'static str {
    match state {
        AlertState::Pending => "alert pending",
        AlertState::Firing => "alert firing",
        AlertState::Silenced => "alert silenced",
        AlertState::Resolved => "alert resolved",
    }
}

/// Name and load, once where they are the same.
fn phase_words(names: &Names, window: Option<&Window>, phase: usize) -> String {
    let name = name(&names.phases, phase);
    let plan = window.and_then(|window| window.phases.get(phase));
    let load = plan.map(|plan| format::factor(plan.load));
    match load.filter(|load| *load != name) {
        Some(load) => format!("{name} {load}"),
        None => name,
    }
}

fn load_words(
    names: &Names,
    window: Option<&Window>,
    scenario: Option<usize>,
    amount: f64,
) -> String {
    let Some(scenario) = scenario else {
        return format!("{} for all", format::factor(amount));
    };
    let plan = window.and_then(|window| window.scenarios.get(scenario));
    let amount = match plan.map(|plan| plan.model) {
        Some(ModelName::Open) => format::rate_short(amount),
        Some(ModelName::Closed) => format!("{} users", format::count_short(amount)),
        None => format::count_short(amount),
    };
    format!("{} at {amount}", name(&names.scenarios, scenario))
}

fn fault_words(window: Option<&Window>, fault: usize, state: FaultState, why: &str) -> Words {
    let name = fault_name(window, fault);
    let word = match state {
        FaultState::Armed => "fault armed",
        FaultState::Injecting => "fault goes in",
        FaultState::Active => "fault on",
        FaultState::Reverting => "fault goes out",
        FaultState::Recovering => "fault off",
        FaultState::Recovered => "recovered",
        FaultState::Failed => "fault failed",
    };
    Words {
        word,
        short: because(format!("{name} {}", state.name()), why),
        text: because(name, why),
    }
}

fn fault_name(window: Option<&Window>, fault: usize) -> String {
    let plan = window.and_then(|window| window.faults.get(fault));
    plan.map_or_else(
        || (fault + 1).to_string(),
        |plan| clean(&plan.name).into_owned(),
    )
}

fn effect_words(window: Option<&Window>, effect: &Effect) -> String {
    let name = fault_name(window, effect.fault);
    let touched = format!("{} of {} touched", effect.affected, effect.seen);
    match (effect.seen, effect.text.is_empty()) {
        (0, true) => format!("{name}: none seen"),
        (0, false) => format!("{name}: {}", clean(&effect.text)),
        (_, true) => format!("{name}: {touched}"),
        (_, false) => format!("{name}: {touched}, {}", clean(&effect.text)),
    }
}

fn ledger_words(ledger: &Ledger) -> String {
    let looked_at = ledger
        .looked_at
        .filter(|&looked_at| looked_at < ledger.acknowledged)
        .map_or_else(String::new, |looked_at| format!(", {looked_at} looked at"));
    format!(
        "{}: {} acknowledged{looked_at}, {} lost, {} twice",
        clean(&ledger.name),
        ledger.acknowledged,
        ledger.lost,
        ledger.duplicated
    )
}

fn because(text: String, why: &str) -> String {
    if why.is_empty() {
        text
    } else {
        format!("{text}: {}", clean(why))
    }
}

/// What a gate expects, of what.
fn expects(plan: &GatePlan) -> String {
    let text = match plan.of.as_str() {
        "" => plan.expect.clone(),
        of => format!("{of} {}", plan.expect),
    };
    clean(&text).into_owned()
}

fn name(names: &[String], index: usize) -> String {
    let name = names.get(index).map(|name| clean(name).into_owned());
    name.unwrap_or_else(|| (index + 1).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::testing;

    fn words(what: &Happening) -> Words {
        of_history(&testing::history(1), what)
    }

    #[test]
    fn a_short_form_needs_only_a_sign_beside_it() {
        let gate = words(&Happening::Gate {
            gate: 0,
            holds: false,
            value: "410ms".into(),
        });
        assert_eq!(gate.whole(), "gate failed  pay p99 < 150ms (410ms)");
        assert_eq!(gate.short, "pay p99 < 150ms (410ms)");
        let signed = words(&Happening::SignOff {
            decision: Decision::NoGo,
            text: "too slow".into(),
        });
        assert_eq!(signed.short, "signed no-go: too slow");
        assert_eq!(words(&Happening::Phase { phase: 0 }).short, "steady 1x");
        assert_eq!(words(&Happening::Phase { phase: 1 }).short, "2x");
        assert_eq!(words(&Happening::Hold { on: true }).whole(), "held");
    }

    #[test]
    fn a_number_without_a_name_is_told_as_a_number() {
        let fault = words(&Happening::Fault {
            fault: 6,
            state: FaultState::Failed,
            text: "no\u{1b}pe".into(),
            forced: false,
            in_place: false,
            proven: false,
            until: None,
        });
        assert_eq!(fault.whole(), "fault failed  7: no pe");
        assert_eq!(fault.short, "7 failed: no pe");
    }
}
