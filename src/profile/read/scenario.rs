//! `[[scenario]]`: where work goes, how much, and which journeys.

use std::time::Duration;

use toml::de::DeValue;

use super::check;
use super::journey::{self, Journeys, choice};
use super::names::{Keys, Names};
use super::table::{Node, Table};
use crate::profile::diagnostic::Diagnostic;
use crate::profile::model::{
    Arrivals, Connections, HttpVersion, JourneyShare, Model, Scenario, Tls,
};
use crate::profile::secret::Text;
use crate::profile::units::Rate;

/// Limit on one request, unless said otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Limit on making a connection, unless said otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Journeys in flight past which arrivals are dropped, unless said otherwise.
const MAX_IN_FLIGHT: u32 = 10_000;
/// Largest body that is read, unless said otherwise: 10 MiB.
const MAX_BODY: u64 = 10 << 20;
/// The most arrivals a second that a profile may ask for.
const FASTEST: f64 = 1e8;

/// Scenarios and their names.
pub(super) struct Scenarios {
    pub list: Vec<Scenario>,
    pub names: Names,
}

pub(super) fn read_all(top: &mut Table<'_, '_>, journeys: &mut Journeys) -> Scenarios {
    let mut scenarios = Scenarios {
        list: Vec::new(),
        names: Names::new("scenario"),
    };
    let mut keys = Keys::default();
    if let Some(node) = top.take("scenario") {
        for table in node.tables("a scenario") {
            let scenario = read(table, journeys, &mut scenarios.names, &mut keys);
            scenarios.list.push(scenario);
        }
    }
    scenarios
}

fn read(
    mut owned: Table<'_, '_>,
    journeys: &mut Journeys,
    names: &mut Names,
    keys: &mut Keys,
) -> Scenario {
    let table = &mut owned;
    let name = names.read(table);
    let model = model(table);
    let closed = matches!(model, Model::Closed { .. });
    let scenario = Scenario {
        key: keys.read(table, &name),
        target: target(table),
        scale: table.boolean("scale").unwrap_or(true),
        timeout: table.positive("timeout").unwrap_or(TIMEOUT),
        connect_timeout: table.positive("connect_timeout").unwrap_or(CONNECT_TIMEOUT),
        journeys: shares(table, &name, journeys),
        http: http(table),
        connections: connections(table),
        tls: table.take("tls").map(|node| tls(&node)).unwrap_or_default(),
        headers: check::headers(table.take("headers")),
        trace: table.boolean("trace").unwrap_or(false),
        cookies: table.boolean("cookies").unwrap_or(closed),
        max_body: table
            .take("max_body")
            .and_then(|node| node.bytes())
            .unwrap_or(MAX_BODY),
        start: table.boolean("start").unwrap_or(true),
        model,
        name,
    };
    owned.finish();
    scenario
}

/// A base URL, a unix socket or the demo service.
fn target(table: &mut Table<'_, '_>) -> Text {
    let Some(node) = table.need("target") else {
        return Text::default();
    };
    let Some(text) = node.text() else {
        return Text::default();
    };
    if let Some(path) = text.reveal().strip_prefix("unix:") {
        if path.trim_start_matches('/').is_empty() {
            node.wrong("`unix:` needs the path of a socket: `unix:/run/shop.sock`");
        }
    } else if let Some(url) = check::url(&node, &text, &["http", "https", "embedded"]) {
        let host = url.host_str().unwrap_or_default();
        if url.scheme() != "embedded" {
            check::allowed(&node, host, &text);
        } else if host != "shop" {
            node.cx.report(
                Diagnostic::new("this demo service does not exist", node.place())
                    .help("there is `embedded://shop`"),
            );
        }
    }
    text
}

/// Open or closed, as `model` says or as the other keys tell.
fn model(table: &mut Table<'_, '_>) -> Model {
    let said = table
        .take("model")
        .and_then(|node| choice(&node, &[("open", false), ("closed", true)]));
    let rate = table.take("rate");
    let arrivals = table.take("arrivals");
    let max_in_flight = table.take("max_in_flight");
    let users = table.take("users");
    let iterations = table.take("iterations");
    let think = table.take("think");
    let closed = said.unwrap_or(rate.is_none() && (users.is_some() || iterations.is_some()));
    let foreign = if closed {
        [&rate, &arrivals, &max_in_flight]
    } else {
        [&users, &iterations, &think]
    };
    for node in foreign.into_iter().flatten() {
        of_the_other_model(node, closed);
    }
    let count = |node: Option<Node<'_, '_>>, default: u32| {
        node.and_then(|node| node.integer(1..=10_000_000))
            .map_or(default, |n| n as u32)
    };
    if closed {
        if users.is_none() && iterations.is_none() {
            table.missing("users");
        }
        Model::Closed {
            users: count(users, 1),
            iterations: iterations.and_then(|node| node.integer(1..=u64::MAX >> 1)),
            think: think.and_then(|node| node.parse()).unwrap_or_default(),
        }
    } else {
        if rate.is_none() {
            table.missing(if said.is_none() {
                "rate` or `users"
            } else {
                "rate"
            });
        }
        Model::Open {
            rate: rate
                .and_then(|node| positive_rate(&node))
                .unwrap_or(Rate(0.0)),
            arrivals: arrivals
                .and_then(|node| {
                    let choices = [("even", Arrivals::Even), ("poisson", Arrivals::Poisson)];
                    choice(&node, &choices)
                })
                .unwrap_or_default(),
            max_in_flight: count(max_in_flight, MAX_IN_FLIGHT),
        }
    }
}

