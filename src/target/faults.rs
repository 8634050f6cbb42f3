//! What an operator breaks while the service runs: extra latency, errors, a stall, a memory leak.
//!
//! JSON from `POST /admin/faults` flows in; what each request asks (how much later, whether to fail) and the pattern of
//! stalls flow out. The invariant: leaked memory never exceeds [`LEAK_LIMIT`], and clearing gives it back.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

use super::distribution::nanos;
use super::options::StallEvery;
use super::work::Pattern;

/// Most that a leak holds, bytes.
pub const LEAK_LIMIT: usize = 256 << 20;
/// A leak grows by pieces of this size, bytes.
const LEAK_PIECE: usize = 256 << 10;
/// Longest time that a fault can state, ms: one hour.
const LONGEST_MS: f64 = 3_600_000.0;

/// The faults that are on.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Faults {
    /// Added to every answer, ms.
    pub latency_ms: f64,
    /// Spread of that latency, ms: up to so much less or more, evenly; never less than none.
    pub jitter_ms: f64,
    /// Share of requests that are answered 500, from 0 to 1.
    pub errors: f64,
    /// Whether and when the servers stand still.
    pub stall: Stall,
    /// Memory allocated, touched and kept, bytes a second.
    pub leak_bytes_per_s: u64,
    /// Share of writes to `/ledger` that are acknowledged and not kept, from 0 to 1.
    #[serde(skip_serializing_if = "is_none")]
    pub lose: f64,
    /// Share of writes to `/ledger` that are kept twice, from 0 to 1.
    #[serde(skip_serializing_if = "is_none")]
    pub duplicate: f64,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn is_none(share: &f64) -> bool {
    *share <= 0.0
}

/// A stall, as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Stall {
    /// On until cleared, or off.
    Switch(bool),
    /// From now for so long; again and again if it says how often.
    Timed(StallTimes),
}

/// The times of a stall.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StallTimes {
    /// How long, ms.
    pub for_ms: f64,
    /// From begin to begin, ms; more than `for_ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_ms: Option<f64>,
}

impl Default for Stall {
    fn default() -> Self {
        Self::Switch(false)
    }
}

impl From<StallEvery> for Stall {
    fn from(schedule: StallEvery) -> Self {
        Self::Timed(StallTimes {
            for_ms: schedule.stall.as_secs_f64() * 1e3,
            every_ms: Some(schedule.every.as_secs_f64() * 1e3),
        })
    }
}

impl Stall {
    /// The pattern that the servers follow from the moment at which this is switched on.
    pub fn pattern(self) -> Pattern {
        match self {
            Self::Switch(false) => Pattern::Running,
            Self::Switch(true) => Pattern::Held,
            Self::Timed(StallTimes {
                for_ms,
                every_ms: None,
            }) => Pattern::Once {
                stall: ms_to_ns(for_ms),
            },
            Self::Timed(StallTimes {
                for_ms,
                every_ms: Some(every_ms),
            }) => Pattern::Periodic {
                lead: 0,
                stall: ms_to_ns(for_ms),
                every: ms_to_ns(every_ms),
            },
        }
    }
}

fn ms_to_ns(ms: f64) -> u64 {
    nanos(Duration::from_secs_f64(ms.clamp(0.0, LONGEST_MS) / 1e3))
}

/// A change of faults: members that are present replace what was, the others stay.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// See [`Faults::latency_ms`].
    pub latency_ms: Option<f64>,
    /// See [`Faults::jitter_ms`].
    pub jitter_ms: Option<f64>,
    /// See [`Faults::errors`].
    pub errors: Option<f64>,
    /// See [`Faults::stall`].
    pub stall: Option<Stall>,
    /// See [`Faults::leak_bytes_per_s`].
    pub leak_bytes_per_s: Option<u64>,
    /// See [`Faults::lose`].
    pub lose: Option<f64>,
    /// See [`Faults::duplicate`].
    pub duplicate: Option<f64>,
}

