//! The window: what is asked of the load, what comes back of it, and how it ends.
//!
//! In: a checked profile, orders from people, signals. Out: a session file that is closed cleanly however the window
//! ends, and the folded history that the verdict is made from. The engine never draws and never waits for a disk, a
//! terminal or a person; the invariant is that every tick the fleet reports is either in the file or counted as lost.
//!
//! [`conductor`] is the pure part that decides what is asked; [`window`] is the loop that moves it; [`control`] is how
//! people reach it; [`launch`] makes it ready, and [`detach`] gives it a process of its own.

mod bottleneck;
pub mod command;
pub mod conductor;
pub mod control;
mod course;
pub mod detach;
pub mod drill;
pub mod embedded;
mod faults;
pub mod gates;
pub mod launch;
pub mod leftover;
pub mod logs;
pub mod metrics;
pub mod plan;
pub mod prepare;
pub mod process;
pub mod recorder;
pub mod signals;
mod sleep;
pub mod window;

pub use launch::{Launch, LaunchError, Ready};
pub use prepare::{Prepared, check, prepare};
pub use window::{EngineError, Finished, Left, Progress, Spec, run};
