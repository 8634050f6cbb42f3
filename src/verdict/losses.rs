//! Writes that were acknowledged and are not there as they should be: around which injection of a fault, and how far the
//! recovery point lies back.
//!
//! In: the ledgers of a history, read back, and its injections. Out: [`Losses`] by injection, and findings. A moment with
//! lost or duplicated writes belongs to the first of these that there is:
//!
//! 1. the injection that began last of those that are in place or from which the system is not back yet;
//! 2. the next injection, if it begins within a minute: replication that lags loses what was acknowledged before it;
//! 3. the injection that began last of those from which the system has been back for less than a minute;
//! 4. nobody, which is said.
//!
//! What comes in while a group is in place belongs to the group, not to its members. The invariant: each moment belongs
//! to one injection or to nobody, so that the parts add up to the ledger's `lost` and `duplicated`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::recovery::{Took, between};
use super::{Case, Verdict, faults};
use crate::history::History;
use crate::history::injections::{Injection, WRITES_US};
use crate::session::record::{Ledger, Missing};

/// Writes of one ledger that are not there as they should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Losses {
    /// The ledger.
    pub ledger: String,
    /// Writes that were acknowledged and are not there.
    pub lost: u64,
    /// Writes that are there more than once.
    pub duplicated: u64,
    /// The recovery point that was achieved (RPO): from when the first of the lost writes was acknowledged to the
    /// beginning of the injection, or to when the last of them was acknowledged if that was later. An interval, since the
    /// recording tells seconds. `None` where nothing was lost, or around no injection.
    pub point: Option<Took>,
    /// Whether there may be more: not all writes that were sent around injections were read back.
    pub partial: bool,
}

/// Whom the losses of a window belong to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attributed {
    by_injection: BTreeMap<u64, Vec<Losses>>,
    /// To nobody, where there were injections.
    pub nobody: Vec<Losses>,
}

impl Attributed {
    /// Those of an injection, by its number, a ledger each.
    pub fn of(&self, injection: u64) -> &[Losses] {
        self.by_injection.get(&injection).map_or(&[], Vec::as_slice)
    }
}

/// Attributes all that ledgers found to the injections that are kept. Nothing in a window without any.
pub fn attribute(history: &History) -> Attributed {
    let mut all = Attributed::default();
    // As long as the window runs, there is nothing.
    if history.ledgers().all(|it| it.by_time.is_empty()) || history.injections().is_empty() {
        return all;
    }
    let stretches = Stretches::of(history);
    for ledger in history.ledgers() {
        // By number of the injection, with when it began; to nobody under 0.
        let mut sums: BTreeMap<u64, Sum> = BTreeMap::new();
        for moment in &ledger.by_time {
            let (number, began) = stretches
                .at(moment.at, end(ledger, moment))
                .unwrap_or((0, 0));
            sums.entry(number)
                .or_insert_with(|| Sum::new(began))
                .add(ledger, moment);
        }
        for (number, sum) in sums {
            let losses = sum.losses(ledger, number > 0);
            match number {
                0 => all.nobody.push(losses),
                number => all.by_injection.entry(number).or_default().push(losses),
            }
        }
    }
    all
}

/// The end of a moment, µs.
fn end(ledger: &Ledger, moment: &Missing) -> u64 {
    moment.at.saturating_add(ledger.step_us.max(1))
}

/// What came of an injection, so far.
struct Sum {
    began: u64,
    lost: u64,
    duplicated: u64,
    /// The first and the last moment with lost writes: when each began at the earliest, and was over at the latest.
    first: Option<(u64, u64)>,
    last: Option<(u64, u64)>,
}

impl Sum {
    fn new(began: u64) -> Self {
        Self {
            began,
            lost: 0,
            duplicated: 0,
            first: None,
            last: None,
        }
    }

    fn add(&mut self, ledger: &Ledger, moment: &Missing) {
        self.lost = self.lost.saturating_add(moment.lost);
        self.duplicated = self.duplicated.saturating_add(moment.duplicated);
        if moment.lost > 0 {
            let stretch = (moment.at, end(ledger, moment));
            self.first = Some(self.first.map_or(stretch, |first| first.min(stretch)));
            self.last = Some(self.last.map_or(stretch, |last| last.max(stretch)));
        }
    }

    fn losses(&self, ledger: &Ledger, has_point: bool) -> Losses {
        let point = self.first.zip(self.last).filter(|_| has_point);
        let point = point.map(|(first, last)| Took {
            least: self.began.max(last.0).saturating_sub(first.1),
            most: self.began.max(last.1).saturating_sub(first.0),
        });
        Losses {
            ledger: ledger.name.clone(),
            lost: self.lost,
            duplicated: self.duplicated,
            point,
            partial: ledger.sampled || ledger.unknown > 0,
        }
    }
}

/// When writes belong to which injection.
struct Stretches(Vec<Stretch>);

/// An injection's time, µs since the window began, both ends included.
struct Stretch {
    number: u64,
    began: u64,
    /// The system was back, as far as anybody said so.
    back: u64,
    /// Nothing belongs to it any more.
    over: u64,
}

