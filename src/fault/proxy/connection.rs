//! One connection through a proxy: both directions, what its faults make of it, and how it ends.
//!
//! One task, polled by hand: it does whatever can be done now, then waits for the sockets, for its moment among the
//! [`timers`](super::timers), or for a fault to be switched. An idle connection holds no buffer.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

use super::counts::Touch;
use super::http::{Requests, Rule};
use super::pump::{Pump, Way, drain};
use super::route::Route;
use super::table::{Course, End, Fuse, Who};
use super::timers::Slot;
use crate::alarm;

/// A connection that a toxic closes is let go when both sides have, or after so long, ns.
const GOODBYE: u64 = 1_000_000_000;

/// A client that has closed while nothing gets through is let go after so long, ns: it may be gone altogether.
const ORPHAN: u64 = 5_000_000_000;

/// What the bytes of a thread are read into.
pub(super) type Scratch = Rc<RefCell<Box<[u8]>>>;

/// The other side.
enum Upstream {
    /// Not yet dialled.
    None,
    Dialling(Pin<Box<dyn Future<Output = io::Result<TcpStream>>>>),
    Open(TcpStream),
}

/// See the module.
pub(super) struct Connection {
    route: Rc<Route>,
    who: Who,
    client: TcpStream,
    upstream: Upstream,
    up: Way,
    down: Way,
    requests: Option<Box<Requests>>,
    rules: Vec<Rule>,
    touches: Vec<(usize, u64, Rc<Touch>)>,
    fuse: Option<Box<Fuse>>,
    hangs: bool,
    /// The version of the route's table that it has seen; before its first turn, the one that was there when it came.
    seen: u64,
    /// It has not had its first turn.
    is_new: bool,
    /// It is closed, and let go at this moment.
    goodbye: Option<u64>,
    /// When the client was found to have no more.
    left_at: u64,
    slot: Slot,
    /// Bytes of it in the count of the thread.
    held: usize,
}

impl Connection {
    /// Of a client that was accepted.
    pub fn new(route: &Rc<Route>, client: TcpStream) -> Self {
        let who = route.enter();
        Self {
            who,
            client,
            upstream: Upstream::None,
            up: Way::default(),
            down: Way::default(),
            requests: route.has_http.then(|| Box::new(Requests::new(who))),
            rules: Vec::new(),
            touches: Vec::new(),
            fuse: None,
            hangs: false,
            seen: route.version(),
            is_new: true,
            goodbye: None,
            left_at: 0,
            slot: Slot::new(&route.timers),
            held: 0,
            route: Rc::clone(route),
        }
    }

    /// Takes over what is on at the proxy by now.
    fn change(&mut self, now: u64) -> Option<End> {
        let version = self.route.version();
        if self.seen == version && !self.is_new {
            return None;
        }
        self.route.caught_up(self.seen);
        self.seen = version;
        self.is_new = false;
        let table = self.route.table();
        self.touches.retain(|(fault, epoch, _)| {
            let mut on = table.iter();
            on.any(|active| active.fault == *fault && active.epoch == *epoch)
        });
        for active in table.iter() {
            let mut known = self.touches.iter();
            if known.any(|(fault, epoch, _)| *fault == active.fault && *epoch == active.epoch) {
                continue;
            }
            if !active.counts_requests() {
                active.counts.seen();
            }
            let touch = Rc::new(Touch::new(active.counts.clone()));
            self.touches.push((active.fault, active.epoch, touch));
        }
        let course = Course::plot(&table, self.who, &self.touches);
        let torn_up = self.up.link.change(course.up, now);
        let torn_down = self.down.link.change(course.down, now);
        self.fuse = course.fuse.map(Box::new);
        self.hangs = course.hangs;
        self.rules = course.rules;
        if let Some(requests) = &mut self.requests {
            requests.change(&self.rules);
        }
        if self.hangs && matches!(self.upstream, Upstream::None) {
            self.touches.iter().for_each(|(_, _, touch)| touch.felt());
        }
        // A clean end would pass for the end of the stream, of which a part is missing.
        (torn_up || torn_down).then_some(End::Reset)
    }

    fn step(&mut self, cx: &mut Context<'_>, now: u64) -> Poll<End> {
        if let Some(end) = self.change(now) {
            return Poll::Ready(end);
        }
        if let Some(fuse) = self.fuse.take_if(|fuse| fuse.at <= now) {
            fuse.touch.felt();
            match fuse.end {
                End::Reset => return Poll::Ready(End::Reset),
                End::Close => self.say_goodbye(cx, now),
            }
        }
        if self.goodbye.is_some() {
            return self.farewell(cx, now);
        }
        if let Err(error) = self.dial(cx) {
            tracing::debug!("proxy {}: {error}", self.route.name);
            return Poll::Ready(End::Reset);
        }
        let end = self.pump(cx, now);
        self.account();
        match end {
            Some(End::Reset) => Poll::Ready(End::Reset),
            Some(End::Close) => {
                self.say_goodbye(cx, now);
                self.farewell(cx, now)
            }
            None if self.up.over() && self.down.over() => {
                let broken = self.up.broken || self.down.broken;
                Poll::Ready(if broken { End::Reset } else { End::Close })
            }
            None => self.wait(cx, now),
        }
    }

