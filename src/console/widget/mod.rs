//! Small pure things that panels draw charts with.
//!
//! In: numbers by column, scales, an area. Out: cells of a buffer. The invariants: nothing is written outside of the
//! area; a column of a chart over time keeps its place and its content until the whole chart moves.

pub mod axis;
pub mod canvas;
pub mod dense;
pub mod heat;
pub mod linear;
pub mod log;
pub mod signs;
pub mod spark;
pub mod time;
pub mod trend;

pub use axis::{Axis, Column};
pub use canvas::Canvas;
