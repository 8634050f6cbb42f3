//! The shipped sets of gauges over real exporters: every gauge has a value in a real Prometheus.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/mod.rs"]
mod support;

use std::collections::HashSet;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use stormdeck::profile::model::Gauge;
use stormdeck::scrape::Labels;
use stormdeck::scrape::sets::{Sets, gauges_for};
use stormdeck::target::Options;
use support::daemons::{Daemon, Prometheus, get, node_exporter};
use support::postgres::Postgres;
use support::{free_port, wait_for};

/// Waits until a target is scraped, and gives the names of its sets and their gauges for it.
fn offered(prometheus: &Prometheus, job: &str, instance: &str) -> (Vec<String>, Vec<Gauge>) {
    let names: HashSet<String> = wait_for("a scrape", || {
        let expr = format!("count by (__name__) ({{job=\"{job}\"}})");
        let answer = prometheus.query(&expr, None);
        let series = answer["result"].as_array().unwrap().iter();
        let names: HashSet<String> = series
            .map(|series| series["metric"]["__name__"].as_str().unwrap().to_owned())
            .collect();
        // More than what Prometheus itself says of a target.
        (names.len() > 6).then_some(names)
    });
    let sets = Sets::shipped();
    let target = Labels::new([("job", job), ("instance", instance)]);
    let matching = sets.matching(|name| names.contains(name));
    let gauges = matching
        .iter()
        .flat_map(|set| gauges_for(set, &target, 0))
        .collect();
    let names = matching.iter().map(|set| set.name.clone()).collect();
    (names, gauges)
}

/// Waits until each gauge has a number, but for those named.
fn all_have_values(prometheus: &Prometheus, gauges: &[Gauge], but: &[&str]) {
    assert!(gauges.len() >= 4);
    for gauge in gauges {
        if but.contains(&gauge.name.as_str()) {
            continue;
        }
        wait_for(&gauge.name, || {
            let answer = prometheus.query(&gauge.expr, None);
            let value = answer["result"][0]["value"][1].as_str()?;
            value.parse::<f64>().ok().filter(|value| value.is_finite())
        });
    }
}

#[test]
fn node_exporter_shows_the_machine_and_not_itself() {
    let node = node_exporter();
    let prometheus = Prometheus::scraping(&[("node", &node.address, "/metrics")]);
    let (sets, gauges) = offered(&prometheus, "node", &node.address);
    assert_eq!(sets, ["node"]);
    // A machine without a disk of its own, as a container is, has none that could be busy.
    let (_, page) = node.get("/metrics").unwrap();
    let bare = !page.contains("\nnode_disk_io_time_seconds_total{");
    let but: &[&str] = if bare { &["disk busy"] } else { &[] };
    all_have_values(&prometheus, &gauges, but);
}

#[test]
fn a_process_with_a_client_library_shows_itself_and_its_runtime() {
    // A Prometheus is one.
    let watched = Prometheus::start("");
    let address = watched.0.address.clone();
    let prometheus = Prometheus::scraping(&[("prometheus", &address, "/metrics")]);
    let (sets, gauges) = offered(&prometheus, "prometheus", &address);
    assert_eq!(sets, ["process", "go"]);
    all_have_values(&prometheus, &gauges, &[]);
}

#[test]
fn the_demo_service_shows_rate_errors_and_duration() {
    let options = Options::from_query("servers=4&service=fixed:1ms").unwrap();
    let shop = stormdeck::target::spawn(options).unwrap();
    let address = shop.addr().to_string();
    let prometheus = Prometheus::scraping(&[("shop", &address, "/metrics")]);
    let (sets, gauges) = offered(&prometheus, "shop", &address);
    assert_eq!(sets, ["process", "shop"]);
    // It does not know its limit on open files. The rates need requests that were counted between two scrapes.
    for gauge in gauges
        .iter()
        .filter(|gauge| gauge.name != "open files of limit")
    {
        wait_for(&gauge.name, || {
            get(&address, "/").unwrap();
            let answer = prometheus.query(&gauge.expr, None);
            let value = answer["result"][0]["value"][1].as_str()?;
            value.parse::<f64>().ok().filter(|value| value.is_finite())
        });
    }
}

#[test]
fn postgres_exporter_shows_the_database() {
    let postgres = Postgres::start();
    let exporter = postgres.exporter();
    let prometheus = Prometheus::scraping(&[("pg", &exporter.address, "/metrics")]);
    let (sets, gauges) = offered(&prometheus, "pg", &exporter.address);
    assert_eq!(sets, ["postgres"]);
    all_have_values(&prometheus, &gauges, &[]);
}

#[test]
fn redis_exporter_shows_the_store() {
    let redis = Redis::start();
    let address = format!("redis://127.0.0.1:{}", redis.port);
    let exporter = Daemon::start("prometheus-redis-exporter", "/", |listen, _| {
        vec![
            format!("--web.listen-address={listen}"),
            format!("--redis.addr={address}"),
        ]
    });
    let prometheus = Prometheus::scraping(&[("redis", &exporter.address, "/metrics")]);
    let (sets, gauges) = offered(&prometheus, "redis", &exporter.address);
    assert_eq!(sets, ["redis"]);
    // It has no limit on its memory, and nobody has asked it for a key yet.
    all_have_values(
        &prometheus,
        &gauges,
        &["redis memory of limit", "redis hits"],
    );
}

/// A Redis that keeps nothing, ended on drop.
struct Redis {
    child: Child,
    port: u16,
}

impl Redis {
    fn start() -> Self {
        let port = free_port();
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port", &port.to_string()])
            .stdout(Stdio::null())
            .spawn()
            .expect("the package redis-server is installed");
        wait_for("Redis", || TcpStream::connect(("127.0.0.1", port)).ok());
        Self { child, port }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
