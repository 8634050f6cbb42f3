//! Waking at an exact moment: one `timerfd` and a heap of moments for the whole service.
//!
//! Requests flow in, each with a moment in working or in real time; each is woken when that moment comes, microseconds
//! late rather than the millisecond of tokio's timer wheel. Working time is kept here (see [`super::work`]): to stall
//! the servers is to switch the clock. The invariant: the `timerfd` is armed for the earliest moment in either heap.

use std::cell::RefCell;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::io;
use std::os::fd::OwnedFd;

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;

use super::work::{Pattern, WorkClock};

/// Real time: ns of `CLOCK_MONOTONIC`. One call of the vDSO, about 25 ns.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    // The clock counts from boot, so neither part is negative.
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

/// Someone who waits. Ordered by moment, then by arrival, so that equal moments keep their order.
struct Waiter {
    due: u64,
    number: u64,
    wake: oneshot::Sender<()>,
}

impl PartialEq for Waiter {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Waiter {}

impl PartialOrd for Waiter {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiter {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.due, self.number).cmp(&(other.due, other.number))
    }
}

struct State {
    clock: WorkClock,
    /// Due in working time.
    working: BinaryHeap<Reverse<Waiter>>,
    /// Due in real time.
    real: BinaryHeap<Reverse<Waiter>>,
    next_number: u64,
    /// What the `timerfd` is armed for.
    armed: Option<u64>,
}

/// The dispatcher. Belongs to the thread whose runtime it was made in.
pub struct Timer {
    fd: AsyncFd<OwnedFd>,
    state: RefCell<State>,
}

impl Timer {
    /// A timer whose servers follow `pattern`. Fails when no descriptor is left. Needs a tokio runtime.
    #[expect(
        deprecated,
        reason = "its successor is an unsafe function, for types that may change or close their descriptor; OwnedFd cannot"
    )]
    pub fn new(pattern: Pattern) -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Self {
            fd: AsyncFd::with_interest(fd, Interest::READABLE)?,
            state: RefCell::new(State {
                clock: WorkClock::new(now(), pattern),
                working: BinaryHeap::new(),
                real: BinaryHeap::new(),
                next_number: 0,
                armed: None,
            }),
        })
    }

    /// Wakes whoever is due, for ever.
    pub async fn run(&self) -> io::Result<()> {
        loop {
            let mut ready = self.fd.readable().await?;
            let mut count = [0; 8];
            // Reading clears the expiry. When there is none, the moment was armed anew in between: nothing is lost.
            let read = ready.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), &mut count)?));
            if let Ok(Err(error)) = read {
                return Err(error);
            }
            self.state.borrow_mut().armed = None;
            self.wake_due()?;
        }
    }

    /// Working time at a real time.
    pub fn working(&self, now: u64) -> u64 {
        self.state.borrow().clock.working(now)
    }

    /// Whether the servers stand still.
    pub fn stalled(&self, now: u64) -> bool {
        self.state.borrow().clock.stalled(now)
    }

    /// How many wait.
    pub fn pending(&self) -> usize {
        let state = self.state.borrow();
        state.working.len() + state.real.len()
    }

    /// Lets the servers follow another pattern from now on.
    pub fn switch(&self, pattern: Pattern) -> io::Result<()> {
        self.state.borrow_mut().clock.switch(now(), pattern);
        self.wake_due()
    }

    /// Waits for a moment in working time. Returns at once when it has come.
    pub async fn until_worked(&self, due: u64) -> io::Result<()> {
        let waiting = {
            let mut state = self.state.borrow_mut();
            if state.clock.real(due).is_some_and(|at| at <= now()) {
                return Ok(());
            }
            let (waiter, waiting) = state.waiter(due);
            state.working.push(Reverse(waiter));
            self.arm(&mut state)?;
            waiting
        };
        // An error says that the timer is gone, and with it whoever could be answered.
        let _ = waiting.await;
        Ok(())
    }

    /// Waits for a moment in real time. Returns at once when it has come.
    pub async fn until(&self, due: u64) -> io::Result<()> {
        let waiting = {
            if due <= now() {
                return Ok(());
            }
            let mut state = self.state.borrow_mut();
            let (waiter, waiting) = state.waiter(due);
            state.real.push(Reverse(waiter));
            self.arm(&mut state)?;
            waiting
        };
        let _ = waiting.await;
        Ok(())
    }

    fn wake_due(&self) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        let now = now();
        while let Some(waiter) = state.next_due(now) {
            // Whoever gave up waiting is simply no longer there.
            let _ = waiter.wake.send(());
        }
        self.arm(&mut state)
    }

    /// Arms the `timerfd` for the earliest moment, with a system call only when that changed.
    fn arm(&self, state: &mut State) -> io::Result<()> {
        let next = state.earliest();
        if next == state.armed {
            return Ok(());
        }
        // All zero would disarm; no moment of a running system is 0.
        let at = next.map_or(0, |at| at.max(1));
        let value = Itimerspec {
            it_interval: Timespec::default(),
            it_value: Timespec {
                tv_sec: (at / 1_000_000_000).cast_signed(),
                tv_nsec: (at % 1_000_000_000).cast_signed(),
            },
        };
        timerfd_settime(&self.fd, TimerfdTimerFlags::ABSTIME, &value)?;
        state.armed = next;
        Ok(())
    }
}

impl State {
    fn waiter(&mut self, due: u64) -> (Waiter, oneshot::Receiver<()>) {
        let (wake, waiting) = oneshot::channel();
        let number = self.next_number;
        self.next_number += 1;
        (Waiter { due, number, wake }, waiting)
    }

    fn earliest_worked(&self) -> Option<u64> {
        let first = self.working.peek()?;
        self.clock.real(first.0.due)
    }

    fn earliest(&self) -> Option<u64> {
        let real = self.real.peek().map(|first| first.0.due);
        match (self.earliest_worked(), real) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    fn next_due(&mut self, now: u64) -> Option<Waiter> {
        if self.earliest_worked().is_some_and(|at| at <= now) {
            return self.working.pop().map(|first| first.0);
        }
        if self.real.peek().is_some_and(|first| first.0.due <= now) {
            return self.real.pop().map(|first| first.0);
        }
        None
    }
}
