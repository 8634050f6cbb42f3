//! `stormdeck watchdog`: brings faults back when the engine cannot. Not for people: an engine starts it.

use std::path::PathBuf;
use std::process::ExitCode;

use super::could_not;
use crate::fault::watchdog;

/// Bring outstanding faults back when the engine is gone
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The journal of outstanding faults
    journal: PathBuf,
}

/// Runs the command.
pub fn run(args: Args) -> ExitCode {
    match watchdog::run(args.journal) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => could_not("watch over the faults", &error),
    }
}
