//! Everything that is on screen, as data.
//!
//! Only [`update`](fn@super::update) changes it. Nothing in here knows of a terminal, a file or the time.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use tui_input::Input;

use super::event::Speed;
use super::keymap::Keymap;
use super::theme::Theme;
use crate::engine::control::Wish;
use crate::history::History;

/// The whole console.
#[derive(Debug)]
pub struct Model {
    /// The sessions shown: one, or two side by side.
    pub decks: Vec<Deck>,
    /// What the operator chose to see.
    pub ui: Ui,
    /// Colours and glyphs.
    pub theme: Theme,
    /// Which key does what.
    pub keymap: Keymap,
}

/// Where a deck's records come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A window that runs, or ran while it was watched.
    Live,
    /// A recording.
    Replay,
}

/// Which of a deck's histories records belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The growing end of the file.
    Live,
    /// A place that is being played.
    Past,
}

/// One session and how far it is shown.
#[derive(Debug)]
pub struct Deck {
    /// The session file; `-` for standard input.
    pub session: PathBuf,
    /// Running window or recording.
    pub kind: Kind,
    /// The fold up to the growing end. Goes on whatever is shown. Empty in a replay.
    pub live: History,
    /// The moment shown instead, while frozen, rewound or replayed.
    pub past: Option<History>,
    /// Ticks to add to the first deck's count to get this deck's, so that both stand at the same place of a phase.
    pub offset: i64,
    /// The whole recording at a glance, for the scrubber.
    pub overview: Overview,
    /// The newest lines of the engine's log, oldest first.
    pub log: VecDeque<String>,
    /// Why the file cannot be read on.
    pub broken: Option<String>,
}

impl Deck {
    /// What is shown: the past when there is one, else the growing end.
    pub fn shown(&self) -> &History {
        self.past.as_ref().unwrap_or(&self.live)
    }

    /// Whether the window can still be told something.
    pub fn can_act(&self) -> bool {
        self.kind == Kind::Live && self.live.end().is_none() && self.broken.is_none()
    }

    /// The tick that is shown last; 0 before the first.
    pub fn tick(&self) -> u64 {
        self.shown().last().map_or(0, |last| last.tick)
    }
}

/// A whole recording in a few hundred cells.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Overview {
    /// First tick of the recording.
    pub from: u64,
    /// Last tick of the recording so far.
    pub to: u64,
    /// Equal stretches from `from` to `to`.
    pub cells: Vec<Cell>,
    /// Where to jump, in ascending order.
    pub places: Vec<Place>,
}

/// One stretch of an overview.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Cell {
    /// Requests a second; `None` where nothing was recorded.
    pub rate: Option<f64>,
    /// Failed requests, as a share of all.
    pub errors: f64,
}

/// A moment worth jumping to.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// Its tick.
    pub tick: u64,
    /// What it is.
    pub kind: PlaceKind,
    /// A few words.
    pub text: String,
}

/// Kinds of places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceKind {
    /// A phase began.
    Phase,
    /// A gate failed.
    Breach,
    /// A person's note.
    Mark,
    /// A fault changed its state.
    Fault,
    /// Anything else.
    Other,
}

/// What the operator chose to see.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each can be on or off whatever the others are"
)]
pub struct Ui {
    /// The size of the terminal: columns, rows.
    pub size: (u16, u16),
    /// The view.
    pub view: View,
    /// How much time the charts span.
    pub span: Span,
    /// Response or service time.
    pub time: TimeKind,
    /// Which step the latencies are of, an index into the names of steps; all when `None`.
    pub step: Option<usize>,
    /// The span that the histogram of the latency view covers.
    pub over: Over,
    /// A moment selected on the charts: its tick.
    pub cursor: Option<u64>,
    /// The row selected in the view's table or list.
    pub row: usize,
    /// First line of text shown, where a view scrolls.
    pub scroll: usize,
    /// The column by which the steps are sorted, and whether downwards.
    pub sort: (usize, bool),
    /// Only what contains this, in scenarios, steps and events.
    pub filter: String,
    /// Gauges of several series that the operator opened, or closed; for the others it depends on the room.
    pub opened: BTreeMap<String, bool>,
    /// Series that are shown among the resources of this console, by their names.
    pub pinned: Vec<String>,
    /// What lies over the view and gets the keys.
    pub overlay: Overlay,
    /// Keys pressed of a sequence such as `s` `w`.
    pub pending: Vec<crossterm::event::KeyEvent>,
    /// The word said last, until the next key.
    pub said: Option<Said>,
    /// Keys do nothing until unlocked.
    pub locked: bool,
    /// Wishes are refused.
    pub read_only: bool,
    /// The past that is shown is a picture of the moment at which it was frozen.
    pub frozen: bool,
    /// The console ends with the window.
    pub leave_at_end: bool,
    /// How a recording plays; `None` while it stands.
    pub playing: Option<Speed>,
    /// The speed that playing begins with.
    pub speed: f64,
}

