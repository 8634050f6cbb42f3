//! Consoles that are lost, stalled, stopped and squeezed, and the window that knows nothing of it.

use std::process::Command;
use std::time::Duration;

use stormdeck::session::record::Happening;

use crate::pty::{Pty, Start};
use crate::support::SOON;
use crate::window::{LONG, Place, Tape, has_heat, is_restored, shows_a_window};

/// The window goes on: its ticks come, one after the other.
fn goes_on(tape: &mut Tape) {
    tape.skip_to_now();
    tape.ticks(3);
}

#[test]
fn a_window_outlives_every_end_of_its_console() {
    let place = Place::new(LONG);
    let mut pty = Pty::start(&place.start(["run", "profile.toml", "--workers", "1"]));
    shows_a_window(&mut pty);
    let mut tape = place.tape();
    let engine = place.engines();
    assert_eq!(engine.len(), 1);
    pty.signal("KILL");
    assert_eq!(pty.ends(SOON), None);
    goes_on(&mut tape);

    let mut pty = place.console(["attach"]);
    pty.signal("TERM");
    assert_eq!(pty.ends(SOON), Some(130));
    assert!(is_restored(&mut pty));
    pty.shows("`stormdeck attach ");
    goes_on(&mut tape);

    let mut pty = place.console(["attach"]);
    pty.signal("HUP");
    assert_eq!(pty.ends(SOON), Some(130));
    assert!(is_restored(&mut pty));
    goes_on(&mut tape);

    let mut pty = place.console(["attach"]);
    pty.hang_up();
    pty.ends(SOON);
    goes_on(&mut tape);

    let mut pty = place.console(["attach"]);
    pty.send("\x03");
    pty.shows("leave it running");
    pty.send("l");
    assert_eq!(pty.ends(SOON), Some(130));
    assert_eq!(place.engines(), engine);
    place.stop();
}

#[test]
fn a_console_is_stopped_and_continued_by_its_shell() {
    let place = Place::running(LONG);
    let shell = place.at_home(Start::program("bash").arg("--norc").arg("-i"));
    let mut pty = Pty::start(&shell.env("PS1", "shell> "));
    pty.shows("shell> ");
    let program = env!("CARGO_BIN_EXE_stormdeck");
    pty.send(&format!("{program} attach\r"));
    shows_a_window(&mut pty);
    let by_key = |pty: &mut Pty| pty.send("\x1a");
    let by_signal = |pty: &mut Pty| {
        let parent = pty.id().to_string();
        let mut kill = Command::new("pkill");
        let sent = kill.args(["-TSTP", "-P", &parent]).status();
        assert!(sent.unwrap().success());
    };
    let ways: [fn(&mut Pty); 2] = [by_key, by_signal];
    for stop in ways {
        stop(&mut pty);
        pty.shows("Stopped");
        let screen = pty.screen();
        assert!(!screen.alternate_screen() && !screen.hide_cursor());
        pty.send("clear; echo cooked\r");
        pty.hides("Stopped");
        pty.shows("cooked");
        pty.send("fg\r");
        pty.until("the console again", vt100::Screen::alternate_screen);
        shows_a_window(&mut pty);
        let screen = pty.screen();
        assert!(screen.hide_cursor() && !screen.contents().contains("cooked"));
    }
    pty.send("q");
    pty.shows("leave it running");
    pty.send("l");
    pty.shows("the window goes on");
    pty.send("exit 7\r");
    assert_eq!(pty.ends(SOON), Some(7));
    place.stop();
}

#[test]
fn a_terminal_of_any_size_shows_a_whole_picture() {
    let place = Place::running(LONG);
    let mut pty = Pty::start(&place.start(["attach"]).size(200, 60));
    shows_a_window(&mut pty);
    is_whole(&mut pty, 200, 60);
    pty.resize(20, 5);
    pty.until("a clock in twenty columns", |screen| {
        screen.size().1.get() == 20 && screen.contents().contains("00:0")
    });
    pty.resize(200, 60);
    is_whole(&mut pty, 200, 60);
    for step in 0..200_u16 {
        pty.resize(20 + step * 37 % 181, 5 + step * 23 % 56);
    }
    pty.resize(120, 36);
    is_whole(&mut pty, 120, 36);
    pty.send("2");
    pty.shows("histogram · all");
    pty.send("q");
    pty.shows("leave it running");
    pty.send("l");
    assert_eq!(pty.ends(SOON), Some(130));
    place.stop();
}

/// Waits until the screen is drawn from corner to corner.
fn is_whole(pty: &mut Pty, columns: usize, rows: usize) {
    pty.until("a whole picture", |screen| {
        let text = screen.contents();
        let lines: Vec<&str> = text.lines().collect();
        let framed = |line: &&str| {
            let count = line.chars().count();
            count == columns && line.ends_with(['┐', '│', '┤', '┘'])
        };
        lines.len() == rows
            && lines[0].contains("REC")
            && lines[1..rows - 1].iter().all(framed)
            && lines[rows - 1].contains("? help")
            && lines[rows - 1].contains("q leave")
            && has_heat(&text)
    });
}

#[test]
fn a_terminal_that_does_not_read_keeps_the_window_from_nothing() {
    let place = Place::running(LONG);
    let mut tape = place.tape();
    let mut pty = place.console(["attach"]);
    pty.stop_reading();
    // Bigger pictures than any pseudo terminal holds.
    pty.resize(200, 60);
    tape.skip_to_now();
    tape.ticks(20);
    let noted = place.output(&["ctl", "-", "mark", "meanwhile"]);
    assert!(noted.status.success(), "{noted:?}");
    tape.event("a mark", |what| matches!(what, Happening::Mark { .. }));
    tape.ticks(10);
    pty.read_on();
    pty.shows("meanwhile");
    is_whole(&mut pty, 200, 60);
    pty.stop_reading();
    tape.skip_to_now();
    tape.ticks(10);
    pty.send("q");
    pty.send("l");
    assert_eq!(pty.ends(Duration::from_secs(20)), Some(130));
    goes_on(&mut tape);
    place.stop();
}
