//! A way back that is taken by somebody who is somewhere else than whoever broke it.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use stormdeck::fault::journal::Journal;

use crate::place::{kill_with_watchdog, outstanding, place, wait_until};
use crate::support::stormdeck;
use crate::window::said;

/// `recover` over a directory, in a network namespace of its own or not.
fn recover(dir: &Path, apart: bool) -> (String, String, i32) {
    let plain = stormdeck(dir);
    let mut command = if apart {
        let mut command = Command::new("unshare");
        command.arg("-n").arg(plain.get_program());
        let set = plain.get_envs();
        command.envs(set.filter_map(|(name, value)| Some((name, value?))));
        command
    } else {
        plain
    };
    said(
        &command
            .args(["recover", "--patience", "1s"])
            .output()
            .unwrap(),
    )
}

#[test]
fn what_was_done_in_another_network_is_not_looked_for_in_this_one() {
    if !Command::new("unshare")
        .args(["-n", "true"])
        .status()
        .is_ok_and(|status| status.success())
    {
        println!("skipped: no network namespace can be made here (root and `unshare` are needed)");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // There is no such interface, neither here nor there.
    let undo = json!({ "way": "network", "on": "interface", "interface": "nowhere0",
                       "delay": null, "jitter": null, "loss": null, "rate": 1000 });
    let undo = serde_json::from_value(undo).unwrap();
    let mut journal = Journal::open(dir.path(), "a").unwrap();
    journal.write("slow line", &undo).unwrap();
    drop(journal);
    let (out, err, code) = recover(dir.path(), true);
    assert!(out.contains("`slow line` is NOT back"), "{out}{err}");
    assert!(
        out.contains("in another network namespace of host"),
        "{out}"
    );
    assert!(out.contains("run `stormdeck recover` there"), "{out}");
    assert_eq!((code, outstanding(dir.path()).len()), (1, 1));
    let (out, err, code) = recover(dir.path(), false);
    assert!(out.contains("`nowhere0` is gone"), "{out}{err}");
    assert_eq!((code, outstanding(dir.path()).len()), (0, 0));
}

#[test]
fn a_way_back_by_program_leads_where_the_injection_went_whoever_takes_it() {
    let cluster = r#"
[[fault]]
name = "pods"
inject = ["touch", "DIR/pods.broken"]
revert = 'echo "$KUBECONFIG [$DOCKER_HOST] $PGHOST" >DIR/went; rm -f DIR/pods.broken'
shell = true
env = { PGHOST = "own" }
"#;
    let place = place(&[], "duration = \"60s\"", cluster);
    let mut run = place.run(&["--detach"]);
    run.env("KUBECONFIG", "/staging").env_remove("DOCKER_HOST");
    assert!(
        run.env("PGHOST", "theirs")
            .output()
            .unwrap()
            .status
            .success()
    );
    let window = place.window();
    window.ctl("fault pods on");
    wait_until(&window, "pods", true);
    kill_with_watchdog(&window);
    let mut recover = window.place.stormdeck();
    recover
        .env("KUBECONFIG", "/prod")
        .env("DOCKER_HOST", "tcp://prod");
    let (out, err, code) = said(&recover.arg("recover").output().unwrap());
    assert_eq!(code, 0, "{out}{err}");
    let went = fs::read_to_string(window.place.path().join("went")).unwrap();
    assert_eq!(went, "/staging [] own\n");
}
