//! The thread that all proxies of a window live on: opens them, switches their faults, and ends them all at once.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;

use super::counts::Counts;
use super::door::Door;
use super::route::{Common, Route};
use super::table::{Active, is_http};
use super::timers::Timers;
use crate::alarm;
use crate::fault::driver::FaultError;
use crate::profile::hosts::HostRule;
use crate::profile::model::{Down, Toxic, ToxicKind};

/// A switch that not every connection has taken after so long is done all the same: they will, one by one. It is only not
/// proven.
const SWITCH: Duration = Duration::from_secs(1);

/// Bytes read at a time.
const SCRATCH: usize = 64 << 10;

/// A proxy to be opened.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub listen: SocketAddr,
    pub upstream: String,
    pub faults: Vec<Fault>,
}

/// A fault of a proxy.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    /// By index in the profile.
    pub index: usize,
    pub toxics: Vec<Toxic>,
    pub counts: Arc<Counts>,
}

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Order {
    /// Puts a fault in, or takes it out.
    Switch {
        fault: usize,
        on: bool,
        /// Whether every connection has taken it.
        done: oneshot::Sender<Result<bool, FaultError>>,
    },
    /// The end.
    End,
}

/// An open proxy.
struct House {
    listen: SocketAddr,
    route: Rc<Route>,
    door: Rc<Door>,
    /// In the order of the profile.
    faults: Vec<(Fault, Rc<[Toxic]>)>,
}

/// What the thread does from its first moment to its last. `ready` hears once whether all proxies are open.
pub(super) fn live(
    plans: &[Plan],
    (seed, allow): (u64, Vec<HostRule>),
    orders: mpsc::UnboundedReceiver<Order>,
    ready: &Sender<Result<(), Vec<FaultError>>>,
) {
    let started = start();
    let (runtime, timers) = match started {
        Ok(started) => started,
        Err(error) => {
            let why = FaultError(format!("the fault proxies cannot be started: {error}"));
            let _ = ready.send(Err(vec![why]));
            return;
        }
    };
    let local = LocalSet::new();
    let common = Rc::new(Common::new(seed, allow));
    local.block_on(&runtime, async {
        match open(plans, &common, &timers) {
            Ok(houses) => {
                let _ = ready.send(Ok(()));
                serve(&houses, &timers, orders).await;
            }
            Err(mistakes) => drop(ready.send(Err(mistakes))),
        }
    });
    drop(local);
    // A name that is being looked up must not hold up the end.
    runtime.shutdown_background();
}

fn start() -> io::Result<(Runtime, Rc<Timers>)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    Ok((runtime, Timers::new()?))
}

fn open(
    plans: &[Plan],
    common: &Rc<Common>,
    timers: &Rc<Timers>,
) -> Result<Vec<House>, Vec<FaultError>> {
    let scratch = Rc::new(RefCell::new(vec![0; SCRATCH].into_boxed_slice()));
    let mut mistakes = Vec::new();
    let mut houses = Vec::new();
    for plan in plans {
        let listen = plan.listen;
        let door = match Door::open(listen) {
            Ok(door) => door,
            Err(error) => {
                let why = format!("the fault proxy cannot listen on {listen}: {error}");
                mistakes.push(FaultError(why));
                continue;
            }
        };
        let has_http = plan
            .faults
            .iter()
            .any(|fault| fault.toxics.iter().any(|toxic| is_http(&toxic.kind)));
        let route = Rc::new(Route::new(
            (listen.to_string(), plan.upstream.clone()),
            has_http,
            common,
            timers,
            &scratch,
        ));
        let faults = plan.faults.iter();
        houses.push(House {
            listen,
            route,
            door,
            faults: faults
                .map(|fault| (fault.clone(), fault.toxics.clone().into()))
                .collect(),
        });
    }
    if mistakes.is_empty() {
        Ok(houses)
    } else {
        Err(mistakes)
    }
}

async fn serve(houses: &[House], timers: &Rc<Timers>, mut orders: mpsc::UnboundedReceiver<Order>) {
    for house in houses {
        spawn_local(Rc::clone(&house.door).accept(Rc::clone(&house.route)));
    }
    let bell = match timers.bell() {
        Ok(bell) => bell,
        Err(error) => return tracing::error!("the fault proxies have no clock: {error}"),
    };
    let timers = Rc::clone(timers);
    spawn_local(async move {
        while bell.rang().await.is_ok() {
            timers.fire();
        }
    });
    let mut epoch = 0;
    while let Some(order) = orders.recv().await {
        match order {
            Order::End => return,
            Order::Switch { fault, on, done } => {
                epoch += 1;
                let concerned = houses.iter().filter(|house| house.has(fault));
                let switched: Result<Vec<Rc<Route>>, FaultError> = concerned
                    .map(|house| house.switch(fault, on, epoch))
                    .collect();
                // What comes after it does not wait until each connection has taken it.
                spawn_local(async move {
                    let result = match switched {
                        Ok(routes) => Ok(taken(&routes).await),
                        Err(why) => Err(why),
                    };
                    // Whoever asked may have given up waiting.
                    let _ = done.send(result);
                });
            }
        }
    }
}

/// Waits until every connection has taken what was switched, for a bounded time, and says whether all of them have.
async fn taken(routes: &[Rc<Route>]) -> bool {
    let all = async {
        for route in routes {
            route.is_level().await;
        }
    };
    timeout(SWITCH, all).await.is_ok()
}

impl House {
    fn has(&self, fault: usize) -> bool {
        self.faults.iter().any(|(known, _)| known.index == fault)
    }

    /// Puts a fault in or takes it out, if it is one of this proxy. Each connection takes it at its next turn.
    fn switch(&self, fault: usize, on: bool, epoch: u64) -> Result<Rc<Route>, FaultError> {
        let known = self.faults.iter().find(|(known, _)| known.index == fault);
        let Some((known, toxics)) = known else {
            return Ok(Rc::clone(&self.route));
        };
        let mut table = self.route.table().to_vec();
        let was_on = table.iter().any(|active| active.fault == fault);
        if was_on != on {
            table.retain(|active| active.fault != fault);
            if on {
                let since = alarm::now();
                known.counts.begin(since);
                table.push(Active {
                    fault,
                    epoch,
                    since,
                    toxics: Rc::clone(toxics),
                    counts: Arc::clone(&known.counts),
                });
                table.sort_by_key(|active| active.fault);
            }
        }
        let closed = table.iter().any(Active::closes);
        let door = self.door.want(!closed);
        if was_on != on {
            self.route.change(table);
        }
        match door {
            Ok(()) => Ok(Rc::clone(&self.route)),
            Err(error) => Err(FaultError(format!(
                "the fault proxy cannot listen on {} again: {error}; it goes on trying, end what took the port",
                self.listen
            ))),
        }
    }
}

impl Active {
    /// Whether nobody can connect.
    fn closes(&self) -> bool {
        closes(&self.toxics)
    }
}

/// Whether toxics close the port.
pub(super) fn closes(toxics: &[Toxic]) -> bool {
    toxics
        .iter()
        .any(|toxic| matches!(toxic.kind, ToxicKind::Down(Down::Refuse | Down::Drain)))
}
