//! The judgement, told.
//!
//! In: a [`History`](crate::history::History) and its [`Judgement`](crate::verdict::Judgement). Out: the
//! [`Summary`], as JSON for machines and as [`text()`] for people. The invariant: nothing is decided here, and both
//! forms tell the same numbers, since the text is made from the data.

pub mod faults;
mod faults_text;
mod fill;
mod predicted;
pub mod summary;
mod table;
#[cfg(test)]
mod tests;
pub mod text;

pub use crate::verdict::format;
pub use predicted::Prediction;
pub use summary::Summary;
pub use text::text;
