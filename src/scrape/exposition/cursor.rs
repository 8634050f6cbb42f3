//! The reader of a sample's line: one pass over its bytes.

use memchr::memchr3;

use super::number::{milliseconds, number, seconds, short};
use super::{Format, Reason, line_end, series};

/// What a backslash stands before in a label's value: as it is, but `n` for a line break.
pub(super) const LABEL_VALUE_ESCAPES: &[u8] = b"n\\\"";

/// A sample, in slices of its body.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample<'b> {
    /// The text of the series: the name, and the braces with all in them. [`series::labels`] makes labels of it.
    pub series: &'b str,
    /// The value. Every NaN is the same one.
    pub value: f64,
    /// Its own time, ms since the Unix epoch, if it has one.
    pub ts_ms: Option<i64>,
    /// Where an example of what was counted is found.
    pub exemplar: Option<Exemplar<'b>>,
    /// The line that it begins in, from 1.
    pub line: usize,
}

/// An example of what a counter or bucket counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exemplar<'b> {
    /// Its labels with the braces; [`series::pairs`] takes them apart.
    pub labels: &'b str,
    /// The value that was measured.
    pub value: f64,
    /// When, ms since the Unix epoch.
    pub ts_ms: Option<i64>,
}

/// What a byte may be part of.
const METRIC: u8 = 1;
const LABEL: u8 = 2;
const FIRST: u8 = 4;
const CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => METRIC | LABEL | FIRST,
            b':' => METRIC | FIRST,
            b'0'..=b'9' => METRIC | LABEL,
            _ => 0,
        };
        byte += 1;
    }
    classes
}

/// A place in a body.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'b> {
    pub bytes: &'b [u8],
    pub at: usize,
    pub format: Format,
    /// Line breaks within quotes since this was last taken.
    pub breaks: usize,
}

impl<'b> Cursor<'b> {
    pub fn new(bytes: &'b [u8], format: Format) -> Self {
        Self {
            bytes,
            at: 0,
            format,
            breaks: 0,
        }
    }

