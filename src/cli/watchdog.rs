//! `stormdeck watchdog`: brings faults back when the engine cannot. Not for people: an engine starts it.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use super::could_not;
use crate::engine::logs::VARIABLE;
use crate::fault::watchdog;
use tracing_subscriber::EnvFilter;

/// Bring outstanding faults back when the engine is gone
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The journal of outstanding faults
    journal: PathBuf,
    /// The log that it writes to: that of the session
    log: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: Args) -> ExitCode {
    // It guards without a log as well.
    if let Some(log) = &args.log {
        let _ = log_to(log);
    }
    match watchdog::run(args.journal) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => could_not("watch over the faults", &error),
    }
}

/// Sends this process's log to the end of a file. It has little to say, and waits for the disk.
fn log_to(path: &Path) -> io::Result<()> {
    let file = File::options()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Arc::new(file))
        .with_ansi(false)
        .try_init()
        .map_err(io::Error::other)
}
