//! The transport against real servers on loopback, well behaved and not.

mod answers;
mod connections;
mod http2;
mod pool;
mod servers;
mod tls;

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use tokio::task::LocalSet;

use super::names::Lookup;
use super::{Exchange, Failure, Lane, Limits, Response, Transport, TransportError, TransportPlan};
use crate::load::clock::Clock;
use crate::profile::model::{Connections, HttpVersion, Model, Scenario, ThinkTime, Tls};
use crate::profile::secret::Text;
use crate::session::record::ErrorKind;

const LIMITS: Limits = Limits {
    timeout: Duration::from_secs(30),
    connect_timeout: Duration::from_secs(30),
    keep: 1 << 20,
    max_body: 10 << 20,
};

/// For servers that never finish.
const SHORT: Limits = Limits {
    timeout: Duration::from_millis(60),
    ..LIMITS
};

/// Runs a test the way a worker runs: one thread, local tasks.
fn on_a_worker(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, async {
        tokio::time::timeout(Duration::from_mins(1), test)
            .await
            .expect("the test hangs");
    });
}

fn scenario(target: &str) -> Scenario {
    Scenario {
        name: "test".into(),
        key: None,
        target: Text::plain(target),
        model: Model::Closed {
            users: 1,
            iterations: None,
            think: ThinkTime::None,
        },
        scale: true,
        timeout: LIMITS.timeout,
        connect_timeout: LIMITS.connect_timeout,
        journeys: Vec::new(),
        http: HttpVersion::Auto,
        connections: Connections::PerUser,
        tls: Tls::default(),
        headers: Vec::new(),
        trace: false,
        cookies: false,
        max_body: LIMITS.max_body,
        start: true,
    }
}

fn plan(target: &str) -> Arc<TransportPlan> {
    TransportPlan::compile(&scenario(target), &[]).unwrap()
}

/// A transport whose lanes own their connections.
fn per_lane(target: &str) -> Rc<Transport> {
    Transport::new(plan(target), Clock::start(), None, true)
}

fn pooled(target: &str, share: Option<u32>) -> Rc<Transport> {
    Transport::new(plan(target), Clock::start(), share, false)
}

fn speaking(target: &str, http: HttpVersion, share: Option<u32>) -> Rc<Transport> {
    let scenario = Scenario {
        http,
        ..scenario(target)
    };
    let plan = TransportPlan::compile(&scenario, &[]).unwrap();
    Transport::new(plan, Clock::start(), share, share.is_none())
}

fn get(path: &str) -> Request<Full<Bytes>> {
    Request::get(path).body(Full::default()).unwrap()
}

fn post(path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post(path).body(Full::new(body.into())).unwrap()
}

#[track_caller]
fn answer(exchange: Exchange) -> Response {
    exchange
        .result
        .unwrap_or_else(|failure| panic!("{failure:?}"))
}

#[track_caller]
fn failure(exchange: Exchange, kind: ErrorKind) -> Failure {
    let failure = exchange.result.expect_err("an answer came");
    assert_eq!(failure.kind, kind, "{failure:?}");
    failure
}

/// A resolver that knows one answer.
fn always(addresses: &[&str]) -> Lookup {
    let addresses: Vec<_> = addresses.iter().map(|a| a.parse().unwrap()).collect();
    Rc::new(move |_, _| {
        let addresses = addresses.clone();
        Box::pin(async move { Ok(addresses) })
    })
}

fn idle_lane_size() -> usize {
    size_of::<Lane>()
}

#[test]
fn an_idle_lane_is_tiny_and_a_sending_one_small() {
    assert!(idle_lane_size() <= 64, "{}", idle_lane_size());
    let transport = pooled("http://127.0.0.1:1", Some(1));
    let mut lane = transport.lane();
    let sending = size_of_val(&lane.send(get("/"), LIMITS));
    assert!(sending <= 3072, "{sending}");
}

#[test]
fn mistakes_in_the_options_are_told_before_the_start() {
    let error = |change: &dyn Fn(&mut Scenario), hosts: &[String]| -> String {
        let mut scenario = scenario("https://shop.example");
        change(&mut scenario);
        let error: TransportError = TransportPlan::compile(&scenario, hosts).unwrap_err();
        error.to_string()
    };
    assert!(error(&|s| s.target = Text::plain("shop"), &[]).contains("`shop`"));
    assert!(error(&|_| (), &["*".into()]).contains("`*`"));
    assert!(error(&|s| s.tls.ca = Some("/no/ca.pem".into()), &[]).contains("/no/ca.pem"));
    assert!(error(&|s| s.tls.cert = Some("/no/cert.pem".into()), &[]).contains("key"));
    let empty = tempfile::NamedTempFile::new().unwrap();
    let path = empty.path().to_owned();
    assert!(error(&|s| s.tls.ca = Some(path.clone()), &[]).contains("no certificate"));
}

#[test]
fn a_secret_in_a_target_is_not_in_the_message_about_it() {
    let mut scenario = scenario("http://x");
    scenario.target = Text::with_secret("ftp://hunter2", "ftp://‹secret:HOST›");
    let error = TransportPlan::compile(&scenario, &[])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("‹secret:HOST›") && !error.contains("hunter2"),
        "{error}"
    );
}
