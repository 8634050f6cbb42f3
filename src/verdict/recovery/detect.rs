//! Whether, and when, the system's own alerts noticed a fault.

use super::{Measured, Took, Why, alone_until, is_final, now};
use crate::history::History;
use crate::history::injections::{Fired, Injection};
use crate::session::record::{AlertState, Happening, TargetPlan};

/// How far the clock of a source may be off, µs, before an alert counts as older than the fault.
const SKEW_US: u64 = 1_000_000;

/// When a fault was noticed, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detection {
    /// From the injection until the alert fired by its source's clock at least, until it was seen at most.
    pub took: Measured,
    /// The alert that noticed it.
    pub alert: Option<String>,
    /// Why the one that should have does not count: it fired already, it is silenced. Empty when there is none such.
    pub note: String,
}

/// The alert that the fault's plan names, or any that was not there before. One that was silenced, or there already,
/// has noticed nothing.
pub(super) fn detection(history: &History, injection: &Injection) -> Detection {
    let wanted = history
        .fault(injection.fault)
        .and_then(|plan| plan.detect.as_deref());
    let is_wanted = |fired: &&Fired| wanted.is_none_or(|name| fired.alert.name == name);
    let next = alone_until(history, injection);
    let mut noticed: Vec<&Fired> = injection
        .alerts
        .iter()
        .filter(is_wanted)
        .filter(|fired| {
            fired.alert.state == AlertState::Firing && is_new(history, fired, injection)
        })
        .collect();
    noticed.sort_by_key(|fired| fired.at);
    // What fired once another fault was there may have noticed that one.
    let too_late = noticed.iter().any(|fired| fired.at > next);
    noticed.retain(|fired| fired.at <= next);
    if let Some(fired) = noticed.first() {
        let most = fired.at.saturating_sub(injection.injecting);
        let since = match fired.since {
            // It cannot have begun after it was seen: that clock is ahead, and only what was seen counts.
            Some(since) if since > fired.at => {
                let every = interval(history, fired).unwrap_or(fired.at);
                fired.at.saturating_sub(every)
            }
            since => since.unwrap_or(fired.at),
        };
        let least = since.saturating_sub(injection.injecting).min(most);
        return Detection {
            took: Measured::Took(Took { least, most }),
            alert: Some(fired.alert.name.clone()),
            note: String::new(),
        };
    }
    let passed = injection.closed.unwrap_or_else(|| now(history));
    let passed = passed.min(next).saturating_sub(injection.injecting);
    let is_cut = next < injection.cleared.unwrap_or(u64::MAX);
    let took = if !injection.is_real() {
        Measured::Unknown(Why::NotDone)
    } else if !watches_alerts(history) && injection.alerts.is_empty() {
        Measured::Unknown(Why::NoAlerts)
    } else if injection.alerts.is_empty() && !any_source_answered(history, injection) {
        Measured::Unknown(Why::NoSource)
    } else if too_late && is_cut {
        Measured::Unknown(Why::Another)
    } else if is_final(history, injection) || (next <= now(history) && !is_cut) {
        Measured::Never(passed)
    } else {
        Measured::Waiting(passed)
    };
    Detection {
        took,
        alert: None,
        note: wanted.map_or_else(String::new, |name| note(history, injection, name)),
    }
}

fn is_new(history: &History, fired: &Fired, injection: &Injection) -> bool {
    let began = fired.since.unwrap_or(fired.at);
    // A source's clock may be wrong: what was not there when it was looked at last, with the fault in place, is new.
    let told_so = began.saturating_add(SKEW_US) >= injection.injecting;
    let seen_so = interval(history, fired)
        .is_some_and(|every| fired.at.saturating_sub(every) >= injection.injecting);
    !fired.before && !fired.pending && (told_so || seen_so)
}

/// How often the source of an alert is looked at, µs, as far as it was planned.
fn interval(history: &History, fired: &Fired) -> Option<u64> {
    let mut targets = history.window()?.targets.iter();
    let target = targets.find(|target| target.name == fired.alert.from)?;
    (target.every_us > 0).then_some(target.every_us)
}

/// Why the alert of this name does not count.
fn note(history: &History, injection: &Injection, name: &str) -> String {
    let mut named = injection.alerts.iter().filter(|it| it.alert.name == name);
    match named.next() {
        Some(fired) if fired.alert.state == AlertState::Silenced => format!("{name} is silenced"),
        Some(fired) if fired.pending => format!("{name} was about to fire already"),
        Some(fired) if !is_new(history, fired, injection) => format!("{name} fired already"),
        Some(_) | None => String::new(),
    }
}

/// What tells of alerts.
fn tells_of_alerts(target: &TargetPlan) -> bool {
    target.kind == "prometheus" || target.kind == "alertmanager"
}

/// Whether anything that tells of alerts is watched.
fn watches_alerts(history: &History) -> bool {
    history
        .window()
        .is_some_and(|window| window.targets.iter().any(tells_of_alerts))
}

/// Whether any source of alerts answered while an injection was watched: one of which nothing was said did.
fn any_source_answered(history: &History, injection: &Injection) -> bool {
    let until = injection.closed.unwrap_or(u64::MAX);
    let targets = history.window().map_or(&[][..], |window| &window.targets);
    let instances = &history.names().instances;
    let mut sources = targets.iter().filter(|target| tells_of_alerts(target));
    sources.any(|target| {
        let is_of = |instance: usize| {
            let known = instances.get(instance);
            known.is_some_and(|known| known.target == target.name)
        };
        let mut answers = true;
        for event in history.events() {
            match event.what {
                Happening::Target { instance, up, .. } if is_of(instance) => {
                    if event.at <= injection.injecting {
                        answers = up;
                    } else if event.at <= until {
                        answers |= up;
                    }
                }
                _ => {}
            }
        }
        answers
    })
}
