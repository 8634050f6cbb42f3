//! What a profile says, as plain data.
//!
//! Every struct mirrors one TOML table of the profile; the field names are the TOML keys. The reader in
//! `read` fills them and reports every mistake it meets; nothing here does I/O.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::expect::Expectation;
use super::secret::{Redactor, Secrets, Text};
use super::units::{Factor, Rate, Ratio};

/// A whole profile: what one window does, and what is expected of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// `[window]`: what holds for the window as a whole.
    pub window: Window,
    /// `[[scenario]]`: the streams of work, in the order of the file.
    pub scenarios: Vec<Scenario>,
    /// `[[journey]]`: what one arrival or user does. A scenario's shorthand (`get = "/"`) has become a journey
    /// with one step, named after the scenario.
    pub journeys: Vec<Journey>,
    /// `[[data]]`: rows that journeys draw from.
    pub data: Vec<DataFeed>,
    /// `[[target]]`: Prometheus endpoints and servers.
    pub targets: Vec<Target>,
    /// `[[gauge]]`: named numbers drawn from the targets.
    pub gauges: Vec<Gauge>,
    /// `[[fault]]`: what can be broken, and the way back.
    pub faults: Vec<Fault>,
    /// `[[phase]]`: stretches of the window. Never empty: a profile without phases has one, named `main`,
    /// that lasts `[window] duration`. A `climb` has become one phase a step.
    pub phases: Vec<Phase>,
    /// `[[gate]]`: what the verdict counts; the phases' own `expect` lines have become gates as well.
    pub gates: Vec<Gate>,
    /// `[notify]`: who is told.
    pub notify: Notify,
    /// The text of the profile as written, before interpolation, so that no secret can be in it.
    pub source: String,
    /// The profile's path, or the name of a shipped one.
    pub path: PathBuf,
    /// Names and values that `${…}` took from the environment or `-e`; secrets are not among them.
    pub variables: BTreeMap<String, String>,
    /// The secrets that `${secret:…}` took. Printing shows their names only.
    pub secrets: Secrets,
    /// The factor on every duration of the schedule (`--time-scale`); 1 unless a rehearsal asked for less.
    pub time_scale: f64,
}

impl Profile {
    /// Blots this profile's secrets out of what comes back from outside. Build it once: that costs, using it hardly.
    pub fn redactor(&self) -> Redactor {
        Redactor::new(&self.secrets)
    }
}

/// `[window]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// What this window is called on the screen and in the report; the name of the file unless said otherwise.
    pub name: String,
    /// One line on what it is for.
    pub about: String,
    /// Hosts that load and faults may touch besides loopback: names, `*.suffix`, addresses or CIDR blocks.
    pub allow_hosts: Vec<String>,
    /// The seed of every random choice; the same seed gives the same data and arrival times.
    /// 42 unless said otherwise.
    pub seed: u64,
    /// A link to the runbook.
    pub runbook: Option<String>,
    /// Where this runs: `staging`, `production`.
    pub environment: Option<String>,
    /// What the author expects to measure (`"pay p99" = "80ms"`), reported beside what was measured.
    pub predicted: BTreeMap<String, String>,
    /// How long a window without `[[phase]]` lasts. May be left out when every scenario has `iterations`: the window
    /// then ends with its work, after 10 minutes at most.
    pub duration: Option<Duration>,
    /// The recording interval: 1 s unless said otherwise.
    pub tick: Duration,
    /// How long requests in flight may take to finish once the window is over: 10 s unless said otherwise.
    pub drain: Duration,
    /// Address on which the engine serves its own metrics.
    pub metrics: Option<String>,
    /// The load factor that the spike key applies: 10x unless said otherwise.
    pub spike: Factor,
}

