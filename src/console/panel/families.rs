//! Which series belong to which row of the resources, and what they read.
//!
//! In: the plan and the names of series. Out: a [`Family`] for each gauge of the window and each pinned series, and from
//! its series' courses a [`Gauge`] to draw: the worst of them, and each of its own. The invariant: what a row reads depends
//! on the records alone, so a window and its replay read the same.

use std::collections::HashMap;

use super::Scene;
use super::course::{Values, courses};
use super::gauge::{Bound, Level, Reading, Unit};
use crate::console::text::clean;
use crate::console::widget::{Axis, Column};
use crate::session::record::{GaugePlan, Names};
use crate::verdict::labels::{apart, labels, split};

/// The series of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// Its name.
    pub name: String,
    /// What it counts in.
    pub unit: Unit,
    /// When to look at it.
    pub warn: Option<Bound>,
    /// When it is out of bounds.
    pub crit: Option<Bound>,
    /// Its series, as indexes into the names.
    pub series: Vec<usize>,
    /// What tells each from the others; empty for a single one.
    pub short: Vec<String>,
}

impl Family {
    /// Whether the smallest of its values is the worst.
    fn is_floor(&self) -> bool {
        self.crit.or(self.warn).is_some_and(Bound::is_floor)
    }
}

/// A row, and those that it stands for.
#[derive(Debug, Clone, PartialEq)]
pub struct Gauge {
    /// The worst of its series: the largest, or the smallest where small is bad. Its state is the worst of all.
    pub row: Reading,
    /// Each of several series, the worst first; empty for a single one.
    pub series: Vec<Reading>,
    /// How many of them have a value.
    pub count: usize,
}

/// The gauges of the window.
pub fn gauges(scene: &Scene<'_>) -> Vec<Family> {
    let window = scene.history.window();
    let plans = window.map_or(&[][..], |window| &window.gauges);
    let names = scene.history.names();
    let mut series = of_plans(plans, names);
    let families = plans.iter().zip(&mut series).map(|(plan, series)| {
        let bound = |text: &Option<String>| text.as_deref().and_then(Bound::parse);
        let labelled = series.iter().map(|&index| {
            let name = &names.series[index];
            labels(&name[plan.name.len()..]).unwrap_or_default()
        });
        Family {
            name: clean(&plan.name).into_owned(),
            unit: Unit::of(&plan.unit),
            warn: bound(&plan.warn),
            crit: bound(&plan.crit),
            short: match series.len() {
                0 | 1 => Vec::new(),
                _ => apart(&labelled.collect::<Vec<_>>()),
            },
            series: std::mem::take(series),
        }
    });
    families.collect()
}

/// The series of each gauge: that of its name, and those of its name with labels. One look at each name.
fn of_plans(plans: &[GaugePlan], names: &Names) -> Vec<Vec<usize>> {
    let mut places = HashMap::new();
    for (place, plan) in plans.iter().enumerate() {
        places.entry(plan.name.as_str()).or_insert(place);
    }
    let mut series = vec![Vec::new(); plans.len()];
    if plans.is_empty() {
        return series;
    }
    for (index, name) in names.series.iter().enumerate() {
        if names.instance_of(index).is_some() {
            continue;
        }
        let before = name.match_indices('{').map(|(at, _)| &name[..at]);
        let mut could_be = std::iter::once(name.as_str()).chain(before);
        if let Some(place) = could_be.find_map(|name| places.get(name)) {
            series[*place].push(index);
        }
    }
    series
}

/// What the operator pinned in this console.
pub fn pinned(scene: &Scene<'_>) -> Vec<Family> {
    let names = scene.history.names();
    let pins = scene.ui.pinned.iter();
    pins.map(|name| pin(names, name)).collect()
}

fn pin(names: &Names, name: &str) -> Family {
    let index = names.series.iter().position(|known| known == name);
    let (metric, own) = split(name);
    // Beside the metric, what tells it from the others that were recorded of the same.
    let like = names.series.iter().filter(|known| {
        let rest = known.strip_prefix(metric.as_str());
        rest.is_some_and(|rest| rest.starts_with('{')) && known.as_str() != name
    });
    let mut labels = vec![own];
    labels.extend(like.map(|name| split(name).1));
    let short = apart(&labels).swap_remove(0);
    Family {
        name: clean(&format!("{metric} {short}")).trim_end().to_owned(),
        unit: Unit::of_metric(&metric),
        warn: None,
        crit: None,
        series: index.into_iter().collect(),
        short: Vec::new(),
    }
}

