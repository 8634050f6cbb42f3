//! `stormdeck query`: asks a recording with `PromQL`.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Read};
use std::process::ExitCode;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::symbols::Marker;
use ratatui::text::Span as Words;
use ratatui::widgets::{Axis, Chart, Dataset, GraphType, Widget};
use serde_json::json;

use super::pick::DirArgs;
use super::{COULD_NOT, print, tell};
use crate::profile::units::parse_duration;
use crate::scrape::Labels;
use crate::scrape::asked::{self, At, Courses, Span};
use crate::scrape::exposition::printed;
use crate::scrape::promql::{Query, Refused, Value};
use crate::session::Reader;
use crate::verdict::format;

/// Columns and lines of a chart.
const CHART: (u16, u16) = (100, 20);
/// Series in a chart; a mark each.
const MARKS: [&str; 6] = ["•", "+", "x", "o", "*", "~"];

/// Ask a recording with `PromQL`: `stormdeck query 'rate(http_requests_total[1m])'`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A file, a session's name or the beginning of one; `-` reads standard input; the newest session if left out
    #[arg(num_args = 1..=2, value_names = ["SESSION", "EXPR"], required = true)]
    words: Vec<String>,
    /// The moment: a time since the window began (`10m30s`); the end if left out
    #[arg(long, value_name = "TIME", conflicts_with = "range")]
    at: Option<String>,
    /// Every tick, not one moment: `10m..20m`, or all of it
    #[arg(long, value_name = "FROM..TO", num_args = 0..=1, require_equals = true, default_missing_value = "..")]
    range: Option<String>,
    /// At least so much time from one value of a range to the next
    #[arg(long, value_name = "TIME", requires = "range", default_value = "0s")]
    step: String,
    /// Only series of this target
    #[arg(long, value_name = "TARGET")]
    of: Option<String>,
    /// How to print it; a range is drawn on a terminal
    #[arg(long = "as", value_enum, value_name = "FORM")]
    form: Option<Form>,
    #[command(flatten)]
    dir: DirArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// A line for each series, or for each moment
    Table,
    /// JSON: values as text, as Prometheus gives them; times in seconds since the window began
    Json,
    /// A chart of the range
    Chart,
}

/// Runs the command.
pub fn run(args: &Args) -> ExitCode {
    match attempt(args) {
        Ok(text) => super::printed("the answer", print(text.as_bytes())),
        Err(message) => {
            tell(&format!("stormdeck: {message}"));
            ExitCode::from(COULD_NOT)
        }
    }
}

fn attempt(args: &Args) -> Result<String, String> {
    let (session, expr) = match args.words.as_slice() {
        [session, expr] => (Some(session.as_str()), expr),
        [expr, ..] => (None, expr),
        [] => return Err("an expression is needed".into()),
    };
    let query = Query::parse(expr).map_err(|refused| pointed(expr, &refused))?;
    let query = match &args.of {
        Some(target) => query.restricted("job", target),
        None => query,
    };
    let when = When::of(args)?;
    if session == Some("-") {
        let reader = Reader::new(io::stdin().lock()).map_err(|error| error.to_string())?;
        return answer(args.form, when, &query, reader);
    }
    let sessions = args.dir.sessions().map_err(|error| error.to_string())?;
    let path = sessions.find(session).map_err(|error| error.to_string())?;
    let named = |error| format!("{}: {error}", path.display());
    answer(args.form, when, &query, Reader::open(&path).map_err(named)?)
}

/// What of the recording is asked for.
#[derive(Debug, Clone, Copy)]
enum When {
    /// A moment, or the end.
    At(Option<u64>),
    Range(Span),
}

impl When {
    fn of(args: &Args) -> Result<Self, String> {
        match &args.range {
            None => Ok(Self::At(args.at.as_deref().map(micros).transpose()?)),
            Some(range) => Ok(Self::Range(span(range, &args.step)?)),
        }
    }
}

fn answer<R: Read>(
    form: Option<Form>,
    when: When,
    query: &Query,
    reader: Reader<R>,
) -> Result<String, String> {
    match when {
        When::At(at) => {
            let at = asked::instant(reader, query, at).map_err(|error| error.to_string())?;
            match form.unwrap_or(Form::Table) {
                Form::Table => Ok(instant_table(&at)),
                Form::Json => Ok(instant_json(&at)),
                Form::Chart => Err("one moment makes no chart; add `--range`".into()),
            }
        }
        When::Range(span) => {
            let courses = asked::courses(reader, query, span).map_err(|error| error.to_string())?;
            let by_default = if io::stdout().is_terminal() {
                Form::Chart
            } else {
                Form::Table
            };
            match form.unwrap_or(by_default) {
                Form::Table => Ok(range_table(&courses)),
                Form::Json => Ok(range_json(&courses)),
                Form::Chart => Ok(chart(&courses)),
            }
        }
    }
}

/// The sentence, and below the expression a mark where it goes wrong.
fn pointed(expr: &str, refused: &Refused) -> String {
    let Some(span) = refused.span.clone().filter(|_| !expr.contains('\n')) else {
        return refused.to_string();
    };
    let before = expr
        .get(..span.start)
        .map_or(0, |text| text.chars().count());
    let within = expr.get(span).map_or(1, |text| text.chars().count().max(1));
    format!(
        "{refused}\n  {expr}\n  {}{}",
        " ".repeat(before),
        "^".repeat(within)
    )
}

