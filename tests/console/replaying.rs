//! Recordings in the console: any moment of them, at any speed, and nothing that acts.

use std::fs;

use crate::pty::{Pty, Start};
use crate::support::SOON;
use crate::window::{Place, is_restored};

/// 66 ticks of a second; among other things a warning in the 8th, a mark in the 22nd, a phase in the 29th.
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/v1.jsonl.zst");

/// A place with a recording in it, and nothing that runs.
fn place() -> Place {
    let place = Place::new("");
    fs::copy(GOLDEN, place.path().join("golden.jsonl.zst")).unwrap();
    place
}

/// Waits for this moment on the scrubber.
fn stands_at(pty: &mut Pty, moment: &str) {
    let moment = format!("{moment} / ");
    pty.until(&format!("the scrubber at {moment:?}"), |screen| {
        let text = screen.contents();
        text.lines()
            .any(|line| line.contains(&moment) && line.trim_end_matches(['│', ' ']).ends_with('%'))
    });
}

#[test]
fn a_recording_is_gone_through_by_keys() {
    let place = place();
    let mut pty = Pty::start(&place.start(["replay", "golden"]));
    pty.shows("REPLAY paused");
    pty.shows("/ 01:06");
    pty.shows("recording · 1m 6s");
    pty.send("\x1b[H");
    stands_at(&mut pty, "00:01");
    pty.send(".");
    stands_at(&mut pty, "00:02");
    pty.send(",");
    stands_at(&mut pty, "00:01");
    pty.send("]");
    stands_at(&mut pty, "00:08");
    pty.send("'");
    stands_at(&mut pty, "00:22");
    pty.send(")");
    stands_at(&mut pty, "00:29");
    pty.send("[");
    stands_at(&mut pty, "00:22");
    pty.send("@");
    pty.send("50%\r");
    stands_at(&mut pty, "00:34");
    pty.send("\"");
    stands_at(&mut pty, "00:22");
    pty.send("@");
    pty.send("0:12\r");
    stands_at(&mut pty, "00:12");
    pty.send("\x1b[F");
    stands_at(&mut pty, "01:06");

    pty.send("\x1b[H");
    stands_at(&mut pty, "00:01");
    pty.send(":speed 20x\r");
    pty.send(" ");
    pty.shows("▶ REPLAY 20x");
    pty.until("that it plays", |screen| {
        !screen.contents().contains(" 00:01 / ")
    });
    pty.send(" ");
    pty.shows("REPLAY paused");
    pty.send("*");
    stands_at(&mut pty, "01:06");
    pty.send("4");
    pty.shows("faults");
    for key in ["x", "m", "p", "!"] {
        pty.send(key);
        pty.shows("this is a recording: nothing can be asked of it");
        pty.send("\x1b");
        pty.hides("this is a recording");
    }
    pty.send("q");
    assert_eq!(pty.ends(SOON), Some(0));
    assert!(is_restored(&mut pty));
    // What it came to is still there when the screen is gone.
    pty.shows("3 of 66 ticks are missing");
}

#[test]
fn a_recording_from_standard_input_takes_keys_from_the_terminal() {
    let place = place();
    let program = env!("CARGO_BIN_EXE_stormdeck");
    let pipe = format!("{program} export golden --as jsonl | {program} replay -");
    let shell = Start::program("bash").arg("--norc").arg("-c").arg(&pipe);
    let mut pty = Pty::start(&place.at_home(shell));
    // The whole of it has been read.
    pty.shows("/ 01:06");
    assert!(!pty.has_its_mode());
    pty.send("\x1b[F");
    stands_at(&mut pty, "01:06");
    pty.send("@");
    pty.send("0:12\r");
    stands_at(&mut pty, "00:12");
    pty.send("]");
    stands_at(&mut pty, "00:15");
    pty.send("q");
    assert_eq!(pty.ends(SOON), Some(0));
    assert!(is_restored(&mut pty));
}

#[test]
fn two_recordings_stand_beside_each_other() {
    let place = place();
    fs::copy(GOLDEN, place.path().join("other.jsonl.zst")).unwrap();
    let args = ["replay", "golden", "--beside", "other"];
    let mut pty = Pty::start(&place.start(args));
    pty.until("two recordings", |screen| {
        screen.contents().matches("recording · 1m 6s").count() == 2
    });
    pty.send("@");
    pty.send("0:12\r");
    pty.until("the same moment twice", |screen| {
        screen.contents().matches("00:12 / 01:06").count() == 2
    });
    pty.send("q");
    assert_eq!(pty.ends(SOON), Some(0));
}
