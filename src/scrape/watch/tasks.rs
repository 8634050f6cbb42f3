//! What waits for others: a task for each endpoint and each server, which asks at its times and reports what came.
//!
//! The invariant: one request of a task at a time. A scrape that takes longer than its interval leaves out those that
//! it overlaps, and counts them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use url::Url;

use crate::scrape::alerts;
use crate::scrape::api::{self, Told};
use crate::scrape::client::{Client, FetchError, Fetched};
use crate::session::record::Alert;

/// Queries of one server at a time.
const AT_ONCE: usize = 4;

/// What a task has to say.
#[derive(Debug)]
pub enum Report {
    /// A scrape ended.
    Scraped {
        /// Which endpoint.
        place: u64,
        /// When it began.
        began: Instant,
        /// How long it took.
        took: Duration,
        /// Intervals that were left out before it.
        missed: u64,
        /// The body, or why there is none.
        outcome: Result<Fetched, String>,
    },
    /// A server answered a query.
    Told {
        /// The gauge, by its place among those of servers.
        gauge: usize,
        /// Its value, or why there is none.
        outcome: Result<Told, String>,
    },
    /// A server told its alerts.
    Alerts {
        /// The target, by its place in the profile.
        target: usize,
        /// All of them, or why there are none.
        outcome: Result<Vec<Alert>, String>,
        /// When it was asked, and how long it took.
        asked: (Instant, Duration),
    },
    /// A server's clock was read.
    Clock {
        /// The target, by its place in the profile.
        target: usize,
        /// By how much it is ahead of ours, seconds.
        ahead: f64,
    },
}

/// Times at which something is to be done: every so often, from a moment on that differs from one endpoint to the next,
/// so that not all are asked at once.
#[derive(Debug)]
struct Times {
    next: Instant,
    every: Duration,
}

impl Times {
    fn new(began: Instant, every: Duration, of: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        of.hash(&mut hasher);
        let share = hasher.finish() as f64 / u64::MAX as f64;
        Self {
            next: began + every.mul_f64(share),
            every,
        }
    }

    /// Waits for the next time. Gives how many were missed.
    async fn wait(&mut self) -> u64 {
        let missed = self.pass(Instant::now());
        tokio::time::sleep_until(self.next.into()).await;
        self.next += self.every;
        missed
    }

    /// Passes over what lies more than an interval behind.
    fn pass(&mut self, now: Instant) -> u64 {
        let late = now.saturating_duration_since(self.next);
        let missed = u64::try_from(late.as_nanos() / self.every.as_nanos().max(1));
        let missed = missed.unwrap_or(u64::MAX);
        self.next += self.every * u32::try_from(missed).unwrap_or(u32::MAX);
        missed
    }
}

/// Scrapes one endpoint until nobody listens any more.
pub async fn scrape(
    mut client: Client,
    place: u64,
    (began, every): (Instant, Duration),
    reports: mpsc::Sender<Report>,
) {
    let mut times = Times::new(began, every, client.endpoint().url.reveal());
    loop {
        let missed = times.wait().await;
        let began = Instant::now();
        let outcome = client.fetch().await.map_err(|error| error.to_string());
        let report = Report::Scraped {
            place,
            began,
            took: began.elapsed(),
            missed,
            outcome,
        };
        if reports.send(report).await.is_err() {
            return;
        }
    }
}

/// A server to be asked: which target it is, how, and how often.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its target's place in the profile.
    pub target: usize,
    /// The target's name.
    pub name: String,
    /// Requests to it.
    pub client: Client,
    /// Its own URL, below which the API is.
    pub base: Url,
    /// How often.
    pub every: Duration,
}

