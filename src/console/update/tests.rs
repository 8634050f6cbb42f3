use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::update;
use crate::console::event::{Command, Event, Form, Speed};
use crate::console::model::{
    Kind, Model, Overlay, Overview, Place, PlaceKind, Side, Span, TimeKind, View,
};
use crate::console::testing;
use crate::engine::command::Switch;
use crate::engine::control::Wish;
use crate::session::record::{End, EndReason, Record};

/// Presses keys as they are written in the help; what the last one asked for.
fn press(model: &mut Model, keys: &[&str]) -> Vec<Command> {
    let mut commands = Vec::new();
    for key in keys {
        commands = update(model, Event::Key(key_of(key)));
    }
    commands
}

fn key_of(name: &str) -> KeyEvent {
    let plain = |code| KeyEvent::new(code, KeyModifiers::NONE);
    match name {
        "esc" => plain(KeyCode::Esc),
        "enter" => plain(KeyCode::Enter),
        "tab" => plain(KeyCode::Tab),
        "backtab" => KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT),
        "end" => plain(KeyCode::End),
        "left" => plain(KeyCode::Left),
        "right" => plain(KeyCode::Right),
        "ctrl-c" => KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL),
        "space" => plain(KeyCode::Char(' ')),
        _ => {
            let character = name.chars().next().unwrap();
            let shift = if character.is_uppercase() {
                KeyModifiers::SHIFT
            } else {
                KeyModifiers::NONE
            };
            KeyEvent::new(KeyCode::Char(character), shift)
        }
    }
}

/// Types a line and ends it.
fn type_line(model: &mut Model, line: &str) -> Vec<Command> {
    for character in line.chars() {
        let key = KeyEvent::new(KeyCode::Char(character), KeyModifiers::NONE);
        update(model, Event::Key(key));
    }
    press(model, &["enter"])
}

fn words(line: &str) -> Vec<Command> {
    vec![Command::Wish(Wish::parse(line).unwrap())]
}

/// A recording of ten minutes that stands at second 200.
fn replay() -> Model {
    let mut model = testing::model(1);
    let deck = &mut model.decks[0];
    deck.kind = Kind::Replay;
    deck.live = crate::history::History::new();
    deck.past = Some(testing::history(200));
    let place = |tick, kind| Place {
        tick,
        kind,
        text: format!("{kind:?} at {tick}"),
    };
    deck.overview = Overview {
        from: 1,
        to: 600,
        cells: Vec::new(),
        places: vec![
            place(1, PlaceKind::Phase),
            place(120, PlaceKind::Mark),
            place(301, PlaceKind::Phase),
            place(402, PlaceKind::Breach),
        ],
    };
    model
}

#[test]
fn keys_become_wishes() {
    let cases: &[(&[&str], &str)] = &[
        (&["+"], "load +0.1x"),
        (&["-"], "load -0.1x"),
        (&["p"], "hold"),
        (&["e"], "extend 1m"),
        (&["!"], "clear-all"),
        (&["s", "s"], "stop shoppers"),
        (&["s", "w"], "stop writers"),
        (&["x", "y"], "spike on"),
        (&["n", "y"], "next"),
        (&["J", "4", "y"], "jump 4"),
        (&["q", "s"], "end"),
    ];
    for (keys, wish) in cases {
        let mut model = testing::model(20);
        assert_eq!(press(&mut model, keys), words(wish), "{keys:?}");
        assert!(matches!(model.ui.overlay, Overlay::None), "{keys:?}");
    }
}

#[test]
fn what_is_dangerous_is_asked_about_once_and_dropped_by_any_way_out() {
    for keys in [
        ["x", "n"],
        ["x", "esc"],
        ["x", "ctrl-c"],
        ["n", "n"],
        ["q", "n"],
    ] {
        let mut model = testing::model(20);
        assert_eq!(press(&mut model, &keys[..1]), []);
        assert!(matches!(model.ui.overlay, Overlay::Confirm { .. }));
        assert_eq!(press(&mut model, &keys[1..]), []);
        assert!(matches!(model.ui.overlay, Overlay::None), "{keys:?}");
    }
    // A key that is no answer changes nothing.
    let mut model = testing::model(20);
    assert_eq!(press(&mut model, &["x", "k"]), []);
    assert!(matches!(model.ui.overlay, Overlay::Confirm { .. }));
}

