//! `[[data]]`, `[[journey]]` and the steps in them.

use std::ops::RangeInclusive;

use super::check;
use super::ledger::names_it;
use super::names::Names;
use super::table::{Node, Table};
use super::{body, table};
use crate::profile::diagnostic::Diagnostic;
use crate::profile::model::{
    Body, DataFeed, DataFormat, Expect, Journey, Pick, Save, Step, ThinkTime,
};
use crate::profile::secret::Text;

/// Journeys and their names; the scenarios' shorthands join them.
pub(super) struct Journeys {
    pub list: Vec<Journey>,
    pub names: Names,
}

pub(super) fn read_data(top: &mut Table<'_, '_>) -> Vec<DataFeed> {
    let mut names = Names::new("data feed");
    let mut feeds = Vec::new();
    let Some(node) = top.take("data") else {
        return feeds;
    };
    for mut table in node.tables("a data feed") {
        let name = names.read(&mut table);
        if !name.is_empty() && !is_identifier(&name) {
            let place = table.place.clone();
            table.cx.wrong(
                place,
                format!("templates cannot call a data feed `{name}`; use letters, digits and `_`"),
            );
        }
        let file = table.need("file");
        let path = file.as_ref().and_then(Node::file);
        let format = format(&mut table, file.as_ref());
        let pick = table.take("pick").and_then(|node| {
            choice(
                &node,
                &[
                    ("cycle", Pick::Cycle),
                    ("random", Pick::Random),
                    ("unique", Pick::Unique),
                ],
            )
        });
        table.finish();
        feeds.push(DataFeed {
            name,
            file: path.unwrap_or_default(),
            format: format.unwrap_or(DataFormat::Csv),
            pick: pick.unwrap_or_default(),
        });
    }
    feeds
}

/// The format that is said, or that the file's ending tells.
fn format(table: &mut Table<'_, '_>, file: Option<&Node<'_, '_>>) -> Option<DataFormat> {
    if let Some(node) = table.take("format") {
        let formats = [("csv", DataFormat::Csv), ("jsonl", DataFormat::JsonLines)];
        return choice(&node, &formats);
    }
    let node = file?;
    let path = node.string()?;
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
    match ending.to_ascii_lowercase().as_str() {
        "csv" => Some(DataFormat::Csv),
        "jsonl" | "ndjson" => Some(DataFormat::JsonLines),
        _ => {
            node.cx.report(
                Diagnostic::new(format!("`{path}` does not tell its format"), node.place())
                    .help("add `format = \"csv\"` or `format = \"jsonl\"`"),
            );
            None
        }
    }
}

/// One of a few words.
pub(super) fn choice<T: Clone>(node: &Node<'_, '_>, choices: &[(&str, T)]) -> Option<T> {
    let word = node.string()?;
    let found = choices.iter().find(|(name, _)| *name == word);
    if found.is_none() {
        let names: Vec<String> = choices
            .iter()
            .map(|(name, _)| format!("`{name}`"))
            .collect();
        let (last, others) = names.split_last().map_or(("", &[][..]), |(l, o)| (l, o));
        let names = format!("{} or {last}", others.join(", "));
        node.wrong(format!("`{}` is {names}, not `{word}`", node.key));
    }
    found.map(|(_, value)| value.clone())
}

fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

pub(super) fn read_all(top: &mut Table<'_, '_>, ledgers: &Names) -> Journeys {
    let mut journeys = Journeys {
        list: Vec::new(),
        names: Names::new("journey"),
    };
    let Some(node) = top.take("journey") else {
        return journeys;
    };
    for mut table in node.tables("a journey") {
        let name = journeys.names.read(&mut table);
        let think = table.parse("think").unwrap_or_default();
        let steps = table.need("steps").and_then(|node| node.list());
        let mut names = Names::new("step");
        let steps = steps
            .unwrap_or_default()
            .iter()
            .filter_map(|node| Some(step(node.table("a step")?, &mut names, ledgers)))
            .collect();
        table.finish();
        journeys.list.push(Journey { name, think, steps });
    }
    journeys
}

