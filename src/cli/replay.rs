//! `stormdeck replay`: the console over a recording.

use std::fs::File;
use std::path::Path;
use std::process::ExitCode;

use super::console::{Left, ScreenArgs, Shown, has_terminal, show};
use super::pick::DirArgs;
use super::watch::summarize;
use super::{COULD_NOT, could_not, tell};
use crate::console::feed::{Recording, Source, align};

/// What it could not do.
const REPLAY: &str = "replay the session";

/// Show a recording in the console
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The session: a path, a name or the beginning of one, `-` for standard input; the newest if left out
    session: Option<String>,
    /// Show this session beside it, on the same clock
    #[arg(long, value_name = "SESSION")]
    beside: Option<String>,
    /// Let both stand at the beginning of this phase at the same time
    #[arg(long, value_name = "PHASE", requires = "beside")]
    align: Option<String>,
    /// Begin to play, at this many times the speed at which it happened
    #[arg(long, value_name = "TIMES", value_parser = speed)]
    speed: Option<f64>,
    #[command(flatten)]
    screen: ScreenArgs,
    #[command(flatten)]
    dir: DirArgs,
}

/// Runs the command.
pub fn run(args: &Args) -> ExitCode {
    if !args.screen.plain && !has_terminal() && args.session.as_deref() != Some("-") {
        tell("stormdeck: replay needs a terminal; `--plain` prints a line for every tick instead");
        return ExitCode::from(COULD_NOT);
    }
    replay(args).unwrap_or_else(|error| could_not(REPLAY, &*error))
}

fn replay(args: &Args) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let sessions = args.dir.sessions()?;
    let first = match args.session.as_deref() {
        Some("-") => None,
        wanted => Some(sessions.find(wanted)?),
    };
    let second = match args.beside.as_deref() {
        Some(wanted) => Some(sessions.find(Some(wanted))?),
        None => None,
    };
    let offset = match (&first, &second, &args.align) {
        (Some(first), Some(second), Some(phase)) => aligned(first, second, phase)?,
        (None, Some(_), Some(_)) => {
            return Err("standard input cannot be aligned: how it goes on is not known yet".into());
        }
        _ => 0,
    };
    let source = first.clone().map_or(Source::Stdin, Source::Recording);
    let shown = Shown {
        sources: std::iter::once(source)
            .chain(second.map(Source::Recording))
            .collect(),
        offset,
        play: args.speed,
        ..Shown::default()
    };
    match show(shown, &args.screen)? {
        Left::Refused(code) => Ok(code),
        Left::Closed { gone: false, .. } if !args.screen.plain => match first {
            // The last screen is gone; what it came to is not.
            Some(session) => summarize(&session, false).map(|_| ExitCode::SUCCESS),
            None => Ok(ExitCode::SUCCESS),
        },
        Left::Closed { .. } => Ok(ExitCode::SUCCESS),
    }
}

/// Ticks between the beginnings of a phase in two sessions.
fn aligned(first: &Path, second: &Path, phase: &str) -> Result<i64, Box<dyn std::error::Error>> {
    let overview = |path: &Path| -> Result<_, Box<dyn std::error::Error>> {
        Ok(Recording::of(File::open(path)?)?.overview()?)
    };
    align(&overview(first)?, &overview(second)?, phase)
        .ok_or_else(|| format!("not both sessions have a phase `{phase}` that began").into())
}

fn speed(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('x').parse::<f64>() {
        Ok(speed) if (0.5..=1000.0).contains(&speed) => Ok(speed),
        _ => Err("a speed is from 0.5 to 1000".into()),
    }
}