#[test]
fn a_spike_that_is_on_goes_off_without_a_question() {
    let mut model = testing::model(20);
    let event = crate::session::record::Event {
        at: 20_000_000,
        wall: 0,
        by: None,
        what: crate::session::record::Happening::Load {
            scenario: None,
            factor: 10.0,
        },
    };
    model.decks[0].live.apply(&Record::Event(event));
    let off = vec![Command::Wish(Wish::Spike { to: Switch::Off })];
    assert_eq!(press(&mut model, &["x"]), off);
}

#[test]
fn nothing_is_asked_of_a_recording_an_ended_window_or_by_a_console_that_looks_on() {
    let mut read_only = testing::model(20);
    read_only.ui.read_only = true;
    let mut ended = testing::model(20);
    ended.decks[0].live.apply(&Record::End(End {
        at: 20_000_000,
        wall: 0,
        reason: EndReason::Finished,
        lost: 0,
    }));
    for mut model in [read_only, ended, replay()] {
        for key in ["s", "f", "x", "+", "-", "p", "n", "J", "e", "m", "!"] {
            assert_eq!(press(&mut model, &[key]), [], "{key}");
            assert!(model.ui.said.as_ref().unwrap().bad, "{key}");
            assert!(matches!(model.ui.overlay, Overlay::None), "{key}");
        }
        assert_eq!(press(&mut model, &["q"]), [Command::Quit]);
    }
}

#[test]
fn leaving_asks_what_becomes_of_the_window() {
    let mut model = testing::model(20);
    assert_eq!(press(&mut model, &["q", "l"]), [Command::Quit]);
    press(&mut model, &["ctrl-c", "s"]);
    assert!(model.ui.leave_at_end);
    let end = Record::End(End {
        at: 21_000_000,
        wall: 0,
        reason: EndReason::Stopped,
        lost: 0,
    });
    let ended = Event::Records {
        deck: 0,
        side: Side::Live,
        records: vec![end],
    };
    assert_eq!(update(&mut model, ended), [Command::Quit]);
}

#[test]
fn a_frozen_picture_stands_while_the_window_goes_on() {
    let mut model = testing::model(20);
    press(&mut model, &["space"]);
    let records = testing::records(25);
    let later = Event::Records {
        deck: 0,
        side: Side::Live,
        records: records[records.len() - 5..].to_vec(),
    };
    update(&mut model, later);
    assert_eq!(model.decks[0].tick(), 20);
    assert_eq!(model.decks[0].live.last().unwrap().tick, 25);
    assert_eq!(press(&mut model, &["space"]), [Command::Pause]);
    assert_eq!(model.decks[0].tick(), 25);
}

#[test]
fn a_running_window_is_rewound_ten_seconds_a_time_and_comes_back() {
    let mut model = testing::model(60);
    assert_eq!(press(&mut model, &["<"]), [Command::Seek { tick: 50 }]);
    let sought = Event::Sought {
        deck: 0,
        side: Side::Past,
        history: Box::new(testing::history(50)),
    };
    update(&mut model, sought);
    assert_eq!(model.decks[0].tick(), 50);
    assert_eq!(press(&mut model, &["<"]), [Command::Seek { tick: 40 }]);
    let speed = Speed::Times(1.0);
    assert_eq!(press(&mut model, &["space"]), [Command::Play { speed }]);
    update(&mut model, Event::PlayedOut { deck: 0 });
    assert_eq!((model.decks[0].tick(), model.ui.playing), (60, None));
    press(&mut model, &["space", "end"]);
    assert_eq!(model.decks[0].past, None);
}

