//! The closed model: users that each wait for their answer before going on.
//!
//! In: how many users are wanted when, and optionally how many journeys in all. Out: users that start and retire as
//! the curve passes their number, each running one journey after the other with a pause between them. The invariant:
//! user `u` runs if and only if more than `u` users are wanted; one that is no longer wanted ends its journey first.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;
use tokio::task::spawn_local;

use super::clock::Nanos;
use super::executor::{Counts, Executor, Orders, add};
use super::meter::Gauge;
use super::schedule::Curve;
use super::work::{Bench, Turn, Work};
use crate::session::record::{ScenarioState, ScenarioTick};

/// Pause of a user none of whose requests could leave: refused connections must not turn into a busy loop.
const BACKOFF: Nanos = 100_000_000;

/// A fixed number of journeys for all users of a scenario. The one thing that workers share while they run, and only
/// in scenarios with `iterations`: an exact total that holds whichever users are fast, and while users come and go.
#[derive(Debug)]
pub(super) struct Quota {
    total: u64,
    taken: AtomicU64,
}

impl Quota {
    pub fn new(total: u64) -> Arc<Self> {
        Arc::new(Self {
            total,
            taken: AtomicU64::new(0),
        })
    }

    fn take(&self) -> Option<u64> {
        if self.is_used_up() {
            return None;
        }
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        (number < self.total).then_some(number)
    }

    fn is_used_up(&self) -> bool {
        self.taken.load(Ordering::Relaxed) >= self.total
    }
}

/// A closed scenario on one worker.
#[derive(Debug)]
pub(super) struct Closed<W> {
    bench: Bench<W>,
    /// Users wanted, over all workers, now and later.
    curve: RefCell<Curve>,
    quota: Option<Arc<Quota>>,
    /// Journeys begun by this worker, which number them without a quota.
    iterations: Cell<u64>,
    counts: Rc<Counts>,
    /// One for each user of this worker that ever ran.
    seats: RefCell<Vec<Rc<Seat>>>,
    orders: Orders,
    changed: Notify,
}

/// A user's place: outlives the user, who may be asked to leave and come back.
#[derive(Debug, Default)]
struct Seat {
    taken: Cell<bool>,
    retire: Cell<bool>,
    called: Notify,
}

impl<W: Work> Closed<W> {
    /// Users follow `orders`.
    pub fn new(bench: Bench<W>, quota: Option<Arc<Quota>>, orders: Orders) -> Rc<Self> {
        Rc::new(Self {
            bench,
            curve: RefCell::new(orders.curve()),
            quota,
            iterations: Cell::new(0),
            counts: Rc::default(),
            seats: RefCell::default(),
            orders,
            changed: Notify::new(),
        })
    }

    /// Starts and retires users as the curve says, until the scenario drains.
    pub async fn run(self: Rc<Self>) {
        let meter = &self.bench.meter;
        // A clock that has yet to begin stands at 0, where users may be wanted already.
        meter.sleep_until(1).await;
        while !self.orders.is_draining() && !self.is_used_up() {
            let now = meter.now();
            let here = self.users_here(self.curve.borrow().users(now));
            self.seat(here);
            // This worker's next user joins above `most`, its last one leaves below `fewest`.
            let part = self.bench.part;
            let most = part.number(here) + 1;
            let fewest = here.checked_sub(1).map_or(0, |last| part.number(last) + 1);
            let next = self.curve.borrow().next_crossing(now, fewest, most);
            match next {
                None => self.changed.notified().await,
                Some(next) => tokio::select! {
                    biased;
                    () = meter.sleep_until(next) => {}
                    () = self.changed.notified() => {}
                },
            }
        }
        self.seat(0);
    }

    /// How many of `users` are this worker's.
    fn users_here(&self, users: u64) -> u64 {
        self.bench.part.share(users)
    }

