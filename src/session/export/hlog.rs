//! An `HdrHistogram` log, version 1.3, for the tools of that family.
//!
//! Each tick gives an interval histogram for each step and kind of time, tagged `scenario/journey/step/response` and
//! `…/service`. Values are µs; the column of maxima is in ms. Time stamps are seconds since the window began.

use std::io::{self, Read, Write};
use std::time::{Duration, UNIX_EPOCH};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogWriter, IntervalLogWriterBuilder, IntervalLogWriterError, Tag,
};

use super::{Context, ExportError};
use crate::session::hist::{Hist, MAX_VALUE, highest};
use crate::session::reader::Reader;
use crate::session::record::{Record, Tick};

pub(super) fn export<R: Read>(
    reader: &mut Reader<R>,
    out: &mut impl Write,
) -> Result<(), ExportError> {
    let mut context = Context::new();
    let mut dense = Histogram::new_with_bounds(1, MAX_VALUE, 3).map_err(io::Error::other)?;
    let first = loop {
        match reader.next_record()? {
            Some(Record::Tick(tick)) => break Some(tick),
            Some(record) => context.note(&record),
            None => break None,
        }
    };
    let start = UNIX_EPOCH + Duration::from_micros(context.wall);
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment("[Histogram log format version 1.3]")
        .add_comment("[stormdeck: values in microseconds, maxima in milliseconds]")
        .with_start_time(start)
        .with_base_time(start)
        .with_max_value_divisor(1e3)
        .begin_log_with(out, &mut serializer)?;
    if let Some(tick) = first {
        write_tick(&mut log, &context, &tick, &mut dense)?;
    }
    while let Some(record) = reader.next_record()? {
        context.note(&record);
        if let Record::Tick(tick) = &record {
            write_tick(&mut log, &context, tick, &mut dense)?;
        }
    }
    Ok(())
}

fn write_tick<W: Write>(
    log: &mut IntervalLogWriter<'_, '_, W, V2DeflateSerializer>,
    context: &Context,
    tick: &Tick,
    dense: &mut Histogram<u64>,
) -> io::Result<()> {
    let length = Duration::from_micros(context.tick_us);
    let start = Duration::from_micros(tick.at.saturating_sub(context.tick_us));
    for step in &tick.steps {
        let name = tag(&context.step(step.step));
        for (hist, kind) in [(&step.response, "response"), (step.service(), "service")] {
            let tag = format!("{name}/{kind}");
            fill(dense, hist);
            log.write_histogram(dense, start, length, Tag::new(&tag))
                .map_err(|error| match error {
                    IntervalLogWriterError::IoError(error) => error,
                    IntervalLogWriterError::SerializeError(error) => io::Error::other(error),
                })?;
        }
    }
    Ok(())
}

fn fill(dense: &mut Histogram<u64>, hist: &Hist) {
    dense.reset();
    for &(index, count) in hist.buckets() {
        dense.saturating_record_n(highest(index), count);
    }
}

/// Names joined; a tag holds neither spaces nor commas.
fn tag(names: &[&str]) -> String {
    let plain = |c: char| {
        if c.is_whitespace() || c == ',' || c.is_control() {
            '_'
        } else {
            c
        }
    };
    names.join("/").chars().map(plain).collect()
}
