//! What a person may tell a running window to do.
//!
//! A command is plain data: keys, the control socket and signals all end here, and each one that acts becomes an
//! event in the session with who asked for it.

use std::time::Duration;

/// One wish, and who has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// `user@host`; `None` when stormdeck itself asks.
    pub by: Option<String>,
    /// The wish.
    pub command: Command,
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
    /// Set one scenario's arrivals a second or users, until the next phase begins.
    Amount {
        /// Which.
        scenario: usize,
        /// Arrivals a second, or users.
        amount: f64,
    },
    /// Set the load factor of every scenario that scales, until the next phase begins.
    Load {
        /// 1.0 is what the profile states.
        factor: f64,
    },
    /// Switch the profile's spike factor on, or back to the schedule.
    Spike {
        /// On or off.
        on: bool,
    },
    /// Keep the current phase from ending, or let it go on; the time it was held is added to it.
    Hold {
        /// Hold or release.
        on: bool,
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
    /// End the window: start nothing more, wait for what is in flight, close the session.
    End {
        /// A sentence for the record.
        text: String,
    },
}
