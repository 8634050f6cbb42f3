//! `check` and `run` come to the same answer about a profile, before anything is sent.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod support;

use std::fs;
use std::path::Path;

use support::stormdeck;
use tempfile::TempDir;

/// What `command` says of the profile on standard error, and its exit code.
fn said(dir: &Path, command: &[&str]) -> (String, i32) {
    let output = stormdeck(dir).args(command).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (said, output.status.code().unwrap())
}

fn write(dir: &Path, profile: &str) -> String {
    fs::write(dir.join("users.csv"), "name,password\nann,one\n").unwrap();
    let path = dir.join("profile.toml");
    fs::write(&path, profile).unwrap();
    path.display().to_string()
}

const HEAD: &str = "[window]\nname = \"w\"\nduration = \"1s\"\n";

#[test]
fn what_check_finds_is_what_run_refuses_and_no_session_is_left_behind() {
    let scenario = "[[scenario]]\nname = \"s\"\nrate = \"1/s\"\n";
    let data = "[[data]]\nname = \"user\"\nfile = \"users.csv\"\n";
    let here = "target = \"http://127.0.0.1:1\"\n";
    let cases = [
        (
            format!("{scenario}{here}get = \"/{{{{ user.nmae }}}}\"\n{data}"),
            &["no column `nmae`", "`password`"][..],
        ),
        (
            format!("{scenario}{here}get = \"/{{{{ uuid( }}}}\"\n"),
            &["uuid"],
        ),
        (
            format!("{scenario}{here}get = \"/\"\ntls = {{ ca = \"users.csv\" }}\n"),
            &["users.csv"],
        ),
        (
            format!(
                "{scenario}target = \"embedded://shop?servres=2\"\nget = \"/{{{{ user.nmae }}}}\"\n{data}"
            ),
            &["servres", "no column `nmae`"],
        ),
        (
            "[[target]]\nname = \"t\"\nurl = \"http://127.0.0.1:1/metrics\"\n\
             [[gauge]]\nname = \"g\"\nexpr = \"rate(x[1m]) + holt(x)\"\n\
             [[gauge]]\nname = \"h\"\nof = \"t\"\nexpr = \"x @ 5\"\n"
                .to_owned(),
            &[
                "`expr` of gauge `g`:1:15",
                "the function `holt` is not supported",
                "`expr` of gauge `h`:1:3",
            ],
        ),
    ];
    for (body, parts) in cases {
        let dir = TempDir::new().unwrap();
        let profile = write(dir.path(), &format!("{HEAD}{body}"));
        let (checked, code) = said(dir.path(), &["check", &profile]);
        assert_eq!(code, 2, "{body}\n{checked}");
        for part in parts {
            assert!(checked.contains(part), "{body}\n{checked}");
        }
        let (run, code) = said(dir.path(), &["run", &profile, "--headless"]);
        assert_eq!((code, run), (2, checked), "{body}");
        let sessions = fs::read_dir(dir.path()).unwrap().filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_string_lossy().contains("zst")
        });
        assert_eq!(sessions.count(), 0, "{body}");
    }
}

#[test]
fn a_mistake_in_a_journey_that_two_scenarios_share_is_said_once() {
    let dir = TempDir::new().unwrap();
    let scenario = |name: &str| {
        format!(
            "[[scenario]]\nname = \"{name}\"\nrate = \"1/s\"\ntarget = \"embedded://shop\"\n\
             journeys = [{{ name = \"j\" }}]\n"
        )
    };
    let profile = format!(
        "{HEAD}{}{}[[journey]]\nname = \"j\"\nsteps = [{{ name = \"x\", get = \"/{{{{ user.nmae }}}}\" }}]\n\
         [[data]]\nname = \"user\"\nfile = \"users.csv\"\n",
        scenario("a"),
        scenario("b")
    );
    let path = write(dir.path(), &profile);
    let (checked, code) = said(dir.path(), &["check", &path]);
    assert_eq!(code, 2, "{checked}");
    assert_eq!(checked.matches("nmae").count(), 1, "{checked}");
}

#[test]
fn every_shipped_profile_can_run() {
    let dir = TempDir::new().unwrap();
    for name in [
        "demo",
        "smoke",
        "baseline",
        "steps",
        "stress",
        "spike",
        "soak",
        "breakpoint",
    ] {
        let (checked, code) = said(dir.path(), &["check", name]);
        assert_eq!(code, 0, "{name}: {checked}");
    }
}

#[test]
fn a_gauge_of_a_prometheus_server_may_ask_what_only_that_knows() {
    let dir = TempDir::new().unwrap();
    let body = "[[target]]\nname = \"p\"\nprometheus = \"http://127.0.0.1:1\"\n\
                [[gauge]]\nname = \"g\"\nof = \"p\"\nexpr = \"holt_winters(x[5m], 0.5, 0.5)\"\n";
    let profile = write(dir.path(), &format!("{HEAD}{body}"));
    let (checked, code) = said(dir.path(), &["check", &profile]);
    assert_eq!(code, 0, "{checked}");
}
