//! `stormdeck drill`: one fault rehearsed before it is needed.

use std::process::ExitCode;
use std::time::Duration;

use super::pick::DirArgs;
use super::{ProfileArgs, could_not, print, refuse, tell};
use crate::engine::drill::{self, Drill, Shown};
use crate::engine::{Launch, Progress};
use crate::load::fleet::default_workers;
use crate::report::format::span;

/// What the exit code says, for the help.
pub const EXIT_STATUS: &str = "Exit status: 0 when the fault was seen to take effect and to be back, 1 when not, 2 when it \
    could not be tried.";

/// Options of `stormdeck drill`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A profile: a file, or one of those that are shipped
    profile: String,
    /// Name of the fault; the only one of the profile if left out
    #[arg(long, value_name = "NAME")]
    fault: Option<String>,
    /// How long it stays in
    #[arg(long = "for", value_name = "TIME", default_value = "10s", value_parser = super::time)]
    stay: Duration,
    /// Put the profile's load at 1x, so that impact and recovery are measured
    #[arg(long)]
    with_load: bool,
    #[command(flatten)]
    options: ProfileArgs,
    #[command(flatten)]
    dir: DirArgs,
}

/// Runs the command.
pub fn run(args: &Args) -> ExitCode {
    let profile = match args.options.load(&args.profile) {
        Ok(profile) => profile,
        Err(error) => return refuse(&error),
    };
    let fault = match drill::find(&profile, args.fault.as_deref()) {
        Ok(fault) => fault,
        Err(error) => return could_not("drill", &error),
    };
    let name = profile.faults[fault].name.clone();
    let plan = Drill {
        fault,
        stay: args.stay,
        load: args.with_load,
    };
    match rehearse(args, drill::profile(profile, plan), fault) {
        Ok(shown) => tell_outcome(&name, &shown),
        Err(error) => could_not("drill", &error),
    }
}

fn rehearse(
    args: &Args,
    profile: crate::profile::Profile,
    fault: usize,
) -> Result<Shown, Box<dyn std::error::Error>> {
    let ready = Launch {
        profile,
        workers: default_workers(),
        dir: args.dir.dir().map(std::path::Path::to_owned),
        name: None,
        program: std::env::current_exe()?,
        may_be_deaf: true,
    }
    .ready()?;
    tell(&format!("recorded in {}", ready.session().display()));
    let remote = ready.remote();
    let mut told = 0;
    let finished = ready.run(|progress| {
        told = tell_events(progress, told);
        if drill::is_over(progress.history, fault) {
            remote.end("the drill is over");
        }
    })?;
    if let Err(error) = &finished.recording {
        tell(&format!(
            "stormdeck: the session could not be closed whole: {error}"
        ));
    }
    Ok(drill::shown(&finished.history, fault))
}

/// Tells what happened since so many events; gives how many there are now.
fn tell_events(progress: &Progress<'_>, told: usize) -> usize {
    let events = progress.history.events();
    for event in events.iter().skip(told) {
        let at = span((event.at / 1_000_000) as f64);
        tell(&format!(
            "{at:>7}  {}",
            crate::console::happening::in_words(progress.history, event)
        ));
    }
    events.len()
}

fn tell_outcome(name: &str, shown: &Shown) -> ExitCode {
    let line = |what: &str, result: &Result<String, String>| match result {
        Ok(said) => format!("✓ {what}: {said}\n"),
        Err(why) => format!("✗ {what}: {why}\n"),
    };
    let text = format!(
        "{name}\n{}{}",
        line("takes effect", &shown.effect),
        line("is back", &shown.back)
    );
    if let Err(error) = print(text.as_bytes()) {
        return could_not("print what was shown", &error);
    }
    match (&shown.effect, &shown.back) {
        (Ok(_), Ok(_)) => ExitCode::SUCCESS,
        (Err(_), _) | (_, Err(_)) => ExitCode::from(1),
    }
}
