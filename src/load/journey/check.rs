//! What an answer must be.
//!
//! In: a step's `expect` and an answer. Out: nothing, or one sentence with what was expected and what was found. The
//! body is parsed as JSON once for an answer, however many expectations and saves look at it, and not at all if none
//! does. The invariant: what a server sends never makes a sentence long.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::HeaderName;
use regex::Regex;
use serde_json_path::JsonPath;

use super::super::http::Response;
use super::save::{header_name, json_path, regex};
use crate::profile::model::Expect;
use crate::profile::secret::CUT;
use crate::session::record::ErrorKind;

/// Characters of foreign text in a sentence.
const SHORT: usize = 80;

/// An answer, and its body as JSON once somebody asked.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) response: &'a Response,
    json: OnceCell<Result<serde_json::Value, String>>,
}

impl<'a> Answer<'a> {
    pub(super) fn new(response: &'a Response) -> Self {
        Self {
            response,
            json: OnceCell::new(),
        }
    }

    /// The body as JSON, or why it is none.
    pub(super) fn json(&self) -> Result<&serde_json::Value, &str> {
        let parsed = self.json.get_or_init(|| {
            let response = self.response;
            if (response.body.len() as u64) < response.length {
                return Err(format!(
                    "the body has {} bytes, of which only {} were kept",
                    response.length,
                    response.body.len()
                ));
            }
            serde_json::from_slice(&response.body).map_err(|error| {
                format!("the body is not JSON ({error}): {}", shorten(&self.text()))
            })
        });
        parsed.as_ref().map_err(String::as_str)
    }

    /// The body as text.
    pub(super) fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.response.body)
    }
}

/// Foreign text made fit for a sentence: quoted, escaped, cut. Where it was cut it ends in [`CUT`], and there redaction
/// looks for half a secret.
pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHORT) {
        Some((end, _)) => {
            let quoted = format!("{:?}", &text[..end]);
            quoted[..quoted.len() - 1].to_owned() + CUT
        }
        None => format!("{text:?}"),
    }
}

/// A step's `expect`, compiled.
#[derive(Debug)]
pub(super) struct Checks {
    status: Vec<u16>,
    headers: Vec<(HeaderName, String)>,
    json: Vec<(JsonPath, Option<serde_json::Value>)>,
    contains: Option<String>,
    matches: Option<Regex>,
    min_size: Option<u64>,
    max_size: Option<u64>,
    within: Option<Duration>,
}