    /// The line from here on without its line break; the cursor stands behind that.
    pub fn take_line(&mut self) -> &'b [u8] {
        let end = line_end(self.bytes, self.at);
        let line = &self.bytes[self.at..end];
        self.at = (end + 1).min(self.bytes.len());
        line
    }

    /// The first byte of a line that says something; a line break for an empty one. The cursor stands there, but for a
    /// comment at the line's beginning. Before the end of the body only.
    pub fn line_start(&mut self) -> Result<u8, Reason> {
        let start = self.at;
        if self.format == Format::Text {
            self.blanks();
        }
        match (self.peek(), self.format) {
            (Some(b'\n') | None, Format::OpenMetrics) => Err(Reason::Blank),
            (Some(b'\n') | None, Format::Text) => Ok(b'\n'),
            (Some(b'#'), _) => {
                self.at = start;
                Ok(b'#')
            }
            (Some(byte), _) if self.at == start => Ok(byte),
            (Some(_), _) => Err(Reason::Indented),
        }
    }

    /// A line with a sample.
    #[inline]
    pub fn sample(&mut self, line: usize) -> Result<Sample<'b>, Reason> {
        let series = self.series()?;
        self.rest(series, line)
    }

    /// What follows the text of a series, up to and with the line break.
    #[inline]
    pub fn rest(&mut self, series: &'b str, line: usize) -> Result<Sample<'b>, Reason> {
        let mut sample = Sample {
            series,
            value: self.value()?,
            ts_ms: None,
            exemplar: None,
            line,
        };
        self.blanks_of_text();
        if self.line_break() {
            return Ok(sample);
        }
        if self.format == Format::Text {
            sample.ts_ms = Some(self.milliseconds()?);
            return Ok(sample);
        }
        if !self.at_exemplar() {
            sample.ts_ms = Some(seconds(self.token()?)?);
        }
        if self.at_exemplar() {
            sample.exemplar = Some(self.exemplar(series)?);
        }
        if !self.line_break() {
            return Err(Reason::Garbage);
        }
        Ok(sample)
    }

    fn milliseconds(&mut self) -> Result<i64, Reason> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        let ms = milliseconds(&self.bytes[start..self.at])?;
        self.blanks();
        self.line_break().then_some(ms).ok_or(Reason::Garbage)
    }

    #[inline]
    fn value(&mut self) -> Result<f64, Reason> {
        match self.format {
            Format::Text => self.blanks(),
            Format::OpenMetrics if matches!(self.peek(), None | Some(b'\n')) => {
                return Err(Reason::NoValue);
            }
            Format::OpenMetrics if self.peek() != Some(b' ') => return Err(Reason::Space),
            Format::OpenMetrics => self.at += 1,
        }
        if let Some((value, length)) = short(&self.bytes[self.at..]) {
            self.at += length;
            return Ok(value);
        }
        let text = self.format == Format::Text;
        let end = |byte: &u8| matches!(byte, b' ' | b'\n') || text && matches!(byte, b'\t' | b'{');
        match (self.up_to(end), self.format) {
            ([], Format::Text) => Err(Reason::NoValue),
            ([], Format::OpenMetrics) => Err(Reason::Space),
            (text, _) => number(text),
        }
    }

    fn up_to(&mut self, end: impl Fn(&u8) -> bool) -> &'b [u8] {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(end).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// In `OpenMetrics`: a blank, and all up to the next one or the line's end.
    fn token(&mut self) -> Result<&'b [u8], Reason> {
        if !self.eat(b' ') {
            return Err(Reason::Space);
        }
        match self.up_to(|byte| matches!(byte, b' ' | b'\n')) {
            [] => Err(Reason::Space),
            text => Ok(text),
        }
    }

    fn at_exemplar(&self) -> bool {
        self.bytes[self.at..].starts_with(b" # {")
    }

    fn exemplar(&mut self, of: &str) -> Result<Exemplar<'b>, Reason> {
        let name = series::name(of);
        if !name.ends_with("_total") && !name.ends_with("_bucket") {
            return Err(Reason::Exemplar);
        }
        self.at += 3;
        let start = self.at;
        self.at += 1;
        self.labels(None)?;
        let labels = &self.bytes[start..self.at];
        Ok(Exemplar {
            labels: std::str::from_utf8(labels).map_err(|_| Reason::NotUtf8)?,
            value: self.value()?,
            ts_ms: match self.peek() {
                Some(b' ') => Some(seconds(self.token()?)?),
                _ => None,
            },
        })
    }

    /// The text of a series.
    fn series(&mut self) -> Result<&'b str, Reason> {
        let start = self.at;
        let named = !self.metric_name().is_empty();
        let end = self.at;
        if self.format == Format::Text {
            self.blanks();
        }
        match self.peek() {
            Some(b'{') => {
                self.at += 1;
                let suspect = self.labels(Some(named))?;
                let text = &self.bytes[start..self.at];
                let text = std::str::from_utf8(text).map_err(|_| Reason::NotUtf8)?;
                if suspect && has_label_twice(text) {
                    return Err(Reason::LabelTwice);
                }
                Ok(text)
            }
            _ if named => {
                self.at = end;
                std::str::from_utf8(&self.bytes[start..end]).map_err(|_| Reason::NotUtf8)
            }
            _ => Err(Reason::Start),
        }
    }

    /// Labels up to and with the closing brace. `named` is whether a metric's name stands before them; `None` for an
    /// exemplar, which has none. Gives whether a label may be there twice.
    fn labels(&mut self, named: Option<bool>) -> Result<bool, Reason> {
        let text = self.format == Format::Text;
        let (mut named, mut suspect, mut seen) = (named, false, 0_u64);
        let mut after_comma = false;
        loop {
            self.blanks_of_text();
            if (text || !after_comma) && self.eat(b'}') {
                break;
            }
            match self.label()? {
                Some(label) => {
                    // Two labels that share nothing of these are two; the others are looked at again.
                    let mark = match label {
                        [one] => u32::from(*one),
                        [first, .., last] => {
                            u32::from(*first) * 31 + u32::from(*last) * 7 + label.len() as u32
                        }
                        [] => return Err(Reason::LabelName),
                    };
                    let mark = 1 << (mark & 63);
                    suspect |= seen & mark != 0 || label[0] == b'_' || label.contains(&b'\\');
                    seen |= mark;
                }
                None => match named.replace(true) {
                    Some(false) => {}
                    Some(true) => return Err(Reason::TwoNames),
                    None => return Err(Reason::Equals),
                },
            }
            self.blanks_of_text();
            after_comma = self.eat(b',');
            if !text && !after_comma && self.peek() != Some(b'}') {
                return Err(Reason::Comma);
            }
        }
        match named {
            Some(false) => Err(Reason::NoName),
            Some(true) | None => Ok(suspect),
        }
    }

    /// One label, its value read over: its name, or nothing when it is a metric's name in quotes.
    fn label(&mut self) -> Result<Option<&'b [u8]>, Reason> {
        let quoted = self.peek() == Some(b'"');
        let name = if quoted {
            self.quoted()?
        } else {
            self.label_name()
        };
        if name.is_empty() {
            return Err(Reason::LabelName);
        }
        self.blanks_of_text();
        if self.eat(b'=') {
            self.blanks_of_text();
            if self.peek() != Some(b'"') {
                return Err(Reason::LabelValue);
            }
            self.quoted()?;
            return Ok(Some(name));
        }
        match self.peek() {
            Some(b',' | b'}') if quoted => Ok(None),
            _ => Err(Reason::Equals),
        }
    }

    /// A text in quotes, which the cursor stands before, without them and with its escapes. Text 0.0.4 may break lines
    /// within.
    pub fn quoted(&mut self) -> Result<&'b [u8], Reason> {
        let start = self.at + 1;
        self.at = start;
        loop {
            let rest = &self.bytes[self.at..];
            let place = memchr3(b'"', b'\\', b'\n', rest).ok_or(Reason::Unclosed)?;
            self.at += place + 1;
            match rest[place] {
                b'"' => return Ok(&self.bytes[start..self.at - 1]),
                b'\n' if self.format == Format::Text => self.breaks += 1,
                b'\n' => return Err(Reason::Unclosed),
                _ => match rest.get(place + 1) {
                    None | Some(b'\n') => return Err(Reason::Unclosed),
                    Some(_) => self.at += 1,
                },
            }
        }
    }

    /// A plain metric's name, empty without one.
    pub fn metric_name(&mut self) -> &'b [u8] {
        self.name(METRIC)
    }

    /// A plain label's name, empty without one.
    pub fn label_name(&mut self) -> &'b [u8] {
        self.name(LABEL)
    }

    #[inline]
    fn name(&mut self, class: u8) -> &'b [u8] {
        let rest = &self.bytes[self.at..];
        let class_of = |byte: &u8| CLASS[usize::from(*byte)];
        let begins = |byte: &u8| class_of(byte) & FIRST != 0 && class_of(byte) & class != 0;
        if !rest.first().is_some_and(begins) {
            return &[];
        }
        let length = rest.iter().position(|byte| class_of(byte) & class == 0);
        let length = length.unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    /// Whether the line is over here; the cursor is behind it then.
    #[inline]
    fn line_break(&mut self) -> bool {
        self.eat(b'\n') || self.at >= self.bytes.len()
    }

    #[inline]
    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    #[inline]
    fn blanks_of_text(&mut self) {
        if self.format == Format::Text {
            self.blanks();
        }
    }
}

/// Whether a label stands in the text of a series twice, the metric's name counted as one.
fn has_label_twice(text: &str) -> bool {
    let mut names: Vec<_> = series::pairs(text).map(|(name, _)| name).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}
