//! Which gauges moved when a fault was put in.
//!
//! In: an [`Injection`] and what gauges did around it. Out: [`Gauged`]. Nothing is laid on a fault that another one may
//! have done: what is compared begins a minute after the last change of any other, and ends with the next. Members of a
//! group are one with it, and others to each other.

use std::collections::{BTreeMap, BTreeSet};

use super::moved::{Became, Value, moved};
use crate::history::History;
use crate::history::injections::{Injection, Sample};
use crate::session::record::GaugePlan;
use crate::verdict::labels::{Labels, apart, labels};
use crate::verdict::quantity::Quantity;

/// How far back a gauge looks: most rates are taken over a minute, and know of a fault for so long, µs.
const LOOKBACK_US: u64 = 60_000_000;

/// What gauges did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Gauged {
    /// Gauges of which enough is known to tell; `up`, which says whether targets answer, among them.
    pub looked_at: usize,
    /// Series that nobody looked at, since there were too many.
    pub left_out: usize,
    /// Series that moved: first targets that stopped answering, then the strongest.
    pub moved: Vec<MovedSeries>,
}

/// A series that moved.
#[derive(Debug, Clone, PartialEq)]
pub struct MovedSeries {
    /// The gauge; `up` for a target.
    pub gauge: String,
    /// The series: the gauge's name, with the labels that it has.
    pub series: String,
    /// What tells it from the other series of the gauge; empty for a single one.
    pub short: String,
    /// What it counts in.
    pub unit: Quantity,
    /// Its median before.
    pub before: f64,
    /// Its median while the fault was in place; `None` when it was gone.
    pub then: Option<f64>,
    /// How far it went, in widths of the range that it had before.
    pub strength: f64,
}

impl MovedSeries {
    /// For people: `cpu 3% then 97%`, and of several series `cpu (user) 3% then 97%`.
    pub fn text(&self) -> String {
        let name = match self.short.as_str() {
            "" => self.gauge.clone(),
            short => format!("{} ({short})", self.gauge),
        };
        let then = match self.then {
            Some(then) => self.unit.text(then),
            None => "gone".into(),
        };
        format!("{name} {} then {then}", self.unit.text(self.before))
    }
}

impl Gauged {
    /// For people: the strongest series of so many gauges, and how many more moved; `None` when none did.
    pub fn text(&self, most: usize) -> Option<String> {
        let told = self.strongest(most);
        let mut parts: Vec<String> = told.iter().map(|it| it.text()).collect();
        let more = self.moved.len() - parts.len();
        parts.extend((more > 0).then(|| format!("{more} more")));
        (!parts.is_empty()).then(|| format!("moved: {}", parts.join(", ")))
    }

    /// The strongest series of so many gauges, one of each.
    pub fn strongest(&self, most: usize) -> Vec<&MovedSeries> {
        let mut told: Vec<&MovedSeries> = Vec::new();
        for series in &self.moved {
            if told.len() < most && told.iter().all(|it| it.gauge != series.gauge) {
                told.push(series);
            }
        }
        told
    }
}

/// What gauges did around an injection.
pub(super) fn gauged(history: &History, injection: &Injection) -> Gauged {
    let gauges = &injection.gauges;
    let stretch = undisturbed(history, injection);
    let courses = gauges.courses.iter();
    let known = courses.filter_map(|it| Some((it, Known::of(history, it.series)?)));
    let known: Vec<_> = known.collect();
    let short = short_names(known.iter().map(|(_, it)| it));
    let mut looked_at = BTreeSet::new();
    let mut found = Vec::new();
    for ((course, known), short) in known.iter().zip(short) {
        let (before, since) = gauges.values(course, stretch);
        let became = moved(&values(before), &values(since), known.ticks);
        if became == Became::Untold {
            continue;
        }
        looked_at.insert(known.gauge);
        if let Became::Moved(step) = became {
            found.push(MovedSeries {
                gauge: known.gauge.to_owned(),
                series: known.series.to_owned(),
                short,
                unit: known.unit,
                before: step.before,
                then: step.then,
                strength: step.strength,
            });
        }
    }
    // What a target that is gone takes with it is not what happened.
    found.sort_by(|a, b| {
        let is_other = |it: &MovedSeries| it.gauge != UP;
        let first = is_other(a).cmp(&is_other(b));
        first.then(b.strength.total_cmp(&a.strength))
    });
    Gauged {
        looked_at: looked_at.len(),
        left_out: gauges.left_out,
        moved: found,
    }
}

/// The series that says whether a target answers.
const UP: &str = "up";

fn values(samples: &[Sample]) -> Vec<Value> {
    let value = |sample: &Sample| match (sample.number(), sample.is_gone()) {
        (Some(number), _) => Value::Number(number),
        (None, true) => Value::None,
        (None, false) => Value::NotANumber,
    };
    samples.iter().map(value).collect()
}