impl Server {
    /// A URL of its API.
    fn url(&self, path: &str, query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url.set_query(None);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

/// Asks a Prometheus server for gauges (their place, and their expression) and alerts, until nobody listens any more.
pub async fn prometheus(
    mut server: Server,
    gauges: Vec<(usize, String)>,
    began: Instant,
    reports: mpsc::Sender<Report>,
) {
    let mut times = Times::new(began, server.every, &server.name);
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        times.wait().await;
        let mut queries = JoinSet::new();
        for (gauge, expr) in gauges.clone() {
            let (mut server, permits) = (server.clone(), Arc::clone(&permits));
            queries.spawn(async move {
                // Fails only when the semaphore is closed, which nobody does.
                let _permit = permits.acquire().await;
                let outcome = ask(&mut server, &expr).await;
                Report::Told { gauge, outcome }
            });
        }
        while let Some(report) = queries.join_next().await {
            let Ok(report) = report else { continue };
            if reports.send(report).await.is_err() {
                return;
            }
        }
        let url = server.url("/api/v1/rules", &[("type", "alert")]);
        if !report_alerts(&mut server, &url, alerts::of_prometheus, &reports).await
            || !report_clock(&mut server, &reports).await
        {
            return;
        }
    }
}

/// Asks an Alertmanager for alerts, until nobody listens any more.
pub async fn alertmanager(mut server: Server, began: Instant, reports: mpsc::Sender<Report>) {
    let mut times = Times::new(began, server.every, &server.name);
    let url = server.url("/api/v2/alerts", &[]);
    loop {
        times.wait().await;
        if !report_alerts(&mut server, &url, alerts::of_alertmanager, &reports).await {
            return;
        }
    }
}

async fn ask(server: &mut Server, expr: &str) -> Result<Told, String> {
    let url = server.url("/api/v1/query", &[("query", expr)]);
    let answer = server.client.ask(url).await;
    // A server says what is wrong with an expression in the body of a refusal.
    let answer = answer.map_err(|error| error.to_string())?;
    api::value(&answer.body)
}

/// Whether anybody still listens.
async fn report_alerts(
    server: &mut Server,
    url: &Url,
    read: fn(&str, &[u8]) -> serde_json::Result<Vec<Alert>>,
    reports: &mpsc::Sender<Report>,
) -> bool {
    let began = Instant::now();
    let outcome = match server.client.ask(url.clone()).await {
        Ok(answer) if answer.status == 200 => read(&server.name, &answer.body)
            .map_err(|error| format!("its answer about alerts is not understood: {error}")),
        Ok(answer) => Err(format!(
            "asked for its alerts, it answers with status {}",
            answer.status
        )),
        // Others that answer queries as Prometheus does have their rules elsewhere.
        Err(FetchError::Status(404)) => Ok(Vec::new()),
        Err(error) => Err(error.to_string()),
    };
    let report = Report::Alerts {
        target: server.target,
        outcome,
        asked: (began, began.elapsed()),
    };
    reports.send(report).await.is_ok()
}

/// Reads the server's clock, to the millisecond: by what it takes for now. Whether anybody still listens.
async fn report_clock(server: &mut Server, reports: &mpsc::Sender<Report>) -> bool {
    let asked = jiff::Timestamp::now();
    let Ok((_, Some(theirs))) = ask(server, "vector(1)").await else {
        return !reports.is_closed();
    };
    let answered = jiff::Timestamp::now();
    let ours = f64::midpoint(seconds(asked), seconds(answered));
    let report = Report::Clock {
        target: server.target,
        ahead: theirs - ours,
    };
    reports.send(report).await.is_ok()
}

fn seconds(at: jiff::Timestamp) -> f64 {
    at.as_microsecond() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_spread_over_the_interval_and_keep_their_places() {
        let began = Instant::now();
        let every = Duration::from_secs(10);
        let offsets: Vec<Duration> = (0..200)
            .map(|place| Times::new(began, every, format!("http://a:{place}")).next - began)
            .collect();
        assert!(offsets.iter().all(|&offset| offset <= every));
        let early = offsets.iter().filter(|&&offset| offset < every / 2).count();
        assert!((60..140).contains(&early), "{early}");
        assert_eq!(
            Times::new(began, every, "http://a:7".to_owned()).next - began,
            offsets[7]
        );
    }

    #[test]
    fn what_a_slow_scrape_overlaps_is_left_out_and_counted() {
        let began = Instant::now();
        let every = Duration::from_secs(1);
        let mut times = Times { next: began, every };
        assert_eq!(times.pass(began), 0);
        assert_eq!(times.pass(began + Duration::from_millis(900)), 0);
        assert_eq!(times.pass(began + Duration::from_millis(3_500)), 3);
        assert_eq!(times.next - began, Duration::from_secs(3));
        assert_eq!(times.pass(began + Duration::from_millis(3_500)), 0);
    }
}
