//! One row for each tick and step, for spreadsheets and data frames.

use std::io::{self, Read, Write};

use jiff::Timestamp;

use super::{Context, ExportError};
use crate::session::hist::Hist;
use crate::session::reader::Reader;
use crate::session::record::{Record, StepTick, Tick};

const COLUMNS: [&str; 25] = [
    "tick",
    "at_s",
    "wall",
    "phase",
    "scenario",
    "journey",
    "step",
    "requests",
    "errors",
    "rate_per_s",
    "bytes_in",
    "bytes_out",
    "load",
    "response_mean_ms",
    "response_p50_ms",
    "response_p90_ms",
    "response_p99_ms",
    "response_p99.9_ms",
    "response_max_ms",
    "service_mean_ms",
    "service_p50_ms",
    "service_p90_ms",
    "service_p99_ms",
    "service_p99.9_ms",
    "service_max_ms",
];

pub(super) fn export<R: Read>(
    reader: &mut Reader<R>,
    out: &mut impl Write,
) -> Result<(), ExportError> {
    let mut table = csv::Writer::from_writer(out);
    table.write_record(COLUMNS).map_err(plain)?;
    let mut context = Context::new();
    while let Some(record) = reader.next_record()? {
        context.note(&record);
        if let Record::Tick(tick) = &record {
            for step in &tick.steps {
                table
                    .write_record(row(&context, tick, step))
                    .map_err(plain)?;
            }
        }
    }
    Ok(table.flush()?)
}

fn row(context: &Context, tick: &Tick, step: &StepTick) -> Vec<String> {
    let [scenario, journey, name] = context.step(step.step).map(str::to_owned);
    let phase = tick.phase.and_then(|phase| context.names.phases.get(phase));
    let wall = i64::try_from(tick.wall)
        .ok()
        .and_then(|wall| Timestamp::from_microsecond(wall).ok());
    let rate = step.requests as f64 / (context.tick_us as f64 / 1e6);
    let mut row = vec![
        tick.n.to_string(),
        format!("{:.6}", tick.at as f64 / 1e6),
        wall.map(|wall| format!("{wall:.3}")).unwrap_or_default(),
        phase.cloned().unwrap_or_default(),
        scenario,
        journey,
        name,
        step.requests.to_string(),
        step.failed().to_string(),
        rate.to_string(),
        step.bytes_in.to_string(),
        step.bytes_out.to_string(),
        tick.load.to_string(),
    ];
    times(&step.response, &mut row);
    times(step.service(), &mut row);
    row
}

/// Mean and quantiles in ms; empty cells when nothing was counted.
fn times(hist: &Hist, row: &mut Vec<String>) {
    if hist.is_empty() {
        row.extend(std::iter::repeat_n(String::new(), 6));
        return;
    }
    row.push(format!("{:.3}", hist.mean() / 1e3));
    let quantiles = [0.5, 0.9, 0.99, 0.999].map(|q| hist.quantile(q));
    for micros in quantiles.into_iter().chain([hist.max()]) {
        row.push(format!("{:.3}", micros as f64 / 1e3));
    }
}

/// The I/O error inside.
fn plain(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}
