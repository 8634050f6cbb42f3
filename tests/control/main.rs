//! Windows that outlive their terminal, and the socket through which they are driven: the real program, real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod clients;
mod driving;
mod outliving;
mod window;
