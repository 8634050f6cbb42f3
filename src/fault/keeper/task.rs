//! One fault: in, and out again.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;

use super::outstanding::{Outstanding, locked};
use super::{Order, Seen, What};
use crate::fault::driver::{Done, Driver, FaultError, Touched};
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
            biased;
            () = ordered_back(orders) => return Went::Not(None),
            undo = self.driver.prepare() => undo,
        };
        let undo = match undo {
            Ok(undo) => undo,
            Err(why) => return Went::Not(Some(why)),
        };
        if let Err(why) = self.write_down(&undo).await {
            self.release().await;
            return Went::Not(Some(why));
        }
        // All of that takes its time, in which this process may even have stood still.
        if let Err(why) = self.is_guarded().await {
            self.release().await;
            return Went::Not(Some(not_safe(&why)));
        }
        if is_ordered_back(orders) {
            self.release().await;
            return Went::Not(None);
        }
        tokio::select! {
            // Who orders it back comes first: nothing more is begun then.
            biased;
            () = ordered_back(orders) => return Went::HalfWay(undo, None),
            done = self.driver.inject(&undo) => match done {
                Ok(done) => self.tell(What::Active(done)),
                Err(why) => return Went::HalfWay(undo, Some(why)),
            },
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
        let refused = |why: String| not_safe(&why);
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
                // One that ends now is brought back all the same, and that proves it.
                () = ordered_back(orders) => return None,
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
                    self.tell_back(why, touched, done);
                    self.release().await;
                    return;
                }
                Err(error) => {
                    if let Some(said) = self.word().await {
                        let said = match said.as_str() {
                            "" => "its watchdog brought it back".to_owned(),
                            said => format!("its watchdog brought it back: {said}"),
                        };
                        self.tell_back(
                            why,
                            touched,
                            Done {
                                said,
                                ..Done::default()
                            },
                        );
                        self.release().await;
                        return;
                    }
                    let pause = recover::pause(tries);
                    // Once for each reason, however long it lasts.
                    if told.as_ref() != Some(&error) {
                        self.tell(What::NotReverted(error.clone(), pause));
                        told = Some(error);
                    }
                    tries += 1;
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// It is back; `why` is what went wrong on its way in.
    fn tell_back(&self, why: Option<FaultError>, touched: Option<Touched>, done: Done) {
        self.tell_touched(touched);
        self.tell(match why {
            Some(why) => What::NotDone(why),
            None => What::Reverted(done),
        });
    }

    /// Whether it may go in, as far as its guard goes; else why not.
    async fn is_guarded(&self) -> Result<(), String> {
        let (outstanding, fault) = (Arc::clone(&self.outstanding), self.fault);
        let looked = tokio::task::spawn_blocking(move || locked(&outstanding).is_guarded(fault));
        looked.await.map_err(|panic| panic.to_string())?
    }

    /// What the watchdog said of it, if the watchdog brought it back.
    async fn word(&self) -> Option<String> {
        let (outstanding, fault) = (Arc::clone(&self.outstanding), self.fault);
        let looked = tokio::task::spawn_blocking(move || locked(&outstanding).word_of(fault));
        looked.await.ok()?
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

/// That nothing was done, for want of a way back that is sure to be taken.
fn not_safe(why: &str) -> FaultError {
    FaultError(format!(
        "nothing was broken, since the way back could not be kept safe: {why}"
    ))
}

/// Whether it was ordered back meanwhile, or nobody orders any more.
fn is_ordered_back(orders: &mut UnboundedReceiver<Order>) -> bool {
    loop {
        match orders.try_recv() {
            Ok(Order::Revert) | Err(TryRecvError::Disconnected) => return true,
            Ok(Order::Inject) => {}
            Err(TryRecvError::Empty) => return false,
        }
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
