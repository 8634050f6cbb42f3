//! A way back that is taken by somebody who is somewhere else than whoever broke it.

use std::path::Path;
use std::process::Command;

use serde_json::json;
use stormdeck::fault::journal::Journal;

use crate::place::outstanding;
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