    /// Makes `users` of this worker run and the rest retire.
    fn seat(self: &Rc<Self>, users: u64) {
        let mut seats = self.seats.borrow_mut();
        while (seats.len() as u64) < users {
            seats.push(Rc::default());
        }
        for (index, seat) in (0..).zip(seats.iter()) {
            let wanted = index < users;
            seat.retire.set(!wanted);
            if !wanted {
                seat.called.notify_one();
            } else if !seat.taken.replace(true) {
                let number = self.bench.part.number(index);
                spawn_local(user(Rc::clone(self), Rc::clone(seat), number));
            }
        }
    }

    fn is_used_up(&self) -> bool {
        self.quota.as_ref().is_some_and(|quota| quota.is_used_up())
    }

    fn next_iteration(&self) -> Option<u64> {
        if let Some(quota) = &self.quota {
            return quota.take();
        }
        let nth = self.iterations.get();
        self.iterations.set(nth + 1);
        Some(self.bench.part.number(nth))
    }
}

/// One user, from joining to leaving.
async fn user<W: Work>(closed: Rc<Closed<W>>, seat: Rc<Seat>, number: u64) {
    let _alive = Alive::new(&closed.counts, &seat);
    let Bench { work, meter, .. } = &closed.bench;
    let mut actor = work.actor(number);
    let mut due = meter.now();
    while !seat.retire.get() {
        let Some(number) = closed.next_iteration() else {
            return;
        };
        let in_flight = closed.counts.begin();
        let outcome = work.journey(&mut actor, Turn { number, due }, meter).await;
        in_flight.finish();
        let mut pause = work.pause(&mut actor).as_nanos() as Nanos;
        if !outcome.sent {
            pause = pause.max(BACKOFF);
        }
        due = outcome.done.saturating_add(pause);
        while !seat.retire.get() && !closed.is_used_up() && meter.now() < due {
            tokio::select! {
                biased;
                () = meter.sleep_until(due) => {}
                () = seat.called.notified() => {}
            }
        }
    }
}

/// Counts a user while it is there, and frees its seat.
struct Alive {
    counts: Rc<Counts>,
    seat: Rc<Seat>,
}

impl Alive {
    fn new(counts: &Rc<Counts>, seat: &Rc<Seat>) -> Self {
        add(&counts.users, 1);
        Self {
            counts: Rc::clone(counts),
            seat: Rc::clone(seat),
        }
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.counts
            .users
            .set(self.counts.users.get().saturating_sub(1));
        self.seat.taken.set(false);
    }
}

impl<W: Work> Gauge for Closed<W> {
    fn snapshot(&self, at: Nanos) -> ScenarioTick {
        let done = self.is_used_up() && self.is_idle();
        // Just before the boundary: what begins at it belongs to the next interval.
        let asked = self.curve.borrow().users(at.saturating_sub(1));
        ScenarioTick {
            state: if done {
                ScenarioState::Done
            } else {
                self.orders.state()
            },
            asked: asked as f64,
            connections: self.bench.work.connections(),
            ..self.counts.take()
        }
    }

    fn is_open(&self) -> bool {
        false
    }
}

impl<W: Work> Executor for Closed<W> {
    fn orders(&self) -> &Orders {
        &self.orders
    }

    fn follow(&self, at: Nanos, curve: &Curve) {
        let mut current = self.curve.borrow_mut();
        current.splice(at, curve);
        current.forget(at.min(self.bench.meter.now()));
        drop(current);
        self.changed.notify_one();
    }

    fn is_idle(&self) -> bool {
        self.counts.users.get() == 0
    }

    fn look_after(&self) {
        // Users of other workers may have taken the last iterations while ours pause.
        if self.is_used_up() {
            self.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::http_work::HttpWork;

    /// Size of what a function of three arguments returns.
    fn size_of_output<A, B, C, F>(_: fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_user_is_small_enough_for_a_hundred_thousand_of_them() {
        let size = size_of_output(user::<HttpWork>);
        assert!(size < 4096, "{size}");
    }
}
