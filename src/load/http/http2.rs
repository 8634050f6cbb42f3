//! HTTP/2: a few connections of a worker, each multiplexed by many lanes.
//!
//! A request in, an [`Answer`] out. Each connection has a task of its own, since many lanes share it. A lane waits
//! for a stream in the order in which it came; the peer's limit on concurrent streams is the number of streams there
//! are. Opening goes one at a time: lanes that arrive meanwhile wait for that attempt and share its outcome, so ten
//! thousand lanes that start at once make one connection and not ten thousand. A connection that was told to go away
//! takes no new requests and is replaced. The invariant: no more connections than the share, no more streams than
//! the peer allows.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Body;
use hyper::client::conn::http2::{Builder, Connection, SendRequest};
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::http1::{Answer, Sent};
use super::wire::Wire;
use super::{Failure, Limits, answer, failure};
use crate::load::clock::{Clock, Nanos};

/// Streams that are opened before the peer has said how many it takes; it says so with its first bytes.
const STREAMS_AT_FIRST: usize = 1;
/// More streams than this are never opened on one connection, whatever the peer allows.
const MOST_STREAMS: usize = 1 << 20;

type Driver = Connection<TokioIo<Wire>, Full<Bytes>, OnThisThread>;

/// Runs hyper's helper tasks on the worker's own thread.
#[derive(Debug, Clone, Copy)]
struct OnThisThread;

impl<F: Future + 'static> hyper::rt::Executor<F> for OnThisThread {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move {
            future.await;
        });
    }
}

/// One connection.
pub(super) struct Http2 {
    sender: SendRequest<Full<Bytes>>,
    /// `None` once hyper is done with it; dropping it hands back requests that never left.
    driver: Rc<RefCell<Option<Driver>>>,
    /// One permit a stream that may be open.
    streams: Arc<Semaphore>,
    /// Permits that there are, used ones included.
    limit: Cell<usize>,
}

impl Http2 {
    /// Speaks HTTP/2 on `wire`.
    pub(super) async fn new(wire: Wire, place: &str) -> Result<Rc<Self>, Failure> {
        let (sender, driver) = Builder::new(OnThisThread)
            .initial_max_send_streams(STREAMS_AT_FIRST)
            .handshake(TokioIo::new(wire))
            .await
            .map_err(|error| failure::exchanging(&place, &error))?;
        let driver = Rc::new(RefCell::new(Some(driver)));
        let streams = Arc::new(Semaphore::new(STREAMS_AT_FIRST));
        let (its_driver, its_streams) = (Rc::clone(&driver), Arc::clone(&streams));
        tokio::task::spawn_local(async move {
            // How it ended shows in the answers of the requests that were on it.
            let _ = poll_fn(|cx| match &mut *its_driver.borrow_mut() {
                Some(driver) => Pin::new(driver).poll(cx),
                None => Poll::Ready(Ok(())),
            })
            .await;
            drop(its_driver.take());
            its_streams.close();
        });
        Ok(Rc::new(Self {
            sender,
            driver,
            streams,
            limit: Cell::new(STREAMS_AT_FIRST),
        }))
    }

    fn closed(&self) -> bool {
        self.sender.is_closed() || self.streams.is_closed()
    }

    /// Follows the peer's limit on streams.
    fn follow_limit(&self) {
        let Ok(driver) = self.driver.try_borrow() else {
            return;
        };
        let Some(driver) = &*driver else {
            return;
        };
        let allowed = driver.current_max_send_streams().clamp(1, MOST_STREAMS);
        let limit = self.limit.get();
        if allowed > limit {
            self.streams.add_permits(allowed - limit);
            self.limit.set(allowed);
        } else if allowed < limit {
            let taken = self.streams.forget_permits(limit - allowed);
            self.limit.set(limit - taken);
        }
    }

    fn in_use(&self) -> usize {
        self.limit
            .get()
            .saturating_sub(self.streams.available_permits())
    }

    /// The right to open a stream, in turn; `None` when the connection closed meanwhile.
    async fn stream(self: Rc<Self>) -> Option<Stream> {
        self.follow_limit();
        let permit = Arc::clone(&self.streams).acquire_owned().await.ok()?;
        Some(Stream {
            connection: self,
            _permit: permit,
        })
    }
}

/// The right to one stream of a connection.
pub(super) struct Stream {
    connection: Rc<Http2>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Stream {
    fn drop(&mut self) {
        // The first answer brings the peer's limit, for which others may be waiting.
        self.connection.follow_limit();
    }
}

/// A place to take streams from, or the task of opening a connection first.
pub(super) enum Turn<'a> {
    Stream(Stream),
    /// The caller is to open one; others wait until the permit is dropped.
    Open(Gate<'a>),
    /// Something changed: look again.
    Again,
    /// The attempt that this lane waited for failed.
    Failed(Failure),
}

/// Held by the lane that opens a connection.
pub(super) struct Gate<'a> {
    owner: &'a Multiplex,
    _permit: SemaphorePermit<'a>,
}

