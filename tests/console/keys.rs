//! Every key of the keymap, pressed.

use stormdeck::console::keymap::{ACTIONS, Action};

use crate::pty::Pty;
use crate::support::SOON;
use crate::window::{LONG, Place};

/// What a terminal sends for a key, by its name in the keymap.
fn sent(key: &str) -> String {
    let sequence = match key {
        "space" => " ",
        "end" => "\x1b[F",
        "home" => "\x1b[H",
        "tab" => "\t",
        "backtab" => "\x1b[Z",
        "left" => "\x1b[D",
        "right" => "\x1b[C",
        "up" => "\x1b[A",
        "down" => "\x1b[B",
        "pageup" => "\x1b[5~",
        "pagedown" => "\x1b[6~",
        "esc" => ESC,
        _ => match (key.strip_prefix("ctrl-"), key.strip_prefix("shift-")) {
            (Some(letter), _) => return char::from(letter.as_bytes()[0] & 0x1f).to_string(),
            (_, Some(letter)) => return letter.to_uppercase(),
            (None, None) => key,
        },
    };
    sequence.to_owned()
}

/// Twice, or what follows could be taken for the rest of a sequence.
const ESC: &str = "\x1b\x1b";

/// The console still answers: it opens the palette and closes it again.
fn answers(pty: &mut Pty, after: &str) {
    pty.send(":");
    pty.until(&format!("the palette after {after:?}"), |screen| {
        screen.contents().contains("─ command ─")
    });
    pty.send(ESC);
    pty.hides("─ command ─");
}

/// Presses every key but those that end the console, and takes back what it opened.
fn press_all(pty: &mut Pty) {
    for definition in ACTIONS.iter().filter(|it| it.action != Action::Quit) {
        for key in definition.keys.split(' ') {
            pty.send(&sent(key));
            if definition.action == Action::Lock {
                pty.shows("keys do nothing until");
                pty.send(&sent(key));
                pty.hides("keys do nothing until");
            }
            // A question in a menu, the menu, a selected moment.
            for _ in 0..3 {
                pty.send(ESC);
            }
            answers(pty, definition.name);
        }
    }
}

#[test]
fn every_key_can_be_pressed_in_a_running_window() {
    let place = Place::running(LONG);
    let mut pty = place.console(["attach"]);
    press_all(&mut pty);
    pty.send("q");
    pty.shows("leave it running");
    pty.send("l");
    assert_eq!(pty.ends(SOON), Some(130));
    place.stop();
}

#[test]
fn every_key_can_be_pressed_in_a_recording() {
    let place = Place::recorded(SHORT);
    let mut pty = place.console(["replay"]);
    press_all(&mut pty);
    pty.send("q");
    assert_eq!(pty.ends(SOON), Some(0));
}

/// A second of a window.
const SHORT: &str = r#"
[window]
name = "short"
tick = "100ms"
duration = "1s"
[[scenario]]
name = "shoppers"
target = "embedded://shop?servers=0&service=fixed:1ms"
rate = "50/s"
get = "/"
"#;
