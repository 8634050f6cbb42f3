//! What the program says of itself.

use std::io::pipe;
use std::process::Command;

use tempfile::TempDir;

use crate::said;
use crate::support::stormdeck;

const COMMANDS: [&str; 13] = [
    "run",
    "attach",
    "ctl",
    "stop",
    "replay",
    "check",
    "ls",
    "verify",
    "export",
    "scrape",
    "target",
    "completions",
    "man",
];

/// Without a directory set, so that help does not show this machine's.
fn bare() -> Command {
    let mut command = stormdeck(std::path::Path::new("."));
    command.env_remove("STORMDECK_DIR");
    command
}

#[test]
fn help_of_every_command() {
    let (out, _, code) = said(&bare().arg("--help").output().unwrap());
    assert_eq!(code, 0);
    insta::assert_snapshot!("help", out);
    for command in COMMANDS {
        let (out, err, code) = said(&bare().args([command, "--help"]).output().unwrap());
        assert_eq!((err.as_str(), code), ("", 0), "{command}");
        insta::assert_snapshot!(format!("help_{command}"), out);
    }
}

#[test]
fn the_version_is_that_of_the_crate() {
    let (out, _, code) = said(&bare().arg("--version").output().unwrap());
    let expected = format!("stormdeck {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((out, code), (expected, 0));
}

#[test]
fn without_a_command_help_is_shown_and_nothing_is_done() {
    let (_, err, code) = said(&bare().output().unwrap());
    assert!(err.contains("Usage: stormdeck"), "{err}");
    assert_eq!(code, 2);
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let (out, err, code) = said(&bare().args(["completions", shell]).output().unwrap());
        assert_eq!((err.as_str(), code), ("", 0), "{shell}");
        for command in COMMANDS {
            assert!(out.contains(command), "{shell}: {command}");
        }
        assert!(out.contains("time-scale"), "{shell}");
    }
    let (out, ..) = said(&bare().args(["completions", "bash"]).output().unwrap());
    let parsed = Command::new("bash").args(["-n", "-c", &out]).status();
    assert!(parsed.unwrap().success(), "bash can read it");
}

#[test]
fn the_manual_page_is_one_and_tells_of_every_command() {
    let (out, err, code) = said(&bare().arg("man").output().unwrap());
    assert_eq!((err.as_str(), code), ("", 0));
    assert!(out.contains(".TH stormdeck 1"), "{out}");
    assert!(out.contains("\\-\\-time\\-scale"), "{out}");
    assert!(out.contains(".SS \"EXIT STATUS\""), "{out}");
    for command in COMMANDS {
        let section = format!(".SH \"STORMDECK {}\"", command.to_uppercase());
        assert!(out.contains(&section), "{command}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let dir = TempDir::new().unwrap();
    let ran = stormdeck(dir.path())
        .args(["run", "smoke", "--headless", "--name", "s"])
        .output();
    assert!(ran.unwrap().status.success());
    for args in [
        &["man"][..],
        &["completions", "bash"],
        &["check", "demo"],
        &["ls"],
        &["verify", "s"],
        &["export", "s", "--as", "jsonl"],
        &["export", "s", "--as", "csv"],
        &["export", "s", "--as", "hlog"],
        &["export", "s", "--as", "openmetrics"],
    ] {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let output = stormdeck(dir.path()).args(args).stdout(writer).output();
        let (_, err, code) = said(&output.unwrap());
        assert_eq!((err.as_str(), code), ("", 0), "{args:?}");
    }
}