impl Stretches {
    fn of(history: &History) -> Self {
        let injections = history.injections();
        let by_itself =
            |it: &&Arc<Injection>| !injections.iter().any(|group| history.holds(group, it));
        let real = injections.iter().filter(|it| it.is_real());
        let stretches = real.filter(by_itself).map(|it| {
            let mut later = injections.iter().filter(|other| other.fault == it.fault);
            let again = later.find(|other| other.number > it.number);
            // What comes from then on is not the aftermath of the one before.
            let again = again.map_or(u64::MAX, |again| again.injecting);
            let over = it.over().unwrap_or(u64::MAX).min(again);
            Stretch {
                number: it.number,
                began: it.injecting,
                back: it.recovered.unwrap_or(over).min(over),
                over,
            }
        });
        Self(stretches.collect())
    }

    /// Number and beginning of the injection that a moment belongs to; its end is not part of it.
    fn at(&self, from: u64, end: u64) -> Option<(u64, u64)> {
        let latest = |until: fn(&Stretch) -> u64| {
            let during = self
                .0
                .iter()
                .filter(|it| it.began < end && from <= until(it));
            during.max_by_key(|it| (it.began, it.number))
        };
        let next = || {
            let soon = self
                .0
                .iter()
                .filter(|it| it.began >= end && it.began <= end.saturating_add(WRITES_US));
            soon.min_by_key(|it| (it.began, it.number))
        };
        let found = latest(|it| it.back)
            .or_else(next)
            .or_else(|| latest(|it| it.over));
        found.map(|it| (it.number, it.began))
    }
}

impl Losses {
    /// What is not as it should be, for people: `12 acknowledged writes lost`, `recovery point 3s to 4s`, `2 writes there
    /// more than once`.
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if self.lost > 0 {
            words.push(format!(
                "{} lost",
                self.count(self.lost, "acknowledged write")
            ));
        }
        if let Some(point) = self.point {
            words.push(format!(
                "recovery point {}{}",
                between(point),
                self.or_more()
            ));
        }
        if self.duplicated > 0 {
            let writes = self.count(self.duplicated, "write");
            words.push(format!("{writes} there more than once"));
        }
        words
    }

    fn or_more(&self) -> &'static str {
        if self.partial { " or more" } else { "" }
    }

    fn count(&self, count: u64, of: &str) -> String {
        let plural = if count == 1 && !self.partial { "" } else { "s" };
        format!("{count}{} {of}{plural}", self.or_more())
    }

    /// As sentences; `place` says where.
    fn findings(&self, place: &str) -> Vec<String> {
        let mut all = Vec::new();
        let name = &self.ledger;
        let is = |count| {
            if count == 1 && !self.partial {
                ("was", "is")
            } else {
                ("were", "are")
            }
        };
        if self.lost > 0 {
            let (writes, (was, _)) = (self.count(self.lost, "acknowledged write"), is(self.lost));
            let point = self.point.map_or(String::new(), |point| {
                format!(", a recovery point of {}{}", between(point), self.or_more())
            });
            all.push(format!("{name}: {writes} {was} lost {place}{point}"));
        }
        if self.duplicated > 0 {
            let (writes, (_, is)) = (self.count(self.duplicated, "write"), is(self.duplicated));
            all.push(format!(
                "{name}: {writes} {place} {is} there more than once"
            ));
        }
        all
    }
}

/// Judges what ledgers found: over the whole window, and around which faults.
pub(super) fn weigh(case: &mut Case, history: &History) {
    for ledger in history.ledgers() {
        weigh_ledger(case, ledger);
    }
    let attributed = attribute(history);
    for injection in history.injections() {
        let place = format!("around {}", faults::name(history, injection.fault));
        let losses = attributed.of(injection.number).iter();
        case.findings
            .extend(losses.flat_map(|it| it.findings(&place)));
    }
    let are_all_kept = history.injections_seen() <= history.injections().len() as u64;
    let place = if are_all_kept {
        "near no fault"
    } else {
        "near no fault that is judged"
    };
    let losses = attributed.nobody.iter();
    case.findings
        .extend(losses.flat_map(|it| it.findings(place)));
}

fn weigh_ledger(case: &mut Case, ledger: &Ledger) {
    let Ledger {
        name,
        acknowledged,
        lost,
        duplicated,
        unknown,
        ..
    } = ledger;
    if *lost > 0 {
        let looked_at = ledger
            .looked_at
            .filter(|looked_at| looked_at < acknowledged);
        let finding = match looked_at {
            None => format!("{name}: {lost} of {acknowledged} acknowledged writes were lost"),
            Some(looked_at) => format!(
                "{name}: {lost} of {looked_at} acknowledged writes that were looked at were lost, and {acknowledged} were acknowledged"
            ),
        };
        case.hold(Verdict::NoGo, finding);
    }
    if *duplicated > 0 {
        let finding = format!("{name}: {duplicated} writes are there more than once");
        case.hold(Verdict::Conditional, finding);
    }
    if *unknown > 0 {
        let finding = format!("{name}: {unknown} writes could not be read back");
        case.hold(Verdict::Conditional, finding);
    }
}

#[cfg(test)]
#[path = "losses_tests.rs"]
mod tests;
