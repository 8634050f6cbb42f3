//! Functions of one series' values over a stretch of time.

use super::histogram::quantile;
use super::plan::Function;
use crate::scrape::store::Sample;

/// A stretch of time and the moment from which it is seen, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub from: i64,
    pub to: i64,
    pub at: i64,
}

/// The value of a function over samples, of which there is at least one. `None` where there are too few. `never_fall` if it is
/// known that no value is less than the one before.
pub(super) fn eval(
    function: Function,
    samples: &[Sample],
    window: Window,
    scalar: f64,
    never_fall: bool,
) -> Option<f64> {
    let values = || samples.iter().map(|sample| sample.value);
    Some(match function {
        Function::Rate => {
            let seconds = window.to.saturating_sub(window.from) as f64 / 1000.0;
            extrapolated(samples, window, true, never_fall, Some(seconds))?
        }
        Function::Increase => extrapolated(samples, window, true, never_fall, None)?,
        Function::Delta => extrapolated(samples, window, false, never_fall, None)?,
        Function::Irate => instant(samples, true)?,
        Function::Idelta => instant(samples, false)?,
        Function::Deriv => {
            let [first, _, ..] = samples else { return None };
            regression(samples, first.at).0
        }
        Function::PredictLinear => {
            let [_, _, ..] = samples else { return None };
            let (slope, now) = regression(samples, window.at);
            slope * scalar + now
        }
        Function::AvgOverTime => mean(values()),
        Function::MinOverTime => extreme(values(), |value, least| value < least),
        Function::MaxOverTime => extreme(values(), |value, most| value > most),
        Function::SumOverTime => sum(values()),
        Function::CountOverTime => samples.len() as f64,
        Function::LastOverTime => samples.last()?.value,
        Function::StddevOverTime => variance(values()).sqrt(),
        Function::StdvarOverTime => variance(values()),
        Function::QuantileOverTime => quantile(scalar, &mut values().collect::<Vec<_>>()),
        Function::Changes => pairs(samples, |before, now| {
            now != before && !(now.is_nan() && before.is_nan())
        }),
        Function::Resets => pairs(samples, |before, now| now < before),
        // `present_over_time`, and what is absent is counted by who asks; the others know no stretch of time.
        _ => 1.0,
    })
}

/// How much a series grew in the window, as if it went on to the ends of the window the way it did between its first and
/// last sample; but not where those ends are further away than samples usually are from each other, and not below zero.
fn extrapolated(
    samples: &[Sample],
    window: Window,
    counter: bool,
    never_fall: bool,
    per: Option<f64>,
) -> Option<f64> {
    let [first, .., last] = samples else {
        return None;
    };
    let mut grown = last.value - first.value;
    if counter && !never_fall {
        let mut before = first.value;
        for sample in &samples[1..] {
            if sample.value < before {
                grown += before;
            }
            before = sample.value;
        }
    }
    let mut to_start = first.at.saturating_sub(window.from) as f64 / 1000.0;
    let to_end = window.to.saturating_sub(last.at) as f64 / 1000.0;
    let spanned = last.at.saturating_sub(first.at) as f64 / 1000.0;
    let between = spanned / (samples.len() - 1) as f64;
    if counter && grown > 0.0 && first.value >= 0.0 {
        let to_zero = spanned * (first.value / grown);
        if to_zero < to_start {
            to_start = to_zero;
        }
    }
    let threshold = between * 1.1;
    let reached = |distance: f64| {
        if distance < threshold {
            distance
        } else {
            between / 2.0
        }
    };
    let mut factor = (spanned + reached(to_start) + reached(to_end)) / spanned;
    if let Some(seconds) = per {
        factor /= seconds;
    }
    Some(grown * factor)
}

/// The step between the last two samples.
fn instant(samples: &[Sample], rate: bool) -> Option<f64> {
    let [.., before, last] = samples else {
        return None;
    };
    let grown = if rate && last.value < before.value {
        last.value
    } else {
        last.value - before.value
    };
    let between = last.at.saturating_sub(before.at);
    match (between, rate) {
        (0, _) => None,
        (_, true) => Some(grown / (between as f64 / 1000.0)),
        (_, false) => Some(grown),
    }
}

/// A sum that keeps what rounding would lose (Neumaier).
#[derive(Debug, Default, Clone, Copy)]
struct Exact {
    sum: f64,
    lost: f64,
}

impl Exact {
    fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        self.lost += if self.sum.abs() >= value.abs() {
            (self.sum - sum) + value
        } else {
            (value - sum) + self.sum
        };
        self.sum = sum;
    }

    fn total(self) -> f64 {
        self.sum + self.lost
    }
}

fn sum(values: impl Iterator<Item = f64>) -> f64 {
    let mut exact = Exact::default();
    values.for_each(|value| exact.add(value));
    if exact.sum.is_infinite() {
        exact.sum
    } else {
        exact.total()
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (mut mean, mut count) = (Exact::default(), 0.0);
    for value in values {
        count += 1.0;
        if stays_infinite(mean.sum, value) {
            continue;
        }
        mean.add(value / count - mean.sum / count);
    }
    if mean.sum.is_infinite() {
        mean.sum
    } else {
        mean.total()
    }
}

/// Whether a mean is infinite and no further value changes that; to go on would make it a `NaN`.
pub(super) fn stays_infinite(mean: f64, value: f64) -> bool {
    mean.is_infinite() && (value.is_finite() || value == mean)
}

fn variance(values: impl Iterator<Item = f64>) -> f64 {
    let (mut mean, mut squares, mut count) = (Exact::default(), Exact::default(), 0.0);
    for value in values {
        count += 1.0;
        let delta = value - mean.total();
        mean.add(delta / count);
        squares.add(delta * (value - mean.total()));
    }
    squares.total() / count
}

fn extreme(mut values: impl Iterator<Item = f64>, better: impl Fn(f64, f64) -> bool) -> f64 {
    let first = values.next().unwrap_or(f64::NAN);
    values.fold(first, |best, value| {
        if better(value, best) || best.is_nan() {
            value
        } else {
            best
        }
    })
}

fn pairs(samples: &[Sample], counts: impl Fn(f64, f64) -> bool) -> f64 {
    let pairs = samples.windows(2);
    pairs
        .filter(|pair| counts(pair[0].value, pair[1].value))
        .count() as f64
}

/// Slope a second and the value at `at` of the straight line through the samples.
fn regression(samples: &[Sample], at: i64) -> (f64, f64) {
    let first = samples.first().map_or(f64::NAN, |sample| sample.value);
    if samples[1..].iter().all(|sample| sample.value == first) {
        return if first.is_infinite() {
            (f64::NAN, f64::NAN)
        } else {
            (0.0, first)
        };
    }
    let (mut x, mut y) = (Exact::default(), Exact::default());
    let (mut xy, mut xx) = (Exact::default(), Exact::default());
    for sample in samples {
        let time = sample.at.saturating_sub(at) as f64 / 1000.0;
        x.add(time);
        y.add(sample.value);
        xy.add(time * sample.value);
        xx.add(time * time);
    }
    let count = samples.len() as f64;
    let (x, y, xy, xx) = (x.total(), y.total(), xy.total(), xx.total());
    let slope = (xy - x * y / count) / (xx - x * x / count);
    (slope, y / count - slope * x / count)
}
