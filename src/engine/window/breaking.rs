//! What is broken on purpose beside the load: orders to the keeper, and its word into the session. Nothing here waits for
//! a fault; only the window's very end does, for a bounded time.

use std::time::{Duration, Instant};

use super::{Clock, Signals, Window, nanos, wall};
use crate::engine::command::{Breaking, FaultOrder, Switch};
use crate::engine::faults::{Act, Around};
use crate::fault::driver::{Done, Proof, Touched};
use crate::fault::keeper::{Keeper, Seen, What};
use crate::profile::units::format_duration;
use crate::session::record::{Effect, Event, Happening, Record};
use crate::verdict::recovery::{self, Measured};

/// How long a window that is over waits for what is broken: longer than a way back that works will take. The watchdog
/// goes on after that.
const PATIENCE: Duration = Duration::from_mins(3);

/// A recovery that cannot be told so long after the clearing, µs, will not be told.
const UNKNOWN_AFTER_US: u64 = recovery::WINDOW_US + recovery::HOLD_US;

/// What the keeper saw next; nothing ever where nothing can be broken.
pub(super) async fn next(keeper: &mut Option<Keeper>) -> Option<Seen> {
    match keeper {
        Some(keeper) => keeper.seen().await,
        None => std::future::pending().await,
    }
}

impl Window {
    /// Carries out what a person asks of faults, and says in a sentence what was done, or why not.
    pub(super) fn on_fault_order(&mut self, order: FaultOrder) -> Result<String, String> {
        let FaultOrder { by, what } = order;
        let around = self.around();
        let (acts, said) = match what {
            Breaking::One { fault, to, force } => {
                let now = self.clock.now();
                let acts = self
                    .faults
                    .order(fault, to, force, by.as_deref(), now, &around)?;
                let name = self.profile.faults.get(fault);
                let name = name.map_or("", |fault| &fault.name);
                (acts, format!("`{name}` {}", self.way_of(fault, to)))
            }
            Breaking::Clear => {
                let scheduled = self.faults.has_schedule();
                let (acts, count) = self.faults.clear(by.as_deref(), "everything is cleared");
                let said = match count {
                    0 => "nothing is on".to_owned(),
                    1 => "1 fault goes out".to_owned(),
                    more => format!("{more} faults go out"),
                };
                let said = if scheduled {
                    format!("{said}; no other one goes in by the schedule of this phase")
                } else {
                    said
                };
                (acts, said)
            }
        };
        self.break_(acts);
        Ok(said)
    }

