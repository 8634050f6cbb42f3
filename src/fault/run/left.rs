//! What goes on although it was to end: it takes no signal from this user, as what runs under `sudo` does not. That nobody
//! is left is seen, never concluded from a signal: one to a group is a success when a single process takes it, and an error
//! when none may be sent it.

use std::cell::RefCell;
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::process::Child;
use std::task::Poll;
use std::time::Duration;

use procfs::process::Stat;
use rustix::process::Pid;

use super::Gone;

/// Why a program goes on whatever is done, for a sentence.
pub(in crate::fault) const UNSTOPPABLE: &str =
    "no signal of this user ends it, as what runs under `sudo` takes none";

/// From one look to the next.
const LOOK: Duration = Duration::from_millis(100);

/// What could not be ended: a child, and the group that it headed.
pub(super) struct Left {
    child: Child,
    group: Pid,
}

impl Left {
    pub fn new(child: Child, group: Pid) -> Self {
        Self { child, group }
    }

    /// Waits until nothing of it runs any more, and reaps the child.
    pub fn outlast(mut self) {
        // The number of a group is nobody else's as long as the child is not reaped.
        while is_running(self.group) {
            std::thread::sleep(LOOK);
        }
        let _ = self.child.wait();
    }
}

/// Whether a process of this group has not ended, whoever's it is. It blocks.
pub(in crate::fault) fn is_running(group: Pid) -> bool {
    let group = group.as_raw_nonzero().get();
    let all = procfs::process::all_processes();
    // Not to be able to look is not to see nobody.
    all.map_or(true, |mut all| {
        all.any(|process| {
            let stat = process.and_then(|process| process.stat());
            stat.is_ok_and(|stat| stat.pgrp == group && !has_ended(&stat))
        })
    })
}

/// Whether a process runs no more, reaped or not.
pub(in crate::fault) fn has_ended(stat: &Stat) -> bool {
    matches!(stat.state, 'Z' | 'X' | 'x')
}

/// The program that was started last, by this process.
#[derive(Debug, Default)]
pub(in crate::fault) struct Last(RefCell<Option<Gone>>);

impl Last {
    /// Another one was started.
    pub fn set(&self, gone: Gone) {
        self.0.replace(Some(gone));
    }

    /// Whether it is gone; waits so long for that. Giving up waiting forgets nothing.
    pub async fn is_gone(&self, within: Duration) -> bool {
        let gone = poll_fn(|cx| {
            let mut last = self.0.borrow_mut();
            if let Some(gone) = &mut *last
                && Pin::new(gone).poll(cx).is_pending()
            {
                return Poll::Pending;
            }
            *last = None;
            Poll::Ready(())
        });
        tokio::time::timeout(within, gone).await.is_ok()
    }
}

/// Of a way back: what one process knows of it is nothing that another one has.
impl Clone for Last {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Last {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
