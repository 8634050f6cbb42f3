//! Whether a gauge moved when a fault was put in.
//!
//! In: what a gauge was before the fault and while it was in place. Out: [`Became`]. It *moved* when the median of its
//! values in place lies outside the range of those before, widened on each side by a margin. The margin is a share of
//! that range, which counts as [`LEAST_SPREAD`] of the usual value at least, so that a gauge that stood still has room
//! too: three quarters of it, and more the fewer readings the range is made of. A gauge whose noise lasts (AR(1) of 0.8)
//! is then taken for moved once in a thousand times, however short what is known of it; one that goes its own way like a
//! random walk once in a hundred. A gauge that drifts cannot come as far: no more is taken of the time in place than half
//! of the time before.
//!
//! It *vanished* when it had a value all the time before and mostly none in place. One that appears has not moved: what a
//! gauge selects comes with the traffic that it counts. One that was 0 all the time before has moved when it mostly is not
//! any more. The invariants: what is no number proves nothing, and what was seen too few times is not told.

/// Readings before, and in place, without which nothing is told.
pub const LEAST: usize = 4;
/// The range before counts as this share of the median at least.
const LEAST_SPREAD: f64 = 0.05;
/// The margin on each side, in ranges, where there are many readings.
const MARGIN: f64 = 0.75;
/// How much larger it is where there are few: over the square of their number.
const FEW: f64 = 150.0;

/// What became of a gauge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Became {
    /// There was too little to tell.
    Untold,
    /// It stayed what it was.
    Still,
    /// It went elsewhere.
    Moved(Move),
}

/// Where a gauge went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Move {
    /// Its median before.
    pub before: f64,
    /// Its median while the fault was in place; `None` when it had no value any more.
    pub then: Option<f64>,
    /// How far beyond its range it went, in widths of that range; infinite when the range has none, and when it vanished.
    pub strength: f64,
}

/// A value of a gauge at the end of a tick.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// It has none.
    None,
    /// It has one that is no number.
    NotANumber,
    /// This one.
    Number(f64),
}

/// Tells what became of a gauge. Both stretches are in order, a value for each tick; `ticks` is how many of them pass
/// from one reading to the next, at least 1: what is scraped every five seconds has one reading in five ticks.
pub fn moved(before: &[Value], in_place: &[Value], ticks: f64) -> Became {
    let ticks = ticks.max(1.0);
    let readings = |values: &[f64]| (values.len() as f64 / ticks) as usize;
    let known = sorted(before);
    let count = readings(&known);
    let fewest = (LEAST as f64 * ticks).ceil() as usize;
    let most = (before.len() / 2).max(fewest).min(in_place.len());
    let in_place = &in_place[..most];
    let (Some(usual), true) = (median(&known), count >= LEAST && most >= fewest) else {
        return Became::Untold;
    };
    let gone = in_place.iter().filter(|&&it| it == Value::None).count();
    if gone * 2 > in_place.len() {
        // One that comes and goes has not vanished.
        return if before.contains(&Value::None) {
            Became::Untold
        } else {
            Became::Moved(Move {
                before: usual,
                then: None,
                strength: f64::INFINITY,
            })
        };
    }
    let then = sorted(in_place);
    let Some(now) = median(&then).filter(|_| readings(&then) >= LEAST) else {
        return Became::Untold;
    };
    let (low, high) = (known[0], known[known.len() - 1]);
    let spread = (high - low).max(LEAST_SPREAD * usual.abs());
    let beyond = (now - high).max(low - now);
    let margin = MARGIN + FEW / (count * count) as f64;
    if beyond > 0.0 && beyond > margin * spread {
        Became::Moved(Move {
            before: usual,
            then: Some(now),
            strength: beyond / spread,
        })
    } else {
        Became::Still
    }
}

/// The numbers, ascending.
fn sorted(values: &[Value]) -> Vec<f64> {
    let numbers = values.iter().filter_map(|value| match value {
        Value::Number(number) if number.is_finite() => Some(*number),
        Value::Number(_) | Value::NotANumber | Value::None => None,
    });
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers
}

/// Of ascending values.
fn median(values: &[f64]) -> Option<f64> {
    let upper = *values.get(values.len() / 2)?;
    let lower = match values.len() % 2 {
        0 => values[values.len() / 2 - 1],
        _ => upper,
    };
    Some(f64::midpoint(lower, upper))
}
