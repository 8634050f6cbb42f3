//! Toxics on requests of plain HTTP/1.1: answered by the proxy itself, or held back.
//!
//! ```text
//!   client ─▶ requests ─▶ toxics on bytes ─▶ server
//!                │ answers of ours
//!   client ◀─────┴─ toxics on bytes ◀─ responses ◀─ server
//! ```
//!
//! Requests are followed all the time on a proxy that has such a toxic in any fault, so that switching one changes
//! nothing else. The invariant: bytes pass unchanged, but for requests that were answered here, which are swallowed
//! whole. What is not HTTP/1.1 passes untouched, from its first byte to the end of its connection.

mod body;
mod requests;
mod responses;

use std::rc::Rc;

use super::counts::Touch;
use super::stage::{Key, nanos};
use crate::profile::model::{Requests as Which, Toxic, ToxicKind};

pub(super) use requests::Requests;

/// Longest head of a message, bytes, and its most headers; what has more is not looked at.
const HEAD: usize = 64 << 10;
const HEADERS: usize = 128;

/// A toxic on requests that is on.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub key: Key,
    act: Act,
    which: Which,
    pub toxicity: f64,
    pub touch: Rc<Touch>,
    /// Whether the fault counts requests, not connections.
    counts_requests: bool,
}

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// It is answered with this status.
    Answer(u16),
    /// It is held for so many ns.
    Hold(u64),
}

impl Rule {
    /// Of a toxic, if it is one on requests.
    pub fn of(key: Key, toxic: &Toxic, touch: &Rc<Touch>, counts_requests: bool) -> Option<Self> {
        let (act, which) = match &toxic.kind {
            ToxicKind::HttpStatus { status, requests } => (Act::Answer(*status), requests),
            ToxicKind::HttpDelay { delay, requests } => (Act::Hold(nanos(*delay)), requests),
            ToxicKind::Latency { .. }
            | ToxicKind::Bandwidth { .. }
            | ToxicKind::SlowClose { .. }
            | ToxicKind::Timeout { .. }
            | ToxicKind::ResetPeer { .. }
            | ToxicKind::Slicer { .. }
            | ToxicKind::LimitData { .. }
            | ToxicKind::Down(_) => return None,
        };
        Some(Self {
            key,
            act,
            which: which.clone(),
            toxicity: toxic.toxicity.0,
            touch: Rc::clone(touch),
            counts_requests,
        })
    }

    /// Whether it is for such requests.
    fn is_for(&self, method: &str, target: &str) -> bool {
        let method_fits = self.which.method.as_deref().is_none_or(|m| m == method);
        let path_fits = self.which.path.as_deref().is_none_or(|pattern| {
            let query = pattern.contains('?');
            matches(pattern.as_bytes(), path(target, query).as_bytes())
        });
        method_fits && path_fits
    }
}

/// The path of a request's target: without scheme and host, and without the query unless that is asked for.
fn path(target: &str, query: bool) -> &str {
    let path = match target.split_once("://") {
        Some((_, rest)) if !target.starts_with('/') => {
            rest.find('/').map_or("/", |start| &rest[start..])
        }
        Some(_) | None => target,
    };
    match path.split_once('?') {
        Some((path, _)) if !query => path,
        Some(_) | None => path,
    }
}

/// Whether text is as the pattern says, in which `*` stands for anything.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on when what follows the last `*` does not fit: it took one byte too few.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(byte) if *byte == text[t] => (p, t) = (p + 1, t + 1),
            _ => match &mut star {
                Some((at, took)) => {
                    *took += 1;
                    (p, t) = (*at + 1, *took);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text) in [
            ("/orders*", "/orders"),
            ("/orders*", "/orders/7"),
            ("*.png", "/a/b.png"),
            ("/a/*/c", "/a/b/b/c"),
            ("*", ""),
            ("/a*b*c", "/axbxbc"),
        ] {
            assert!(
                matches(pattern.as_bytes(), text.as_bytes()),
                "{pattern} {text}"
            );
        }
        for (pattern, text) in [("/orders", "/orders/7"), ("/a/*/c", "/a/c"), ("", "/")] {
            assert!(
                !matches(pattern.as_bytes(), text.as_bytes()),
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn the_path_is_what_counts_of_a_target() {
        assert_eq!(path("/a?b=c", false), "/a");
        assert_eq!(path("/a?b=c", true), "/a?b=c");
        assert_eq!(path("http://shop:80/a?u=x://y", false), "/a");
        assert_eq!(path("http://shop", false), "/");
        assert_eq!(path("/to?u=http://x/y", false), "/to");
    }
}
