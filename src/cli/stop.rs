//! `stormdeck stop`: the end of a window, asked for from outside.

use std::process::ExitCode;

use super::ctl::REFUSED;
use super::pick::DirArgs;
use super::watch::wait_until_closed;
use super::{could_not, tell};
use crate::engine::control::{Client, SendError, Wish};

/// End a running window and wait until its recording is closed
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The session: a path, a name, or the beginning of one; the only one that is running if left out
    session: Option<String>,
    /// Do not wait for what is in flight
    #[arg(long)]
    abort: bool,
    #[command(flatten)]
    dir: DirArgs,
}

/// What the exit code says, for the help.
pub const EXIT_STATUS: &str =
    "Exit status: 0 done, 1 the window refused, 2 it could not be reached.";

/// Runs the command.
pub fn run(args: &Args) -> ExitCode {
    let session = match args.dir.running(args.session.as_deref()) {
        Ok(session) => session,
        Err(error) => return could_not("stop a window", &error),
    };
    let mut client = match Client::connect(&session) {
        Ok(client) => client,
        Err(error) => return could_not("stop the window", &error),
    };
    let text = String::new();
    let wish = if args.abort {
        Wish::Abort { text }
    } else {
        Wish::End { text }
    };
    match client.send(&wish) {
        Ok(said) => tell(&said),
        Err(SendError::Refused(why)) => {
            tell(&format!("stormdeck: {why}"));
            return ExitCode::from(REFUSED);
        }
        Err(error) => return could_not("stop the window", &error),
    }
    if !wait_until_closed(&session) {
        tell("it still waits for what is in flight; `stormdeck stop --abort` does not");
    }
    ExitCode::SUCCESS
}
