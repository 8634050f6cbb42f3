//! What can go wrong with a scrape, in sentences for the person who asked for it. None quotes what was sent.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::StatusCode;

use crate::profile::units::{format_bytes, format_duration};
use crate::tls::TlsError;

/// Why an endpoint cannot be asked at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// The URL is none.
    #[error("{url} is no address of a target: {why}")]
    Url {
        /// As it may be shown.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// A header's name or value is none.
    #[error(
        "the header `{0}` cannot be sent: its name or value has a character that is not allowed there"
    )]
    Header(String),
    /// More than one of `bearer`, `bearer_file`, `basic`.
    #[error("choose one of a bearer token, a file with one, and a user with a password")]
    TwoWays,
    /// A name that cannot be a host's.
    #[error("`{0}` is no name of a server")]
    ServerName(String),
    /// Certificates or keys.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Something that is not foreseen.
    #[error("no HTTP client can be made: {0}")]
    Client(String),
}

/// Why a scrape brought no body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Nothing accepts connections.
    #[error("nothing listens at {0}")]
    Refused(String),
    /// A name without an address.
    #[error("the name of {0} cannot be resolved")]
    Name(String),
    /// The certificate or handshake.
    #[error("no TLS connection to {place}: {why}")]
    Tls {
        /// Where.
        place: String,
        /// What TLS says.
        why: String,
    },
    /// Something else before there was an answer.
    #[error("no answer from {place}: {why}")]
    Unanswered {
        /// Where.
        place: String,
        /// What the network says.
        why: String,
    },
    /// The time is over.
    #[error("{}", late(*.limit, *.got))]
    Timeout {
        /// The limit.
        limit: Duration,
        /// Bytes of the body that had come by then.
        got: usize,
    },
    /// A status that is not 200.
    #[error("{}", refused(*.0))]
    Status(u16),
    /// A redirect that is not followed.
    #[error("{}", elsewhere(*.status, .to.as_deref(), *.followed))]
    Redirect {
        /// The status.
        status: u16,
        /// Where it points to, if that may be shown.
        to: Option<String>,
        /// Whether redirects are followed within the host.
        followed: bool,
    },
    /// The body is too large.
    #[error("the body is larger than {}, the most that is read", format_bytes(*.max as u64))]
    TooLarge {
        /// The limit in bytes.
        max: usize,
    },
    /// The connection ended before the body did.
    #[error("the body is cut off after {}", format_bytes(*.got as u64))]
    Cut {
        /// Bytes that had come.
        got: usize,
    },
    /// Compression that was not asked for.
    #[error("the body is compressed as `{0}`, which was not asked for")]
    Encoding(String),
    /// Compressed data that is none.
    #[error("the gzip data of the body is broken or cut off")]
    Gzip,
    /// The token's file.
    #[error("the bearer token cannot be read from {}: {why}", path.display())]
    BearerFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
}

impl FetchError {
    /// From an error of the HTTP client, without its URL.
    pub(super) fn unanswered(error: &reqwest::Error, place: String) -> Self {
        let mut causes = std::iter::successors(error.source(), |&error| error.source());
        let found = causes.find_map(|cause| {
            let io = cause.downcast_ref::<io::Error>();
            let tls = cause.downcast_ref::<rustls::Error>();
            let tls = tls.or_else(|| io.and_then(hidden));
            match (tls, io.map(io::Error::kind)) {
                (Some(tls), _) => Some(Self::Tls {
                    place: place.clone(),
                    why: tls.to_string(),
                }),
                (None, Some(io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)) => {
                    Some(Self::Refused(place.clone()))
                }
                (None, _) => None,
            }
        });
        match found {
            Some(found) => found,
            None if error.is_dns() => Self::Name(place),
            None => Self::Unanswered {
                place,
                why: root(error).to_string(),
            },
        }
    }
}

/// The TLS error within an `io::Error`, which gives what it holds itself for no source of its own.
fn hidden(error: &io::Error) -> Option<&rustls::Error> {
    let inner = error.get_ref()?;
    let deeper = inner.downcast_ref::<io::Error>().and_then(hidden);
    inner.downcast_ref::<rustls::Error>().or(deeper)
}

/// What is at the bottom of an error.
pub(super) fn root<'e>(error: &'e (dyn Error + 'static)) -> &'e (dyn Error + 'static) {
    let last = std::iter::successors(Some(error), |&error| error.source()).last();
    last.unwrap_or(error)
}

/// Foreign text, short and on one line.
pub(super) fn shown(text: &[u8]) -> String {
    const SHOWN: usize = 200;
    let text = String::from_utf8_lossy(text);
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn late(limit: Duration, got: usize) -> String {
    let limit = format_duration(limit);
    match got {
        0 => format!("no answer within {limit}"),
        got => format!(
            "the body was not complete within {limit}: {} had come",
            format_bytes(got as u64)
        ),
    }
}

fn refused(status: u16) -> String {
    let reason = StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason());
    let hint = match status {
        401 => ": it asks for a bearer token, or a user and a password",
        403 => ": it knows who asks, and does not allow it",
        404 => ": is the path right?",
        _ => "",
    };
    match reason {
        Some(reason) => format!("the target answered {status} {reason}{hint}"),
        None => format!("the target answered {status}{hint}"),
    }
}

fn elsewhere(status: u16, to: Option<&str>, followed: bool) -> String {
    let to = to.map(|to| format!(" to {to}")).unwrap_or_default();
    let why = if followed {
        "only redirects within the same host are followed, and ten of them at most"
    } else {
        "redirects are not followed"
    };
    format!("the target redirects{to} ({status}): {why}")
}
