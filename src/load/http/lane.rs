//! Sending: a connection is found or made, the request goes out on it, and what came of it is told.
//!
//! The invariant: a request that a server may have seen is sent once; one that provably never left is sent again on
//! another connection, and nobody hears of it.

use std::fmt;
use std::rc::Rc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;

use super::http1::{Answer, Http1, Sent};
use super::http2::{Http2, Turn};
use super::origin::{Origin, Permit, Protocol};
use super::transport::Transport;
use super::{Exchange, Failure, Limits};
use crate::load::clock::Nanos;
use crate::session::record::ErrorKind;

/// Times that a request which never left is handed to a fresh connection.
const MOST_RETRIES: u32 = 2;
/// Connections to other origins that a lane keeps for itself.
const MOST_OTHERS: usize = 8;

/// Where the time before sending went.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Spent {
    pub(super) queued: Nanos,
    pub(super) connect: Nanos,
    pub(super) tls: Nanos,
}

/// A connection for one request.
enum Line<'a> {
    /// HTTP/1.1; whether it has been used before.
    Http1(Box<Http1>, bool, Permit<'a>),
    /// Not HTTP/1.1 any more: look again at what is spoken.
    Changed,
}

/// See [`Transport::lane`]. A few words when idle.
pub struct Lane {
    transport: Rc<Transport>,
    last_sent: Option<Nanos>,
    own: Option<Box<Http1>>,
    #[allow(clippy::vec_box, reason = "they move between here and `own`")]
    others: Vec<Box<Http1>>,
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane")
            .field("last_sent", &self.last_sent)
            .finish_non_exhaustive()
    }
}

impl Lane {
    pub(super) fn new(transport: Rc<Transport>) -> Self {
        Self {
            transport,
            last_sent: None,
            own: None,
            others: Vec::new(),
        }
    }

    /// Sends one request, reads the whole answer. Never retries anything that the server could have seen. Cancel safe:
    /// dropping the future drops the connection it used (HTTP/2: resets its stream); then [`Lane::last_sent`] still
    /// tells whether and when it was sent.
    pub async fn send(&mut self, mut request: Request<Full<Bytes>>, limits: Limits) -> Exchange {
        self.last_sent = None;
        let mut spent = Spent::default();
        let origin = match self.transport.route(request.uri_mut()) {
            Ok(origin) => origin,
            Err(failure) => return self.unsent(failure, spent),
        };
        let mut retries = 0;
        loop {
            let outcome = if origin.protocol.get() == Protocol::Http1 {
                self.send_http1(&origin, request, &limits, &mut spent).await
            } else {
                // Boxed: HTTP/1.1 is the common case, and its lanes should not carry the size of this.
                Box::pin(self.send_http2(&origin, request, &limits, &mut spent)).await
            };
            match outcome {
                Ok(Sent::Yes(answer)) => return spent.exchange(answer),
                Ok(Sent::Not(again, failure)) => {
                    if retries == MOST_RETRIES {
                        return self.unsent(failure, spent);
                    }
                    retries += 1;
                    request = again;
                }
                Err(Unsent::Failed(failure)) => return self.unsent(failure, spent),
                Err(Unsent::Changed(again)) => request = *again,
            }
        }
    }

    /// When the latest request was handed to its connection; `None` while it still waits for one.
    pub fn last_sent(&self) -> Option<Nanos> {
        self.last_sent
    }

    fn unsent(&self, failure: Failure, spent: Spent) -> Exchange {
        Exchange {
            result: Err(failure),
            sent: None,
            done: self.transport.clock.now(),
            queued: spent.queued,
            connect: spent.connect,
            tls: spent.tls,
            first_byte: 0,
            bytes_in: 0,
            bytes_out: 0,
        }
    }

    async fn send_http1(
        &mut self,
        origin: &Rc<Origin>,
        mut request: Request<Full<Bytes>>,
        limits: &Limits,
        spent: &mut Spent,
    ) -> Result<Sent, Unsent> {
        origin.dress_http1(&mut request);
        loop {
            let (mut connection, used, permit) = match self.line(origin, limits, spent).await {
                Ok(Line::Http1(connection, used, permit)) => (connection, used, permit),
                Ok(Line::Changed) => return Err(Unsent::Changed(Box::new(request))),
                Err(failure) => return Err(Unsent::Failed(failure)),
            };
            let outcome = connection
                .exchange(request, limits, self.transport.clock, &mut self.last_sent)
                .await;
            if connection.reusable() {
                self.give_back(connection);
            }
            drop(permit);
            match outcome {
                // The server closed it while it was idle. Others may be as dead; each costs only this.
                Sent::Not(again, _) if used => request = again,
                outcome => return Ok(outcome),
            }
        }
    }

