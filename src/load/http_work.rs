//! HTTP as work: a journey's requests, from a lane, one after the other.
//!
//! In: a compiled program, a transport, feeds. Out: each request reported to the meter with its response time (from
//! due) and service time (from sent). The invariant: every request of a journey that became due is reported exactly
//! once, whether it was answered, failed, could not be made, or was cut off.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::arrivals::Part;
use super::clock::{Clock, Nanos};
use super::http::{Exchange, Failure, Lane, Limits, Transport, TransportPlan};
use super::journey::{CompiledStep, Feeds, Program, User};
use super::ledger::Write;
use super::meter::{Meter, Outlet, Underway};
use super::stats::Observation;
use super::work::{Outcome, Plan, Turn, Work};
use crate::profile::model::{Connections, Model, Scenario, ThinkTime};
use crate::session::record::Exemplar;

/// One scenario's HTTP work, shared by all workers.
#[derive(Debug)]
pub struct HttpPlan {
    /// Origin, TLS and the like.
    pub transport: Arc<TransportPlan>,
    /// The journeys.
    pub program: Arc<Program>,
    /// The window's data.
    pub feeds: Arc<Feeds>,
    /// The window's seed.
    pub seed: u64,
    /// Who owns connections.
    pub connections: Connections,
    /// Whether a lane keeps a connection of its own: closed users that do not share.
    pub per_lane: bool,
    /// Whether each user keeps cookies.
    pub cookies: bool,
    /// Limit on lookup, connecting and TLS.
    pub connect_timeout: Duration,
    /// Largest body that is read.
    pub max_body: u64,
    /// Pause of a closed user between journeys.
    pub think: ThinkTime,
}

impl HttpPlan {
    /// The plan of a scenario.
    pub fn new(
        scenario: &Scenario,
        transport: Arc<TransportPlan>,
        program: Arc<Program>,
        feeds: Arc<Feeds>,
        seed: u64,
    ) -> Self {
        let think = match scenario.model {
            Model::Closed { think, .. } => think,
            Model::Open { .. } => ThinkTime::None,
        };
        let closed = matches!(scenario.model, Model::Closed { .. });
        Self {
            transport,
            program,
            feeds,
            seed,
            connections: scenario.connections,
            per_lane: closed && scenario.connections == Connections::PerUser,
            cookies: scenario.cookies,
            connect_timeout: scenario.connect_timeout,
            max_body: scenario.max_body,
            think,
        }
    }
}

impl Plan for HttpPlan {
    type Work = HttpWork;

    fn open(self: &Arc<Self>, part: Part, clock: Clock) -> HttpWork {
        let share = match self.connections {
            Connections::PerUser => None,
            // A worker without any connection could never send.
            Connections::Shared(pool) => Some((part.share(u64::from(pool)) as u32).max(1)),
        };
        HttpWork {
            transport: Transport::new(Arc::clone(&self.transport), clock, share, self.per_lane),
            plan: Arc::clone(self),
        }
    }
}

/// One worker's part of it.
#[derive(Debug)]
pub struct HttpWork {
    transport: Rc<Transport>,
    plan: Arc<HttpPlan>,
}

/// A user or an arrival, and where its requests leave from.
#[derive(Debug)]
pub struct HttpActor {
    lane: Lane,
    user: User,
}

impl Outlet for Lane {
    fn last_sent(&self) -> Option<Nanos> {
        Lane::last_sent(self)
    }
}

impl Work for HttpWork {
    type Actor = HttpActor;

    fn actor(&self, number: u64) -> HttpActor {
        HttpActor {
            lane: self.transport.lane(),
            user: User::new(self.plan.seed, number, self.plan.cookies),
        }
    }

    async fn journey(&self, actor: &mut HttpActor, turn: Turn, meter: &Meter) -> Outcome {
        let plan = &*self.plan;
        let program = &plan.program;
        let journey = &program.journeys[program.pick(plan.seed, turn.number)];
        if let Err(failure) = actor.user.begin(journey, &plan.feeds, turn.number) {
            let step = journey.steps.first().map_or(0, |step| step.index);
            let done = meter.unsent(step, turn.due, &failure);
            return Outcome { done, sent: false };
        }
        let mut outcome = Outcome {
            done: turn.due,
            sent: false,
        };
        let mut due = turn.due;
        for (place, step) in journey.steps.iter().enumerate() {
            let request = self.request(actor, step, due, meter).await;
            outcome.done = request.done;
            outcome.sent |= request.sent;
            if !(request.passed || step.optional) || place + 1 == journey.steps.len() {
                break;
            }
            let pause = actor.user.think(step.think);
            due = request.done.saturating_add(pause.as_nanos() as Nanos);
            if !pause.is_zero() {
                meter.sleep_until(due).await;
            }
        }
        outcome
    }