/// Why a change of faults is refused.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// Not the JSON that is expected.
    #[error(
        "faults are a JSON object of latency_ms, jitter_ms, errors, stall, leak_bytes_per_s, lose, duplicate: {0}"
    )]
    Json(#[from] serde_json::Error),
    /// A time is out of range.
    #[error("{0} is {1}; it takes milliseconds from 0 to 3600000")]
    Time(&'static str, f64),
    /// A share is out of range.
    #[error("{0} is {1}; it takes a share from 0 to 1")]
    Share(&'static str, f64),
    /// A stall that never ends, or begins again before it ended.
    #[error("stall.every_ms is {0}; it takes more than stall.for_ms, by a microsecond at least")]
    Every(f64),
}

impl Change {
    /// A change as JSON. Fails when it is not one, or says what cannot be.
    pub fn from_json(body: &[u8]) -> Result<Self, FaultError> {
        let change: Self = serde_json::from_slice(body)?;
        let time = |name, value: Option<f64>| match value {
            Some(ms) if !(0.0..=LONGEST_MS).contains(&ms) => Err(FaultError::Time(name, ms)),
            Some(_) | None => Ok(()),
        };
        time("latency_ms", change.latency_ms)?;
        time("jitter_ms", change.jitter_ms)?;
        for (name, share) in [
            ("errors", change.errors),
            ("lose", change.lose),
            ("duplicate", change.duplicate),
        ] {
            match share {
                Some(share) if !(0.0..=1.0).contains(&share) => {
                    return Err(FaultError::Share(name, share));
                }
                Some(_) | None => {}
            }
        }
        if let Some(Stall::Timed(times)) = change.stall {
            time("stall.for_ms", Some(times.for_ms))?;
            time("stall.every_ms", times.every_ms)?;
            if let Some(every) = times.every_ms.filter(|every| *every < times.for_ms + 0.001) {
                return Err(FaultError::Every(every));
            }
        }
        Ok(change)
    }
}

/// The faults, and the memory of the leak.
#[derive(Debug)]
pub struct Breakage {
    on: Faults,
    random: StdRng,
    leaked: Vec<Vec<u8>>,
    /// Leak that is due but not yet a whole piece, bytes.
    owed: f64,
}

/// What a fault does to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Harm {
    /// The answer comes so much later, ns.
    pub later: u64,
    /// The answer is a 500.
    pub fails: bool,
    /// How often a write is kept.
    pub copies: u64,
}

impl Breakage {
    /// Nothing broken but what the options say.
    pub fn new(seed: u64, stall: Option<StallEvery>) -> Self {
        Self {
            on: Faults {
                stall: stall.map(Stall::from).unwrap_or_default(),
                ..Faults::default()
            },
            random: StdRng::seed_from_u64(seed ^ 0x6661_756c_7473),
            leaked: Vec::new(),
            owed: 0.0,
        }
    }

    /// The faults that are on.
    pub fn faults(&self) -> Faults {
        self.on
    }

    /// Changes the faults. Memory is given back when the leak is set to 0.
    pub fn apply(&mut self, change: Change) {
        let on = &mut self.on;
        on.latency_ms = change.latency_ms.unwrap_or(on.latency_ms);
        on.jitter_ms = change.jitter_ms.unwrap_or(on.jitter_ms);
        on.errors = change.errors.unwrap_or(on.errors);
        on.stall = change.stall.unwrap_or(on.stall);
        on.leak_bytes_per_s = change.leak_bytes_per_s.unwrap_or(on.leak_bytes_per_s);
        on.lose = change.lose.unwrap_or(on.lose);
        on.duplicate = change.duplicate.unwrap_or(on.duplicate);
        if on.leak_bytes_per_s == 0 {
            self.leaked = Vec::new();
            self.owed = 0.0;
        }
    }

    /// Ends every fault and gives the leaked memory back.
    pub fn clear(&mut self) {
        self.on = Faults::default();
        self.leaked = Vec::new();
        self.owed = 0.0;
    }

    /// What happens to the next request.
    pub fn harm(&mut self) -> Harm {
        let on = self.on;
        let fails = on.errors > 0.0 && self.random.random::<f64>() < on.errors;
        let mut later = on.latency_ms;
        if on.jitter_ms > 0.0 {
            later += on.jitter_ms * (2.0 * self.random.random::<f64>() - 1.0);
        }
        // Drawn only while it matters: what else is drawn stays as it was.
        let mut chosen = |share: f64| share > 0.0 && self.random.random::<f64>() < share;
        let copies = match (chosen(on.lose), chosen(on.duplicate)) {
            (true, _) => 0,
            (false, true) => 2,
            (false, false) => 1,
        };
        Harm {
            later: if later > 0.0 { ms_to_ns(later) } else { 0 },
            fails,
            copies,
        }
    }

    /// Leaks what is due after so much time.
    pub fn leak(&mut self, passed: Duration) {
        let room = LEAK_LIMIT.saturating_sub(self.leaked_bytes()) as f64;
        self.owed += self.on.leak_bytes_per_s as f64 * passed.as_secs_f64();
        self.owed = self.owed.min(room);
        while self.owed >= LEAK_PIECE as f64 {
            // Filled, so that the pages are really there.
            self.leaked.push(vec![0xa5; LEAK_PIECE]);
            self.owed -= LEAK_PIECE as f64;
        }
    }

    /// Memory that the leak holds, bytes.
    pub fn leaked_bytes(&self) -> usize {
        self.leaked.len() * LEAK_PIECE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn broken(json: &str) -> Breakage {
        let mut breakage = Breakage::new(42, None);
        breakage.apply(Change::from_json(json.as_bytes()).unwrap());
        breakage
    }

    #[test]
    fn the_stated_share_of_requests_fails_and_the_same_ones_again() {
        let fates = || -> Vec<bool> {
            let mut breakage = broken(r#"{"errors": 0.3}"#);
            (0..10_000).map(|_| breakage.harm().fails).collect()
        };
        let failed = fates().into_iter().filter(|fails| *fails).count();
        assert!((2_850..3_150).contains(&failed), "{failed}");
        assert_eq!(fates(), fates());
    }

    #[test]
    fn jitter_spreads_latency_to_both_sides() {
        let mut breakage = broken(r#"{"latency_ms": 200, "jitter_ms": 50}"#);
        let mut draws: Vec<u64> = (0..10_000).map(|_| breakage.harm().later).collect();
        draws.sort_unstable();
        assert!((150_000_000..152_000_000).contains(&draws[0]));
        assert!((248_000_000..=250_000_000).contains(&draws[9_999]));
    }

    #[test]
    fn a_change_leaves_what_it_does_not_name() {
        let mut breakage = broken(r#"{"latency_ms": 200, "errors": 0.5}"#);
        breakage.apply(Change::from_json(br#"{"errors": 0}"#).unwrap());
        assert_eq!(breakage.faults().latency_ms.to_bits(), 200_f64.to_bits());
        assert_eq!(breakage.faults().errors.to_bits(), 0_f64.to_bits());
        breakage.clear();
        assert_eq!(breakage.faults(), Faults::default());
    }

    #[test]
    fn a_leak_grows_as_stated_stops_at_its_limit_and_is_given_back() {
        let mut breakage = broken(r#"{"leak_bytes_per_s": 1048576}"#);
        for _ in 0..30 {
            breakage.leak(Duration::from_millis(100));
        }
        assert_eq!(breakage.leaked_bytes(), 3 << 20);
        breakage.leak(Duration::from_hours(1));
        breakage.leak(Duration::from_hours(1));
        assert_eq!(breakage.leaked_bytes(), LEAK_LIMIT);
        breakage.apply(Change::from_json(br#"{"leak_bytes_per_s": 0}"#).unwrap());
        assert_eq!(breakage.leaked_bytes(), 0);
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_to_write() {
        for (json, says) in [
            ("[]", "faults are a JSON object"),
            (r#"{"latency": 1}"#, "unknown field `latency`"),
            (r#"{"latency_ms": -1}"#, "latency_ms is -1"),
            (r#"{"errors": 30}"#, "a share from 0 to 1"),
            (
                r#"{"stall": {"for_ms": 10, "every_ms": 10}}"#,
                "more than stall.for_ms",
            ),
        ] {
            let said = Change::from_json(json.as_bytes()).unwrap_err().to_string();
            assert!(said.contains(says), "{json}: {said}");
        }
    }

    proptest! {
        #[test]
        fn any_body_is_a_change_or_an_error(body: Vec<u8>, text in r#"\{"stall": ?\{"for_ms": ?[0-9.e-]{1,6}\}\}"#) {
            for body in [body.as_slice(), text.as_bytes()] {
                if let Ok(change) = Change::from_json(body) {
                    let _ = change.stall.unwrap_or_default().pattern();
                }
            }
        }
    }
}
