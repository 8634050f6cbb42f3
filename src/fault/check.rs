//! What a check proves: that a fault is in, that it is out again.
//!
//! In: a look at the state, by program or by request. Out: a [`Done`]. A check passes when what was broken works; so one
//! that fails proves a fault, provided that it passed before.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::driver::{Done, FaultError, Proof};
use crate::profile::units::format_duration;

/// How long an effect may take to show: what was told to stop takes a moment to.
const SHOWS_WITHIN: Duration = Duration::from_secs(3);

/// From one look to the next.
const AFTER_INJECTION: Duration = Duration::from_millis(100);
const AFTER_REVERT: Duration = Duration::from_millis(500);

/// The least time that a look gets, however little is left.
const LEAST: Duration = Duration::from_millis(100);

/// What a look at the state found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// It works.
    Works,
    /// It does not, for this reason.
    Broken(String),
    /// It cannot be known: the check itself cannot be made.
    Unknown(String),
}

/// What is known after an injection that said `said`. `worked` is what the check found before it.
pub(super) async fn injected(
    said: String,
    worked: bool,
    limit: Duration,
    look: impl AsyncFn(Duration) -> Found,
) -> Done {
    let unproved = |why: &str| Done {
        proof: Proof::None,
        said: joined(&said, why),
    };
    let end = Instant::now() + SHOWS_WITHIN;
    loop {
        match look(limit).await {
            Found::Broken(_) if worked => {
                return Done {
                    proof: Proof::Checked,
                    said,
                };
            }
            Found::Broken(_) => {
                return unproved("the check fails, as it did before: it proves nothing");
            }
            Found::Unknown(why) => return unproved(&why),
            Found::Works if Instant::now() >= end => {
                return unproved("the check still passes: the fault shows no effect");
            }
            Found::Works => sleep(AFTER_INJECTION).await,
        }
    }
}

/// Whether the check has been seen to fail for a fault by this process: only then does it prove, when it passes, that the
/// fault is back. Never written down: an entry of the journal stands before the injection.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Failed(Cell<bool>);

impl Failed {
    /// It failed.
    pub(super) fn set(&self) {
        self.0.set(true);
    }
}

/// What is known after a revert came out as `reverted`. With a check it is the state that counts: it has `limit` to come
/// back. A revert that failed has not, unless the check, which has `failed` while the fault was in, passes.
pub(super) async fn reverted(
    reverted: Result<String, FaultError>,
    failed: &Failed,
    check: Option<(Duration, impl AsyncFn(Duration) -> Found)>,
) -> Result<Done, FaultError> {
    let (proof, said) = match (reverted, check) {
        (reverted, None) => (Proof::None, reverted?),
        (Ok(said), Some((limit, look))) => {
            back(limit, look).await?;
            (Proof::Checked, said)
        }
        (Err(error), Some((limit, look))) => match look(limit).await {
            Found::Works if failed.0.get() => {
                (Proof::Checked, format!("{error}; but the check passes"))
            }
            Found::Works => {
                let why = "the check passes, but was not seen to fail: it proves nothing";
                return Err(FaultError(format!("{error}; {why}")));
            }
            Found::Broken(why) => {
                failed.set();
                return Err(FaultError(format!("{error}; and {why}")));
            }
            Found::Unknown(why) => return Err(FaultError(format!("{error}; and {why}"))),
        },
    };
    Ok(Done { proof, said })
}

/// Looks until it works again.
async fn back(limit: Duration, look: impl AsyncFn(Duration) -> Found) -> Result<(), FaultError> {
    let end = Instant::now() + limit;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let why = match look(left.max(LEAST)).await {
            Found::Works => return Ok(()),
            Found::Unknown(why) => return Err(FaultError(format!("it was reverted, but {why}"))),
            Found::Broken(why) => why,
        };
        if Instant::now() + AFTER_REVERT >= end {
            let limit = format_duration(limit);
            return Err(FaultError(format!(
                "it was reverted, but is not back within {limit}: {why}"
            )));
        }
        sleep(AFTER_REVERT).await;
    }
}

