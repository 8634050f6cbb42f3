//! What needs no console, and shows that the pseudo terminal works.

use std::time::Duration;

use crate::pty::{Pty, Start};

#[test]
fn the_help_fits_the_width_of_the_terminal() {
    let mut narrow = Pty::start(&Start::new(["--help"]).size(60, 50));
    narrow.until("Usage: stormdeck", |screen| {
        screen.contents().contains("Usage: stormdeck")
    });
    assert_eq!(narrow.ends(Duration::from_secs(20)), Some(0));
    let lines = narrow.screen().contents();
    assert!(lines.contains("--help"), "{lines}");
    assert!(
        lines.lines().all(|line| line.chars().count() <= 60),
        "{lines}"
    );
}

#[test]
fn a_program_that_waits_can_be_typed_to_resized_and_killed() {
    // `cat` stands for the console: it echoes what the terminal sends.
    let mut cat = Pty::start(&Start::program("cat").size(40, 5));
    cat.send("hello\r");
    cat.shows("hello\nhello");
    cat.resize(20, 3);
    let (rows, columns) = cat.screen().size();
    assert_eq!((rows.get(), columns.get()), (3, 20));
    cat.signal("TERM");
    assert_eq!(cat.ends(Duration::from_secs(20)), None);
    assert!(cat.bytes() >= "hello".len() * 2);
}

#[test]
fn a_terminal_that_stops_reading_and_reads_again_has_lost_nothing() {
    let mut cat = Pty::start(&Start::program("cat").size(40, 5));
    cat.send("one\r");
    cat.shows("one\none");
    cat.stop_reading();
    let before = cat.bytes();
    cat.send("two\r");
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(cat.bytes(), before);
    cat.read_on();
    cat.shows("two\ntwo");
}
