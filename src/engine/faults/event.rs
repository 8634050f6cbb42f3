//! What is recorded when a fault changes.

use super::Act;
use crate::session::record::{FaultState, Happening};

/// What an event says of a fault's new state.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    pub to: FaultState,
    /// Against a guard rail.
    pub forced: bool,
    /// It may be in place although it failed.
    pub in_place: bool,
    /// The state was read back.
    pub proven: bool,
    /// When it goes out by itself, µs since the window began.
    pub until: Option<u64>,
}

impl Change {
    pub fn to(to: FaultState) -> Self {
        Self {
            to,
            forced: false,
            in_place: false,
            proven: false,
            until: None,
        }
    }

    pub fn of(self, fault: usize, text: &str) -> Happening {
        Happening::Fault {
            fault,
            state: self.to,
            text: text.to_owned(),
            forced: self.forced,
            in_place: self.in_place,
            proven: self.proven,
            until: self.until,
        }
    }
}

pub(super) fn state(fault: usize, state: FaultState, text: &str) -> Happening {
    Change::to(state).of(fault, text)
}

/// One that could not be undone.
pub(super) fn stuck(fault: usize, text: &str) -> Happening {
    Change {
        in_place: true,
        ..Change::to(FaultState::Failed)
    }
    .of(fault, text)
}

pub(super) fn record(by: Option<&str>, what: Happening) -> Act {
    let by = by.map(str::to_owned);
    Act::Record { by, what }
}
