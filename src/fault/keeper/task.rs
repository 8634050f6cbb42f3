//! One fault: in, and out again.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;

use super::outstanding::{Outstanding, locked};
use super::{Order, Seen, What};
use crate::fault::driver::{Driver, FaultError, Touched};
use crate::fault::recover;
use crate::fault::undo::Undo;

/// How long the session's disk may take before a fault is given up.
const DURABLE: Duration = Duration::from_secs(5);

/// How often it is told what a fault has touched.
const LOOK: Duration = Duration::from_secs(1);

/// See the module.
pub(super) struct Task {
    pub fault: usize,
    pub name: String,
    pub driver: Box<dyn Driver>,
    pub outstanding: Arc<Mutex<Outstanding>>,
    pub tell: UnboundedSender<Seen>,
}

/// How an injection went.
enum Went {
    /// It is in place.
    In(Undo),
    /// Nothing was changed; without a reason when it was ordered back.
    Not(Option<FaultError>),
    /// Something may have been changed: because of an error, or because it was ordered back.
    HalfWay(Undo, Option<FaultError>),
}

impl Task {
    /// Obeys until nobody can order any more; then brings back what it holds.
    pub async fn run(self, mut orders: UnboundedReceiver<Order>) {
        while let Some(order) = orders.recv().await {
            match order {
                Order::Inject => self.round(&mut orders).await,
                // It is not broken.
                Order::Revert => {}
            }
        }
    }

    /// In and out.
    async fn round(&self, orders: &mut UnboundedReceiver<Order>) {
        match self.inject(orders).await {
            Went::In(undo) => {
                let ended = self.stay(orders).await;
                self.bring_back(&undo, ended).await;
            }
            Went::Not(Some(why)) => self.tell(What::NotDone(why)),
            Went::Not(None) => self.tell(What::CalledBack),
            Went::HalfWay(undo, why) => self.bring_back(&undo, why).await,
        }
    }

    async fn inject(&self, orders: &mut UnboundedReceiver<Order>) -> Went {
        let undo = tokio::select! {
            undo = self.driver.prepare() => undo,
            () = ordered_back(orders) => return Went::Not(None),
        };
        let undo = match undo {
            Ok(undo) => undo,
            Err(why) => return Went::Not(Some(why)),
        };
        if let Err(why) = self.write_down(&undo).await {
            self.release().await;
            return Went::Not(Some(why));
        }
        tokio::select! {
            done = self.driver.inject(&undo) => match done {
                Ok(done) => self.tell(What::Active(done)),
                Err(why) => return Went::HalfWay(undo, Some(why)),
            },
            () = ordered_back(orders) => return Went::HalfWay(undo, None),
        }
        Went::In(undo)
    }

    /// Makes the way back durable: in the journal, with a watchdog, and in the session.
    async fn write_down(&self, undo: &Undo) -> Result<(), FaultError> {
        let way = serde_json::to_string(undo).map_err(FaultError::of)?;
        if *undo == Undo::WithEngine {
            self.tell(What::Undo(way, None));
            return Ok(());
        }
        let refused = |why: String| {
            FaultError(format!(
                "nothing was broken, since the way back could not be kept safe: {why}"
            ))
        };
        let (outstanding, fault) = (Arc::clone(&self.outstanding), self.fault);
        let (name, copy) = (self.name.clone(), undo.clone());
        let held =
            tokio::task::spawn_blocking(move || locked(&outstanding).hold(fault, &name, &copy));
        match held.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(refused(error.to_string())),
            Err(panic) => return Err(refused(panic.to_string())),
        }
        let (done, durable) = oneshot::channel();
        self.tell(What::Undo(way, Some(done)));
        match tokio::time::timeout(DURABLE, durable).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false) | Err(_)) => Err(refused("the session cannot be written".into())),
            Err(_) => Err(refused("the disk does not take it".into())),
        }
    }

    /// Waits until it is ordered back, or ends by itself, and tells what it touches. Gives why it ended by itself.
    async fn stay(&self, orders: &mut UnboundedReceiver<Order>) -> Option<FaultError> {
        let mut look = tokio::time::interval(LOOK);
        let mut last = None;
        loop {
            tokio::select! {
                () = ordered_back(orders) => return self.driver.ended_early(),
                _ = look.tick() => {
                    if let Some(why) = self.driver.ended_early() {
                        return Some(why);
                    }
                    let touched = self.driver.touched();
                    if touched != last {
                        self.tell_touched(touched);
                        last = touched;
                    }
                }
            }
        }
    }

    /// Tries until it is back. `why` is what went wrong on its way in, or since.
    async fn bring_back(&self, undo: &Undo, why: Option<FaultError>) {
        let touched = self.driver.touched();
        let mut told = None;
        let mut tries = 0;
        loop {
            match self.driver.revert(undo).await {
                Ok(done) => {
                    self.tell_touched(touched);
                    self.tell(match why {
                        Some(why) => What::NotDone(why),
                        None => What::Reverted(done),
                    });
                    self.release().await;
                    return;
                }
                Err(why) => {
                    let pause = recover::pause(tries);
                    // Once for each reason, however long it lasts.
                    if told.as_ref() != Some(&why) {
                        self.tell(What::NotReverted(why.clone(), pause));
                        told = Some(why);
                    }
                    tries += 1;
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    async fn release(&self) {
        let (outstanding, fault) = (Arc::clone(&self.outstanding), self.fault);
        let released = tokio::task::spawn_blocking(move || locked(&outstanding).release(fault));
        if let Err(panic) = released.await {
            tracing::error!(%panic, "a fault that is back could not be struck from the journal");
        }
    }

    fn tell_touched(&self, touched: Option<Touched>) {
        if let Some(touched) = touched {
            self.tell(What::Touched(touched));
        }
    }

    fn tell(&self, what: What) {
        let at = Instant::now();
        let fault = self.fault;
        let _ = self.tell.send(Seen { fault, at, what });
    }
}

/// Waits for the order back, or for the end of all orders.
async fn ordered_back(orders: &mut UnboundedReceiver<Order>) {
    loop {
        match orders.recv().await {
            Some(Order::Revert) | None => return,
            Some(Order::Inject) => {}
        }
    }
}
