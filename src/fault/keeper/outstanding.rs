//! What is outstanding now: the journal's entries, and the watchdog that lives as long as there are any.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Guard;
use crate::fault::journal::Journal;
use crate::fault::undo::Undo;
use crate::fault::watchdog::Watchdog;
use crate::profile::Secrets;

/// See the module. Its calls write to the disk, start processes and wait for them: they are made off the event loop.
#[derive(Debug)]
pub(super) struct Outstanding {
    guard: Guard,
    secrets: Secrets,
    journal: Option<Journal>,
    post: Post,
    /// Number in the journal, by fault.
    entries: BTreeMap<usize, u64>,
}

/// Where the watchdog stands, if one does. It has a lock of its own, which nobody holds while a disk is waited for: the
/// heart goes on beating.
#[derive(Debug, Clone, Default)]
pub(super) struct Post(Arc<Mutex<Option<Watchdog>>>);

impl Outstanding {
    pub fn new(guard: Guard, secrets: Secrets, post: Post) -> Self {
        Self {
            guard,
            secrets,
            journal: None,
            post,
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
        if self.post.is_empty() {
            let Guard { program, log, .. } = &self.guard;
            match Watchdog::start(program, journal, log, self.secrets.pairs()) {
                Ok(watchdog) => self.post.man(watchdog),
                Err(error) => {
                    journal.strike(number)?;
                    return Err(error);
                }
            }
        }
        self.entries.insert(fault, number);
        Ok(())
    }

    /// Whether a fault may go in: its entry still stands, and somebody is on guard who has not heard the heart stop. Else
    /// why not. It holds for what cannot outlive this process as well.
    pub fn is_guarded(&self, fault: usize) -> Result<(), String> {
        let (Some(number), Some(journal)) = (self.entries.get(&fault), &self.journal) else {
            return Ok(());
        };
        if !journal.holds(*number) {
            return Err("its watchdog has taken it for left behind".into());
        }
        self.post.is_manned()
    }

    /// What the watchdog said when it brought a fault back that is still held here; nothing when it has not.
    pub fn word_of(&self, fault: usize) -> Option<String> {
        let (number, journal) = (self.entries.get(&fault)?, self.journal.as_ref()?);
        // Not being there proves nothing: the whole folder may be out of reach.
        journal.word(*number).map(|word| word.said)
    }

    /// Strikes a fault out that is back. With the last of them the watchdog goes, before another one can be held.
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
            return;
        }
        if self.entries.is_empty()
            && let Some(watchdog) = self.post.leave()
        {
            watchdog.dismiss();
        }
    }
}

impl Post {
    /// Keeps the lease of the watchdog. Gives the reason when nobody stands there any more.
    pub fn beat(&self) -> Option<String> {
        let mut post = locked(&self.0);
        let error = post.as_mut()?.beat().err()?;
        *post = None;
        Some(format!("the watchdog is gone ({error})"))
    }

    /// Whether somebody stands there who still listens. One who does not is left to [`Post::beat`], which tells everybody.
    fn is_manned(&self) -> Result<(), String> {
        let mut post = locked(&self.0);
        let Some(watchdog) = post.as_mut() else {
            return Err("there is no watchdog any more".into());
        };
        watchdog
            .beat()
            .map_err(|error| format!("the watchdog is gone ({error})"))
    }

    fn is_empty(&self) -> bool {
        locked(&self.0).is_none()
    }

    fn man(&self, watchdog: Watchdog) {
        *locked(&self.0) = Some(watchdog);
    }

    fn leave(&self) -> Option<Watchdog> {
        locked(&self.0).take()
    }
}

impl Drop for Outstanding {
    /// First the watchdog, whose last look at the journal needs the folder.
    fn drop(&mut self) {
        drop(self.post.leave());
        self.journal = None;
    }
}

/// The lock, whatever happened to whoever held it.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
