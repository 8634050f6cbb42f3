//! The console on a real terminal, wired to a feed and to an engine: what `run`, `attach`, `replay` and the bare command
//! share.

use std::collections::VecDeque;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{COULD_NOT, could_not, tell};
use crate::console::capability::{self, Asked, Environment};
use crate::console::config;
use crate::console::event::Speed;
use crate::console::feed::{Feed, Source};
use crate::console::inbox::Inbox;
use crate::console::model::{Deck, Kind, Model, Overview, Ui};
use crate::console::run::{Control, Outcome, Outside, Program, Surroundings, on_terminal};
use crate::console::theme::{Depth, Name};
use crate::console::{plain, screen, signals, update};
use crate::engine::control::{Client, SendError, Wish};
use crate::history::History;
use crate::report::{Summary, text};
use crate::verdict;

/// How the console looks.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ScreenArgs {
    /// Print a line for every tick instead of a screen, for screen readers and dumb terminals
    #[arg(long)]
    pub plain: bool,
    /// Draw with ASCII only
    #[arg(long)]
    pub ascii: bool,
    /// The theme: auto, dark, light, high-contrast, colour-blind
    #[arg(long, value_name = "NAME")]
    pub theme: Option<Name>,
    /// How many colours: none, 16, 256, true; found out if left out
    #[arg(long, value_name = "DEPTH")]
    pub colours: Option<Depth>,
}

/// What the console is to show.
#[derive(Debug, Default)]
pub struct Shown {
    /// One session, or two.
    pub sources: Vec<Source>,
    /// Ticks to add to the first deck's count to get the second's.
    pub offset: i64,
    /// The console may not act.
    pub read_only: bool,
    /// Begin to play at this speed.
    pub play: Option<f64>,
    /// Begin at this tick.
    pub at: Option<u64>,
}

/// How the console ended.
#[derive(Debug)]
pub enum Left {
    /// There was none: a sentence was said, and this is the exit code.
    Refused(ExitCode),
    /// It was left, or lost.
    Closed {
        /// Whether the window had ended by then, as far as was read.
        ended: bool,
        /// The terminal is gone: there is nobody to print anything for.
        gone: bool,
    },
}

/// Whether a console can be had here: someone looks at a screen and has keys.
pub fn has_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Runs the console until it is left.
///
/// # Errors
/// When the session, the terminal or a thread cannot be had.
pub fn show(shown: Shown, args: &ScreenArgs) -> Result<Left, Box<dyn std::error::Error>> {
    let env = Environment::of_process();
    let config = match config::load(&env) {
        Ok(config) => config,
        Err(error) => {
            tell(&error.render(super::colour(&std::io::stderr())));
            return Ok(Left::Refused(ExitCode::from(COULD_NOT)));
        }
    };
    let inbox = Inbox::new();
    if args.plain {
        signals::listen(inbox.sender())?;
        return in_lines(shown, &inbox);
    }
    let asked = Asked {
        theme: args.theme,
        colours: args.colours,
        ascii: args.ascii.then_some(true),
    }
    .or(config.asked);
    let capability = match capability::find(&env, asked) {
        Ok(capability) => capability,
        Err(dumb) => return Ok(Left::Refused(could_not("open the console", &dumb))),
    };
    let look = capability::theme(&capability, asked, capability::ask);
    let model = Model {
        decks: decks(&shown),
        ui: Ui {
            read_only: shown.read_only,
            speed: shown.play.unwrap_or(1.0),
            playing: shown.play.map(Speed::Times),
            said: config
                .warnings
                .first()
                .map(|text| crate::console::model::Said {
                    text: text.clone(),
                    bad: true,
                }),
            ..Ui::default()
        },
        keymap: config.keymap,
        theme: look.theme,
    };
    let control = control(&shown);
    let mut feed = open(shown, &inbox)?;
    let program = Program {
        update,
        draw: screen::draw,
        summary: |model| summary(&model.decks[0].session, model.decks[0].shown()),
    };
    let around = Surroundings {
        tmux: capability.tmux,
        light: look.light,
        saves: None,
        deaf: look.deaf,
    };
    let (outcome, model) = on_terminal(model, inbox, program, &mut feed, control, around)?;
    Ok(Left::Closed {
        ended: model.decks[0].live.end().is_some() || model.decks[0].kind == Kind::Replay,
        gone: outcome == Outcome::Gone,
    })
}

