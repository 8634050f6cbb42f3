//! The way back from a fault, complete in itself: whoever reads it needs neither the profile nor the engine.
//!
//! It is data, written down before anything is broken. The engine, its watchdog and `stormdeck recover` all take it by
//! the same function, [`Undo::revert`].

use serde::{Deserialize, Serialize};

use super::driver::{Doing, Done, FaultError};
use super::network::NetworkUndo;
use super::process::ProcessUndo;
use super::stress::StressUndo;
use super::{exec, http, toxiproxy};

/// What brings a fault back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "way", rename_all = "snake_case")]
pub enum Undo {
    /// Nothing is to be done once the engine's process is gone: the fault ended with it.
    WithEngine,
    /// A program is run.
    Exec(Box<exec::Way>),
    /// Requests are made.
    Http(Box<http::Way>),
    /// Toxics are taken from a Toxiproxy.
    Toxiproxy(Box<toxiproxy::Way>),
    /// A process of this machine goes on, is there again, or gets its CPU back.
    Process(ProcessUndo),
    /// What keeps this machine busy ends.
    Stress(StressUndo),
    /// What was put on the network of this machine is taken off.
    Network(NetworkUndo),
}

impl Undo {
    /// A driver was given the way back of another.
    pub(super) fn foreign() -> FaultError {
        FaultError("this way back belongs to a fault of another kind".into())
    }

    /// Brings it back and, where there is a check, makes sure of it. Calling it again does no harm.
    ///
    /// # Errors
    /// When it may still be broken.
    pub fn revert(&self) -> Doing<'_, Done> {
        match self {
            Self::WithEngine => Box::pin(async { Ok(Done::default()) }),
            Self::Exec(way) => Box::pin(way.revert()),
            Self::Http(way) => Box::pin(way.revert()),
            Self::Toxiproxy(way) => Box::pin(way.revert()),
            Self::Process(way) => Box::pin(way.revert()),
            Self::Stress(way) => Box::pin(way.revert()),
            Self::Network(way) => Box::pin(way.revert()),
        }
    }
}
