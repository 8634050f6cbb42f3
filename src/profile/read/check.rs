//! Checks that several tables share: templates, URLs, hosts, header names, patterns, JSON paths.

use url::Url;

use super::table::{Context, Node, Place};
use crate::profile::diagnostic::Diagnostic;
use crate::profile::hosts::is_loopback;
use crate::profile::secret::Text;

/// Whether text holds something that is filled in per request.
pub(super) fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark))
}

/// Longest expression or JSON path that is taken, bytes: their parsers recurse, and the stack is not endless.
const LONGEST: usize = 1000;

/// The places of `{{ … }}` and `{% … %}`, delimiters included; the last one may never close.
pub(super) fn expressions(text: &str) -> Vec<Place> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let close: &[u8] = match &bytes[at..] {
            [b'{', b'{', ..] => b"}}",
            [b'{', b'%', ..] => b"%}",
            _ => {
                at += 1;
                continue;
            }
        };
        let end = end_of_expression(bytes, at + 2, close);
        found.push(at..end);
        at = end;
    }
    found
}

/// Where an expression ends: after `close`, unless that is within quotes, or with the text.
fn end_of_expression(text: &[u8], from: usize, close: &[u8]) -> usize {
    let mut quote = None;
    let mut at = from;
    while at < text.len() {
        match (quote, text[at]) {
            (Some(_), b'\\') => at += 1,
            (Some(open), byte) if byte == open => quote = None,
            (None, byte @ (b'"' | b'\'')) => quote = Some(byte),
            (None, _) if text[at..].starts_with(close) => return at + close.len(),
            (Some(_) | None, _) => {}
        }
        at += 1;
    }
    text.len()
}

/// Notes a template whose syntax is wrong. What it names is not looked at.
pub(super) fn template(node: &Node<'_, '_>, text: &Text) {
    if !is_template(text.reveal()) {
        return;
    }
    if text.is_secret() && !is_template(text.shown()) {
        node.wrong(
            "a secret in this text holds `{{`, `{%` or `{#`, which would be read as a template",
        );
        return;
    }
    if expressions(text.shown())
        .iter()
        .any(|place| place.len() > LONGEST)
    {
        node.wrong(format!(
            "an expression in this template is longer than {LONGEST} bytes"
        ));
        return;
    }
    // The shown form has the same syntax, and an error that quotes it quotes no secret.
    let result = minijinja::Environment::new()
        .template_from_str(text.shown())
        .map(|_| ());
    if let Err(error) = result {
        let detail = error.detail().unwrap_or("bad syntax").to_owned();
        node.cx
            .report(Diagnostic::new("this template cannot be read", node.place()).label(detail));
    }
}

/// Whether text is a token of RFC 9110: what methods and header names are made of.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// The headers of a table, in the order of the file.
pub(super) fn headers(node: Option<Node<'_, '_>>) -> Vec<(String, Text)> {
    let Some(table) = node.and_then(|node| node.table("`headers`")) else {
        return Vec::new();
    };
    let mut headers = Vec::new();
    for node in table.entries() {
        header_name(&node);
        let Some(value) = node.text() else { continue };
        template(&node, &value);
        if value.reveal().contains(['\r', '\n', '\0']) {
            node.wrong("a header cannot hold line breaks");
        }
        headers.push((node.key.to_ascii_lowercase(), value));
    }
    headers
}

/// Notes a key that is no header name.
pub(super) fn header_name(node: &Node<'_, '_>) {
    if !is_token(node.key) {
        node.cx.report(
            Diagnostic::new(
                format!("`{}` is not a header name", node.key),
                node.key_place.clone(),
            )
            .help("header names are letters, digits and dashes"),
        );
    }
}

/// Notes a regular expression that does not compile.
pub(super) fn regex(node: &Node<'_, '_>, pattern: &str) {
    if let Err(error) = regex::Regex::new(pattern) {
        // The last line of the message is the reason; the ones before it draw the pattern.
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default();
        let reason = reason.trim_start_matches("error: ").to_owned();
        node.cx.report(
            Diagnostic::new("this regular expression cannot be read", node.place()).label(reason),
        );
    }
}

/// Notes a JSON path that does not parse.
pub(super) fn json_path(cx: &Context<'_>, place: Place, path: &str) {
    if path.len() > LONGEST {
        cx.wrong(place, format!("a JSON path has at most {LONGEST} bytes"));
    } else if serde_json_path::JsonPath::parse(path).is_err() {
        cx.report(
            Diagnostic::new(format!("`{path}` is not a JSON path"), place)
                .help("a JSON path is like `$.token` or `$.items[0].id`"),
        );
    }
}

/// A URL of one of these schemes, with a host. Secrets in it are never part of a message.
pub(super) fn url(node: &Node<'_, '_>, text: &Text, schemes: &[&str]) -> Option<Url> {
    let forms = schemes.join("://…` or `");
    match Url::parse(text.reveal()) {
        Ok(url) if !schemes.contains(&url.scheme()) => {
            node.wrong(format!("`{text}` must be `{forms}://…`"));
            None
        }
        Ok(url) if url.host_str().is_none_or(str::is_empty) => {
            node.wrong(format!("`{text}` names no host"));
            None
        }
        Ok(url) => Some(url),
        Err(error) => {
            node.cx.report(
                Diagnostic::new(format!("`{text}` is not a URL"), node.place())
                    .label(error.to_string())
                    .help(format!("write `{forms}://…`")),
            );
            None
        }
    }
}

/// Notes a host that is neither this machine nor allowed.
///
/// `text` is what the host was found in: a host that is part of a secret is not named.
pub(super) fn allowed(node: &Node<'_, '_>, host: &str, text: &Text) {
    if is_loopback(host) || node.cx.allow().iter().any(|rule| rule.allows(host)) {
        return;
    }
    let (name, entry) = if text.is_secret() && !text.shown().contains(host) {
        ("this host".to_owned(), "it".to_owned())
    } else {
        (format!("`{host}`"), format!("`\"{host}\"`"))
    };
    node.cx.report(
        Diagnostic::new(
            format!("{name} is not allowed: load and faults go to loopback and `allow_hosts` only"),
            node.place(),
        )
        .help(format!("add {entry} to `allow_hosts` in `[window]`")),
    );
}

/// Splits `host:port`, notes what is neither. Brackets round an IPv6 address stay out of the host.
pub(super) fn host_port(node: &Node<'_, '_>) -> Option<(String, String)> {
    let text = node.string()?;
    let split = text.rsplit_once(':').filter(|(host, port)| {
        !host.is_empty() && port.parse::<u16>().is_ok() && !host.contains(['/', ' '])
    });
    let Some((host, _)) = split else {
        node.wrong(format!(
            "`{text}` is not an address; write it like `127.0.0.1:8080`"
        ));
        return None;
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Some((host.to_owned(), text))
}
