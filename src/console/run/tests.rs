#![allow(
    clippy::unwrap_used,
    reason = "a test says what it expects by unwrapping"
)]

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::keys::key_event;
use super::*;
use crate::console::event::Form;
use crate::console::keymap::Keymap;
use crate::console::model::{Deck, Kind, Overview, Said, Ui};
use crate::console::terminal::testing::Screen;
use crate::console::theme::Theme;
use crate::engine::command::Switch;
use crate::history::History;

const SIZE: (u16, u16) = (60, 4);

/// A model of one recording in `session`.
fn model(session: PathBuf) -> Model {
    let deck = Deck {
        session,
        kind: Kind::Replay,
        live: History::new(),
        past: None,
        offset: 0,
        overview: Overview::default(),
        log: VecDeque::new(),
        broken: None,
    };
    Model {
        decks: vec![deck],
        ui: Ui::default(),
        theme: Theme::default(),
        keymap: Keymap::default(),
    }
}

fn end() -> Wish {
    let text = String::new();
    Wish::End { text }
}

fn spike() -> Wish {
    let to = Switch::On;
    Wish::Spike { to }
}

/// Counts events in `row`, shows the last word, and asks for something with a few keys.
fn update(model: &mut Model, event: Event) -> Vec<Command> {
    model.ui.row += 1;
    let mut say = |text: String, bad| model.ui.said = Some(Said { text, bad });
    match event {
        Event::Resize(columns, rows) => model.ui.size = (columns, rows),
        Event::Answer(Ok(text)) | Event::Done(Ok(text)) => say(text, false),
        Event::Answer(Err(text)) | Event::Done(Err(text)) => say(text, true),
        Event::Key(key) => match key.code {
            KeyCode::Char('q') => return vec![Command::Wish(end()), Command::Quit],
            KeyCode::Char('x') => return vec![Command::Wish(spike())],
            KeyCode::Char('y') => return vec![Command::Copy("p99 84ms".into())],
            KeyCode::Char('s') => {
                let form = Form::Text;
                return vec![Command::Save { form, path: None }];
            }
            KeyCode::Char('j') => {
                let (speed, tick) = (Speed::Times(2.0), 7);
                let seek = Command::Seek { tick };
                let log = Command::WatchLog(true);
                return vec![seek, Command::Play { speed }, Command::Pause, log];
            }
            code => say(format!("key {code}"), false),
        },
        other => say(format!("{other:?}"), false),
    }
    Vec::new()
}

fn draw(model: &Model, frame: &mut Frame<'_>) {
    let said = model.ui.said.as_ref().map_or("", |said| said.text.as_str());
    frame.render_widget(said, frame.area());
}

const PROGRAM: Program = Program {
    update,
    draw,
    summary: |model| format!("{} steps", model.ui.row),
};

#[derive(Debug, Default)]
struct Told(Vec<String>);

impl Outside for Told {
    fn seek(&mut self, tick: u64) {
        self.0.push(format!("seek {tick}"));
    }
    fn play(&mut self, speed: Speed) {
        self.0.push(format!("play {speed:?}"));
    }
    fn pause(&mut self) {
        self.0.push("pause".to_owned());
    }
    fn watch_log(&mut self, on: bool) {
        self.0.push(format!("log {on}"));
    }
}

/// An engine that answers each wish when the test lets it.
struct Engine {
    wishes: std::sync::mpsc::Sender<Wish>,
    answers: Receiver<Result<String, String>>,
}

impl Control for Engine {
    fn wish(&mut self, wish: &Wish) -> Result<String, String> {
        self.wishes.send(wish.clone()).unwrap();
        self.answers.recv().unwrap()
    }

    fn series(&mut self, text: &str) -> Result<Vec<String>, String> {
        Ok(vec![format!("{text}_total")])
    }
}

/// A console that runs in a thread.
struct Running {
    screen: Arc<Screen>,
    sender: Sender,
    wishes: Receiver<Wish>,
    answers: std::sync::mpsc::Sender<Result<String, String>>,
    console: JoinHandle<(Outcome, Model, Vec<String>)>,
}

