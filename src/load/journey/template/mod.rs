//! Text that is filled in for each request.
//!
//! In: strings of a profile, and the scope of a user (saved values, data rows). Out: text. Strings without `{{` or
//! `{%` are static and never come here. Templates are compiled once, one environment a step; rendering is bounded in
//! instructions and in bytes. The invariant: whatever a template holds, rendering ends, and prints at most [`CAP`] bytes.
//!
//! ## JSON bodies
//!
//! Each JSON string that holds a template is rendered on its own and escaped, so that no value can break the body.
//! A string stays a string: `"{{ random_int(1, 5) }}"` sends `"3"`. When the whole string is one `{{ … }}` whose
//! last filter is `number`, `int`, `float`, `bool`, `json` or `tojson`, what it prints is sent bare: `"{{ n | int }}"`
//! sends `3`; if that is not JSON (`NaN`), the request fails with kind `data` and is not sent.

mod compile;
mod filters;
pub(super) mod functions;
pub(super) mod scan;

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, Output, State, UndefinedBehavior, Value};
use serde::de::IgnoredAny;

pub(super) use compile::{Compiler, Known};
pub(super) use scan::is_template;

/// Most bytes that one rendering may print.
pub(super) const CAP: usize = 1 << 20;
/// Most instructions of one rendering; a plain `{{ a.b }}` takes about four.
const FUEL: u64 = 100_000;
/// The functions and filters every template of a scenario sees.
pub(super) fn environment(counter: &Arc<AtomicU64>) -> Environment<'static> {
    let mut env = Environment::empty();
    env.set_auto_escape_callback(|_| AutoEscape::None);
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_fuel(Some(FUEL));
    env.set_recursion_limit(64);
    env.set_formatter(format);
    functions::add(&mut env, counter);
    filters::add_filters(&mut env);
    filters::add_tests(&mut env);
    env
}

/// Prints `true`, `false` and `null` as JSON does; the engine's own words are `True`, `False` and `None`.
fn format(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), minijinja::Error> {
    match value.kind() {
        ValueKind::Bool => Ok(out.write_str(if value.is_true() { "true" } else { "false" })?),
        ValueKind::None => Ok(out.write_str("null")?),
        _ => minijinja::escape_formatter(out, state, value),
    }
}

/// How what a template prints goes into the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Plain,
    /// Escaped between the quotes of a JSON string.
    JsonString,
    /// A JSON value of its own.
    JsonBare,
    /// A value of a URL-encoded form.
    Form,
}

#[derive(Debug)]
enum Part {
    Static(Box<str>),
    Dynamic { template: Box<str>, mode: Mode },
}

/// A text with something to fill in, cut into what stands and what is rendered.
#[derive(Debug, Default)]
pub(super) struct Pattern {
    parts: Vec<Part>,
}

/// A template error without the template's text, which may hold a secret.
fn sentence(error: &minijinja::Error) -> String {
    let detail = error
        .detail()
        .map_or_else(String::new, |detail| format!(": {detail}"));
    match error.line() {
        Some(line @ 2..) => format!("{}{detail} (line {line})", error.kind()),
        _ => format!("{}{detail}", error.kind()),
    }
}

impl Pattern {
    fn push(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if let Some(Part::Static(last)) = self.parts.last_mut() {
            *last = format!("{last}{text}").into();
        } else {
            self.parts.push(Part::Static(text.into()));
        }
    }

    /// The text, when there is nothing to fill in.
    pub(super) fn fixed(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Static(text)] => Some(text),
            _ => None,
        }
    }

    /// Renders into `out`, which is cleared first. The error is a sentence.
    pub(super) fn render(
        &self,
        env: &Environment<'static>,
        scope: &Value,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        out.clear();
        let mut room = CAP;
        for part in &self.parts {
            match part {
                Part::Static(text) => out.extend_from_slice(text.as_bytes()),
                Part::Dynamic { template, mode } => {
                    let start = out.len();
                    let mut capped = Capped { out, room };
                    let printed = print(env, template, scope, &mut capped);
                    room = capped.room;
                    printed?;
                    encode(out, start, *mode)?;
                }
            }
        }
        Ok(())
    }
}

fn print(
    env: &Environment<'static>,
    name: &str,
    scope: &Value,
    out: &mut Capped<'_>,
) -> Result<(), String> {
    let template = env.get_template(name).map_err(|error| sentence(&error))?;
    let result = template.render_captured_to(scope.clone(), out).map(drop);
    result.map_err(|error| match error.kind() {
        minijinja::ErrorKind::OutOfFuel => "the template does too much: it was stopped".to_owned(),
        minijinja::ErrorKind::WriteFailure => "the template prints more than 1 MiB".to_owned(),
        minijinja::ErrorKind::UndefinedError => undefined(&template, scope, &error),
        _ => sentence(&error),
    })
}

/// Says which name had no value, where that can be told.
fn undefined(
    template: &minijinja::Template<'_, '_>,
    scope: &Value,
    error: &minijinja::Error,
) -> String {
    let mut paths: Vec<_> = template.undeclared_variables(true).into_iter().collect();
    paths.sort();
    let missing = paths.into_iter().find(|path| {
        let mut parts = path.split('.');
        let first = parts.next().unwrap_or_default();
        !functions::FUNCTIONS.contains(&first)
            && std::iter::once(first)
                .chain(parts)
                .try_fold(scope.clone(), |value, name| {
                    value.get_attr(name).ok().filter(|v| !v.is_undefined())
                })
                .is_none()
    });
    missing.map_or_else(|| sentence(error), |path| format!("`{path}` has no value"))
}

/// Puts what was printed from `start` on into its form.
fn encode(out: &mut Vec<u8>, start: usize, mode: Mode) -> Result<(), String> {
    match mode {
        Mode::Plain => Ok(()),
        Mode::JsonBare => serde_json::from_slice::<IgnoredAny>(&out[start..])
            .map(drop)
            .map_err(|_| "a bare value is not JSON".to_owned()),
        Mode::JsonString => {
            let printed = String::from_utf8_lossy(&out[start..]);
            let quoted = serde_json::to_string(&printed).map_err(|error| error.to_string())?;
            out.truncate(start);
            out.extend_from_slice(&quoted.as_bytes()[1..quoted.len() - 1]);
            Ok(())
        }
        Mode::Form => {
            let encoded: String = url::form_urlencoded::byte_serialize(&out[start..]).collect();
            out.truncate(start);
            out.extend_from_slice(encoded.as_bytes());
            Ok(())
        }
    }
}

/// Appends to a buffer until the room is used up.
struct Capped<'a> {
    out: &'a mut Vec<u8>,
    room: usize,
}

impl io::Write for Capped<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.room = self
            .room
            .checked_sub(bytes.len())
            .ok_or(io::ErrorKind::FileTooLarge)?;
        self.out.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Compiles and renders a text once without data. The error is a sentence.
pub(super) fn render_once(text: &str, seed: u64) -> Result<String, String> {
    let known = Known::default();
    let mut compiler = Compiler::new(environment(&Arc::default()), &known);
    let pattern = compiler.text(text)?;
    let mut ambient = functions::Ambient {
        rng: super::random::rng(seed),
        number: 1,
        iteration: 1,
    };
    let mut out = Vec::new();
    functions::with(&mut ambient, || {
        pattern.render(&compiler.env, &Value::from(()), &mut out)
    })?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests;
