//! `stormdeck engine`: a window without anybody to look on, as `run` starts it. Not for people.

use std::process::ExitCode;

use super::run::WindowArgs;
use super::{COULD_NOT, RUN, could_not};
use crate::engine::Ready;
use crate::engine::detach::leave_terminal;

/// Run a window as a process of its own
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    window: WindowArgs,
}

/// Runs the command. What goes wrong before the window begins is said on standard error, the rest in the log.
pub fn run(args: &Args) -> ExitCode {
    let handshake = match leave_terminal() {
        Ok(handshake) => handshake,
        Err(error) => return could_not(RUN, &error),
    };
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    let ready = match ready(args) {
        Ok(ready) => ready,
        Err(why) => {
            handshake.refuse(&why);
            return ExitCode::from(COULD_NOT);
        }
    };
    if handshake.begin(ready.session()).is_err() {
        return ExitCode::from(COULD_NOT);
    }
    match ready.run(|_| ()) {
        Ok(finished) => {
            if let Err(error) = &finished.recording {
                tracing::error!(%error, "the session could not be closed whole");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!(%error, "the window did not begin");
            ExitCode::from(COULD_NOT)
        }
    }
}

fn ready(args: &Args) -> Result<Ready, String> {
    let profile = args
        .window
        .options
        .load(&args.window.profile)
        .map_err(|error| error.render(false))?;
    let launch = args
        .window
        .launch(profile)
        .map_err(|error| error.to_string())?;
    launch.ready().map_err(|error| error.to_string())
}
