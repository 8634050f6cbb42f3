//! Words on cells: text from files made harmless, measured as a terminal measures it, and cut only where it may be.
//!
//! In: words with styles, and the cells that they may take. Out: cells of a buffer. The invariant: nothing is written
//! outside of the given area, and under `--ascii` nothing but ASCII is written.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::theme::{Glyphs, Theme};

/// Columns that a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The text without what could move the cursor, hide or reorder: controls become spaces, characters without a width and
/// marks that change the direction of writing go.
pub fn clean(text: &str) -> Cow<'_, str> {
    let harmless = |c: char| !c.is_control() && c.width().is_some_and(|width| width > 0);
    if text.chars().all(harmless) {
        return Cow::Borrowed(text);
    }
    let kept = text.chars().filter_map(|c| match c {
        c if c.is_control() => Some(' '),
        c if harmless(c) => Some(c),
        _ => None,
    });
    Cow::Owned(kept.collect())
}

/// The text in ASCII, where that is asked for: what has a plain spelling gets it, the rest becomes `?`, of the same
/// width.
fn spell<'a>(text: &'a str, glyphs: &Glyphs) -> Cow<'a, str> {
    if !glyphs.ascii || text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_ascii() => plain.push(c),
            'µ' => plain.push('u'),
            '–' | '−' | '─' | '═' | '·' | '╌' => plain.push('-'),
            '━' => plain.push('='),
            '│' | '┊' => plain.push('|'),
            '▲' => plain.push('^'),
            '▼' => plain.push('v'),
            '…' => plain.push('~'),
            '→' => plain.push('>'),
            '≤' => plain.push_str("<="),
            '≥' => plain.push_str(">="),
            '×' => plain.push('x'),
            '┌' | '┐' | '└' | '┘' | '├' | '┤' | '┴' | '┬' | '┼' => {
                plain.push('+');
            }
            '▁'..='█' => plain.push('#'),
            c => plain.extend(std::iter::repeat_n('?', c.width().unwrap_or(0))),
        }
    }
    Cow::Owned(plain)
}

/// At most `most` columns of a text; an ellipsis stands for what was cut. For words only, never for numbers.
pub fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if text.width() <= most {
        return Cow::Borrowed(text);
    }
    if most == 0 {
        return Cow::Borrowed("");
    }
    let (mut kept, mut taken) = (String::new(), 0);
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if taken + wide > most - 1 {
            break;
        }
        taken += wide;
        kept.push(c);
    }
    let trimmed = kept.trim_end().len();
    kept.truncate(trimmed);
    kept.push('…');
    Cow::Owned(kept)
}

/// Columns that words take one after the other.
pub fn width_of(words: &[Span<'_>]) -> usize {
    words.iter().map(|word| word.content.width()).sum()
}

/// Writes words one after the other from column `x` of line `y` of an area, as far as they fit.
pub fn put(buf: &mut Buffer, area: Rect, x: usize, y: usize, words: &[Span<'_>], glyphs: &Glyphs) {
    let area = area.intersection(buf.area);
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    if y >= height {
        return;
    }
    let mut x = x;
    for word in words {
        if x >= width {
            return;
        }
        let text = safe(&word.content, glyphs);
        #[cfg(test)]
        tests::no_number_is_cut(&text, width - x);
        let place = (area.x + x as u16, area.y + y as u16);
        buf.set_stringn(place.0, place.1, &text, width - x, word.style);
        x += text.width();
    }
}

/// A text as it may be written to a cell: harmless, and in ASCII where that is asked for.
pub fn safe<'a>(text: &'a str, glyphs: &Glyphs) -> Cow<'a, str> {
    match clean(text) {
        Cow::Borrowed(text) => spell(text, glyphs),
        Cow::Owned(text) => Cow::Owned(spell(&text, glyphs).into_owned()),
    }
}

/// What stands in the place of contents where there are none, in words of which as many are shown as fit.
pub fn note(buf: &mut Buffer, area: Rect, words: &str, theme: &Theme) {
    let words = cut(words, usize::from(area.width));
    let words = [Span::styled(words, theme.dim)];
    put(buf, area, 0, 0, &words, &theme.glyphs);
}

/// Gives one line of an area a style.
pub fn tint(buf: &mut Buffer, area: Rect, y: usize, style: Style) {
    let area = area.intersection(buf.area);
    if y < usize::from(area.height) {
        let line = Rect {
            y: area.y + y as u16,
            height: 1,
            ..area
        };
        buf.set_style(line, style);
    }
}

/// A part of a line that is shown whole or not at all.
#[derive(Debug, Clone, Default)]
pub struct Part<'a> {
    /// The words.
    pub words: Vec<Span<'a>>,
    /// 0 stays longest; the highest number goes first.
    pub rank: u8,
}

impl<'a> Part<'a> {
    /// A part of several words.
    pub fn new(rank: u8, words: Vec<Span<'a>>) -> Self {
        Self { words, rank }
    }

