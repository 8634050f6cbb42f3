//! A window that is driven from the console: what is pressed, what is seen, what is recorded.

use stormdeck::session::record::Happening;

use crate::pty::{Pty, Start};
use crate::support::SOON;
use crate::window::{LONG, Place, code_of, is_restored, shows_a_window};

#[test]
fn a_window_is_begun_left_joined_and_stopped() {
    let place = Place::new(LONG);
    let mut pty = Pty::start(&place.start(["run", "profile.toml", "--workers", "1"]));
    shows_a_window(&mut pty);
    pty.shows("● REC");
    let screen = pty.screen();
    assert!(screen.alternate_screen() && screen.hide_cursor());
    assert!(!pty.has_its_mode());
    pty.send("q");
    pty.shows("leave it running");
    pty.shows("stop it");
    pty.send("l");
    assert_eq!(pty.ends(SOON), Some(130));
    assert!(is_restored(&mut pty));
    pty.shows("`stormdeck attach ");
    let mut tape = place.tape();
    tape.skip_to_now();
    tape.ticks(3);

    let mut pty = place.console(["attach"]);
    pty.send("q");
    pty.shows("leave it running");
    // Whoever thinks better of it stays.
    pty.send("n");
    pty.hides("leave it running");
    pty.send("q");
    pty.shows("stop it");
    pty.send("s");
    let code = pty.ends(SOON);
    assert!(is_restored(&mut pty));
    let stop = tape.event("the end", |what| matches!(what, Happening::Stop { .. }));
    assert!(stop.by.is_some_and(|by| by.starts_with("ops@")));
    pty.shows("no errors");
    assert_eq!(code, Some(code_of(&pty.screen().contents())));
    assert!(place.engines().is_empty());
}

#[test]
fn without_a_word_it_shows_the_demo() {
    let place = Place::new("");
    let mut pty = place.console([]);
    pty.shows("demo");
    pty.shows("clerks");
    pty.send("q");
    pty.shows("stop it");
    pty.send("s");
    let code = pty.ends(SOON);
    assert_eq!(code, Some(code_of(&pty.screen().contents())));
    assert!(place.engines().is_empty());
}

#[test]
fn every_view_the_help_and_the_palette_are_a_key_away() {
    let place = Place::running(LONG);
    let mut tape = place.tape();
    let mut pty = place.console(["attach"]);
    let views = [
        ("2", "histogram · all"),
        ("3", "busiest worker"),
        ("4", "nothing is broken in this window"),
        ("5", "signed   by nobody yet"),
        ("6", "first answer of each error"),
        ("1", "timeline · "),
    ];
    for (key, shown) in views {
        pty.send(key);
        pty.shows(shown);
    }
    for (_, shown) in views {
        pty.send("\t");
        pty.shows(shown);
    }
    pty.send("\x1b[Z");
    pty.shows(views[4].1);
    pty.send("1");
    pty.shows(views[5].1);

    pty.send("?");
    pty.shows("keys · 1 of");
    pty.shows("show the keys");
    pty.send("j");
    pty.shows("keys · 2 of");
    pty.send("\x1b");
    pty.hides("keys · 2 of");

    pty.send(" ");
    pty.shows("FROZEN");
    pty.send("\x1b[F");
    pty.shows("● REC");

    pty.send(":");
    pty.send("mark hello\r");
    let mark = tape.event(
        "a mark",
        |what| matches!(what, Happening::Mark { text } if text == "hello"),
    );
    let by = mark.by.unwrap();
    assert!(by.starts_with("ops@"), "{by}");
    pty.until("the mark on the screen", |screen| {
        let text = screen.contents();
        text.contains("◆ hello")
    });
    place.stop();
}

