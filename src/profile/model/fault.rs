//! What is broken on purpose.

use std::time::Duration;

use crate::profile::secret::Text;
use crate::profile::units::Ratio;

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
