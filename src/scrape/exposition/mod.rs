//! What a target says, read: the Prometheus text format 0.0.4 and `OpenMetrics` 1.0.
//!
//! ```text
//!   body, format ──▶ Entries ──▶ Sample   series text, value, timestamp, exemplar: slices of the body
//!                        │   ├──▶ Meta     TYPE, HELP, UNIT
//!                        │   └──▶ BadLine  number, text, reason; the lines after it are read on
//!                        └─ failed()       why the whole body counts for nothing, known at its end
//!   body ──▶ cache::Cache ──▶ points by the caller's ids, vanished ids; for the second scrape and all later ones
//! ```
//!
//! What Prometheus 2.42 refuses is a bad line here, and what it takes is taken as it takes it: it throws a whole scrape
//! away for one bad line, we keep the others and say which one it was. Different on purpose: names in quotes, which
//! newer servers know, are read in both formats, and a line that begins with a NUL is bad, where Prometheus silently
//! stops reading.
//!
//! The invariant: any bytes at all are entries and at most one failure, in one pass and without a copy; only escapes
//! are decoded, when asked for.

mod bad;
pub mod cache;
mod cursor;
mod meta;
mod number;
mod series;

#[cfg(test)]
mod tests;

use memchr::memchr;

pub use bad::{BadLine, Failed, Reason};
pub use cursor::{Exemplar, Sample};
pub use meta::{Kind, Meta, Told, family};
pub use number::printed;
pub use series::{Pairs, labels, name, pairs};

use cursor::Cursor;
use meta::Comment;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The Prometheus text format 0.0.4: timestamps in milliseconds.
    Text,
    /// `OpenMetrics` 1.0: timestamps in seconds, `# EOF` at the end.
    OpenMetrics,
}

impl Format {
    /// What a Content-Type stands for, as Prometheus takes it: anything unknown is text.
    pub fn of(content_type: Option<&str>) -> Result<Self, Failed> {
        let kind = content_type.and_then(|text| text.split(';').next());
        let kind = kind.unwrap_or_default().trim();
        let is = |known: &str| kind.eq_ignore_ascii_case(known);
        match () {
            () if is("application/openmetrics-text") => Ok(Self::OpenMetrics),
            () if is("application/vnd.google.protobuf") => Err(Failed::Protobuf),
            () => Ok(Self::Text),
        }
    }

    /// For a body that nobody named a type for: `OpenMetrics` when its last line is `# EOF`.
    pub fn guess(body: &[u8]) -> Self {
        let body = body.trim_ascii_end();
        let line = body.rsplit(|&byte| byte == b'\n').next();
        match line {
            Some(b"# EOF") => Self::OpenMetrics,
            _ => Self::Text,
        }
    }
}

/// One thing that a body says.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry<'b> {
    /// A series with its value.
    Sample(Sample<'b>),
    /// What is said of a metric.
    Meta(Meta<'b>),
    /// A line that Prometheus would refuse.
    Bad(BadLine<'b>),
}

/// Reads a body. Nothing is copied, and nothing is allocated for a good line.
pub fn parse(body: &[u8], format: Format) -> Entries<'_> {
    let failed = Failed::at_start(body);
    Entries {
        cursor: Cursor::new(body, format),
        line: 0,
        start: 0,
        ended: false,
        failed,
    }
}

/// The entries of a body, in its order.
#[derive(Debug, Clone)]
pub struct Entries<'b> {
    cursor: Cursor<'b>,
    /// How many lines were read.
    line: usize,
    /// Where the last line began.
    start: usize,
    /// Whether `# EOF` was read.
    ended: bool,
    failed: Option<Failed>,
}

impl<'b> Entries<'b> {
    /// Why the body as a whole is a failed scrape, which is known for sure when there are no more entries. What was
    /// read of it is right, but not all of it.
    pub fn failed(&self) -> Option<Failed> {
        self.failed
    }

