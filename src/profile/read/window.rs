//! `[window]` and `[notify]`.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::check;
use super::table::Table;
use crate::profile::hosts::HostRule;
use crate::profile::model::{Notify, Window};
use crate::profile::units::{Factor, format_duration};

/// The seed of a profile that names none.
const SEED: u64 = 42;
/// The recording interval unless said otherwise, and its bounds.
const TICK: Duration = Duration::from_secs(1);
const TICKS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_mins(1));
/// How long requests in flight may take to finish, unless said otherwise.
const DRAIN: Duration = Duration::from_secs(10);
/// What the spike key applies, unless said otherwise.
const SPIKE: Factor = Factor(10.0);

pub(super) fn read(top: &mut Table<'_, '_>, origin: &Path) -> Window {
    let stem = origin.file_stem().unwrap_or_default().to_string_lossy();
    let mut window = Window {
        name: stem.into_owned(),
        about: String::new(),
        allow_hosts: Vec::new(),
        seed: SEED,
        runbook: None,
        environment: None,
        predicted: std::collections::BTreeMap::new(),
        duration: None,
        tick: TICK,
        drain: DRAIN,
        metrics: None,
        spike: SPIKE,
        max_faults: 1,
    };
    if let Some(table) = top.take("window").and_then(|node| node.table("`[window]`")) {
        fill(&mut window, table);
    }
    window
}

fn fill(window: &mut Window, mut owned: Table<'_, '_>) {
    let table = &mut owned;
    if let Some(name) = table.string("name").filter(|name| !name.trim().is_empty()) {
        window.name = name;
    }
    window.about = table.string("about").unwrap_or_default();
    window.allow_hosts = allow_hosts(table);
    window.seed = table.integer("seed", 0..=u64::MAX).unwrap_or(SEED);
    window.runbook = table.string("runbook");
    window.environment = table.string("environment");
    window.predicted = table.string_map("predicted");
    // A length that was said but is wrong has been noted; any length will do from there.
    window.duration = table
        .take("duration")
        .map(|node| table.cx.scaled(node.positive().unwrap_or(TICK)));
    window.tick = tick(table);
    window.drain = table.duration("drain").unwrap_or(DRAIN);
    window.metrics = metrics(table);
    window.spike = table.parse("spike").unwrap_or(SPIKE);
    window.max_faults = table
        .integer("max_faults", 1..=1000)
        .map_or(1, |most| most as usize);
    owned.finish();
}

fn allow_hosts(table: &mut Table<'_, '_>) -> Vec<String> {
    let Some(node) = table.take("allow_hosts") else {
        return Vec::new();
    };
    // An empty list is plain here: nothing but loopback.
    if let toml::de::DeValue::Array(array) = node.value()
        && array.is_empty()
    {
        return Vec::new();
    }
    let mut hosts = Vec::new();
    let mut rules = Vec::new();
    for node in node.list().unwrap_or_default() {
        let Some(host) = node.string() else { continue };
        match host.parse::<HostRule>() {
            Ok(rule) => {
                hosts.push(host);
                rules.push(rule);
            }
            Err(error) => node.wrong(error.to_string()),
        }
    }
    table.cx.set_allow(rules);
    hosts
}

fn tick(table: &mut Table<'_, '_>) -> Duration {
    let Some(node) = table.take("tick") else {
        return TICK;
    };
    let tick = node.duration().unwrap_or(TICK);
    if !(TICKS.0..=TICKS.1).contains(&tick) {
        node.wrong(format!(
            "a tick lasts from {} to {}",
            format_duration(TICKS.0),
            format_duration(TICKS.1)
        ));
    }
    tick
}

fn metrics(table: &mut Table<'_, '_>) -> Option<String> {
    let node = table.take("metrics")?;
    let address = node.string()?;
    if address.parse::<SocketAddr>().is_err() {
        node.wrong(format!(
            "`{address}` is not an address; write it like `127.0.0.1:9464`"
        ));
    }
    Some(address)
}

pub(super) fn read_notify(top: &mut Table<'_, '_>) -> Notify {
    let Some(mut table) = top.take("notify").and_then(|node| node.table("`[notify]`")) else {
        return Notify::default();
    };
    let mut webhook = None;
    if let Some(node) = table.take("webhook")
        && let Some(text) = node.text()
        && !text.reveal().is_empty()
    {
        check::url(&node, &text, &["http", "https"]);
        webhook = Some(text);
    }
    table.finish();
    Notify { webhook }
}
