//! Waking at an exact moment: one [`Alarm`] and a heap of moments for the whole service.
//!
//! Requests flow in, each with a moment in working or in real time; each is woken when that moment comes, microseconds
//! late rather than the millisecond of tokio's timer wheel. Working time is kept here (see [`super::work`]): to stall
//! the servers is to switch the clock. The invariant: the alarm is set for the earliest moment in either heap.

use std::cell::RefCell;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::io;

use tokio::sync::oneshot;

use super::work::{Pattern, WorkClock};
use crate::alarm::{Alarm, Bell};

pub use crate::alarm::now;

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
    /// What the alarm is set for.
    armed: Option<u64>,
}

/// The dispatcher. Belongs to the thread whose runtime it was made in.
pub struct Timer {
    alarm: Alarm,
    bell: Bell,
    state: RefCell<State>,
}

impl Timer {
    /// A timer whose servers follow `pattern`. Fails when no descriptor is left. Needs a tokio runtime.
    pub fn new(pattern: Pattern) -> io::Result<Self> {
        let alarm = Alarm::new()?;
        Ok(Self {
            bell: alarm.bell()?,
            alarm,
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
            self.bell.rang().await?;
            self.state.borrow_mut().armed = None;
            self.wake_due();
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
    pub fn switch(&self, pattern: Pattern) {
        self.state.borrow_mut().clock.switch(now(), pattern);
        self.wake_due();
    }

    /// Waits for a moment in working time. Returns at once when it has come.
    pub async fn until_worked(&self, due: u64) {
        let waiting = {
            let mut state = self.state.borrow_mut();
            if state.clock.real(due).is_some_and(|at| at <= now()) {
                return;
            }
            let (waiter, waiting) = state.waiter(due);
            state.working.push(Reverse(waiter));
            self.arm(&mut state);
            waiting
        };
        // An error says that the timer is gone, and with it whoever could be answered.
        let _ = waiting.await;
    }

    /// Waits for a moment in real time. Returns at once when it has come.
    pub async fn until(&self, due: u64) {
        let waiting = {
            if due <= now() {
                return;
            }
            let mut state = self.state.borrow_mut();
            let (waiter, waiting) = state.waiter(due);
            state.real.push(Reverse(waiter));
            self.arm(&mut state);
            waiting
        };
        let _ = waiting.await;
    }

    fn wake_due(&self) {
        let mut state = self.state.borrow_mut();
        let now = now();
        while let Some(waiter) = state.next_due(now) {
            // Whoever gave up waiting is simply no longer there.
            let _ = waiter.wake.send(());
        }
        self.arm(&mut state);
    }

    /// Sets the alarm for the earliest moment, with a system call only when that changed.
    fn arm(&self, state: &mut State) {
        let next = state.earliest();
        if next == state.armed {
            return;
        }
        self.alarm.set(next);
        state.armed = next;
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
