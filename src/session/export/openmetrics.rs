//! `OpenMetrics` text with time stamps, as `promtool tsdb create-blocks-from openmetrics` takes it.
//!
//! The format wants all points of one metric together, a session has all metrics of one tick together. So the points
//! of each metric go through a spool: a file without a name in `TMPDIR`, with a small buffer a metric in front of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use super::{Context, ExportError};
use crate::session::hist::Hist;
use crate::session::metric_text::{BOUNDS, Classic, labels, number};
use crate::session::reader::Reader;
use crate::session::record::{Number, Record, StepTick, Tick};

/// Bytes kept a metric before they go to the spool.
const BUFFER: usize = 16 << 10;

/// The metric families, in the order of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    Requests,
    Errors,
    Responses,
    Received,
    Sent,
    ResponseTime,
    ServiceTime,
    Dropped,
    InFlight,
    Load,
    Series,
}

impl Family {
    const ALL: [Self; 11] = [
        Self::Requests,
        Self::Errors,
        Self::Responses,
        Self::Received,
        Self::Sent,
        Self::ResponseTime,
        Self::ServiceTime,
        Self::Dropped,
        Self::InFlight,
        Self::Load,
        Self::Series,
    ];

    /// Name, type, unit and help.
    fn about(self) -> [&'static str; 4] {
        match self {
            Self::Requests => ["stormdeck_requests", "counter", "", "Requests finished."],
            Self::Errors => [
                "stormdeck_request_errors",
                "counter",
                "",
                "Requests failed, by kind.",
            ],
            Self::Responses => [
                "stormdeck_responses",
                "counter",
                "",
                "Answers, by status code.",
            ],
            Self::Received => [
                "stormdeck_received_bytes",
                "counter",
                "bytes",
                "Bytes received.",
            ],
            Self::Sent => ["stormdeck_sent_bytes", "counter", "bytes", "Bytes sent."],
            Self::ResponseTime => [
                "stormdeck_response_time_seconds",
                "histogram",
                "seconds",
                "From the moment a request was due to its last byte.",
            ],
            Self::ServiceTime => [
                "stormdeck_service_time_seconds",
                "histogram",
                "seconds",
                "From the moment a request was sent to its last byte.",
            ],
            Self::Dropped => [
                "stormdeck_dropped_arrivals",
                "counter",
                "",
                "Arrivals dropped.",
            ],
            Self::InFlight => ["stormdeck_in_flight", "gauge", "", "Journeys in flight."],
            Self::Load => ["stormdeck_load_factor", "gauge", "", "The load factor."],
            Self::Series => [
                "stormdeck_series",
                "gauge",
                "",
                "Gauges and scraped series.",
            ],
        }
    }
}

pub(super) fn export<R: Read>(
    reader: &mut Reader<R>,
    out: &mut impl Write,
) -> Result<(), ExportError> {
    let mut context = Context::new();
    let mut spool = Spool::new()?;
    while let Some(record) = reader.next_record()? {
        context.note(&record);
        if let Record::Tick(tick) = &record {
            add_tick(&context, tick, &mut spool)?;
        }
    }
    for family in Family::ALL {
        let [name, kind, unit, help] = family.about();
        writeln!(out, "# TYPE {name} {kind}")?;
        if !unit.is_empty() {
            writeln!(out, "# UNIT {name} {unit}")?;
        }
        writeln!(out, "# HELP {name} {help}")?;
        spool.replay(family, out)?;
    }
    Ok(out.write_all(b"# EOF\n")?)
}

fn add_tick(context: &Context, tick: &Tick, spool: &mut Spool) -> io::Result<()> {
    // By the monotonic clock: points of a metric may not go back in time.
    let micros = context.wall + tick.at;
    let stamp = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    for (index, scenario) in tick.scenarios.iter().enumerate() {
        let name = context
            .names
            .scenarios
            .get(index)
            .map_or("", String::as_str);
        let labels = labels(&[("scenario", name)]);
        spool.count(Family::Dropped, &labels, scenario.dropped, &stamp)?;
        spool.gauge(Family::InFlight, &labels, scenario.in_flight as f64, &stamp)?;
    }
    for step in &tick.steps {
        add_step(context, step, &stamp, spool)?;
    }
    spool.gauge(Family::Load, "", tick.load, &stamp)?;
    for &(index, value) in &tick.series {
        let name = context.names.series.get(index).map_or("", String::as_str);
        // A series without a value is said to be stale by its absence.
        if let Some(Number(value)) = value {
            spool.gauge(Family::Series, &labels(&[("name", name)]), value, &stamp)?;
        }
    }
    Ok(())
}

