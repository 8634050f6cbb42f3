//! The log file beside the session. Nothing is ever logged to the screen.

use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;

use crate::session::dir::log_of;

/// The variable that sets what is logged, in the syntax of `tracing`'s `EnvFilter`: `debug`, `stormdeck::load=trace`.
pub const VARIABLE: &str = "STORMDECK_LOG";

/// Sends this process's log to `NAME.log` beside the session file, through a thread of its own that drops lines when
/// the disk cannot keep up. The log ends when the guard is dropped. `None` if a log is set up already or the file cannot
/// be made: a window does not fail for its log.
pub fn start(session: &Path) -> Option<WorkerGuard> {
    let file = std::fs::File::options()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(log_of(session))
        .ok()?;
    let (writer, guard) = tracing_appender::non_blocking(file);
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(false)
        .try_init()
        .ok()?;
    Some(guard)
}
