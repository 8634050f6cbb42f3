//! What is known while targets are watched, and what becomes of what the tasks report.
//!
//! In: reports and questions. Out: [`Observed`], once a tick. Everything is here, on one thread; only waiting is done
//! elsewhere.

mod asks;
mod moment;
mod offers;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::task::AbortHandle;

use super::setup::{OfTarget, Setup};
use super::tasks::{self, Report};
use super::{Ask, LEAD, Observed, Seen, Spec};
use crate::scrape::alerts;
use crate::scrape::api::Told;
use crate::scrape::client::Client;
use crate::scrape::discover::Place;
use crate::scrape::endpoint::{Endpoint, Scrape, Taken, Wanted};
use crate::scrape::gauge::{Gauge, Naming, Reading, Trouble};
use crate::scrape::names::{self, Book};
use crate::scrape::recorded::Recorded;
use crate::scrape::sets::Sets;
use crate::session::record::{Alert, Happening, Instance, ScrapeTick};

/// How often files of endpoints are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// Reports that may wait; a task with one more waits itself.
const WAITING: usize = 256;
/// Names in an answer.
const FOUND: usize = 200;
/// A clock that is off by more than this is told, s.
const CLOCK: f64 = 1.0;

/// The state of the thread.
pub struct Core {
    spec: Spec,
    targets: Vec<OfTarget>,
    endpoints: HashMap<u64, Live>,
    next_endpoint: u64,
    gauges: Vec<Gauge>,
    remote: Vec<Remote>,
    wanted: Wanted,
    book: Book,
    recorded: Recorded,
    /// What the gauges' series are, by index in the names.
    values: BTreeMap<usize, f64>,
    pending: Observed,
    reports: mpsc::Sender<Report>,
    reported: mpsc::Receiver<Report>,
    started: bool,
    sets: Sets,
    /// The metrics that each expression of a set needs. Reading one costs milliseconds, which the load would feel.
    needs: HashMap<String, Vec<String>>,
}

/// An endpoint that is scraped.
struct Live {
    target: usize,
    place: Place,
    endpoint: Endpoint,
    task: AbortHandle,
}

/// A gauge that a server evaluates.
struct Remote {
    naming: Naming,
    reading: Reading,
    trouble: Trouble,
    beyond: usize,
}

impl Core {
    /// Ready to run.
    pub fn new(spec: Spec, setup: Setup) -> Self {
        let (reports, reported) = mpsc::channel(WAITING);
        let mut recorded = Recorded::new(0);
        recorded.begin(spec.wall);
        let mut this = Self {
            book: Book::new(spec.began),
            spec,
            wanted: setup.wanted,
            targets: setup.targets,
            endpoints: HashMap::new(),
            next_endpoint: 0,
            gauges: setup.gauges,
            remote: setup
                .remote
                .iter()
                .map(|name| Remote {
                    naming: Naming::new(name),
                    reading: Reading::default(),
                    trouble: Trouble::default(),
                    beyond: 0,
                })
                .collect(),
            recorded,
            values: BTreeMap::new(),
            pending: Observed::default(),
            reports,
            reported,
            started: false,
            sets: setup.sets,
            needs: HashMap::new(),
        };
        this.recorded.reach_at_least(this.wanted.reach());
        this
    }

    /// Runs until nobody can ask any more.
    pub async fn run(
        mut self,
        mut asked: UnboundedReceiver<Ask>,
        observed: mpsc::Sender<Observed>,
    ) {
        self.look();
        self.ask_servers();
        let mut look = tokio::time::interval(LOOK);
        let mut tick = 1;
        loop {
            // The end of the tick is at least a tick after the beginning of all, and this is less.
            let lead = LEAD.min(self.spec.tick / 4);
            let due = self.spec.began + (self.spec.tick * tick).saturating_sub(lead);
            tokio::select! {
                // Cannot be closed: the sender is beside it.
                Some(report) = self.reported.recv() => self.on_report(report),
                () = tokio::time::sleep_until(due.into()) => {
                    self.on_tick();
                    self.hand_over(&observed);
                    let passed = self.spec.began.elapsed().as_nanos() / self.spec.tick.as_nanos().max(1);
                    tick = u32::try_from(passed).unwrap_or(u32::MAX).max(tick).saturating_add(1);
                }
                ask = asked.recv() => match ask {
                    Some(ask) => self.on_ask(ask),
                    None => return,
                },
                _ = look.tick() => {
                    self.look();
                    // Some metrics are there only after the first request.
                    for target in 0..self.targets.len() {
                        if self.targets[target].plan.auto {
                            self.recognize(target);
                        }
                    }
                }
            }
        }
    }

    /// µs since the window began.
    fn at(&self, moment: Instant) -> u64 {
        let at = moment
            .saturating_duration_since(self.spec.began)
            .as_micros();
        u64::try_from(at).unwrap_or(u64::MAX)
    }

