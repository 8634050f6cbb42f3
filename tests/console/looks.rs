//! What the operator asked for: lines, colours, characters, keys.

use std::fs;

use crate::pty::Pty;
use crate::support::SOON;
use crate::window::{LONG, Place, code_of, is_restored, shows_a_window};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/v1.jsonl.zst");

/// A window that ends by itself.
const BRIEF: &str = r#"
[window]
name = "brief"
tick = "200ms"
drain = "0s"
[[scenario]]
name = "shoppers"
target = "embedded://shop?servers=0&service=fixed:1ms"
rate = "50/s"
get = "/"
[[phase]]
name = "only"
for = "2s"
[[gate]]
name = "never"
expect = "p99 < 1us"
"#;

#[test]
fn a_window_in_lines_ends_with_its_verdict() {
    let place = Place::new(BRIEF);
    let mut pty = Pty::start(
        &place
            .start(["run", "profile.toml", "--workers", "1", "--plain"])
            .size(100, 60),
    );
    let code = pty.ends(SOON);
    let said = pty.written_after(0);
    assert!(!said.contains('\x1b'), "{said}");
    assert_eq!(code, Some(code_of(&said)));
    assert_eq!(code, Some(1), "{said}");
    for part in ["window brief", "only 1x", "window finished", "never"] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    assert!(said.matches("  p99 ").count() > 5, "{said}");
    assert!(place.engines().is_empty());
}

#[test]
fn a_recording_in_lines_says_what_it_is_and_who_did_what() {
    let place = Place::new("");
    let mut pty = Pty::start(&place.start(["replay", GOLDEN, "--plain"]).size(120, 200));
    assert_eq!(pty.ends(SOON), Some(0));
    let said = pty.written_after(0);
    assert!(said.starts_with("window checkout 4.2"), "{said}");
    let mark = said.lines().find(|line| line.contains("note 21"));
    assert_eq!(
        mark.map(|line| line.matches("ops@bastion").count()),
        Some(1),
        "{said}"
    );
    assert!(!said.contains('\x1b'), "{said}");
}

#[test]
fn a_terminal_that_can_show_nothing_is_told_the_ways_round() {
    let place = Place::new("");
    let mut pty = Pty::start(&place.start(["replay", GOLDEN]).env("TERM", "dumb"));
    assert_eq!(pty.ends(SOON), Some(2));
    let said = pty.written_after(0);
    assert!(
        said.contains("(TERM=dumb); `--plain` prints a line"),
        "{said}"
    );
    assert!(!said.contains('\x1b'), "{said}");
}

#[test]
fn without_colours_none_is_sent_and_in_ascii_nothing_else() {
    let place = Place::running(LONG);
    let mut plain = Pty::start(&place.start(["attach"]).env("NO_COLOR", "1"));
    shows_a_window(&mut plain);
    let mut ascii = Pty::start(&place.start(["attach", "--ascii"]));
    ascii.shows("REC");
    ascii.shows("shoppers");
    let views = [
        ("2", "histogram"),
        ("3", "busiest worker"),
        ("4", "nothing is broken"),
        ("5", "signed   by"),
        ("6", "first answer of each error"),
        ("?", "show the keys"),
    ];
    for (key, shown) in views {
        for pty in [&mut plain, &mut ascii] {
            pty.send(key);
            pty.shows(shown);
        }
    }
    for pty in [&mut plain, &mut ascii] {
        pty.send("\x1b");
        pty.hides("show the keys");
        pty.send("1");
        pty.shows("timeline");
    }
    for pty in [&mut plain, &mut ascii] {
        pty.send("q");
        pty.shows("leave it running");
        pty.send("l");
        assert_eq!(pty.ends(SOON), Some(130));
        assert!(is_restored(pty));
    }
    let said = plain.written_after(0);
    assert_eq!(colours(&said).next(), None);
    let said = ascii.written_after(0);
    let other: String = said.chars().filter(|sign| !sign.is_ascii()).collect();
    assert_eq!(other, "");
    assert!(colours(&said).next().is_some(), "ASCII has its colours");
    place.stop();
}

/// The control sequences that set a colour.
fn colours(text: &str) -> impl Iterator<Item = &str> {
    let sequences = text.split("\x1b[").skip(1);
    let ended = sequences.filter_map(|rest| {
        let end = rest.find(|sign: char| !sign.is_ascii_digit() && sign != ';')?;
        rest[end..].starts_with('m').then(|| &rest[..end])
    });
    ended.filter(|codes| {
        codes.split(';').any(|code| {
            let code: u32 = code.parse().unwrap_or(0);
            matches!(code, 30..=38 | 40..=48 | 90..=97 | 100..=107)
        })
    })
}

#[test]
fn settings_are_in_force_and_their_mistakes_are_told() {
    let place = Place::running(LONG);
    place.config("[keys]\nmark = [\"f5\"]\nhlep = [\"h\"]\n");
    let mut pty = Pty::start(&place.start(["attach"]));
    assert_eq!(pty.ends(SOON), Some(2));
    let said = pty.written_after(0);
    for part in ["config.toml:3:1", "hlep", "`help`"] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    assert!(
        !said.contains("\x1b[?1049h"),
        "no screen was opened: {said}"
    );

    place.config("[keys]\nmark = [\"f5\"]\n");
    let mut pty = place.console(["attach"]);
    pty.shows("F5 mark");
    pty.send("\x1b[15~");
    pty.shows("─ mark");
    pty.send("by another key\r");
    pty.shows("by another key");
    pty.send("q");
    pty.shows("leave it running");
    pty.send("l");
    assert_eq!(pty.ends(SOON), Some(130));
    place.stop();
    assert!(
        fs::read_dir(place.path().join("run/stormdeck"))
            .unwrap()
            .next()
            .is_none()
    );
}
