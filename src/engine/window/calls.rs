//! What people ask of a running window, and what it says to them.

use super::{Left, Window};
use crate::engine::command::{Call, Order};
use crate::engine::control::{Status, said};
use crate::engine::plan;

impl Window {
    /// What a person asked for over the control socket. Nobody may wait for the reply any more.
    pub(super) fn on_call(&mut self, call: Call) {
        match call {
            Call::Order(order, reply) => {
                let _ = reply.send(self.on_order(order));
            }
            Call::Fault(order, reply) => {
                let _ = reply.send(self.on_fault_order(order));
            }
            Call::Watch(ask) => self.on_ask(ask),
            Call::Status(reply) => {
                let _ = reply.send(self.status());
            }
        }
    }

    /// Carries an order out and says in a sentence what was done, or why not.
    pub(super) fn on_order(&mut self, order: Order) -> Result<String, String> {
        let asked = order.command.clone();
        match self.conductor.order(order, self.clock.now()) {
            Ok(actions) => {
                let said = said::sentence(&asked, &actions, &self.profile);
                self.act(actions);
                Ok(said)
            }
            Err(why) => {
                tracing::warn!(?asked, %why, "an order was refused");
                Err(why)
            }
        }
    }

    fn status(&self) -> Status {
        let progress = self.progress();
        let (left_us, done) = match progress.left {
            Left::Time(left) => (Some(plan::micros(left)), None),
            Left::Work(share) => (None, Some(share)),
            Left::Held => (None, None),
        };
        Status {
            at_us: plan::micros(progress.at),
            left_us,
            done,
            phase: progress.phase.to_owned(),
            factor: progress.factor,
            held: self.conductor.held(),
            ending: self.drain_until.is_some(),
        }
    }
}
