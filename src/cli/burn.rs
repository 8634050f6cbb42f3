//! `stormdeck burn`, hidden: the child of a `stress` fault, which [`crate::fault::stress`] starts and ends.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::COULD_NOT;
use crate::fault::burn::{self, Burn};

/// Flags of `stormdeck burn`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Cores to burn
    #[arg(long, default_value_t = 0)]
    cpu: u64,
    /// Bytes of memory to fill
    #[arg(long, default_value_t = 0)]
    memory: u64,
    /// Bytes of disk to fill
    #[arg(long, default_value_t = 0)]
    disk: u64,
    /// Where the disk is filled
    #[arg(long)]
    dir: PathBuf,
    /// End after so many milliseconds
    #[arg(long)]
    limit_ms: u64,
}

/// Takes what it is to take when a word comes on standard input, and ends when that does. 0 when it had it, else 2.
pub fn run(args: Args) -> ExitCode {
    let burn = Burn {
        cpu: args.cpu,
        memory: args.memory,
        disk: args.disk,
        dir: args.dir,
        limit: Duration::from_millis(args.limit_ms),
    };
    // What went wrong was said on standard output, to the one who listens.
    match burn::run(&burn, io::stdin(), &mut io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(COULD_NOT),
    }
}
