//! Faults on this machine, done to real processes, memory, disks and networks, and brought back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "this is a test"
)]

mod network;
mod process;
mod stress;

#[path = "../support/mod.rs"]
mod support;

use std::future::Future;

use stormdeck::fault::driver::{Done, Driver, FaultError, Proof};
use stormdeck::fault::undo::Undo;

/// Runs something on an event loop like that of an engine.
fn block_on<T>(doing: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(doing)
}

/// Prepares and injects; the way back is read again from what would be on the disk.
fn break_it(fault: &dyn Driver) -> Undo {
    block_on(async {
        let undo = fault.prepare().await.unwrap();
        let done = fault.inject(&undo).await.unwrap();
        assert_eq!(done.proof, Proof::Seen, "{}", done.said);
        serde_json::from_str(&serde_json::to_string(&undo).unwrap()).unwrap()
    })
}

fn bring_back(undo: &Undo) -> Done {
    let done = block_on(undo.revert()).unwrap();
    assert_eq!(done.proof, Proof::Seen, "{}", done.said);
    done
}

fn refusal(fault: &dyn Driver) -> String {
    let FaultError(why) = block_on(async { fault.prepare().await.unwrap_err() });
    why
}
