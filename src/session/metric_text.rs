//! Metrics as text, in the two formats that Prometheus reads: text 0.0.4 and `OpenMetrics` 1.0.
//!
//! Names, labels and numbers flow in, lines flow out; both the export of a session and the engine's own `/metrics` are
//! written with this, under the same names and with the same buckets, so that one dashboard shows either. The
//! invariant: a family is written in one piece, its head first.

use std::fmt::Write as _;

use super::hist::{Hist, highest};

/// Upper bounds of the buckets of times: as text, and in µs. Half a millisecond to two minutes.
///
/// A [`Hist`] counts a value with 3 significant figures. A value less than 0.1 % below a bound may share its bucket with
/// some above it, and then counts to the next one; apart from that the counts are exact.
pub const BOUNDS: [(&str, u64); 17] = [
    ("0.0005", 500),
    ("0.001", 1_000),
    ("0.0025", 2_500),
    ("0.005", 5_000),
    ("0.01", 10_000),
    ("0.025", 25_000),
    ("0.05", 50_000),
    ("0.1", 100_000),
    ("0.25", 250_000),
    ("0.5", 500_000),
    ("1.0", 1_000_000),
    ("2.5", 2_500_000),
    ("5.0", 5_000_000),
    ("10.0", 10_000_000),
    ("30.0", 30_000_000),
    ("60.0", 60_000_000),
    ("120.0", 120_000_000),
];

/// A classic histogram of times: how many were no longer than each of [`BOUNDS`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Classic {
    /// Values up to each bound, those below it included.
    pub buckets: [u64; BOUNDS.len()],
    /// Values in all.
    pub count: u64,
    /// Their sum, s; each value as the middle of its bucket in the [`Hist`].
    pub sum: f64,
}

impl Classic {
    /// Adds values in µs. Costs one pass over the buckets of `hist`.
    pub fn add(&mut self, hist: &Hist) {
        let mut values = hist.buckets().iter().peekable();
        let mut within = 0_u64;
        for (sum, (_, bound)) in self.buckets.iter_mut().zip(BOUNDS) {
            while let Some((_, count)) = values.next_if(|&&(index, _)| highest(index) <= bound) {
                within = within.saturating_add(*count);
            }
            *sum = sum.saturating_add(within);
        }
        let count = hist.count();
        self.count = self.count.saturating_add(count);
        self.sum += hist.mean() * count as f64 / 1e6;
    }
}

/// `name="value"` pairs, without the braces.
pub fn labels(pairs: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (name, value) in pairs {
        let comma = if out.is_empty() { "" } else { "," };
        let value = value
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n");
        let _ = write!(out, "{comma}{name}=\"{value}\"");
    }
    out
}

/// A number as both formats write it.
pub fn number(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value => value.to_string(),
    }
}

/// How a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text 0.0.4.
    Text,
    /// `OpenMetrics` 1.0.
    OpenMetrics,
}

impl Format {
    /// The value of the header `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// What the values of a family are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Goes up only; its samples end in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Buckets, a count and a sum.
    Histogram,
    /// Always 1, for the sake of its labels; its samples end in `_info`.
    Info,
}

impl Kind {
    fn suffix(self) -> &'static str {
        match self {
            Self::Counter => "_total",
            Self::Info => "_info",
            Self::Gauge | Self::Histogram => "",
        }
    }

    fn name(self, format: Format) -> &'static str {
        match (self, format) {
            (Self::Counter, _) => "counter",
            (Self::Histogram, _) => "histogram",
            (Self::Info, Format::OpenMetrics) => "info",
            (Self::Gauge, _) | (Self::Info, Format::Text) => "gauge",
        }
    }
}

/// A page of metrics without time stamps.
#[derive(Debug)]
pub struct Page {
    format: Format,
    text: String,
}

/// The samples of one family, to be written.
#[derive(Debug)]
pub struct Family<'a> {
    text: &'a mut String,
    name: &'a str,
    kind: Kind,
}