/// What was said, and a sentence of ours.
fn joined(said: &str, ours: &str) -> String {
    let between = if said.is_empty() { "" } else { "\n" };
    format!("{said}{between}{ours}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(3);

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
            .block_on(future)
    }

    /// Gives these one after the other, the last one again and again.
    fn looks(found: &'static [fn() -> Found]) -> impl AsyncFn(Duration) -> Found {
        let next = Cell::new(0);
        async move |_| {
            let at = next.replace(next.get() + 1);
            found[at.min(found.len() - 1)]()
        }
    }

    const WORKS: fn() -> Found = || Found::Works;
    const BROKEN: fn() -> Found = || Found::Broken("it exits with 1".into());
    const UNKNOWN: fn() -> Found = || Found::Unknown("there is no check".into());

    #[test]
    fn a_check_that_passed_and_fails_proves_a_fault() {
        let after = |worked, found| run(injected("done".into(), worked, LIMIT, looks(found)));
        let seen = Done {
            proof: Proof::Checked,
            said: "done".into(),
        };
        assert_eq!(after(true, &[BROKEN]), seen);
        assert_eq!(after(true, &[WORKS, WORKS, BROKEN]), seen);
        let unproved = |worked, found, said: &str| {
            let done: Done = after(worked, found);
            assert_eq!((done.proof, &done.said[..]), (Proof::None, said));
        };
        let still = "done\nthe check still passes: the fault shows no effect";
        unproved(true, &[WORKS], still);
        let before = "done\nthe check fails, as it did before: it proves nothing";
        unproved(false, &[BROKEN], before);
        unproved(true, &[UNKNOWN], "done\nthere is no check");
    }

    #[test]
    fn what_was_reverted_is_looked_at_until_it_is_back() {
        let ok = || Ok("ok".to_owned());
        let seen = |said: &str| {
            Ok(Done {
                proof: Proof::Checked,
                said: said.into(),
            })
        };
        let never_failed = Failed::default();
        let slow = looks(&[BROKEN, WORKS]);
        assert_eq!(
            run(reverted(ok(), &never_failed, Some((LIMIT, slow)))),
            seen("ok")
        );
        let never = run(reverted(
            ok(),
            &never_failed,
            Some((LIMIT, looks(&[BROKEN]))),
        ));
        assert_eq!(
            never.unwrap_err().to_string(),
            "it was reverted, but is not back within 3s: it exits with 1"
        );
        let unknown = run(reverted(
            ok(),
            &never_failed,
            Some((LIMIT, looks(&[UNKNOWN]))),
        ));
        assert_eq!(
            unknown.unwrap_err().to_string(),
            "it was reverted, but there is no check"
        );
    }

    #[test]
    fn a_revert_that_failed_counts_by_a_check_that_was_seen_to_fail() {
        let failed = || Err(FaultError("no such container".into()));
        let seen = Failed::default();
        let passes = || run(reverted(failed(), &seen, Some((LIMIT, looks(&[WORKS])))));
        assert_eq!(
            passes().unwrap_err().to_string(),
            "no such container; the check passes, but was not seen to fail: it proves nothing"
        );
        let error = run(reverted(failed(), &seen, Some((LIMIT, looks(&[BROKEN]))))).unwrap_err();
        assert_eq!(error.to_string(), "no such container; and it exits with 1");
        let done = passes().unwrap();
        assert_eq!(done.proof, Proof::Checked);
        assert_eq!(done.said, "no such container; but the check passes");
        let none = None::<(Duration, fn(Duration) -> std::future::Ready<Found>)>;
        assert!(run(reverted(failed(), &seen, none)).is_err());
        assert_eq!(
            run(reverted(Ok(String::new()), &seen, none)).unwrap().proof,
            Proof::None
        );
    }
}
