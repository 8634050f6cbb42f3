//! What a fault has touched since it was put in: written by the proxies' thread, read by anyone.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::alarm;
use crate::fault::driver::Touched;

/// The counts of one fault. One thread writes, so each number is right by itself; two of them may be of
/// moments next to each other.
#[derive(Debug, Default)]
pub(super) struct Counts {
    since: AtomicU64,
    seen: AtomicU64,
    affected: AtomicU64,
    bytes: AtomicU64,
    /// Moment of the first effect; 0 while there is none.
    first: AtomicU64,
}

impl Counts {
    /// Begins anew, for an injection at this moment.
    pub fn begin(&self, now: u64) {
        for count in [&self.seen, &self.affected, &self.bytes, &self.first] {
            count.store(0, Relaxed);
        }
        self.since.store(now, Relaxed);
    }

    /// A connection, or a request, was there.
    pub fn seen(&self) {
        self.seen.fetch_add(1, Relaxed);
    }

    /// One of those was touched, for the first time.
    pub fn affected(&self) {
        if self.affected.fetch_add(1, Relaxed) == 0 {
            self.first.store(alarm::now(), Relaxed);
        }
    }

    /// Bytes were touched.
    pub fn bytes(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// All of them.
    pub fn read(&self) -> Touched {
        let (since, first) = (self.since.load(Relaxed), self.first.load(Relaxed));
        Touched {
            seen: self.seen.load(Relaxed),
            affected: self.affected.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            first: (first > 0).then(|| Duration::from_nanos(first.saturating_sub(since))),
        }
    }
}

/// What one fault does to one connection, which counts once.
#[derive(Debug)]
pub(super) struct Touch {
    counts: Arc<Counts>,
    touched: Cell<bool>,
}

impl Touch {
    pub fn new(counts: Arc<Counts>) -> Self {
        Self {
            counts,
            touched: Cell::new(false),
        }
    }

    /// The connection felt it.
    pub fn felt(&self) {
        if !self.touched.replace(true) {
            self.counts.affected();
        }
    }

    /// So many bytes of the connection went through it.
    pub fn bytes(&self, bytes: usize) {
        self.counts.bytes(bytes);
    }

    /// The counts of the fault.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}
