//! The `stormdeck` command.

fn main() {}