    fn pause(&self, actor: &mut HttpActor) -> Duration {
        actor.user.think(self.plan.think)
    }

    fn connections(&self) -> u64 {
        self.transport.open()
    }
}

/// A write of a ledger, handed to the meter when it is dropped: it may have arrived even if the window stopped before its
/// answer came.
struct Writing<'a> {
    meter: &'a Meter,
    write: Write,
    /// Whether it may have left.
    left: bool,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if self.left {
            self.meter.write(self.write);
        }
    }
}

/// What the journey needs to know of a request.
struct Ended {
    done: Nanos,
    sent: bool,
    passed: bool,
}

impl HttpWork {
    async fn request(
        &self,
        actor: &mut HttpActor,
        step: &CompiledStep,
        due: Nanos,
        meter: &Meter,
    ) -> Ended {
        let request = match step.request(&mut actor.user) {
            Ok(request) => request,
            Err(failure) => {
                return Ended {
                    done: meter.unsent(step.index, due, &failure),
                    sent: false,
                    passed: false,
                };
            }
        };
        let limits = Limits {
            timeout: step.timeout,
            connect_timeout: self.plan.connect_timeout,
            keep: step.keep,
            max_body: self.plan.max_body,
        };
        let mut writing = step.ledger.as_ref().map(|(ledger, _)| Writing {
            meter,
            write: Write {
                ledger: *ledger,
                number: actor.user.written(),
                at: meter.now(),
                acknowledged: false,
            },
            left: true,
        });
        let mut underway = Underway::new(meter, &mut actor.lane, step.index, due);
        let exchange = underway.outlet().send(request, limits).await;
        underway.settle();
        let checked = match &exchange.result {
            Ok(response) => step.check(&mut actor.user, response, &exchange),
            Err(_) => Ok(()),
        };
        let failure = match (&exchange.result, &checked) {
            (Err(failure), _) | (Ok(_), Err(failure)) => Some(failure),
            (Ok(_), Ok(())) => None,
        };
        if let Some(writing) = &mut writing {
            writing.left = exchange.sent.is_some();
            writing.write.at = exchange.done;
            writing.write.acknowledged = failure.is_none();
        }
        report(step, due, &exchange, failure, &actor.user, meter);
        Ended {
            done: exchange.done,
            sent: exchange.sent.is_some(),
            passed: failure.is_none(),
        }
    }
}

/// Counts a request, and keeps what is worth more than a count.
fn report(
    step: &CompiledStep,
    due: Nanos,
    exchange: &Exchange,
    failure: Option<&Failure>,
    user: &User,
    meter: &Meter,
) {
    let status = match &exchange.result {
        Ok(response) => Some(response.status),
        Err(failure) => failure.status,
    };
    let seen = Observation {
        step: step.index,
        due,
        sent: exchange.sent,
        done: exchange.done,
        status: status.map(|status| status.as_u16()),
        error: failure.map(|failure| failure.kind),
        bytes_in: exchange.bytes_in,
        bytes_out: exchange.bytes_out,
    };
    let interest = meter.record(&seen);
    if interest.slow {
        meter.keep_slow(Exemplar {
            step: seen.step,
            at: due / 1000,
            trace: user.trace_id(),
            status: seen.status,
            error: seen.error,
            response: seen.response(),
            split: split(due, exchange),
        });
    }
    if let Some(failure) = failure
        && interest.new_error
    {
        meter.keep_sample(&seen, failure);
    }
}

/// Where the time went, µs: wait, connect, TLS, first byte, body.
fn split(due: Nanos, exchange: &Exchange) -> [u64; 5] {
    let Exchange {
        connect,
        tls,
        first_byte,
        done,
        ..
    } = *exchange;
    let sent = exchange.sent.unwrap_or(done);
    let wait = sent.saturating_sub(due).saturating_sub(connect + tls);
    let body = if first_byte > 0 {
        done.saturating_sub(sent).saturating_sub(first_byte)
    } else {
        0
    };
    // Without an answer's head all the time since sending was spent waiting for it.
    let first_byte = if first_byte > 0 {
        first_byte
    } else {
        done.saturating_sub(sent)
    };
    [wait, connect, tls, first_byte, body].map(|part| part / 1000)
}

#[cfg(test)]
#[path = "http_work_tests.rs"]
mod tests;