/// The stretch around an injection in which no other fault changed, and no gauge told of one, µs since the window began.
fn undisturbed(history: &History, injection: &Injection) -> (u64, u64) {
    let (mut from, mut until) = (0, u64::MAX);
    let is_one = |other: &Injection| {
        other.number == injection.number
            || history.holds(injection, other)
            || history.holds(other, injection)
    };
    let others = history.injections().iter().filter(|it| it.is_real());
    for other in others.filter(|it| !is_one(it)) {
        let moments = [Some(other.injecting), other.reverting, other.cleared];
        for at in moments.into_iter().flatten() {
            if at < injection.injecting {
                from = from.max(at.saturating_add(LOOKBACK_US));
            } else {
                until = until.min(at);
            }
        }
    }
    (from, until)
}

/// What is known of a series.
struct Known<'h> {
    gauge: &'h str,
    series: &'h str,
    unit: Quantity,
    /// Ticks from one reading to the next.
    ticks: f64,
}

impl<'h> Known<'h> {
    fn of(history: &'h History, series: usize) -> Option<Self> {
        let (names, window) = (history.names(), history.window()?);
        let name = names.series.get(series)?;
        let every = |target: Option<&str>| {
            let targets = window.targets.iter();
            let read = targets.filter(|it| target.is_none_or(|name| it.name == name));
            let slowest = read.map(|it| it.every_us).max().unwrap_or(0);
            slowest as f64 / history.tick_us() as f64
        };
        if let Some(instance) = names.instance_of(series) {
            let target = names.instances.get(instance).map(|it| it.target.as_str());
            return Some(Self {
                gauge: UP,
                series: name,
                unit: Quantity::Count,
                ticks: every(target),
            });
        }
        let plan = plan_of(&window.gauges, name)?;
        Some(Self {
            gauge: &plan.name,
            series: name,
            unit: Quantity::of(&plan.unit),
            ticks: every(plan.of.as_deref()),
        })
    }
}

/// What tells each series from the others of its gauge; empty for a single one.
fn short_names<'k>(known: impl Iterator<Item = &'k Known<'k>>) -> Vec<String> {
    let mut by_gauge: BTreeMap<&str, Vec<(usize, Labels)>> = BTreeMap::new();
    let mut short = Vec::new();
    for (place, it) in known.enumerate() {
        let rest = it.series.strip_prefix(it.gauge);
        let of_it = rest.and_then(labels).unwrap_or_default();
        by_gauge.entry(it.gauge).or_default().push((place, of_it));
        short.push(String::new());
    }
    for several in by_gauge.into_values().filter(|it| it.len() > 1) {
        let (places, labels): (Vec<usize>, Vec<Labels>) = several.into_iter().unzip();
        for (place, name) in places.into_iter().zip(apart(&labels)) {
            short[place] = name;
        }
    }
    short
}

/// The gauge whose series this is: its name, or its name and labels.
fn plan_of<'h>(plans: &'h [GaugePlan], name: &str) -> Option<&'h GaugePlan> {
    plans.iter().find(|plan| {
        let rest = name.strip_prefix(plan.name.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('{'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known<'k>(gauge: &'k str, series: &'k str) -> Known<'k> {
        Known {
            gauge,
            series,
            unit: Quantity::Ratio,
            ticks: 1.0,
        }
    }

    #[test]
    fn a_series_is_told_by_what_its_gauge_has_of_others() {
        let known = [
            known("up", r#"up{instance="a:1",job="shop"}"#),
            known("cpu", r#"cpu{instance="a:1",mode="user"}"#),
            known("cpu", r#"cpu{instance="a:1",mode="system"}"#),
            known("odd {name}", "odd {name}"),
        ];
        assert_eq!(short_names(known.iter()), ["", "user", "system", ""]);
    }

    #[test]
    fn the_strongest_of_each_gauge_is_told_and_the_rest_is_counted() {
        let moved = |gauge: &str, short: &str, then: Option<f64>| MovedSeries {
            gauge: gauge.into(),
            series: format!("{gauge}{short}"),
            short: short.into(),
            unit: Quantity::Ratio,
            before: 0.03,
            then,
            strength: 10.0,
        };
        let gauged = Gauged {
            looked_at: 9,
            left_out: 0,
            moved: vec![
                moved("cpu", "user", Some(0.97)),
                moved("cpu", "system", Some(0.5)),
                moved("disk", "", None),
                moved("memory", "", Some(0.2)),
            ],
        };
        let told = gauged.text(2).unwrap_or_default();
        assert_eq!(
            told,
            "moved: cpu (user) 3% then 97%, disk 3% then gone, 2 more"
        );
        assert_eq!(Gauged::default().text(2), None);
    }
}
