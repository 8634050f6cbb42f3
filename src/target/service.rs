//! One request from its head to its answer.
//!
//! Requests of all connections flow in, answers flow out at the moment at which their server is done. Everything runs on
//! one thread, so state is in plain cells: nothing is locked, and nothing is borrowed across an await. The invariant: a
//! request of the shop joins the queue the moment its head was read, before its body, and is counted exactly once.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderValue, SET_COOKIE};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::alerts::{self, Alerts};
use super::distribution::Sampler;
use super::faults::{Breakage, Change, Harm};
use super::metrics::{self, Counts, Now};
use super::options::{Options, Page, StallEvery};
use super::routes::{Match, Route};
use super::shop::{Answer, Asked, Shop};
use super::station::Station;
use super::timer::{self, Timer};
use super::work::Pattern;

/// Longest body that is read, bytes.
const LONGEST_BODY: usize = 64 << 10;
/// Requests that may be held at a time, whatever the number of servers; one more is answered 503.
const MOST_HELD: usize = 262_144;
/// What a request is counted as whose client left before its answer.
const CLIENT_LEFT: u16 = 499;

/// Everything that requests share.
pub struct Service {
    options: Options,
    samplers: [Sampler; Page::ALL.len()],
    random: RefCell<StdRng>,
    station: RefCell<Station>,
    /// Wakes answers; keeps working time.
    pub timer: Timer,
    breakage: RefCell<Breakage>,
    shop: RefCell<Shop>,
    counts: RefCell<Counts>,
    alerts: RefCell<Alerts>,
    in_flight: Cell<usize>,
    /// Open connections.
    pub connections: Cell<usize>,
}

/// A request that is being answered: counted when dropped.
struct Underway<'a> {
    service: &'a Service,
    route: Route,
    arrived: u64,
    status: u16,
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        let service = self.service;
        service.in_flight.set(service.in_flight.get() - 1);
        let took = timer::now().saturating_sub(self.arrived);
        let mut counts = service.counts.borrow_mut();
        counts.observe(self.route, self.status, took);
        if matches!(self.route, Route::Shop(_)) {
            service.alerts.borrow_mut().observe(self.status, took);
        }
    }
}

impl Service {
    /// A service as the options say. Needs a tokio runtime.
    pub fn new(options: Options) -> io::Result<Self> {
        let pattern = options.stall.map_or(Pattern::Running, StallEvery::pattern);
        Ok(Self {
            samplers: Page::ALL.map(|page| options.service.of(page).sampler()),
            random: RefCell::new(StdRng::seed_from_u64(options.seed)),
            station: RefCell::new(Station::new(options.servers, options.queue)),
            timer: Timer::new(pattern)?,
            breakage: RefCell::new(Breakage::new(options.seed, options.stall)),
            shop: RefCell::new(Shop::new(options.seed)),
            counts: RefCell::default(),
            alerts: RefCell::default(),
            in_flight: Cell::new(0),
            connections: Cell::new(0),
            options,
        })
    }

    /// Lets the leak grow, for ever.
    pub async fn leak(&self) {
        const STEP: Duration = Duration::from_millis(100);
        let mut ticks = tokio::time::interval(STEP);
        loop {
            ticks.tick().await;
            self.breakage.borrow_mut().leak(STEP);
        }
    }

    /// Looks at itself, for ever.
    pub async fn watch(&self) {
        let mut beats = tokio::time::interval(alerts::BEAT);
        loop {
            beats.tick().await;
            let held = self.in_flight.get();
            self.alerts.borrow_mut().beat(held, SystemTime::now());
        }
    }

    /// Answers a request. Fails only when the timer does, which ends the connection.
    pub async fn answer(
        self: Rc<Self>,
        request: Request<Incoming>,
    ) -> io::Result<Response<Full<Bytes>>> {
        let arrived = timer::now();
        let (head, body) = request.into_parts();
        let found = Route::find(&head.method, head.uri.path());
        let (route, id) = match found {
            Match::Found(route, id) => (route, id),
            Match::WrongMethod(_) | Match::Nothing => (Route::Unknown, ""),
        };
        self.in_flight.set(self.in_flight.get() + 1);
        let mut underway = Underway {
            service: &self,
            route,
            arrived,
            status: CLIENT_LEFT,
        };
        let answer = match (found, route) {
            (Match::WrongMethod(allow), _) => {
                let mut answer = Answer::error(405, &format!("this path takes {allow}"));
                answer.allow = Some(allow);
                answer
            }
            (_, Route::Shop(page)) => {
                let asked = Asked {
                    id,
                    query: head.uri.query().unwrap_or_default(),
                    token: token(&head.headers),
                    ..Asked::default()
                };
                self.serve(page, asked, body, arrived).await
            }
            (_, Route::Health) => Answer::new(200, "text/plain", "ok\n"),
            (_, Route::Metrics) if self.options.metrics => self.metrics(arrived),
            (_, Route::Alerts) => Answer::json(200, &self.alerts.borrow().firing()),
            (_, Route::Faults) => self.faults(&head.method, body).await,
            (_, Route::Metrics | Route::Unknown) => Answer::error(404, "no such page"),
        };
        underway.status = answer.status;
        drop(underway);
        Ok(response(answer))
    }