/// Notes a key of the model that this scenario is not.
fn of_the_other_model(node: &Node<'_, '_>, closed: bool) {
    let (this, other) = if closed {
        ("closed", "open")
    } else {
        ("open", "closed")
    };
    node.cx.report(
        Diagnostic::new(
            format!(
                "`{}` belongs to the {other} model, and this scenario is {this}",
                node.key
            ),
            node.key_place.clone(),
        )
        .help("open: `rate`, `arrivals`, `max_in_flight`; closed: `users`, `iterations`, `think`"),
    );
}

fn positive_rate(node: &Node<'_, '_>) -> Option<Rate> {
    let rate: Rate = node.parse()?;
    if rate.0 <= 0.0 {
        node.wrong("a rate must be above zero; `start = false` keeps a scenario quiet");
    } else if rate.0 > FASTEST {
        node.wrong("a rate is at most 100M/s");
    }
    Some(rate)
}

fn http(table: &mut Table<'_, '_>) -> HttpVersion {
    let choices = [
        ("auto", HttpVersion::Auto),
        ("1.1", HttpVersion::Http1),
        ("2", HttpVersion::Http2),
    ];
    table
        .take("http")
        .and_then(|node| choice(&node, &choices))
        .unwrap_or_default()
}

/// `"per-user"`, or the size of a shared pool.
fn connections(table: &mut Table<'_, '_>) -> Connections {
    let Some(node) = table.take("connections") else {
        return Connections::PerUser;
    };
    if let DeValue::String(text) = node.value()
        && text == "per-user"
    {
        return Connections::PerUser;
    }
    match node.integer(1..=1_000_000) {
        Some(pool) => Connections::Shared(pool as u32),
        None => Connections::PerUser,
    }
}

/// A `tls` table.
pub(super) fn tls(node: &Node<'_, '_>) -> Tls {
    let Some(mut table) = node.table("`tls`") else {
        return Tls::default();
    };
    let tls = Tls {
        ca: table.file("ca"),
        cert: table.file("cert"),
        key: table.file("key"),
        insecure: table.boolean("insecure").unwrap_or(false),
        server_name: table.string("server_name"),
    };
    match (&tls.cert, &tls.key) {
        (Some(_), None) => table.missing("key"),
        (None, Some(_)) => table.missing("cert"),
        (Some(_), Some(_)) | (None, None) => {}
    }
    table.finish();
    tls
}

/// The journeys of a scenario: named ones with weights, or the one that its own request makes.
fn shares(table: &mut Table<'_, '_>, name: &str, journeys: &mut Journeys) -> Vec<JourneyShare> {
    let request = journey::request(table);
    let named = table.take("journeys");
    match (request, named) {
        (Some(_), Some(node)) => {
            node.cx.report(
                Diagnostic::new(
                    "a scenario has either journeys or a request of its own",
                    node.key_place.clone(),
                )
                .help("move the request into a `[[journey]]`"),
            );
            Vec::new()
        }
        (Some(step), None) => {
            let place = table.place.clone();
            let journey = journey::add_shorthand(journeys, table.cx, place, name, step);
            vec![JourneyShare { journey, weight: 1 }]
        }
        (None, Some(node)) => node
            .list()
            .unwrap_or_default()
            .iter()
            .filter_map(|node| share(node, journeys))
            .collect(),
        (None, None) => {
            table.cx.report(
                Diagnostic::new("a scenario needs something to do", table.place.clone())
                    .label("`journeys` is missing")
                    .help("write `get = \"/path\"` for a single request, or `journeys = [\"…\"]`"),
            );
            Vec::new()
        }
    }
}

/// `"browse"` or `{ name = "browse", weight = 8 }`.
fn share(node: &Node<'_, '_>, journeys: &Journeys) -> Option<JourneyShare> {
    if matches!(node.value(), DeValue::String(_)) {
        let name = node.string()?;
        let journey = journeys.names.resolve(node.cx, &name, node.place())?;
        return Some(JourneyShare { journey, weight: 1 });
    }
    let mut table = node.table("a scenario's journey")?;
    let named = table.need("name");
    let weight = table.integer("weight", 1..=1_000_000).unwrap_or(1) as u32;
    table.finish();
    let named = named?;
    let name = named.string()?;
    let journey = journeys.names.resolve(node.cx, &name, named.place())?;
    Some(JourneyShare { journey, weight })
}