impl Default for Ui {
    fn default() -> Self {
        Self {
            size: (120, 36),
            view: View::default(),
            span: Span::default(),
            time: TimeKind::default(),
            step: None,
            over: Over::default(),
            cursor: None,
            row: 0,
            scroll: 0,
            sort: (0, false),
            filter: String::new(),
            opened: BTreeMap::new(),
            pinned: Vec::new(),
            overlay: Overlay::default(),
            pending: Vec::new(),
            said: None,
            locked: false,
            read_only: false,
            frozen: false,
            leave_at_end: false,
            playing: None,
            speed: 1.0,
        }
    }
}

/// The views.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum View {
    /// Everything at once.
    #[default]
    Overview,
    /// Heat map, histogram, percentile curves, steps.
    Latency,
    /// Gauges and the generator itself.
    Resources,
    /// Faults and recovery.
    Faults,
    /// Gates and sign-off.
    Gates,
    /// Events, slowest requests, error samples, log.
    Events,
}

impl View {
    /// Every view, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Overview,
        Self::Latency,
        Self::Resources,
        Self::Faults,
        Self::Gates,
        Self::Events,
    ];

    /// Its title.
    pub fn name(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Latency => "latency",
            Self::Resources => "resources",
            Self::Faults => "faults",
            Self::Gates => "gates",
            Self::Events => "events",
        }
    }
}

/// How much time the charts span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
pub enum Span {
    /// A minute.
    Minute,
    /// Five.
    #[default]
    Five,
    /// Fifteen.
    Quarter,
    /// An hour.
    Hour,
    /// Three.
    Three,
    /// Twelve.
    Twelve,
    /// All of it.
    Whole,
}

impl Span {
    /// Every span, shortest first.
    pub const ALL: [Self; 7] = [
        Self::Minute,
        Self::Five,
        Self::Quarter,
        Self::Hour,
        Self::Three,
        Self::Twelve,
        Self::Whole,
    ];

    /// Its length, seconds; `None` for the whole window.
    pub fn seconds(self) -> Option<u64> {
        match self {
            Self::Minute => Some(60),
            Self::Five => Some(300),
            Self::Quarter => Some(900),
            Self::Hour => Some(3_600),
            Self::Three => Some(10_800),
            Self::Twelve => Some(43_200),
            Self::Whole => None,
        }
    }

    /// As it is written in titles.
    pub fn name(self) -> &'static str {
        match self {
            Self::Minute => "1 min",
            Self::Five => "5 min",
            Self::Quarter => "15 min",
            Self::Hour => "1 h",
            Self::Three => "3 h",
            Self::Twelve => "12 h",
            Self::Whole => "whole window",
        }
    }
}

/// Which of the two times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TimeKind {
    /// From due to the last byte.
    #[default]
    Response,
    /// From sent to the last byte.
    Service,
}

impl TimeKind {
    /// As it is written in titles.
    pub fn name(self) -> &'static str {
        match self {
            Self::Response => "response time",
            Self::Service => "service time",
        }
    }
}

/// What a histogram covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Over {
    /// The last ten seconds.
    #[default]
    Ten,
    /// The phase so far.
    Phase,
    /// The window so far.
    Window,
}

impl Over {
    /// As it is written in titles.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ten => "last 10 s",
            Self::Phase => "this phase",
            Self::Window => "whole window",
        }
    }
}

/// What lies over the view and gets the keys.
#[derive(Debug, Clone, Default)]
pub enum Overlay {
    /// Nothing.
    #[default]
    None,
    /// The keys.
    Help,
    /// `:`
    Palette {
        /// What was typed.
        input: Input,
        /// The lines that it could become.
        completions: Vec<String>,
        /// The completion chosen.
        chosen: usize,
    },
    /// A series is looked for, to pin it.
    Pick {
        /// What was typed.
        input: Input,
        /// Series that it could mean, the best first.
        found: Vec<String>,
        /// The series chosen.
        chosen: usize,
    },
    /// A text is asked for: `/`, a mark, a place to seek.
    Prompt {
        /// What for.
        asks: Asks,
        /// What was typed.
        input: Input,
    },
    /// Something dangerous is asked about once.
    Confirm {
        /// The question.
        question: String,
        /// The answers: key, word, and what it does.
        answers: Vec<(char, &'static str, Consent)>,
    },
    /// The list of scenarios or faults with their keys.
    Menu(Menu),
}

/// What a prompt asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// A filter.
    Filter,
    /// A note for the timeline.
    Mark,
    /// A place in a recording: `12:30`, `40%`.
    Place,
}

/// What an answer does.
#[derive(Debug, Clone, PartialEq)]
pub enum Consent {
    /// Sends this wish.
    Wish(Wish),
    /// Leaves the console; the window goes on.
    Leave,
    /// Ends the window, then the console.
    Stop,
    /// Nothing.
    Back,
}

/// A list whose entries have keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Menu {
    /// Scenarios, to start and stop.
    Scenarios,
    /// Faults, to switch on and off.
    Faults,
    /// Phases, to jump to.
    Phases,
}

/// A word to the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The sentence.
    pub text: String,
    /// Whether something was refused or failed.
    pub bad: bool,
}