/// `[[scenario]]`: a stream of work put on a target.
#[derive(Debug, Clone, PartialEq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a key of its own in the profile"
)]
pub struct Scenario {
    /// Unique among scenarios.
    pub name: String,
    /// The key that, after `s`, starts and stops it.
    pub key: Option<char>,
    /// The base URL: `http://`, `https://`, `unix:/path/to.sock` or `embedded://shop` (the demo service, started
    /// for the window). Steps that name a path go here.
    pub target: Text,
    /// Open or closed, and how much at 1x.
    pub model: Model,
    /// Whether the phases' load factor applies (`scale = false` keeps a background scenario at 1x).
    pub scale: bool,
    /// The limit on one request, from when it is sent to its last byte: 30 s unless said otherwise.
    pub timeout: Duration,
    /// The limit on name lookup, connecting and the TLS handshake together: 5 s unless said otherwise.
    pub connect_timeout: Duration,
    /// Journeys and their weights. Never empty.
    pub journeys: Vec<JourneyShare>,
    /// HTTP version to speak.
    pub http: HttpVersion,
    /// Who owns connections.
    pub connections: Connections,
    /// TLS options.
    pub tls: Tls,
    /// Headers sent with every request of this scenario.
    pub headers: Vec<(String, Text)>,
    /// Whether each request carries a W3C `traceparent`.
    pub trace: bool,
    /// Whether each user keeps cookies (default true in the closed model, false in the open one).
    pub cookies: bool,
    /// Largest response body that is read, in bytes; a larger one is an error of kind `protocol`.
    /// 10 MiB unless said otherwise.
    pub max_body: u64,
    /// When false, the scenario waits to be started by hand.
    pub start: bool,
}

/// How work arrives.
#[derive(Debug, Clone, PartialEq)]
pub enum Model {
    /// Arrivals at a rate, whatever the answers do.
    Open {
        /// Arrivals a second at 1x; each runs one journey.
        rate: Rate,
        /// Spacing of the arrivals.
        arrivals: Arrivals,
        /// Arrivals past this many journeys in flight are dropped and counted: 10,000 unless said
        /// otherwise.
        max_in_flight: u32,
    },
    /// Users that each wait for their answer before going on.
    Closed {
        /// Users at 1x.
        users: u32,
        /// Stop after this many journeys in all; `None` goes on to the end of the window.
        iterations: Option<u64>,
        /// Pause between two journeys of one user.
        think: ThinkTime,
    },
}

/// Spacing of open arrivals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Arrivals {
    /// Equal distances.
    #[default]
    Even,
    /// A Poisson process: exponential distances.
    Poisson,
}

/// HTTP version of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HttpVersion {
    /// HTTP/1.1 on plain TCP; on TLS whatever ALPN agrees on.
    #[default]
    Auto,
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 only, with prior knowledge on plain TCP.
    Http2,
}

/// Who owns a scenario's connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Connections {
    /// Closed model: one a user. Open model: as many as journeys in flight, kept alive and reused.
    #[default]
    PerUser,
    /// A pool of this many, shared by all users and workers.
    Shared(u32),
}

/// TLS options of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// PEM file of certificate authorities to trust in place of the built-in roots.
    pub ca: Option<PathBuf>,
    /// PEM file of the client certificate chain.
    pub cert: Option<PathBuf>,
    /// PEM file of the client key.
    pub key: Option<PathBuf>,
    /// Accept any certificate. Said loudly wherever the window is shown.
    pub insecure: bool,
    /// Name to ask for and verify in place of the URL's host.
    pub server_name: Option<String>,
}

/// A journey's share of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JourneyShare {
    /// Index into [`Profile::journeys`].
    pub journey: usize,
    /// Relative weight, at least 1.
    pub weight: u32,
}

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
    /// Index into [`Profile::targets`]; all targets if `None`.
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

/// A comparison with a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// Which way.
    pub cmp: super::expect::Cmp,
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

/// `[[fault]]`: something broken on purpose.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// Unique among faults.
    pub name: String,
    /// The key that, after `f`, toggles it.
    pub key: Option<char>,
    /// How it is done and undone.
    pub driver: FaultDriver,
    /// It is cleared by itself after this long: 5 minutes unless said otherwise.
    pub max: Duration,
    /// The recovery budget.
    pub recover_within: Option<Duration>,
    /// The alert that should fire.
    pub detect: Option<String>,
}

/// How a fault is done and undone.
#[derive(Debug, Clone, PartialEq)]
pub enum FaultDriver {
    /// The built-in TCP proxy.
    Proxy {
        /// Address it listens on.
        listen: String,
        /// Address it forwards to.
        upstream: String,
        /// What it does to connections while the fault is on.
        toxics: Vec<Toxic>,
    },
    /// Programs that do it and undo it, as argument lists.
    Exec {
        /// Breaks it.
        inject: Vec<Text>,
        /// Brings it back.
        revert: Vec<Text>,
        /// Exits 0 when it is back.
        check: Vec<Text>,
    },
}