fn step(mut table: Table<'_, '_>, names: &mut Names, ledgers: &Names) -> Step {
    let name = table
        .take("name")
        .and_then(|node| Some((node.string()?, node.place())));
    let place = name
        .as_ref()
        .map_or_else(|| table.place.clone(), |(_, place)| place.clone());
    let request = request(&mut table);
    if request.is_none() {
        no_method(&table);
    }
    let mut step = request.unwrap_or_else(empty);
    step.name = name.map_or_else(
        || format!("{} {}", step.method.to_lowercase(), step.url.shown()),
        |(name, _)| name,
    );
    names.add(table.cx, &step.name, place);
    step.headers = check::headers(table.take("headers"));
    step.optional = table.boolean("optional").unwrap_or(false);
    step.think = table.parse("think");
    step.timeout = table.positive("timeout");
    step.ledger = table.take("ledger").and_then(|node| {
        if !names_it(&step) {
            node.wrong(
                "this step does not send the number of its write: `{{ ledger }}` stands for it",
            );
        }
        ledgers.resolve(node.cx, &node.string()?, node.place())
    });
    table.finish();
    step
}

fn no_method(table: &Table<'_, '_>) {
    table.cx.report(
        Diagnostic::new("a step needs a request", table.place.clone())
            .label("there is none")
            .help(
                "write `get = \"/path\"`, or `post`, `put`, `patch`, `delete`, `head`, `options`",
            ),
    );
}

/// A step that asks for nothing, in the place of one that could not be read.
pub(super) fn empty() -> Step {
    Step {
        name: String::new(),
        method: "GET".to_owned(),
        url: Text::default(),
        headers: Vec::new(),
        body: Body::None,
        save: Vec::new(),
        expect: Expect::default(),
        optional: false,
        think: None,
        timeout: None,
        ledger: None,
    }
}

/// The keys that make a request: in a step, or right in a scenario. `None` when there is no method.
pub(super) fn request(table: &mut Table<'_, '_>) -> Option<Step> {
    let (method, node) = method(table).unzip();
    let mut step = Step {
        body: body::read(table),
        save: save(table),
        expect: expect(table),
        ..empty()
    };
    let node = node?;
    step.method = method?;
    if let Some(url) = node.text() {
        check_url(&node, &url);
        step.url = url;
    }
    Some(step)
}

/// The method and the value of its key.
pub(super) fn method<'c, 'a>(table: &mut Table<'c, 'a>) -> Option<(String, Node<'c, 'a>)> {
    let mut found = Vec::new();
    for key in ["get", "post", "put", "patch", "delete", "head", "options"] {
        if let Some(node) = table.take(key) {
            found.push((key.to_ascii_uppercase(), node));
        }
    }
    let named = table.take("method");
    let url = table.take("url");
    match (named, url) {
        (Some(method), Some(url)) => {
            let name = method.string().unwrap_or_else(|| "GET".to_owned());
            if !check::is_token(&name) {
                method.wrong(format!("`{name}` is not an HTTP method"));
            }
            found.push((name.to_ascii_uppercase(), url));
        }
        (Some(method), None) => method.wrong("`method` comes with `url`"),
        (None, Some(url)) => {
            url.cx.wrong(
                url.key_place,
                "`url` comes with `method`, or write `get = …`",
            );
        }
        (None, None) => {}
    }
    if let [(_, first), (_, second), ..] = &found[..] {
        second.cx.report(
            Diagnostic::new(
                format!(
                    "`{}` beside `{}`: a step is one request",
                    second.key, first.key
                ),
                second.key_place.clone(),
            )
            .label("make this a step of its own"),
        );
    }
    found.into_iter().next()
}

/// A path, an absolute URL, or either with templates in it.
fn check_url(node: &Node<'_, '_>, url: &Text) {
    let real = url.reveal();
    check::template(node, url);
    if real.contains(char::is_whitespace) && !check::is_template(real)
        || real.contains(['\r', '\n'])
    {
        node.cx.report(
            Diagnostic::new("a URL cannot hold blanks", node.place()).help("write `%20` for one"),
        );
    } else if real.starts_with('/') || real.starts_with("{{") {
        // A path, or known only when it is filled in.
    } else if real.starts_with("http://") || real.starts_with("https://") {
        // A host that is filled in per request is held to `allow_hosts` when it is connected to.
        if !check::is_template(real)
            && let Some(parsed) = check::url(node, url, &["http", "https"])
        {
            check::allowed(node, parsed.host_str().unwrap_or_default(), url);
        }
    } else {
        node.cx.report(
            Diagnostic::new(format!("`{url}` is neither a path nor a URL"), node.place())
                .help("write `/path` or `http://…`"),
        );
    }
}

