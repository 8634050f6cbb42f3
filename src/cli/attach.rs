//! `stormdeck attach`: looking on at a window that is running already.

use std::process::ExitCode;

use super::could_not;
use super::pick::DirArgs;
use super::watch::watch;

/// Look on at a running window
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The session: a path, a name, or the beginning of one; the only one that is running if left out
    session: Option<String>,
    /// Print the summary as JSON on standard output and nothing else there
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    dir: DirArgs,
}

/// Runs the command. The exit code is that of `run`.
pub fn run(args: &Args) -> ExitCode {
    let session = match args.dir.running(args.session.as_deref()) {
        Ok(session) => session,
        Err(error) => return could_not("attach", &error),
    };
    watch(&session, args.json).unwrap_or_else(|error| could_not("attach", &*error))
}
