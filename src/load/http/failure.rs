//! Names for what went wrong: errors of the operating system, TLS, hyper and h2 in, a [`Failure`] with a kind and a
//! sentence out. Only failures come here, so it may format. The invariant: every error gets a kind; what no rule
//! knows is `protocol` on a connection and `connect` before there is one.

use std::error::Error;
use std::fmt::Display;
use std::io;
use std::time::Duration;

use bytes::Bytes;

use super::Failure;
use crate::session::record::ErrorKind;

impl Failure {
    /// A failure before any head came.
    pub(super) fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            status: None,
            body: Bytes::new(),
        }
    }

    /// The same failure for another request that waited for the same thing.
    pub(super) fn shared(&self) -> Self {
        Self::new(self.kind, self.detail.clone())
    }
}

/// Connecting failed.
pub(super) fn connecting(place: &dyn Display, error: &io::Error) -> Failure {
    let (kind, what) = match error.kind() {
        io::ErrorKind::ConnectionRefused => (ErrorKind::Refused, "refused the connection"),
        io::ErrorKind::TimedOut => (ErrorKind::ConnectTimeout, "did not answer the connection"),
        _ => (ErrorKind::Connect, "could not be connected to"),
    };
    Failure::new(kind, format!("{place} {what}: {error}"))
}

/// The TLS handshake failed.
pub(super) fn handshaking(place: &dyn Display, error: &io::Error) -> Failure {
    let reason = if error.kind() == io::ErrorKind::UnexpectedEof {
        "the server closed the connection".to_owned()
    } else {
        error.to_string()
    };
    Failure::new(
        ErrorKind::Tls,
        format!("the TLS handshake with {place} failed: {reason}"),
    )
}

/// No whole answer came in time.
pub(super) fn timed_out(place: &dyn Display, timeout: Duration, head: bool) -> Failure {
    let what = if head {
        "did not finish its answer"
    } else {
        "did not answer"
    };
    Failure::new(
        ErrorKind::Timeout,
        format!("{place} {what} within {timeout:?}"),
    )
}

/// The exchange failed on an established connection.
pub(super) fn exchanging(place: &dyn Display, error: &hyper::Error) -> Failure {
    let kind = kind_of(error);
    let what = match kind {
        ErrorKind::Reset => "reset the connection",
        ErrorKind::ClosedEarly => "closed the connection before the answer was whole",
        ErrorKind::Timeout => "stopped answering",
        ErrorKind::Tls => "broke off TLS",
        _ => "sent what is not a valid HTTP answer",
    };
    Failure::new(kind, format!("{place} {what}: {}", root(error)))
}

/// The innermost message says the most.
fn root(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    text
}

fn kind_of(error: &hyper::Error) -> ErrorKind {
    if error.is_parse() {
        return ErrorKind::Protocol;
    }
    let mut source: Option<&(dyn Error + 'static)> = error.source();
    while let Some(inner) = source {
        if let Some(kind) = kind_of_source(inner) {
            return kind;
        }
        source = inner.source();
    }
    if error.is_timeout() {
        ErrorKind::Timeout
    } else if error.is_incomplete_message()
        || error.is_closed()
        || error.is_canceled()
        || error.is_body_write_aborted()
    {
        ErrorKind::ClosedEarly
    } else {
        ErrorKind::Protocol
    }
}

fn kind_of_source(error: &(dyn Error + 'static)) -> Option<ErrorKind> {
    if error.is::<rustls::Error>() {
        return Some(ErrorKind::Tls);
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return kind_of_io(error);
    }
    let error = error.downcast_ref::<h2::Error>()?;
    if let Some(error) = error.get_io() {
        return kind_of_io(error).or(Some(ErrorKind::ClosedEarly));
    }
    Some(match error.reason() {
        Some(h2::Reason::NO_ERROR | h2::Reason::CANCEL | h2::Reason::REFUSED_STREAM) => {
            ErrorKind::ClosedEarly
        }
        Some(_) if error.is_remote() => ErrorKind::Reset,
        Some(_) | None => ErrorKind::Protocol,
    })
}

fn kind_of_io(error: &io::Error) -> Option<ErrorKind> {
    if error
        .get_ref()
        .is_some_and(<dyn Error + Send + Sync>::is::<rustls::Error>)
    {
        return Some(ErrorKind::Tls);
    }
    match error.kind() {
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => Some(ErrorKind::Reset),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::NotConnected => Some(ErrorKind::ClosedEarly),
        io::ErrorKind::TimedOut => Some(ErrorKind::Timeout),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Some(ErrorKind::Protocol),
        _ => None,
    }
}

/// Whether a connection at rest ended because the server sent bytes that belong to no answer. hyper has no predicate
/// for that error; it is the one without a cause that is none of the others.
pub(super) fn is_excess(error: &hyper::Error) -> bool {
    error.source().is_none()
        && !error.is_closed()
        && !error.is_canceled()
        && !error.is_incomplete_message()
        && !error.is_shutdown()
        && !error.is_timeout()
        && !error.is_user()
}
