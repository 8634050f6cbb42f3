//! Writes that are counted and read back.

use super::Step;
use crate::profile::units::Rate;

/// `[[ledger]]`: how the writes of the steps that name it are read back when the window is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Ledger {
    /// Unique among ledgers.
    pub name: String,
    /// The request that asks for one write; its template sees the write's number as `ledger`.
    pub read: Step,
    /// JSON path to how often the write is there; without one it is there once.
    pub count: Option<String>,
    /// Most such requests a second: 500/s unless said otherwise.
    pub rate: Rate,
}