impl Page {
    /// With nothing on it.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            text: String::with_capacity(16 << 10),
        }
    }

    /// Begins a family. `name` is without `_total` or `_info`; `help` is one line without a backslash. The unit is what
    /// the name ends in.
    pub fn family<'a>(&'a mut self, name: &'a str, kind: Kind, help: &str) -> Family<'a> {
        let (text, word) = (&mut self.text, kind.name(self.format));
        // `OpenMetrics` names the family, the older format the samples.
        let suffix = match self.format {
            Format::Text => kind.suffix(),
            Format::OpenMetrics => "",
        };
        let _ = writeln!(text, "# HELP {name}{suffix} {help}");
        let _ = writeln!(text, "# TYPE {name}{suffix} {word}");
        let unit = ["seconds", "bytes"]
            .into_iter()
            .find(|unit| name.ends_with(unit));
        if let (Some(unit), Format::OpenMetrics) = (unit, self.format) {
            let _ = writeln!(text, "# UNIT {name} {unit}");
        }
        Family { text, name, kind }
    }

    /// The whole page.
    pub fn finish(mut self) -> String {
        match self.format {
            Format::Text => {}
            Format::OpenMetrics => self.text.push_str("# EOF\n"),
        }
        self.text
    }
}

impl Family<'_> {
    /// A sample with these labels, as [`labels`] gives them.
    pub fn sample(&mut self, labels: &str, value: f64) {
        self.line(self.kind.suffix(), labels, &number(value));
    }

    /// A sample that is a count.
    pub fn count(&mut self, labels: &str, count: u64) {
        self.line(self.kind.suffix(), labels, &count.to_string());
    }

    /// A histogram.
    pub fn histogram(&mut self, labels: &str, times: &Classic) {
        let comma = if labels.is_empty() { "" } else { "," };
        for (within, (bound, _)) in times.buckets.iter().zip(BOUNDS) {
            let labels = format!("{labels}{comma}le=\"{bound}\"");
            self.line("_bucket", &labels, &within.to_string());
        }
        let infinite = format!("{labels}{comma}le=\"+Inf\"");
        self.line("_bucket", &infinite, &times.count.to_string());
        self.line("_sum", labels, &number(times.sum));
        self.line("_count", labels, &times.count.to_string());
    }

    fn line(&mut self, suffix: &str, labels: &str, value: &str) {
        let (name, (open, close)) = (
            self.name,
            if labels.is_empty() {
                ("", "")
            } else {
                ("{", "}")
            },
        );
        let _ = writeln!(self.text, "{name}{suffix}{open}{labels}{close} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_exact_and_include_their_bound() {
        let mut hist = Hist::new();
        for value in [500, 501, 1_000, 2_600, 90_000_000, 600_000_000] {
            hist.record(value);
        }
        let mut times = Classic::default();
        times.add(&hist);
        times.add(&hist);
        assert_eq!(times.buckets[..4], [2, 6, 6, 8]);
        assert_eq!((times.buckets[16], times.count), (10, 12));
        assert!((times.sum - 2.0 * 690.004_6).abs() < 0.3, "{}", times.sum);
    }

    #[test]
    fn a_counter_is_named_by_its_samples_in_one_format_and_by_its_family_in_the_other() {
        let page = |format| {
            let mut page = Page::new(format);
            let label = labels(&[("a", "x\\y\"z\n")]);
            page.family("b_bytes", Kind::Counter, "Help.")
                .count(&label, 7);
            page.family("c", Kind::Info, "Help.").sample("", 1.0);
            page.finish()
        };
        assert_eq!(
            page(Format::Text),
            "# HELP b_bytes_total Help.\n# TYPE b_bytes_total counter\nb_bytes_total{a=\"x\\\\y\\\"z\\n\"} 7\n\
             # HELP c_info Help.\n# TYPE c_info gauge\nc_info 1\n"
        );
        assert_eq!(
            page(Format::OpenMetrics),
            "# HELP b_bytes Help.\n# TYPE b_bytes counter\n# UNIT b_bytes bytes\nb_bytes_total{a=\"x\\\\y\\\"z\\n\"} 7\n\
             # HELP c Help.\n# TYPE c info\nc_info 1\n# EOF\n"
        );
    }
}
