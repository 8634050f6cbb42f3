//! What happened in a stretch of the window, counted.

use std::collections::BTreeMap;

use super::Scene;
use super::measured::Measured;
use crate::console::model::Over;
use crate::history::{Bucket, Slot, Totals};
use crate::session::record::{ErrorKind, ModelName};
use crate::verdict::format;

/// Below this share of what was asked for, the load fell short of it.
const ENOUGH: f64 = 0.98;

/// Counts of a column or of a stretch.
#[derive(Debug, Clone, Default)]
pub struct Sum {
    micros: u64,
    /// Requests finished, failed ones included.
    pub requests: u64,
    failed: u64,
    classes: [u64; 6],
    kinds: BTreeMap<ErrorKind, u64>,
    dropped: u64,
    /// Journeys of open scenarios that were due.
    pub due: u64,
    /// Journeys of open scenarios that were begun.
    pub begun: u64,
}

impl Sum {
    /// Adds what a bucket has of what is measured; `open` says which scenarios are of the open model.
    pub fn add(&mut self, bucket: &Bucket, measured: &Measured, open: &[bool]) {
        self.micros += bucket.micros;
        for step in &bucket.steps {
            if !measured.selection.has_step(step.step) {
                continue;
            }
            self.requests += step.requests;
            for (class, count) in self.classes.iter_mut().zip(step.classes) {
                *class += count;
            }
            for (&kind, &count) in &step.errors {
                self.failed += count;
                *self.kinds.entry(kind).or_default() += count;
            }
        }
        for (index, flow) in bucket.scenarios.iter().enumerate() {
            if !measured.selection.has_scenario(index) {
                continue;
            }
            self.dropped += flow.dropped;
            if open.get(index).copied().unwrap_or(true) {
                self.due += flow.due;
                self.begun += flow.begun;
            }
        }
    }

    fn of_totals(totals: &Totals) -> Self {
        Self {
            micros: totals.micros,
            requests: totals.requests,
            failed: totals.failed(),
            classes: totals.classes,
            kinds: totals.errors.clone(),
            dropped: totals.dropped,
            // These have the closed scenarios in them, where what is due is what was begun.
            due: totals.due,
            begun: totals.begun,
        }
    }

    /// A count of this stretch, a second; `None` without time.
    pub fn per_second(&self, count: u64) -> Option<f64> {
        (self.micros > 0).then(|| count as f64 * 1e6 / self.micros as f64)
    }

    /// Failed requests over all; `None` without a request.
    pub fn errors(&self) -> Option<f64> {
        (self.requests > 0).then(|| self.failed as f64 / self.requests as f64)
    }
}

/// Which scenarios are of the open model, by index.
pub fn open(scene: &Scene<'_>) -> Vec<bool> {
    let plans = scene
        .history
        .window()
        .map_or(&[][..], |window| &window.scenarios);
    plans
        .iter()
        .map(|plan| plan.model == ModelName::Open)
        .collect()
}

/// The sum over what the operator chose, or at the selected moment.
pub fn sum(scene: &Scene<'_>, measured: &Measured, width: usize) -> Sum {
    let history = scene.history;
    let newest = history.last().map_or(0, |last| last.tick);
    let (from, to) = match (scene.ui.cursor, scene.ui.over) {
        (Some(tick), _) => {
            let length = super::latency::axis(scene, width as u16).ticks_per_cell;
            let from = tick.saturating_sub(1) / length * length + 1;
            (from, from + length - 1)
        }
        (None, Over::Ten) => {
            let ticks = (10_000_000 / history.tick_us()).max(1);
            (newest.saturating_sub(ticks - 1).max(1), newest)
        }
        (None, Over::Phase) => {
            let phase: Vec<usize> = history
                .last()
                .and_then(|last| last.phase)
                .into_iter()
                .collect();
            return Sum::of_totals(&history.totals_of(&measured.selection, &phase));
        }
        (None, Over::Window) => {
            return Sum::of_totals(&history.totals_of(&measured.selection, &[]));
        }
    };
    let (mut sum, open) = (Sum::default(), open(scene));
    for slot in history.slots(from, to, 1) {
        if let Slot::Seen(bucket) = slot {
            sum.add(&bucket, measured, &open);
        }
    }
    sum
}

/// How much a number matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Warn,
    Bad,
}

impl Sum {
    /// Whether fewer journeys were begun than were asked for.
    pub fn is_short(&self) -> bool {
        (self.begun as f64) < self.due as f64 * ENOUGH
    }

    /// Names and numbers of what happened, the most telling first.
    pub fn words(&self) -> Vec<(String, String, Tone)> {
        let mut words = Vec::new();
        let mut count = |name: &str, count: u64, tone: Tone| {
            if count > 0 {
                words.push((name.to_owned(), format::count_short(count as f64), tone));
            }
        };
        let of = |kind| self.kinds.get(&kind).copied().unwrap_or(0);
        for (class, name, kind) in [
            (5, "5xx", ErrorKind::Status5xx),
            (4, "4xx", ErrorKind::Status4xx),
        ] {
            let tone = if of(kind) > 0 { Tone::Bad } else { Tone::Plain };
            count(name, self.classes[class], tone);
        }
        for (&kind, &number) in &self.kinds {
            if !matches!(kind, ErrorKind::Status4xx | ErrorKind::Status5xx) {
                count(&kind.name().replace('_', " "), number, Tone::Bad);
            }
        }
        count("dropped", self.dropped, Tone::Warn);
        let missed = if self.is_short() {
            self.due - self.begun
        } else {
            0
        };
        count("not begun", missed.saturating_sub(self.dropped), Tone::Warn);
        for (class, name) in [(2, "2xx"), (3, "3xx"), (1, "1xx"), (0, "odd status")] {
            count(name, self.classes[class], Tone::Plain);
        }
        words
    }
}
