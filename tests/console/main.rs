//! The console in a real pseudo terminal, as a person sees it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what it expects by unwrapping"
)]

mod help;
mod pty;
mod stage;
mod terminal;
