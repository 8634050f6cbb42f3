//! Values that a step keeps for the steps after it.

use std::sync::Arc;

use cookie_store::RawCookie;
use hyper::header::{HeaderName, SET_COOKIE};
use minijinja::Value;
use regex::Regex;
use serde_json_path::JsonPath;

use super::check::{Answer, shorten};
use super::feed::value;
use crate::profile::model::Save;

/// Largest value that is kept, bytes: users are many.
const LARGEST: usize = 64 * 1024;

/// One `save`, compiled.
#[derive(Debug)]
pub(super) struct Saver {
    pub(super) name: Arc<str>,
    from: Source,
}

#[derive(Debug)]
enum Source {
    Json(JsonPath),
    Header(HeaderName),
    Regex(Regex),
    Cookie(String),
}

impl Saver {
    /// The error is a sentence.
    pub(super) fn compile(name: &str, save: &Save) -> Result<Self, String> {
        let from = match save {
            Save::Json(path) => Source::Json(json_path(path)?),
            Save::Header(header) => Source::Header(header_name(header)?),
            Save::Regex(pattern) => Source::Regex(regex(pattern)?),
            Save::Cookie(cookie) => Source::Cookie(cookie.clone()),
        };
        Ok(Self {
            name: name.into(),
            from,
        })
    }

    /// Whether the body is looked at.
    pub(super) fn needs_body(&self) -> bool {
        matches!(self.from, Source::Json(_) | Source::Regex(_))
    }

    /// The value found. The error is a sentence that says which value was looked for and where.
    pub(super) fn find(&self, answer: &Answer<'_>) -> Result<Value, String> {
        let name = &self.name;
        let found =
            match &self.from {
                Source::Json(path) => match answer.json() {
                    Ok(json) => path.query(json).first().map(json_value),
                    Err(why) => return Err(format!("`{name}` was not saved: {why}")),
                },
                Source::Header(header) => answer.response.headers.get(header).map(|value| {
                    Value::from(String::from_utf8_lossy(value.as_bytes()).into_owned())
                }),
                Source::Regex(regex) => {
                    let text = answer.text();
                    regex.captures(&text).and_then(|groups| {
                        let group = groups.get(1).or_else(|| groups.get(0))?;
                        Some(Value::from(group.as_str()))
                    })
                }
                Source::Cookie(cookie) => cookie_value(answer, cookie).map(Value::from),
            };
        let value = found.ok_or_else(|| {
            format!(
                "`{name}` was not saved: {} is not in the answer",
                self.place()
            )
        })?;
        if value.as_str().is_some_and(|text| text.len() > LARGEST) {
            return Err(format!("`{name}` was not saved: it is longer than 64 KiB"));
        }
        Ok(value)
    }

    fn place(&self) -> String {
        match &self.from {
            Source::Json(path) => format!("JSON path `{path}`"),
            Source::Header(header) => format!("header `{header}`"),
            Source::Regex(regex) => format!("a match of `{}`", shorten(regex.as_str())),
            Source::Cookie(cookie) => format!("cookie `{cookie}`"),
        }
    }
}

/// Text, numbers, `true`, `false` and `null` stay what they are; arrays and objects are kept as JSON text.
fn json_value(json: &serde_json::Value) -> Value {
    if json.is_array() || json.is_object() {
        return Value::from(json.to_string());
    }
    value(json)
}

fn cookie_value(answer: &Answer<'_>, name: &str) -> Option<String> {
    answer
        .response
        .headers
        .get_all(SET_COOKIE)
        .iter()
        .filter_map(|value| RawCookie::parse(value.to_str().ok()?).ok())
        .filter(|cookie| cookie.name() == name)
        .map(|cookie| cookie.value().to_owned())
        .next_back()
}

/// A JSON path, or a sentence.
pub(super) fn json_path(path: &str) -> Result<JsonPath, String> {
    JsonPath::parse(path).map_err(|error| format!("`{path}` is not a JSON path: {error}"))
}

/// A header's name, or a sentence.
pub(super) fn header_name(name: &str) -> Result<HeaderName, String> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is not a header name"))
}

/// A regular expression, or a sentence.
pub(super) fn regex(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|error| format!("`{pattern}` is not a regular expression: {error}"))
}
