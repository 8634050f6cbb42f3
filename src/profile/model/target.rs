//! What is watched.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::Tls;
use crate::profile::expect::Cmp;
use crate::profile::secret::Text;
use crate::profile::units::format_bytes;

/// `[[target]]`: what is scraped or queried.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Unique among targets.
    pub name: String,
    /// A metrics endpoint or many, or a server that watches others.
    pub source: TargetSource,
    /// A Unix socket through which its URL is reached.
    pub unix: Option<PathBuf>,
    /// Scrape interval: 5 s unless said otherwise.
    pub every: Duration,
    /// Limit on one scrape: 5 s unless said otherwise.
    pub timeout: Duration,
    /// Extra request headers.
    pub headers: Vec<(String, Text)>,
    /// Bearer token.
    pub bearer: Option<Text>,
    /// A file that holds the bearer token; read again when it changes.
    pub bearer_file: Option<PathBuf>,
    /// User and password.
    pub basic: Option<(String, Text)>,
    /// TLS options.
    pub tls: Tls,
    /// Follow redirects: no, unless said otherwise.
    pub redirects: bool,
    /// Limit on the body of a scrape, decompressed, bytes: 10 MB unless said otherwise.
    pub max_size: u64,
    /// What to keep: regular expressions of metric names, or selectors (`{code=~"5.."}`). Empty keeps all.
    pub keep: Vec<String>,
    /// What to drop, likewise.
    pub drop: Vec<String>,
    /// Selectors of series to record beside those that the gauges need.
    pub record: Vec<String>,
    /// Show the shipped gauges of the exporters that are recognized.
    pub auto: bool,
    /// Labels added to every series.
    pub labels: BTreeMap<String, String>,
}

/// Where a target's numbers come from.
#[derive(Debug, Clone, PartialEq)]
pub enum TargetSource {
    /// `url`: an exposition endpoint.
    Scrape(Text),
    /// `static` and `file_sd`: many endpoints.
    Many(Many),
    /// `prometheus`: a server that evaluates the gauges itself, and has alerts.
    Prometheus(Text),
    /// `alertmanager`: a server that has alerts.
    Alertmanager(Text),
}

impl TargetSource {
    /// Its URL, where it has one.
    pub fn url(&self) -> Option<&Text> {
        match self {
            Self::Scrape(url) | Self::Prometheus(url) | Self::Alertmanager(url) => Some(url),
            Self::Many(_) => None,
        }
    }

    /// Likewise, to be changed.
    pub fn url_mut(&mut self) -> Option<&mut Text> {
        match self {
            Self::Scrape(url) | Self::Prometheus(url) | Self::Alertmanager(url) => Some(url),
            Self::Many(_) => None,
        }
    }
}

/// Whether an entry of `keep` or `drop` is a selector, not a regular expression of names: only selectors hold quotes.
pub fn is_selector(entry: &str) -> bool {
    entry.contains('{') && entry.contains(['"', '\'', '`'])
}

/// Many endpoints in one target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Many {
    /// `static`: host and port of each.
    pub hosts: Vec<String>,
    /// `file_sd`: files in the form of Prometheus' `file_sd_configs`, read again when they change. The last part of a
    /// path may hold one `*`.
    pub files: Vec<PathBuf>,
    /// `http` unless said otherwise.
    pub scheme: String,
    /// `/metrics` unless said otherwise.
    pub path: String,
}

/// `[[gauge]]`: a named number.
#[derive(Debug, Clone, PartialEq)]
pub struct Gauge {
    /// Unique among gauges.
    pub name: String,
    /// Index into [`Profile::targets`](super::Profile::targets); all targets if `None`.
    pub of: Option<usize>,
    /// A `PromQL` expression.
    pub expr: String,
    /// How values are shown.
    pub unit: GaugeUnit,
    /// Level that is worth a look: comparison and value in the gauge's unit.
    pub warn: Option<Level>,
    /// Level that is bad.
    pub crit: Option<Level>,
    /// Bound on growth an hour.
    pub drift: Option<Level>,
}

/// A set of gauges for everything that a kind of exporter watches: a file of its own. Where the matchers of one target
/// go, its expressions say `$target`.
#[derive(Debug, Clone, PartialEq)]
pub struct GaugeSet {
    /// Unique among sets; a person's own takes the place of a shipped one.
    pub name: String,
    /// One line on what it shows.
    pub about: String,
    /// It fits a target that has all of these metrics. Never empty.
    pub when: Vec<String>,
    /// And none of these.
    pub unless: Vec<String>,
    /// Its gauges, none of which names a target.
    pub gauges: Vec<Gauge>,
}

/// A comparison with a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// Which way.
    pub cmp: Cmp,
    /// Value in base units (bytes, seconds, a ratio, a count); for a drift, a change per hour.
    pub value: f64,
}

impl Level {
    /// As a profile writes it: `> 400MiB`.
    pub fn text(self, unit: GaugeUnit) -> String {
        let value = match unit {
            GaugeUnit::Bytes => format_bytes(self.value as u64),
            GaugeUnit::Seconds => format!("{}s", self.value),
            // Eight digits are more than anyone writes, and fewer than a float has too many.
            GaugeUnit::Ratio => format!("{}%", (self.value * 1e8).round() / 1e6),
            GaugeUnit::PerSecond => format!("{}/s", self.value),
            GaugeUnit::Count => format!("{}", self.value),
        };
        format!("{} {value}", self.cmp)
    }
}

impl GaugeUnit {
    /// By the name of a metric, which has its unit at its end or in front of `_total`
    /// (<https://prometheus.io/docs/practices/naming/>). A moment counts in seconds and is no length of time.
    pub fn of_metric(name: &str) -> Self {
        let name = name.strip_suffix("_total").unwrap_or(name);
        let moment = name.ends_with("_time_seconds") || name.ends_with("_timestamp_seconds");
        match name.rsplit('_').next() {
            Some("bytes") => Self::Bytes,
            Some("seconds") if !moment => Self::Seconds,
            Some("ratio") => Self::Ratio,
            Some(_) | None => Self::Count,
        }
    }

    /// The words of the session: `per second`, and nothing for a plain number.
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "",
            Self::Bytes => "bytes",
            Self::Seconds => "seconds",
            Self::Ratio => "ratio",
            Self::PerSecond => "per second",
        }
    }
}

/// Unit of a gauge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GaugeUnit {
    /// A plain number.
    #[default]
    Count,
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
    /// A ratio, shown in per cent.
    Ratio,
    /// Something a second.
    PerSecond,
}
