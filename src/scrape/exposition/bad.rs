//! What can be wrong with a line, and with a body as a whole, in sentences.

use std::fmt;

/// A line that is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadLine<'b> {
    /// Its number, from 1.
    pub line: usize,
    /// All of it, without the line break.
    pub text: &'b [u8],
    /// What is wrong with it.
    pub reason: Reason,
}

impl BadLine<'_> {
    /// How many bytes of a line are shown.
    const SHOWN: usize = 120;

    /// The beginning of the line, fit to be shown.
    pub fn excerpt(&self) -> String {
        let cut = &self.text[..self.text.len().min(Self::SHOWN)];
        let text = String::from_utf8_lossy(cut);
        let mut shown: String = text.chars().flat_map(visible).collect();
        if cut.len() < self.text.len() {
            shown.push('…');
        }
        shown
    }
}

/// A character as it is, or the escape of one that would move the cursor.
fn visible(c: char) -> impl Iterator<Item = char> {
    let plain = (!c.is_control()).then_some(c);
    let escape = c.is_control().then(|| c.escape_default());
    plain.into_iter().chain(escape.into_iter().flatten())
}

impl fmt::Display for BadLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {}", self.line, self.reason, self.excerpt())
    }
}

/// Why a line is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It begins with something that no line begins with.
    #[error("a line begins with a metric's name or `#`")]
    Start,
    /// Blanks before a metric's name.
    #[error("blanks before the metric's name")]
    Indented,
    /// A blank line in `OpenMetrics`.
    #[error("OpenMetrics has no empty lines")]
    Blank,
    /// A comment in `OpenMetrics` that is none of its four.
    #[error("OpenMetrics has no comments but `# TYPE`, `# HELP`, `# UNIT` and `# EOF`")]
    Comment,
    /// Something after `# EOF`; all of it is one bad line.
    #[error("something stands after `# EOF`")]
    AfterEnd,
    /// A TYPE, HELP or UNIT line without a metric's name.
    #[error("a metric's name is missing after TYPE, HELP or UNIT")]
    MetaName,
    /// A TYPE, HELP or UNIT line that ends after the name.
    #[error("the line ends after the metric's name")]
    MetaText,
    /// A type that the format does not know.
    #[error("this format knows no such type")]
    Type,
    /// A unit that the metric's name does not end with.
    #[error("the metric's name does not end with its unit")]
    Unit,
    /// Bytes that are not UTF-8 in a label or a help text.
    #[error("a label or help text is not UTF-8")]
    NotUtf8,
    /// Braces without a metric's name in or before them.
    #[error("the metric has no name")]
    NoName,
    /// A name in front of the braces and one in them, or two in them.
    #[error("the metric has two names")]
    TwoNames,
    /// Something else where a label's name should be.
    #[error("a label's name is missing or has a character that needs quotes")]
    LabelName,
    /// No `=` after a label's name.
    #[error("`=` is missing after a label's name")]
    Equals,
    /// Something else where a label's value should be.
    #[error("a label's value is missing or not in double quotes")]
    LabelValue,
    /// A quote without its end.
    #[error("a quoted text does not end")]
    Unclosed,
    /// Labels that no comma separates, in `OpenMetrics`.
    #[error("a comma or `}}` is missing after a label")]
    Comma,
    /// The same label twice.
    #[error("a label is there twice")]
    LabelTwice,
    /// The line ends after the series.
    #[error("the value is missing")]
    NoValue,
    /// Not exactly one blank, in `OpenMetrics`.
    #[error("one blank must stand before a value or timestamp, and nothing else")]
    Space,
    /// Not a number as Prometheus reads them.
    #[error("the value is not a number")]
    Value,
    /// A number too large for a 64-bit float.
    #[error("the value is out of range")]
    Range,
    /// Not a timestamp of this format.
    #[error("the timestamp is not one")]
    Timestamp,
    /// Something after the last thing that a line may have.
    #[error("something stands after the end of the sample")]
    Garbage,
    /// An exemplar where there may be none.
    #[error("only `_total` and `_bucket` may have exemplars")]
    Exemplar,
    /// The same series at the same time for the second time.
    #[error("the series is there twice; the first one counts")]
    Twice,
    /// A sample before the last one of the same series.
    #[error("the sample is older than the one before it of the same series")]
    Older,
}

/// Why a body as a whole is a failed scrape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// `OpenMetrics` that stops before its end.
    #[error("the body is cut off: it is OpenMetrics and has no `# EOF` at its end")]
    NoEnd,
    /// A page for people, as a proxy or a login makes them.
    #[error("this is an HTML page, not metrics; is the path right, and does it need a login?")]
    Html,
    /// A format that was not asked for.
    #[error("this is Prometheus' protobuf format, which was not asked for")]
    Protobuf,
    /// Compressed without a Content-Encoding.
    #[error("the body is compressed, and the target does not say so")]
    Compressed,
    /// A text in 16-bit units.
    #[error("the body is UTF-16, not UTF-8")]
    Utf16,
}

impl Failed {
    /// What shows in the first bytes.
    pub(super) fn at_start(body: &[u8]) -> Option<Self> {
        match body {
            [0x1f, 0x8b, ..] => return Some(Self::Compressed),
            [0xfe, 0xff, ..] | [0xff, 0xfe, ..] => return Some(Self::Utf16),
            _ => {}
        }
        let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
        (body.trim_ascii_start().first() == Some(&b'<')).then_some(Self::Html)
    }
}
