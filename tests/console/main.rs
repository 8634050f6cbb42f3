//! The console in a real pseudo terminal, as a person sees it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what it expects by unwrapping"
)]

#[path = "../support/mod.rs"]
mod support;

mod driving;
mod help;
mod keys;
mod looks;
mod losing;
mod pty;
mod replaying;
mod stage;
mod terminal;
mod window;
