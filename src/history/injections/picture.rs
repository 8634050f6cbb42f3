//! Traffic around an injection, second by second.
//!
//! In: ticks. Out: [`Picture`], cells of a second or of a tick, whichever is longer. The invariant: there are never more
//! than [`CELLS`]. When a fault stays longer than that, the cells in the middle are joined by twos, so that its first and
//! last minutes and every sum stay exact and only resolution in between is lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::bucket::{Bucket, Classes};
use super::super::merge::{Figures, merge};
use super::super::packed::Packed;
use super::BEFORE_US;
use crate::session::fold::add_counts;
use crate::session::record::ErrorKind;

/// Most cells of a picture: 15 minutes, and what came before.
pub const CELLS: usize = 15 * 60 + (BEFORE_US / SECOND) as usize;
/// Cells after the injection, and cells at the end, that are not joined: 5 minutes each.
const FINE: usize = 300;
/// The length of a cell, unless a tick is longer, µs.
const SECOND: u64 = 1_000_000;

/// All requests that finished in a stretch of time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cell {
    /// First tick.
    pub from: u64,
    /// Last tick.
    pub to: u64,
    /// Its end, µs since the window began.
    pub at: u64,
    /// Time that its ticks cover, µs.
    pub micros: u64,
    /// Requests finished, failed ones included.
    pub requests: u64,
    /// Failed requests by kind.
    pub errors: BTreeMap<ErrorKind, u64>,
    /// Answers by class of their status.
    pub classes: Classes,
    /// Response times, µs, to 2 significant figures.
    pub response: Packed,
    /// Journeys in flight at its end.
    pub in_flight: u64,
}

/// What traffic did around an injection.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Picture {
    cells: Vec<Arc<Cell>>,
    /// How many of them lie wholly before the injection.
    before: usize,
    /// Ticks of which no cell is there, since only a sum of them is known.
    pub unseen: u64,
}

impl Cell {
    /// Failed requests.
    pub fn failed(&self) -> u64 {
        self.errors.values().fold(0, |a, &b| a.saturating_add(b))
    }

    /// So many of it, a second.
    pub fn rate(&self, count: u64) -> f64 {
        count as f64 * 1e6 / self.micros.max(1) as f64
    }

    /// Its beginning, µs since the window began.
    pub fn start(&self) -> u64 {
        self.at.saturating_sub(self.micros)
    }

    fn of(bucket: &Bucket) -> Self {
        let mut cell = Self {
            from: bucket.from,
            to: bucket.to,
            at: bucket.at,
            micros: bucket.micros,
            response: merge(bucket.steps.iter().map(|step| &step.response), Figures::Two),
            ..Self::default()
        };
        for step in &bucket.steps {
            cell.requests = cell.requests.saturating_add(step.requests);
            add_counts(&mut cell.errors, &step.errors);
            for (class, count) in cell.classes.iter_mut().zip(step.classes) {
                *class = class.saturating_add(count);
            }
        }
        let flights = bucket.scenarios.iter().map(|flow| flow.in_flight);
        cell.in_flight = flights.fold(0, u64::saturating_add);
        cell
    }

    /// Adds what came right after it.
    fn add(&mut self, later: &Self) {
        self.to = later.to;
        self.at = later.at;
        self.micros = self.micros.saturating_add(later.micros);
        self.requests = self.requests.saturating_add(later.requests);
        add_counts(&mut self.errors, &later.errors);
        for (class, count) in self.classes.iter_mut().zip(later.classes) {
            *class = class.saturating_add(count);
        }
        self.response = merge([&self.response, &later.response].into_iter(), Figures::Two);
        self.in_flight = later.in_flight;
    }
}

impl Picture {
    /// Of what came before this moment, from ticks that come newest first.
    pub(super) fn before(at: u64, ticks: &mut dyn Iterator<Item = &Bucket>, tick_us: u64) -> Self {
        let from = at.saturating_sub(BEFORE_US);
        let near = ticks.take_while(|tick| tick.at.saturating_sub(tick.micros) >= from);
        let most = BEFORE_US.div_ceil(tick_us.max(1)) as usize;
        let mut near: Vec<&Bucket> = near.take(most).collect();
        near.reverse();
        let mut picture = Self::default();
        for bucket in near {
            picture.push(bucket, tick_us);
        }
        // What ends exactly when the fault is put in is before it.
        picture.before = picture.cells.len();
        picture
    }

