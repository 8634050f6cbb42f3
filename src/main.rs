//! The `stormdeck` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    stormdeck::cli::main()
}
