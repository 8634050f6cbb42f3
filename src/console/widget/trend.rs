//! Whether a value rises or falls, as far as that can be told.

use super::axis::{Axis, Column};

/// A straight line through a chart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// Its slope.
    pub per_second: f64,
    /// Its height at the end.
    pub level: f64,
}

/// Columns that a trend needs.
const LEAST: usize = 8;

impl Trend {
    /// The line with the least squares through columns, without the newest, which is not complete. `None` when the
    /// values lie further from it than it rises or falls over the chart, or when that is next to nothing.
    pub fn of(columns: &[Column<f64>], axis: &Axis) -> Option<Self> {
        let newest = axis.newest_cell();
        let points: Vec<(f64, f64)> = columns
            .iter()
            .enumerate()
            .filter(|&(cell, _)| Some(cell) != newest)
            .filter_map(|(cell, column)| Some((cell as f64, *column.seen()?)))
            .filter(|point| point.1.is_finite())
            .collect();
        if points.len() < LEAST {
            return None;
        }
        let (slope, spread, level) = line(&points);
        let (first, last) = (points.first()?.0, points.last()?.0);
        let change = slope * (last - first);
        // A step is no trend: a line that rises does so in both of its halves.
        let (early, late) = points.split_at(points.len() / 2);
        let goes_on = [early, late]
            .into_iter()
            .all(|half| line(half).0 / slope > 0.25);
        let tells = goes_on && change.abs() > 3.0 * spread && change.abs() > level.abs() * 0.005;
        let seconds = axis.ticks_per_cell as f64 * axis.tick_us as f64 / 1e6;
        (tells && slope.is_finite()).then_some(Self {
            per_second: slope / seconds,
            level,
        })
    }
}

/// The line with the least squares: its slope, how far points lie from it, and its height at the last of them.
fn line(points: &[(f64, f64)]) -> (f64, f64, f64) {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let products = points.iter().map(|point| (point.0 - x) * (point.1 - y));
    let squares = points.iter().map(|point| (point.0 - x).powi(2));
    let slope = products.sum::<f64>() / squares.sum::<f64>();
    let residuals = points
        .iter()
        .map(|point| (point.1 - y - slope * (point.0 - x)).powi(2));
    let spread = (residuals.sum::<f64>() / count).sqrt();
    let last = points.last().map_or(x, |point| point.0);
    (slope, spread, y + slope * (last - x))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis() -> Axis {
        Axis {
            from_tick: 1,
            ticks_per_cell: 5,
            cells: 40,
            newest: 500,
            tick_us: 1_000_000,
        }
    }

    fn trend(value: impl Fn(f64) -> f64) -> Option<Trend> {
        let columns = (0..40).map(|cell| Column::Seen(value(f64::from(cell))));
        Trend::of(&columns.collect::<Vec<_>>(), &axis())
    }

    #[test]
    fn a_steady_rise_has_its_slope_and_noise_has_none() {
        let rise = trend(|cell| 100.0 + 10.0 * cell).unwrap();
        assert!((rise.per_second - 2.0).abs() < 1e-9);
        assert!((rise.level - 490.0).abs() < 1e-9);
        assert_eq!(trend(|_| 7.0), None);
        assert_eq!(
            trend(|cell| if (cell as u64).is_multiple_of(2) {
                1.0
            } else {
                9.0
            }),
            None
        );
        for step in [4.0, 20.0, 36.0] {
            let step = trend(|cell| if cell < step { 0.0 } else { 1_200.0 });
            assert_eq!(step, None);
        }
        assert_eq!(Trend::of(&[Column::Seen(1.0), Column::Gap], &axis()), None);
    }
}