fn micros(text: &str) -> Result<u64, String> {
    let time = parse_duration(text).map_err(|error| error.to_string())?;
    Ok(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

fn span(range: &str, step: &str) -> Result<Span, String> {
    let Some((from, to)) = range.split_once("..") else {
        return Err(format!(
            "`{range}` is not a range; write it like `10m..20m`"
        ));
    };
    let end = |text: &str, open: u64| match text {
        "" => Ok(open),
        text => micros(text),
    };
    let (from, to) = (end(from, 0)?, end(to, u64::MAX)?);
    if from > to {
        return Err(format!("the range `{range}` ends before it begins"));
    }
    let step = micros(step)?;
    Ok(Span { from, to, step })
}

fn vector(value: &Value) -> Vec<(Labels, f64)> {
    match value {
        Value::Scalar(value) => vec![(Labels::default(), *value)],
        Value::Vector(vector) => vector.clone(),
    }
}

fn name(labels: &Labels) -> String {
    if labels.is_empty() {
        "value".into()
    } else {
        labels.to_string()
    }
}

fn instant_table(at: &At) -> String {
    let vector = vector(&at.value);
    let mut out = format!("at {}\n", format::clock(at.at));
    if vector.is_empty() {
        out.push_str("no series\n");
    }
    for (labels, value) in vector {
        let _ = writeln!(out, "{}  {}", name(&labels), printed(value));
    }
    out
}

fn instant_json(at: &At) -> String {
    let series: Vec<_> = vector(&at.value)
        .into_iter()
        .map(|(labels, value)| json!({ "labels": object(&labels), "value": printed(value) }))
        .collect();
    format!("{}\n", json!({ "at": seconds(at.at), "series": series }))
}

fn range_json(courses: &Courses) -> String {
    let series: Vec<_> = courses
        .iter()
        .map(|(labels, course)| {
            let values = course
                .iter()
                .map(|&(at, value)| json!([seconds(at), printed(value)]));
            json!({ "labels": object(labels), "values": values.collect::<Vec<_>>() })
        })
        .collect();
    format!("{}\n", json!({ "series": series }))
}

fn object(labels: &Labels) -> serde_json::Map<String, serde_json::Value> {
    let pairs = labels.iter();
    pairs
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect()
}

fn seconds(at: u64) -> f64 {
    at as f64 / 1e6
}

/// A line for each moment and series.
fn range_table(courses: &Courses) -> String {
    if courses.is_empty() {
        return "no series\n".into();
    }
    let mut out = String::new();
    for (labels, course) in courses {
        let _ = writeln!(out, "{}", name(labels));
        for &(at, value) in course {
            let _ = writeln!(out, "  {}  {}", format::clock(at), printed(value));
        }
    }
    out
}

/// The courses with the largest last values, and what they are called.
fn chart(courses: &Courses) -> String {
    let mut shown: Vec<(&Labels, Vec<(f64, f64)>)> = courses
        .iter()
        .map(|(labels, course)| {
            let points = course.iter().filter(|(_, value)| value.is_finite());
            (
                labels,
                points.map(|&(at, value)| (seconds(at), value)).collect(),
            )
        })
        .filter(|(_, points): &(_, Vec<_>)| !points.is_empty())
        .collect();
    if shown.is_empty() {
        return "no series\n".into();
    }
    let last = |points: &[(f64, f64)]| points.last().map_or(0.0, |&(_, value)| value);
    shown.sort_by(|a, b| last(&b.1).total_cmp(&last(&a.1)));
    let more = shown.len().saturating_sub(MARKS.len());
    shown.truncate(MARKS.len());
    let points = || shown.iter().flat_map(|(_, points)| points);
    let ends = |of: fn(&(f64, f64)) -> f64| {
        points()
            .map(of)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                (low.min(value), high.max(value))
            })
    };
    let (times, values) = (ends(|point| point.0), ends(|point| point.1));
    let values = widened(values);
    let buffer = drawn(&shown, times, values);
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let line: String = (0..buffer.area.width)
            .map(|x| buffer[(x, y)].symbol())
            .collect();
        let _ = writeln!(out, "{}", line.trim_end());
    }
    for ((labels, points), mark) in shown.iter().zip(MARKS) {
        let _ = writeln!(out, "{mark} {}  {}", name(labels), printed(last(points)));
    }
    if more > 0 {
        let _ = writeln!(out, "and {more} more");
    }
    out
}

/// From zero where that wastes little, and never without height.
fn widened((low, high): (f64, f64)) -> (f64, f64) {
    let low = if low > 0.0 && low < high * 0.5 {
        0.0
    } else {
        low
    };
    if high > low {
        (low, high)
    } else {
        (
            low - low.abs().max(1.0) * 0.1,
            high + high.abs().max(1.0) * 0.1,
        )
    }
}

fn drawn(shown: &[(&Labels, Vec<(f64, f64)>)], times: (f64, f64), values: (f64, f64)) -> Buffer {
    let sets = shown.iter().zip(MARKS).map(|((_, points), mark)| {
        // A single series gets a fine line, several get marks that tell them apart.
        let marker = if shown.len() == 1 {
            Marker::Braille
        } else {
            mark.chars().next().map_or(Marker::Dot, Marker::Custom)
        };
        Dataset::default()
            .marker(marker)
            .graph_type(GraphType::Line)
            .data(points)
    });
    let clock = |at: f64| Words::raw(format::clock((at * 1e6) as u64));
    let figure = |value: f64| Words::raw(format::count_short(value));
    let chart = Chart::new(sets.collect())
        .x_axis(
            Axis::default()
                .bounds([times.0, times.1.max(times.0 + 1.0)])
                .labels([clock(times.0), clock(times.1)])
                .style(Style::new()),
        )
        .y_axis(Axis::default().bounds([values.0, values.1]).labels([
            figure(values.0),
            figure(f64::midpoint(values.0, values.1)),
            figure(values.1),
        ]))
        .legend_position(None);
    let mut buffer = Buffer::empty(Rect::new(0, 0, CHART.0, CHART.1));
    chart.render(buffer.area, &mut buffer);
    buffer
}