    fn note(&mut self, what: Happening) {
        self.note_by(None, what);
    }

    fn note_by(&mut self, by: Option<String>, what: Happening) {
        let at = self.at(Instant::now());
        self.pending.happenings.push(Seen { at, by, what });
    }

    fn warn(&mut self, text: String) {
        self.note(Happening::Warning { text });
    }
}

/// Endpoints that come and go.
impl Core {
    /// Looks for endpoints that are new or gone.
    fn look(&mut self) {
        for target in 0..self.targets.len() {
            let of = &mut self.targets[target];
            let Some(discovery) = &mut of.discovery else {
                continue;
            };
            if self.started && discovery.is_fixed() {
                continue;
            }
            let said = discovery.refresh();
            let places = discovery.places();
            let name = of.plan.name.clone();
            for text in said {
                self.warn(format!("target `{name}`: {text}"));
            }
            let gone: Vec<u64> = self
                .endpoints
                .iter()
                .filter(|(_, live)| live.target == target && !places.contains(&live.place))
                .map(|(&id, _)| id)
                .collect();
            for id in gone {
                self.end(id);
            }
            for place in places {
                let there = |live: &Live| live.target == target && live.place == place;
                if !self.endpoints.values().any(there) {
                    self.begin(target, place);
                }
            }
        }
        self.started = true;
    }

    fn begin(&mut self, target: usize, place: Place) {
        let of = &self.targets[target];
        let client = match Client::new(of.endpoint(place.url.clone())) {
            Ok(client) => client,
            Err(error) => {
                let text = format!("target `{}`: {error}", of.plan.name);
                return self.warn(text);
            }
        };
        let instance = Instance {
            target: of.plan.name.clone(),
            instance: place.instance.clone(),
        };
        let filter = Arc::clone(&of.filter);
        let every = of.plan.every;
        let index = self.book.instance(instance.clone());
        let id = self.next_endpoint;
        self.next_endpoint += 1;
        let task = tokio::spawn(tasks::scrape(
            client,
            id,
            (self.spec.began, every),
            self.reports.clone(),
        ));
        let live = Live {
            target,
            endpoint: Endpoint::new(index, &instance, &place.labels, filter),
            place,
            task: task.abort_handle(),
        };
        self.endpoints.insert(id, live);
    }

    fn end(&mut self, id: u64) {
        if let Some(mut live) = self.endpoints.remove(&id) {
            live.task.abort();
            let at = self.at(Instant::now());
            let tick = live.endpoint.end(at);
            self.keep(tick);
        }
    }

    fn ask_servers(&mut self) {
        for (target, of) in self.targets.iter_mut().enumerate() {
            let Some(server) = of.server(target) else {
                continue;
            };
            let instance = Instance {
                target: of.plan.name.clone(),
                instance: of.instance.clone(),
            };
            let index = self.book.instance(instance.clone());
            let filter = Arc::clone(&of.filter);
            of.health = Some(Endpoint::new(index, &instance, &of.plan.labels, filter));
            let (began, reports) = (self.spec.began, self.reports.clone());
            if of.is_prometheus() {
                tokio::spawn(tasks::prometheus(server, of.remote.clone(), began, reports));
            } else {
                tokio::spawn(tasks::alertmanager(server, began, reports));
            }
        }
    }
}

/// What the tasks report.
impl Core {
    fn on_report(&mut self, report: Report) {
        match report {
            Report::Scraped {
                place,
                began,
                took,
                missed,
                outcome,
            } => {
                let at = self.at(began);
                let scrape = Scrape {
                    at,
                    at_ms: self.recorded.moment(at),
                    took,
                    missed,
                    outcome,
                };
                let date = scrape
                    .outcome
                    .as_ref()
                    .ok()
                    .and_then(|fetched| fetched.date);
                if let (Some(date), Some(live)) = (date, self.endpoints.get(&place)) {
                    let (target, instance) = (live.target, live.place.instance.clone());
                    self.on_clock(target, &instance, ahead(date, began));
                }
                self.on_scrape(place, &scrape);
            }
            Report::Told { gauge, outcome } => self.on_told(gauge, outcome),
            Report::Alerts {
                target,
                outcome,
                asked: (began, took),
            } => {
                let at = self.at(began);
                self.on_alerts(target, outcome, (at, took));
            }
            Report::Clock { target, ahead } => {
                let instance = self.targets[target].instance.clone();
                self.on_clock(target, &instance, ahead);
            }
        }
    }

