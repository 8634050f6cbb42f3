//! What the service would wake somebody for: alerts about itself, told as Alertmanager tells them.
//!
//! Every answer flows in as it is counted, a beat a second, and questions; the body of `GET /api/v2/alerts` flows out. An
//! alert fires from the first beat at which its condition has held for [`FOR`] on, and is gone at the first at which it does
//! not hold. The invariant: what is kept is a few seconds of counts, however much is asked of the service.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde_json::json;

/// How often conditions are looked at.
pub const BEAT: Duration = Duration::from_secs(1);
/// How many beats a condition looks back over.
const SPAN: usize = 5;
/// How many beats in a row it must hold.
const FOR: u32 = 2;
/// Requests without which nothing is judged.
const LEAST: u64 = 5;
/// A request that takes longer is slow, ns.
const SLOW: u64 = 250_000_000;
/// Share of slow requests from which it is too many.
const MOST_SLOW: f64 = 0.3;
/// Share of failures from which it is too many.
const MOST_FAILED: f64 = 0.05;

/// Counts of one beat.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    answers: u64,
    slow: u64,
    failed: u64,
    /// Requests that were begun and not answered at its end.
    held: u64,
}

/// One alert.
#[derive(Debug, Default)]
struct Alert {
    /// Beats in a row at which its condition held.
    held: u32,
    since: Option<SystemTime>,
}

/// The alerts of a service.
#[derive(Debug, Default)]
pub struct Alerts {
    now: Counts,
    past: VecDeque<Counts>,
    kinds: [Alert; KINDS.len()],
}

/// An alert's name, what it says, and when it holds.
type Kind = (&'static str, &'static str, fn(&Counts) -> bool);

const KINDS: [Kind; 3] = [
    (
        "ShopSlow",
        "More than 30 % of the answers of the last 5 s took longer than 250 ms.",
        |it| it.answers >= LEAST && it.slow as f64 > MOST_SLOW * it.answers as f64,
    ),
    (
        "ShopFailing",
        "More than 5 % of the answers of the last 5 s were errors.",
        |it| it.answers >= LEAST && it.failed as f64 > MOST_FAILED * it.answers as f64,
    ),
    (
        "ShopStuck",
        "Requests wait, and hardly one was answered in the last 5 s.",
        |it| it.held >= LEAST && it.answers < LEAST,
    ),
];

impl Alerts {
    /// Counts an answer that took so many ns.
    pub fn observe(&mut self, status: u16, took: u64) {
        self.now.answers += 1;
        self.now.slow += u64::from(took > SLOW);
        self.now.failed += u64::from(status >= 500);
    }

    /// Looks at every condition, [`BEAT`] after the last time. `held` requests are begun and not answered.
    pub fn beat(&mut self, held: usize, now: SystemTime) {
        self.now.held = held as u64;
        self.past.push_back(std::mem::take(&mut self.now));
        if self.past.len() > SPAN {
            self.past.pop_front();
        }
        let sum = self.past.iter().fold(Counts::default(), |sum, it| Counts {
            answers: sum.answers + it.answers,
            slow: sum.slow + it.slow,
            failed: sum.failed + it.failed,
            held: it.held,
        });
        for (alert, (_, _, holds)) in self.kinds.iter_mut().zip(KINDS) {
            if holds(&sum) {
                alert.held += 1;
                if alert.held >= FOR {
                    alert.since.get_or_insert(now);
                }
            } else {
                *alert = Alert::default();
            }
        }
    }

    /// Those that fire, as Alertmanager's API v2 tells them.
    pub fn firing(&self) -> serde_json::Value {
        let firing = self.kinds.iter().zip(KINDS);
        let firing = firing.filter_map(|(alert, (name, says, _))| {
            let since = Timestamp::try_from(alert.since?).ok()?;
            Some(json!({
                "labels": { "alertname": name, "severity": "page" },
                "annotations": { "summary": says },
                "startsAt": since.to_string(),
                "endsAt": since.to_string(),
                "status": { "state": "active", "silencedBy": [], "inhibitedBy": [] },
            }))
        });
        firing.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn names(alerts: &Alerts) -> Vec<String> {
        let firing = alerts.firing();
        let names = firing.as_array().unwrap().iter();
        names
            .map(|alert| alert["labels"]["alertname"].as_str().unwrap().to_owned())
            .collect()
    }

    fn second(alerts: &mut Alerts, count: u64, status: u16, took: u64, held: usize) {
        (0..count).for_each(|_| alerts.observe(status, took));
        alerts.beat(held, SystemTime::UNIX_EPOCH);
    }

    #[test]
    fn each_alert_fires_for_its_own_cause_after_two_beats_and_goes_with_it() {
        let causes = [
            ("ShopSlow", 20, 200, 300 * MS, 6),
            ("ShopFailing", 20, 500, 10 * MS, 0),
            ("ShopStuck", 0, 200, 0, 20),
        ];
        for (name, count, status, took, held) in causes {
            let mut alerts = Alerts::default();
            (0..10).for_each(|_| second(&mut alerts, 20, 200, 10 * MS, 1));
            assert!(names(&alerts).is_empty(), "{name}");
            let mut beats = 0;
            while names(&alerts).is_empty() {
                second(&mut alerts, count, status, took, held);
                beats += 1;
                assert!(beats < 10, "{name} does not fire");
            }
            assert_eq!(names(&alerts), [name]);
            assert!((2..=6).contains(&beats), "{name} after {beats}");
            (0..6).for_each(|_| second(&mut alerts, 20, 200, 10 * MS, 1));
            assert!(names(&alerts).is_empty(), "{name} stays");
        }
    }

    #[test]
    fn nothing_fires_without_traffic() {
        let mut alerts = Alerts::default();
        (0..20).for_each(|_| second(&mut alerts, 1, 500, 400 * MS, 0));
        assert!(
            names(&alerts).contains(&"ShopFailing".to_owned()),
            "five in five seconds are judged"
        );
        let mut alerts = Alerts::default();
        (0..20).for_each(|_| second(&mut alerts, 0, 200, 0, 0));
        assert!(names(&alerts).is_empty());
    }
}