fn start(session: PathBuf) -> Running {
    let inbox = Inbox::new();
    let sender = inbox.sender();
    let screen = Arc::new(Screen::default());
    let (sent, wishes) = channel();
    let (answers, answer) = channel();
    let engine = Engine {
        wishes: sent,
        answers: answer,
    };
    let (out, waker) = (Arc::<Screen>::clone(&screen), inbox.sender());
    let console = std::thread::spawn(move || {
        let drained = move || waker.notice(Notice::Drained);
        let terminal = Terminal::over(out, SIZE, drained).unwrap();
        let mut told = Told::default();
        let (outcome, model) = run(
            model(session),
            terminal,
            inbox,
            PROGRAM,
            &mut told,
            Some(Box::new(engine)),
            Surroundings::default(),
        );
        (outcome, model, told.0)
    });
    Running {
        screen,
        sender,
        wishes,
        answers,
        console,
    }
}

impl Running {
    fn press(&self, character: char) {
        let key = KeyEvent::new(KeyCode::Char(character), KeyModifiers::NONE);
        self.sender.send(Event::Key(key)).unwrap();
    }

    /// Waits until the screen shows this and gives how long that took.
    fn shows(&self, text: &str) -> Duration {
        let begun = Instant::now();
        while !self.screen.seen(SIZE).screen().contents().contains(text) {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{:?}",
                self.screen.writes()
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        begun.elapsed()
    }

    fn quit(self) -> (Outcome, Model, Vec<String>) {
        self.press('q');
        self.answers.send(Ok("stopping".to_owned())).unwrap();
        self.console.join().unwrap()
    }
}

fn feed(deck: usize) -> Event {
    Event::PlayedOut { deck }
}

#[test]
fn a_key_shows_at_once_and_the_console_ends_when_it_is_left() {
    let running = start(PathBuf::from("-"));
    running.press('a');
    running.shows("key a");
    let (outcome, model, _) = running.quit();
    assert_eq!(outcome, Outcome::Quit);
    assert_eq!(model.ui.size, SIZE);
}

#[test]
fn leaving_waits_for_a_wish_that_is_on_its_way() {
    let running = start(PathBuf::from("-"));
    running.press('q');
    assert_eq!(running.wishes.recv().unwrap(), end());
    assert!(!running.console.is_finished());
    running.answers.send(Ok("stopping".to_owned())).unwrap();
    assert_eq!(running.console.join().unwrap().0, Outcome::Quit);
}

#[test]
fn an_engine_that_takes_its_time_keeps_no_key_waiting() {
    let running = start(PathBuf::from("-"));
    running.press('x');
    assert_eq!(running.wishes.recv().unwrap(), spike());
    running.press('a');
    running.shows("key a");
    let refused = Err("the spike is not allowed here".to_owned());
    running.answers.send(refused).unwrap();
    running.shows("the spike is not allowed here");
    assert_eq!(running.quit().0, Outcome::Quit);
}

#[test]
fn nothing_is_written_while_nothing_comes_in() {
    let running = start(PathBuf::from("-"));
    running.press('a');
    running.shows("key a");
    let before = running.screen.writes().len();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(running.screen.writes().len(), before);
    running.quit();
}

#[test]
fn a_flood_of_records_is_drawn_ten_times_a_second_at_most() {
    let running = start(PathBuf::from("-"));
    running.press('a');
    running.shows("key a");
    let (before, begun) = (running.screen.writes().len(), Instant::now());
    let mut deck = 0;
    while begun.elapsed() < Duration::from_millis(550) {
        running.sender.send(feed(deck)).unwrap();
        deck += 1;
    }
    let (frames, most) = (
        running.screen.writes().len() - before,
        begun.elapsed().as_millis() as usize / 100 + 1,
    );
    assert!(
        (1..=most).contains(&frames),
        "{frames} frames for {deck} events"
    );
    running.shows(&format!("deck: {}", deck - 1));
    running.quit();
}

#[test]
fn a_terminal_that_does_not_read_keeps_neither_feed_nor_keys_nor_the_end_waiting() {
    let running = start(PathBuf::from("-"));
    running.press('a');
    running.shows("key a");
    running.screen.block(true);
    for deck in 0..500 {
        running.sender.send(feed(deck)).unwrap();
    }
    running.press('x');
    assert_eq!(running.wishes.recv().unwrap(), spike());
    running.answers.send(Ok("spiking".to_owned())).unwrap();
    let begun = Instant::now();
    let (outcome, model, _) = running.quit();
    assert_eq!(outcome, Outcome::Quit);
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(model.ui.row > 500 - crate::console::inbox::ROOM);
}

#[test]
fn a_terminal_that_reads_again_shows_what_is_true_now() {
    let running = start(PathBuf::from("-"));
    running.press('a');
    running.shows("key a");
    running.screen.block(true);
    running.press('b');
    for deck in 0..200 {
        running.sender.send(feed(deck)).unwrap();
    }
    let frames = running.screen.writes().len();
    running.screen.block(false);
    running.shows("deck: 199");
    assert!(running.screen.writes().len() <= frames + 3);
    running.quit();
}

#[test]
fn a_terminal_that_is_gone_ends_the_console() {
    let running = start(PathBuf::from("-"));
    running.press('a');
    running.shows("key a");
    running.screen.gone.store(true, Ordering::SeqCst);
    running.press('b');
    assert_eq!(running.console.join().unwrap().0, Outcome::Gone);
}

#[test]
fn signals_end_it() {
    for (notice, outcome) in [
        (Notice::Hangup, Outcome::Gone),
        (Notice::Terminate, Outcome::Terminated),
    ] {
        let running = start(PathBuf::from("-"));
        running.sender.notice(notice);
        assert_eq!(running.console.join().unwrap().0, outcome);
        assert!(!running.screen.seen(SIZE).screen().alternate_screen());
    }
}

#[test]
fn being_continued_draws_everything_anew() {
    let running = start(PathBuf::from("-"));
    running.press('a');
    running.shows("key a");
    running.sender.notice(Notice::Continued);
    while running
        .screen
        .writes()
        .concat()
        .matches("\x1b[?1049h")
        .count()
        < 2
    {
        std::thread::yield_now();
    }
    running.shows("key a");
    running.quit();
}

#[test]
fn the_feed_is_told_in_order() {
    let running = start(PathBuf::from("-"));
    running.press('j');
    let (_, _, told) = running.quit();
    assert_eq!(told, ["seek 7", "play Times(2.0)", "pause", "log true"]);
}

#[test]
fn a_copy_goes_to_the_terminal_and_is_confirmed() {
    let running = start(PathBuf::from("-"));
    running.press('y');
    running.shows("sent 8 characters to the clipboard");
    let writes = running.screen.writes().concat();
    assert!(writes.contains("\x1b]52;c;cDk5IDg0bXM=\x07"), "{writes:?}");
    running.quit();
}

#[test]
fn a_saved_screen_lies_beside_its_session_and_overwrites_none() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path().join("night.jsonl.zst"));
    running.press('a');
    running.shows("key a");
    running.press('s');
    running.shows("night-0.txt");
    running.press('s');
    running.shows("night-0-2.txt");
    running.quit();
    let saved = std::fs::read_to_string(dir.path().join("night-0.txt")).unwrap();
    assert_eq!(saved.lines().next(), Some("key a"));
}

#[test]
fn of_the_keys_that_a_terminal_reports_only_presses_count() {
    use crossterm::event::Event as Terminal;
    let mut key = KeyEvent::new(KeyCode::Char('a'), KeyModifiers::NONE);
    assert!(key_event(Terminal::Key(key)).is_some());
    key.kind = KeyEventKind::Release;
    assert!(key_event(Terminal::Key(key)).is_none());
    assert!(key_event(Terminal::FocusGained).is_none());
}

#[test]
fn a_picture_is_due_at_once_after_a_key_and_in_its_turn_after_records() {
    let start = Instant::now();
    let mut pace = Pace::new(start);
    assert_eq!(pace.due(), Some(start + AFTER_KEY));
    pace.drawn(start);
    assert_eq!(pace.due(), None);
    pace.changed();
    assert_eq!(pace.due(), Some(start + EVERY));
    pace.pressed();
    pace.changed();
    assert_eq!(pace.due(), Some(start + AFTER_KEY));
    pace.busy();
    assert_eq!(pace.due(), None);
    pace.free();
    assert_eq!(pace.due(), Some(start + AFTER_KEY));
}
