//! `stormdeck ctl`: everything that a key of the console does, from a script.

use std::process::ExitCode;

use super::pick::DirArgs;
use super::{could_not, print, printed, tell};
use crate::engine::control::words::VERBS;
use crate::engine::control::{Client, SendError, Wish};

/// The exit code of a wish that the window refused.
pub const REFUSED: u8 = 1;

/// Tell a running window what to do
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The session: a path, a name, or the beginning of one; `-` for the only one that is running
    session: String,
    /// What to do, as in `rate shoppers +10%`
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
    #[command(flatten)]
    dir: DirArgs,
}

/// Everything that can be asked for, for the help.
pub fn help() -> String {
    let width = VERBS.iter().map(|verb| verb.usage.len()).max().unwrap_or(0);
    let lines = VERBS
        .iter()
        .map(|verb| format!("  {:width$}  {}\n", verb.usage, verb.help));
    let lines: String = lines.collect();
    format!("Words:\n{lines}\nExit status: 0 done, 1 the window refused, 2 it could not be asked.")
}

/// Runs the command.
pub fn run(args: &Args) -> ExitCode {
    let wish = match Wish::parse(&args.words.join(" ")) {
        Ok(wish) => wish,
        Err(error) => return could_not("read that", &error),
    };
    let wanted = Some(args.session.as_str()).filter(|&name| name != "-");
    let session = match args.dir.running(wanted) {
        Ok(session) => session,
        Err(error) => return could_not("find the window", &error),
    };
    let mut client = match Client::connect(&session) {
        Ok(client) => client,
        Err(error) => return could_not("reach the window", &error),
    };
    match client.send(&wish) {
        Ok(said) => printed("the answer", print(format!("{said}\n").as_bytes())),
        Err(SendError::Refused(why)) => {
            tell(&format!("stormdeck: {why}"));
            ExitCode::from(REFUSED)
        }
        Err(error) => could_not("ask the window", &error),
    }
}
