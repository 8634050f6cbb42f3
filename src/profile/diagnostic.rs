//! Mistakes in a profile, each with its place, and how they are shown.
//!
//! In: what the reader found. Out: a [`ProfileError`] that prints every mistake at once in the order of the file, with
//! the line, a caret under the spot and, where there is one, a way out. The invariant: no message holds a secret.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet, normalize_untrusted_str};

/// How many mistakes are shown; the rest is counted.
pub const MOST: usize = 50;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong, in a sentence without its final stop.
    pub message: String,
    /// Where, in bytes of the profile's text.
    pub span: Range<usize>,
    /// A few words under the caret; may be empty.
    pub label: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A mistake at a place.
    pub fn new(message: impl Into<String>, span: Range<usize>) -> Self {
        Self {
            message: message.into(),
            span,
            label: String::new(),
            help: None,
        }
    }

    /// With words under the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// With a way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// This mistake in a text of its own, without colour: `origin` names that text.
    pub fn render(self, origin: &str, source: &str) -> String {
        let error = ProfileError::new(origin, source, vec![self], 0);
        let shown = error.diagnostics.first();
        shown.map_or_else(String::new, |diagnostic| {
            error.render_one(&Renderer::plain(), diagnostic)
        })
    }
}

/// Everything that is wrong with a profile. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileError {
    /// What the profile is called in messages: its path, or the name of a shipped one.
    pub origin: String,
    /// The text of the profile.
    pub source: String,
    /// The mistakes, in the order of the file; at most [`MOST`].
    pub diagnostics: Vec<Diagnostic>,
    /// How many more there are.
    pub omitted: usize,
}

impl ProfileError {
    /// Sorts the mistakes and keeps the first [`MOST`].
    pub(crate) fn new(
        origin: impl Into<String>,
        source: impl Into<String>,
        mut diagnostics: Vec<Diagnostic>,
        omitted: usize,
    ) -> Self {
        let source = source.into();
        for diagnostic in &mut diagnostics {
            diagnostic.span = clamp(&source, diagnostic.span.clone());
        }
        diagnostics.sort_by_key(|d| (d.span.start, d.span.end));
        diagnostics.dedup();
        let omitted = omitted + diagnostics.len().saturating_sub(MOST);
        diagnostics.truncate(MOST);
        Self {
            origin: origin.into(),
            source,
            diagnostics,
            omitted,
        }
    }

    /// The mistakes as text: file, line, column, source line, caret and help.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let mut out = String::new();
        for diagnostic in &self.diagnostics {
            out.push_str(&self.render_one(&renderer, diagnostic));
            out.push_str("\n\n");
        }
        let count = self.diagnostics.len() + self.omitted;
        let noun = if count == 1 { "mistake" } else { "mistakes" };
        let more = match self.omitted {
            0 => String::new(),
            more => format!(" ({more} not shown)"),
        };
        out + &format!("{}: {count} {noun}{more}", self.origin)
    }

    fn render_one(&self, renderer: &Renderer, diagnostic: &Diagnostic) -> String {
        let (window, line, span) = excerpt(&self.source, &diagnostic.span);
        let mut annotation = AnnotationKind::Primary.span(span);
        if !diagnostic.label.is_empty() {
            annotation = annotation.label(normalize_untrusted_str(&diagnostic.label));
        }
        let snippet = Snippet::source(window)
            .line_start(line)
            .path(normalize_untrusted_str(&self.origin))
            .annotation(annotation);
        let title = normalize_untrusted_str(&diagnostic.message);
        let mut group = Level::ERROR.primary_title(title).element(snippet);
        if let Some(help) = &diagnostic.help {
            group = group.element(Level::HELP.message(normalize_untrusted_str(help)));
        }
        renderer.render(&[group])
    }
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for ProfileError {}

/// A span that lies within `source`, on character boundaries, and covers at most its own first line.
fn clamp(source: &str, span: Range<usize>) -> Range<usize> {
    let start = source.floor_char_boundary(span.start.min(source.len()));
    let mut end = source.ceil_char_boundary(span.end.clamp(start, source.len()));
    if let Some(line) = source[start..end].find('\n') {
        end = start + source[start..start + line].trim_end().len();
    }
    start..end.max(start)
}

/// The line of `span`, its number from 1, and the span within it.
fn excerpt<'s>(source: &'s str, span: &Range<usize>) -> (&'s str, usize, Range<usize>) {
    let from = source[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let to = source[span.start..]
        .find('\n')
        .map_or(source.len(), |at| span.start + at);
    let line = source[..from].matches('\n').count() + 1;
    let text = source[from..to].trim_end_matches('\r');
    let start = (span.start - from).min(text.len());
    let end = (span.end - from).clamp(start, text.len());
    (text, line, start..end)
}

/// `name` among `known`, or what was probably meant: the nearest known name, if one is near at all.
pub(crate) fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // Longer names than this are not typing slips, and comparing them is slow.
    const LONGEST_NAME: usize = 64;
    if name.len() > LONGEST_NAME {
        return None;
    }
    let allowed = (name.chars().count() / 3).max(1);
    known
        .into_iter()
        .filter(|candidate| candidate.len() <= LONGEST_NAME)
        .map(|candidate| {
            let distance =
                strsim::damerau_levenshtein(&name.to_lowercase(), &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
