//! `[[target]]`: what is scraped or queried.

use std::time::Duration;

use url::Url;

use super::check;
use super::journey::choice;
use super::names::Names;
use super::scenario::tls;
use super::table::{Node, Table};
use crate::profile::diagnostic::Diagnostic;
use crate::profile::model::{Many, Target, TargetSource, Tls, is_selector};
use crate::profile::secret::Text;

/// How often a target is scraped, unless said otherwise.
const EVERY: Duration = Duration::from_secs(5);
/// Limit on a body, bytes, unless said otherwise.
const MAX_SIZE: u64 = 10_000_000;
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
        unix: table
            .take("unix")
            .and_then(|node| Some(node.cx.beside(&node.string()?))),
        bearer: table.text("bearer"),
        bearer_file: table.file("bearer_file"),
        basic: basic(table),
        tls: tls_of(table),
        redirects: table.boolean("redirects").unwrap_or(false),
        max_size: table
            .take("max_size")
            .and_then(|node| node.bytes())
            .unwrap_or(MAX_SIZE),
        keep: patterns(table, "keep"),
        drop: patterns(table, "drop"),
        record: strings(table, "record"),
        auto: table.boolean("auto").unwrap_or(false),
        labels: table.string_map("labels"),
    };
    owned.finish();
    target
}

/// The keys that say where a target is; it has one of them, or `static` and `file_sd` together.
const SOURCES: &str = "url`, `prometheus`, `alertmanager`, `static` or `file_sd";

/// What a URL becomes.
type Wrap = fn(Text) -> TargetSource;

fn source(table: &mut Table<'_, '_>) -> TargetSource {
    let none = TargetSource::Scrape(Text::default());
    let servers: [(&'static str, Wrap); 3] = [
        ("url", TargetSource::Scrape),
        ("prometheus", TargetSource::Prometheus),
        ("alertmanager", TargetSource::Alertmanager),
    ];
    let mut given: Vec<_> = servers
        .into_iter()
        .filter_map(|(key, wrap)| Some((table.take(key)?, wrap)))
        .collect();
    let many = many(table);
    if let (Some((second, _)), _) | (None, Some(second)) = (
        given.get(1),
        many.as_ref()
            .filter(|_| !given.is_empty())
            .map(|(_, node)| node),
    ) {
        second.cx.report(
            Diagnostic::new(
                format!("a target has one of `{SOURCES}`"),
                second.key_place.clone(),
            )
            .label("make this a target of its own"),
        );
        return none;
    }
    match (given.pop(), many) {
        (Some((address, wrap)), _) => {
            let Some(text) = address.text() else {
                return none;
            };
            check::url(&address, &text, &["http", "https", "embedded"]);
            wrap(text)
        }
        (None, Some((many, _))) => TargetSource::Many(many),
        (None, None) => {
            table.missing(SOURCES);
            none
        }
    }
}

/// `static = ["a:9100", "b:9100"]` and `file_sd = ["targets/*.json"]`, and the key that was there.
fn many<'c, 'a>(table: &mut Table<'c, 'a>) -> Option<(Many, Node<'c, 'a>)> {
    let hosts = table.take("static");
    let files = table.take("file_sd");
    let scheme = table.take("scheme").and_then(|node| {
        choice(
            &node,
            &[("http", "http".to_owned()), ("https", "https".to_owned())],
        )
    });
    let path = table.string("path");
    let lists = |node: Option<&Node<'c, 'a>>| node.and_then(Node::list).unwrap_or_default();
    let many = Many {
        hosts: lists(hosts.as_ref())
            .iter()
            .filter_map(|node| host(node))
            .collect(),
        files: lists(files.as_ref())
            .iter()
            .filter_map(|node| Some(node.cx.beside(&node.string()?)))
            .collect(),
        scheme: scheme.unwrap_or_else(|| "http".into()),
        path: path.unwrap_or_else(|| "/metrics".into()),
    };
    Some((many, hosts.or(files)?))
}

/// `a.example.com:9100`, without a scheme or a path.
fn host(node: &Node<'_, '_>) -> Option<String> {
    let host = node.string()?;
    let parsed = Url::parse(&format!("http://{host}"));
    let bare = parsed.is_ok_and(|url| url.path() == "/" && !host.ends_with('/'));
    if !bare {
        node.wrong(format!("`{host}` is not a host and port, like `db1:9100`"));
        return None;
    }
    Some(host)
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

/// Regular expressions of metric names; selectors are looked at where the language of them is known.
fn patterns(table: &mut Table<'_, '_>, key: &'static str) -> Vec<String> {
    let nodes = table.take(key).and_then(|node| node.list());
    let mut patterns = Vec::new();
    for node in nodes.unwrap_or_default() {
        if let Some(pattern) = node.string() {
            if !is_selector(&pattern) {
                check::regex(&node, &pattern);
            }
            patterns.push(pattern);
        }
    }
    patterns
}

fn strings(table: &mut Table<'_, '_>, key: &'static str) -> Vec<String> {
    let nodes = table.take(key).and_then(|node| node.list());
    let nodes = nodes.unwrap_or_default().into_iter();
    nodes.filter_map(|node| node.string()).collect()
}