    async fn serve(&self, page: Page, asked: Asked<'_>, body: Incoming, arrived: u64) -> Answer {
        let service = self.samplers[page as usize].draw(&mut *self.random.borrow_mut());
        let Harm {
            later,
            fails,
            copies,
        } = self.breakage.borrow_mut().harm();
        let working = self.timer.working(arrived);
        let departure = self.station.borrow_mut().arrive(working, service);
        let Some(departure) = departure.ok().filter(|_| self.timer.pending() < MOST_HELD) else {
            return Answer::error(503, "the queue is full");
        };
        let read = match page {
            Page::Login | Page::Cart | Page::Order | Page::Write => read(body).await,
            Page::Home
            | Page::Search
            | Page::Item
            | Page::Receipt
            | Page::Events
            | Page::Written => Ok(Bytes::new()),
        };
        self.timer.until_worked(departure).await;
        if later > 0 {
            self.timer.until(timer::now().saturating_add(later)).await;
        }
        if fails {
            return Answer::error(500, "this request was chosen to fail");
        }
        let body = match read {
            Ok(body) => body,
            Err(answer) => return answer,
        };
        let asked = Asked {
            body: &body,
            at_ms: unix_ms(),
            copies,
            ..asked
        };
        self.shop.borrow_mut().answer(page, asked)
    }

    fn metrics(&self, now: u64) -> Answer {
        let working = self.timer.working(now);
        let mut station = self.station.borrow_mut();
        let text = self.counts.borrow().text(Now {
            in_flight: self.in_flight.get(),
            connections: self.connections.get(),
            queue_depth: station.waiting(working),
            servers_busy: station.busy(working),
            servers: self.options.servers,
            stalled: self.timer.stalled(now),
            orders: self.shop.borrow().placed(),
            leak_bytes: self.breakage.borrow().leaked_bytes(),
        });
        Answer::new(200, metrics::CONTENT_TYPE, text)
    }

    async fn faults(&self, method: &Method, body: Incoming) -> Answer {
        if *method == Method::DELETE {
            self.breakage.borrow_mut().clear();
            self.timer.switch(Pattern::Running);
        } else if *method == Method::POST {
            let body = match read(body).await {
                Ok(body) => body,
                Err(answer) => return answer,
            };
            let change = match Change::from_json(&body) {
                Ok(change) => change,
                Err(error) => return Answer::error(400, &error.to_string()),
            };
            self.breakage.borrow_mut().apply(change);
            if let Some(stall) = change.stall {
                self.timer.switch(stall.pattern());
            }
        }
        Answer::json(200, &self.breakage.borrow().faults())
    }
}

/// Reads a body, or says what is wrong with it.
async fn read(body: Incoming) -> Result<Bytes, Answer> {
    match Limited::new(body, LONGEST_BODY).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            Err(Answer::error(413, "a body has at most 64 KiB"))
        }
        Err(_) => Err(Answer::error(400, "the body ended early")),
    }
}

fn token(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    bearer.map(str::trim).or_else(|| {
        headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|cookies| cookies.split(';'))
            .find_map(|cookie| cookie.trim().strip_prefix("session="))
    })
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

fn response(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(answer.body));
    // Statuses are those written in this module's own code.
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.kind));
    if let Some(allow) = answer.allow {
        headers.insert(ALLOW, HeaderValue::from_static(allow));
    }
    let cookie = answer
        .token
        .map(|token| format!("session={token}; Path=/; HttpOnly; SameSite=Lax"));
    if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::try_from(cookie).ok()) {
        headers.insert(SET_COOKIE, cookie);
    }
    response
}
