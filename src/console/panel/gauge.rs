//! What a row of the resources is made of: a value, what it counts in, its course, and the state that it means.

use crate::console::widget::Column;
use crate::profile::expect::Cmp;
use crate::profile::units;
pub use crate::verdict::quantity::Quantity as Unit;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Within bounds, or without any.
    Good,
    /// Look at it.
    Warn,
    /// Out of bounds.
    Crit,
}

/// A bound: `> 400MiB`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    cmp: Cmp,
    value: f64,
}

impl Bound {
    /// More than this.
    pub fn above(value: f64) -> Self {
        Self {
            cmp: Cmp::Greater,
            value,
        }
    }

    /// From the words of a profile; `None` when they are no bound.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let signs = [
            (">=", Cmp::GreaterOrEqual),
            ("<=", Cmp::LessOrEqual),
            ("==", Cmp::Equal),
            (">", Cmp::Greater),
            ("<", Cmp::Less),
            ("=", Cmp::Equal),
        ];
        let (cmp, rest) = signs
            .into_iter()
            .find_map(|(sign, cmp)| Some((cmp, text.strip_prefix(sign)?.trim())))?;
        let value = number(rest)?;
        Some(Self { cmp, value })
    }

    /// Whether a smaller value is the worse one.
    pub fn is_floor(self) -> bool {
        matches!(self.cmp, Cmp::Less | Cmp::LessOrEqual)
    }

    fn is_crossed(self, value: f64) -> bool {
        self.cmp.holds(value, self.value)
    }
}

/// A number with any of the units that a profile knows, in bytes, seconds, or as it is.
fn number(text: &str) -> Option<f64> {
    if let Ok(count) = units::parse_count(text) {
        return Some(count);
    }
    if let Some(percent) = text.strip_suffix('%') {
        return percent
            .trim()
            .parse::<f64>()
            .ok()
            .map(|value| value / 100.0);
    }
    if let Some(rate) = text.strip_suffix("/s") {
        return units::parse_count(rate.trim()).ok();
    }
    if let Ok(bytes) = units::parse_bytes(text) {
        return Some(bytes as f64);
    }
    let duration = units::parse_duration(text).ok()?;
    Some(duration.as_secs_f64())
}

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Its name.
    pub name: String,
    /// What it counts in.
    pub unit: Unit,
    /// Its course: the largest value of each column, or the smallest where small is bad.
    pub columns: Vec<Column<f64>>,
    /// Its value now, or at the selected moment; `None` when there is none.
    pub value: Option<f64>,
    /// The value as it is written.
    pub text: Option<String>,
    /// Its state then.
    pub level: Level,
    /// When to look at it.
    pub warn: Option<Bound>,
    /// When it is out of bounds.
    pub crit: Option<Bound>,
    /// The ends of the courses that its own is compared with; its own when `None`.
    pub beside: Option<(f64, f64)>,
}

impl Reading {
    /// The state that a value means.
    pub fn level_of(&self, value: f64) -> Level {
        let crossed = |bound: Option<Bound>| bound.is_some_and(|bound| bound.is_crossed(value));
        match (crossed(self.crit), crossed(self.warn)) {
            (true, _) => Level::Crit,
            (false, true) => Level::Warn,
            (false, false) => Level::Good,
        }
    }

    /// The smallest and the largest value of the courses that are compared.
    pub fn ends(&self) -> (f64, f64) {
        if let Some(ends) = self.beside {
            return ends;
        }
        let values = self.columns.iter().filter_map(Column::seen);
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |ends, &value| {
            (ends.0.min(value), ends.1.max(value))
        })
    }

    /// Everything but the value.
    pub fn new(name: &str, unit: Unit, columns: Vec<Column<f64>>) -> Self {
        Self {
            name: name.to_owned(),
            unit,
            columns,
            value: None,
            text: None,
            level: Level::Good,
            warn: None,
            crit: None,
            beside: None,
        }
    }

    /// With its value, and the state that it means.
    #[must_use]
    pub fn at(mut self, value: Option<f64>) -> Self {
        self.value = value;
        self.text = value.map(|value| self.unit.text(value));
        self.level = value.map_or(Level::Good, |value| self.level_of(value));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_read_in_the_units_of_a_profile() {
        let cases = [
            ("> 400MiB", 419_430_400.0),
            ("> 80%", 0.8),
            (">= 2s", 2.0),
            ("< 250ms", 0.25),
            ("= 3", 3.0),
            ("> 1.5k", 1_500.0),
            ("> 100/s", 100.0),
        ];
        for (text, value) in cases {
            let bound = Bound::parse(text).unwrap();
            assert!((bound.value - value).abs() < 1e-9, "{text}: {bound:?}");
        }
        assert_eq!(Bound::parse("400MiB"), None);
        assert_eq!(Bound::parse("> much"), None);
    }
}
