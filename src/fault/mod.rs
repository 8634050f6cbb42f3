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

pub mod driver;
pub mod drivers;
pub mod proxy;
pub mod sealed;
pub mod undo;
