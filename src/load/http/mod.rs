//! HTTP/1.1 and HTTP/2 over TCP, unix sockets and TLS, on hyper's connection API.
//!
//! A scenario's [`TransportPlan`] is compiled once and shared; each worker thread makes one [`Transport`] of it, and
//! each user or arrival one [`Lane`] of that. In flow requests with their [`Limits`], out flows one [`Exchange`] for
//! each: the answer or a [`Failure`] with its kind, and when everything happened.
//!
//! ```text
//!   target   URLs into places          plan      what workers share       transport  a worker's origins
//!   guard    where load may go         tls       certificates             origin     idle connections, waiting in line
//!   names    lookup, cached            dial      a new connection         http1      one connection, driven by its lane
//!   wire     bytes, counted            answer    body, bounded            http2      few connections, many lanes
//!   failure  errors into kinds         lane      finding a connection, sending, sending again
//! ```
//!
//! The invariant: what is counted is what happened. No request that a server may have seen is sent twice, redirects
//! are not followed, bodies are not decoded, and every failure has a kind.

mod answer;
mod dial;
mod failure;
mod guard;
mod http1;
mod http2;
mod lane;
mod names;
mod origin;
mod plan;
mod target;
mod transport;
mod wire;

#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use hyper::{HeaderMap, StatusCode};

pub use guard::HostGuard;
pub use lane::Lane;
pub use plan::TransportPlan;
pub use transport::Transport;

use super::clock::Nanos;
use crate::session::record::ErrorKind;

/// What can be said wrong about a scenario's transport before the start (bad URL, unreadable CA, ...).
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TransportError(pub String);

/// Bounds of one request.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From sent to the last byte.
    pub timeout: Duration,
    /// Lookup + connect + TLS.
    pub connect_timeout: Duration,
    /// Keep at most this many bytes of the body in `Response::body` (0: count only). On any status >= 400 or failure up to 2,048 bytes are kept whatever this says.
    pub keep: u64,
    /// A body larger than this is an error of kind Protocol.
    pub max_body: u64,
}

/// One request and what came of it.
#[derive(Debug)]
pub struct Exchange {
    /// The answer, or why there is none.
    pub result: Result<Response, Failure>,
    /// When it was sent; `None` if it never was.
    pub sent: Option<Nanos>,
    /// When its last byte came, or it failed.
    pub done: Nanos,
    /// Time to get a pooled connection.
    pub queued: Nanos,
    /// Lookup and connect; 0 on a reused connection.
    pub connect: Nanos,
    /// TLS handshake; 0 likewise.
    pub tls: Nanos,
    /// From sent to the answer's head; 0 if none came.
    pub first_byte: Nanos,
    /// Bytes received, head included (estimated from the parsed head).
    pub bytes_in: u64,
    /// Bytes sent, head included.
    pub bytes_out: u64,
}

/// A whole answer.
#[derive(Debug)]
pub struct Response {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// What was kept of the body.
    pub body: Bytes,
    /// Its whole length.
    pub length: u64,
}

/// Why there is no (right) answer.
#[derive(Debug)]
pub struct Failure {
    /// The kind.
    pub kind: ErrorKind,
    /// A sentence: what failed and where.
    pub detail: String,
    /// Status, when a head came.
    pub status: Option<StatusCode>,
    /// What came of the body, at most 2,048 bytes.
    pub body: Bytes,
}
