//! The engine's own `/metrics`, so that a Prometheus can watch a window too.
//!
//! ```text
//!   engine ── records ──▶ fold ──▶ snapshot, once a tick ──▶ slot ◀── serve ──▶ page
//!                                                                  a thread of its own
//! ```
//!
//! In: the records that go to the session. Out: an exposition in text 0.0.4 or `OpenMetrics` 1.0. Counters count from the
//! start of the window. The invariant: serving never holds the engine up. It puts a pointer into a slot once a tick; if
//! the slot is being read just then, it lets that tick go by, since counters make the next snapshot whole.
//!
//! Metrics are served from the window's start until its process ends, so the last of them may never be scraped.

pub mod fold;
pub mod render;
mod serve;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use render::Snapshot;
use serve::Slot;

use crate::session::dir::EXTENSION;
use crate::session::record::Record;

/// Why metrics cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("`metrics` in `[window]`: nothing can be served on {address}: {}", advice(.source))]
pub struct BindError {
    /// Where.
    pub address: String,
    /// Why.
    pub source: io::Error,
}

/// What is wrong with an address, and what to do about it.
fn advice(error: &io::Error) -> String {
    let say = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "something listens there already; end that, or take another port (0 lets the system choose)"
        }
        io::ErrorKind::AddrNotAvailable => {
            "no interface of this machine has that address; take one of its own, like 127.0.0.1"
        }
        io::ErrorKind::PermissionDenied => {
            "this user may not listen there; take a port from 1024 up"
        }
        _ => return error.to_string(),
    };
    say.to_owned()
}

/// What to warn of when others than this machine could read the metrics.
pub fn exposed(address: &str) -> Option<String> {
    let parsed: SocketAddr = address.parse().ok()?;
    (!parsed.ip().is_loopback()).then(|| {
        format!(
            "the metrics on {address} can be read by whoever reaches this machine, without a password; 127.0.0.1 keeps them here"
        )
    })
}

/// An address that is taken, and not yet served on: those who connect wait.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Takes an address; port 0 takes one that is free.
    ///
    /// # Errors
    /// When it is in use, not this machine's, or not this user's to take.
    pub fn bind(address: &str) -> Result<Self, BindError> {
        let bound = TcpListener::bind(address).and_then(|listener| {
            let address = listener.local_addr()?;
            Ok(Self { listener, address })
        });
        bound.map_err(|source| BindError {
            address: address.to_owned(),
            source,
        })
    }

    /// The address, with the port that was chosen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Metrics that are served. Dropping it ends that, and waits half a second at most.
#[derive(Debug)]
pub struct Metrics {
    snapshot: Snapshot,
    slot: Arc<Slot>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Metrics {
    /// Begins to serve, with nothing counted yet, what is recorded at `session`.
    ///
    /// # Errors
    /// When the system has no thread for it.
    pub fn start(listener: Listener, session: &Path) -> io::Result<Self> {
        let name = session.file_name().unwrap_or_default().to_string_lossy();
        let snapshot = Snapshot {
            session: name.strip_suffix(EXTENSION).unwrap_or(&name).to_owned(),
            ..Snapshot::default()
        };
        let slot = Arc::new(Mutex::new(Arc::new(snapshot.clone())));
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("metrics".into()).spawn({
            let slot = Arc::clone(&slot);
            move || {
                if let Err(error) = serve::serve(listener.listener, slot, stopped) {
                    tracing::error!(%error, "metrics are not served; the window goes on");
                }
            }
        })?;
        Ok(Self {
            snapshot,
            slot,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Takes the next record in.
    pub fn apply(&mut self, record: &Record) {
        self.snapshot.fold.apply(record);
    }

    /// Lets readers see what was taken in so far; so many ticks could not be recorded. Never waits.
    pub fn publish(&mut self, lost: u64) {
        self.snapshot.lost = lost;
        if let Ok(mut slot) = self.slot.try_lock() {
            *slot = Arc::new(self.snapshot.clone());
        }
    }

    /// Likewise when the window is over and nothing depends on the moment any more: waits for a reader.
    pub fn publish_last(&mut self, lost: u64) {
        self.snapshot.lost = lost;
        *locked(&self.slot) = Arc::new(self.snapshot.clone());
    }
}

impl Drop for Metrics {
    fn drop(&mut self) {
        // Dropping the sender is the signal.
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What is in a slot. A thread that panicked while it held the lock left a whole pointer behind.
fn locked(slot: &Slot) -> MutexGuard<'_, Arc<Snapshot>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_taken_or_not_ours_is_refused_with_a_way_out() {
        let first = Listener::bind("127.0.0.1:0").unwrap();
        let taken = Listener::bind(&first.address().to_string()).unwrap_err();
        assert!(taken.to_string().contains("take another port"), "{taken}");
        let foreign = Listener::bind("192.0.2.1:9464").unwrap_err();
        let says = "no interface of this machine";
        assert!(foreign.to_string().contains(says), "{foreign}");
    }

    #[test]
    fn an_address_that_others_reach_is_warned_of() {
        for address in ["127.0.0.1:9464", "[::1]:0", "127.9.9.9:1"] {
            assert_eq!(exposed(address), None);
        }
        for address in ["0.0.0.0:9464", "[::]:9464", "10.0.0.7:9464"] {
            assert!(exposed(address).is_some(), "{address}");
        }
    }
}
