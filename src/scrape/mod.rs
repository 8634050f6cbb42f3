//! What the system under test says of itself: expositions that are scraped, gauges drawn from them, alerts.
//!
//! ```text
//!   target ──client──▶ body ──exposition──▶ samples ──▶ store ──promql──▶ gauges
//!                                                          ▲
//!                                    recorded samples ─────┘   (a recording is asked with the same code)
//! ```
//!
//! In: the targets and gauges of a profile. Out: records. The invariant: a target that is down, slow, huge or lying
//! costs nobody else anything, and is shown as what it is.

pub mod alerts;
mod api;
pub mod asked;
pub mod client;
pub mod discover;
mod endpoint;
pub mod exposition;
mod filter;
pub mod gauge;
pub mod labels;
mod names;
pub mod promql;
pub mod recorded;
pub mod sets;
pub mod store;
pub mod watch;

pub use labels::Labels;
pub use store::Store;
