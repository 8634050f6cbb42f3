//! The loop: everything that waits is taken in, then the picture is drawn, at most once in a while.
//!
//! ```text
//!   keys ────┐                        ┌──▶ Terminal      one write a frame
//!   feed ────┼──▶ Inbox ──▶ update ──▶┼──▶ Outside       the feed: seek, play, pause
//!   answers ─┤                        ├──▶ Control       wishes to the engine, from a thread of their own
//!   signals ─┘                        └──▶ clipboard, files
//! ```
//!
//! The invariants: nothing is drawn when nothing came in; a key is answered at once; records are drawn at most
//! [`EVERY`]; and nothing outside, neither the terminal nor the engine nor a disk, keeps the loop waiting.

mod act;
pub mod keys;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ratatui::Frame;

use super::event::{Command, Event, Speed};
use super::inbox::{Inbox, Message, Notice, Sender};
use super::model::Model;
use super::signals;
use super::terminal::{Drawn, Terminal};
use crate::engine::control::Wish;

use act::Wishes;

/// The shortest time between two pictures that nobody pressed a key for.
pub const EVERY: Duration = Duration::from_millis(100);

/// The shortest time between two pictures: a key that is held down repeats faster than anyone can see.
pub const AFTER_KEY: Duration = Duration::from_millis(16);

/// How long records are taken in before a picture that is due is drawn all the same.
const BUDGET: Duration = Duration::from_millis(10);

/// How long the console waits at its end for wishes that are on their way to the engine.
const FAREWELL: Duration = Duration::from_secs(3);

/// The feed, as the loop sees it. Each call returns at once; what comes of it comes in as an [`Event`].
pub trait Outside {
    /// Shows another moment: the fold up to this tick of the first deck, then nothing until played.
    fn seek(&mut self, tick: u64);
    /// Plays on from the moment shown.
    fn play(&mut self, speed: Speed);
    /// Stops playing.
    fn pause(&mut self);
    /// Reads the engine's log from now on, or no longer.
    fn watch_log(&mut self, on: bool);
}

/// The engine, as the loop sees it. A call may take as long as the engine does: it comes from a thread of its own.
pub trait Control: Send {
    /// Sends a wish and gives what the engine did, or why not.
    ///
    /// # Errors
    /// A sentence: refused, not reached.
    fn wish(&mut self, wish: &Wish) -> Result<String, String>;

    /// Asks for the names of the scraped series that hold these words.
    ///
    /// # Errors
    /// A sentence: refused, not reached.
    fn series(&mut self, text: &str) -> Result<Vec<String>, String>;
}

/// The pure functions that the console consists of.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// What an event changes and asks for.
    pub update: fn(&mut Model, Event) -> Vec<Command>,
    /// What it looks like.
    pub draw: fn(&Model, &mut Frame<'_>),
    /// The summary of what is shown, to copy.
    pub summary: fn(&Model) -> String,
}

/// What the loop needs to know of its surroundings.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The terminal is inside tmux: what is meant for the one outside has to be wrapped.
    pub tmux: bool,
    /// The theme is made for a light background: screens are saved on light paper.
    pub light: bool,
    /// Where screens are saved when no place is given; the session's folder when `None`.
    pub saves: Option<PathBuf>,
    /// Keys that come sooner than this after the start are not keys but a late answer of the terminal, as
    /// [`capability::theme`](super::capability::theme) says.
    pub deaf: Duration,
}

/// Why the console ended. The window goes on in every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The operator left.
    Quit,
    /// A signal asked for it.
    Terminated,
    /// The terminal is gone: there is nobody to tell anything.
    Gone,
}

/// Takes this process's terminal, its signals and its keyboard over, runs the console, and gives them back.
///
/// # Errors
/// When there is no terminal, or the system refuses.
pub fn on_terminal(
    model: Model,
    inbox: Inbox,
    program: Program,
    outside: &mut dyn Outside,
    control: Option<Box<dyn Control>>,
    around: Surroundings,
) -> io::Result<(Outcome, Model)> {
    signals::listen(inbox.sender())?;
    let drained = inbox.sender();
    let ascii = model.theme.glyphs.ascii;
    let terminal = Terminal::open(ascii, move || drained.notice(Notice::Drained))?;
    let keys = keys::listen(inbox.sender(), around.deaf)?;
    let left = run(model, terminal, inbox, program, outside, control, around);
    drop(keys);
    Ok(left)
}

/// Runs the console until it ends, and gives the model back as it was then.
pub fn run(
    model: Model,
    terminal: Terminal,
    inbox: Inbox,
    program: Program,
    outside: &mut dyn Outside,
    control: Option<Box<dyn Control>>,
    around: Surroundings,
) -> (Outcome, Model) {
    let wishes = Wishes::start(control, inbox.sender());
    let mut console = Console {
        model,
        terminal,
        program,
        outside,
        wishes,
        sender: inbox.sender(),
        inbox,
        around,
        todo: VecDeque::new(),
        pace: Pace::new(Instant::now()),
        stopped: false,
    };
    let size = console.terminal.size();
    console.take_in(Event::Resize(size.0, size.1));
    let outcome = console.turn();
    // First the terminal, so that nobody looks at a dead screen while the last wishes are on their way.
    drop(console.terminal);
    console.wishes.finish(FAREWELL);
    (outcome, console.model)
}