    /// Sets the alarm for what is to be done next.
    fn wait(&mut self, cx: &Context<'_>, now: u64) -> Poll<End> {
        let hole = self.up.link.is_hole() || self.down.link.is_hole();
        let orphan = (hole && self.up.eof).then(|| self.left_at + ORPHAN);
        if orphan.is_some_and(|at| at <= now) {
            return Poll::Ready(End::Close);
        }
        let moments = [
            orphan,
            self.up.link.due(),
            self.down.link.due(),
            self.fuse.as_ref().map(|fuse| fuse.at),
            self.requests.as_ref().and_then(|requests| requests.due()),
        ];
        self.slot
            .set(moments.into_iter().flatten().min(), cx.waker());
        Poll::Pending
    }

    /// Connects to the upstream, unless it is said to hang.
    fn dial(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if let Upstream::None = self.upstream
            && !self.hangs
        {
            let route = Rc::clone(&self.route);
            self.upstream = Upstream::Dialling(Box::pin(async move { route.dial().await }));
        }
        if let Upstream::Dialling(dialling) = &mut self.upstream
            && let Poll::Ready(stream) = dialling.as_mut().poll(cx)
        {
            self.upstream = Upstream::Open(stream?);
        }
        Ok(())
    }

    /// Moves bytes both ways, as far as it goes.
    fn pump(&mut self, cx: &mut Context<'_>, now: u64) -> Option<End> {
        let route = Rc::clone(&self.route);
        let mut scratch = route.scratch.borrow_mut();
        let mut pump = Pump {
            cx,
            now,
            scratch: &mut scratch,
            budget: route.budget(),
            room: route.room(),
        };
        let mut upstream = match &mut self.upstream {
            Upstream::Open(stream) => Some(stream),
            Upstream::None | Upstream::Dialling(_) => None,
        };
        let mut requests = self.requests.as_deref_mut();
        let before = self.up.eof;
        if let Some(upstream) = upstream.as_deref_mut() {
            pump.read(upstream, &mut self.down, Some(&mut self.client), |bytes| {
                if let Some(requests) = &mut requests {
                    requests.follow(bytes);
                }
            });
        }
        match &mut requests {
            Some(requests) => {
                pump.read_requests(&mut self.client, &mut self.up, requests);
                let (up, down) = (&mut self.up.link, &mut self.down.link);
                requests.run(&self.rules, now, up, down);
            }
            None => pump.read(
                &mut self.client,
                &mut self.up,
                upstream.as_deref_mut(),
                |_| {},
            ),
        }
        if self.up.eof && !before {
            self.left_at = now;
        }
        let down = pump.write(&mut self.down, &mut self.client);
        let up = upstream.and_then(|upstream| pump.write(&mut self.up, upstream));
        // One side is gone: the other learns it behind what that had still sent.
        let torn = (self.up.torn, self.down.torn);
        self.down.torn |= self.up.broken;
        self.up.torn |= self.down.broken;
        let asks = requests.is_none_or(|requests| requests.room());
        let resumes = pump.may_resume(&self.down) || (asks && pump.may_resume(&self.up));
        if resumes || torn != (self.up.torn, self.down.torn) {
            pump.cx.waker().wake_by_ref();
        }
        down.or(up)
    }

    /// Keeps the thread's count of held bytes.
    fn account(&mut self) {
        let asked = self.requests.as_ref().map_or(0, |asked| asked.held());
        let held = self.up.link.held() + self.down.link.held() + asked;
        if held != self.held {
            self.route.hold(held, self.held);
            self.held = held;
        }
    }

    /// Ends both directions, so that what was written arrives.
    fn say_goodbye(&mut self, cx: &mut Context<'_>, now: u64) {
        self.up.link.give_up();
        self.down.link.give_up();
        self.account();
        self.goodbye = Some(now + GOODBYE);
        let _ = Pin::new(&mut self.client).poll_shutdown(cx);
        match &mut self.upstream {
            Upstream::Open(stream) => drop(Pin::new(stream).poll_shutdown(cx)),
            Upstream::None | Upstream::Dialling(_) => self.upstream = Upstream::None,
        }
    }

    /// Throws away what still comes, since closing over unread bytes would be a reset.
    fn farewell(&mut self, cx: &mut Context<'_>, now: u64) -> Poll<End> {
        let Some(last) = self.goodbye.filter(|last| now < *last) else {
            return Poll::Ready(End::Close);
        };
        self.slot.set(Some(last), cx.waker());
        let route = Rc::clone(&self.route);
        let mut scratch = route.scratch.borrow_mut();
        let client = drain(&mut self.client, cx, &mut scratch);
        let upstream = match &mut self.upstream {
            Upstream::Open(stream) => drain(stream, cx, &mut scratch),
            Upstream::None | Upstream::Dialling(_) => Poll::Ready(()),
        };
        ready!(client);
        ready!(upstream);
        Poll::Ready(End::Close)
    }

    fn end(&mut self, end: End) {
        if end == End::Reset {
            let upstream = match &self.upstream {
                Upstream::Open(stream) => Some(stream),
                Upstream::None | Upstream::Dialling(_) => None,
            };
            for stream in [Some(&self.client), upstream].into_iter().flatten() {
                // It fails for a socket that is gone already.
                let _ = stream.set_zero_linger();
            }
        }
    }
}

impl Future for Connection {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.route.wait(this.who.connection, cx.waker());
        let end = ready!(this.step(cx, alarm::now()));
        this.end(end);
        Poll::Ready(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.route.hold(0, self.held);
        self.route.leave(self.who.connection, self.seen);
    }
}
