//! One precise alarm for a thread: a `timerfd`, microseconds late where the runtime's own timer wheel is late by up to
//! a millisecond.
//!
//! In: the one moment to wake at. Out: a ring, seen by the runtime's poll. Who needs more moments than one keeps them
//! sorted and sets the alarm for the earliest. The invariant: a ring is only ever late, never lost; it may be one for a
//! moment that was replaced since.

use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

const SECOND: u64 = 1_000_000_000;

/// Now: ns of `CLOCK_MONOTONIC`. One call of the vDSO, about 25 ns.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    // The clock counts from boot, so neither part is negative.
    time.tv_sec.unsigned_abs() * SECOND + time.tv_nsec.unsigned_abs()
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Alarm {
    fd: Rc<OwnedFd>,
}

/// The end that waits for rings.
#[derive(Debug)]
pub struct Bell {
    fd: AsyncFd<Rc<OwnedFd>>,
}

impl Alarm {
    /// An alarm that is not set. Fails when no descriptor is left.
    pub fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Self { fd: Rc::new(fd) })
    }

    /// Rings at a moment, by [`now`]'s clock, and at once when that has passed; `None` rings no more. It replaces
    /// what was set before. One system call.
    pub fn set(&self, at: Option<u64>) {
        // All zero would disarm; no moment of a running system is 0.
        let at = at.map_or(0, |at| at.clamp(1, i64::MAX.unsigned_abs()));
        let value = Itimerspec {
            it_interval: Timespec::default(),
            it_value: Timespec {
                tv_sec: (at / SECOND).cast_signed(),
                tv_nsec: (at % SECOND).cast_signed(),
            },
        };
        // It can fail only for a bad descriptor or a bad time, and both are made right here.
        let set = timerfd_settime(&self.fd, TimerfdTimerFlags::ABSTIME, &value);
        debug_assert!(set.is_ok(), "{set:?}");
    }

    /// Lets the current runtime poll the alarm.
    #[expect(
        deprecated,
        reason = "tokio's replacement is unsafe, because of types whose descriptor changes or closes while it is \
                  polled; a shared `OwnedFd` does neither"
    )]
    pub fn bell(&self) -> io::Result<Bell> {
        let fd = AsyncFd::with_interest(Rc::clone(&self.fd), Interest::READABLE)?;
        Ok(Bell { fd })
    }
}

impl Bell {
    /// Waits for a ring.
    ///
    /// The timer is never read: setting it anew clears it, and the runtime polls edges.
    pub async fn rang(&self) -> io::Result<()> {
        self.fd.readable().await?.clear_ready();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<F: Future>(test: F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(test)
    }

    #[test]
    fn it_rings_no_earlier_than_it_was_set_for_and_again_when_it_is_set_again() {
        run(async {
            let alarm = Alarm::new().unwrap();
            let bell = alarm.bell().unwrap();
            for _ in 0..3 {
                let due = now() + 2_000_000;
                alarm.set(Some(due));
                bell.rang().await.unwrap();
                assert!(now() >= due);
            }
        });
    }

    #[test]
    fn a_moment_that_has_passed_rings_at_once() {
        run(async {
            let alarm = Alarm::new().unwrap();
            let bell = alarm.bell().unwrap();
            for passed in [0, 1, now()] {
                alarm.set(Some(passed));
                bell.rang().await.unwrap();
            }
        });
    }

    #[test]
    fn one_that_was_replaced_or_taken_back_does_not_ring_for_the_old_moment() {
        run(async {
            let (replaced, taken_back) = (Alarm::new().unwrap(), Alarm::new().unwrap());
            let (late, never) = (replaced.bell().unwrap(), taken_back.bell().unwrap());
            let soon = now() + 50_000_000;
            replaced.set(Some(soon));
            taken_back.set(Some(soon));
            replaced.set(Some(soon + 20_000_000));
            taken_back.set(None);
            tokio::select! {
                biased;
                _ = never.rang() => panic!("it was taken back"),
                rang = late.rang() => rang.unwrap(),
            }
            assert!(now() >= soon + 20_000_000);
        });
    }
}
