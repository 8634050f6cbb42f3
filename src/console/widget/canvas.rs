//! Cells of one area, counted from its upper left corner.
//!
//! In: text and glyphs with a place. Out: cells of a buffer. The invariants: nothing is written outside of the area,
//! whatever the place; numbers are written whole or not at all; under `--ascii` only ASCII is written.

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

use crate::console::text::{self, cut, width};
use crate::console::theme::Glyphs;

/// A place to draw on.
#[derive(Debug)]
pub struct Canvas<'a> {
    buf: &'a mut Buffer,
    area: Rect,
    glyphs: Glyphs,
}

impl<'a> Canvas<'a> {
    /// The part of an area that lies in the buffer.
    pub fn new(buf: &'a mut Buffer, area: Rect, glyphs: &Glyphs) -> Self {
        let area = area.intersection(buf.area);
        Self {
            buf,
            area,
            glyphs: *glyphs,
        }
    }

    /// Columns.
    pub fn width(&self) -> usize {
        usize::from(self.area.width)
    }

    /// Lines.
    pub fn height(&self) -> usize {
        usize::from(self.area.height)
    }

    /// Writes a text if all of it fits, and says whether it did.
    pub fn put(&mut self, x: usize, y: usize, text: &str, style: Style) -> bool {
        let text = text::safe(text, &self.glyphs);
        let fits = y < self.height() && x + width(&text) <= self.width();
        if fits {
            let words = [Span::styled(text, style)];
            text::put(self.buf, self.area, x, y, &words, &self.glyphs);
        }
        fits
    }

    /// Writes a text that ends before column `end`, if all of it fits between `begin` and there.
    pub fn put_right(
        &mut self,
        begin: usize,
        end: usize,
        y: usize,
        text: &str,
        style: Style,
    ) -> bool {
        let wide = width(text);
        begin + wide <= end && self.put(end - wide, y, text, style)
    }

    /// Writes words, of which at most `most` columns are shown. Never for numbers.
    pub fn put_cut(&mut self, x: usize, y: usize, most: usize, words: &str, style: Style) -> bool {
        let most = most.min(self.width().saturating_sub(x));
        self.put(x, y, &cut(words, most), style)
    }

    /// Writes the same glyph from column `from` to before column `to`.
    pub fn fill(&mut self, from: usize, to: usize, y: usize, glyph: &str, style: Style) {
        for x in from..to.min(self.width()) {
            self.put(x, y, glyph, style);
        }
    }

    /// Writes the same glyph down a column.
    pub fn fill_down(&mut self, x: usize, lines: Range<usize>, glyph: &str, style: Style) {
        for y in lines {
            self.put(x, y, glyph, style);
        }
    }

    /// Likewise, where nothing was written before.
    pub fn fill_blank(&mut self, x: usize, lines: Range<usize>, glyph: &str, style: Style) {
        for y in lines.filter(|&y| self.is_blank(x, y)).collect::<Vec<_>>() {
            self.put(x, y, glyph, style);
        }
    }

    /// Adds a style to a cell, which keeps its glyph.
    pub fn tint(&mut self, x: usize, y: usize, style: Style) {
        if x < self.width() && y < self.height() {
            let place = (self.area.x + x as u16, self.area.y + y as u16);
            if let Some(cell) = self.buf.cell_mut(place) {
                cell.set_style(style);
            }
        }
    }

    /// Whether nothing was written to a cell.
    pub fn is_blank(&self, x: usize, y: usize) -> bool {
        let place = (self.area.x + x as u16, self.area.y + y as u16);
        self.buf
            .cell(place)
            .is_some_and(|cell| cell.symbol() == " ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(ascii: bool, draw: impl FnOnce(&mut Canvas<'_>)) -> String {
        let area = Rect::new(0, 0, 10, 1);
        let mut buf = Buffer::empty(area);
        let glyphs = if ascii {
            Glyphs::ASCII
        } else {
            Glyphs::UNICODE
        };
        draw(&mut Canvas::new(&mut buf, area, &glyphs));
        buf.content
            .iter()
            .map(ratatui::buffer::Cell::symbol)
            .collect()
    }

    #[test]
    fn numbers_are_whole_or_not_there_and_words_are_cut() {
        let text = line(false, |canvas| {
            assert!(!canvas.put(6, 0, "840µs", Style::new()));
            assert!(!canvas.put(0, 1, "1", Style::new()));
            assert!(canvas.put_right(0, 10, 0, "84ms", Style::new()));
            assert!(canvas.put_cut(0, 0, 5, "shop memory", Style::new()));
        });
        assert_eq!(text, "shop… 84ms");
    }

    #[test]
    fn ascii_keeps_the_width() {
        let text = line(true, |canvas| {
            canvas.put(0, 0, "5µs 会\u{1b}–│", Style::new());
        });
        assert_eq!(text, "5us ?? -| ");
    }
}