#[test]
fn a_recording_is_played_at_any_speed_and_sought() {
    let seek = |tick| vec![Command::Seek { tick }];
    let cases: &[(&[&str], Vec<Command>)] = &[
        (&["."], vec![Command::Play { speed: Speed::Step }]),
        (&[","], seek(199)),
        (
            &["*"],
            vec![Command::Play {
                speed: Speed::Unbounded,
            }],
        ),
        (&["]"], seek(301)),
        (&["["], seek(120)),
        (&["("], seek(1)),
        (&[")"], seek(301)),
        (&["}"], seek(402)),
        (&["end"], vec![Command::Pause, Command::Seek { tick: 600 }]),
    ];
    for (keys, commands) in cases {
        assert_eq!(press(&mut replay(), keys), *commands, "{keys:?}");
    }
    let mut model = replay();
    press(&mut model, &["space", ">", ">", ">"]);
    assert_eq!(model.ui.playing, Some(Speed::Times(10.0)));
    assert_eq!(press(&mut model, &["space"]), [Command::Pause]);
    press(&mut model, &["<", "<"]);
    assert_eq!((model.ui.speed, model.ui.playing), (2.0, None));
    press(&mut model, &["}"]);
    assert_eq!(press(&mut model, &["'"]), []);
    assert!(model.ui.said.unwrap().bad);
}

#[test]
fn a_place_is_a_time_a_way_from_here_or_a_share() {
    for (words, tick) in [
        ("3:20", 200),
        ("0:01:30", 90),
        ("90s", 90),
        ("+30s", 230),
        ("-1m", 140),
        ("50%", 301),
        ("100%", 600),
        ("9:00:00", 600),
    ] {
        let mut model = replay();
        press(&mut model, &["@"]);
        assert_eq!(
            type_line(&mut model, words),
            [Command::Seek { tick }],
            "{words}"
        );
    }
    for words in ["soon", "140%", "1:x", "-", "%"] {
        let mut model = replay();
        press(&mut model, &["@"]);
        assert_eq!(type_line(&mut model, words), [], "{words}");
        assert!(model.ui.said.unwrap().bad, "{words}");
    }
}

#[test]
fn the_palette_knows_actions_and_the_words_of_ctl_and_completes_them() {
    let mut model = testing::model(20);
    press(&mut model, &[":"]);
    assert_eq!(
        type_line(&mut model, "rate shoppers 300/s"),
        words("rate shoppers 300/s")
    );
    press(&mut model, &[":"]);
    type_line(&mut model, "latency");
    assert_eq!(model.ui.view, View::Latency);
    press(&mut model, &[":"]);
    type_line(&mut model, "zoom 1h");
    assert_eq!(model.ui.span, Span::Hour);
    press(&mut model, &[":"]);
    let form = Form::Svg;
    let path = Some("/tmp/a b.svg".into());
    assert_eq!(
        type_line(&mut model, "save svg /tmp/a b.svg"),
        [Command::Save { form, path }]
    );
    press(&mut model, &[":"]);
    assert_eq!(type_line(&mut model, "make coffee"), []);
    assert!(model.ui.said.as_ref().unwrap().bad);

    press(&mut model, &[":", "s", "t", "o", "p", "space", "w"]);
    let Overlay::Palette { completions, .. } = &model.ui.overlay else {
        panic!("the palette is closed");
    };
    assert_eq!(*completions, ["stop writers"]);
    press(&mut model, &["tab"]);
    assert_eq!(press(&mut model, &["enter"]), words("stop writers"));
}

#[test]
fn a_filter_applies_while_it_is_typed_and_escape_takes_it_away() {
    let mut model = testing::model(20);
    press(&mut model, &["/", "p", "a"]);
    assert_eq!(model.ui.filter, "pa");
    press(&mut model, &["enter"]);
    assert_eq!(model.ui.filter, "pa");
    press(&mut model, &["esc"]);
    assert_eq!(model.ui.filter, "");
}

#[test]
fn locked_keys_do_nothing_until_the_same_key_unlocks() {
    let mut model = testing::model(20);
    press(&mut model, &["L"]);
    for key in ["q", "ctrl-c", "x", "space", "tab", ":"] {
        assert_eq!(press(&mut model, &[key]), []);
        assert!(matches!(model.ui.overlay, Overlay::None));
    }
    press(&mut model, &["L", "tab"]);
    assert_eq!(model.ui.view, View::Latency);
}

