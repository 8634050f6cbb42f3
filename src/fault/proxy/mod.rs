//! The built-in TCP proxy: always on the path between a client and an upstream, so that switching a fault changes
//! nothing else.
//!
//! In: connections to the `listen` addresses of a profile, and orders to switch its faults. Out: the same bytes to and
//! from the `upstream`, as late, as slow, as torn as the faults that are on say; and what each has touched. The
//! invariant: without a fault, and with one that does not hit it, a connection is what it would be without the proxy.
//!
//! ```text
//!   profile ─▶ Proxies ── a thread ──▶ house: one proxy each       orders ◀─ driver (one a fault)
//!                                        door ─ accepts              │
//!                                        route ─ which faults are on ◀
//!                                          │ connection, a task each
//!                                          ▼
//!      client ◀──▶ [requests] ◀──▶ link up, link down: stages ◀──▶ upstream
//! ```
//!
//! What toxics mean, where Toxiproxy leaves it open: a connection counts from when it came, if that was after the
//! fault; `timeout` swallows and closes, `reset_peer` lets pass and resets; a connection of which something was
//! swallowed is reset when its fault is cleared, since a clean end would pass for the whole stream; what merely waits
//! goes on at once.

mod chance;
mod connection;
mod counts;
mod door;
mod driver;
mod house;
mod http;
mod link;
mod pump;
mod route;
mod stage;
mod table;
mod timers;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use tokio::sync::mpsc;

use self::counts::Counts;
use self::driver::ProxyDriver;
use self::house::{Fault, Order, Plan};
use super::driver::{Driver, FaultError};
use crate::profile::Profile;
use crate::profile::model::FaultDriver;

/// The open proxies of a profile. Dropping it closes them and all their connections.
#[derive(Debug)]
pub struct Proxies {
    orders: mpsc::UnboundedSender<Order>,
    thread: Option<JoinHandle<()>>,
    /// Of each fault that has a proxy: its counts, and whether it closes the port.
    faults: BTreeMap<usize, (Arc<Counts>, bool)>,
}

impl Proxies {
    /// Opens every proxy of a profile, on a thread of their own; there is none if the profile has none.
    ///
    /// # Errors
    /// With every address that cannot be listened on.
    pub fn start(profile: &Profile) -> Result<Self, Vec<FaultError>> {
        let plans = plans(profile)?;
        let (orders, receiver) = mpsc::unbounded_channel();
        let faults = plans.iter().flat_map(|plan| &plan.faults);
        let mut proxies = Self {
            orders,
            thread: None,
            faults: faults
                .map(|fault| {
                    let counts = Arc::clone(&fault.counts);
                    (fault.index, (counts, house::closes(&fault.toxics)))
                })
                .collect(),
        };
        if plans.is_empty() {
            return Ok(proxies);
        }
        let window = &profile.window;
        let rules = window.allow_hosts.iter().map(|entry| entry.parse());
        let allow = rules
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| vec![FaultError::of(error)])?;
        let seed = window.seed;
        let (ready, opened) = std::sync::mpsc::channel();
        let thread = Builder::new()
            .name("proxies".into())
            .spawn(move || house::live(&plans, (seed, allow), receiver, &ready))
            .map_err(|error| vec![FaultError::of(error)])?;
        proxies.thread = Some(thread);
        match opened.recv() {
            Ok(Ok(())) => Ok(proxies),
            Ok(Err(mistakes)) => Err(mistakes),
            Err(error) => Err(vec![FaultError::of(error)]),
        }
    }

    /// What switches a fault of the profile, by its index; `None` if that has no proxy.
    pub fn driver(&self, fault: usize) -> Option<Box<dyn Driver>> {
        let (counts, closes) = self.faults.get(&fault)?;
        Some(Box::new(ProxyDriver {
            fault,
            orders: self.orders.clone(),
            counts: Arc::clone(counts),
            closes: *closes,
        }))
    }
}

impl Drop for Proxies {
    fn drop(&mut self) {
        // It has ended already if nobody hears this.
        let _ = self.orders.send(Order::End);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The proxies of a profile: faults with the same `listen` share one.
fn plans(profile: &Profile) -> Result<Vec<Plan>, Vec<FaultError>> {
    let mut plans: Vec<Plan> = Vec::new();
    let mut mistakes = Vec::new();
    for (index, fault) in profile.faults.iter().enumerate() {
        let FaultDriver::Proxy {
            listen,
            upstream,
            toxics,
        } = &fault.driver
        else {
            continue;
        };
        let Some(address) = address(listen) else {
            let name = &fault.name;
            let why = format!("fault `{name}`: `{listen}` is not an address to listen on");
            mistakes.push(FaultError(why));
            continue;
        };
        let fault = Fault {
            index,
            toxics: toxics.clone(),
            counts: Arc::default(),
        };
        match plans.iter_mut().find(|plan| plan.listen == address) {
            Some(plan) => plan.faults.push(fault),
            None => plans.push(Plan {
                listen: address,
                upstream: upstream.clone(),
                faults: vec![fault],
            }),
        }
    }
    if mistakes.is_empty() {
        Ok(plans)
    } else {
        Err(mistakes)
    }
}

/// An address as a profile has it.
fn address(listen: &str) -> Option<SocketAddr> {
    let port = listen
        .strip_prefix("localhost:")
        .and_then(|port| port.parse().ok());
    match port {
        Some(port) => Some((Ipv4Addr::LOCALHOST, port).into()),
        None => listen.parse().ok(),
    }
}
