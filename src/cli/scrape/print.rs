//! What a scrape said, for people and for programs.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;
use serde::ser::SerializeMap;

use super::{Got, Outcome};
use crate::scrape::Labels;
use crate::scrape::exposition::cache::Point;
use crate::scrape::exposition::{Format, Kind, family, printed};
use crate::scrape::labels::NAME;
use crate::scrape::sets::Sets;

/// How much of a help text is shown.
const HELP: usize = 70;

/// The widest a metric's name makes its column.
const WIDEST: usize = 48;

#[derive(Serialize)]
struct Document<'o> {
    samples: Vec<Sample<'o>>,
    bad_lines: usize,
    error: Option<&'o str>,
}

#[derive(Serialize)]
struct Sample<'o> {
    name: &'o str,
    labels: Others<'o>,
    value: String,
    ts_ms: Option<i64>,
}

/// The labels without the metric's name, as an object.
struct Others<'o>(&'o Labels);

impl Serialize for Others<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.0.iter().filter(|(name, _)| *name != NAME) {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// As one JSON object on one line.
pub(super) fn json(outcome: &Outcome) -> String {
    let sample = |point: &Point| {
        let labels = &outcome.series[point.id as usize];
        Sample {
            name: labels.name(),
            labels: Others(labels),
            value: printed(point.value),
            ts_ms: point.ts_ms,
        }
    };
    let document = Document {
        samples: outcome.scraped.points.iter().map(sample).collect(),
        bad_lines: outcome.scraped.bad_lines,
        error: outcome.error.as_deref(),
    };
    // Text and numbers are always JSON.
    let mut text = serde_json::to_string(&document).unwrap_or_default();
    text.push('\n');
    text
}

/// In lines.
pub(super) fn text(outcome: &Outcome, every: bool) -> String {
    let mut out = String::new();
    if let Some(got) = &outcome.got {
        head(&mut out, got);
    }
    if outcome.error.is_none() {
        metrics(&mut out, outcome, every);
        known_as(&mut out, outcome);
    }
    bad_lines(&mut out, outcome);
    if let Some(error) = &outcome.error {
        let _ = writeln!(out, "the scrape failed: {error}");
    }
    out
}

fn head(out: &mut String, got: &Got) {
    let format = match got.format {
        Format::Text => "Prometheus text",
        Format::OpenMetrics => "OpenMetrics",
    };
    let _ = write!(out, "{format}, {}", size(got.body.len()));
    match got.wire {
        Some(wire) if wire != got.body.len() => {
            let _ = write!(out, " ({} over the wire)", size(wire));
        }
        Some(_) | None => {}
    }
    let _ = writeln!(out, ", in {}", time(got.took));
}

/// Metrics by name: type, count of series, help.
fn metrics(out: &mut String, outcome: &Outcome, every: bool) {
    let known = |name: &str| outcome.cache.metadata(name);
    let kind = |name: &str| known(name).and_then(|known| known.kind);
    let mut metrics: BTreeMap<&str, Vec<&Point>> = BTreeMap::new();
    for point in &outcome.scraped.points {
        let name = outcome.series[point.id as usize].name();
        metrics.entry(family(name, kind)).or_default().push(point);
    }
    let samples = outcome.scraped.points.len();
    let _ = writeln!(
        out,
        "{} of {}, {}\n",
        count(samples, "sample"),
        count(metrics.len(), "metric"),
        count(outcome.scraped.bad_lines, "bad line"),
    );
    let widest = metrics.keys().map(|name| name.chars().count()).max();
    let width = widest.unwrap_or(0).clamp("METRIC".len(), WIDEST);
    if !metrics.is_empty() {
        let _ = writeln!(
            out,
            "{:<width$} {:<14} {:>6}  HELP",
            "METRIC", "TYPE", "SERIES"
        );
    }
    for (name, points) in &metrics {
        let kind = kind(name).unwrap_or(Kind::Unknown).name();
        let help = known(name).map_or("", |known| known.help.as_str());
        let series = points.len();
        let line = format!(
            "{:<width$} {kind:<14} {series:>6}  {}",
            one_line(name),
            brief(help)
        );
        let _ = writeln!(out, "{}", line.trim_end());
        for point in points.iter().filter(|_| every) {
            let labels = outcome.series[point.id as usize].to_string();
            let _ = write!(out, "    {} {}", one_line(&labels), printed(point.value));
            match point.ts_ms {
                Some(at) => writeln!(out, " at {at} ms"),
                None => writeln!(out),
            }
            .unwrap_or_default();
        }
    }
    if !metrics.is_empty() {
        out.push('\n');
    }
}

/// Which shipped gauges a window would show of it.
fn known_as(out: &mut String, outcome: &Outcome) {
    let points = outcome.scraped.points.iter();
    let names: HashSet<&str> = points
        .map(|point| outcome.series[point.id as usize].name())
        .collect();
    let sets = Sets::shipped();
    let known = sets.matching(|name| names.contains(name));
    if known.is_empty() {
        return;
    }
    let sets: Vec<&str> = known.iter().map(|set| set.name.as_str()).collect();
    let gauges = known.iter().map(|set| set.gauges.len()).sum();
    let _ = writeln!(
        out,
        "recognized: {}; `auto = true` in its [[target]] shows {}\n",
        sets.join(", "),
        count(gauges, "gauge")
    );
}

fn bad_lines(out: &mut String, outcome: &Outcome) {
    let scraped = &outcome.scraped;
    for bad in &scraped.bad {
        let _ = writeln!(
            out,
            "line {}: {}\n    {}",
            bad.line, bad.reason, bad.excerpt
        );
    }
    let more = scraped.bad_lines - scraped.bad.len();
    if more > 0 {
        let _ = writeln!(out, "and {}", count(more, "more bad line"));
    }
}

fn count(number: usize, what: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {what}{ending}")
}

/// A target's text, fit for a terminal.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '·' } else { c })
        .collect()
}

fn brief(help: &str) -> String {
    let help = one_line(help);
    match help.char_indices().nth(HELP) {
        Some((end, _)) => format!("{}…", &help[..end]),
        None => help,
    }
}

fn size(bytes: usize) -> String {
    match bytes {
        0..1000 => format!("{bytes} B"),
        1000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

fn time(took: Duration) -> String {
    let ms = took.as_secs_f64() * 1e3;
    match ms {
        ms if ms < 10.0 => format!("{ms:.1} ms"),
        ms if ms < 1000.0 => format!("{ms:.0} ms"),
        ms => format!("{:.1} s", ms / 1e3),
    }
}