#[test]
fn views_times_and_moments_are_chosen_by_keys() {
    let mut model = testing::model(400);
    press(&mut model, &["t"]);
    assert_eq!(model.ui.time, TimeKind::Service);
    press(&mut model, &["backtab"]);
    assert_eq!(model.ui.view, View::Events);
    press(&mut model, &["1", "left", "left"]);
    let cursor = model.ui.cursor.unwrap();
    assert!(cursor < 400);
    let copied = press(&mut model, &["y"]);
    let [Command::Copy(text)] = &copied[..] else {
        panic!("{copied:?}");
    };
    assert!(text.starts_with("time\t06:"), "{text}");
    assert!(text.contains("buy/pay\t"), "{text}");
    press(&mut model, &["right", "right"]);
    assert_eq!(model.ui.cursor, None);
    for _ in 0..7 {
        press(&mut model, &["v"]);
    }
    assert_eq!(model.ui.step, None);
}

#[test]
fn every_action_has_a_name_of_its_own_and_a_key() {
    let mut names: Vec<_> = crate::console::keymap::ACTIONS
        .iter()
        .map(|action| action.name)
        .collect();
    let model = testing::model(1);
    for name in &names {
        assert!(!model.keymap.keys(name).is_empty(), "{name}");
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), crate::console::keymap::ACTIONS.len());
}

#[test]
fn a_recorded_series_is_found_by_a_few_letters_pinned_here_and_unpinned() {
    for mut model in [testing::model(20), replay()] {
        press(&mut model, &["P"]);
        type_line(&mut model, "mem 8080");
        let pinned = r#"process_resident_memory_bytes{instance="127.0.0.1:8080",job="shop"}"#;
        assert_eq!(model.ui.pinned, [pinned]);
        assert!(matches!(model.ui.overlay, Overlay::None));
        // What is pinned comes first.
        press(&mut model, &["P", "enter"]);
        assert!(model.ui.pinned.is_empty());
    }
}

#[test]
fn the_engine_is_asked_for_series_as_one_types_and_what_is_not_recorded_is_pinned_for_everybody() {
    let mut model = testing::model(20);
    assert_eq!(press(&mut model, &["P"]), [Command::Find(String::new())]);
    assert_eq!(press(&mut model, &["q", "z"]), [Command::Find("qz".into())]);
    let series = |text: &str, found: &[&str]| Event::Series {
        text: text.into(),
        found: found.iter().map(|&name| name.into()).collect(),
    };
    update(&mut model, series("q", &["too_late"]));
    update(&mut model, series("qz", &["qz_total{a=\"1\"}", "qz_bytes"]));
    let Overlay::Pick { found, .. } = &model.ui.overlay else {
        panic!("the search is closed");
    };
    assert_eq!(*found, ["qz_total{a=\"1\"}", "qz_bytes"]);
    let expr = "rate(qz_total{a=\"1\"}[1m])".to_owned();
    assert_eq!(
        press(&mut model, &["enter"]),
        [Command::Wish(Wish::Pin { expr })]
    );
    assert!(model.ui.pinned.is_empty());
    // A recording has nobody to ask.
    assert_eq!(press(&mut replay(), &["P", "q"]), []);
}

#[test]
fn enter_closes_the_series_of_the_selected_gauge_and_opens_them_again() {
    let mut model = testing::model(680);
    model.ui.size = (120, 36);
    press(&mut model, &["3", "enter"]);
    assert!(model.ui.opened.is_empty());
    for _ in 0..4 {
        press(&mut model, &["j"]);
    }
    press(&mut model, &["enter"]);
    assert_eq!(model.ui.opened.get("worker cpu"), Some(&false));
    press(&mut model, &["enter"]);
    assert_eq!(model.ui.opened.get("worker cpu"), Some(&true));
    press(&mut model, &["1", "enter"]);
    assert_eq!(model.ui.opened.get("worker cpu"), Some(&true));
}
