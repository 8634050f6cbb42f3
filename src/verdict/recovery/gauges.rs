//! Which gauges moved when a fault was put in.
//!
//! In: an [`Injection`] and what gauges did around it. Out: [`Gauged`]. Nothing is laid on a fault that another one may
//! have done: what is compared begins when the last change of any other was over, and ends with the next. Members of a
//! group are one with it, and others to each other.

use std::collections::BTreeSet;

use super::moved::{Became, Value, moved};
use crate::history::History;
use crate::history::injections::{Injection, Sample};
use crate::session::record::{GaugePlan, Names};
use crate::verdict::quantity::Quantity;

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
    /// For people: `cpu 3% then 97%`.
    pub fn text(&self) -> String {
        let then = match self.then {
            Some(then) => self.unit.text(then),
            None => "gone".into(),
        };
        format!(
            "{} {} then {then}",
            self.series,
            self.unit.text(self.before)
        )
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
    let mut looked_at = BTreeSet::new();
    let mut found = Vec::new();
    for course in &gauges.courses {
        let Some(known) = Known::of(history, course.series) else {
            continue;
        };
        let (before, since) = gauges.values(course, stretch);
        let became = moved(&values(before), &values(since), known.ticks);
        if became == Became::Untold {
            continue;
        }
        looked_at.insert(known.gauge);
        if let Became::Moved(step) = became {
            found.push(MovedSeries {
                gauge: known.gauge.to_owned(),
                series: history.names().series[course.series].clone(),
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

/// The stretch around an injection in which no other fault changed, µs since the window began.
fn undisturbed(history: &History, injection: &Injection) -> (u64, u64) {
    let (mut from, mut until) = (0, u64::MAX);
    let members = |fault: usize| history.fault(fault).map_or(&[][..], |plan| &plan.members);
    let is_one = |fault: usize| {
        members(injection.fault).contains(&fault) || members(fault).contains(&injection.fault)
    };
    let others = history.injections().iter();
    for other in others.filter(|it| it.number != injection.number && !is_one(it.fault)) {
        let moments = [Some(other.injecting), other.reverting, other.cleared];
        for at in moments.into_iter().flatten() {
            if at < injection.injecting {
                from = from.max(at);
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
    unit: Quantity,
    /// Ticks from one reading to the next.
    ticks: f64,
}

impl<'h> Known<'h> {
    fn of(history: &'h History, series: usize) -> Option<Self> {
        let (names, window) = (history.names(), history.window()?);
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
                unit: Quantity::Count,
                ticks: every(target),
            });
        }
        let plan = plan_of(&window.gauges, names, series)?;
        Some(Self {
            gauge: &plan.name,
            unit: Quantity::of(&plan.unit),
            ticks: every(plan.of.as_deref()),
        })
    }
}

/// The gauge whose series this is: its name, or its name and labels.
fn plan_of<'h>(plans: &'h [GaugePlan], names: &Names, series: usize) -> Option<&'h GaugePlan> {
    let name = names.series.get(series)?;
    plans.iter().find(|plan| {
        let rest = name.strip_prefix(plan.name.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('{'))
    })
}
