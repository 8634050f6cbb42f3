//! `stormdeck recover`: clears faults that a killed engine left behind.

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use super::pick::DirArgs;
use super::{could_not, print, tell};
use crate::engine::leftover;
use crate::fault::recover::{Found, forget, recover_telling};
use crate::session::dir::EXTENSION;

/// What the exit code says, for the help.
pub const EXIT_STATUS: &str = "Exit status: 0 when nothing is left in place, 1 when something may be, 2 when that cannot \
    be found out.";

/// Options of `stormdeck recover`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the session whose faults are meant; those of every session if left out
    session: Option<String>,
    /// Take what is left for brought back, by hand, and forget it
    #[arg(long)]
    forget: bool,
    /// How long each fault is tried
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = super::time)]
    patience: Duration,
    #[command(flatten)]
    dir: DirArgs,
}

/// Runs the command.
pub fn run(args: &Args) -> ExitCode {
    let sessions = match args.dir.sessions() {
        Ok(sessions) => sessions,
        Err(error) => return could_not("look for faults", &error),
    };
    let only = args
        .session
        .as_deref()
        .map(|name| name.trim_end_matches(EXTENSION));
    let found = if args.forget {
        forget(&sessions.dir, only)
    } else {
        recover(&sessions.dir, only, args.patience)
    };
    let found = match found {
        Ok(found) => found,
        Err(error) => return could_not("look for faults", &error),
    };
    let left = found.outcomes.iter().any(|outcome| outcome.result.is_err());
    let said = leftover::sentences(&found);
    let text = match said.as_slice() {
        [] => "nothing is outstanding\n".to_owned(),
        said => said.join("\n") + "\n",
    };
    if let Err(error) = print(text.as_bytes()) {
        return could_not("print what was found", &error);
    }
    if left {
        tell(
            "stormdeck: what could not be brought back may still be in place; once it is mended by hand, `stormdeck recover --forget` strikes it out",
        );
    }
    ExitCode::from(u8::from(left || is_unsure(&found)))
}

/// Brings them back, and says what takes its time.
fn recover(sessions: &Path, only: Option<&str>, patience: Duration) -> io::Result<Found> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let say = |said: &str| tell(&format!("stormdeck: {said}"));
    runtime.block_on(recover_telling(sessions, only, patience, &say))
}

/// Whether somebody else is still at it.
fn is_unsure(found: &Found) -> bool {
    !found.in_charge.is_empty()
}
