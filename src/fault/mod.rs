//! Breaking things on purpose, and bringing them back.
//!
//! In: the faults of a profile, and orders to inject and to revert. Out: what became of them, for the engine to record.
//! The invariant: nothing is broken before the way back is durable, and whoever is left (the engine, its watchdog, the
//! next `recover`) takes the same way.
//!
//! ```text
//!            orders                        heartbeat
//!   engine ──────────▶ keeper ───────────────────────────▶ watchdog (a process)
//!          ◀──────────   │  undo, then inject                │ when the heart stops
//!             what       ▼                                   ▼
//!             happened  driver ──▶ what is broken ◀── journal of outstanding faults ◀── recover
//! ```
//!
//! A [`Driver`](driver::Driver) is one file here, and one line in [`drivers::of`].

mod ask;
mod bearings;
pub mod burn;
mod check;
pub mod driver;
pub mod drivers;
pub mod exec;
pub mod hidden;
pub mod http;
pub mod journal;
pub mod keeper;
pub mod network;
pub mod process;
pub mod program;
pub mod proxy;
pub mod recover;
mod run;
pub mod said;
pub mod sealed;
mod stray;
pub mod stress;
mod tool;
pub mod toxiproxy;
pub mod undo;
pub mod watchdog;
