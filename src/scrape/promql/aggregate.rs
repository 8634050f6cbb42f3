//! Many series put together.

use std::collections::HashMap;
use std::sync::PoisonError;

use super::EvalError;
use super::eval::{Course, Part, is_name};
use super::histogram::quantile;
use super::over_time::stays_infinite;
use super::plan::{Aggregate, Aggregation, Grouping};
use super::rows::{Row, Rows, Signature, Tags};

pub(super) fn eval(course: &Course<'_>, plan: &Aggregate, at: i64) -> Result<Rows, EvalError> {
    let rows = course.eval(&plan.expr, at)?.rows();
    let scalar = |param| course.eval(param, at).map(Part::scalar);
    match &plan.op {
        Aggregation::Topk(param) => Ok(best(plan, rows, count(scalar(param)?)?, |a, b| a < b)),
        Aggregation::Bottomk(param) => Ok(best(plan, rows, count(scalar(param)?)?, |a, b| a > b)),
        Aggregation::Quantile(param) => {
            let q = scalar(param)?;
            Ok(groups(
                plan,
                &rows,
                Vec::new,
                |values: &mut Vec<f64>, value| values.push(value),
                |mut values| quantile(q, &mut values),
            ))
        }
        Aggregation::CountValues(label) => count_values(plan, label, rows),
        _ => Ok(groups(
            plan,
            &rows,
            Running::default,
            Running::add,
            |running| running.result(&plan.op),
        )),
    }
}

fn signature(plan: &Aggregate) -> Signature<'_> {
    Signature {
        labels: &plan.labels,
        without: plan.without,
    }
}

/// The groups of rows, in the order in which they came up: remembered from the last time if the rows are of the same
/// series, which is found out without a look at a label.
fn grouping(plan: &Aggregate, rows: &[Row]) -> Grouping {
    let same = |known: &Grouping| {
        let pairs = || known.tags.iter().zip(rows);
        known.tags.len() == rows.len()
            && pairs().all(|(tags, row)| {
                tags.unnamed == row.tags.unnamed && tags.of.is_same(&row.tags.of)
            })
    };
    // What a panic left behind is a whole grouping or the one before.
    let mut remembered = plan
        .remembered
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = remembered.as_ref().filter(|known| same(known)) {
        return known.clone();
    }
    let signature = signature(plan);
    let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut key = Vec::new();
    let mut groups = Vec::new();
    let of = rows.iter().map(|row| {
        signature.write(&row.tags, &mut key);
        if let Some(&place) = places.get(&key) {
            return place;
        }
        places.insert(key.clone(), groups.len());
        groups.push(signature.labels(&row.tags));
        groups.len() - 1
    });
    let of = of.collect();
    let grouping = Grouping {
        tags: rows.iter().map(|row| row.tags.clone()).collect(),
        of,
        groups: groups.into(),
    };
    *remembered = Some(grouping.clone());
    grouping
}

/// One result for each group.
fn groups<S>(
    plan: &Aggregate,
    rows: &Rows,
    new: impl Fn() -> S,
    add: impl Fn(&mut S, f64),
    result: impl Fn(S) -> f64,
) -> Rows {
    let grouping = grouping(plan, &rows.rows);
    let mut states: Vec<S> = grouping.groups.iter().map(|_| new()).collect();
    for (row, place) in rows.rows.iter().zip(&*grouping.of) {
        add(&mut states[*place], row.value);
    }
    let results = grouping.groups.iter().zip(states);
    let out = results.map(|(labels, state)| Row {
        tags: labels.clone().into(),
        value: result(state),
    });
    Rows {
        rows: out.collect(),
        told_apart: !plan.labels.iter().any(|label| is_name(label)),
    }
}

/// Everything that the plain aggregations need, kept as Prometheus keeps it.
#[derive(Debug, Default)]
struct Running {
    count: f64,
    sum: f64,
    least: f64,
    most: f64,
    /// Of `avg`, which an infinite value does not spoil.
    average: f64,
    /// Of the deviations.
    mean: f64,
    squares: f64,
}

