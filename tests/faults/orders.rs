//! What people and the schedule order, and what is refused.

use std::time::Duration;

use serde_json::Value;

use crate::place::{outstanding, place, states, wait_until, watchdog};
use crate::support::wait_for;
use crate::window::{Place, Window, events, ticks};

fn window() -> Window {
    Window::start_in(place(&["a", "b"], "duration = \"60s\"", ""))
}

fn index(records: &[Value], fits: impl Fn(&Value) -> bool) -> usize {
    records.iter().position(fits).expect("the record is there")
}

#[test]
fn a_fault_goes_in_and_out_by_order_and_the_recording_says_who_and_how() {
    let window = window();
    let (out, _, code) = window.ctl("fault a on");
    assert_eq!((out.trim(), code), ("`a` goes in", 0));
    wait_until(&window, "a", true);
    assert_eq!(outstanding(window.place.path()).len(), 1);
    let (out, _, code) = window.ctl("fault a off");
    assert_eq!((out.trim(), code), ("`a` goes out", 0));
    wait_until(&window, "a", false);
    wait_for("the journal to be empty", || {
        outstanding(window.place.path()).is_empty().then_some(())
    });
    wait_for("the watchdog to leave", || {
        watchdog(window.place.path()).is_none().then_some(())
    });
    let records = window.stop();
    let states = states(&records, 0);
    assert_eq!(
        states[..4],
        ["injecting", "active", "reverting", "recovering"]
    );
    let injecting = events(&records, "fault")[0].clone();
    assert!(injecting["by"].as_str().unwrap().starts_with("ops@"));
    let undo = index(&records, |it| it["what"] == "undo");
    let active = index(&records, |it| it["state"] == "active");
    assert!(undo < active, "the way back is recorded before it goes in");
    assert!(records[undo]["way"].as_str().unwrap().contains("rm"));
    let effect = index(&records, |it| it["what"] == "effect");
    assert_eq!(records[effect]["text"], "its check fails");
}

#[test]
fn one_at_a_time_unless_a_person_insists() {
    let window = window();
    window.ctl("fault a on");
    wait_until(&window, "a", true);
    let (_, err, code) = window.ctl("fault b on");
    assert_eq!(code, 1);
    assert!(
        err.contains("`a` is on, and `max_faults` is 1; `fault b force` insists"),
        "{err}"
    );
    let (_, err, code) = window.ctl("fault b force");
    assert_eq!(code, 0, "{err}");
    wait_until(&window, "b", true);
    let (out, ..) = window.ctl("clear-all");
    assert_eq!(out.trim(), "2 faults go out");
    wait_until(&window, "a", false);
    wait_until(&window, "b", false);
    let records = window.stop();
    let forced = |event: &&Value| event["forced"] == true;
    assert_eq!(
        events(&records, "fault")
            .into_iter()
            .filter(|it| forced(it))
            .count(),
        1
    );
}

#[test]
fn the_schedule_breaks_and_mends() {
    let phases = r#"
[[phase]]
name = "calm"
for = "1s"
[[phase]]
name = "rough"
for = "3s"
faults = [{ name = "a", after = "500ms", for = "1s" }]
"#;
    let place = place(&["a"], "", phases);
    let output = place.run(&["--headless", "--json"]).output().unwrap();
    assert!(output.status.code().is_some());
    let records = crate::support::records(&crate::support::only_session(place.path()));
    assert_eq!(
        states(&records, 0)[..4],
        ["injecting", "active", "reverting", "recovering"]
    );
    let at = |state: &str| {
        let event = events(&records, "fault")
            .into_iter()
            .find(|it| it["state"] == state);
        event.unwrap()["at"].as_u64().unwrap() as f64 / 1e6
    };
    assert!(
        (1.45..2.4).contains(&at("injecting")),
        "{}",
        at("injecting")
    );
    let stayed = at("reverting") - at("injecting");
    assert!((0.95..1.9).contains(&stayed), "{stayed}");
    assert!(outstanding(place.path()).is_empty());
}

#[test]
fn a_fault_goes_out_by_itself_when_its_max_is_over() {
    let max = "[[fault]]\nname = \"short\"\nmax = \"1s\"\ninject = [\"touch\", \"DIR/short.broken\"]\n\
               revert = [\"rm\", \"-f\", \"DIR/short.broken\"]\n";
    let window = Window::start_in(place(&[], "duration = \"60s\"", max));
    window.ctl("fault short on");
    wait_until(&window, "short", true);
    wait_until(&window, "short", false);
    let records = window.stop();
    let event = events(&records, "fault")
        .into_iter()
        .find(|it| it["state"] == "reverting");
    assert_eq!(event.unwrap()["text"], "its `max` is over");
}

