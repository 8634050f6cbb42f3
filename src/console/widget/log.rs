//! A scale for latencies: each row is so many times the row below it.
//!
//! In: the shortest and the longest time. Out: a place between 0 and 1 for every time, and round times to write beside
//! the rows. The invariant: both ends are of the series 1, 2, 5, so that the scale stays when its data change a little.

/// From one round time to another, µs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogScale {
    /// Lower end, a number of the series.
    low: i32,
    /// Upper end, likewise; at least [`LEAST`] above.
    high: i32,
}

/// Shortest scale, in steps of the series: a decade.
const LEAST: i32 = 3;

impl LogScale {
    /// The shortest scale that holds times from `min` to `max` µs.
    pub fn around(min: f64, max: f64) -> Self {
        let min = min.max(1.0);
        let max = max.max(min);
        let mut low = step_below(min);
        let mut high = step_below(max);
        if round_time(high) < max {
            high += 1;
        }
        while high - low < LEAST {
            if low > 0 {
                low -= 1;
            } else {
                high += 1;
            }
        }
        Self { low, high }
    }

    /// The lower end, µs.
    pub fn low(self) -> f64 {
        round_time(self.low)
    }

    /// The upper end, µs.
    pub fn high(self) -> f64 {
        round_time(self.high)
    }

    /// Where a time lies: 0 at the lower end, 1 at the upper; beyond them clamped.
    pub fn place(self, micros: f64) -> f64 {
        let (low, high) = (self.low().ln(), self.high().ln());
        ((micros.max(1.0).ln() - low) / (high - low)).clamp(0.0, 1.0)
    }

    /// The row of a time among so many, counted from below.
    pub fn row(self, micros: f64, rows: usize) -> usize {
        // A round time belongs to the row that it begins, in spite of rounding.
        let row = (self.place(micros) * rows as f64 + 1e-9) as usize;
        row.min(rows.saturating_sub(1))
    }

    /// The time at the lower edge of a row, µs.
    pub fn edge(self, row: usize, rows: usize) -> f64 {
        let (low, high) = (self.low().ln(), self.high().ln());
        (low + (high - low) * row as f64 / rows.max(1) as f64).exp()
    }

    /// Round times for the rows in which they lie, at most so many: rows counted from below, and text.
    pub fn labels(self, rows: usize, most: usize) -> Vec<(usize, String)> {
        let label = |step| (self.row(round_time(step), rows), label(round_time(step)));
        // Every mark, every second, every decade, ...: the same ones wherever the scale begins.
        for stride in [1, 2, 3, 6, 9] {
            let steps = (self.low..self.high).filter(|step| step % stride == 0);
            let labels: Vec<(usize, String)> = steps.map(label).collect();
            let apart = labels.windows(2).all(|pair| pair[1].0 > pair[0].0);
            if apart && labels.len() <= most && !labels.is_empty() {
                return labels;
            }
        }
        (rows > 0).then(|| label(self.low)).into_iter().collect()
    }
}

/// Number `step` of the series 1, 2, 5, 10, ...
fn round_time(step: i32) -> f64 {
    let digit = [1.0, 2.0, 5.0][step.rem_euclid(3) as usize];
    digit * 10f64.powi(step.div_euclid(3))
}

/// The number of the series at or below a time.
fn step_below(micros: f64) -> i32 {
    let mut step = 3 * micros.log10().floor() as i32;
    while round_time(step + 1) <= micros {
        step += 1;
    }
    step
}

/// A round time in its unit: `500µs`, `20ms`, `2s`.
fn label(micros: f64) -> String {
    match micros {
        m if m < 1e3 => format!("{m:.0}µs"),
        m if m < 1e6 => format!("{:.0}ms", m / 1e3),
        m => format!("{:.0}s", m / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_are_round_and_hold_the_data() {
        let ends = |min, max| {
            let scale = LogScale::around(min, max);
            (label(scale.low()), label(scale.high()))
        };
        assert_eq!(ends(1_700.0, 1_900_000.0), ("1ms".into(), "2s".into()));
        assert_eq!(ends(2_000.0, 2_000_000.0), ("2ms".into(), "2s".into()));
        assert_eq!(ends(2_000.0, 2_000_001.0), ("2ms".into(), "5s".into()));
        assert_eq!(ends(0.0, 0.0), ("1µs".into(), "10µs".into()));
        assert_eq!(ends(700.0, 720.0), ("100µs".into(), "1ms".into()));
    }

    #[test]
    fn every_row_begins_where_the_row_below_ends() {
        let scale = LogScale::around(2_000.0, 2_000_000.0);
        for rows in [1, 2, 5, 9, 30] {
            for row in 0..rows {
                assert_eq!(
                    scale.row(scale.edge(row, rows), rows),
                    row,
                    "{row} of {rows}"
                );
            }
            assert_eq!(scale.row(f64::MAX, rows), rows - 1);
            assert_eq!(scale.row(0.0, rows), 0);
        }
    }

    #[test]
    fn labels_are_as_many_as_there_is_room_for() {
        let scale = LogScale::around(2_000.0, 2_000_000.0);
        let text = |rows, most| {
            let labels = scale.labels(rows, most).into_iter();
            labels
                .map(|(row, text)| format!("{row}:{text}"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(
            text(9, 9),
            "0:2ms 1:5ms 2:10ms 3:20ms 4:50ms 5:100ms 6:200ms 7:500ms 8:1s"
        );
        assert_eq!(text(5, 5), "0:2ms 1:10ms 2:50ms 3:200ms 4:1s");
        assert_eq!(text(2, 2), "0:10ms 1:1s");
        assert!(scale.labels(0, 0).is_empty());
    }
}