    /// Adds a tick.
    pub(super) fn push(&mut self, bucket: &Bucket, tick_us: u64) {
        let cell = Cell::of(bucket);
        let width = SECOND.div_ceil(tick_us.max(1));
        let same = |last: &&mut Arc<Cell>| {
            last.to + 1 == cell.from && (last.to - 1) / width == (cell.to - 1) / width
        };
        // The cell that was the last when the fault came is left alone: it lies before.
        let open = self.cells.len() > self.before || self.before == 0;
        match self.cells.last_mut().filter(|last| open && same(last)) {
            Some(last) => Arc::make_mut(last).add(&cell),
            None => self.cells.push(Arc::new(cell)),
        }
        if self.cells.len() > CELLS {
            self.join();
        }
    }

    /// Joins the cells between the first and the last minutes by twos.
    fn join(&mut self) {
        let begin = self.before + FINE;
        let end = self.cells.len().saturating_sub(FINE).max(begin);
        let fine = self.cells.split_off(end);
        let middle = self.cells.split_off(begin);
        for pair in middle.chunks(2) {
            let mut cell = Arc::clone(&pair[0]);
            match pair.get(1) {
                Some(second) if cell.to + 1 == second.from => Arc::make_mut(&mut cell).add(second),
                Some(second) => {
                    self.cells.push(cell);
                    cell = Arc::clone(second);
                }
                None => {}
            }
            self.cells.push(cell);
        }
        self.cells.extend(fine);
        // Gaps keep neighbours apart; of too many of them the oldest go.
        if self.cells.len() > CELLS {
            let more = self.cells.len() - CELLS;
            self.cells.drain(begin..begin + more);
            self.unseen += more as u64;
        }
    }

    /// The part of it that was known at a moment.
    pub(super) fn up_to(&self, at: u64) -> Self {
        let known = self.cells.partition_point(|cell| cell.at <= at);
        Self {
            cells: self.cells[..known].to_vec(),
            before: self.before.min(known),
            unseen: self.unseen,
        }
    }

    /// All cells, oldest first. Between two that do not follow each other, ticks are missing.
    pub fn cells(&self) -> &[Arc<Cell>] {
        &self.cells
    }

    /// Those before the injection.
    pub fn baseline(&self) -> &[Arc<Cell>] {
        &self.cells[..self.before]
    }

    /// Those since the injection.
    pub fn since(&self) -> &[Arc<Cell>] {
        &self.cells[self.before..]
    }

    /// It in columns of equal length between two moments, µs since the window began; `None` where nothing is known. There
    /// are so many at most, at least one, and none that is shorter than a second: it could fall between two cells. A cell is
    /// in the column that its middle lies in, and fills those that it is longer than.
    pub fn columns(&self, from: u64, until: u64, most: usize) -> Vec<Option<Cell>> {
        let span = until.saturating_sub(from).max(1);
        let seconds = usize::try_from(span / SECOND).unwrap_or(most);
        let count = seconds.min(most).max(1);
        let mut columns = vec![None; count];
        let length = span as f64 / count as f64;
        let place = |at: u64| at.saturating_sub(from) as f64 / length;
        for cell in &self.cells {
            let middle = u64::midpoint(cell.start(), cell.at);
            if middle < from || middle >= until {
                continue;
            }
            // Longer than a column: it is what is known of each of them.
            if cell.micros as f64 > length * 1.5 {
                let end = (place(cell.at).round() as usize).min(count);
                let begin = (place(cell.start()).round() as usize).min(end);
                columns[begin..end].fill(Some(Cell::clone(cell)));
            } else if let Some(column) = columns.get_mut(place(middle) as usize) {
                let column = column.get_or_insert_with(Cell::default);
                // Response times are not drawn, and would cost the most.
                column.micros = column.micros.saturating_add(cell.micros);
                column.requests = column.requests.saturating_add(cell.requests);
                add_counts(&mut column.errors, &cell.errors);
                for (class, count) in column.classes.iter_mut().zip(cell.classes) {
                    *class = class.saturating_add(count);
                }
            }
        }
        columns
    }

    /// The longest time that a cell stands for, µs; more than a second, or a tick, where cells were joined.
    pub fn coarsest(&self) -> u64 {
        self.cells.iter().map(|cell| cell.micros).max().unwrap_or(0)
    }
}
