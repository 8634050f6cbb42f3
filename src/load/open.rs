//! The open model: arrivals at a rate, whatever the answers do.
//!
//! In: the due times of this worker's arrivals. Out: a journey for each, begun when it is due, or a dropped arrival
//! when `max_in_flight` is reached. The invariant: an arrival keeps its due time however late it is taken up, so what
//! the generator or a full pool costs is in the response time.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::sync::Notify;
use tokio::task::spawn_local;

use super::arrivals::{Arrival, Arrivals};
use super::clock::Nanos;
use super::executor::{Counts, Executor, InFlight, Orders, add};
use super::meter::Gauge;
use super::schedule::Curve;
use super::work::{Bench, Turn, Work};
use crate::session::record::ScenarioTick;

/// Overdue arrivals taken up in one go before other tasks get their turn.
const BATCH: usize = 128;

/// An open scenario on one worker.
#[derive(Debug)]
pub(super) struct Open<W> {
    bench: Bench<W>,
    arrivals: RefCell<Arrivals>,
    /// This worker's share of `max_in_flight`.
    limit: u64,
    counts: Rc<Counts>,
    orders: Orders,
    changed: Notify,
}

impl<W: Work> Open<W> {
    /// `arrivals` are those of `orders`.
    pub fn new(bench: Bench<W>, arrivals: Arrivals, limit: u64, orders: Orders) -> Rc<Self> {
        Rc::new(Self {
            bench,
            arrivals: RefCell::new(arrivals),
            limit,
            counts: Rc::default(),
            orders,
            changed: Notify::new(),
        })
    }

    /// Takes up arrivals as they become due, until the scenario drains.
    pub async fn run(self: Rc<Self>) {
        while !self.orders.is_draining() {
            let due = self.arrivals.borrow().due();
            let meter = &self.bench.meter;
            match due {
                None => self.changed.notified().await,
                Some(due) if due > meter.now() => tokio::select! {
                    biased;
                    () = meter.sleep_until(due) => {}
                    () = self.changed.notified() => {}
                },
                Some(_) => {
                    if self.take_up() == BATCH {
                        tokio::task::yield_now().await;
                    }
                }
            }
        }
    }

    /// Takes up what is due now, one batch at most; returns how many.
    fn take_up(self: &Rc<Self>) -> usize {
        let now = self.bench.meter.now();
        // First, so that an arrival is taken up in the interval in which it is counted.
        self.bench.meter.close_until(now);
        for taken in 0..BATCH {
            let next = self.arrivals.borrow_mut().next_by(now);
            let Some(arrival) = next else {
                return taken;
            };
            self.bench.meter.late(arrival.due, now);
            if self.counts.in_flight.get() < self.limit {
                let in_flight = self.counts.begin();
                spawn_local(Rc::clone(self).one(arrival, in_flight));
            } else {
                add(&self.counts.dropped, 1);
            }
        }
        BATCH
    }

    async fn one(self: Rc<Self>, arrival: Arrival, in_flight: InFlight) {
        let Bench { work, meter, .. } = &self.bench;
        let mut actor = work.actor(arrival.number);
        let turn = Turn {
            number: arrival.number,
            due: arrival.due,
        };
        work.journey(&mut actor, turn, meter).await;
        in_flight.finish();
    }
}

impl<W: Work> Gauge for Open<W> {
    fn snapshot(&self, at: Nanos) -> ScenarioTick {
        let mut arrivals = self.arrivals.borrow_mut();
        ScenarioTick {
            state: self.orders.state(),
            // Just before the boundary: what begins at it belongs to the next interval.
            asked: arrivals.rate(at.saturating_sub(1)),
            due: arrivals.newly_due(at),
            connections: self.bench.work.connections(),
            ..self.counts.take()
        }
    }

    fn is_open(&self) -> bool {
        true
    }
}

impl<W: Work> Executor for Open<W> {
    fn orders(&self) -> &Orders {
        &self.orders
    }

    fn follow(&self, at: Nanos, curve: &Curve) {
        self.arrivals.borrow_mut().change(at, curve);
        self.changed.notify_one();
    }

    fn is_idle(&self) -> bool {
        self.counts.in_flight.get() == 0
    }
}
