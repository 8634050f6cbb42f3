//! When each connection wants to be woken: one moment a connection, one precise alarm for all of them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::task::Waker;

use crate::alarm::{self, Alarm, Bell};

/// The moments of all connections of a thread.
#[derive(Debug)]
pub(super) struct Timers {
    alarm: Alarm,
    /// By moment, then by who asked.
    queue: RefCell<BTreeMap<(u64, u64), Waker>>,
    /// What the alarm is set for; `u64::MAX` for nothing.
    set: Cell<u64>,
    next: Cell<u64>,
}

impl Timers {
    /// Fails when no descriptor is left.
    pub fn new() -> io::Result<Rc<Self>> {
        Ok(Rc::new(Self {
            alarm: Alarm::new()?,
            queue: RefCell::default(),
            set: Cell::new(u64::MAX),
            next: Cell::new(0),
        }))
    }

    /// The end that rings; whoever waits for it calls [`fire`](Self::fire).
    pub fn bell(&self) -> io::Result<Bell> {
        self.alarm.bell()
    }

    /// Wakes everyone whose moment has come.
    pub fn fire(&self) {
        let later = {
            let mut queue = self.queue.borrow_mut();
            let later = queue.split_off(&(alarm::now() + 1, 0));
            std::mem::replace(&mut *queue, later)
        };
        later.into_values().for_each(Waker::wake);
        self.set.set(u64::MAX);
        self.arm();
    }

    /// Sets the alarm for the earliest moment. One that is set for an earlier one rings in vain, and is set anew then.
    fn arm(&self) {
        let first = self.queue.borrow().keys().next().map(|(at, _)| *at);
        if let Some(at) = first
            && at < self.set.get()
        {
            self.set.set(at);
            self.alarm.set(Some(at));
        }
    }
}

/// The place of one connection among them.
#[derive(Debug)]
pub(super) struct Slot {
    timers: Rc<Timers>,
    id: u64,
    at: Option<u64>,
}

impl Slot {
    pub fn new(timers: &Rc<Timers>) -> Self {
        let id = timers.next.get();
        timers.next.set(id + 1);
        Self {
            timers: Rc::clone(timers),
            id,
            at: None,
        }
    }

    /// Wakes at this moment instead of the one before; never when there is none.
    pub fn set(&mut self, at: Option<u64>, waker: &Waker) {
        if at.is_none() && self.at.is_none() {
            return;
        }
        let mut queue = self.timers.queue.borrow_mut();
        if let Some(old) = self.at.take() {
            queue.remove(&(old, self.id));
        }
        if let Some(at) = at {
            queue.insert((at, self.id), waker.clone());
            self.at = Some(at);
        }
        drop(queue);
        self.timers.arm();
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(at) = self.at {
            self.timers.queue.borrow_mut().remove(&(at, self.id));
        }
    }
}
