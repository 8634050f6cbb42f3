//! Bringing back what a dead engine left behind: what its watchdog does at once, and `recover` or the next `run` later.

use std::path::Path;
use std::time::Duration;

use super::journal::{self, Entry, Journal, Returned};

/// From one try to the next: soon at first, seldom later.
const TRIES: [Duration; 5] = [
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
];

/// The pause after so many tries that failed.
pub(super) fn pause(tries: usize) -> Duration {
    TRIES[tries.min(TRIES.len() - 1)]
}

/// What became of one fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Name of the session that it was injected in.
    pub session: String,
    /// Name of the fault.
    pub fault: String,
    /// What was said when it came back, or why it may still be in place.
    pub result: Result<String, String>,
}

/// What was found in a directory of sessions.
#[derive(Debug, Default)]
pub struct Found {
    /// Faults that were brought back, now or by a watchdog, and those that could not be.
    pub outcomes: Vec<Outcome>,
    /// Sessions whose engine or watchdog is there to see to its own.
    pub in_charge: Vec<String>,
}

/// Brings back what dead engines left in a directory of sessions; of one session only, if it is named. Each fault is tried
/// for so long.
///
/// # Errors
/// When the journals cannot be read.
pub async fn recover(
    sessions: &Path,
    only: Option<&str>,
    patience: Duration,
) -> std::io::Result<Found> {
    let mut found = Found::default();
    for leftover in journal::leftovers(sessions)? {
        let session = leftover.session;
        if only.is_some_and(|only| only != session) {
            continue;
        }
        let Some(journal) = leftover.journal else {
            found.in_charge.push(session);
            continue;
        };
        let told = |Returned { fault, said, .. }| Outcome {
            session: session.clone(),
            fault,
            result: Ok(said),
        };
        let results = clear(&journal, patience).await?;
        found
            .outcomes
            .extend(journal.take_words()?.into_iter().map(told));
        let failed = results.into_iter().filter_map(|(fault, result)| {
            Some(Outcome {
                session: session.clone(),
                fault,
                result: Err(result.err()?),
            })
        });
        found.outcomes.extend(failed);
    }
    Ok(found)
}

/// Brings back everything that a journal holds, all at once, each tried for so long, and leaves word of what came back.
/// Gives the fault and what became of it.
///
/// # Errors
/// When the journal cannot be read.
pub async fn clear(
    journal: &Journal,
    patience: Duration,
) -> std::io::Result<Vec<(String, Result<(), String>)>> {
    let mut tasks = Vec::new();
    for (number, entry) in journal.outstanding()? {
        tasks.push(one(journal, number, entry, patience));
    }
    Ok(together(tasks).await)
}

async fn one(
    journal: &Journal,
    number: u64,
    entry: Result<Entry, String>,
    patience: Duration,
) -> (String, Result<(), String>) {
    let entry = match entry {
        Ok(entry) => entry,
        Err(why) => return (format!("number {number}"), Err(why)),
    };
    let result = bring_back(&entry, patience).await;
    let result = result.and_then(|said| {
        let returned = Returned {
            fault: entry.fault.clone(),
            wall: journal::wall(),
            said,
        };
        let struck = journal.strike_with_word(number, &returned);
        struck.map_err(|error| format!("it is back, and the journal cannot say so: {error}"))
    });
    (entry.fault, result)
}

/// Tries until it is back, or for so long.
async fn bring_back(entry: &Entry, patience: Duration) -> Result<String, String> {
    let began = tokio::time::Instant::now();
    let mut tries = 0;
    loop {
        let why = match entry.undo.revert().await {
            Ok(done) => return Ok(done.said),
            Err(why) => why,
        };
        tracing::error!(fault = %entry.fault, %why, tries, "a fault could not be brought back yet");
        let pause = pause(tries);
        if began.elapsed() + pause > patience {
            return Err(why.to_string());
        }
        tries += 1;
        tokio::time::sleep(pause).await;
    }
}

/// Runs all of them at once on this task.
async fn together<T>(tasks: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut tasks: Vec<_> = tasks.into_iter().map(Box::pin).collect();
    let mut results: Vec<Option<T>> = tasks.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (task, result) in tasks.iter_mut().zip(&mut results) {
            if result.is_none()
                && let std::task::Poll::Ready(value) = task.as_mut().poll(cx)
            {
                *result = Some(value);
            }
        }
        if results.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    results.into_iter().flatten().collect()
}
