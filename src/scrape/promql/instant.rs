//! Functions of the values of one moment.

use super::EvalError;
use super::eval::Part;
use super::histogram;
use super::pattern::expand;
use super::plan::{Function, How, Relabel};
use super::rows::{Row, Rows};
use crate::scrape::Labels;

/// The value of a function that knows no stretch of time, whose arguments were checked.
pub(super) fn eval(function: Function, args: Vec<Part>) -> Result<Part, EvalError> {
    let mut args = args.into_iter();
    let first = args.next();
    match (function, first) {
        (Function::Pi, _) => Ok(Part::Scalar(std::f64::consts::PI)),
        (Function::Vector, Some(first)) => {
            let row = Row {
                tags: Labels::default().into(),
                value: first.scalar(),
            };
            Ok(Part::Vector(Rows::unknown(vec![row])))
        }
        (Function::Scalar, Some(first)) => Ok(Part::Scalar(match &first.rows().rows[..] {
            [row] => row.value,
            _ => f64::NAN,
        })),
        (Function::HistogramQuantile, Some(first)) => {
            let rows = args.next().map(Part::rows).unwrap_or_default();
            let rows = histogram::of_buckets(first.scalar(), rows);
            rows.checked().map(Part::Vector)
        }
        (_, Some(first)) => {
            let scalars: Vec<f64> = args.map(Part::scalar).collect();
            each(function, first.rows(), &scalars).map(Part::Vector)
        }
        (_, None) => Ok(Part::Vector(Rows::default())),
    }
}

fn each(function: Function, mut rows: Rows, scalars: &[f64]) -> Result<Rows, EvalError> {
    match (function, scalars) {
        (Function::Sort, _) => {
            rows.rows.sort_by(|a, b| order(a.value, b.value));
            Ok(rows)
        }
        (Function::SortDesc, _) => {
            rows.rows.sort_by(|a, b| {
                let nan = a.value.is_nan().cmp(&b.value.is_nan());
                nan.then(b.value.total_cmp(&a.value))
            });
            Ok(rows)
        }
        (Function::Round, scalars) => {
            // Its inverse, as that rounds less on the way.
            let per = 1.0 / scalars.first().copied().unwrap_or(1.0);
            rows.map(|value| (value * per + 0.5).floor() / per)
        }
        (Function::Clamp, [least, most]) if most < least => Ok(Rows::default()),
        (Function::Clamp, [least, most]) => rows.map(|value| greater(*least, lesser(*most, value))),
        (Function::ClampMin, [least]) => rows.map(|value| greater(*least, value)),
        (Function::ClampMax, [most]) => rows.map(|value| lesser(*most, value)),
        _ => rows.map(one(function)),
    }
}

/// Upwards, a `NaN` last.
fn order(a: f64, b: f64) -> std::cmp::Ordering {
    a.is_nan().cmp(&b.is_nan()).then(a.total_cmp(&b))
}

/// Go's `math.Max`: infinity wins over everything, then `NaN`.
fn greater(a: f64, b: f64) -> f64 {
    match () {
        () if a == f64::INFINITY || b == f64::INFINITY => f64::INFINITY,
        () if a.is_nan() || b.is_nan() => f64::NAN,
        () => a.max(b),
    }
}

/// Go's `math.Min`.
fn lesser(a: f64, b: f64) -> f64 {
    -greater(-a, -b)
}

/// The functions of one number.
fn one(function: Function) -> fn(f64) -> f64 {
    match function {
        Function::Abs => f64::abs,
        Function::Ceil => f64::ceil,
        Function::Floor => f64::floor,
        Function::Exp => f64::exp,
        Function::Ln => f64::ln,
        Function::Log2 => f64::log2,
        Function::Log10 => f64::log10,
        Function::Sqrt => f64::sqrt,
        Function::Sgn => |value| match value {
            _ if value < 0.0 => -1.0,
            _ if value > 0.0 => 1.0,
            _ => value,
        },
        Function::Sin => f64::sin,
        Function::Cos => f64::cos,
        Function::Tan => f64::tan,
        Function::Asin => f64::asin,
        Function::Acos => f64::acos,
        Function::Atan => f64::atan,
        Function::Sinh => f64::sinh,
        Function::Cosh => f64::cosh,
        Function::Tanh => f64::tanh,
        Function::Asinh => f64::asinh,
        Function::Acosh => f64::acosh,
        Function::Atanh => f64::atanh,
        Function::Rad => |value| value * std::f64::consts::PI / 180.0,
        Function::Deg => |value| value * 180.0 / std::f64::consts::PI,
        // Every other function is evaluated elsewhere.
        _ => |value| value,
    }
}

/// `label_replace` and `label_join`.
pub(super) fn relabel(relabel: &Relabel, mut rows: Rows) -> Result<Rows, EvalError> {
    let mut value = String::new();
    for row in &mut rows.rows {
        value.clear();
        match &relabel.how {
            How::Replace {
                from,
                regex,
                template,
            } => {
                let Some(groups) = regex.captures(row.tags.get(from)) else {
                    continue;
                };
                expand(template, &groups, &mut value);
            }
            How::Join { from, separator } => {
                for (number, name) in from.iter().enumerate() {
                    if number > 0 {
                        value.push_str(separator);
                    }
                    value.push_str(row.tags.get(name));
                }
            }
        }
        row.tags = row.tags.with(&relabel.to, &value).into();
    }
    rows.told_apart = false;
    rows.checked()
}
