//! What one worker knows about one origin: how to name it, its addresses, its idle connections.
//!
//! Lanes take connections from here and give them back. HTTP/1.1: a stack of idle ones, the one used last on top, so
//! that a pool larger than needed lets its bottom grow cold. HTTP/2: see [`super::http2`]. The invariant: with a bound, open connections
//! (idle and in use) never exceed it, and waiting lanes are served in the order in which they came.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use hyper::header::{HOST, HeaderValue};
use hyper::http::uri::{Authority, Parts, PathAndQuery, Scheme};
use hyper::{Request, Uri};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::http1::Http1;
use super::http2::Multiplex;
use super::names::Names;
use super::target::Place;
use crate::profile::model::HttpVersion;

/// What is spoken with an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// TLS has yet to tell.
    Unknown,
    Http1,
    Http2,
}

/// See the module.
pub(super) struct Origin {
    pub(super) place: Place,
    /// How messages name it.
    pub(super) label: Box<str>,
    /// Absent for unix sockets.
    pub(super) names: Option<Rc<Names>>,
    pub(super) protocol: Cell<Protocol>,
    pub(super) idle: Idle,
    pub(super) multiplex: Multiplex,
    host: HeaderValue,
    authority: Authority,
}

impl Origin {
    /// `share`: bound on connections; `None` leaves HTTP/1.1 unbounded and gives HTTP/2 one.
    pub(super) fn new(
        place: Place,
        names: Option<Rc<Names>>,
        version: HttpVersion,
        share: Option<u32>,
    ) -> Result<Self, String> {
        let authority = place.authority();
        let protocol = match version {
            HttpVersion::Auto if place.secure() => Protocol::Unknown,
            HttpVersion::Auto | HttpVersion::Http1 => Protocol::Http1,
            HttpVersion::Http2 => Protocol::Http2,
        };
        Ok(Self {
            label: place.to_string().into(),
            names,
            protocol: Cell::new(protocol),
            idle: Idle::new(share),
            multiplex: Multiplex::new(share.unwrap_or(1) as usize),
            host: HeaderValue::from_str(&authority).map_err(|error| error.to_string())?,
            authority: Authority::try_from(authority).map_err(|error| error.to_string())?,
            place,
        })
    }

    /// Makes a request fit for HTTP/1.1: a path only, and a `Host`.
    pub(super) fn dress_http1<B>(&self, request: &mut Request<B>) {
        if request.uri().scheme().is_some() {
            let path = request.uri().path_and_query().cloned();
            *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
        }
        if !request.headers().contains_key(HOST) {
            request.headers_mut().insert(HOST, self.host.clone());
        }
    }

    /// Makes a request fit for HTTP/2: scheme and authority in the URI; a `Host` of the step's own becomes the
    /// authority. An error is a sentence.
    pub(super) fn dress_http2<B>(&self, request: &mut Request<B>) -> Result<(), String> {
        let authority = match request.headers_mut().remove(HOST) {
            Some(host) => Authority::try_from(host.as_bytes())
                .map_err(|error| format!("the host header is not valid: {error}"))?,
            None => self.authority.clone(),
        };
        let mut parts = Parts::default();
        parts.scheme = Some(if self.place.secure() {
            Scheme::HTTPS
        } else {
            Scheme::HTTP
        });
        parts.authority = Some(authority);
        parts.path_and_query = Some(
            request
                .uri()
                .path_and_query()
                .cloned()
                .unwrap_or_else(|| PathAndQuery::from_static("/")),
        );
        *request.uri_mut() = Uri::from_parts(parts).map_err(|error| error.to_string())?;
        Ok(())
    }
}

/// Idle HTTP/1.1 connections, and the right to hold one.
pub(super) struct Idle {
    #[allow(clippy::vec_box, reason = "they move between here and the lanes")]
    stack: RefCell<Vec<Box<Http1>>>,
    /// One permit a connection that may exist. Lanes hold theirs while they use a connection; since a lane opens a new
    /// one only when none is idle, idle and used ones together stay within the permits. Waiters queue in order.
    permits: Option<Semaphore>,
    given: Cell<u32>,
}

