//! What the console does to a terminal, and what a terminal can do to it.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::pty::{Pty, Start};
use crate::stage;
use crate::support::SOON;

fn open() -> Pty {
    let mut pty = Pty::start(&stage::start());
    pty.shows("60 by 6");
    pty
}

/// Whether the terminal is as it was before.
fn restored(pty: &mut Pty) -> bool {
    let screen = pty.screen();
    !screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste()
}

#[test]
fn leaving_gives_the_terminal_back() {
    let mut pty = open();
    let screen = pty.screen();
    assert!(screen.alternate_screen() && screen.hide_cursor() && screen.bracketed_paste());
    assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
    pty.send("a");
    pty.shows("key  a");
    pty.send("q");
    assert_eq!(pty.ends(SOON), Some(0));
    assert!(restored(&mut pty));
    let contents = pty.screen().contents();
    // On a line of its own, begun at its first column: the mode of the terminal is back, too.
    assert!(
        contents.lines().any(|line| line == "left: Quit"),
        "{contents}"
    );
}

#[test]
fn nothing_is_written_while_nothing_happens() {
    let mut pty = open();
    pty.send("a");
    pty.shows("key  a");
    let before = pty.bytes();
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(pty.written_after(before), "");
}

#[test]
fn a_key_shows_within_a_few_milliseconds() {
    let mut pty = open();
    let mut took = Vec::new();
    for key in ('a'..='o').chain('A'..='O') {
        let begun = Instant::now();
        pty.send(&key.to_string());
        pty.shows(&format!(
            "key {}{key}",
            if key.is_uppercase() { "Shift " } else { " " }
        ));
        took.push(begun.elapsed());
    }
    took.sort();
    println!("from key to screen: {took:?}");
    // The median, so that a machine that is busy with something else does not decide.
    let median = took[took.len() / 2];
    assert!(median < Duration::from_millis(500), "{took:?}");
}

#[test]
fn pasted_text_comes_as_one() {
    let mut pty = open();
    pty.send("\x1b[200~pool qqq grew\x1b[201~");
    pty.shows("pasted pool qqq grew");
}

#[test]
fn a_storm_of_sizes_ends_in_the_last() {
    let mut pty = open();
    for columns in (40..100).chain([72]) {
        pty.resize(columns, 8);
    }
    pty.shows("72 by 8");
    pty.send("q");
    assert_eq!(pty.ends(SOON), Some(0));
}

#[test]
fn signals_end_it_with_the_terminal_given_back() {
    for (signal, code) in [("TERM", 3), ("INT", 3), ("HUP", 4)] {
        let mut pty = open();
        pty.signal(signal);
        assert_eq!(pty.ends(SOON), Some(code), "{signal}");
        assert!(restored(&mut pty), "{signal}");
    }
}

#[test]
fn a_terminal_that_is_closed_ends_it() {
    let mut pty = open();
    pty.hang_up();
    assert_eq!(pty.ends(SOON), Some(4));
}

#[test]
fn a_panic_gives_the_terminal_back_and_can_be_read() {
    let mut pty = open();
    pty.send("p");
    assert!(pty.ends(SOON).is_some_and(|code| code != 0));
    assert!(restored(&mut pty));
    let contents = pty.written_after(0);
    let (_, after) = contents.split_once("\x1b[?1049l").unwrap();
    assert!(after.contains("a mistake of ours"), "{after}");
}

#[test]
fn a_panic_in_another_thread_ends_it_the_same_way() {
    let mut pty = open();
    pty.send("t");
    assert_eq!(pty.ends(SOON), Some(4));
    assert!(restored(&mut pty));
    assert!(pty.written_after(0).contains("a mistake elsewhere"));
}

#[test]
fn a_terminal_that_stops_reading_keeps_it_from_nothing() {
    let mut pty = open();
    pty.stop_reading();
    // More than any pseudo terminal holds.
    for round in 0..200 {
        pty.resize(200, 50 + round % 2);
        pty.send("\x0c");
        std::thread::sleep(Duration::from_millis(5));
    }
    pty.send("q");
    assert_eq!(pty.ends(SOON), Some(0));
}

#[test]
fn a_terminal_that_reads_again_shows_what_is_true() {
    let mut pty = open();
    pty.stop_reading();
    pty.resize(200, 50);
    for _ in 0..100 {
        pty.send("\x0c");
        std::thread::sleep(Duration::from_millis(5));
    }
    pty.send("w");
    std::thread::sleep(Duration::from_millis(100));
    pty.read_on();
    pty.shows("key  w");
    pty.shows("200 by 50");
    pty.send("q");
    assert_eq!(pty.ends(SOON), Some(0));
}

#[test]
fn a_size_that_comes_with_a_key_is_not_lost() {
    let mut pty = open();
    for round in 0..40 {
        let (columns, rows) = (40 + round, 6 + round % 3);
        let key = char::from(b'a' + (round % 15) as u8);
        pty.resize(columns, rows);
        pty.send(&key.to_string());
        pty.shows(&format!("{columns} by {rows}"));
        pty.shows(&format!("key  {key}"));
    }
}

/// A shell, and in it the console.
fn open_in_a_shell() -> Pty {
    let shell = Start::program("bash")
        .arg("--norc")
        .arg("-i")
        .env("PS1", "shell> ")
        .size(60, 6);
    let mut pty = Pty::start(&shell);
    pty.shows("shell> ");
    pty.send(&(stage::command() + "\r"));
    pty.shows("60 by 6");
    pty
}

/// From where the shell has it to where the operator leaves.
fn continue_and_leave(mut pty: Pty) {
    pty.shows("Stopped");
    assert!(restored_but_for_the_shell(&mut pty));
    pty.resize(50, 7);
    pty.send("fg\r");
    pty.shows("50 by 7");
    pty.send("b");
    pty.shows("key  b");
    pty.send("q");
    pty.shows("left: Quit");
    pty.until("the prompt", |screen| {
        screen.contents().trim_end().ends_with("shell>")
    });
    pty.send("exit 0\r");
    assert_eq!(pty.ends(SOON), Some(0));
}

#[test]
fn it_can_be_suspended_and_continued_from_a_shell() {
    let mut pty = open_in_a_shell();
    pty.send("\x1a");
    continue_and_leave(pty);
}

#[test]
fn a_signal_suspends_it_as_the_key_does() {
    let pty = open_in_a_shell();
    let parent = pty.id().to_string();
    let sent = Command::new("pkill")
        .args(["-TSTP", "-P", &parent])
        .status();
    assert!(sent.unwrap().success());
    continue_and_leave(pty);
}

/// A shell that reads lines itself turns bracketed paste on.
fn restored_but_for_the_shell(pty: &mut Pty) -> bool {
    let screen = pty.screen();
    !screen.alternate_screen() && !screen.hide_cursor()
}

#[test]
fn without_a_shell_it_is_not_suspended_but_says_so() {
    let mut pty = open();
    pty.send("\x1a");
    pty.shows("there is no shell to go back to");
    pty.send("a");
    pty.shows("key  a");
}

#[test]
fn stopped_and_continued_by_someone_else_it_draws_anew() {
    let mut pty = open();
    pty.signal("STOP");
    while pty.state() != Some('T') {
        std::thread::yield_now();
    }
    let before = pty.bytes();
    pty.signal("CONT");
    let deadline = Instant::now() + SOON;
    while !pty.written_after(before).contains("ready") {
        assert!(Instant::now() < deadline, "{:?}", pty.written_after(before));
        std::thread::sleep(Duration::from_millis(5));
    }
    pty.send("a");
    pty.shows("key  a");
}
