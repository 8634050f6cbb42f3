//! What a user does, step by step, and with which data.

use std::path::PathBuf;
use std::time::Duration;

use crate::profile::secret::Text;

/// `[[journey]]`: what one arrival or user does.
#[derive(Debug, Clone, PartialEq)]
pub struct Journey {
    /// Unique among journeys.
    pub name: String,
    /// Pause between steps, unless a step has its own.
    pub think: ThinkTime,
    /// The requests, in order. Never empty.
    pub steps: Vec<Step>,
}

/// A pause.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum ThinkTime {
    /// No pause.
    #[default]
    None,
    /// Always the same: `"1s"`.
    Fixed(Duration),
    /// Uniform between two bounds: `"1s..3s"`.
    Range(Duration, Duration),
    /// Exponential with this mean: `"exp 2s"`.
    Exponential(Duration),
}

/// One request of a journey.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Unique within its journey.
    pub name: String,
    /// HTTP method, upper case.
    pub method: String,
    /// A path, or an absolute URL. May hold `{{ … }}`.
    pub url: Text,
    /// Headers; values may hold `{{ … }}`.
    pub headers: Vec<(String, Text)>,
    /// What is sent.
    pub body: Body,
    /// Values kept for later steps: name and where from.
    pub save: Vec<(String, Save)>,
    /// What the answer must be.
    pub expect: Expect,
    /// When true, a failure does not end the journey.
    pub optional: bool,
    /// Pause after this step in place of the journey's.
    pub think: Option<ThinkTime>,
    /// Limit in place of the scenario's.
    pub timeout: Option<Duration>,
    /// Index into [`Profile::ledgers`](super::Profile::ledgers): it is a write, whose number its templates see as
    /// `ledger`.
    pub ledger: Option<usize>,
}

/// A request body.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Body {
    /// Nothing.
    #[default]
    None,
    /// Text as it stands: `body = "…"`.
    Text(Text),
    /// `json = …`: compact JSON; strings inside may hold `{{ … }}`. Sets `content-type: application/json`.
    Json(Text),
    /// `form = { … }`: URL-encoded pairs. Sets `content-type: application/x-www-form-urlencoded`.
    Form(Vec<(String, Text)>),
    /// `file = "…"`: the bytes of a file, sent as they are.
    File(PathBuf),
}

/// Where a saved value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Save {
    /// `json:$.token`: the first match of a JSON path (RFC 9535).
    Json(String),
    /// `header:location`.
    Header(String),
    /// `regex:id=(\d+)`: the first group, or the whole match without one, in the body.
    Regex(String),
    /// `cookie:session`: the value that this answer sets.
    Cookie(String),
}

/// What a step's answer must be. Without `status`, anything below 400 is right.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expect {
    /// Accepted status codes; empty accepts everything below 400.
    pub status: Vec<u16>,
    /// Headers and the text their value must contain.
    pub headers: Vec<(String, String)>,
    /// JSON paths and the value each must have; `None` means it must exist.
    pub json: Vec<(String, Option<serde_json::Value>)>,
    /// Text that the body must contain.
    pub body_contains: Option<String>,
    /// Regular expression that the body must match.
    pub body_matches: Option<String>,
    /// Smallest body, bytes.
    pub min_size: Option<u64>,
    /// Largest body, bytes.
    pub max_size: Option<u64>,
    /// Longest service time.
    pub within: Option<Duration>,
}

/// `[[data]]`: rows for templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFeed {
    /// The name under which templates see the current row.
    pub name: String,
    /// The file, relative paths already resolved against the profile.
    pub file: PathBuf,
    /// CSV with a header, or JSON lines.
    pub format: DataFormat,
    /// How rows are handed out.
    pub pick: Pick,
}

/// Format of a data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataFormat {
    /// Comma separated, first line names the columns.
    Csv,
    /// One JSON object a line.
    JsonLines,
}

/// How rows are handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pick {
    /// In order, from the start again after the last.
    #[default]
    Cycle,
    /// Any row, with the window's seed.
    Random,
    /// A row belongs to one user (or one open arrival) at a time.
    Unique,
}