/// At every so many connections given back, the one that has been idle longest is looked at.
const LOOK_EVERY: u32 = 16;

impl Idle {
    fn new(share: Option<u32>) -> Self {
        Self {
            stack: RefCell::default(),
            permits: share.map(|share| Semaphore::new(share.max(1) as usize)),
            given: Cell::new(0),
        }
    }

    /// The right to use a connection, at once; `None` when one has to wait for it.
    pub(super) fn try_permit(&self) -> Option<Permit<'_>> {
        match &self.permits {
            None => Some(Permit::none()),
            Some(permits) => permits
                .try_acquire()
                .ok()
                .map(|held| Permit { _held: Some(held) }),
        }
    }

    /// The right to use a connection, in turn.
    pub(super) async fn permit(&self) -> Permit<'_> {
        match &self.permits {
            None => Permit::none(),
            // Never closed, so this is always a permit.
            Some(permits) => Permit {
                _held: permits.acquire().await.ok(),
            },
        }
    }

    /// The connection given back last.
    pub(super) fn take(&self) -> Option<Box<Http1>> {
        self.stack.borrow_mut().pop()
    }

    /// Gives a connection back. Now and then drops the coldest one if the server has closed it, so that a pool that
    /// needed many connections once does not hold on to dead ones.
    pub(super) fn give(&self, connection: Box<Http1>) {
        let mut stack = self.stack.borrow_mut();
        stack.push(connection);
        let given = self.given.get().wrapping_add(1);
        self.given.set(given);
        if given.is_multiple_of(LOOK_EVERY) && stack.len() > 1 && !stack[0].look() {
            stack.remove(0);
        }
    }
}

/// Held while a connection is in use.
pub(super) struct Permit<'a> {
    _held: Option<SemaphorePermit<'a>>,
}

impl Permit<'_> {
    /// For connections that no pool bounds.
    pub(super) fn none() -> Self {
        Self { _held: None }
    }
}

#[cfg(test)]
mod tests {
    use super::super::target::Target;
    use super::*;

    fn origin(target: &str) -> Origin {
        let place = Target::parse(target).unwrap().place;
        Origin::new(place, None, HttpVersion::Auto, None).unwrap()
    }

    #[test]
    fn http1_gets_a_path_and_a_host_and_keeps_a_host_of_the_steps_own() {
        let origin = origin("http://shop:8080");
        let mut request = Request::get("http://shop:8080/a?b").body(()).unwrap();
        origin.dress_http1(&mut request);
        assert_eq!(request.uri(), "/a?b");
        assert_eq!(request.headers()[HOST], "shop:8080");
        let mut request = Request::get("/").header(HOST, "other").body(()).unwrap();
        origin.dress_http1(&mut request);
        assert_eq!(request.headers()[HOST], "other");
    }

    #[test]
    fn http2_gets_an_authority_from_the_host_header_or_the_origin() {
        let origin = origin("https://shop");
        let mut request = Request::get("/a?b").body(()).unwrap();
        origin.dress_http2(&mut request).unwrap();
        assert_eq!(request.uri(), "https://shop/a?b");
        let mut request = Request::get("/").header(HOST, "other:1").body(()).unwrap();
        origin.dress_http2(&mut request).unwrap();
        assert_eq!(request.uri(), "https://other:1/");
        assert!(request.headers().is_empty());
    }

    #[test]
    fn only_tls_with_a_free_choice_has_to_ask_what_is_spoken() {
        let of = |target: &str, version| {
            let place = Target::parse(target).unwrap().place;
            let origin = Origin::new(place, None, version, None).unwrap();
            origin.protocol.get()
        };
        assert_eq!(of("http://x", HttpVersion::Auto), Protocol::Http1);
        assert_eq!(of("https://x", HttpVersion::Auto), Protocol::Unknown);
        assert_eq!(of("https://x", HttpVersion::Http1), Protocol::Http1);
        assert_eq!(of("unix:/x", HttpVersion::Http2), Protocol::Http2);
    }
}