impl Running {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        if self.count < 2.0 {
            *self = Self {
                count: 1.0,
                sum: value,
                least: value,
                most: value,
                average: value,
                mean: value,
                squares: 0.0,
            };
            return;
        }
        self.sum += value;
        if value < self.least || self.least.is_nan() {
            self.least = value;
        }
        if value > self.most || self.most.is_nan() {
            self.most = value;
        }
        if !stays_infinite(self.average, value) {
            self.average += value / self.count - self.average / self.count;
        }
        let delta = value - self.mean;
        self.mean += delta / self.count;
        self.squares += delta * (value - self.mean);
    }

    fn result(self, op: &Aggregation) -> f64 {
        match op {
            Aggregation::Sum => self.sum,
            Aggregation::Avg => self.average,
            Aggregation::Min => self.least,
            Aggregation::Max => self.most,
            Aggregation::Count => self.count,
            Aggregation::Stddev => (self.squares / self.count).sqrt(),
            Aggregation::Stdvar => self.squares / self.count,
            Aggregation::Group
            | Aggregation::Topk(_)
            | Aggregation::Bottomk(_)
            | Aggregation::Quantile(_)
            | Aggregation::CountValues(_) => 1.0,
        }
    }
}

/// How many `topk` is to keep.
fn count(value: f64) -> Result<usize, EvalError> {
    // What fits 64 bits, as Go converts it; the bounds themselves are powers of two.
    if !(value >= i64::MIN as f64 && value <= i64::MAX as f64) {
        return Err(EvalError::NoCount(spelled(value)));
    }
    Ok(value.max(0.0) as usize)
}

/// `topk` and `bottomk`: the first of each group in which `worse` is never so. Among equals Prometheus keeps those that its
/// heap happens to, so this is the same heap.
fn best(plan: &Aggregate, rows: Rows, most: usize, worse: impl Fn(f64, f64) -> bool) -> Rows {
    if most == 0 {
        return Rows::default();
    }
    let grouping = grouping(plan, &rows.rows);
    let less = |a: &Row, b: &Row| a.value.is_nan() || worse(a.value, b.value);
    let mut heaps: Vec<Vec<Row>> = grouping.groups.iter().map(|_| Vec::new()).collect();
    for (row, place) in rows.rows.into_iter().zip(&*grouping.of) {
        let heap = &mut heaps[*place];
        if heap.len() == most {
            let top = heap[0].value;
            if !worse(top, row.value) && !top.is_nan() {
                continue;
            }
            if most == 1 {
                heap[0] = row;
                continue;
            }
            pop(heap, &less);
        }
        push(heap, row, &less);
    }
    let mut out = Vec::new();
    for mut heap in heaps {
        // The best first, a `NaN` last.
        heap.sort_by(|a, b| {
            let order = match worse(a.value, b.value) {
                true => std::cmp::Ordering::Greater,
                false if worse(b.value, a.value) => std::cmp::Ordering::Less,
                false => std::cmp::Ordering::Equal,
            };
            a.value.is_nan().cmp(&b.value.is_nan()).then(order)
        });
        out.append(&mut heap);
    }
    Rows {
        rows: out,
        told_apart: rows.told_apart,
    }
}

fn push(heap: &mut Vec<Row>, row: Row, less: &impl Fn(&Row, &Row) -> bool) {
    heap.push(row);
    let mut at = heap.len() - 1;
    while at > 0 {
        let parent = (at - 1) / 2;
        if !less(&heap[at], &heap[parent]) {
            break;
        }
        heap.swap(at, parent);
        at = parent;
    }
}

fn pop(heap: &mut Vec<Row>, less: &impl Fn(&Row, &Row) -> bool) {
    let last = heap.len() - 1;
    heap.swap(0, last);
    let mut at = 0;
    loop {
        let left = 2 * at + 1;
        if left >= last {
            break;
        }
        let right = left + 1;
        let child = if right < last && less(&heap[right], &heap[left]) {
            right
        } else {
            left
        };
        if !less(&heap[child], &heap[at]) {
            break;
        }
        heap.swap(at, child);
        at = child;
    }
    heap.pop();
}

/// How many have each value, which becomes a label.
fn count_values(plan: &Aggregate, label: &str, mut rows: Rows) -> Result<Rows, EvalError> {
    for row in &mut rows.rows {
        let value = spelled(row.value);
        row.tags = Tags::from(row.tags.with(label, &value));
    }
    let mut labels = plan.labels.clone();
    if !plan.without {
        labels.push(label.to_owned());
        labels.sort();
        labels.dedup();
    }
    let plan = Aggregate {
        labels,
        ..plan.clone()
    };
    let counted = groups(
        &plan,
        &rows,
        || 0.0,
        |count, _| *count += 1.0,
        |count| count,
    );
    Rows::unknown(counted.rows).checked()
}

/// A number in digits, as Go writes it without an exponent.
fn spelled(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value => value.to_string(),
    }
}