    /// The number of the line that the last entry began in, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The line that the last entry was in, when that was a comment.
    fn text(&self) -> &'b [u8] {
        &self.cursor.bytes[self.start..self.cursor.at]
    }

    /// Passes over this comment, line break and all, when it comes next.
    fn skip_comment(&mut self, line: &[u8]) -> bool {
        let here = self.failed.is_none() && self.cursor.bytes[self.cursor.at..].starts_with(line);
        // A last line without its break could be the beginning of a longer one.
        if !here || self.ended || line.last() != Some(&b'\n') {
            return false;
        }
        self.cursor.at += line.len();
        self.line += 1;
        true
    }

    /// The next entry when it is a sample of the series with this text, which was read in this format before and holds
    /// no line break: then its labels are not looked at again.
    fn next_of(&mut self, series: &str) -> Option<Entry<'b>> {
        if self.ended || self.failed.is_some() {
            return None;
        }
        let start = self.cursor.at;
        let rest = self.cursor.bytes[start..].strip_prefix(series.as_bytes())?;
        // A second blank or a brace may still belong to the series.
        match rest {
            [b' ', next, ..] if !matches!(next, b' ' | b'\t' | b'{') => {}
            _ => return None,
        }
        let end = start + series.len();
        let text = std::str::from_utf8(&self.cursor.bytes[start..end]).ok()?;
        self.cursor.at = end;
        self.line += 1;
        Some(match self.cursor.rest(text, self.line) {
            Ok(sample) => Entry::Sample(sample),
            Err(reason) => self.refuse(start, reason),
        })
    }

    /// The line that began there, as a bad one.
    #[cold]
    fn refuse(&mut self, start: usize, reason: Reason) -> Entry<'b> {
        self.cursor.at = start;
        let text = self.cursor.take_line();
        self.cursor.breaks = 0;
        Entry::Bad(BadLine {
            line: self.line,
            text,
            reason,
        })
    }

    /// What a comment line says; `None` for nothing.
    fn comment(&mut self) -> Option<Result<Meta<'b>, Reason>> {
        let format = self.cursor.format;
        match meta::comment(self.cursor.take_line(), format) {
            Ok(Comment::Nothing) => None,
            Ok(Comment::Meta(meta)) => Some(Ok(meta)),
            Ok(Comment::End) => {
                self.ended = true;
                None
            }
            Err(reason) => Some(Err(reason)),
        }
    }
}

impl<'b> Iterator for Entries<'b> {
    type Item = Entry<'b>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'b>> {
        if self.failed.is_some() {
            return None;
        }
        loop {
            let start = self.cursor.at;
            self.start = start;
            if start >= self.cursor.bytes.len() {
                if self.cursor.format == Format::OpenMetrics && !self.ended {
                    self.failed = Some(Failed::NoEnd);
                }
                return None;
            }
            self.line += 1;
            if self.ended {
                let entry = self.refuse(start, Reason::AfterEnd);
                self.cursor.at = self.cursor.bytes.len();
                return Some(entry);
            }
            let entry = match self.cursor.line_start() {
                Ok(b'\n') => {
                    self.cursor.take_line();
                    continue;
                }
                Ok(b'#') => match self.comment() {
                    None => continue,
                    Some(Ok(meta)) => Entry::Meta(meta),
                    Some(Err(reason)) => self.refuse(start, reason),
                },
                Ok(_) => match self.cursor.sample(self.line) {
                    Ok(sample) => Entry::Sample(sample),
                    Err(reason) => self.refuse(start, reason),
                },
                Err(reason) => self.refuse(start, reason),
            };
            // A label's value may hold line breaks.
            self.line += std::mem::take(&mut self.cursor.breaks);
            return Some(entry);
        }
    }
}

/// The end of the line that begins at `at`: where its line break is, or the end of all.
fn line_end(bytes: &[u8], at: usize) -> usize {
    memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |length| at + length)
}
