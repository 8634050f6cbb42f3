//! Faults in real windows: broken by order and by schedule, always brought back, whoever dies.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;
#[path = "../control/window.rs"]
#[allow(dead_code, reason = "it has a profile of its own")]
mod window;

mod drills;
mod elsewhere;
mod gauges;
mod orders;
mod place;
mod way_back;
