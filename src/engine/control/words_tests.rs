//! What a person types, and what it means.

use super::*;
use crate::engine::control::change::Users;
use crate::profile::units::{Factor, Rate};
use proptest::prelude::*;
use std::time::Duration;

fn wish(words: &str) -> Wish {
    Wish::parse(words).unwrap_or_else(|error| panic!("{words}: {error}"))
}

fn refusal(words: &str) -> String {
    Wish::parse(words).unwrap_err().to_string()
}

#[test]
fn words_are_wishes() {
    let rate = |scenario: &str, to| Wish::Rate {
        scenario: scenario.into(),
        to,
    };
    let table = [
        (
            "rate shoppers 300/s",
            rate("shoppers", Change::To(Rate(300.0))),
        ),
        (
            " RATE  big shop  +10% ",
            rate("big shop", Change::Percent(10.0)),
        ),
        (
            "rate \"big shop\" -50/s",
            rate("big shop", Change::Down(Rate(50.0))),
        ),
        (
            "users writers 500",
            Wish::Users {
                scenario: "writers".into(),
                to: Change::To(Users(500)),
            },
        ),
        (
            "load +0.5x",
            Wish::Load {
                to: Change::Up(Factor(0.5)),
            },
        ),
        ("spike", Wish::Spike { to: Switch::Toggle }),
        ("hold off", Wish::Hold { to: Switch::Off }),
        (
            "jump database slow",
            Wish::Jump {
                phase: "database slow".into(),
            },
        ),
        (
            "extend 1h 30m",
            Wish::Extend {
                length: Span(Duration::from_mins(90)),
            },
        ),
        (
            "fault slow database on",
            Wish::Fault {
                fault: "slow database".into(),
                to: Switch::On,
                force: false,
            },
        ),
        (
            "fault on",
            Wish::Fault {
                fault: "on".into(),
                to: Switch::Toggle,
                force: false,
            },
        ),
        (
            "sign-off no-go the spike  broke it",
            Wish::SignOff {
                decision: Decision::NoGo,
                text: "the spike  broke it".into(),
            },
        ),
        (
            "abort",
            Wish::Abort {
                text: String::new(),
            },
        ),
        (
            "mark größer: pool grew",
            Wish::Mark {
                text: "größer: pool grew".into(),
            },
        ),
    ];
    for (words, expected) in table {
        assert_eq!(wish(words), expected, "{words}");
    }
}

#[test]
fn what_is_no_wish_is_answered_with_how_to_write_it() {
    assert!(refusal("").starts_with("say what to do: start, stop,"));
    assert!(refusal("strat x").contains("did you mean `start`?"));
    assert_eq!(
        refusal("stop"),
        "write `stop SCENARIO`; `end` ends the window"
    );
    assert!(refusal("rate shoppers").contains("rate SCENARIO 300/s"));
    assert!(refusal("rate shoppers 300").contains("`300` is not a rate"));
    assert!(refusal("hold maybe").contains("hold [on|off]"));
    assert!(refusal("sign-off perhaps").contains("go|no-go"));
    assert!(refusal("next please").contains("write `next`"));
    assert!(refusal("mark").contains("mark TEXT"));
}

#[test]
fn the_last_word_is_completed() {
    let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect();
    let candidates = Candidates {
        scenarios: names(&["shoppers", "big shop", "writers"]),
        phases: names(&["steady", "database slow", "database down"]),
        faults: names(&["slow database"]),
        targets: names(&["shop"]),
        gates: names(&["pay stays fast"]),
    };
    let table: &[(&str, &[&str])] = &[
        ("sta", &["start", "status"]),
        ("rate ", &["shoppers", "big shop", "writers"]),
        ("rate big", &["big shop"]),
        ("rate big shop ", &[]),
        ("jump database s", &["database slow"]),
        ("gauges ", &["shop"]),
        ("fault S", &["slow database"]),
        ("fault slow database ", &["on", "off"]),
        ("fault slow database of", &["off"]),
        ("hold o", &["on", "off"]),
        ("sign-off n", &["no-go"]),
        ("sign-off go pay", &["pay stays fast"]),
        ("mark saw ", &[]),
        ("mark saw p", &["pay stays fast"]),
        ("nothing like it", &[]),
        ("größe ", &[]),
        ("rate größe", &[]),
    ];
    for (text, expected) in table {
        assert_eq!(complete(text, &candidates), *expected, "{text:?}");
    }
    assert_eq!(
        complete_line("jump database s", &candidates),
        ["jump database slow"]
    );
}

#[test]
fn every_verb_is_told_apart_as_the_wish_is() {
    for verb in VERBS {
        let example = match verb.takes {
            Takes::Nothing | Takes::Switch | Takes::PerhapsNote | Takes::PerhapsWords => {
                verb.name.to_owned()
            }
            Takes::Scenario
            | Takes::Phase
            | Takes::Note
            | Takes::Expression
            | Takes::Target
            | Takes::FaultAndSwitch => {
                format!("{} x", verb.name)
            }
            Takes::ScenarioAndAmount => format!("{} x +1%", verb.name),
            Takes::Factor => format!("{} 2x", verb.name),
            Takes::Time => format!("{} 1m", verb.name),
            Takes::DecisionAndNote => format!("{} go", verb.name),
        };
        let wish = wish(&example);
        assert_eq!(wish.is_dangerous(), verb.dangerous, "{}", verb.name);
        assert!(verb.usage.starts_with(verb.name));
        let said = serde_json::to_value(&wish).unwrap();
        assert_eq!(said["do"], verb.name.replace('-', "_"));
    }
}

proptest! {
    #[test]
    fn any_text_is_a_wish_or_an_error_and_can_be_completed(text in "(rate|fault|jump|mark|)[ \\PC]{0,16}") {
        let _ = Wish::parse(&text);
        let names = Candidates { scenarios: vec!["ß b".into()], faults: vec!["ab".into()], ..Candidates::default() };
        let _ = complete_line(&text, &names);
    }
}
