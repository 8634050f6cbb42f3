//! Comment lines: what is said of a metric, and the end of an `OpenMetrics` body.

use std::borrow::Cow;

use memchr::memchr;

use super::cursor::{Cursor, LABEL_VALUE_ESCAPES};
use super::series::unescaped;
use super::{Format, Reason};

/// What a body says of a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta<'b> {
    /// The metric's name, without the `_total`, `_bucket` and the like of its samples in `OpenMetrics`.
    pub name: Cow<'b, str>,
    /// What is said.
    pub told: Told<'b>,
}

/// What is said of a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told<'b> {
    /// Its type.
    Type(Kind),
    /// What it stands for, for people.
    Help(Cow<'b, str>),
    /// Its unit, which its name ends with; empty for none.
    Unit(&'b str),
}

/// The type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Only grows, until it begins again.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by upper bound.
    Histogram,
    /// A histogram that may go down.
    GaugeHistogram,
    /// Quantiles that the target made.
    Summary,
    /// Labels, and 1.
    Info,
    /// One series a state, 1 for the states that it is in.
    StateSet,
    /// Nothing is known.
    Unknown,
}

impl Kind {
    /// Its name in `OpenMetrics`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::GaugeHistogram => "gaugehistogram",
            Self::Summary => "summary",
            Self::Info => "info",
            Self::StateSet => "stateset",
            Self::Unknown => "unknown",
        }
    }

    fn read(text: &[u8], format: Format) -> Option<Self> {
        match (text, format) {
            (b"counter", _) => Some(Self::Counter),
            (b"gauge", _) => Some(Self::Gauge),
            (b"histogram", _) => Some(Self::Histogram),
            (b"summary", _) => Some(Self::Summary),
            (b"untyped", Format::Text) | (b"unknown", Format::OpenMetrics) => Some(Self::Unknown),
            (b"gaugehistogram", Format::OpenMetrics) => Some(Self::GaugeHistogram),
            (b"info", Format::OpenMetrics) => Some(Self::Info),
            (b"stateset", Format::OpenMetrics) => Some(Self::StateSet),
            _ => None,
        }
    }

    /// What a name of a sample may have after the name that the type was given for.
    fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Counter => &["_total", "_created"],
            Self::Histogram => &["_bucket", "_sum", "_count", "_created"],
            Self::GaugeHistogram => &["_bucket", "_gsum", "_gcount"],
            Self::Summary => &["_sum", "_count", "_created"],
            Self::Info => &["_info"],
            Self::Gauge | Self::StateSet | Self::Unknown => &[],
        }
    }
}

/// The name that a sample's metric was described by: `latency` for `latency_bucket` when `latency` is a histogram.
/// `kind` tells the type that was given for a name.
pub fn family(sample: &str, kind: impl Fn(&str) -> Option<Kind>) -> &str {
    if kind(sample).is_some() {
        return sample;
    }
    let described = sample.rfind('_').and_then(|place| {
        let (name, ending) = sample.split_at(place);
        let endings = kind(name)?.endings();
        endings.contains(&ending).then_some(name)
    });
    described.unwrap_or(sample)
}

/// What a comment line is.
pub(super) enum Comment<'b> {
    Nothing,
    Meta(Meta<'b>),
    End,
}

/// Reads a line that begins with `#`, without its line break.
pub(super) fn comment(line: &[u8], format: Format) -> Result<Comment<'_>, Reason> {
    let line = line.trim_ascii_start();
    match format {
        Format::Text => text_comment(line),
        Format::OpenMetrics => open_comment(line),
    }
}

fn blanks(text: &[u8]) -> usize {
    let blank = |byte: &&u8| matches!(byte, b' ' | b'\t');
    text.iter().take_while(blank).count()
}

fn text_comment(line: &[u8]) -> Result<Comment<'_>, Reason> {
    let rest = &line[1..];
    let before = blanks(rest);
    let (word, rest) = rest[before..].split_at_checked(4).unwrap_or_default();
    let after = blanks(rest);
    if before == 0 || after == 0 || !matches!(word, b"HELP" | b"TYPE") {
        return Ok(Comment::Nothing);
    }
    let (name, rest) = metric(&rest[after..])?;
    // Whatever the first byte is, Prometheus takes it for the blank.
    let text = match rest.get(1..).unwrap_or_default() {
        text if blanks(rest) == rest.len() => &text[..0],
        text => text,
    };
    let told = match word {
        b"TYPE" => Told::Type(Kind::read(text, Format::Text).ok_or(Reason::Type)?),
        _ => Told::Help(help(text, b"n\\")?),
    };
    Ok(Comment::Meta(Meta { name, told }))
}

fn open_comment(line: &[u8]) -> Result<Comment<'_>, Reason> {
    if line == b"# EOF" {
        return Ok(Comment::End);
    }
    let (word, rest) = line.split_at_checked(7).ok_or(Reason::Comment)?;
    if !matches!(word, b"# HELP " | b"# TYPE " | b"# UNIT ") {
        return Err(Reason::Comment);
    }
    let (name, rest) = metric(rest)?;
    let text = rest.strip_prefix(b" ").ok_or(Reason::MetaText)?;
    let told = match word {
        b"# TYPE " => Told::Type(Kind::read(text, Format::OpenMetrics).ok_or(Reason::Type)?),
        b"# HELP " => Told::Help(help(text, LABEL_VALUE_ESCAPES)?),
        _ => Told::Unit(unit(&name, text)?),
    };
    Ok(Comment::Meta(Meta { name, told }))
}

/// A metric's name, plain or in quotes, and what follows it.
fn metric(text: &[u8]) -> Result<(Cow<'_, str>, &[u8]), Reason> {
    let mut cursor = Cursor::new(text, Format::OpenMetrics);
    let quoted = text.first() == Some(&b'"');
    let name = if quoted {
        cursor.quoted().map_err(|_| Reason::MetaName)?
    } else {
        cursor.metric_name()
    };
    if name.is_empty() {
        return Err(Reason::MetaName);
    }
    let name = std::str::from_utf8(name).map_err(|_| Reason::NotUtf8)?;
    let rest = &text[cursor.at..];
    let name = if quoted {
        unescaped(name, LABEL_VALUE_ESCAPES)
    } else {
        Cow::Borrowed(name)
    };
    Ok((name, rest))
}

fn help<'b>(text: &'b [u8], escapes: &[u8]) -> Result<Cow<'b, str>, Reason> {
    let text = std::str::from_utf8(text).map_err(|_| Reason::NotUtf8)?;
    Ok(match memchr(b'\\', text.as_bytes()) {
        Some(_) => unescaped(text, escapes),
        None => Cow::Borrowed(text),
    })
}

fn unit<'b>(name: &str, text: &'b [u8]) -> Result<&'b str, Reason> {
    let unit = std::str::from_utf8(text).map_err(|_| Reason::NotUtf8)?;
    let before = name.strip_suffix(unit);
    let ends = unit.is_empty() || before.is_some_and(|before| before.ends_with('_'));
    ends.then_some(unit).ok_or(Reason::Unit)
}
