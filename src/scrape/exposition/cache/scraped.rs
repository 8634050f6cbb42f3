//! What one scrape said, with the caller's ids in the place of labels.

use crate::scrape::Labels;
use crate::scrape::exposition::{BadLine, Failed, Reason};

/// So many bad lines are kept whole; the others are counted.
pub const BAD_KEPT: usize = 100;

/// What one scrape said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scraped {
    /// The samples in the order of the body, without those that nobody wants. Empty when the scrape failed.
    pub points: Vec<Point>,
    /// Exemplars of wanted series.
    pub exemplars: Vec<Example>,
    /// Series without times of their own that the scrape before had and this one has not. All of them when it failed.
    pub vanished: Vec<u32>,
    /// How many samples were read, unwanted ones with them.
    pub samples: usize,
    /// How many lines were bad.
    pub bad_lines: usize,
    /// The first [`BAD_KEPT`] of them.
    pub bad: Vec<Bad>,
    /// Why the scrape counts for nothing.
    pub failed: Option<Failed>,
}

/// One sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The caller's id of its series.
    pub id: u32,
    /// The value.
    pub value: f64,
    /// Its own time, ms since the Unix epoch, if it has one.
    pub ts_ms: Option<i64>,
}

/// One exemplar.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// The caller's id of its series.
    pub id: u32,
    /// Its labels.
    pub labels: Labels,
    /// The value that was measured.
    pub value: f64,
    /// When, ms since the Unix epoch, if it says so.
    pub ts_ms: Option<i64>,
}

/// A bad line that outlives its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bad {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: Reason,
    /// Its beginning, fit to be shown.
    pub excerpt: String,
}

impl Scraped {
    pub(super) fn clear(&mut self) {
        self.points.clear();
        self.exemplars.clear();
        self.vanished.clear();
        self.bad.clear();
        (self.samples, self.bad_lines, self.failed) = (0, 0, None);
    }

    pub(super) fn refuse(&mut self, bad: &BadLine<'_>) {
        self.bad_lines += 1;
        if self.bad.len() < BAD_KEPT {
            self.bad.push(Bad {
                line: bad.line,
                reason: bad.reason,
                excerpt: bad.excerpt(),
            });
        }
    }
}
