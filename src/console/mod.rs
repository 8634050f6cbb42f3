//! The console: what an operator watches, drives and replays. It reads the session file and sends wishes; it touches
//! nothing else.
//!
//! ```text
//!   terminal keys ──┐                                   ┌──▶ draw ──▶ terminal        view(&Model)
//!   session records ├──▶ Event ──▶ update(&mut Model) ──┤
//!   engine answers ─┘                                   └──▶ Command ──▶ feed, control socket, clipboard, files
//! ```
//!
//! [`model`] is everything that is on screen, [`update()`] the only code that changes it, [`screen`] draws it, one file
//! of [`panel`] a panel. No I/O and no clock is in any of them: what happens outside comes in as an [`Event`], what should
//! happen outside goes out as a [`Command`]. [`feed`] reads session files, live or at any speed; [`run`] is the loop with
//! the real terminal. The invariant: live view, second viewer, rewound view and replay differ in the [`feed`] only.

pub mod capability;
pub mod capture;
pub mod clipboard;
pub mod config;
pub mod derived;
pub mod event;
pub mod feed;
pub mod happening;
pub mod inbox;
pub mod keymap;
pub mod layout;
pub mod model;
pub mod moment;
pub mod panel;
pub mod plain;
pub mod run;
pub mod screen;
pub mod search;
pub mod signals;
pub mod table;
pub mod terminal;
#[cfg(test)]
pub(crate) mod testing;
pub mod text;
pub mod theme;
pub mod update;
pub mod values;
pub mod widget;

pub use event::{Command, Event};
pub use model::Model;
pub use update::update;
