//! Sleeping on a worker, finer than the runtime's 1 ms wheel.
//!
//! In: the moments that the tasks of one worker wait for. Out: each task woken at its moment, usually within some tens
//! of microseconds, without spinning. One [`Alarm`] is set for the earliest moment of all. The invariant: while
//! anyone sleeps, it is set for no later than the earliest due time.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::clock::{Clock, Nanos};
use crate::alarm::{self, Alarm};

/// One worker's time: tells it, and wakes sleepers.
#[derive(Debug)]
pub struct Timer {
    source: Source,
    sleepers: RefCell<BTreeMap<(Nanos, u64), Waker>>,
    next_key: Cell<u64>,
    armed: Cell<Nanos>,
}

#[derive(Debug)]
enum Source {
    /// The real clock, and an alarm whose own clock reads `zero` when the window's clock reads 0.
    Real {
        clock: Clock,
        zero: i64,
        alarm: Alarm,
    },
    /// Time that stands still until [`Timer::advance`].
    #[cfg(test)]
    Simulated(Cell<Nanos>),
}

impl Timer {
    /// A timer on the window's clock. [`Timer::drive`] must run for anyone to be woken.
    pub fn new(clock: Clock) -> io::Result<Rc<Self>> {
        // The two clocks are the same one, read twice within a microsecond; the pair maps one to the other.
        let monotonic = alarm::now();
        let (now, zero) = (Instant::now(), clock.instant(0));
        let since_zero = now.saturating_duration_since(zero).as_nanos() as i64
            - zero.saturating_duration_since(now).as_nanos() as i64;
        Ok(Self::with(Source::Real {
            clock,
            zero: monotonic.cast_signed() - since_zero,
            alarm: Alarm::new()?,
        }))
    }

    /// A timer whose time stands at 0.
    #[cfg(test)]
    pub fn simulated() -> Rc<Self> {
        Self::with(Source::Simulated(Cell::new(0)))
    }

    fn with(source: Source) -> Rc<Self> {
        Rc::new(Self {
            source,
            sleepers: RefCell::default(),
            next_key: Cell::new(0),
            armed: Cell::new(Nanos::MAX),
        })
    }

    /// Now, by the window's clock.
    pub fn now(&self) -> Nanos {
        match &self.source {
            Source::Real { clock, .. } => clock.now(),
            #[cfg(test)]
            Source::Simulated(now) => now.get(),
        }
    }

    /// Waits until `due`; returns at once if it has passed.
    pub fn sleep_until(self: &Rc<Self>, due: Nanos) -> Sleep {
        Sleep {
            timer: Rc::clone(self),
            due,
            key: None,
        }
    }

    /// Wakes sleepers as their time comes. Runs as a task of its own for the worker's life.
    pub async fn drive(self: Rc<Self>) -> io::Result<()> {
        let bell = match &self.source {
            Source::Real { alarm, .. } => alarm.bell()?,
            #[cfg(test)]
            Source::Simulated(_) => return Ok(()),
        };
        loop {
            bell.rang().await?;
            self.wake_due();
        }
    }

    /// Moves simulated time to the earliest sleeper's and wakes it.
    #[cfg(test)]
    pub fn advance(&self) {
        let earliest = self.sleepers.borrow().keys().next().copied();
        if let (Some((due, _)), Source::Simulated(now)) = (earliest, &self.source) {
            now.set(now.get().max(due));
            self.wake_due();
        }
    }

    fn wake_due(&self) {
        let now = self.now();
        let mut sleepers = self.sleepers.borrow_mut();
        while let Some(entry) = sleepers.first_entry() {
            let due = entry.key().0;
            if due > now {
                self.arm(due);
                return;
            }
            // Waking only queues the task, it cannot come back here.
            entry.remove().wake();
        }
        self.armed.set(Nanos::MAX);
    }

    fn arm(&self, due: Nanos) {
        self.armed.set(due);
        match &self.source {
            Source::Real { zero, alarm, .. } => {
                let at = zero.saturating_add(i64::try_from(due).unwrap_or(i64::MAX));
                alarm.set(Some(u64::try_from(at).unwrap_or(0)));
            }
            #[cfg(test)]
            Source::Simulated(_) => {}
        }
    }

    fn enter(&self, due: Nanos, waker: Waker) -> u64 {
        let key = self.next_key.get();
        self.next_key.set(key + 1);
        self.sleepers.borrow_mut().insert((due, key), waker);
        if due < self.armed.get() {
            self.arm(due);
        }
        key
    }
}

/// See [`Timer::sleep_until`].
#[derive(Debug)]
pub struct Sleep {
    timer: Rc<Timer>,
    due: Nanos,
    key: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.timer.now() >= self.due {
            return Poll::Ready(());
        }
        if let Some(key) = self.key
            && let Some(waker) = self.timer.sleepers.borrow_mut().get_mut(&(self.due, key))
        {
            waker.clone_from(context.waker());
            return Poll::Pending;
        }
        self.key = Some(self.timer.enter(self.due, context.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.timer.sleepers.borrow_mut().remove(&(self.due, key));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::{Builder, LocalOptions};

    use super::*;

    #[test]
    fn sleepers_wake_in_the_order_of_their_moments_and_never_early() {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())
            .unwrap();
        let timer = Timer::new(Clock::start()).unwrap();
        let order = Rc::new(RefCell::new(Vec::new()));
        runtime.block_on(async {
            tokio::task::spawn_local(Rc::clone(&timer).drive());
            // Far enough away for all of them to be asleep by then.
            let start = timer.now() + 50_000_000;
            let tasks: Vec<_> = [900_000, 300_000, 0, 600_000]
                .into_iter()
                .map(|after| {
                    let (timer, order) = (Rc::clone(&timer), Rc::clone(&order));
                    tokio::task::spawn_local(async move {
                        timer.sleep_until(start + after).await;
                        assert!(timer.now() >= start + after);
                        order.borrow_mut().push(after);
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        assert_eq!(*order.borrow(), [0, 300_000, 600_000, 900_000]);
    }

    #[test]
    fn a_sleep_that_is_given_up_leaves_nothing_behind() {
        let timer = Timer::simulated();
        let mut sleep = Box::pin(timer.sleep_until(5));
        let mut context = Context::from_waker(Waker::noop());
        assert!(sleep.as_mut().poll(&mut context).is_pending());
        assert_eq!(timer.sleepers.borrow().len(), 1);
        drop(sleep);
        assert!(timer.sleepers.borrow().is_empty());
    }
}