/// A worker's HTTP/2 connections to one origin.
pub(super) struct Multiplex {
    share: usize,
    connections: RefCell<Vec<Rc<Http2>>>,
    gate: Semaphore,
    /// How many attempts to open have ended, and why the latest one failed.
    attempts: Cell<u64>,
    failed: RefCell<Option<Failure>>,
}

impl Multiplex {
    pub(super) fn new(share: usize) -> Self {
        Self {
            share: share.max(1),
            connections: RefCell::default(),
            gate: Semaphore::new(1),
            attempts: Cell::new(0),
            failed: RefCell::default(),
        }
    }

    /// What to do for a stream.
    pub(super) async fn turn(&self) -> Turn<'_> {
        let best = self.least_used();
        let gate = |permit| {
            Turn::Open(Gate {
                owner: self,
                _permit: permit,
            })
        };
        if let Some(best) = best {
            let room = self.connections.borrow().len() < self.share;
            if room
                && best.in_use() > 0
                && let Ok(permit) = self.gate.try_acquire()
            {
                return gate(permit);
            }
            return best.stream().await.map_or(Turn::Again, Turn::Stream);
        }
        let attempt = self.attempts.get();
        let Ok(permit) = self.gate.acquire().await else {
            return Turn::Again;
        };
        if self.attempts.get() == attempt {
            return gate(permit);
        }
        match &*self.failed.borrow() {
            Some(failure) => Turn::Failed(failure.shared()),
            None => Turn::Again,
        }
    }

    fn least_used(&self) -> Option<Rc<Http2>> {
        let mut connections = self.connections.borrow_mut();
        connections.retain(|connection| !connection.closed());
        connections
            .iter()
            .min_by_key(|connection| connection.in_use())
            .cloned()
    }

    /// Takes in a connection, unless there are enough.
    pub(super) fn adopt(&self, connection: Rc<Http2>) {
        let mut connections = self.connections.borrow_mut();
        if connections.len() < self.share {
            connections.push(connection);
        }
    }
}

impl Gate<'_> {
    /// Tells those who wait how the attempt ended. Dropped without it, the next one in line makes an attempt.
    pub(super) fn tell(self, outcome: Option<Failure>) {
        self.owner.attempts.set(self.owner.attempts.get() + 1);
        *self.owner.failed.borrow_mut() = outcome;
    }
}

impl Stream {
    /// Sends a request, reads the whole answer. See [`super::http1::Http1::exchange`]; dropping this future resets the stream and
    /// leaves the connection to the others.
    pub(super) async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        limits: &Limits,
        place: &str,
        clock: Clock,
        sent_at: &mut Option<Nanos>,
    ) -> Sent {
        let bytes_out = head_size(request.headers())
            + request.uri().path().len() as u64
            + request.body().size_hint().lower();
        let sent = clock.now();
        *sent_at = Some(sent);
        let deadline = answer::deadline(clock, sent, limits.timeout);
        let mut deadline = pin!(tokio::time::sleep_until(deadline));
        let mut sender = self.connection.sender.clone();
        let mut answer = pin!(sender.try_send_request(request));
        let outcome = poll_fn(|cx| {
            if let Poll::Ready(outcome) = answer.as_mut().poll(cx) {
                return Poll::Ready(Some(outcome));
            }
            answer::poll_deadline(deadline.as_mut(), cx).map(|()| None)
        })
        .await;
        let mut first_byte = 0;
        let result = match outcome {
            Some(Ok(head)) => {
                first_byte = clock.now().saturating_sub(sent);
                answer::read(head, |_| (), deadline.as_mut(), limits, place).await
            }
            Some(Err(mut error)) => {
                let request = error.take_message();
                let failure = failure::exchanging(&place, error.error());
                if let Some(request) = request {
                    *sent_at = None;
                    return Sent::Not(request, failure);
                }
                Err(failure)
            }
            None => Err(failure::timed_out(&place, limits.timeout, false)),
        };
        let bytes_in = match &result {
            Ok(response) => response.length + head_size(&response.headers),
            Err(failure) => failure.body.len() as u64,
        };
        Sent::Yes(Answer {
            result,
            sent,
            first_byte,
            done: clock.now(),
            bytes_in,
            bytes_out,
        })
    }
}

/// A head's size, estimated: a frame header and the fields as they stand, since HPACK's savings are not seen here.
fn head_size(headers: &HeaderMap) -> u64 {
    let fields: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    9 + fields as u64
}