    /// A part in one style.
    pub fn one(rank: u8, text: impl Into<Cow<'a, str>>, style: Style) -> Self {
        Self::new(rank, vec![Span::styled(text, style)])
    }

    /// Columns that it takes.
    pub fn width(&self) -> usize {
        width_of(&self.words)
    }
}

/// Drops parts, the highest rank first and of equals the last, until the rest fits into `most` columns with `gap`
/// columns between two of them.
pub fn fit(parts: &mut Vec<Part<'_>>, most: usize, gap: usize) {
    parts.retain(|part| part.width() > 0);
    let taken = |parts: &[Part<'_>]| {
        let words: usize = parts.iter().map(Part::width).sum();
        words + gap * parts.len().saturating_sub(1)
    };
    while !parts.is_empty() && taken(parts) > most {
        let worst = parts.iter().enumerate().max_by_key(|(_, part)| part.rank);
        let Some((worst, _)) = worst else { return };
        parts.remove(worst);
    }
}

/// Lines of at most `most` columns, broken between words where there is room for that.
pub fn wrap(text: &str, most: usize) -> Vec<String> {
    let most = most.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let room = most.saturating_sub(line.width());
        if !line.is_empty() && word.width() + 1 > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        for c in word.chars() {
            if line.width() + c.width().unwrap_or(0) > most && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// How full something is, 0 to 1, in so many cells: heavy where it is full, light where it is not.
pub fn bar<'a>(share: f64, cells: usize, full: Style, rest: Style) -> Vec<Span<'a>> {
    let share = if share.is_finite() {
        share.clamp(0.0, 1.0)
    } else {
        0.0
    };
    let mut filled = (share * cells as f64).round() as usize;
    if share > 0.0 {
        filled = filled.max(1);
    }
    if share < 1.0 {
        filled = filled.min(cells.saturating_sub(1).max(1));
    }
    let filled = filled.min(cells);
    vec![
        Span::styled("━".repeat(filled), full),
        Span::styled("─".repeat(cells - filled), rest),
    ]
}

/// Likewise in one cell, by its height.
pub fn gauge<'a>(share: f64, style: Style, glyphs: &Glyphs) -> Vec<Span<'a>> {
    let share = if share.is_finite() {
        share.clamp(0.0, 1.0)
    } else {
        0.0
    };
    let height = (share * (glyphs.bars.len() - 1) as f64).round() as usize;
    vec![Span::styled(glyphs.bars[height], style)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the caller of `put` must see to.
    pub(super) fn no_number_is_cut(text: &str, room: usize) {
        let whole = text.width() <= room || !text.contains(|c: char| c.is_ascii_digit());
        assert!(whole, "{text:?} is cut at {room}");
    }

    #[test]
    fn what_could_move_the_cursor_is_taken_out() {
        assert_eq!(clean("plain"), "plain");
        assert_eq!(clean("a\u{1b}[31mb\tc"), "a [31mb c");
        assert_eq!(clean("a\u{202e}b\u{200b}c"), "abc");
    }

    #[test]
    fn a_cut_text_has_the_width_asked_for_whatever_its_characters() {
        assert_eq!(cut("checkout", 8), "checkout");
        assert_eq!(cut("checkout", 5), "chec…");
        assert_eq!(cut("会計サービス", 6), "会計…");
        assert_eq!(cut("x", 0), "");
        for most in 0..14 {
            assert!(width(&cut("a会b計c サービス", most)) <= most);
        }
    }

    #[test]
    fn ascii_has_a_spelling_for_units_and_lines() {
        assert_eq!(spell("840µs – …", &Glyphs::ASCII), "840us - ~");
        assert_eq!(spell("会└▲", &Glyphs::ASCII), "??+^");
        assert_eq!(safe("5µs\u{1b}\u{202e}–", &Glyphs::ASCII), "5us -");
        assert_eq!(spell("840µs", &Glyphs::UNICODE), "840µs");
    }

    #[test]
    fn parts_go_whole_the_least_wanted_first() {
        let part = |rank, text: &'static str| Part::one(rank, text, Style::new());
        let fits = |most| {
            let mut parts = vec![part(2, "stormdeck"), part(0, "00:42:17"), part(1, "spike")];
            fit(&mut parts, most, 2);
            let words = parts.iter().map(|part| part.words[0].content.clone());
            words.collect::<Vec<_>>().join("  ")
        };
        assert_eq!(fits(26), "stormdeck  00:42:17  spike");
        assert_eq!(fits(25), "00:42:17  spike");
        assert_eq!(fits(14), "00:42:17");
        assert_eq!(fits(7), "");
    }

    #[test]
    fn lines_are_broken_between_words_if_possible() {
        assert_eq!(wrap("to be or not", 6), ["to be", "or not"]);
        assert_eq!(wrap("aaaaaaaa b", 3), ["aaa", "aaa", "aa", "b"]);
        assert!(wrap("会会", 1).len() == 2);
    }
}
