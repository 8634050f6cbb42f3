//! The commands: what they accept, in one file each, and nothing that another part could want.

mod attach;
mod burn;
mod check;
mod console;
mod ctl;
mod drill;
mod engine;
mod export;
mod line;
mod ls;
mod man;
mod pick;
mod query;
mod recover;
mod replay;
mod run;
mod scrape;
mod stop;
mod target;
mod verify;
mod watch;
mod watchdog;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::profile::units::Span;
use crate::profile::{LoadError, Options, Profile};

/// The exit code of a command that could not do what was asked.
pub(crate) const COULD_NOT: u8 = 2;

/// What `run` could not do, and what `check` foresees.
pub(crate) const RUN: &str = "run the window";

/// Load, faults, metrics and one recording for a live test window, ending in a verdict.
#[derive(Debug, Parser)]
#[command(name = "stormdeck", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a window: put the profile's load on its target, record it, judge it
    #[command(after_help = run::EXIT_STATUS)]
    Run(run::Args),
    /// Look on at a running window
    #[command(after_help = run::EXIT_STATUS)]
    Attach(attach::Args),
    /// Show a recording in the console: play, pause, seek, at any speed
    Replay(replay::Args),
    /// Tell a running window what to do: `stormdeck ctl - rate shoppers +10%`
    #[command(after_help = ctl::help())]
    Ctl(ctl::Args),
    /// End a running window and wait until its recording is closed
    #[command(after_help = stop::EXIT_STATUS)]
    Stop(stop::Args),
    /// Say what a profile would do, or what is wrong with it
    #[command(after_help = check::EXIT_STATUS)]
    Check(check::Args),
    /// Ask a recording with `PromQL`: `stormdeck query 'rate(hits_total[1m])' --range`
    Query(query::Args),
    /// Rehearse one fault: inject it, prove its effect, bring it back, prove that it is
    #[command(after_help = drill::EXIT_STATUS)]
    Drill(drill::Args),
    /// Clear faults that a killed engine left behind
    #[command(after_help = recover::EXIT_STATUS)]
    Recover(recover::Args),
    /// List running and recorded sessions, newest first
    Ls(ls::Args),
    /// Check every checksum of a session and the chain of its frames
    #[command(after_help = verify::EXIT_STATUS)]
    Verify(verify::Args),
    /// Write a session in the format of another tool
    Export(export::Args),
    /// Say what a metrics endpoint, or a file of its text, holds and what is wrong with it
    #[command(after_help = scrape::EXIT_STATUS)]
    Scrape(scrape::Args),
    /// Run the embedded demo service on its own
    Target(target::Args),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
    /// Run a window as a process of its own, as `run` starts it
    #[command(name = crate::engine::detach::COMMAND, hide = true)]
    Engine(engine::Args),
    /// Bring outstanding faults back when the engine is gone
    #[command(name = crate::fault::watchdog::COMMAND, hide = true)]
    Watchdog(watchdog::Args),
    /// Keep this machine busy, as a `stress` fault does
    #[command(name = crate::fault::burn::COMMAND, hide = true)]
    Burn(burn::Args),
}

/// What every command takes that reads a profile.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ProfileArgs {
    /// Set a variable of the profile; wins over the environment. May be repeated
    #[arg(short = 'e', long = "set", value_name = "NAME=VALUE", value_parser = variable)]
    pub variables: Vec<(String, String)>,
    /// Multiply every duration of the schedule: 0.01 rehearses 24 hours in 15 minutes
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = time_scale)]
    pub time_scale: f64,
}

impl ProfileArgs {
    /// Options with these arguments and this process's environment.
    pub fn options(&self) -> Options {
        Options {
            variables: self.variables.clone(),
            time_scale: self.time_scale,
            ..Options::from_env()
        }
    }

    /// Loads a profile from a path, or a shipped one by its name.
    pub fn load(&self, profile: &str) -> Result<Profile, LoadError> {
        crate::profile::load(profile, &self.options())
    }

    /// Names that were set but that the profile never asks for: typing slips, most likely.
    pub fn unused<'a>(&'a self, profile: &'a Profile) -> impl Iterator<Item = &'a str> {
        let used = |name: &str| {
            let secret =
                |secret: &str| secret == name || name.strip_suffix("_FILE") == Some(secret);
            profile.variables.contains_key(name) || profile.secrets.names().any(secret)
        };
        let names = self.variables.iter().map(|(name, _)| name.as_str());
        names.filter(move |name| !used(name))
    }
}

/// Runs the command line and gives its exit code.
pub fn main() -> ExitCode {
    let command = match Cli::parse().command {
        Some(command) => command,
        None if console::has_terminal() => return run::demo(),
        // Nobody looks: to say what there is helps more than two minutes of demo.
        None => {
            tell(&Cli::command().render_help().to_string());
            return ExitCode::from(COULD_NOT);
        }
    };
    match command {
        Command::Run(args) => run::run(&args),
        Command::Attach(args) => attach::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Ctl(args) => ctl::run(&args),
        Command::Stop(args) => stop::run(&args),
        Command::Engine(args) => engine::run(&args),
        Command::Watchdog(args) => watchdog::run(args),
        Command::Drill(args) => drill::run(&args),
        Command::Recover(args) => recover::run(&args),
        Command::Burn(args) => burn::run(args),
        Command::Check(args) => check::run(&args),
        Command::Query(args) => query::run(&args),
        Command::Ls(args) => ls::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Scrape(args) => scrape::run(&args),
        Command::Target(args) => target::run(args),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "stormdeck", &mut text);
            printed("the completions", print(&text))
        }
        Command::Man => {
            let page = man::page(Cli::command());
            printed("the manual page", page.and_then(|page| print(&page)))
        }
    }
}

/// Says on standard error what could not be done and why.
pub(crate) fn could_not(what: &str, why: &dyn std::fmt::Display) -> ExitCode {
    tell(&format!("stormdeck: could not {what}: {why}"));
    ExitCode::from(COULD_NOT)
}

/// The exit code of a command that only prints.
pub(crate) fn printed(what: &str, result: std::io::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => could_not(&format!("print {what}"), &error),
    }
}

/// Writes to standard output. A reader that has seen enough, as in `stormdeck man | head`, is no error.
pub(crate) fn print(text: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes a line to standard error. A window goes on when the terminal behind it is gone, so a failure is ignored.
pub(crate) fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Whether a stream should be coloured: it is a terminal, and `NO_COLOR` is not set.
pub(crate) fn colour(stream: &impl std::io::IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Prints why a profile could not be loaded.
pub(crate) fn refuse(error: &LoadError) -> ExitCode {
    let stderr = std::io::stderr();
    tell(&error.render(colour(&stderr)));
    ExitCode::from(COULD_NOT)
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

/// A length of time, as a profile writes it.
fn time(text: &str) -> Result<std::time::Duration, String> {
    text.parse::<Span>()
        .map(|span| span.0)
        .map_err(|error| error.to_string())
}

fn time_scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if scale.is_finite() && scale > 0.0 => Ok(scale),
        _ => Err("a time scale is a number above 0, like 0.01".to_owned()),
    }
}