    fn way_of(&self, fault: usize, to: Switch) -> &'static str {
        // By now it is what it was turned into.
        if to.turn(!self.faults.is_on(fault)) {
            "goes in"
        } else {
            "goes out"
        }
    }

    /// What else is going on.
    pub(super) fn around(&self) -> Around {
        Around {
            failing: self.gates.failing_blockers(),
        }
    }

    /// The machine slept: what is on was on for all that time, and its `max` did not run.
    pub(super) fn on_sleep(&mut self, slept: Duration) {
        let slept = format_duration(Duration::from_secs(slept.as_secs()));
        if self.faults.outstanding().is_empty() {
            self.warn(format!(
                "this machine slept for {slept}: no load was put meanwhile, and nothing was measured"
            ));
            return;
        }
        let acts = self
            .faults
            .are_unguarded(&format!("this machine slept for {slept}"));
        self.break_(acts);
    }

    /// Does what the schedule of faults has due.
    pub(super) fn advance_faults(&mut self) {
        let around = self.around();
        let acts = self.faults.advance(self.clock.now(), &around);
        self.break_(acts);
    }

    /// Records what happens to faults, and has it happen.
    pub(super) fn break_(&mut self, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Order(fault, order) => {
                    if let Some(keeper) = &self.keeper {
                        keeper.order(fault, order);
                    }
                }
                Act::Record { by, what } => self.note(by, what),
            }
        }
    }

    /// Takes in what the keeper saw. A keeper that is gone has panicked; what it held is the watchdog's.
    pub(super) fn on_seen(&mut self, seen: Option<Seen>) {
        let Some(Seen { fault, at, what }) = seen else {
            self.warn("the thread that keeps the faults has panicked".into());
            let acts = self.faults.are_lost();
            self.break_(acts);
            return;
        };
        let acts = match what {
            What::Undo(way, durable) => {
                let what = Happening::Undo { fault, way };
                let record = self.event_at(at, what);
                self.history.apply(&record);
                match durable {
                    Some(done) => self.recorder.record_durably(record, done),
                    None => self.recorder.record(record),
                }
                return;
            }
            What::Active(done) => {
                self.say(fault, &done);
                if done.proof == Proof::Checked {
                    self.note_effect(fault, None, "its check fails");
                }
                self.faults.is_active(fault, done.proof)
            }
            What::CalledBack => self.faults.is_called_back(fault),
            What::NotDone(why) => self.faults.is_not_done(fault, &why.to_string()),
            What::Reverted(done) => {
                self.say(fault, &done);
                if let Some(touched) = self.touched.remove(&fault) {
                    self.note_effect(fault, Some(touched), "");
                }
                self.faults.is_reverted(fault, done.proof)
            }
            What::NotReverted(why, pause) => {
                self.faults.is_not_reverted(fault, &why.to_string(), pause)
            }
            What::Touched(touched) => {
                let first = touched.affected > 0
                    && self.touched.get(&fault).is_none_or(|it| it.affected == 0);
                self.touched.insert(fault, touched);
                if first {
                    self.note_effect(fault, Some(touched), "");
                }
                return;
            }
            What::Unguarded(why) => self.faults.are_unguarded(&why),
        };
        self.break_(acts);
    }

    /// Looks whether systems that recover are back.
    pub(super) fn judge_recoveries(&mut self) {
        for fault in self.faults.recovering() {
            let Some(injection) = self.history.injection(fault) else {
                continue;
            };
            let recovery = recovery::recovery(&self.history, injection);
            let cleared = injection.cleared.unwrap_or_default();
            let waited = (self.clock.now() / 1000).saturating_sub(cleared);
            let acts = match recovery.took {
                Measured::Took(took) => {
                    let text = format!("it took {}", recovery::between(took));
                    self.faults.is_recovered(fault, &text)
                }
                Measured::Unknown(_) if waited <= UNKNOWN_AFTER_US => continue,
                Measured::Unknown(_) | Measured::Never(_) => {
                    let text =
                        format!("whether the system is back is not known: {}", recovery.took);
                    self.faults.is_unknown(fault, &text)
                }
                Measured::Seems { .. } | Measured::Waiting(_) => continue,
            };
            self.break_(acts);
        }
    }

    /// Records what a program or an answer said.
    fn say(&mut self, fault: usize, done: &Done) {
        if !done.said.is_empty() {
            let text = done.said.clone();
            self.note(None, Happening::Output { fault, text });
        }
    }

    fn note_effect(&mut self, fault: usize, touched: Option<Touched>, text: &str) {
        let touched = touched.unwrap_or_default();
        let effect = Effect {
            fault,
            seen: touched.seen,
            affected: touched.affected,
            bytes: touched.bytes,
            first_us: touched
                .first
                .map(|first| u64::try_from(first.as_micros()).unwrap_or(u64::MAX)),
            text: text.to_owned(),
        };
        self.note(None, Happening::Effect(Box::new(effect)));
    }

    fn event_at(&self, at: Instant, what: Happening) -> Record {
        Record::Event(Event {
            at: since(self.clock, at),
            wall: wall(),
            by: None,
            what,
        })
    }

    /// Waits, for a bounded time or until a signal, until nothing is broken any more. What still is then, is the
    /// watchdog's. People are answered meanwhile.
    pub(super) async fn settle_faults(&mut self, signals: &mut Signals) {
        if let Some(keeper) = &mut self.keeper {
            keeper.close();
        }
        let until = tokio::time::Instant::now() + PATIENCE;
        let mut orders_open = true;
        while self.keeper.as_ref().is_some_and(|it| !it.has_ended()) {
            tokio::select! {
                seen = next(&mut self.keeper) => match seen {
                    Some(seen) => self.on_seen(Some(seen)),
                    None => break,
                },
                order = self.orders.recv(), if orders_open => match order {
                    Some(call) => self.on_call(call),
                    None => orders_open = false,
                },
                _ = signals.next() => break,
                () = tokio::time::sleep_until(until) => break,
            }
        }
        let left = self.faults.outstanding().join("`, `");
        if !left.is_empty() {
            self.warn(format!(
                "`{left}` may still be in place: the watchdog goes on trying, and `stormdeck recover` tells"
            ));
        }
    }
}

/// A moment on the window's clock, µs.
fn since(clock: Clock, at: Instant) -> u64 {
    let began = clock.instant(0);
    nanos(at.saturating_duration_since(began)) / 1000
}
