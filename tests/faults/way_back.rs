//! Whoever dies, and however: what was broken is brought back.

use std::fs;

use crate::place::{file, kill_with_watchdog, outstanding, place, states, wait_until, watchdog};
use crate::support::wait_for;
use crate::window::{Window, is_alive, said, signal};

/// A window with its one fault in place.
fn broken() -> Window {
    let window = Window::start_in(place(&["a"], "duration = \"60s\"", ""));
    window.ctl("fault a on");
    wait_for("it to be in place", || {
        let states = states(&window.records(), 0);
        states.contains(&"active".to_owned()).then_some(())
    });
    window
}

#[test]
fn a_window_that_ends_leaves_nothing_broken_however_it_is_ended() {
    for end in ["stop", "abort", "-TERM", "-INT", "-HUP"] {
        let window = broken();
        match end {
            "stop" => drop(window.stop()),
            "abort" => drop(window.ctl("abort")),
            name => window.signal(name),
        }
        wait_for("the engine to end", || (!window.is_alive()).then_some(()));
        assert!(!file(window.place.path(), "a").exists(), "{end}");
        assert!(outstanding(window.place.path()).is_empty(), "{end}");
        let records = window.records();
        let states = states(&records, 0);
        assert_eq!(
            states,
            ["injecting", "active", "reverting", "recovering"],
            "{end}"
        );
        assert_eq!(records.last().unwrap()["k"], "end", "{end}");
    }
}

#[test]
fn when_the_engine_is_killed_its_watchdog_brings_everything_back_and_leaves_word() {
    let window = broken();
    let dog = watchdog(window.place.path()).expect("a watchdog");
    window.signal("-KILL");
    wait_until(&window, "a", false);
    wait_for("the watchdog to leave", || (!is_alive(dog)).then_some(()));
    let recover = || said(&window.place.stormdeck().arg("recover").output().unwrap());
    let (out, _, code) = recover();
    assert!(out.contains("`a` was left behind, and is back"), "{out}");
    assert_eq!(code, 0);
    let (out, _, code) = recover();
    assert_eq!((out.trim(), code), ("nothing is outstanding", 0));
}

#[test]
fn when_the_watchdog_is_killed_too_recover_finds_what_is_left() {
    let window = broken();
    kill_with_watchdog(&window);
    assert!(file(window.place.path(), "a").exists());
    let (out, _, code) = said(&window.place.stormdeck().arg("recover").output().unwrap());
    assert!(out.contains("`a` was left behind, and is back"), "{out}");
    assert_eq!(code, 0);
    assert!(!file(window.place.path(), "a").exists());
}

#[test]
fn the_next_window_clears_what_is_left_before_it_begins_and_says_so() {
    let window = broken();
    kill_with_watchdog(&window);
    let mut next = window.place.run(&[
        "--headless",
        "--json",
        "--name",
        "next",
        "--time-scale",
        "0.01",
    ]);
    next.output().unwrap();
    assert!(!file(window.place.path(), "a").exists());
    let records = crate::support::records(&window.place.path().join("next.jsonl.zst"));
    let warnings = records[1]["warnings"].as_array().unwrap();
    let told = |it: &serde_json::Value| {
        it.as_str()
            .unwrap()
            .contains("`a` was left behind, and is back")
    };
    assert!(warnings.iter().any(told), "{warnings:?}");
}