    /// A connection to send on: the lane's own, an idle one, or a new one.
    async fn line<'a>(
        &mut self,
        origin: &'a Rc<Origin>,
        limits: &Limits,
        spent: &mut Spent,
    ) -> Result<Line<'a>, Failure> {
        let transport = Rc::clone(&self.transport);
        let permit = if transport.per_lane {
            if let Some(own) = self.take_own(origin) {
                return Ok(Line::Http1(own, true, Permit::none()));
            }
            Permit::none()
        } else {
            let permit = if let Some(permit) = origin.idle.try_permit() {
                permit
            } else {
                let from = transport.clock.now();
                let permit = origin.idle.permit().await;
                spent.queued += transport.clock.now().saturating_sub(from);
                permit
            };
            if let Some(idle) = origin.idle.take() {
                return Ok(Line::Http1(idle, true, permit));
            }
            permit
        };
        let link = transport.dial(origin, limits, spent).await?;
        if link.http2 {
            origin.protocol.set(Protocol::Http2);
            origin
                .multiplex
                .adopt(Http2::new(link.wire, &origin.label).await?);
            return Ok(Line::Changed);
        }
        let connection = Http1::new(link.wire, Rc::clone(origin)).await?;
        Ok(Line::Http1(Box::new(connection), false, permit))
    }

    fn take_own(&mut self, origin: &Rc<Origin>) -> Option<Box<Http1>> {
        match &self.own {
            Some(own) if Rc::ptr_eq(&own.origin, origin) => self.own.take(),
            _ => {
                let at = self
                    .others
                    .iter()
                    .position(|other| Rc::ptr_eq(&other.origin, origin))?;
                Some(self.others.swap_remove(at))
            }
        }
    }

    fn give_back(&mut self, connection: Box<Http1>) {
        if !self.transport.per_lane {
            let origin = Rc::clone(&connection.origin);
            origin.idle.give(connection);
        } else if let Some(other) = self.own.replace(connection) {
            if self.others.len() == MOST_OTHERS {
                self.others.remove(0);
            }
            self.others.push(other);
        }
    }

    async fn send_http2(
        &mut self,
        origin: &Rc<Origin>,
        mut request: Request<Full<Bytes>>,
        limits: &Limits,
        spent: &mut Spent,
    ) -> Result<Sent, Unsent> {
        let transport = Rc::clone(&self.transport);
        let clock = transport.clock;
        let stream = loop {
            let from = clock.now();
            let turn = origin.multiplex.turn().await;
            spent.queued += clock.now().saturating_sub(from);
            match turn {
                Turn::Stream(stream) => break stream,
                Turn::Failed(failure) => return Err(Unsent::Failed(failure)),
                Turn::Again => {}
                Turn::Open(gate) => match self.open(origin, limits, spent).await {
                    Ok(()) => gate.tell(None),
                    Err(failure) => {
                        gate.tell(Some(failure.shared()));
                        return Err(Unsent::Failed(failure));
                    }
                },
            }
            if origin.protocol.get() == Protocol::Http1 {
                return Err(Unsent::Changed(Box::new(request)));
            }
        };
        origin
            .dress_http2(&mut request)
            .map_err(|why| Unsent::Failed(Failure::new(ErrorKind::Data, why)))?;
        Ok(stream
            .exchange(request, limits, &origin.label, clock, &mut self.last_sent)
            .await)
    }

    /// Opens a connection of whichever kind the server agrees to.
    async fn open(
        &mut self,
        origin: &Rc<Origin>,
        limits: &Limits,
        spent: &mut Spent,
    ) -> Result<(), Failure> {
        let transport = Rc::clone(&self.transport);
        let link = transport.dial(origin, limits, spent).await?;
        if link.http2 {
            origin.protocol.set(Protocol::Http2);
            origin
                .multiplex
                .adopt(Http2::new(link.wire, &origin.label).await?);
        } else {
            origin.protocol.set(Protocol::Http1);
            let connection = Http1::new(link.wire, Rc::clone(origin)).await?;
            self.give_back(Box::new(connection));
        }
        Ok(())
    }
}

/// Why there was no exchange.
enum Unsent {
    Failed(Failure),
    /// What is spoken with the origin turned out otherwise; here is the request.
    Changed(Box<Request<Full<Bytes>>>),
}

impl Spent {
    fn exchange(self, answer: Answer) -> Exchange {
        Exchange {
            result: answer.result,
            sent: Some(answer.sent),
            done: answer.done,
            queued: self.queued,
            connect: self.connect,
            tls: self.tls,
            first_byte: answer.first_byte,
            bytes_in: answer.bytes_in,
            bytes_out: answer.bytes_out,
        }
    }
}
