//! stormdeck: a terminal console for live test windows.
//!
//! One binary puts load on a system, breaks it on purpose and brings it back, measures what its users would feel, shows it
//! live, takes orders by keypress, records every second to one session file, replays that file in the same console, and
//! ends in a verdict. The one idea behind its shape is that **the session file is the only channel from what happens to what
//! is seen**:
//!
//! ```text
//!                      wishes (Unix socket)
//!         ┌────────────────────────────────────────────┐
//!         ▼                                            │
//!   ┌───────────┐  records   ┌──────────────┐  follow ┌┴────────┐
//!   │  engine   │ ─────────▶ │ session file │ ──────▶ │ console │  live, rewound, or a year later
//!   └───────────┘            └──────────────┘         └─────────┘
//!        ▲                          │
//!  load, fault, scrape              └──▶ history ──▶ verdict ──▶ report
//! ```
//!
//! # Words
//!
//! A **profile** is a TOML file that describes a **window**, one run from start to verdict. A **session** is the recording
//! of a window. A **scenario** is a stream of work: an *open* model (arrivals at a rate) or a *closed* one (a number of
//! users). A **journey** is what one arrival or user does, an ordered list of **steps**. A **phase** is a stretch of the
//! window with a load factor and faults of its own. A **fault** is something broken on purpose, with a guaranteed way back. A
//! **target** is scraped; a **gauge** is a number that a `PromQL` expression draws from it. A **gate** is an expectation that
//! the verdict counts. A **record** is one entry of the session, a **tick** the recording interval. **Response time** runs
//! from the moment a request was *due* to its last byte, **service time** from the moment it was really sent; the difference
//! is what coordinated omission hides.
//!
//! # Where to start reading
//!
//! - [`profile`]: what a window may be asked to do. Start at [`profile::model`].
//! - [`session`]: the file format, record by record, in [`session::record`]; everything else stands on it.
//! - [`load`]: pacing, workers, journeys, the protocol driver. Start at [`load::fleet`].
//! - [`engine`]: the window itself: [`engine::conductor`] decides what is asked, [`engine::recorder`] writes it down,
//!   [`engine::control`] is how people reach it, and [`engine::detach`] lets it outlive their terminal.
//! - [`fault`]: what is broken on purpose: [`fault::driver`] is what a kind of fault can do, [`fault::undo`] the way back,
//!   [`fault::keeper`] the thread that does both, [`fault::watchdog`] what remains when the engine is killed.
//! - [`scrape`]: what the system under test says of itself: expositions, `PromQL` over them, alerts. Start at [`scrape::watch`], and at
//!   [`scrape::recorded`] for how a recording is asked.
//! - [`history`], [`verdict`], [`report`]: from records to a judgement; pure functions.
//! - [`console`]: what is seen: [`console::model`] is the screen as data, [`console::update()`] what keys and records do to
//!   it, [`console::screen`] how it looks, [`console::feed`] where it comes from.
//! - [`target`]: the demo service that a profile can ask for with `embedded://shop`.
//! - [`cli`]: the commands. [`alarm`] is the precise timer that the load and the demo service share,
//!   [`tls`] what load and scraping know of certificates.

pub mod alarm;
pub mod cli;
pub mod console;
pub mod engine;
pub mod fault;
pub mod history;
pub mod load;
pub mod profile;
pub mod report;
pub mod scrape;
pub mod session;
pub mod target;
pub mod tls;
pub mod verdict;
