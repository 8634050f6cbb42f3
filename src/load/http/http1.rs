//! One HTTP/1.1 connection, driven by whoever sends on it.
//!
//! A request in, an [`Answer`] out. There is no task behind a connection: the sender polls hyper's connection future
//! and its own answer in one go, so a request costs no wake-up from one task to another. Between requests nobody
//! polls it; a connection that the server closed meanwhile is noticed when the next request is handed over, and hyper
//! then hands that request back. The invariant: a request that may have reached the server is never handed back.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper::{Request, Response as Head, body::Incoming};
use hyper_util::rt::TokioIo;
use tokio::time::Sleep;

use super::origin::Origin;
use super::wire::{Traffic, Wire};
use super::{Failure, Limits, Response, answer, failure};
use crate::load::clock::{Clock, Nanos};
use crate::session::record::ErrorKind;

/// Most bytes of a head, and of a body read at once.
const BUFFER: usize = 64 * 1024;

type Driver = Connection<TokioIo<Wire>, Full<Bytes>>;

/// A connection and what it needs for the next request.
pub(super) struct Http1 {
    pub(super) origin: Rc<Origin>,
    sender: SendRequest<Full<Bytes>>,
    /// `None` once hyper is done with it.
    driver: Option<Driver>,
    /// Whether the server sent bytes past the end of the latest answer.
    excess: bool,
    traffic: Rc<Traffic>,
    /// One timer for all requests of this connection: moving it later is one atomic store.
    deadline: Pin<Box<Sleep>>,
}

/// What came of handing over a request.
pub(super) enum Sent {
    /// It never left; here it is again.
    Not(Request<Full<Bytes>>, Failure),
    /// It left, or may have.
    Yes(Answer),
}

/// An answer, and when its parts came.
pub(super) struct Answer {
    pub(super) result: Result<Response, Failure>,
    pub(super) sent: Nanos,
    /// From sent to the head; 0 if none came.
    pub(super) first_byte: Nanos,
    pub(super) done: Nanos,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
}

impl Http1 {
    /// Speaks HTTP/1.1 on `wire`.
    pub(super) async fn new(wire: Wire, origin: Rc<Origin>) -> Result<Self, Failure> {
        let traffic = wire.traffic();
        let (sender, driver) = Builder::new()
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(wire))
            .await
            .map_err(|error| failure::exchanging(&origin.label, &error))?;
        Ok(Self {
            origin,
            sender,
            driver: Some(driver),
            excess: false,
            traffic,
            deadline: Box::pin(tokio::time::sleep(Duration::ZERO)),
        })
    }

    /// Whether another request can go out on it.
    pub(super) fn reusable(&self) -> bool {
        self.driver.is_some() && self.sender.is_ready()
    }

    /// Looks at a connection at rest: whether it still is one.
    pub(super) fn look(&mut self) -> bool {
        drive(&mut self.driver, &mut Context::from_waker(Waker::noop()));
        self.reusable()
    }

    /// Sends a request, reads the whole answer. `sent_at` is set as soon as the request is handed over, for callers
    /// that drop this future.
    pub(super) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        limits: &Limits,
        clock: Clock,
        sent_at: &mut Option<Nanos>,
    ) -> Sent {
        let sent = clock.now();
        *sent_at = Some(sent);
        let (in_before, out_before) = self.traffic.totals();
        self.deadline
            .as_mut()
            .reset(answer::deadline(clock, sent, limits.timeout));
        let mut first_byte = 0;
        let result = match self.head(request, limits).await {
            Ok(head) => {
                first_byte = clock.now().saturating_sub(sent);
                self.body(head, limits).await
            }
            Err(Unanswered::Unsent(request, failure)) => {
                *sent_at = None;
                return Sent::Not(*request, failure);
            }
            Err(Unanswered::Failed(failure)) => Err(failure),
        };
        if result.is_err() {
            self.driver = None;
        }
        let (in_after, out_after) = self.traffic.totals();
        Sent::Yes(Answer {
            result,
            sent,
            first_byte,
            done: clock.now(),
            bytes_in: in_after - in_before,
            bytes_out: out_after - out_before,
        })
    }

    async fn head(
        &mut self,
        request: Request<Full<Bytes>>,
        limits: &Limits,
    ) -> Result<Head<Incoming>, Unanswered> {
        let Self {
            sender,
            driver,
            excess,
            deadline,
            origin,
            ..
        } = self;
        *excess = false;
        let mut answer = pin!(sender.try_send_request(request));
        let outcome = poll_fn(|cx| {
            // Once the driver is gone, the answer is decided: dropping it resolves what was still queued.
            *excess |= drive(driver, cx);
            if let Poll::Ready(outcome) = answer.as_mut().poll(cx) {
                return Poll::Ready(Some(outcome));
            }
            answer::poll_deadline(deadline.as_mut(), cx).map(|()| None)
        })
        .await;
        match outcome {
            Some(Ok(head)) => Ok(head),
            Some(Err(error)) => Err(Unanswered::of(error, &origin.label)),
            None => Err(Unanswered::Failed(failure::timed_out(
                &origin.label,
                limits.timeout,
                false,
            ))),
        }
    }

    async fn body(&mut self, head: Head<Incoming>, limits: &Limits) -> Result<Response, Failure> {
        let Self {
            sender,
            driver,
            excess,
            deadline,
            origin,
            ..
        } = self;
        let response = answer::read(
            head,
            |cx| *excess |= drive(driver, cx),
            deadline.as_mut(),
            limits,
            &origin.label,
        )
        .await?;
        // Reading the body's end usually brings the connection to rest as well. Where it did not, one more round lets
        // it learn of a close that came with the answer, and of bytes past the answer's end.
        if driver.is_some() && !sender.is_ready() {
            poll_fn(|cx| {
                *excess |= drive(driver, cx);
                Poll::Ready(())
            })
            .await;
        }
        if *excess {
            return Err(Failure {
                status: Some(response.status),
                body: response.body.slice(..response.body.len().min(2048)),
                ..Failure::new(
                    ErrorKind::Protocol,
                    format!("{} sent more than the length it gave", origin.label),
                )
            });
        }
        Ok(response)
    }
}

/// Moves the connection along. True when it ended because of bytes that nobody asked for.
fn drive(driver: &mut Option<Driver>, cx: &mut Context<'_>) -> bool {
    let Some(connection) = driver else {
        return false;
    };
    match Pin::new(connection).poll(cx) {
        Poll::Pending => false,
        Poll::Ready(end) => {
            *driver = None;
            end.is_err_and(|error| failure::is_excess(&error))
        }
    }
}

enum Unanswered {
    Unsent(Box<Request<Full<Bytes>>>, Failure),
    Failed(Failure),
}

impl Unanswered {
    fn of(mut error: TrySendError<Request<Full<Bytes>>>, place: &str) -> Self {
        let request = error.take_message();
        let failure = failure::exchanging(&place, error.error());
        match request {
            Some(request) => Self::Unsent(Box::new(request), failure),
            None => Self::Failed(failure),
        }
    }
}