impl Checks {
    /// Compiles, or says everything that is wrong: field and sentence.
    pub(super) fn compile(expect: &Expect) -> Result<Self, Vec<(&'static str, String)>> {
        let mut errors = Vec::new();
        let mut headers = Vec::new();
        for (name, text) in &expect.headers {
            match header_name(name) {
                Ok(name) => headers.push((name, text.clone())),
                Err(error) => errors.push(("expect.headers", error)),
            }
        }
        let mut json = Vec::new();
        for (path, value) in &expect.json {
            match json_path(path) {
                Ok(path) => json.push((path, value.clone())),
                Err(error) => errors.push(("expect.json", error)),
            }
        }
        let matches = expect
            .body_matches
            .as_deref()
            .map(regex)
            .transpose()
            .unwrap_or_else(|error| {
                errors.push(("expect.body_matches", error));
                None
            });
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self {
            status: expect.status.clone(),
            headers,
            json,
            contains: expect.body_contains.clone(),
            matches,
            min_size: expect.min_size,
            max_size: expect.max_size,
            within: expect.within,
        })
    }

    /// Whether the body is looked at; its length alone needs no look.
    pub(super) fn needs_body(&self) -> bool {
        !self.json.is_empty() || self.contains.is_some() || self.matches.is_some()
    }

    /// The first expectation that does not hold: its kind of error and a sentence.
    pub(super) fn check(
        &self,
        answer: &Answer<'_>,
        service: Duration,
    ) -> Result<(), (ErrorKind, String)> {
        self.status(answer.response.status)?;
        self.headers(answer)
            .and_then(|()| self.size(answer.response.length))
            .and_then(|()| self.body(answer))
            .and_then(|()| self.time(service))
            .map_err(|sentence| (ErrorKind::Expectation, sentence))
    }

    fn status(&self, status: StatusCode) -> Result<(), (ErrorKind, String)> {
        let code = status.as_u16();
        let right = if self.status.is_empty() {
            code < 400
        } else {
            self.status.contains(&code)
        };
        if right {
            return Ok(());
        }
        let kind = match code {
            400..=499 => ErrorKind::Status4xx,
            500..=599 => ErrorKind::Status5xx,
            _ => ErrorKind::Expectation,
        };
        let expected = match self.status.as_slice() {
            [] => "below 400".to_owned(),
            codes => codes
                .iter()
                .map(u16::to_string)
                .collect::<Vec<_>>()
                .join(" or "),
        };
        Err((kind, format!("expected status {expected}, found {code}")))
    }

    fn headers(&self, answer: &Answer<'_>) -> Result<(), String> {
        for (name, text) in &self.headers {
            let values = answer.response.headers.get_all(name);
            let mut values = values
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()));
            let Some(found) = values.next() else {
                return Err(format!(
                    "expected header `{name}` with {}, found no such header",
                    shorten(text)
                ));
            };
            if !found.contains(text.as_str()) && !values.any(|value| value.contains(text.as_str()))
            {
                return Err(format!(
                    "expected header `{name}` with {}, found {}",
                    shorten(text),
                    shorten(&found)
                ));
            }
        }
        Ok(())
    }

    fn size(&self, length: u64) -> Result<(), String> {
        if let Some(min) = self.min_size.filter(|&min| length < min) {
            return Err(format!(
                "expected a body of at least {min} bytes, found {length}"
            ));
        }
        if let Some(max) = self.max_size.filter(|&max| length > max) {
            return Err(format!(
                "expected a body of at most {max} bytes, found {length}"
            ));
        }
        Ok(())
    }

    fn body(&self, answer: &Answer<'_>) -> Result<(), String> {
        for (path, value) in &self.json {
            let json = answer
                .json()
                .map_err(|why| format!("expected JSON path `{path}`, but {why}"))?;
            let found = path.query(json).first();
            match (found, value) {
                (None, _) => {
                    return Err(format!("expected JSON path `{path}`, found nothing there"));
                }
                (Some(found), Some(value)) if !same(found, value) => {
                    let (value, found) = (value.to_string(), found.to_string());
                    return Err(format!(
                        "expected {} at JSON path `{path}`, found {}",
                        shorten(&value),
                        shorten(&found)
                    ));
                }
                (Some(_), _) => {}
            }
        }
        if let Some(text) = self
            .contains
            .as_deref()
            .filter(|text| !answer.text().contains(text))
        {
            return Err(format!(
                "expected {} in the body, found {}",
                shorten(text),
                shorten(&answer.text())
            ));
        }
        if let Some(regex) = self
            .matches
            .as_ref()
            .filter(|regex| !regex.is_match(&answer.text()))
        {
            return Err(format!(
                "expected a match of {} in the body, found {}",
                shorten(regex.as_str()),
                shorten(&answer.text())
            ));
        }
        Ok(())
    }

    fn time(&self, service: Duration) -> Result<(), String> {
        match self.within {
            Some(within) if service > within => Err(format!(
                "expected an answer within {within:?}, it took {service:?}"
            )),
            _ => Ok(()),
        }
    }
}

/// Equal as JSON, `1` and `1.0` being the same number.
fn same(a: &serde_json::Value, b: &serde_json::Value) -> bool {
    use serde_json::Value::Number;
    match (a, b) {
        (Number(x), Number(y)) => {
            x == y || (x.as_f64() == y.as_f64() && (x.is_f64() || y.is_f64()))
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests;
