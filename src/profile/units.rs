//! Numbers with units, as a profile writes them: `200/s`, `1.5k/s`, `2x`, `150%`, `2h30m`, `400MiB`, `0.1%`.
//!
//! In: the text between the quotes. Out: a typed value, or a sentence that says which forms are accepted. Printing a
//! value gives text that reads back as the same value, bit for bit: sessions keep the text and judge by it later.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::model::ThinkTime;

/// Something a second. Finite and never negative.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Rate(pub f64);

/// A load factor: `1x` is what the scenarios state. Finite and never negative.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Factor(pub f64);

/// A share between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Ratio(pub f64);

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// A length of time, for printing and reading in the profile's own form. At most [`LONGEST`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// The longest time that a profile can name: 1000 days, so that sums of a few stay far below every overflow.
pub const LONGEST: Duration = Duration::from_hours(24_000);

/// Text that is not what it should be, and what would be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {what}; write it like {forms}")]
pub struct UnitError {
    /// The text.
    pub text: String,
    /// What was wanted, with its article: `a rate`.
    pub what: &'static str,
    /// Forms that are accepted.
    pub forms: &'static str,
}

fn wrong(text: &str, what: &'static str, forms: &'static str) -> UnitError {
    let mut shown: String = text.chars().take(60).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    UnitError {
        text: shown,
        what,
        forms,
    }
}

/// Splits `12.5rest` into its number and the rest. No sign, no exponent: neither makes sense with a unit.
fn split_number(text: &str) -> Option<(&str, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    let well_formed = number.starts_with(|c: char| c.is_ascii_digit())
        && number.ends_with(|c: char| c.is_ascii_digit())
        && number.matches('.').count() <= 1;
    well_formed.then_some((number, rest))
}

/// A finite number and what follows it, blanks between them ignored.
fn number(text: &str) -> Option<(f64, &str)> {
    let (number, rest) = split_number(text.trim())?;
    let value: f64 = number.parse().ok()?;
    value.is_finite().then(|| (value, rest.trim_start()))
}

/// `12`, `1.5k`, `2M`: a count with an optional decimal multiplier, and what follows it.
fn count(text: &str) -> Option<(f64, &str)> {
    let (value, rest) = number(text)?;
    let (factor, rest) = match rest.as_bytes().first() {
        Some(b'k' | b'K') => (1e3, &rest[1..]),
        Some(b'M') => (1e6, &rest[1..]),
        _ => (1.0, rest),
    };
    let value = value * factor;
    value.is_finite().then_some((value, rest))
}

/// Reads a plain count: `1000`, `1.5k`, `2M`.
pub fn parse_count(text: &str) -> Result<f64, UnitError> {
    match count(text) {
        Some((value, "")) => Ok(value),
        _ => Err(wrong(text, "a count", "`1000`, `1.5k` or `2M`")),
    }
}

/// Prints `value` with a `k` or `M` where that reads back exactly.
fn write_count(value: f64) -> String {
    for (factor, suffix) in [(1e6, "M"), (1e3, "k")] {
        let scaled = value / factor;
        let text = scaled.to_string();
        #[allow(
            clippy::float_cmp,
            reason = "the text must read back as the same value"
        )]
        if value >= factor && text.len() <= 6 && scaled * factor == value {
            return text + suffix;
        }
    }
    value.to_string()
}

impl FromStr for Rate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let parsed = count(text).and_then(|(value, rest)| {
            let seconds = match rest.strip_prefix('/')?.trim() {
                "s" | "sec" | "second" => 1.0,
                "m" | "min" | "minute" => 60.0,
                "h" | "hour" => 3600.0,
                "d" | "day" => 86_400.0,
                _ => return None,
            };
            Some(Self(value / seconds))
        });
        parsed.ok_or_else(|| wrong(text, "a rate", "`200/s`, `1.5k/s`, `100/min` or `3/h`"))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.to_string().len() > 8 {
            for (seconds, unit) in [(60.0, "min"), (3600.0, "h"), (86_400.0, "d")] {
                let amount = (self.0 * seconds).round();
                #[allow(
                    clippy::float_cmp,
                    reason = "the text must read back as the same value"
                )]
                if amount / seconds == self.0 {
                    return write!(f, "{}/{unit}", write_count(amount));
                }
            }
        }
        write!(f, "{}/s", write_count(self.0))
    }
}

impl FromStr for Factor {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        match number(text) {
            Some((value, "x" | "")) => Ok(Self(value)),
            Some((value, "%")) => Ok(Self(value / 100.0)),
            _ => Err(wrong(text, "a load factor", "`1x`, `1.5x` or `150%`")),
        }
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x", self.0)
    }
}

impl FromStr for Ratio {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let parsed = match number(text) {
            Some((value, "%")) => Some(value / 100.0),
            Some((value, "")) => Some(value),
            _ => None,
        };
        parsed
            .filter(|value| (0.0..=1.0).contains(value))
            .map(Self)
            .ok_or_else(|| {
                wrong(
                    text,
                    "a share of the whole",
                    "`0.1%`, `99.9%` or a number from 0 to 1",
                )
            })
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match percent(self.0) {
            Some(text) => f.write_str(&text),
            None => write!(f, "{}", self.0),
        }
    }
}

/// The shortest percentage that reads back as exactly `value`.
pub(super) fn percent(value: f64) -> Option<String> {
    (0..=20)
        .map(|digits| format!("{:.digits$}", value * 100.0))
        .find(|text| {
            #[allow(
                clippy::float_cmp,
                reason = "the text must read back as the same value"
            )]
            text.parse::<f64>().is_ok_and(|p| p / 100.0 == value)
        })
        .map(|text| text + "%")
}

/// Units of time from the longest to the shortest, in nanoseconds.
const TIME_UNITS: [(&str, u128); 9] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("ns", 1),
];

