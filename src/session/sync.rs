//! Makes what was written durable, without the writer ever waiting for a disk.
//!
//! Requests go in, at most one waits while one is carried out; further ones are covered by the one that waits. Errors
//! come out as a count, since the kernel reports a lost write once, and to whoever asks first.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

/// A thread that calls `fdatasync`.
#[derive(Debug)]
pub(super) struct Syncer {
    ask: SyncSender<()>,
    failures: Arc<AtomicU64>,
}

impl Syncer {
    /// Starts the thread. It ends when this is dropped and what it has begun is done.
    pub fn start(file: File) -> io::Result<Self> {
        let (ask, asked) = sync_channel(1);
        let failures = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&failures);
        std::thread::Builder::new()
            .name("session-sync".to_owned())
            .spawn(move || {
                while asked.recv().is_ok() {
                    if file.sync_data().is_err() {
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })?;
        Ok(Self { ask, failures })
    }

    /// Asks for a sync; returns at once.
    pub fn ask(&self) {
        // Full: one is waiting already, and will cover this too. Disconnected: cannot be while `self` is alive.
        let _ = self.ask.try_send(());
    }

    /// How often the disk refused.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }
}
