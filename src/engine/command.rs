//! What a person may tell a running window to do.
//!
//! A command is plain data: keys, the control socket and signals all end here, and each one that acts becomes an
//! event in the session with who asked for it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::control::Status;
use crate::scrape::watch::Ask;
use crate::session::record::Decision;

/// One wish, and who has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// `user@host`; `None` when stormdeck itself asks.
    pub by: Option<String>,
    /// The wish.
    pub command: Command,
}

/// What comes to a running window from outside. A reply that nobody waits for any more is dropped.
#[derive(Debug)]
pub enum Call {
    /// Do something, and say in a sentence what was done, or why not.
    Order(Order, oneshot::Sender<Result<String, String>>),
    /// Break something, or bring it back, and say so, or why not.
    Fault(FaultOrder, oneshot::Sender<Result<String, String>>),
    /// Say how the window stands.
    Status(oneshot::Sender<Status>),
    /// Pass a question on to what watches the targets.
    Watch(Ask),
}

/// A wish about faults, and who has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultOrder {
    /// `user@host`; `None` when stormdeck itself asks.
    pub by: Option<String>,
    /// The wish.
    pub what: Breaking,
}

/// What a person may ask of faults, which go by their index in the profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaking {
    /// Break one, or bring it back.
    One {
        /// Which.
        fault: usize,
        /// On or off.
        to: Switch,
        /// Whether it goes in against a guard rail.
        force: bool,
    },
    /// Bring everything back that is broken.
    Clear,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    /// On, whatever it is.
    On,
    /// Off, whatever it is.
    Off,
    /// The other of the two.
    Toggle,
}

impl Switch {
    /// What it makes of something that is on or off.
    pub fn turn(self, on: bool) -> bool {
        match self {
            Self::On => true,
            Self::Off => false,
            Self::Toggle => !on,
        }
    }
}

/// What a number should become.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Adjust {
    /// This.
    To(f64),
    /// More by this, or less if it is negative; never below 0.
    By(f64),
    /// More or less by this many percent of what it is; never below 0.
    Percent(f64),
}

impl Adjust {
    /// What it makes of a number.
    pub fn apply(self, now: f64) -> f64 {
        match self {
            Self::To(value) => value,
            Self::By(value) => (now + value).max(0.0),
            Self::Percent(percent) => (now * (1.0 + percent / 100.0)).max(0.0),
        }
    }
}

/// What a person may ask of a running window. Scenarios and phases go by their index in the profile.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Let a scenario put load.
    Start {
        /// Which.
        scenario: usize,
    },
    /// Let a scenario put no load; what is in flight finishes.
    Stop {
        /// Which.
        scenario: usize,
    },
    /// Change one scenario's arrivals a second or users, until the next phase begins.
    Amount {
        /// Which.
        scenario: usize,
        /// Arrivals a second, or users.
        to: Adjust,
    },
    /// Change the load factor of every scenario that scales, until the next phase begins.
    Load {
        /// 1.0 is what the profile states.
        to: Adjust,
    },
    /// Switch the profile's spike factor on, or back to the schedule.
    Spike {
        /// On or off.
        to: Switch,
    },
    /// Keep the current phase from ending, or let it go on; the time it was held is added to it.
    Hold {
        /// Hold or release.
        to: Switch,
    },
    /// End the current phase now.
    Next,
    /// End the current phase now and begin another.
    Jump {
        /// Which.
        phase: usize,
    },
    /// Let the current phase last longer.
    Extend {
        /// By how much.
        by: Duration,
    },
    /// Put a note on the timeline.
    Mark {
        /// The note.
        text: String,
    },
    /// Sign the window off.
    SignOff {
        /// Go or no-go.
        decision: Decision,
        /// Why.
        text: String,
    },
    /// End the window without waiting for what is in flight.
    Abort {
        /// A sentence for the record.
        text: String,
    },
    /// End the window: start nothing more, wait for what is in flight, close the session.
    End {
        /// A sentence for the record.
        text: String,
    },
}
