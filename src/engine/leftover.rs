//! Faults that a dead engine left behind, found before the next window begins or by `recover`.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::fault::recover::{self, Found, Outcome};

/// How long a window that is about to begin tries to bring back what it finds.
const BEFORE_A_WINDOW: Duration = Duration::from_secs(10);

/// Faults of earlier windows that may still be in place.
#[derive(Debug, thiserror::Error)]
#[error(
    "a fault of an earlier window may still be in place:\n  {}\nbring it back (`stormdeck recover` tries again), or, once it is mended by hand, forget it (`stormdeck recover --forget`)",
    .0.join("\n  ")
)]
pub struct StillBroken(Vec<String>);

/// Why it is not known what is left.
#[derive(Debug, thiserror::Error)]
pub enum LeftoverError {
    /// Something is, and could not be brought back.
    #[error(transparent)]
    StillBroken(#[from] StillBroken),
    /// The journal cannot be read.
    #[error("the journal of outstanding faults: {0}")]
    Io(#[from] io::Error),
}

/// Brings back what dead engines left in a directory of sessions; of one session only, if it is named.
///
/// # Errors
/// When the journals cannot be read.
pub fn recover(sessions: &Path, only: Option<&str>, patience: Duration) -> io::Result<Found> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(recover::recover(sessions, only, patience))
}

/// Does so before a window begins, and gives what there is to say of it.
///
/// # Errors
/// When something could not be brought back: what a window measured then would mean nothing.
pub fn clear_before_a_window(sessions: &Path) -> Result<Vec<String>, LeftoverError> {
    let found = recover(sessions, None, BEFORE_A_WINDOW)?;
    let others = found.in_charge.iter().map(|session| in_charge(session));
    let mut said: Vec<String> = others.collect();
    let (back, broken): (Vec<_>, Vec<_>) = found
        .outcomes
        .into_iter()
        .partition(|outcome| outcome.result.is_ok());
    if broken.is_empty() {
        said.extend(back.iter().map(sentence));
        Ok(said)
    } else {
        Err(StillBroken(broken.iter().map(sentence).collect()).into())
    }
}

/// What was found, one sentence each.
pub fn sentences(found: &Found) -> Vec<String> {
    let charge = found.in_charge.iter().map(|session| in_charge(session));
    found.outcomes.iter().map(sentence).chain(charge).collect()
}

fn in_charge(session: &str) -> String {
    format!(
        "{session}: its engine or its watchdog is running and sees to its own faults, which may be on"
    )
}

fn sentence(outcome: &Outcome) -> String {
    let Outcome {
        session,
        fault,
        result,
    } = outcome;
    match result {
        Ok(said) if said.is_empty() => format!("{session}: `{fault}` was left behind, and is back"),
        Ok(said) => {
            let said = said.lines().last().unwrap_or_default();
            format!("{session}: `{fault}` was left behind, and is back ({said})")
        }
        Err(why) => format!("{session}: `{fault}` is NOT back: {why}"),
    }
}