/// `number` times `unit`, exact to the nanosecond; further digits are cut off.
fn scaled_nanos(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u128 = whole.parse::<u64>().ok()?.into();
    let fraction = &fraction[..fraction.len().min(18)];
    let part = match fraction {
        "" => 0,
        digits => u128::from(digits.parse::<u64>().ok()?) * unit / 10u128.pow(digits.len() as u32),
    };
    Some(whole * unit + part)
}

fn nanos(text: &str) -> Option<u128> {
    let mut rest = text.trim();
    let mut total = 0u128;
    let mut previous = u128::MAX;
    while !rest.is_empty() {
        let (number, after) = split_number(rest)?;
        let end = after
            .find(|c: char| c.is_ascii_digit() || c.is_whitespace())
            .unwrap_or(after.len());
        let (name, next) = after.split_at(end);
        let (_, unit) = TIME_UNITS.iter().find(|(known, _)| *known == name)?;
        if *unit >= previous {
            return None;
        }
        previous = *unit;
        total = total.checked_add(scaled_nanos(number, *unit)?)?;
        rest = next.trim_start();
    }
    (previous != u128::MAX && total <= LONGEST.as_nanos()).then_some(total)
}

impl FromStr for Span {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        nanos(text)
            .and_then(|n| u64::try_from(n).ok())
            .map(|n| Self(Duration::from_nanos(n)))
            .ok_or_else(|| {
                wrong(
                    text,
                    "a length of time",
                    "`250ms`, `1.5s`, `2h30m` or `1d` (at most 1000d)",
                )
            })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        if nanos < 1_000_000_000 {
            let (unit, size) = match nanos {
                0 => return f.write_str("0s"),
                n if n >= 1_000_000 => ("ms", 1_000_000),
                n if n >= 1_000 => ("us", 1_000),
                _ => ("ns", 1),
            };
            return write!(f, "{}{unit}", decimal(nanos, size));
        }
        let mut left = nanos;
        for (unit, size) in [TIME_UNITS[0], TIME_UNITS[1], TIME_UNITS[2]] {
            if left >= size {
                write!(f, "{}{unit}", left / size)?;
                left %= size;
            }
        }
        match left {
            0 => Ok(()),
            _ => write!(f, "{}s", decimal(left, 1_000_000_000)),
        }
    }
}

/// `value / unit` as an exact decimal; `unit` is a power of ten.
fn decimal(value: u128, unit: u128) -> String {
    let digits = unit.ilog10() as usize;
    match value % unit {
        0 => (value / unit).to_string(),
        part => {
            let part = format!("{part:0digits$}");
            format!("{}.{}", value / unit, part.trim_end_matches('0'))
        }
    }
}

/// Reads a length of time: `250ms`, `1.5s`, `2h30m`, `1d`.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    text.parse::<Span>().map(|span| span.0)
}

/// Prints a length of time so that [`parse_duration`] reads it back.
pub fn format_duration(duration: Duration) -> String {
    Span(duration).to_string()
}

/// Units of size: names and bytes. Powers of 1024 have an `i`.
const BYTE_UNITS: [(&str, u64); 8] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
];

impl FromStr for Bytes {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let parsed = split_number(text.trim()).and_then(|(number, unit)| {
            let unit = unit.trim_start().to_ascii_lowercase();
            let size = if unit.is_empty() || unit == "b" {
                1
            } else {
                // `400M`, `400MB`, `400Mi` and `400MiB` are all in use.
                let full = if unit.ends_with('b') {
                    unit
                } else {
                    unit + "b"
                };
                BYTE_UNITS
                    .iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case(&full))?
                    .1
            };
            u64::try_from(scaled_nanos(number, u128::from(size))?).ok()
        });
        parsed
            .map(Self)
            .ok_or_else(|| wrong(text, "a size", "`512`, `10MB`, `400MiB` or `1k`"))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = BYTE_UNITS
            .iter()
            .find(|(_, size)| self.0 >= *size && self.0.is_multiple_of(*size));
        match whole {
            Some((name, size)) => write!(f, "{}{name}", self.0 / size),
            None => write!(f, "{}B", self.0),
        }
    }
}

/// Reads a size in bytes: `400MiB`, `10MB`, `1k`, `512`.
pub fn parse_bytes(text: &str) -> Result<u64, UnitError> {
    text.parse::<Bytes>().map(|bytes| bytes.0)
}

/// Prints a size so that [`parse_bytes`] reads it back.
pub fn format_bytes(bytes: u64) -> String {
    Bytes(bytes).to_string()
}

impl FromStr for ThinkTime {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let text = text.trim();
        let parsed = if let Some(mean) = text.strip_prefix("exp ") {
            parse_duration(mean).ok().map(Self::Exponential)
        } else if let Some((low, high)) = text.split_once("..") {
            match (parse_duration(low), parse_duration(high)) {
                (Ok(low), Ok(high)) if low <= high => Some(Self::Range(low, high)),
                _ => None,
            }
        } else if text == "none" {
            Some(Self::None)
        } else {
            parse_duration(text).ok().map(Self::Fixed)
        };
        parsed.ok_or_else(|| {
            wrong(
                text,
                "a think time",
                "`1s`, `1s..3s` (uniform), `exp 2s` (exponential) or `none`",
            )
        })
    }
}

impl fmt::Display for ThinkTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::None => f.write_str("none"),
            Self::Fixed(time) => Span(time).fmt(f),
            Self::Range(low, high) => write!(f, "{}..{}", Span(low), Span(high)),
            Self::Exponential(mean) => write!(f, "exp {}", Span(mean)),
        }
    }
}

#[cfg(test)]
#[path = "units_tests.rs"]
mod tests;
