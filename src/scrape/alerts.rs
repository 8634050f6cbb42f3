//! Alerts as Prometheus and Alertmanager tell them, and what changed since they were asked last.
//!
//! In: the bodies of their answers. Out: alerts, and those whose state is another one now. The invariant: an alert is
//! told once for each state that it is seen in, and a source that does not answer takes no alert away.
//!
//! - Prometheus, `GET /api/v1/rules?type=alert`: every rule with its alerts. `activeAt` is when pending began; firing
//!   began when the rule's `duration` had passed after it.
//! - Alertmanager, `GET /api/v2/alerts`: `startsAt` is when firing began; `endsAt` of an active alert is only an expiry.
//!   Resolved alerts vanish from both.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::Labels;
use crate::session::record::{Alert, AlertState};

/// Alerts of one source that are watched; what is beyond is counted.
pub const MOST: usize = 1_000;

/// The label that holds an alert's name.
const ALERTNAME: &str = "alertname";

/// What Prometheus answers.
#[derive(Debug, Deserialize)]
struct Answer {
    data: Groups,
}

#[derive(Debug, Deserialize)]
struct Groups {
    #[serde(default)]
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
struct Group {
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
struct Rule {
    #[serde(default)]
    duration: f64,
    #[serde(default)]
    alerts: Vec<OfPrometheus>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfPrometheus {
    labels: BTreeMap<String, String>,
    state: String,
    active_at: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfAlertmanager {
    labels: BTreeMap<String, String>,
    starts_at: Option<Timestamp>,
    status: Status,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    state: String,
    #[serde(default)]
    silenced_by: Vec<String>,
}

/// The alerts in an answer of Prometheus' `/api/v1/rules`.
///
/// # Errors
/// When it is no such answer.
pub fn of_prometheus(from: &str, body: &[u8]) -> serde_json::Result<Vec<Alert>> {
    let answer: Answer = serde_json::from_slice(body)?;
    let rules = answer.data.groups.into_iter().flat_map(|group| group.rules);
    let alerts = rules.flat_map(|rule| {
        let lasting = (rule.duration.clamp(0.0, 1e9) * 1e6) as u64;
        rule.alerts.into_iter().filter_map(move |alert| {
            let active = alert.active_at.and_then(micros);
            let (state, since) = match alert.state.as_str() {
                "pending" => (AlertState::Pending, active),
                "firing" => (AlertState::Firing, active.map(|at| at + lasting)),
                _ => return None,
            };
            Some((alert.labels, state, since))
        })
    });
    Ok(alerts.map(|told| alert(from, told)).collect())
}

/// The alerts in an answer of Alertmanager's `/api/v2/alerts`.
///
/// # Errors
/// When it is no such answer.
pub fn of_alertmanager(from: &str, body: &[u8]) -> serde_json::Result<Vec<Alert>> {
    let alerts: Vec<OfAlertmanager> = serde_json::from_slice(body)?;
    let alerts = alerts.into_iter().map(|told| {
        let silenced = told.status.state == "suppressed" && !told.status.silenced_by.is_empty();
        let state = if silenced {
            AlertState::Silenced
        } else {
            AlertState::Firing
        };
        let since = told.starts_at.and_then(micros);
        // When a silence began is not said; the alert's own beginning would be a wrong answer to that.
        alert(from, (told.labels, state, since.filter(|_| !silenced)))
    });
    Ok(alerts.collect())
}

fn micros(at: Timestamp) -> Option<u64> {
    u64::try_from(at.as_microsecond()).ok()
}

fn alert(
    from: &str,
    (mut labels, state, since): (BTreeMap<String, String>, AlertState, Option<u64>),
) -> Alert {
    let name = labels.remove(ALERTNAME).unwrap_or_default();
    let rest = Labels::new(labels);
    Alert {
        name,
        labels: if rest.is_empty() {
            String::new()
        } else {
            rest.to_string()
        },
        from: from.to_owned(),
        state,
        since,
    }
}

/// What a source told last.
#[derive(Debug, Default)]
pub struct Standing {
    alerts: BTreeMap<(String, String), Alert>,
    /// Alerts beyond [`MOST`] in the last answer.
    pub beyond: usize,
}

impl Standing {
    /// Takes a new answer in. Gives the alerts whose state is another one than before, and as resolved those that are
    /// gone.
    pub fn update(&mut self, now: Vec<Alert>) -> Vec<Alert> {
        self.beyond = now.len().saturating_sub(MOST);
        let now: BTreeMap<_, _> = now
            .into_iter()
            .take(MOST)
            .map(|alert| ((alert.name.clone(), alert.labels.clone()), alert))
            .collect();
        let gone = self.alerts.iter().filter(|(id, _)| !now.contains_key(*id));
        let mut changes: Vec<Alert> = gone
            .map(|(_, alert)| Alert {
                state: AlertState::Resolved,
                since: None,
                ..alert.clone()
            })
            .collect();
        let others = now.iter().filter(|(id, alert)| {
            let before = self.alerts.get(*id);
            before.is_none_or(|before| {
                before.state != alert.state
                    || (alert.state != AlertState::Silenced && before.since != alert.since)
            })
        });
        changes.extend(others.map(|(_, alert)| alert.clone()));
        self.alerts = now;
        changes
    }
}

#[cfg(test)]
#[path = "alerts_tests.rs"]
mod tests;
