//! Filters and tests that templates can use: the engine's own that cannot grow their input much, and a few more.

use std::borrow::Cow;
use std::fmt::Write as _;

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, Value, filters, tests};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::CAP;

/// Everything but RFC 3986's unreserved characters.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

macro_rules! table {
    ($names:ident, $add:ident, $method:ident, { $($name:literal => $function:expr),+ $(,)? }) => {
        /// Names, for validation.
        pub(super) const $names: &[&str] = &[$($name),+];
        /// Adds them all.
        pub(super) fn $add(env: &mut Environment<'static>) {
            $(env.$method($name, $function);)+
        }
    };
}

table!(FILTERS, add_filters, add_filter, {
    "abs" => filters::abs, "attr" => filters::attr, "base64" => base64, "bool" => filters::bool,
    "capitalize" => filters::capitalize, "count" => filters::length, "d" => filters::default,
    "default" => filters::default, "dictsort" => filters::dictsort, "first" => filters::first,
    "float" => filters::float, "int" => filters::int, "items" => filters::items, "join" => join, "json" => json,
    "last" => filters::last, "length" => filters::length, "lines" => filters::lines, "list" => filters::list,
    "lower" => filters::lower, "map" => filters::map, "max" => filters::max, "min" => filters::min,
    "number" => number, "pad" => pad, "reject" => filters::reject, "rejectattr" => filters::rejectattr,
    "replace" => replace, "reverse" => filters::reverse, "round" => filters::round, "select" => filters::select,
    "selectattr" => filters::selectattr, "sort" => filters::sort, "split" => filters::split,
    "string" => filters::string, "sum" => filters::sum, "title" => filters::title, "tojson" => json,
    "trim" => filters::trim, "unique" => filters::unique, "upper" => filters::upper, "urlencode" => urlencode,
});

table!(TESTS, add_tests, add_test, {
    "boolean" => tests::is_boolean, "defined" => tests::is_defined, "divisibleby" => tests::is_divisibleby,
    "endingwith" => tests::is_endingwith, "eq" => tests::is_eq, "even" => tests::is_even,
    "false" => tests::is_false, "float" => tests::is_float, "ge" => tests::is_ge, "gt" => tests::is_gt,
    "in" => tests::is_in, "integer" => tests::is_integer, "iterable" => tests::is_iterable,
    "le" => tests::is_le, "lower" => tests::is_lower, "lt" => tests::is_lt, "mapping" => tests::is_mapping,
    "ne" => tests::is_ne, "none" => tests::is_none, "number" => tests::is_number, "odd" => tests::is_odd,
    "sequence" => tests::is_sequence, "startingwith" => tests::is_startingwith, "string" => tests::is_string,
    "true" => tests::is_true, "undefined" => tests::is_undefined, "upper" => tests::is_upper,
});

fn wrong(sentence: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, sentence.to_owned())
}

fn bounded(length: usize) -> Result<(), Error> {
    if length > CAP {
        return Err(wrong("a filter made more than 1 MiB"));
    }
    Ok(())
}

fn urlencode(value: &Value) -> String {
    utf8_percent_encode(&value.to_string(), COMPONENT).to_string()
}

fn json(value: &Value) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| wrong(&error.to_string()))
}

/// A number, or text that reads as one. The value itself stays out of the error: it may be a secret.
fn number(value: &Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Number => Ok(value.clone()),
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default().trim();
            let whole = text.parse::<i64>().map(Value::from);
            whole
                .or_else(|_| text.parse::<f64>().map(Value::from))
                .map_err(|_| wrong("`number` was given text that is not a number"))
        }
        _ => Err(wrong("`number` was given something that is not a number")),
    }
}

// The engine hands its arguments over by value.
#[allow(clippy::needless_pass_by_value)]
fn replace(value: Cow<'_, str>, from: Cow<'_, str>, to: Cow<'_, str>) -> Result<String, Error> {
    let hits = value.matches(&*from).count();
    bounded(value.len().saturating_add(hits.saturating_mul(to.len())))?;
    Ok(value.replace(&*from, &to))
}

#[allow(clippy::needless_pass_by_value)]
fn join(value: &Value, separator: Option<Cow<'_, str>>) -> Result<String, Error> {
    let mut text = String::new();
    for (i, item) in value.try_iter()?.enumerate() {
        if let (1.., Some(separator)) = (i, &separator) {
            text.push_str(separator);
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "{item}");
        bounded(text.len())?;
    }
    Ok(text)
}

/// `{{ 7 | pad(3) }}` is `007`.
fn pad(value: &Value, width: usize) -> Result<String, Error> {
    bounded(width)?;
    Ok(format!("{:0>width$}", value.to_string()))
}

fn base64(value: &Value) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text = value.to_string();
    let mut out = String::with_capacity(text.len().div_ceil(3) * 4);
    for chunk in text.as_bytes().chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * i) & 63) as usize];
            out.push(if i > chunk.len() {
                '='
            } else {
                char::from(digit)
            });
        }
    }
    out
}
