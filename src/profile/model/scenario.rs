//! What load is put on what.

use std::path::PathBuf;
use std::time::Duration;

use super::ThinkTime;
use crate::profile::secret::Text;
use crate::profile::units::Rate;

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
    /// Index into [`Profile::journeys`](super::Profile::journeys).
    pub journey: usize,
    /// Relative weight, at least 1.
    pub weight: u32,
}
