//! Putting work on a system: pacing, workers, journeys, data feeds, protocol drivers.
//!
//! ```text
//!             Command                  when                      what
//!   engine ───────────▶ fleet ─▶ worker ─┬─▶ open   ─▶ arrivals ─┐
//!      ▲                           │     └─▶ closed ─▶ schedule ─┴─▶ work (http_work: journey + http)
//!      │ FleetTick               pacer                                │ Observation
//!      └──────── tick ◀──────── meter ◀──────────── stats ◀──────────┘
//! ```
//!
//! In: for each scenario a curve of its load, and its work. Out: once a recording interval what was done and how it
//! went, which [`generator`] judges. The invariant: workers share nothing on a request's path, and a request's latency
//! counts from when it was due, whatever the generator, a pool or a limit made of it.

pub mod arrivals;
pub mod clock;
mod closed;
mod executor;
pub mod fleet;
pub mod generator;
pub mod http;
pub mod http_work;
pub mod journey;
pub mod ledger;
pub mod limits;
pub mod meter;
mod open;
pub mod pacer;
pub mod schedule;
#[cfg(test)]
pub(crate) mod sim;
pub mod stats;
pub mod tick;
pub mod work;
mod worker;
