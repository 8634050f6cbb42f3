//! A scale for amounts.
//!
//! In: the smallest and the largest value. Out: a place between 0 and 1. The invariant: the ends are round numbers, so
//! that the scale stays when its data change a little.

/// From one round number to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinearScale {
    /// Lower end.
    pub low: f64,
    /// Upper end, above the lower.
    pub high: f64,
}

impl LinearScale {
    /// From nothing up to a round number at or above `max`.
    pub fn from_zero(max: f64) -> Self {
        let high = if max.is_finite() && max > 0.0 {
            round_above(max)
        } else {
            1.0
        };
        Self { low: 0.0, high }
    }

    /// Round numbers around values that may lie far from nothing. What hardly moves is not blown up.
    pub fn around(min: f64, max: f64) -> Self {
        if !min.is_finite() || !max.is_finite() || min > max {
            return Self::from_zero(1.0);
        }
        let extent = max - min;
        let flat = extent < max * 0.02;
        if min >= 0.0 && (flat || min < max * 0.5) {
            return Self::from_zero(max);
        }
        let step = round_above((extent / 4.0).max(max.abs() * 1e-3).max(f64::MIN_POSITIVE));
        let low = (min / step).floor() * step;
        let high = (max / step).ceil() * step;
        Self {
            low,
            high: if high > low { high } else { low + step },
        }
    }

    /// Where a value lies: 0 at the lower end, 1 at the upper; beyond them clamped.
    pub fn place(self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }
}

/// The least of 1, 1.5, 2, 3, 5, 7 times a power of ten at or above a positive value.
fn round_above(value: f64) -> f64 {
    let ten = 10f64.powf(value.log10().floor());
    let found = [1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0]
        .into_iter()
        .find(|digit| digit * ten >= value * (1.0 - 1e-9));
    found.unwrap_or(10.0) * ten
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_end_at_round_numbers() {
        let ends = |scale: LinearScale| (scale.low, scale.high);
        assert_eq!(ends(LinearScale::from_zero(1_980.0)), (0.0, 2_000.0));
        assert_eq!(ends(LinearScale::from_zero(2_000.0)), (0.0, 2_000.0));
        assert_eq!(ends(LinearScale::from_zero(0.0)), (0.0, 1.0));
        assert_eq!(ends(LinearScale::around(30.0, 90.0)), (0.0, 100.0));
        assert_eq!(ends(LinearScale::around(94.0, 94.0)), (0.0, 100.0));
        assert_eq!(ends(LinearScale::around(402.0, 419.0)), (400.0, 420.0));
        let below = LinearScale::around(-3.0, -3.0);
        assert!(below.low <= -3.0 && below.high > below.low);
        assert_eq!(ends(LinearScale::around(f64::NAN, 1.0)), (0.0, 1.0));
    }
}
