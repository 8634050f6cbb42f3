//! `http = { inject, revert, check }`: requests that break something and bring it back.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::super::table::{Node, Table};
use super::super::{body, check, journey};
use crate::profile::diagnostic::Diagnostic;
use crate::profile::model::{Body, Call, FaultDriver};
use crate::profile::secret::Text;

/// An exchange may take this long, unless said otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);

const STATUS: RangeInclusive<u64> = 100..=599;

pub(super) fn read(node: &Node<'_, '_>) -> FaultDriver {
    let (mut inject, mut revert, mut check) = (Vec::new(), Vec::new(), None);
    if let Some(mut table) = node.table("`http`") {
        inject = calls(table.need("inject"));
        revert = calls(table.need("revert"));
        check = table.take("check").and_then(|node| call(&node));
        table.finish();
    }
    FaultDriver::Http {
        inject,
        revert,
        check,
    }
}

/// One request, or a list of them.
fn calls(node: Option<Node<'_, '_>>) -> Vec<Call> {
    let nodes = node.and_then(|node| node.list()).unwrap_or_default();
    nodes.iter().filter_map(call).collect()
}

fn call(node: &Node<'_, '_>) -> Option<Call> {
    let mut owned = node.table("a request")?;
    let table = &mut owned;
    let method = journey::method(table);
    if method.is_none() {
        table.missing("get`, `post`, `put`, `patch` or `delete");
    }
    let mut headers = check::headers(table.take("headers"));
    let body = sent(table, &mut headers);
    let timeout = table.positive("timeout").unwrap_or(TIMEOUT);
    let (status, body_contains) = expected(table);
    owned.finish();
    let (method, node) = method?;
    Some(Call {
        method,
        url: address(&node)?,
        headers,
        body,
        status,
        body_contains,
        timeout,
    })
}

/// Where to: an absolute URL, or a path of the demo service.
fn address(node: &Node<'_, '_>) -> Option<Text> {
    let text = node.text()?;
    if check::is_template(text.reveal()) {
        node.wrong("nothing is filled in here: the requests of a fault are always the same");
        return None;
    }
    let url = check::url(node, &text, &["http", "https", "embedded"])?;
    let host = url.host_str().unwrap_or_default();
    if url.scheme() != "embedded" {
        check::allowed(node, host, &text);
    } else if host != "shop" {
        node.cx.report(
            Diagnostic::new("this demo service does not exist", node.place())
                .help("there is `embedded://shop`"),
        );
    }
    Some(text)
}

/// What is sent; JSON says so in a header.
fn sent(table: &mut Table<'_, '_>, headers: &mut Vec<(String, Text)>) -> Option<Text> {
    match body::read(table) {
        Body::None => None,
        Body::Text(text) => Some(text),
        Body::Json(text) => {
            if !headers.iter().any(|(name, _)| name == "content-type") {
                headers.push(("content-type".into(), Text::plain("application/json")));
            }
            Some(text)
        }
        Body::Form(_) | Body::File(_) => {
            table.cx.wrong(
                table.place.clone(),
                "the request of a fault sends a `body` or `json`",
            );
            None
        }
    }
}

/// `expect = { status, body_contains }`.
fn expected(table: &mut Table<'_, '_>) -> (Vec<u16>, Option<Text>) {
    let Some(mut table) = table.take("expect").and_then(|node| node.table("`expect`")) else {
        return (Vec::new(), None);
    };
    let status = table.take("status").and_then(|node| node.list());
    let status = status.unwrap_or_default();
    let status = status
        .iter()
        .filter_map(|node| u16::try_from(node.integer(STATUS)?).ok());
    let expected = (status.collect(), table.text("body_contains"));
    table.finish();
    expected
}
