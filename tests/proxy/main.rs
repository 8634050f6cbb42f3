//! The fault proxy, by what it does to real sockets. Times are bounded from below by what they must be, and from above
//! so that a busy machine passes; `cargo bench --bench proxy` measures how near they are.
#![allow(
    clippy::unwrap_used,
    reason = "a test says what it expects by unwrapping"
)]

#[path = "../support/mod.rs"]
mod support;

mod down;
mod http;
mod pressure;
mod stage;
mod toxics;
mod traffic;
