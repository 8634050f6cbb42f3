//! Scraping against real exporters, real Prometheus, and servers that do what they should not.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

use support::daemons::{Prometheus, node_exporter};
use support::wait_for;

#[test]
fn prometheus_scrapes_a_real_exporter() {
    let node = node_exporter();
    let prometheus = Prometheus::scraping(&[("node", &node.address, "/metrics")]);
    wait_for("a scrape", || {
        let up = prometheus.query("up", None);
        (up["result"][0]["value"][1] == "1").then_some(())
    });
}