#[test]
fn what_cannot_be_brought_back_keeps_the_next_window_from_beginning_until_it_is_forgotten() {
    let stuck = "[[fault]]\nname = \"stuck\"\ninject = [\"touch\", \"DIR/stuck.broken\"]\nrevert = [\"false\"]\n";
    let window = Window::start_in(place(&[], "duration = \"60s\"", stuck));
    window.ctl("fault stuck on");
    wait_until(&window, "stuck", true);
    kill_with_watchdog(&window);
    let run = |args: &[&str]| said(&window.place.stormdeck().args(args).output().unwrap());
    let (out, err, code) = run(&["recover", "--patience", "1s"]);
    assert!(out.contains("`stuck` is NOT back"), "{out}");
    assert!(err.contains("recover --forget"), "{err}");
    assert_eq!(code, 1);
    let next = window
        .place
        .run(&["--headless", "--time-scale", "0.01"])
        .output()
        .unwrap();
    let (_, err, code) = said(&next);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("may still be in place"), "{err}");
    let (out, _, code) = run(&["recover", "--forget"]);
    assert!(out.contains("forgotten, as asked for"), "{out}");
    assert_eq!(code, 0);
    assert!(!window.place.path().join("outstanding").join("x").exists());
    assert!(
        fs::read_dir(window.place.path().join("outstanding"))
            .unwrap()
            .next()
            .is_none()
    );
}

#[test]
fn an_engine_that_stands_still_loses_its_lease() {
    let window = broken();
    window.signal("-STOP");
    wait_until(&window, "a", false);
    window.signal("-CONT");
    // The next heartbeat finds nobody.
    window.let_pass(std::time::Duration::from_secs(2));
    let records = window.stop();
    let told = |it: &serde_json::Value| {
        it["what"] == "warning"
            && it["text"]
                .as_str()
                .unwrap()
                .contains("the watchdog is gone")
    };
    assert!(records.iter().any(told), "it is said");
    assert_eq!(states(&records, 0)[2..4], ["reverting", "recovering"]);
}

#[test]
fn a_watchdog_that_dies_is_noticed_and_nothing_stays_broken_without_one() {
    let window = broken();
    signal(watchdog(window.place.path()).expect("a watchdog"), "-KILL");
    wait_until(&window, "a", false);
    let records = window.stop();
    assert_eq!(states(&records, 0)[2..4], ["reverting", "recovering"]);
}

#[test]
fn a_watchdog_is_not_sent_away_by_signals_and_logs_beside_the_session() {
    let window = broken();
    let dog = watchdog(window.place.path()).expect("a watchdog");
    for name in ["-TERM", "-INT", "-HUP"] {
        signal(dog, name);
    }
    window.signal("-KILL");
    wait_until(&window, "a", false);
    wait_for("the watchdog to leave", || (!is_alive(dog)).then_some(()));
    let logs = fs::read_dir(window.place.path()).unwrap();
    let logs = logs.map(|entry| entry.unwrap().path());
    let logs = logs.filter(|path| path.extension().is_some_and(|it| it == "log"));
    let told: Vec<String> = logs.map(|log| fs::read_to_string(log).unwrap()).collect();
    assert_eq!(told.len(), 1, "one log");
    assert!(told[0].contains("the engine is gone"), "{told:?}");
    assert!(told[0].contains("brought back"), "{told:?}");
}

#[test]
fn a_revert_whose_taker_is_killed_comes_to_its_end_and_is_not_run_on_top_of_itself() {
    let slow = r#"
[[fault]]
name = "slow"
inject = ["touch", "DIR/slow.broken"]
revert = 'mkdir DIR/under-way || { touch DIR/overlap; exit 9; }; sleep 1; echo talks; rm -f DIR/slow.broken; rmdir DIR/under-way'
shell = true
"#;
    let window = Window::start_in(place(&[], "duration = \"60s\"", slow));
    let dir = window.place.path().to_owned();
    window.ctl("fault slow on");
    wait_until(&window, "slow", true);
    let dog = watchdog(&dir).expect("a watchdog");
    window.signal("-KILL");
    wait_for("the revert", || {
        dir.join("under-way").exists().then_some(())
    });
    signal(dog, "-KILL");
    wait_for("both to be gone", || {
        (!window.is_alive() && !is_alive(dog)).then_some(())
    });
    let (out, _, code) = said(&window.place.stormdeck().arg("recover").output().unwrap());
    assert_eq!(code, 0, "{out}");
    assert!(!file(&dir, "slow").exists());
    assert!(!dir.join("overlap").exists());
}