/// The window in lines.
fn in_lines(shown: Shown, inbox: &Inbox) -> Result<Left, Box<dyn std::error::Error>> {
    let live = shown
        .sources
        .iter()
        .any(|source| matches!(source, Source::Live(_)));
    let feed = open(shown, inbox)?;
    if !live {
        feed.0.play(Speed::Unbounded);
    }
    let outcome = plain::run(inbox, &mut std::io::stdout().lock());
    Ok(Left::Closed {
        ended: outcome == Outcome::Quit,
        gone: outcome == Outcome::Gone,
    })
}

fn decks(shown: &Shown) -> Vec<Deck> {
    let offsets = [0, shown.offset];
    let deck = |(source, offset): (&Source, i64)| {
        let (session, kind) = match source {
            Source::Live(path) => (path.clone(), Kind::Live),
            Source::Recording(path) => (path.clone(), Kind::Replay),
            Source::Stdin => (PathBuf::from("-"), Kind::Replay),
        };
        Deck {
            session,
            kind,
            live: History::new(),
            past: None,
            offset,
            overview: Overview::default(),
            log: VecDeque::new(),
            broken: None,
        }
    };
    shown.sources.iter().zip(offsets).map(deck).collect()
}

/// Opens the feed, and begins where and as asked.
fn open(shown: Shown, inbox: &Inbox) -> Result<Reading, Box<dyn std::error::Error>> {
    let sender = inbox.sender();
    let send = move |event| {
        // The console has ended: the feed is dropped next.
        let _ = sender.send(event);
    };
    let mut feed = Feed::open(shown.sources, send)?;
    feed.set_offset(1, shown.offset);
    if let Some(tick) = shown.at {
        feed.seek(tick);
    }
    if let Some(speed) = shown.play {
        feed.play(Speed::Times(speed));
    }
    Ok(Reading(feed))
}

/// The way to the engine of a window that runs.
fn control(shown: &Shown) -> Option<Box<dyn Control>> {
    match shown.sources.first() {
        Some(Source::Live(session)) if !shown.read_only => Some(Box::new(Wire {
            session: session.clone(),
            client: None,
        })),
        Some(Source::Live(_) | Source::Recording(_) | Source::Stdin) | None => None,
    }
}

/// The feed as the loop sees it.
struct Reading(Feed);

impl Outside for Reading {
    fn seek(&mut self, tick: u64) {
        self.0.seek(tick);
    }

    fn play(&mut self, speed: Speed) {
        self.0.play(speed);
    }

    fn pause(&mut self) {
        self.0.pause();
    }

    fn watch_log(&mut self, on: bool) {
        self.0.watch_log(on);
    }
}

/// A connection to the engine, made when it is first needed, and again when it was lost.
struct Wire {
    session: PathBuf,
    client: Option<Client>,
}

impl Control for Wire {
    fn wish(&mut self, wish: &Wish) -> Result<String, String> {
        self.ask(|client| client.send(wish))
    }

    fn series(&mut self, text: &str) -> Result<Vec<String>, String> {
        self.ask(|client| client.series(text))
    }
}

impl Wire {
    fn ask<T>(
        &mut self,
        ask: impl FnOnce(&mut Client) -> Result<T, SendError>,
    ) -> Result<T, String> {
        let mut client = match self.client.take() {
            Some(client) => client,
            None => Client::connect(&self.session).map_err(|error| error.to_string())?,
        };
        let answer = ask(&mut client);
        match &answer {
            Ok(_) | Err(SendError::Refused(_)) => {
                self.client = Some(client);
            }
            Err(_) => {}
        }
        answer.map_err(|error| error.to_string())
    }
}

/// The summary of what a history holds.
fn summary(session: &Path, history: &History) -> String {
    let judgement = verdict::judge(history);
    text(&Summary::new(
        history,
        &judgement,
        &session.display().to_string(),
    ))
}
