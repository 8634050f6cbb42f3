//! Two sides of an operator.

use std::collections::{HashMap, HashSet};

use super::EvalError;
use super::eval::{Part, is_name};
use super::plan::{Binary, Group, Matching, Op};
use super::rows::{Row, Rows, Signature, Tags};
use crate::scrape::Labels;

pub(super) fn eval(binary: &Binary, left: Part, right: Part) -> Result<Part, EvalError> {
    match (left, right) {
        (Part::Scalar(left), Part::Scalar(right)) => {
            let (value, holds) = apply(binary.op, left, right);
            let holds = if holds { 1.0 } else { 0.0 };
            Ok(Part::Scalar(if binary.op.compares() {
                holds
            } else {
                value
            }))
        }
        (Part::Vector(rows), Part::Scalar(scalar)) => {
            with_scalar(binary, rows, |value| apply(binary.op, value, scalar))
        }
        (Part::Scalar(scalar), Part::Vector(rows)) => with_scalar(binary, rows, |value| {
            let (result, holds) = apply(binary.op, scalar, value);
            // What is kept is the series' value, on whichever side it stands.
            (if binary.op.compares() { value } else { result }, holds)
        }),
        (Part::Vector(left), Part::Vector(right)) => {
            if binary.op.is_set() {
                Ok(Part::Vector(set(binary, left, right)))
            } else {
                matched(binary, left, right).map(Part::Vector)
            }
        }
    }
}

/// The result of an operator, and whether a comparison holds; its result is the left side.
fn apply(op: Op, left: f64, right: f64) -> (f64, bool) {
    let value = match op {
        Op::Add => left + right,
        Op::Sub => left - right,
        Op::Mul => left * right,
        Op::Div => left / right,
        Op::Mod => left % right,
        Op::Pow => left.powf(right),
        Op::Atan2 => left.atan2(right),
        _ => left,
    };
    let holds = match op {
        Op::Equal => left == right,
        Op::NotEqual => left != right,
        Op::Greater => left > right,
        Op::Less => left < right,
        Op::GreaterEqual => left >= right,
        Op::LessEqual => left <= right,
        _ => true,
    };
    (value, holds)
}

fn with_scalar(
    binary: &Binary,
    mut rows: Rows,
    apply: impl Fn(f64) -> (f64, bool),
) -> Result<Part, EvalError> {
    let drops_name = binary.bool || binary.op.drops_name();
    rows.rows.retain_mut(|row| {
        let (value, holds) = apply(row.value);
        row.value = match (binary.bool, holds) {
            (true, true) => 1.0,
            (true, false) => 0.0,
            (false, _) => value,
        };
        row.tags.unnamed |= drops_name;
        holds || binary.bool
    });
    rows.checked().map(Part::Vector)
}

fn signature(matching: &Matching) -> Signature<'_> {
    Signature {
        labels: &matching.labels,
        without: !matching.on,
    }
}

fn set(binary: &Binary, mut left: Rows, right: Rows) -> Rows {
    let signature = signature(&binary.matching);
    let mut key = Vec::new();
    let keys = |rows: &Rows| -> HashSet<Vec<u8>> {
        let mut key = Vec::new();
        let keys = rows.rows.iter().map(|row| {
            signature.write(&row.tags, &mut key);
            key.clone()
        });
        keys.collect()
    };
    let mut known = |row: &Row, keys: &HashSet<Vec<u8>>| {
        signature.write(&row.tags, &mut key);
        keys.contains(&key)
    };
    match binary.op {
        Op::Or => {
            let keys = keys(&left);
            let more = right.rows.into_iter().filter(|row| !known(row, &keys));
            left.rows.extend(more);
            left.told_apart = false;
        }
        Op::Unless => {
            let keys = keys(&right);
            left.rows.retain(|row| !known(row, &keys));
        }
        _ => {
            let keys = keys(&right);
            left.rows.retain(|row| known(row, &keys));
        }
    }
    left
}

/// Each row of one side with the row of the other side that has the same signature.
fn matched(binary: &Binary, left: Rows, right: Rows) -> Result<Rows, EvalError> {
    if left.rows.is_empty() || right.rows.is_empty() {
        return Ok(Rows::default());
    }
    let matching = &binary.matching;
    let signature = signature(matching);
    let swapped = matching.group == Group::Right;
    let (many, one) = if swapped {
        (right, left)
    } else {
        (left, right)
    };
    let mut key = Vec::new();
    let mut ones: HashMap<Vec<u8>, (usize, bool)> = HashMap::with_capacity(one.rows.len());
    for (place, row) in one.rows.iter().enumerate() {
        signature.write(&row.tags, &mut key);
        if let Some((other, _)) = ones.insert(key.clone(), (place, false)) {
            return Err(EvalError::DuplicateMatch {
                group: signature.labels(&row.tags),
                side: if swapped { "left" } else { "right" },
                first: row.tags.clone().into_labels(),
                second: one.rows[other].tags.clone().into_labels(),
            });
        }
    }
    let mut rows = Vec::with_capacity(many.rows.len());
    let mut seen: HashSet<(usize, Tags)> = HashSet::new();
    for row in many.rows {
        signature.write(&row.tags, &mut key);
        let Some((place, taken)) = ones.get_mut(&key) else {
            continue;
        };
        let other = &one.rows[*place];
        let (first, second) = if swapped {
            (other.value, row.value)
        } else {
            (row.value, other.value)
        };
        let (value, holds) = apply(binary.op, first, second);
        if !holds && !binary.bool {
            continue;
        }
        let value = match (binary.bool, holds) {
            (false, _) => value,
            (true, true) => 1.0,
            (true, false) => 0.0,
        };
        let mut tags = result(binary, row.tags, &other.tags);
        tags.unnamed |= binary.bool;
        if matching.group == Group::None {
            if std::mem::replace(taken, true) {
                return Err(EvalError::ManyToOne);
            }
        } else if !seen.insert((*place, tags.clone())) {
            return Err(EvalError::GroupNotUnique);
        }
        rows.push(Row { tags, value });
    }
    // One result for each signature, which does not look at the name.
    let told_apart =
        matching.group == Group::None && !matching.labels.iter().any(|label| is_name(label));
    Rows { rows, told_apart }.checked()
}

/// The labels of a result.
fn result(binary: &Binary, many: Tags, one: &Tags) -> Tags {
    let matching = &binary.matching;
    let mut tags = many;
    tags.unnamed |= binary.op.drops_name();
    if matching.group == Group::None && (matching.on || !matching.labels.is_empty()) {
        let listed = |name: &str| matching.labels.iter().any(|label| label == name);
        tags = tags.only(|name| listed(name) == matching.on).into();
    }
    if matching.include.is_empty() {
        return tags;
    }
    let included = matching.include.iter().map(|name| (&**name, one.get(name)));
    Labels::new(tags.iter().chain(included)).into()
}
