//! What is outstanding now: the journal's entries, and the watchdog that lives as long as there are any.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Guard;
use crate::fault::journal::Journal;
use crate::fault::undo::Undo;
use crate::fault::watchdog::Watchdog;
use crate::profile::Secrets;

/// See the module. Its calls write to the disk and start processes: they are made off the event loop.
#[derive(Debug)]
pub(super) struct Outstanding {
    guard: Guard,
    secrets: Secrets,
    journal: Option<Journal>,
    watchdog: Option<Watchdog>,
    /// Number in the journal, by fault.
    entries: BTreeMap<usize, u64>,
}

impl Outstanding {
    pub fn new(guard: Guard, secrets: Secrets) -> Self {
        Self {
            guard,
            secrets,
            journal: None,
            watchdog: None,
            entries: BTreeMap::new(),
        }
    }

    /// Writes down how a fault is brought back and makes sure that a watchdog is on guard.
    pub fn hold(&mut self, fault: usize, name: &str, undo: &Undo) -> io::Result<()> {
        let journal = match &mut self.journal {
            Some(journal) => journal,
            none => none.insert(Journal::open(&self.guard.sessions, &self.guard.session)?),
        };
        let number = journal.write(name, undo)?;
        if self.watchdog.is_none() {
            match Watchdog::start(&self.guard.program, journal, self.secrets.pairs()) {
                Ok(watchdog) => self.watchdog = Some(watchdog),
                Err(error) => {
                    journal.strike(number)?;
                    return Err(error);
                }
            }
        }
        self.entries.insert(fault, number);
        Ok(())
    }

    /// Strikes a fault out that is back. With the last of them the watchdog goes.
    pub fn release(&mut self, fault: usize) {
        let Some(number) = self.entries.remove(&fault) else {
            return;
        };
        let struck = self.journal.as_ref().map(|journal| journal.strike(number));
        if let Some(Err(error)) = struck
            // The watchdog may have been faster.
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::error!(%error, "a fault that is back could not be struck from the journal");
        }
        if self.entries.is_empty() {
            self.watchdog = None;
        }
    }

    /// Keeps the watchdog's lease. Gives the faults that nobody guards any more, and why.
    pub fn beat(&mut self) -> Vec<(usize, String)> {
        let Some(watchdog) = &mut self.watchdog else {
            return Vec::new();
        };
        let Err(error) = watchdog.beat() else {
            return Vec::new();
        };
        self.watchdog = None;
        let why = format!("the watchdog is gone ({error}): it is brought back");
        let lost = self.entries.keys().map(|&fault| (fault, why.clone()));
        lost.collect()
    }
}

impl Drop for Outstanding {
    /// First the watchdog, whose last look at the journal needs the folder.
    fn drop(&mut self) {
        self.watchdog = None;
        self.journal = None;
    }
}

/// The lock, whatever happened to whoever held it: what it guards is a list of what is to be brought back.
pub(super) fn locked(outstanding: &Mutex<Outstanding>) -> MutexGuard<'_, Outstanding> {
    outstanding.lock().unwrap_or_else(PoisonError::into_inner)
}
