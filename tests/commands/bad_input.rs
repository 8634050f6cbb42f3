//! Profiles and data that are not what they should be: a sentence, exit code 2, and nothing left behind.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::said;
use crate::support::{run_json, stormdeck};

/// `check` and `run` must both refuse it, say so in these words, and leave no session behind.
fn refused(dir: &Path, profile: &Path, says: &str) {
    for command in [&["check"][..], &["run", "--headless"]] {
        let output = stormdeck(&dir.join("state"))
            .args(command)
            .arg(profile)
            .output();
        let (out, err, code) = said(&output.unwrap());
        assert_eq!((out.as_str(), code), ("", 2), "{command:?}: {err}");
        assert!(err.contains(says), "{command:?} {says}: {err}");
        assert!(!err.contains("panicked"), "{command:?}: {err}");
        assert!(err.len() < 10_000, "{command:?}: {} bytes", err.len());
    }
    let left = fs::read_dir(dir.join("state")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "nothing ran, so nothing is recorded");
}

#[test]
fn a_profile_that_is_none_is_refused_in_a_sentence() {
    let dir = TempDir::new().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let binary: Vec<u8> = (0..3000_u32).map(|n| (n * 151 % 256) as u8).collect();
    refused(dir.path(), dir.path(), "is a folder");
    refused(dir.path(), &put("binary.toml", &binary), "not a text file");
    refused(
        dir.path(),
        &put("large.toml", &vec![b'a'; 10 << 20]),
        "larger than 1 MiB",
    );
    refused(
        dir.path(),
        &put("empty.toml", b""),
        "this profile does nothing",
    );
    refused(
        dir.path(),
        &dir.path().join("not there"),
        "there is no file",
    );
    // Just within the limit, and wrong in every line.
    let wrong = b"a = [\n".repeat(150_000);
    refused(dir.path(), &put("wrong.toml", &wrong), "error");
}

#[test]
fn a_data_file_that_cannot_feed_anyone_is_named_with_its_line() {
    let dir = TempDir::new().unwrap();
    for (file, content, says) in [
        ("missing.csv", None, "cannot read"),
        ("empty.csv", Some(""), "is empty"),
        ("headless.csv", Some("name,password\n"), "has no rows"),
        (
            "ragged.csv",
            Some("name,password\na,b\nc\n"),
            "ragged.csv:3: has 1 fields",
        ),
        (
            "broken.jsonl",
            Some("{\"name\":\"a\"}\n{\"name\":"),
            "broken.jsonl:2",
        ),
    ] {
        if let Some(content) = content {
            fs::write(dir.path().join(file), content).unwrap();
        }
        let profile = dir.path().join("profile.toml");
        let text = format!(
            "[window]\nduration = \"1s\"\n[[scenario]]\nname = \"s\"\ntarget = \"embedded://shop\"\nrate = \"10/s\"\n\
             get = \"/search?q={{{{ user.name }}}}\"\n[[data]]\nname = \"user\"\nfile = \"{file}\"\n"
        );
        fs::write(&profile, text).unwrap();
        refused(dir.path(), &profile, says);
    }
}

#[test]
fn what_only_a_run_would_trip_over_is_found_before_it_begins() {
    let dir = TempDir::new().unwrap();
    let profile = dir.path().join("profile.toml");
    for (target, get, says) in [
        (
            "embedded://shop?nonsense=1",
            "/",
            "has no option `nonsense`",
        ),
        ("embedded://shop?service=fast", "/", "write `fixed:5ms`"),
        (
            "embedded://shop",
            "/{{ nothing() }}",
            "there is no function `nothing`",
        ),
    ] {
        let text = format!(
            "[window]\nduration = \"1s\"\n[[scenario]]\nname = \"s\"\ntarget = \"{target}\"\nrate = \"10/s\"\nget = \"{get}\"\n"
        );
        fs::write(&profile, text).unwrap();
        refused(dir.path(), &profile, says);
    }
}

#[test]
fn a_target_that_refuses_connections_is_counted_and_judged() {
    let dir = TempDir::new().unwrap();
    // Port 1 is reserved, and nothing listens there.
    let profile = "[window]\nname = \"refused\"\nduration = \"500ms\"\n[[scenario]]\nname = \"s\"\n\
        target = \"http://127.0.0.1:1\"\nrate = \"100/s\"\nget = \"/\"\n[[gate]]\nexpect = \"errors < 1%\"\n";
    let (summary, code) = run_json(dir.path(), profile, &[]);
    assert_eq!(summary["requests"], 50);
    assert_eq!(summary["errors_by_kind"]["refused"], 50);
    assert_eq!((&summary["verdict"], code), (&"no-go".into(), 1));
    assert_eq!(
        summary["service_ms"]["max"],
        serde_json::Value::Null,
        "nothing was sent"
    );
}