    fn on_scrape(&mut self, id: u64, scrape: &Scrape) {
        // One that ended while its report waited.
        let Some(live) = self.endpoints.get_mut(&id) else {
            return;
        };
        let taken = live.endpoint.take(scrape, &self.wanted, &mut self.book);
        let fresh = taken.fresh;
        let target = live.target;
        let index = taken.tick.of;
        self.take(taken);
        match (fresh, self.targets[target].plan.auto) {
            (true, true) => self.recognize(target),
            (true, false) => self.offer(target, index),
            (false, _) => {}
        }
        if self.book.was_full() {
            let said = self.targets[target].full.update(Some(String::new()));
            if said.is_some() {
                self.warn(format!(
                    "target `{}`: more than {} series are to be recorded; the others are not",
                    self.targets[target].plan.name,
                    names::MOST_SERIES
                ));
            }
        }
    }

    fn take(&mut self, taken: Taken) {
        let index = taken.tick.of;
        self.keep(taken.tick);
        if let Some(turned) = taken.turned {
            self.note(Happening::Target {
                instance: index,
                up: turned.is_ok(),
                text: turned.err().unwrap_or_default(),
            });
        }
        if let Some(text) = taken.bad {
            self.note(Happening::Target {
                instance: index,
                up: true,
                text,
            });
        }
    }

    /// Keeps a scrape for the session, and for the gauges as the session will have it.
    fn keep(&mut self, tick: ScrapeTick) {
        self.recorded.learn(self.book.names());
        self.recorded.apply_scrape(&tick);
        self.pending.scrapes.push(tick);
    }

    fn on_told(&mut self, gauge: usize, outcome: Result<Told, String>) {
        let remote = &mut self.remote[gauge];
        let said = match outcome {
            Ok((value, _)) => {
                remote.reading = remote.naming.read(value);
                remote.trouble.update(None)
            }
            Err(why) => {
                remote.reading = Reading::default();
                remote.trouble.update(Some(why))
            }
        };
        if let Some(why) = said {
            let text = format!("gauge `{}` has no value: {why}", remote.naming.name());
            self.warn(text);
        }
    }

    fn on_alerts(
        &mut self,
        target: usize,
        outcome: Result<Vec<Alert>, String>,
        (at, took): (u64, Duration),
    ) {
        let of = &mut self.targets[target];
        let (told, error) = match outcome {
            Ok(alerts) => (Some(alerts), None),
            Err(error) => (None, Some(error)),
        };
        let Some(health) = &mut of.health else { return };
        let taken = health.answered(at, took, error, &mut self.book);
        let changes = told.map_or(Vec::new(), |told| of.standing.update(told));
        let beyond = of.standing.beyond;
        self.take(taken);
        for alert in changes {
            self.note(Happening::Alert(Box::new(alert)));
        }
        self.too_many_alerts(target, beyond);
    }

    fn too_many_alerts(&mut self, target: usize, beyond: usize) {
        let of = &mut self.targets[target];
        let now = (beyond > 0).then(|| "too many".to_owned());
        if of.many_alerts.update(now).is_some() {
            let text = format!(
                "target `{}` has more than {} alerts; {beyond} are not watched",
                of.plan.name,
                alerts::MOST
            );
            self.warn(text);
        }
    }

    fn on_clock(&mut self, target: usize, instance: &str, ahead: f64) {
        let of = &mut self.targets[target];
        if ahead.abs() <= CLOCK {
            of.clocks_off.remove(instance);
            return;
        }
        if !of.clocks_off.insert(instance.to_owned()) {
            return;
        }
        let way = if ahead > 0.0 { "ahead of" } else { "behind" };
        let text = format!("its clock is {:.1} s {way} ours", ahead.abs());
        let instance = self.book.instance(Instance {
            target: of.plan.name.clone(),
            instance: instance.to_owned(),
        });
        self.note(Happening::Target {
            instance,
            up: true,
            text,
        });
    }
}

/// By how much a clock is ahead of ours at least, s, or behind if negative, when its date was told in answer to a
/// request that began then. A date is cut to whole seconds, and was told at any moment of the exchange.
fn ahead(date: i64, began: Instant) -> f64 {
    let now = jiff::Timestamp::now().as_microsecond() as f64 / 1e6;
    ahead_at(date as f64, now - began.elapsed().as_secs_f64(), now)
}

fn ahead_at(date: f64, began: f64, ended: f64) -> f64 {
    let (least, most) = (date - ended, date + 1.0 - began);
    match (least > 0.0, most < 0.0) {
        (true, _) => least,
        (_, true) => most,
        (false, false) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_in_whole_seconds_is_no_proof_of_a_clock_that_is_off() {
        assert!(ahead_at(100.0, 100.9, 101.0).abs() < 1e-9);
        assert!(ahead_at(101.0, 100.9, 101.2).abs() < 1e-9);
        assert!((ahead_at(105.0, 100.9, 101.0) - 4.0).abs() < 1e-9);
        assert!((ahead_at(95.0, 100.5, 101.0) + 4.5).abs() < 1e-9);
    }
}