/// What families read now, or at the selected moment.
pub fn read(scene: &Scene<'_>, axis: &Axis, families: &[Family]) -> Vec<Gauge> {
    let indexes: Vec<usize> = families
        .iter()
        .flat_map(|family| family.series.iter().copied())
        .collect();
    let mut courses = courses(scene.history, axis, &indexes).into_iter();
    families
        .iter()
        .map(|family| {
            let courses = courses.by_ref().take(family.series.len());
            gauge(scene, axis, family, courses.collect())
        })
        .collect()
}

fn gauge(
    scene: &Scene<'_>,
    axis: &Axis,
    family: &Family,
    courses: Vec<Vec<Column<Values>>>,
) -> Gauge {
    let selected = scene.ui.cursor.and_then(|tick| axis.cell_of(tick));
    let own = family.series.iter().zip(courses).enumerate();
    let mut series: Vec<Reading> = own
        .map(|(place, (&index, course))| {
            let value = match selected {
                Some(cell) => course[cell].seen().and_then(|values| values.last),
                None => scene.history.series(index),
            };
            let name = family.short.get(place).unwrap_or(&family.name);
            reading(family, name, &course).at(value.filter(|value| value.is_finite()))
        })
        .collect();
    if series.len() > 1 {
        // One that has been gone for longer than is shown.
        let is_seen = |one: &Reading| one.columns.iter().any(|column| column.seen().is_some());
        series.retain(|one| one.value.is_some() || is_seen(one));
    }
    let count = series.iter().filter(|one| one.value.is_some()).count();
    let (row, series) = match series.len() {
        0 => (
            Reading::new(&family.name, family.unit, nothing(axis)),
            series,
        ),
        1 => {
            let row = series.swap_remove(0);
            let name = family.name.clone();
            (Reading { name, ..row }, series)
        }
        _ => several(family, series),
    };
    Gauge { row, series, count }
}

fn reading(family: &Family, name: &str, course: &[Column<Values>]) -> Reading {
    let worst = |values: &Values| {
        let worst = if family.is_floor() {
            values.min
        } else {
            values.max
        };
        worst.is_finite().then_some(worst)
    };
    let columns = course.iter().map(|column| column.and_then(worst));
    Reading {
        warn: family.warn,
        crit: family.crit,
        ..Reading::new(name, family.unit, columns.collect())
    }
}

/// The columns of what has no series yet.
fn nothing(axis: &Axis) -> Vec<Column<f64>> {
    let begun = |cell| axis.ticks_of(cell).0 <= axis.newest;
    let columns = (0..axis.cells).map(|cell| {
        if begun(cell) {
            Column::Gap
        } else {
            Column::Free
        }
    });
    columns.collect()
}

/// The row of several series, and these in their order, all drawn to one scale.
fn several(family: &Family, mut series: Vec<Reading>) -> (Reading, Vec<Reading>) {
    let worse = |a: f64, b: f64| if family.is_floor() { a < b } else { a > b };
    series.sort_by(|a, b| {
        let by_value = match (a.value, b.value) {
            (Some(a), Some(b)) if worse(a, b) => std::cmp::Ordering::Less,
            (Some(a), Some(b)) if worse(b, a) => std::cmp::Ordering::Greater,
            (a, b) => b.is_some().cmp(&a.is_some()),
        };
        by_value.then_with(|| a.name.cmp(&b.name))
    });
    let mut columns: Vec<Column<f64>> = series[0].columns.clone();
    let mut ends = series[0].ends();
    for one in &series[1..] {
        let theirs = one.ends();
        ends = (ends.0.min(theirs.0), ends.1.max(theirs.1));
        for (worst, column) in columns.iter_mut().zip(&one.columns) {
            match (worst.seen(), column) {
                (Some(&now), &Column::Seen(value)) if !worse(value, now) => {}
                (_, &Column::Seen(value)) => *worst = Column::Seen(value),
                (_, Column::Gap | Column::Free) => {}
            }
        }
    }
    let level = series.iter().map(|one| one.level).max();
    let level = level.unwrap_or(Level::Good);
    // Of those in the worst state the first, which a bound such as `= 3` may put anywhere.
    let first = series.iter().find(|one| one.level == level);
    let row = Reading {
        warn: family.warn,
        crit: family.crit,
        ..Reading::new(&family.name, family.unit, columns)
    }
    .at(first.and_then(|one| one.value));
    for one in &mut series {
        one.beside = Some(ends);
    }
    (Reading { level, ..row }, series)
}
