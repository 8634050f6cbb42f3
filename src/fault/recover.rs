//! Bringing back what a dead engine left behind: what its watchdog does at once, and `recover` or the next `run` later.

use std::collections::BTreeSet;
use std::path::Path;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::driver::{Done, FaultError};
use super::journal::{self, Entry, Journal, Leftover, Place, Returned, Unread, Validity};
use super::undo::Undo;
use crate::profile::units::format_duration;

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

/// Told, while it goes on, what takes long.
type Tell<'a> = &'a dyn Fn(&str);

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
    recover_telling(sessions, only, patience, &|_| {}).await
}

/// Does so, and tells meanwhile what is being waited for longer than that, in sentences.
///
/// # Errors
/// When the journals cannot be read.
pub async fn recover_telling(
    sessions: &Path,
    only: Option<&str>,
    patience: Duration,
    tell: &dyn Fn(&str),
) -> std::io::Result<Found> {
    let (journals, mut found) = left(sessions, only)?;
    for (session, journal) in journals {
        let tell = |said: &str| tell(&format!("{session}: {said}"));
        let cleared = clear(&journal, patience, Duration::ZERO, &tell).await?;
        let outcome = |fault, result| Outcome {
            session: session.clone(),
            fault,
            result,
        };
        let words = journal.take_words()?.into_iter();
        let told = words.map(|Returned { fault, said, .. }| outcome(fault, Ok(said)));
        found.outcomes.extend(told);
        let untold = cleared.into_iter().filter(|cleared| !cleared.word_left);
        let untold = untold.map(|Cleared { fault, result, .. }| outcome(fault, result));
        found.outcomes.extend(untold);
    }
    Ok(found)
}

/// Strikes out what dead engines left, since a person brought it back; of one session only, if it is named.
///
/// # Errors
/// When the journals cannot be read or written.
pub fn forget(sessions: &Path, only: Option<&str>) -> std::io::Result<Found> {
    let (journals, mut found) = left(sessions, only)?;
    for (session, journal) in journals {
        for (number, entry) in journal.outstanding()? {
            journal.strike(number)?;
            found.outcomes.push(Outcome {
                session: session.clone(),
                fault: entry.map_or_else(|_| unnamed(number), |entry| entry.fault),
                result: Ok("forgotten, as asked for".into()),
            });
        }
        journal.take_words()?;
    }
    Ok(found)
}

/// The journals that nobody is in charge of, by session, and word of the others; of one session only, if it is named.
fn left(sessions: &Path, only: Option<&str>) -> std::io::Result<(Vec<(String, Journal)>, Found)> {
    let mut found = Found::default();
    let mut journals = Vec::new();
    for Leftover { session, journal } in journal::leftovers(sessions)? {
        match journal {
            _ if only.is_some_and(|only| only != session) => {}
            Some(journal) => journals.push((session, journal)),
            None => found.in_charge.push(session),
        }
    }
    Ok((journals, found))
}

/// A fault whose entry cannot be read.
fn unnamed(number: u64) -> String {
    format!("number {number}")
}

/// What became of an entry of a journal.
#[derive(Debug)]
pub struct Cleared {
    /// Name of the fault.
    pub fault: String,
    /// What was said when it came back, or why it may still be in place.
    pub result: Result<String, String>,
    /// Whether the journal holds word of it for whoever comes next.
    pub word_left: bool,
}

/// How often a journal is read again while what comes to it is taken in.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// Brings back everything that a journal holds, or comes to hold within `takes_in`, all at once, each tried for `patience`,
/// and leaves word of what came back. What is written after that is somebody else's, who knows of it.
///
/// # Errors
/// When the journal cannot be read to begin with.
pub async fn clear(
    journal: &Journal,
    patience: Duration,
    takes_in: Duration,
    tell: Tell<'_>,
) -> std::io::Result<Vec<Cleared>> {
    let until = Instant::now() + takes_in;
    let mut first = true;
    let mut known = BTreeSet::new();
    let mut tasks = Vec::new();
    let mut cleared = Vec::new();
    loop {
        let open = Instant::now() < until;
        let read = match journal.outstanding() {
            _ if !first && !open => Vec::new(),
            Ok(read) => read,
            Err(error) if first => return Err(error),
            // What is under way goes on.
            Err(error) => {
                tracing::error!(%error, "the journal cannot be read for now");
                Vec::new()
            }
        };
        first = false;
        for (number, entry) in read {
            if known.insert(number) {
                let task = one(journal, number, entry, patience, tell);
                tasks.push(Box::pin(async move { (number, task.await) }));
            }
        }
        if tasks.is_empty() && !open {
            cleared.sort_by_key(|(number, _)| *number);
            return Ok(cleared.into_iter().map(|(_, cleared)| cleared).collect());
        }
        if let Ok(ended) = timeout(READ_AGAIN, next(&mut tasks)).await {
            cleared.push(ended);
        }
    }
}