fn add_step(context: &Context, step: &StepTick, stamp: &str, spool: &mut Spool) -> io::Result<()> {
    let [scenario, journey, name] = context.step(step.step);
    let base = [("scenario", scenario), ("journey", journey), ("step", name)];
    let with = |name: &str, value: &str| labels(&[base[0], base[1], base[2], (name, value)]);
    let whole = labels(&base);
    spool.count(Family::Requests, &whole, step.requests, stamp)?;
    spool.count(Family::Received, &whole, step.bytes_in, stamp)?;
    spool.count(Family::Sent, &whole, step.bytes_out, stamp)?;
    for (kind, &count) in &step.errors {
        spool.count(Family::Errors, &with("kind", kind.name()), count, stamp)?;
    }
    for (status, &count) in &step.status {
        spool.count(
            Family::Responses,
            &with("status", &status.to_string()),
            count,
            stamp,
        )?;
    }
    spool.histogram(Family::ResponseTime, &whole, &step.response, stamp)?;
    spool.histogram(Family::ServiceTime, &whole, step.service(), stamp)
}

/// One metric: its sums so far, its text, and where the spool holds the text before.
#[derive(Default)]
struct Metric {
    total: u64,
    times: Classic,
    text: String,
    extents: Vec<(u64, usize)>,
}

struct Spool {
    file: File,
    length: u64,
    metrics: BTreeMap<(Family, String), Metric>,
}

impl Spool {
    fn new() -> io::Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let since = UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
        let name = format!("stormdeck-export-{}-{number}-{since}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        std::fs::remove_file(&path)?;
        Ok(Self {
            file,
            length: 0,
            metrics: BTreeMap::new(),
        })
    }

    fn metric(&mut self, family: Family, labels: &str) -> &mut Metric {
        self.metrics.entry((family, labels.to_owned())).or_default()
    }

    fn count(&mut self, family: Family, labels: &str, add: u64, stamp: &str) -> io::Result<()> {
        let metric = self.metric(family, labels);
        metric.total = metric.total.saturating_add(add);
        let name = family.about()[0];
        let _ = writeln!(
            metric.text,
            "{name}_total{{{labels}}} {} {stamp}",
            metric.total
        );
        self.settle(family, labels)
    }

    fn gauge(&mut self, family: Family, labels: &str, value: f64, stamp: &str) -> io::Result<()> {
        let metric = self.metric(family, labels);
        let name = family.about()[0];
        let braced = if labels.is_empty() {
            String::new()
        } else {
            format!("{{{labels}}}")
        };
        let value = number(value);
        let _ = writeln!(metric.text, "{name}{braced} {value} {stamp}");
        self.settle(family, labels)
    }

    fn histogram(
        &mut self,
        family: Family,
        labels: &str,
        hist: &Hist,
        stamp: &str,
    ) -> io::Result<()> {
        let metric = self.metric(family, labels);
        metric.times.add(hist);
        let name = family.about()[0];
        for (sum, (bound, _)) in metric.times.buckets.iter().zip(BOUNDS) {
            let _ = writeln!(
                metric.text,
                "{name}_bucket{{{labels},le=\"{bound}\"}} {sum} {stamp}"
            );
        }
        let (total, sum) = (metric.times.count, metric.times.sum);
        let _ = writeln!(
            metric.text,
            "{name}_bucket{{{labels},le=\"+Inf\"}} {total} {stamp}"
        );
        let _ = writeln!(metric.text, "{name}_count{{{labels}}} {total} {stamp}");
        let _ = writeln!(metric.text, "{name}_sum{{{labels}}} {sum} {stamp}");
        self.settle(family, labels)
    }

    /// Moves a full buffer to the file.
    fn settle(&mut self, family: Family, labels: &str) -> io::Result<()> {
        let Some(metric) = self.metrics.get_mut(&(family, labels.to_owned())) else {
            return Ok(());
        };
        if metric.text.len() >= BUFFER {
            self.file
                .write_all_at(metric.text.as_bytes(), self.length)?;
            metric.extents.push((self.length, metric.text.len()));
            self.length += metric.text.len() as u64;
            metric.text.clear();
        }
        Ok(())
    }

    /// Writes out all points of a family, metric by metric.
    fn replay(&self, family: Family, out: &mut impl Write) -> io::Result<()> {
        let mut bytes = Vec::new();
        for (_, metric) in self.metrics.iter().filter(|((of, _), _)| *of == family) {
            for &(offset, length) in &metric.extents {
                bytes.resize(length, 0);
                self.file.read_exact_at(&mut bytes, offset)?;
                out.write_all(&bytes)?;
            }
            out.write_all(metric.text.as_bytes())?;
        }
        Ok(())
    }
}
