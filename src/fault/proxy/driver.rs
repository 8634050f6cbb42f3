//! A fault of a proxy, as the engine sees it.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::counts::Counts;
use super::house::Order;
use crate::fault::driver::{Doing, Done, Driver, FaultError, Touched};
use crate::fault::undo::Undo;

/// Switches the toxics of one fault.
#[derive(Debug)]
pub(super) struct ProxyDriver {
    pub fault: usize,
    pub orders: mpsc::UnboundedSender<Order>,
    pub counts: Arc<Counts>,
    /// Whom it touches is not seen: those who do not get in.
    pub closes: bool,
}

impl ProxyDriver {
    fn switch(&self, on: bool) -> Doing<'_, Done> {
        Box::pin(async move {
            let (done, switched) = oneshot::channel();
            let order = Order::Switch {
                fault: self.fault,
                on,
                done,
            };
            let gone = || FaultError("the fault proxies have ended".into());
            match self.orders.send(order) {
                // With the thread, the fault is gone too.
                Err(_) if !on => return Ok(Done::default()),
                Err(_) => return Err(gone()),
                Ok(()) => {}
            }
            match switched.await {
                Ok(Ok(true)) => Ok(Done::seen(String::new())),
                // Connections that had no turn yet take it at their next one.
                Ok(Ok(false)) => Ok(Done::default()),
                Ok(Err(why)) => Err(why),
                Err(_) if !on => Ok(Done::default()),
                Err(_) => Err(gone()),
            }
        })
    }
}

impl Driver for ProxyDriver {
    fn prepare(&self) -> Doing<'_, Undo> {
        Box::pin(async { Ok(Undo::WithEngine) })
    }

    fn inject<'a>(&'a self, _: &'a Undo) -> Doing<'a, Done> {
        self.switch(true)
    }

    fn revert<'a>(&'a self, _: &'a Undo) -> Doing<'a, Done> {
        self.switch(false)
    }

    fn touched(&self) -> Option<Touched> {
        let touched = self.counts.read();
        (!self.closes || touched.affected > 0).then_some(touched)
    }
}
