//! The capacity of the service: parallel servers behind one queue, first come, first served.
//!
//! Arrivals flow in, in order of time, each with the service it needs; each leaves with the moment at which it will
//! depart. That moment is computed on arrival by the recursion of Kiefer and Wolfowitz (departure = the later of the
//! arrival and the earliest free server, plus the service), so that it is exact and costs O(log servers). All times are
//! working time in ns, see [`super::work`]. The invariant: starts are in the order of arrivals.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// The servers and the queue before them.
#[derive(Debug)]
pub struct Station {
    /// Number of servers; 0: as many as it takes.
    servers: usize,
    /// How many may wait.
    queue: usize,
    /// When each server that was ever used is free.
    free: BinaryHeap<Reverse<u64>>,
    /// When those who wait will start: ascending.
    starts: VecDeque<u64>,
}

/// All servers are busy and the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl Station {
    /// An idle station of so many servers (0: without limit), before which so many may wait.
    pub fn new(servers: usize, queue: usize) -> Self {
        Self {
            servers,
            queue,
            free: BinaryHeap::new(),
            starts: VecDeque::new(),
        }
    }

    /// Takes in an arrival that needs `service` and says when it departs. `now` must not run backwards.
    pub fn arrive(&mut self, now: u64, service: u64) -> Result<u64, Full> {
        if self.servers == 0 {
            return Ok(now.saturating_add(service));
        }
        self.forget_started(now);
        if self.free.len() < self.servers && self.free.peek().is_none_or(|free| free.0 > now) {
            let departure = now.saturating_add(service);
            self.free.push(Reverse(departure));
            return Ok(departure);
        }
        let Some(mut earliest) = self.free.peek_mut() else {
            return Err(Full);
        };
        let start = earliest.0.max(now);
        if start > now {
            if self.starts.len() >= self.queue {
                return Err(Full);
            }
            self.starts.push_back(start);
        }
        let departure = start.saturating_add(service);
        *earliest = Reverse(departure);
        Ok(departure)
    }

    /// How many wait at `now`.
    pub fn waiting(&mut self, now: u64) -> usize {
        self.forget_started(now);
        self.starts.len()
    }

    /// How many servers are at work at `now`; 0 for a station without limit, which does not count them.
    pub fn busy(&self, now: u64) -> usize {
        self.free.iter().filter(|free| free.0 > now).count()
    }

    fn forget_started(&mut self, now: u64) {
        while self.starts.front().is_some_and(|start| *start <= now) {
            self.starts.pop_front();
        }
    }
}

#[cfg(test)]
#[path = "station_tests.rs"]
mod tests;