/// A fault whose way in hangs for a minute, and whose way back fails twice.
fn stubborn() -> Place {
    place(
        &[],
        "duration = \"60s\"\nmax_faults = 2",
        r#"
[[fault]]
name = "hangs"
inject = ["sleep", "60"]
revert = ["touch", "DIR/hangs.back"]
timeout = "90s"
[[fault]]
name = "clings"
inject = ["true"]
revert = ["sh", "-c", "echo again; echo x >> DIR/tries; test $(wc -l < DIR/tries) -ge 3"]
"#,
    )
}

#[test]
fn a_command_that_hangs_holds_up_neither_the_load_nor_the_way_back() {
    let window = Window::start_in(stubborn());
    window.ctl("fault hangs on");
    window.let_pass(Duration::from_millis(500));
    let (out, _, code) = window.ctl("clear-all");
    assert_eq!((out.trim(), code), ("1 fault goes out", 0));
    let back = window.place.path().join("hangs.back");
    wait_for("the way back", || back.exists().then_some(()));
    window.let_pass(Duration::from_millis(500));
    let records = window.stop();
    assert_eq!(
        states(&records, 0)[..3],
        ["injecting", "reverting", "recovering"]
    );
    let numbers: Vec<u64> = ticks(&records)
        .iter()
        .map(|tick| tick["n"].as_u64().unwrap())
        .collect();
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "no tick is missing"
    );
}

#[test]
fn a_way_back_that_fails_is_loud_and_taken_again_until_it_works() {
    let window = Window::start_in(stubborn());
    window.ctl("fault clings on");
    wait_for("it to be in", || {
        states(&window.records(), 1)
            .contains(&"active".to_owned())
            .then_some(())
    });
    window.ctl("fault clings off");
    wait_for("the third try", || {
        states(&window.records(), 1)
            .contains(&"recovering".to_owned())
            .then_some(())
    });
    let records = window.stop();
    let states = states(&records, 1);
    assert_eq!(
        states[..5],
        ["injecting", "active", "reverting", "failed", "recovering"],
        "it is told once for each reason"
    );
    let failed = events(&records, "fault")
        .into_iter()
        .find(|it| it["state"] == "failed")
        .unwrap();
    assert_eq!(failed["in_place"], true);
    let text = failed["text"].as_str().unwrap();
    assert!(
        text.starts_with("it may still be in place, tried again in 200ms"),
        "{text}"
    );
    assert!(text.contains("again"), "what it said: {text}");
}

#[test]
fn a_gate_that_ends_the_window_has_faults_cleared_first() {
    let gate = r#"
[[fault]]
name = "errors"
http = { inject = { post = "embedded://shop?servers=0&service=fixed:1ms/admin/faults", json = { errors = 1 } }, revert = { delete = "embedded://shop?servers=0&service=fixed:1ms/admin/faults" } }
[[gate]]
name = "hardly any errors"
expect = "errors < 5%"
over = "1s"
abort_after = "1s"
"#;
    // The address of a query needs its path before it.
    let gate = gate.replace(
        "embedded://shop?servers=0&service=fixed:1ms/admin/faults",
        "embedded://shop/admin/faults?servers=0&service=fixed:1ms",
    );
    let window = Window::start_in(place(&[], "duration = \"60s\"", &gate));
    window.ctl("fault errors on");
    wait_for("the window to end", || (!window.is_alive()).then_some(()));
    let records = window.records();
    let cleared = index(&records, |it| it["state"] == "reverting");
    let end = index(&records, |it| it["k"] == "end");
    assert!(cleared < end);
    assert_eq!(records[end]["reason"], "aborted");
    assert!(states(&records, 0).contains(&"recovering".to_owned()));
}

#[test]
fn a_fault_that_ends_by_itself_is_told_and_over() {
    let busy = "[[fault]]\nname = \"busy\"\nstress = { memory = \"1MiB\" }\n";
    let window = Window::start_in(place(&[], "duration = \"60s\"", busy));
    window.ctl("fault busy on");
    let entry = wait_for("the fault", || {
        outstanding(window.place.path()).first().cloned()
    });
    let entry: Value = serde_json::from_slice(&std::fs::read(entry).unwrap()).unwrap();
    let pid = entry["undo"]["process"]["pid"].as_i64().unwrap();
    wait_for("it to be in", || {
        let states = states(&window.records(), 0);
        states.contains(&"active".to_owned()).then_some(())
    });
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    wait_for("the journal to be empty", || {
        outstanding(window.place.path()).is_empty().then_some(())
    });
    let records = window.stop();
    let last = events(&records, "fault").last().unwrap().to_owned();
    assert_eq!(last["state"], "failed", "{last}");
    let text = last["text"].as_str().unwrap();
    assert!(text.starts_with("it ended early"), "{text}");
}
