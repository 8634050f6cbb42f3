//! Moving bytes of one connection between its sockets and its links, as far as it goes without waiting.
//!
//! Where nothing is in between, bytes go from one socket to the other through a buffer that the whole thread shares.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::http::Requests;
use super::link::Link;
use super::stage::Item;
use super::table::End;

/// One direction.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each end of a stream can be over in its own way, in any order"
)]
pub(super) struct Way {
    pub link: Link,
    /// The sender has no more.
    pub eof: bool,
    /// The receiver was told so.
    pub shut: bool,
    /// The receiver takes no more.
    pub broken: bool,
    /// The sender takes no more from the other direction: its end is no clean one.
    pub torn: bool,
    /// Reading stopped for want of room, so the socket wakes nobody when more comes.
    pub refused: bool,
}

impl Way {
    /// What the end of its sender is.
    pub fn last(&self) -> Item {
        if self.torn { Item::Reset } else { Item::Fin }
    }

    pub fn over(&self) -> bool {
        self.shut || self.broken
    }
}

/// Reads until the end, a mistake, or nothing more for now; a bounded stretch at a time.
pub(super) fn drain(stream: &mut TcpStream, cx: &mut Context<'_>, scratch: &mut [u8]) -> Poll<()> {
    for _ in 0..8 {
        let mut into = ReadBuf::new(scratch);
        match ready!(Pin::new(&mut *stream).poll_read(cx, &mut into)) {
            Ok(()) if !into.filled().is_empty() => {}
            Ok(()) | Err(_) => return Poll::Ready(()),
        }
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// What moving bytes needs.
pub(super) struct Pump<'p, 'c> {
    pub cx: &'p mut Context<'c>,
    pub now: u64,
    pub scratch: &'p mut [u8],
    /// Bytes that may be read before others have their turn.
    pub budget: usize,
    /// Whether the thread may hold more.
    pub room: bool,
}

impl Pump<'_, '_> {
    /// Reads from one side, straight on to the other where nothing is in between.
    pub fn read(
        &mut self,
        from: &mut TcpStream,
        way: &mut Way,
        mut to: Option<&mut TcpStream>,
        mut look: impl FnMut(&[u8]),
    ) {
        way.refused = false;
        while self.may_read(way) {
            let Some(bytes) = self.take(from, way) else {
                return;
            };
            if bytes == 0 {
                return way.link.feed(way.last(), self.now);
            }
            look(&self.scratch[..bytes]);
            match &mut to {
                Some(to) if way.link.is_direct() => self.pass(bytes, to, way),
                None if way.link.is_direct() => way.link.keep(&self.scratch[..bytes]),
                Some(_) | None => {
                    let bytes = Bytes::copy_from_slice(&self.scratch[..bytes]);
                    way.link.feed(Item::Data(bytes), self.now);
                }
            }
        }
    }

    /// Reads what a client asks.
    pub fn read_requests(&mut self, from: &mut TcpStream, way: &mut Way, requests: &mut Requests) {
        way.refused = !requests.room();
        while requests.room() && self.may_read(way) {
            match self.take(from, way) {
                Some(0) if way.torn => return way.link.feed(Item::Reset, self.now),
                Some(0) => return requests.end(),
                Some(bytes) => {
                    requests.push(&self.scratch[..bytes], self.now);
                    way.refused = !requests.room();
                }
                None => return,
            }
        }
    }

    /// Whether to read on; when only others' turn is in between, it comes back.
    fn may_read(&mut self, way: &mut Way) -> bool {
        if way.eof || way.broken {
            return false;
        }
        if !self.has_room(way) {
            way.refused = true;
            return false;
        }
        if self.budget == 0 {
            self.cx.waker().wake_by_ref();
            return false;
        }
        true
    }

    fn has_room(&self, way: &Way) -> bool {
        way.link.room() && (self.room || way.link.held() == 0)
    }

    /// Whether a direction that was not read for want of room has it by now: then nobody but its own connection can
    /// see to it that it is read again.
    pub fn may_resume(&self, way: &Way) -> bool {
        way.refused && !way.eof && !way.broken && self.has_room(way)
    }

    /// Reads once into the scratch: how many bytes, 0 at the end; nothing when there is nothing, or no more to come.
    fn take(&mut self, from: &mut TcpStream, way: &mut Way) -> Option<usize> {
        let most = self.budget.min(self.scratch.len());
        let mut into = ReadBuf::new(&mut self.scratch[..most]);
        match Pin::new(from).poll_read(self.cx, &mut into) {
            Poll::Pending => None,
            Poll::Ready(Ok(())) => {
                let bytes = into.filled().len();
                self.budget -= bytes;
                way.eof = bytes == 0;
                Some(bytes)
            }
            Poll::Ready(Err(_)) => {
                way.eof = true;
                way.link.feed(Item::Reset, self.now);
                None
            }
        }
    }

    /// Writes what was read straight on, and keeps what the other side does not take.
    fn pass(&mut self, bytes: usize, to: &mut TcpStream, way: &mut Way) {
        let mut written = 0;
        while written < bytes {
            match Pin::new(&mut *to).poll_write(self.cx, &self.scratch[written..bytes]) {
                Poll::Ready(Ok(more)) => written += more,
                Poll::Ready(Err(_)) => {
                    way.broken = true;
                    return;
                }
                Poll::Pending => return way.link.keep(&self.scratch[written..bytes]),
            }
        }
    }

    /// Writes what may be written by now.
    pub fn write(&mut self, way: &mut Way, to: &mut TcpStream) -> Option<End> {
        loop {
            way.link.advance(self.now);
            match way.link.front()? {
                Item::Data(_) if way.broken => way.link.passed(),
                Item::Data(bytes) => match Pin::new(&mut *to).poll_write(self.cx, bytes) {
                    Poll::Ready(Ok(written)) => way.link.wrote(written),
                    Poll::Ready(Err(_)) => {
                        way.broken = true;
                        way.link.give_up();
                    }
                    Poll::Pending => return None,
                },
                Item::Fin => {
                    let _ = Pin::new(&mut *to).poll_shutdown(self.cx);
                    way.shut = true;
                    way.link.passed();
                }
                Item::Reset => return Some(End::Reset),
                Item::Close => return Some(End::Close),
            }
        }
    }
}