fn save(table: &mut Table<'_, '_>) -> Vec<(String, Save)> {
    let Some(table) = table.take("save").and_then(|node| node.table("`save`")) else {
        return Vec::new();
    };
    let mut saves = Vec::new();
    for node in table.entries() {
        if !is_identifier(node.key) {
            node.cx.wrong(
                node.key_place.clone(),
                format!(
                    "templates cannot use `{}`; use letters, digits and `_`",
                    node.key
                ),
            );
        }
        if let Some(save) = node.string().and_then(|text| save_from(&node, &text)) {
            saves.push((node.key.to_owned(), save));
        }
    }
    saves
}

fn save_from(node: &Node<'_, '_>, text: &str) -> Option<Save> {
    let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
    match kind {
        "json" => {
            check::json_path(node.cx, node.place(), rest);
            Some(Save::Json(rest.to_owned()))
        }
        "header" if check::is_token(rest) => Some(Save::Header(rest.to_ascii_lowercase())),
        "regex" if !rest.is_empty() => {
            check::regex(node, rest);
            Some(Save::Regex(rest.to_owned()))
        }
        "cookie" if check::is_token(rest) => Some(Save::Cookie(rest.to_owned())),
        _ => {
            node.cx.report(
                Diagnostic::new(format!("`{text}` does not say where a value comes from"), node.place())
                    .help("write `json:$.token`, `header:location`, `regex:id=(\\d+)` or `cookie:session`"),
            );
            None
        }
    }
}

const STATUS: RangeInclusive<u64> = 100..=599;

fn expect(table: &mut Table<'_, '_>) -> Expect {
    let Some(mut table) = table.take("expect").and_then(|node| node.table("`expect`")) else {
        return Expect::default();
    };
    let status = table.take("status").and_then(|node| node.list());
    let mut expect = Expect {
        status: status
            .unwrap_or_default()
            .iter()
            .filter_map(|node| u16::try_from(node.integer(STATUS)?).ok())
            .collect(),
        headers: expect_headers(&mut table),
        json: expect_json(&mut table),
        body_contains: table.string("body_contains"),
        body_matches: None,
        min_size: table.take("min_size").and_then(|node| node.bytes()),
        max_size: None,
        within: table.positive("within"),
    };
    if let Some(node) = table.take("body_matches")
        && let Some(pattern) = node.string()
    {
        check::regex(&node, &pattern);
        expect.body_matches = Some(pattern);
    }
    if let Some(node) = table.take("max_size") {
        expect.max_size = node.bytes();
        if let (Some(min), Some(max)) = (expect.min_size, expect.max_size)
            && max < min
        {
            node.wrong("`max_size` is smaller than `min_size`");
        }
    }
    table.finish();
    expect
}

fn expect_headers(table: &mut Table<'_, '_>) -> Vec<(String, String)> {
    let headers = table
        .take("headers")
        .and_then(|node| node.table("`headers`"));
    let Some(headers) = headers else {
        return Vec::new();
    };
    let mut list = Vec::new();
    for node in headers.entries() {
        check::header_name(&node);
        if let Some(value) = node.string() {
            list.push((node.key.to_ascii_lowercase(), value));
        }
    }
    list
}

/// `json = { "$.id" = 7 }` asks for values, `json = ["$.id"]` for presence.
fn expect_json(table: &mut Table<'_, '_>) -> Vec<(String, Option<serde_json::Value>)> {
    let Some(node) = table.take("json") else {
        return Vec::new();
    };
    if matches!(node.value(), toml::de::DeValue::Table(_)) {
        let Some(paths) = node.table("`json`") else {
            return Vec::new();
        };
        return paths
            .entries()
            .iter()
            .filter_map(|node| {
                check::json_path(node.cx, node.key_place.clone(), node.key);
                Some((node.key.to_owned(), Some(node.json()?)))
            })
            .collect();
    }
    let paths = node.list().unwrap_or_default();
    paths
        .iter()
        .filter_map(|node| {
            let path = node.string()?;
            check::json_path(node.cx, node.place(), &path);
            Some((path, None))
        })
        .collect()
}

/// Adds a scenario's shorthand as a journey with one step, both named after the scenario.
pub(super) fn add_shorthand(
    journeys: &mut Journeys,
    cx: &table::Context<'_>,
    place: table::Place,
    name: &str,
    mut step: Step,
) -> usize {
    name.clone_into(&mut step.name);
    journeys.names.add(cx, name, place);
    journeys.list.push(Journey {
        name: name.to_owned(),
        think: ThinkTime::None,
        steps: vec![step],
    });
    journeys.list.len() - 1
}
