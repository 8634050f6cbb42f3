//! What was scraped: the samples of the series that are kept, and what alert managers say.

use serde::{Deserialize, Serialize};

use super::Number;

/// One endpoint that is scraped. A target of the profile is one or several of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Instance {
    /// The target's name in the profile; the label `job` of its series.
    pub target: String,
    /// Host and port; the label `instance` of its series.
    pub instance: String,
}

/// The series by which a scrape tells of itself: whether it succeeded (1 or 0), how long it took, how many samples it
/// brought, as Prometheus names them; besides how many lines were bad, and how many intervals were left out so far because
/// a scrape had taken longer than one.
pub const OF_SCRAPES: [&str; 5] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_bad_lines",
    "scrape_intervals_missed_total",
];

/// A successful or failed scrape that ended in a tick. What it says of itself are series as well: [`OF_SCRAPES`].
///
/// A series has a sample in every scrape from the one that gave it a value up to the one that took it away: its value
/// is named only when it changed, and its time is `at` unless `stamped` says otherwise. That is how samples come back
/// to the digit.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ScrapeTick {
    /// Index into `names.instances`.
    pub of: usize,
    /// When it began, µs since the window began.
    pub at: u64,
    /// Series of it that changed: index and value; `null` for one that it does not have any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub series: Vec<(usize, Option<Number>)>,
    /// Samples with a time of their own: index, and ms since the Unix epoch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stamped: Vec<(usize, i64)>,
}

/// State of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// Its condition holds, but not for long enough.
    Pending,
    /// It fires.
    Firing,
    /// It fires, but someone silenced it.
    Silenced,
    /// It is gone.
    Resolved,
}

impl AlertState {
    /// The word used in the file, on the screen and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Silenced => "silenced",
            Self::Resolved => "resolved",
        }
    }
}

/// An alert as its source tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Its name: the label `alertname`.
    pub name: String,
    /// Its other labels, as Prometheus writes them: `{instance="a:9100",severity="page"}`. With the name and the
    /// source they say which alert it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub labels: String,
    /// The target that told it, by its name in the profile.
    pub from: String,
    /// Its new state.
    pub state: AlertState,
    /// When this state began by the clock of the source, µs since the Unix epoch; absent where the source does not say.
    /// The event's own time is when it was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
}
