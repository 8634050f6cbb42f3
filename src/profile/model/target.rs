//! What is watched.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Tls;
use crate::profile::expect::Cmp;
use crate::profile::secret::Text;

/// `[[target]]`: what is scraped or queried.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Unique among targets.
    pub name: String,
    /// A metrics endpoint, or a Prometheus server.
    pub source: TargetSource,
    /// Scrape interval: 5 s unless said otherwise.
    pub every: Duration,
    /// Limit on one scrape: 5 s unless said otherwise.
    pub timeout: Duration,
    /// Extra request headers.
    pub headers: Vec<(String, Text)>,
    /// Bearer token.
    pub bearer: Option<Text>,
    /// User and password.
    pub basic: Option<(String, Text)>,
    /// TLS options.
    pub tls: Tls,
    /// Regular expressions of metric names to keep; empty keeps all.
    pub keep: Vec<String>,
    /// Regular expressions of metric names to drop.
    pub drop: Vec<String>,
    /// Labels added to every series.
    pub labels: BTreeMap<String, String>,
}

/// Where a target's numbers come from.
#[derive(Debug, Clone, PartialEq)]
pub enum TargetSource {
    /// `url`: an exposition endpoint.
    Scrape(Text),
    /// `prometheus`: a server that evaluates the gauges itself.
    Prometheus(Text),
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
