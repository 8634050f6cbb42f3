//! An answer's head and body, read to the end: counted, kept in part, bounded in size and time.
//!
//! The same for HTTP/1 and HTTP/2; what differs is what has to be driven while waiting (HTTP/1 drives its connection
//! from here, HTTP/2 has a task for that). The invariant: memory stays within what is kept plus one chunk, however
//! long the body is.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, Incoming};
use hyper::{Response as Head, StatusCode};
use tokio::time::{Instant, Sleep};

use super::{Failure, Limits, Response, failure};
use crate::load::clock::{Clock, Nanos};
use crate::session::record::ErrorKind;

/// Bytes of a failed answer's body that are always kept.
const KEPT_OF_FAILURES: usize = 2048;

/// When a request sent at `sent` runs out of time. A timeout too long for the clock is a year, which is as good.
pub(super) fn deadline(clock: Clock, sent: Nanos, timeout: Duration) -> Instant {
    const LONGEST: Duration = Duration::from_hours(24 * 365);
    (clock.instant(sent) + timeout.min(LONGEST)).into()
}

/// Polls the deadline. Its state is looked at first: a task that floods itself with data has no budget left to poll a
/// timer, and must time out all the same.
pub(super) fn poll_deadline(deadline: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
    if deadline.is_elapsed() {
        return Poll::Ready(());
    }
    deadline.poll(cx)
}

enum Event {
    Frame(Option<hyper::Result<Frame<Bytes>>>),
    TimedOut,
}

/// Reads the body that belongs to `head`. `drive` moves the connection along.
pub(super) async fn read(
    head: Head<Incoming>,
    mut drive: impl FnMut(&mut Context<'_>),
    mut deadline: Pin<&mut Sleep>,
    limits: &Limits,
    place: &str,
) -> Result<Response, Failure> {
    let (head, mut body) = head.into_parts();
    let keep = usize::try_from(limits.keep).unwrap_or(usize::MAX);
    let mut kept = Kept::new(keep.max(KEPT_OF_FAILURES));
    let mut length = 0_u64;
    let fail = |failure: Failure, kept: Kept| Failure {
        status: Some(head.status),
        body: kept.take(KEPT_OF_FAILURES),
        ..failure
    };
    if body.size_hint().lower() > limits.max_body {
        return Err(fail(too_large(place, limits), kept));
    }
    while !body.is_end_stream() {
        let event = poll_fn(|cx| {
            // Asking for a frame is what lets the connection read one, so ask, drive, ask again.
            if let Poll::Ready(frame) = Pin::new(&mut body).poll_frame(cx) {
                return Poll::Ready(Event::Frame(frame));
            }
            drive(cx);
            if let Poll::Ready(frame) = Pin::new(&mut body).poll_frame(cx) {
                return Poll::Ready(Event::Frame(frame));
            }
            poll_deadline(deadline.as_mut(), cx).map(|()| Event::TimedOut)
        })
        .await;
        match event {
            Event::Frame(Some(Ok(frame))) => {
                if let Ok(chunk) = frame.into_data() {
                    length += chunk.len() as u64;
                    kept.add(chunk);
                    if length > limits.max_body {
                        return Err(fail(too_large(place, limits), kept));
                    }
                }
                if deadline.is_elapsed() {
                    return Err(fail(failure::timed_out(&place, limits.timeout, true), kept));
                }
            }
            Event::Frame(None) => break,
            Event::Frame(Some(Err(error))) => {
                return Err(fail(failure::exchanging(&place, &error), kept));
            }
            Event::TimedOut => {
                return Err(fail(failure::timed_out(&place, limits.timeout, true), kept));
            }
        }
    }
    let keep = if head.status >= StatusCode::BAD_REQUEST {
        keep.max(KEPT_OF_FAILURES)
    } else {
        keep
    };
    Ok(Response {
        status: head.status,
        headers: head.headers,
        body: kept.take(keep),
        length,
    })
}

fn too_large(place: &str, limits: &Limits) -> Failure {
    Failure::new(
        ErrorKind::Protocol,
        format!(
            "{place} sent a body larger than max_body ({} bytes)",
            limits.max_body
        ),
    )
}

/// The start of a body. The first chunk is kept as it is, without a copy; most answers have no second one.
struct Kept {
    limit: usize,
    first: Bytes,
    rest: BytesMut,
}

impl Kept {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            first: Bytes::new(),
            rest: BytesMut::new(),
        }
    }

    fn add(&mut self, mut chunk: Bytes) {
        let room = self.limit - self.first.len() - self.rest.len();
        if room == 0 || chunk.is_empty() {
            return;
        }
        chunk.truncate(room);
        if self.first.is_empty() {
            self.first = chunk;
        } else {
            self.rest.extend_from_slice(&chunk);
        }
    }

    fn take(self, most: usize) -> Bytes {
        let mut whole = if self.rest.is_empty() {
            self.first
        } else {
            [&*self.first, &*self.rest].concat().into()
        };
        whole.truncate(most);
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_start_of_a_body_is_kept() {
        let mut kept = Kept::new(5);
        for chunk in ["", "ab", "cd", "efgh", "ij"] {
            kept.add(Bytes::from_static(chunk.as_bytes()));
        }
        assert_eq!(kept.take(10), "abcde");
        let mut kept = Kept::new(3);
        kept.add(Bytes::from_static(b"abcd"));
        assert_eq!(kept.take(2), "ab");
    }
}
