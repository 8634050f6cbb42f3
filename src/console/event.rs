//! What comes into the console and what goes out of it.

use std::path::PathBuf;

use crossterm::event::KeyEvent;

use super::model::{Overview, Side};
use crate::engine::control::Wish;
use crate::history::History;
use crate::session::record::Record;

/// Something that happened outside of the model.
#[derive(Debug)]
pub enum Event {
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted.
    Paste(String),
    /// The terminal has another size now: columns, rows.
    Resize(u16, u16),
    /// The next records of a session.
    Records {
        /// Which session.
        deck: usize,
        /// Whether they come from its growing end or from a place that is being played.
        side: Side,
        /// In the order of the file.
        records: Vec<Record>,
    },
    /// A place was sought: the fold of everything up to it.
    Sought {
        /// Which session.
        deck: usize,
        /// What it replaces.
        side: Side,
        /// As far as the place.
        history: Box<History>,
    },
    /// The whole recording at a glance; comes again as it grows.
    Overview {
        /// Which session.
        deck: usize,
        /// At a glance.
        overview: Box<Overview>,
    },
    /// Playing stopped at the end of the recording.
    PlayedOut {
        /// Which session.
        deck: usize,
    },
    /// The file could not be read on.
    Broken {
        /// Which session.
        deck: usize,
        /// A sentence.
        why: String,
    },
    /// The newest lines of the engine's log.
    Log {
        /// Which session.
        deck: usize,
        /// Oldest first.
        lines: Vec<String>,
    },
    /// What the engine said to a wish: what it did, or why not.
    Answer(Result<String, String>),
    /// The scraped series that the engine knows for a text that was looked for.
    Series {
        /// The text.
        text: String,
        /// Their names.
        found: Vec<String>,
    },
    /// What became of a copy or a file that was to be written: a sentence, good or bad.
    Done(Result<String, String>),
}

/// Something that should happen outside of the model.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Send the engine a wish.
    Wish(Wish),
    /// Ask the engine which scraped series hold these words; the answer is an [`Event::Series`].
    Find(String),
    /// Show another moment of these sessions.
    Seek {
        /// The tick to show last, in the first deck's count.
        tick: u64,
    },
    /// Play on from the moment shown.
    Play {
        /// How fast.
        speed: Speed,
    },
    /// Stop playing.
    Pause,
    /// Read the engine's log from now on, or no longer.
    WatchLog(bool),
    /// Put text on the clipboard of the terminal.
    Copy(String),
    /// Put the summary of what is shown on the clipboard of the terminal.
    CopySummary,
    /// Write what is on screen to a file.
    Save {
        /// In which form.
        form: Form,
        /// Where; next to the session when `None`.
        path: Option<PathBuf>,
    },
    /// Give the terminal back until the shell continues us.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// End the console. The window goes on.
    Quit,
}

/// How fast a recording plays.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Speed {
    /// So many times as fast as it happened.
    Times(f64),
    /// One tick, then pause.
    #[default]
    Step,
    /// As fast as it can be read.
    Unbounded,
}

/// The form of a saved screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Characters only.
    Text,
    /// A picture.
    Svg,
    /// A page.
    Html,
}
