//! The loop and the terminal as a program of their own, with a model that shows the last key: this test binary starts
//! itself once more inside a pseudo terminal.

use std::io::Write as _;

use crossterm::event::{KeyCode, KeyModifiers};
use ratatui::Frame;
use stormdeck::console::event::{Command, Event, Speed};
use stormdeck::console::inbox::Inbox;
use stormdeck::console::keymap::Keymap;
use stormdeck::console::model::{Model, Said, Ui};
use stormdeck::console::run::{self, Outcome, Outside, Program, Surroundings};
use stormdeck::console::theme::Theme;

use crate::pty::Start;

/// The variable that says that this is the inner one.
const INNER: &str = "STORMDECK_TEST_STAGE";

/// Starts it.
pub fn start() -> Start {
    let this = std::env::current_exe().unwrap();
    let this = this.to_str().expect("the place of a test is text");
    Start::program(this)
        .arg("--exact")
        .arg("stage::play")
        .arg("--nocapture")
        .env(INNER, "1")
        .size(60, 6)
}

/// The command line of the same, for a shell.
pub fn command() -> String {
    let this = std::env::current_exe().unwrap();
    format!(
        "{INNER}=1 {} --exact stage::play --nocapture",
        this.display()
    )
}

/// Not a test by itself: the inner program.
#[test]
fn play() {
    if std::env::var_os(INNER).is_none() {
        return;
    }
    let inbox = Inbox::new();
    let program = Program {
        update,
        draw,
        summary: |_| String::new(),
    };
    let around = Surroundings::default();
    let left = run::on_terminal(model(), inbox, program, &mut Nothing, None, around);
    let (outcome, _) = left.unwrap();
    // Nobody may be there to read it.
    let _ = writeln!(std::io::stdout(), "left: {outcome:?}");
    std::process::exit(match outcome {
        Outcome::Quit => 0,
        Outcome::Terminated => 3,
        Outcome::Gone => 4,
    });
}

struct Nothing;

impl Outside for Nothing {
    fn seek(&mut self, _: u64) {}
    fn play(&mut self, _: Speed) {}
    fn pause(&mut self) {}
    fn watch_log(&mut self, _: bool) {}
}

fn model() -> Model {
    Model {
        decks: Vec::new(),
        ui: Ui::default(),
        theme: Theme::default(),
        keymap: Keymap::default(),
    }
}

fn update(model: &mut Model, event: Event) -> Vec<Command> {
    let mut say = |text: String, bad| model.ui.said = Some(Said { text, bad });
    match event {
        Event::Resize(columns, rows) => model.ui.size = (columns, rows),
        Event::Paste(text) => say(format!("pasted {text}"), false),
        Event::Done(Ok(text)) => say(text, false),
        Event::Done(Err(text)) => say(text, true),
        Event::Key(key) => match (key.code, key.modifiers) {
            (KeyCode::Char('q'), _) => return vec![Command::Quit],
            (KeyCode::Char('z'), KeyModifiers::CONTROL) => return vec![Command::Suspend],
            (KeyCode::Char('l'), KeyModifiers::CONTROL) => return vec![Command::Redraw],
            (KeyCode::Char('p'), _) => panic!("a mistake of ours"),
            (KeyCode::Char('t'), _) => {
                std::thread::spawn(|| panic!("a mistake elsewhere"));
            }
            (code, modifiers) => say(format!("key {modifiers} {code}"), false),
        },
        other => say(format!("{other:?}"), false),
    }
    Vec::new()
}

fn draw(model: &Model, frame: &mut Frame<'_>) {
    let said = model
        .ui
        .said
        .as_ref()
        .map_or("ready", |said| said.text.as_str());
    let (columns, rows) = model.ui.size;
    // Every cell is drawn, so that a frame has some size.
    let mut lines = vec![said.to_owned(), format!("{columns} by {rows}")];
    let fill = said.chars().last().unwrap_or(' ').to_string();
    lines.extend((2..rows).map(|_| fill.repeat(usize::from(columns))));
    frame.render_widget(lines.join("\n"), frame.area());
}
