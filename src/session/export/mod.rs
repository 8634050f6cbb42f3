//! A session in the formats of other tools.
//!
//! Records go in and text goes out, as it comes: memory does not grow with the length of the session. One format is one
//! file here and one arm in [`export`]. The invariant: nothing is averaged; every number comes from a tick's own
//! histogram.

mod csv;
mod hlog;
mod jsonl;
mod openmetrics;

use std::io::{self, Read, Write};

use super::decode::ReadError;
use super::reader::Reader;
use super::record::{Names, Record, Window};

/// Where an export goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// The records as they are, one JSON object a line, without checksums
    Jsonl,
    /// One row for each tick and step
    Csv,
    /// `HdrHistogram` log 1.3: an interval histogram for each tick, step and kind of time, tagged
    #[value(
        help = "HdrHistogram log 1.3: an interval histogram for each tick, step and kind of time"
    )]
    Hlog,
    /// `OpenMetrics` text with time stamps
    #[value(help = "OpenMetrics text with time stamps")]
    Openmetrics,
}

/// Why an export did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The session cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The output cannot be written.
    #[error("the export cannot be written: {0}")]
    Write(#[from] io::Error),
}

impl ExportError {
    /// Whether whoever reads the output has had enough, which is no error.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Write(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Writes all of a session to `out`.
pub fn export<R: Read>(
    reader: &mut Reader<R>,
    format: Format,
    out: &mut impl Write,
) -> Result<(), ExportError> {
    match format {
        Format::Jsonl => jsonl::export(reader, out),
        Format::Csv => csv::export(reader, out),
        Format::Hlog => hlog::export(reader, out),
        Format::Openmetrics => openmetrics::export(reader, out),
    }?;
    Ok(out.flush()?)
}

/// What an export has to remember of records that went by.
#[derive(Debug, Default)]
struct Context {
    names: Names,
    /// Wall clock at the start, µs since the Unix epoch.
    wall: u64,
    /// Length of a tick, µs.
    tick_us: u64,
}

impl Context {
    fn new() -> Self {
        Self {
            tick_us: 1_000_000,
            ..Self::default()
        }
    }

    /// Takes in a key or a window.
    fn note(&mut self, record: &Record) {
        match record {
            Record::Key(key) => {
                self.names = key.names.clone();
                // A session whose beginning is lost has no window; its keys tell about when it began.
                if self.wall == 0 {
                    self.wall = key.wall.saturating_sub(key.at);
                }
            }
            Record::Window(window) => self.window(window),
            Record::Tick(_)
            | Record::Event(_)
            | Record::Sample(_)
            | Record::Gap(_)
            | Record::End(_)
            | Record::Unknown => {}
        }
    }

    fn window(&mut self, window: &Window) {
        self.wall = window.wall;
        self.tick_us = window.tick_us;
    }

    /// Scenario, journey and step; the reader has checked the indices.
    fn step(&self, index: usize) -> [&str; 3] {
        let Some(step) = self.names.steps.get(index) else {
            return [""; 3];
        };
        let scenario = self.names.scenarios.get(step.scenario);
        [
            scenario.map_or("", String::as_str),
            &step.journey,
            &step.step,
        ]
    }
}
