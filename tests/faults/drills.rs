//! One fault rehearsed by itself.

use crate::place::{file, outstanding, place};
use crate::window::{Place, said};

fn drill(place: &Place, args: &[&str]) -> (String, String, i32) {
    let mut command = place.stormdeck();
    command
        .arg("drill")
        .arg(place.path().join("profile.toml"))
        .args(["--for", "500ms"])
        .args(args);
    said(&command.output().unwrap())
}

#[test]
fn a_drill_proves_that_a_fault_takes_effect_and_is_back() {
    let place = place(&["a", "b"], "duration = \"60s\"", "");
    let (out, err, code) = drill(&place, &["--fault", "a"]);
    assert_eq!(
        out, "a\n✓ takes effect: its check fails\n✓ is back: its check passes; no load was put\n",
        "{err}"
    );
    assert_eq!(code, 0);
    assert!(err.contains("fault on  a"), "{err}");
    assert!(!file(place.path(), "a").exists() && outstanding(place.path()).is_empty());
}

#[test]
fn a_drill_without_load_reads_no_ledger_back() {
    let ledger = "[[ledger]]\nname = \"ids\"\n\
                  read = { get = \"/ledger/{{ ledger }}\", count = \"json:$.count\" }\n\
                  [[scenario]]\nname = \"writers\"\ntarget = \"embedded://shop?servers=0&service=fixed:1ms\"\nrate = \"1/s\"\njourneys = [{ name = \"write\" }]\n\
                  [[journey]]\nname = \"write\"\nsteps = [{ name = \"write\", post = \"/ledger\", json = { id = \"{{ ledger }}\" }, ledger = \"ids\", expect = { status = 201 } }]\n";
    let place = place(&["a"], "duration = \"60s\"", ledger);
    let (out, err, code) = drill(&place, &[]);
    assert!(out.contains("✓ is back"), "{out}{err}");
    assert_eq!(code, 0);
}

#[test]
fn a_fault_that_does_nothing_is_told() {
    let idle = "[[fault]]\nname = \"idle\"\ninject = [\"true\"]\nrevert = [\"true\"]\n";
    let place = place(&[], "duration = \"60s\"", idle);
    let (out, _, code) = drill(&place, &[]);
    assert!(
        out.contains("✗ takes effect: nothing was seen that it did"),
        "{out}"
    );
    assert_eq!(code, 1);
}

#[test]
fn a_fault_that_cannot_be_done_is_told_with_its_reason() {
    let missing =
        "[[fault]]\nname = \"missing\"\ninject = [\"/nowhere/at/all\"]\nrevert = [\"true\"]\n";
    let place = place(&[], "duration = \"60s\"", missing);
    let (out, _, code) = drill(&place, &[]);
    assert!(
        out.contains("✗ takes effect:") && out.contains("/nowhere/at/all"),
        "{out}"
    );
    assert_eq!(code, 1);
}

#[test]
fn which_fault_has_to_be_said_when_there_are_several() {
    let place = place(&["a", "b"], "duration = \"60s\"", "");
    let (_, err, code) = drill(&place, &[]);
    assert!(
        err.contains("say which fault with `--fault`: a, b"),
        "{err}"
    );
    assert_eq!(code, 2);
    let (_, err, code) = drill(&place, &["--fault", "c"]);
    assert!(
        err.contains("there is no fault `c`; there are a, b"),
        "{err}"
    );
    assert_eq!(code, 2);
}
