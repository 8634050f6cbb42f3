//! The whole recording at a glance.
//!
//! In: what was counted, by frame or by tick. Out: [`Overview`]. The invariant: every request counted is in the cells
//! that its stretch lies in, shared by how much of it lies in each.

use super::count::Count;
use super::recording::Recording;
use crate::console::model::{Cell, Overview};
use crate::session::ReadError;

use super::places;

/// Most cells of an overview: no terminal shows more.
const CELLS: u64 = 400;
/// Most places of an overview. Of more, phases, breaches and marks stay.
const PLACES: usize = 5_000;

impl Recording {
    /// The overview of all that was surveyed, and of the frame that is being written.
    pub fn overview(&self) -> Result<Overview, ReadError> {
        let (counts, mut places) = self.glance()?;
        places.sort_by_key(|place| place.tick);
        if places.len() > PLACES {
            places.retain(|place| place.kind != crate::console::model::PlaceKind::Other);
            places.truncate(PLACES);
        }
        let (Some(first), Some(last)) = (counts.first(), counts.last()) else {
            return Ok(Overview {
                places,
                ..Overview::default()
            });
        };
        let (from, to) = (first.ticks.0, last.ticks.1.max(first.ticks.0));
        Ok(Overview {
            from,
            to,
            cells: cells(&counts, (from, to), self.tick_us()),
            places,
        })
    }
}

/// Ticks to add to the first recording's count to get the second's, so that both stand at the same place of the phase of
/// this name; `None` when it did not begin in both.
pub fn align(first: &Overview, second: &Overview, phase: &str) -> Option<i64> {
    let tick = |overview: &Overview| {
        let place = places::phase(&overview.places, phase)?;
        i64::try_from(place.tick).ok()
    };
    tick(second)?.checked_sub(tick(first)?)
}

/// Sums of what lies in a cell, in shares.
#[derive(Clone, Copy, Default)]
struct Sum {
    seen: f64,
    requests: f64,
    failed: f64,
}

fn cells(counts: &[Count], (from, to): (u64, u64), tick_us: u64) -> Vec<Cell> {
    // No cell is narrower than what was counted in one: it would be a share of the same number.
    let widest = counts.iter().map(|count| count.ticks.1 - count.ticks.0 + 1);
    let number = ((to - from + 1) / widest.max().unwrap_or(1)).clamp(1, CELLS);
    let width = (to - from + 1) as f64 / number as f64;
    let mut sums = vec![Sum::default(); number as usize];
    for count in counts {
        let begin = (count.ticks.0.saturating_sub(from)) as f64 / width;
        let end = (count.ticks.1.saturating_sub(from) + 1) as f64 / width;
        let last = (end.ceil() as usize).min(sums.len());
        for (place, sum) in sums[..last].iter_mut().enumerate().skip(begin as usize) {
            let inside = end.min(place as f64 + 1.0) - begin.max(place as f64);
            let share = (inside / (end - begin)).clamp(0.0, 1.0);
            sum.seen += share * count.seen as f64;
            sum.requests += share * count.requests as f64;
            sum.failed += share * count.failed as f64;
        }
    }
    let cell = |sum: Sum| Cell {
        rate: (sum.seen > 1e-6).then(|| sum.requests / (sum.seen * tick_us as f64 / 1e6)),
        errors: if sum.requests > 0.0 {
            sum.failed / sum.requests
        } else {
            0.0
        },
    };
    sums.into_iter().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_in_a_cell_and_a_hole_is_none() {
        let count = |from: u64, to: u64| Count {
            ticks: (from, to),
            seen: to - from + 1,
            requests: 10 * (to - from + 1),
            failed: to - from + 1,
        };
        let counts = [
            count(1, 60),
            count(61, 90),
            count(181, 240),
            count(241, 300),
        ];
        let cells = cells(&counts, (1, 300), 500_000);
        let rates: Vec<_> = cells.iter().map(|cell| cell.rate).collect();
        assert_eq!(
            rates,
            [Some(20.0), Some(20.0), None, Some(20.0), Some(20.0)]
        );
        assert!((cells[3].errors - 0.1).abs() < 1e-9);
        let fine: Vec<Count> = (1..=10).chain(15..=20).map(|n| count(n, n)).collect();
        let fine = super::cells(&fine, (1, 20), 1_000_000);
        assert_eq!(fine.len(), 20);
        assert_eq!(fine.iter().filter(|cell| cell.rate.is_none()).count(), 4);
    }
}