/// The first of them to end, taken out. All of them go on meanwhile, on this task.
async fn next<F: Future + Unpin>(tasks: &mut Vec<F>) -> F::Output {
    std::future::poll_fn(|cx| {
        for at in 0..tasks.len() {
            if let Poll::Ready(value) = Pin::new(&mut tasks[at]).poll(cx) {
                drop(tasks.swap_remove(at));
                return Poll::Ready(value);
            }
        }
        Poll::Pending
    })
    .await
}

async fn one(
    journal: &Journal,
    number: u64,
    entry: Result<Entry, Unread>,
    patience: Duration,
    tell: Tell<'_>,
) -> Cleared {
    let still = |fault, why| Cleared {
        fault,
        result: Err(why),
        word_left: false,
    };
    let entry = match read_until(journal, number, entry, patience).await {
        Ok(entry) => entry,
        Err(why) => return still(unnamed(number), why.to_string()),
    };
    let is_struck = || !journal.holds(number);
    let brought = match entry.place.validity(&entry.undo, &Place::here()) {
        Validity::Valid => bring_back(&entry, patience, &is_struck, tell).await,
        Validity::Over(said) => Ok(said),
        Validity::Elsewhere(why) => Err(why),
    };
    let said = match brought {
        Ok(said) => said,
        Err(why) => return still(entry.fault, why),
    };
    let fault = entry.fault;
    let returned = Returned::now(&fault, &said);
    let (said, word_left) = match journal.strike_with_word(number, &returned) {
        Ok(word_left) => (said, word_left),
        Err(error) => {
            let remark = format!("it is still in the journal, which cannot be written: {error}");
            (remark, false)
        }
    };
    Cleared {
        fault,
        result: Ok(said),
        word_left,
    }
}

/// An entry, once the system lets it be read; at most for so long.
async fn read_until(
    journal: &Journal,
    number: u64,
    mut entry: Result<Entry, Unread>,
    patience: Duration,
) -> Result<Entry, Unread> {
    let end = Instant::now() + patience;
    let mut tries = 0;
    loop {
        let pause = pause(tries);
        match &entry {
            Err(Unread::Refused(..)) if journal.holds(number) && Instant::now() + pause < end => {}
            Ok(_) | Err(_) => return entry,
        }
        tries += 1;
        tokio::time::sleep(pause).await;
        entry = journal.entry(number);
    }
}

/// Tries until it is back, by whomever, or for so long.
async fn bring_back(
    entry: &Entry,
    patience: Duration,
    is_struck: &dyn Fn() -> bool,
    tell: Tell<'_>,
) -> Result<String, String> {
    let end = Instant::now() + patience;
    let mut tries = 0;
    let mut before = None;
    loop {
        let why = match attempt(entry, end, tell).await {
            Some(Ok(done)) => return Ok(done.said),
            Some(Err(why)) => why.to_string(),
            None => {
                let late = format!("it did not come back within {}", format_duration(patience));
                return Err(before.map_or(late.clone(), |why| format!("{why}; then {late}")));
            }
        };
        if is_struck() {
            return Ok("its engine brought it back".into());
        }
        tracing::error!(fault = %entry.fault, %why, tries, "a fault could not be brought back yet");
        let pause = pause(tries);
        if Instant::now() + pause > end {
            return Err(why);
        }
        before = Some(why);
        tries += 1;
        tokio::time::sleep(pause).await;
    }
}

/// Tries once. What must not be left half way, and has a limit of its own, is waited for past `end`; `None` when anything
/// else takes longer.
async fn attempt(entry: &Entry, end: Instant, tell: Tell<'_>) -> Option<Result<Done, FaultError>> {
    let mut reverting = entry.undo.revert();
    let end = end.max(Instant::now() + LEAST);
    if let Ok(done) = timeout_at(end, &mut reverting).await {
        return Some(done);
    }
    match entry.undo {
        Undo::Exec(_) | Undo::Process(_) => {
            tell(&format!(
                "`{}` is being brought back; it is waited for, up to the limit of its program",
                entry.fault
            ));
            Some(reverting.await)
        }
        Undo::WithEngine
        | Undo::Http(_)
        | Undo::Toxiproxy(_)
        | Undo::Stress(_)
        | Undo::Network(_) => None,
    }
}

/// The least time that a try gets.
const LEAST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