/// What the proxy does to a connection.
#[derive(Debug, Clone, PartialEq)]
pub struct Toxic {
    /// The kind and its attributes.
    pub kind: ToxicKind,
    /// Share of connections hit.
    pub toxicity: Ratio,
    /// True for client to server, false (the default) for server to client.
    pub upstream: bool,
}

/// Kinds of toxic, with the attributes that Toxiproxy gives them.
#[derive(Debug, Clone, PartialEq)]
pub enum ToxicKind {
    /// Delay, give or take `jitter`.
    Latency {
        /// Added delay.
        latency: Duration,
        /// Uniform spread around it.
        jitter: Duration,
    },
    /// At most this many bytes a second.
    Bandwidth {
        /// Bytes a second.
        rate: u64,
    },
    /// Delay closing.
    SlowClose {
        /// Delay of the FIN.
        delay: Duration,
    },
    /// Swallow everything, close after a time (0 = never).
    Timeout {
        /// Time until the close.
        timeout: Duration,
    },
    /// RST after a time.
    ResetPeer {
        /// Time until the reset.
        timeout: Duration,
    },
    /// Cut the stream in small pieces.
    Slicer {
        /// Average bytes a piece.
        average_size: u64,
        /// Spread around it.
        size_variation: u64,
        /// Delay between pieces.
        delay: Duration,
    },
    /// Close after this many bytes.
    LimitData {
        /// Bytes.
        bytes: u64,
    },
}

/// `[[phase]]`: a stretch of the window.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// Unique among phases.
    pub name: String,
    /// How long it lasts, its ramp included.
    pub length: Duration,
    /// Load factor that its ramp ends at and the rest holds.
    pub load: Factor,
    /// Time in which the load goes in a straight line from the previous phase's factor to this one's.
    pub ramp: Duration,
    /// Faults of this phase.
    pub faults: Vec<PhaseFault>,
    /// The `climb` that this phase is a step of, by name; `None` for an ordinary phase.
    pub climb: Option<String>,
}

/// A fault at its time in a phase.
#[derive(Debug, Clone, PartialEq)]
pub struct PhaseFault {
    /// Index into [`Profile::faults`].
    pub fault: usize,
    /// From the start of the phase.
    pub after: Duration,
    /// How long it stays; until the phase ends if `None`.
    pub length: Option<Duration>,
}

/// `[[gate]]`: an expectation that the verdict counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// Unique among gates.
    pub name: String,
    /// What it is about.
    pub of: Scope,
    /// What must hold.
    pub expect: Expectation,
    /// Indexes into [`Profile::phases`]; all phases when empty.
    pub during: Vec<usize>,
    /// What a failure means.
    pub severity: Severity,
    /// End the window when the gate has failed this long, judged over the last `over`.
    pub abort_after: Option<Duration>,
    /// The sliding span over which the live state is judged: 10 s unless said otherwise.
    pub over: Duration,
}

/// What a gate looks at, by name as recorded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Scope {
    /// Everything.
    #[default]
    All,
    /// One scenario.
    Scenario(String),
    /// One journey, in whichever scenario.
    Journey(String),
    /// One step; `journey/step` when the bare name is not unique.
    Step {
        /// The journey, when it was named.
        journey: Option<String>,
        /// The step.
        step: String,
    },
}

impl std::fmt::Display for Scope {
    /// As a gate's `of` names it; nothing for everything.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => Ok(()),
            Self::Scenario(name) | Self::Journey(name) => f.write_str(name),
            Self::Step { journey, step } => match journey {
                Some(journey) => write!(f, "{journey}/{step}"),
                None => f.write_str(step),
            },
        }
    }
}

/// What a failed gate means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Severity {
    /// No-go.
    #[default]
    Blocker,
    /// A condition on a go.
    Advisory,
}

/// `[notify]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Notify {
    /// URL that gets a JSON message at the start, at breaches and at the end.
    pub webhook: Option<Text>,
}