#[test]
fn what_a_key_does_is_in_the_session_and_on_the_screen() {
    let place = Place::running(LONG);
    let mut tape = place.tape();
    let mut pty = place.console(["attach"]);
    let load = |what: &Happening| matches!(what, Happening::Load { scenario: None, .. });
    let factor = |what: Happening| match what {
        Happening::Load { factor, .. } => factor,
        _ => unreachable!("only loads were wanted"),
    };

    pty.send("x");
    pty.shows("sure?");
    pty.send("y");
    let spike = tape.event("a spike", load);
    assert!((factor(spike.what) - 10.0).abs() < 1e-9);
    assert!(spike.by.is_some_and(|by| by.starts_with("ops@")));
    pty.until("a spike by hand", |screen| {
        let header = screen
            .contents()
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned();
        header.contains("10x") && header.contains("by hand")
    });
    // The way back asks nothing.
    pty.send("x");
    assert!((factor(tape.event("the way back", load).what) - 1.0).abs() < 1e-9);
    pty.until("no spike", |screen| {
        !screen
            .contents()
            .lines()
            .next()
            .unwrap_or_default()
            .contains("by hand")
    });

    pty.send("+");
    assert!((factor(tape.event("more", load).what) - 1.1).abs() < 1e-9);
    pty.send("-");
    assert!((factor(tape.event("less", load).what) - 1.0).abs() < 1e-9);
    pty.send("p");
    tape.event("a hold", |what| {
        matches!(what, Happening::Hold { on: true })
    });
    pty.shows("HELD");
    pty.send("p");
    tape.event("its end", |what| {
        matches!(what, Happening::Hold { on: false })
    });
    pty.send("s");
    pty.shows("│ 1  ▶ shoppers");
    pty.send("1");
    tape.event("the end of a scenario", |what| {
        matches!(what, Happening::Scenario { scenario: 0, .. })
    });
    pty.send("e");
    tape.event("more time", |what| {
        matches!(
            what,
            Happening::Extend {
                by_us: 60_000_000,
                ..
            }
        )
    });
    pty.send("n");
    pty.shows("sure?");
    pty.send("y");
    tape.event("a phase", |what| {
        matches!(what, Happening::Phase { phase: 1 })
    });
    pty.shows("2/2 after");
    place.stop();
    // It is said who ended it, and the screen stays until it was read.
    pty.shows("ENDED aborted");
    pty.send("x");
    pty.shows("the window has ended");
    pty.send("q");
    assert!(pty.ends(SOON).is_some());
}

#[test]
fn who_only_looks_on_cannot_act() {
    let place = Place::running(LONG);
    let mut pty = place.console(["attach", "--read-only"]);
    pty.shows("read-only");
    for key in ["x", "p", "m", "n", "+"] {
        pty.send(key);
        pty.shows("this console only looks on (--read-only)");
        pty.send("\x1b");
        pty.hides("this console only looks on");
    }
    // Nor is it asked what becomes of a window that is not its own.
    pty.send("q");
    assert_eq!(pty.ends(SOON), Some(130));
    place.stop();
}

#[test]
fn two_consoles_drive_one_window_and_see_the_same() {
    let place = Place::running(LONG);
    let mut tape = place.tape();
    let mut ann = place.console(["attach"]);
    let start: Start = place.start(["attach"]).env("USER", "bob");
    let mut bob = Pty::start(&start);
    shows_a_window(&mut bob);
    ann.send("m");
    ann.shows("─ mark");
    ann.send("from ann\r");
    bob.send("m");
    bob.shows("─ mark");
    bob.send("from bob\r");
    let mut by = Vec::new();
    for _ in 0..2 {
        let mark = tape.event("two marks", |what| matches!(what, Happening::Mark { .. }));
        by.push(mark.by.unwrap());
    }
    by.sort();
    assert!(
        by[0].starts_with("bob@") && by[1].starts_with("ops@"),
        "{by:?}"
    );
    for pty in [&mut ann, &mut bob] {
        pty.send("6");
        pty.shows("from ann");
        pty.shows("from bob");
    }
    bob.send("p");
    ann.shows("HELD");
    ann.send("p");
    bob.hides("HELD");
    ann.send("q");
    ann.shows("stop it");
    ann.send("s");
    let code = ann.ends(SOON);
    bob.shows("ENDED stopped");
    bob.send("q");
    assert_eq!(bob.ends(SOON), code);
}

#[test]
fn a_series_that_is_scraped_is_found_pinned_and_shown() {
    let watched =
        "[[target]]\nname = \"shop\"\nurl = \"embedded://shop/metrics\"\nevery = \"1s\"\n";
    let place = Place::running(&format!("{LONG}\n{watched}"));
    let mut tape = place.tape();
    let mut pty = place.console(["attach"]);
    pty.send("3");
    pty.shows("targets");
    pty.shows("up ");
    pty.send("P");
    pty.send("resident");
    pty.shows("process_resident_memory_bytes");
    pty.send("\r");
    let pinned = tape.event("the gauge", |what| matches!(what, Happening::Gauge(_)));
    assert!(pinned.by.is_some_and(|by| by.starts_with("ops@")));
    // Its value, in its unit.
    pty.shows("MiB");
    pty.shows("process_resident_memory_bytes");
}
