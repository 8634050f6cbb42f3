//! `[[target]]`: what is scraped or queried.

use std::time::Duration;

use super::check;
use super::names::Names;
use super::scenario::tls;
use super::table::Table;
use crate::profile::diagnostic::Diagnostic;
use crate::profile::model::{Target, TargetSource, Tls};
use crate::profile::secret::Text;

/// How often a target is scraped, unless said otherwise.
const EVERY: Duration = Duration::from_secs(5);
/// Limit on one scrape, unless said otherwise.
const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn read_all(top: &mut Table<'_, '_>) -> (Vec<Target>, Names) {
    let mut names = Names::new("target");
    let mut targets = Vec::new();
    if let Some(node) = top.take("target") {
        for table in node.tables("a target") {
            targets.push(read(table, &mut names));
        }
    }
    (targets, names)
}

fn read(mut owned: Table<'_, '_>, names: &mut Names) -> Target {
    let table = &mut owned;
    let target = Target {
        name: names.read(table),
        source: source(table),
        every: table.positive("every").unwrap_or(EVERY),
        timeout: table.positive("timeout").unwrap_or(TIMEOUT),
        headers: check::headers(table.take("headers")),
        bearer: table.text("bearer"),
        basic: basic(table),
        tls: tls_of(table),
        keep: patterns(table, "keep"),
        drop: patterns(table, "drop"),
        labels: table.string_map("labels"),
    };
    owned.finish();
    target
}

fn source(table: &mut Table<'_, '_>) -> TargetSource {
    let url = table.take("url");
    let prometheus = table.take("prometheus");
    let none = TargetSource::Scrape(Text::default());
    let (address, wrap): (_, fn(Text) -> TargetSource) = match (url, prometheus) {
        (Some(url), None) => (url, TargetSource::Scrape),
        (None, Some(server)) => (server, TargetSource::Prometheus),
        (Some(_), Some(server)) => {
            server.cx.report(
                Diagnostic::new(
                    "a target has either `url` or `prometheus`",
                    server.key_place,
                )
                .label("make this a target of its own"),
            );
            return none;
        }
        (None, None) => {
            table.missing("url` or `prometheus");
            return none;
        }
    };
    let Some(text) = address.text() else {
        return none;
    };
    check::url(&address, &text, &["http", "https", "embedded"]);
    wrap(text)
}

fn basic(table: &mut Table<'_, '_>) -> Option<(String, Text)> {
    let mut basic = table.take("basic")?.table("`basic`")?;
    let user = basic.need("user").and_then(|node| node.string());
    let password = basic.need("password").and_then(|node| node.text());
    basic.finish();
    Some((user?, password?))
}

/// `tls = { … }`, or just `ca = "…"`.
fn tls_of(table: &mut Table<'_, '_>) -> Tls {
    let options = table.take("tls").map(|node| tls(&node)).unwrap_or_default();
    match table.file("ca") {
        Some(ca) => Tls {
            ca: Some(ca),
            ..options
        },
        None => options,
    }
}

fn patterns(table: &mut Table<'_, '_>, key: &'static str) -> Vec<String> {
    let nodes = table.take(key).and_then(|node| node.list());
    let mut patterns = Vec::new();
    for node in nodes.unwrap_or_default() {
        if let Some(pattern) = node.string() {
            check::regex(&node, &pattern);
            patterns.push(pattern);
        }
    }
    patterns
}
