//! `stormdeck verify`: every checksum of a session, and the hash chain.

use std::process::ExitCode;

use super::pick::DirArgs;
use super::{could_not, print, tell};
use crate::session::verify;

/// What the exit code says, for the help.
pub const EXIT_STATUS: &str = "Exit status: 0 when the session is as it was written, 1 when it is damaged, torn or its \
    chain is broken, 2 when it cannot be read.";

/// Options of `stormdeck verify`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A file, a session's name or the beginning of one; the newest session if left out
    session: Option<String>,
    #[command(flatten)]
    dir: DirArgs,
}

/// Runs the command.
pub fn run(args: &Args) -> ExitCode {
    let found = args
        .dir
        .sessions()
        .and_then(|sessions| sessions.find(args.session.as_deref()));
    let path = match found {
        Ok(path) => path,
        Err(error) => {
            tell(&format!("stormdeck: {error}"));
            return ExitCode::from(2);
        }
    };
    match verify(&path) {
        Ok(verification) => {
            let text = format!("{}: {verification}", path.display());
            if let Err(error) = print(text.as_bytes()) {
                return could_not("print what was found", &error);
            }
            ExitCode::from(u8::from(!verification.is_sound()))
        }
        Err(error) => {
            tell(&format!("stormdeck: {}: {error}", path.display()));
            ExitCode::from(2)
        }
    }
}