/// The console while it runs.
struct Console<'o> {
    model: Model,
    terminal: Terminal,
    program: Program,
    outside: &'o mut dyn Outside,
    wishes: Wishes,
    sender: Sender,
    inbox: Inbox,
    around: Surroundings,
    /// Commands that the model gave and that are not done yet.
    todo: VecDeque<Command>,
    pace: Pace,
    /// The terminal is the shell's until a CONT comes. Stopping takes a moment, so the loop may still turn meanwhile.
    stopped: bool,
}

impl Console<'_> {
    fn turn(&mut self) -> Outcome {
        loop {
            if let Some(outcome) = self.drain() {
                return outcome;
            }
            if self.terminal.lost() && !self.stopped {
                return Outcome::Gone;
            }
            let now = Instant::now();
            if self.pace.due().is_some_and(|due| due <= now) {
                self.draw(now);
            }
            self.inbox.wait(self.pace.due());
        }
    }

    /// Takes in what waits, but no longer than [`BUDGET`] at a time.
    fn drain(&mut self) -> Option<Outcome> {
        let until = Instant::now() + BUDGET;
        while let Some(message) = self.inbox.take() {
            let outcome = match message {
                Message::Event(event) => self.take_in(event),
                Message::Notice(notice) => self.heed(notice),
            };
            if outcome.is_some() || Instant::now() >= until {
                return outcome;
            }
        }
        None
    }

    fn take_in(&mut self, event: Event) -> Option<Outcome> {
        match event {
            Event::Resize(columns, rows) => {
                self.terminal.resize((columns, rows));
                self.pace.changed();
            }
            // Another moment is what a key asked for.
            Event::Key(_) | Event::Paste(_) | Event::Sought { .. } => self.pace.pressed(),
            Event::Records { .. }
            | Event::Overview { .. }
            | Event::PlayedOut { .. }
            | Event::Broken { .. }
            | Event::Log { .. }
            | Event::Answer(_)
            | Event::Series { .. }
            | Event::Done(_) => self.pace.changed(),
        }
        self.todo
            .extend((self.program.update)(&mut self.model, event));
        while let Some(command) = self.todo.pop_front() {
            if let Some(outcome) = self.execute(command) {
                return Some(outcome);
            }
        }
        None
    }

    fn heed(&mut self, notice: Notice) -> Option<Outcome> {
        match notice {
            Notice::Hangup => return Some(Outcome::Gone),
            Notice::Terminate => return Some(Outcome::Terminated),
            Notice::Stop => self.suspend(),
            // Whoever stopped us, the terminal is since then as the shell wanted it.
            Notice::Continued => {
                self.stopped = false;
                self.enter();
            }
            Notice::Resized => {
                let size = self.terminal.measure();
                // Whole even if the size is the same: one that came and went has cut what was shown.
                self.terminal.redraw();
                return self.take_in(Event::Resize(size.0, size.1));
            }
            Notice::Drained => self.pace.free(),
        }
        None
    }

    fn draw(&mut self, now: Instant) {
        let (model, draw) = (&self.model, self.program.draw);
        match self.terminal.draw(|frame| draw(model, frame)) {
            Drawn::Bytes(_) | Drawn::Nothing => self.pace.drawn(now),
            Drawn::Busy => self.pace.busy(),
        }
    }

    /// Gives the terminal to the shell until it continues us.
    fn suspend(&mut self) {
        self.terminal.leave();
        self.stopped = true;
        if let Err(why) = signals::stop_here() {
            self.stopped = false;
            self.enter();
            // Whether the inbox still stands is not in question here: it is ours.
            let _ = self.sender.send(Event::Done(Err(why)));
        }
    }

    fn enter(&mut self) {
        if self.terminal.enter().is_err() {
            self.sender.notice(Notice::Hangup);
        }
        let (columns, rows) = self.terminal.size();
        let _ = self.sender.send(Event::Resize(columns, rows));
    }
}

/// When to draw next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pace {
    last: Instant,
    wants: Wants,
    /// The terminal has yet to take the last picture; it will say when it has.
    busy: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wants {
    /// The picture is up to date.
    Nothing,
    /// A picture, in its turn.
    Soon,
    /// A picture, as soon as may be.
    Now,
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self {
            last: now,
            wants: Wants::Now,
            busy: false,
        }
    }

    fn changed(&mut self) {
        self.wants = self.wants.max(Wants::Soon);
    }

    fn pressed(&mut self) {
        self.wants = Wants::Now;
    }

    fn busy(&mut self) {
        self.busy = true;
    }

    fn free(&mut self) {
        self.busy = false;
    }

    fn drawn(&mut self, now: Instant) {
        *self = Self {
            wants: Wants::Nothing,
            ..Self::new(now)
        };
    }

    /// The moment to draw at; `None` while there is nothing to draw, or no way to.
    fn due(&self) -> Option<Instant> {
        let wait = match self.wants {
            Wants::Nothing => return None,
            Wants::Soon => EVERY,
            Wants::Now => AFTER_KEY,
        };
        if self.busy {
            return None;
        }
        Some(self.last + wait)
    }
}
