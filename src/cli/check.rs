//! `stormdeck check PROFILE`: says what a profile would do, or everything that would keep it from being run.

use std::process::ExitCode;

use super::{ProfileArgs, RUN, could_not, print, printed, refuse};
use crate::engine;
use crate::load::fleet::default_workers;
use crate::profile::plan::Plan;

/// What the exit code says, for the help.
pub const EXIT_STATUS: &str =
    "Exit status: 0 when a run could begin, 2 when something is wrong with the profile.";

/// Options of `stormdeck check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A profile: a file, or the name of a shipped one
    #[arg(value_name = "PROFILE")]
    pub profile: String,
    /// How it is read.
    #[command(flatten)]
    pub how: ProfileArgs,
}

/// Prints the plan and exits with 0, or the mistakes and exits with 2.
pub fn run(args: &Args) -> ExitCode {
    let profile = match args.how.load(&args.profile) {
        Ok(profile) => profile,
        Err(error) => return refuse(&error),
    };
    let warnings = match engine::check(&profile, default_workers()) {
        Ok(warnings) => warnings,
        Err(error) => return could_not(RUN, &error),
    };
    let mut plan = Plan::of(&profile);
    plan.warnings.extend(warnings);
    let unused = args.how.unused(&profile);
    plan.warnings.extend(
        unused.map(|name| format!("`-e {name}=…` is set, and nothing in the profile asks for it")),
    );
    printed("the plan", print(plan.to_string().as_bytes()))
}
