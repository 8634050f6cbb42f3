//! Columns of text, aligned, dropped whole when there is no room.
//!
//! In: columns in the order of the screen, rows of cells, an area. Out: cells of a buffer. The invariant: a column of
//! numbers is shown whole or not at all; only words in a column that says so are cut.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

use super::text::{cut, put, tint, width, width_of};
use super::theme::Theme;

/// Columns between two columns.
const GAP: usize = 2;

/// One column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Over it; empty for none.
    pub title: &'static str,
    /// Numbers stand at the right.
    pub right: bool,
    /// 0 stays longest; the highest number goes first.
    pub rank: u8,
    /// Words may be cut down to so many columns; `None` for what must not be cut.
    pub least: Option<usize>,
    /// Only one column away from the column before it.
    pub close: bool,
    /// Takes the room that is left.
    pub fills: bool,
}

impl Column {
    /// Of words that are shown whole.
    pub const fn word(title: &'static str, rank: u8) -> Self {
        Self {
            title,
            right: false,
            rank,
            least: None,
            close: false,
            fills: false,
        }
    }

    /// Of numbers.
    pub const fn number(title: &'static str, rank: u8) -> Self {
        Self {
            right: true,
            ..Self::word(title, rank)
        }
    }

    /// Of words that may be cut, to no less than `least` columns.
    pub const fn words(title: &'static str, rank: u8, least: usize) -> Self {
        Self {
            least: Some(least),
            ..Self::word(title, rank)
        }
    }

    /// Only one column away from the column before it, for a glyph that belongs to it.
    #[must_use]
    pub const fn close(self) -> Self {
        Self {
            close: true,
            ..self
        }
    }

    /// Taking the room that is left, so that what follows stands at the right edge.
    #[must_use]
    pub const fn fills(self) -> Self {
        Self {
            fills: true,
            ..self
        }
    }

    fn gap(&self) -> usize {
        if self.close { 1 } else { GAP }
    }
}

/// What stands where a row and a column meet.
#[derive(Debug, Clone, Default)]
pub struct Cell<'a>(pub Vec<Span<'a>>);

impl<'a> Cell<'a> {
    /// A text in one style.
    pub fn new(text: impl Into<Cow<'a, str>>, style: Style) -> Self {
        Self(vec![Span::styled(text, style)])
    }

    /// Columns that it takes.
    pub fn width(&self) -> usize {
        width_of(&self.0)
    }

    /// With its last words cut so that it takes at most `most` columns.
    fn cut(&self, most: usize) -> Self {
        let mut left = most;
        let mut kept = Vec::new();
        for word in &self.0 {
            let text = cut(&word.content, left).into_owned();
            left -= width(&text).min(left);
            kept.push(Span::styled(text, word.style));
        }
        Self(kept)
    }
}

/// Rows and columns.
#[derive(Debug, Clone, Default)]
pub struct Table<'a> {
    /// In the order of the screen.
    pub columns: Vec<Column>,
    /// Each with a cell a column.
    pub rows: Vec<Vec<Cell<'a>>>,
    /// The selected row.
    pub selected: Option<usize>,
    /// The column by which the rows are sorted, and whether downwards.
    pub sorted: Option<(usize, bool)>,
}

/// Which columns are shown, where they begin, and how wide they are.
type Places = Vec<(usize, usize, usize)>;

impl<'a> Table<'a> {
    /// Without rows.
    pub fn new(columns: &[Column]) -> Self {
        Self {
            columns: columns.to_vec(),
            ..Self::default()
        }
    }

    /// Appends a row.
    pub fn row(&mut self, cells: Vec<Cell<'a>>) {
        self.rows.push(cells);
    }

    /// Draws the titles where any column has one and there is room for a row besides, then as many rows as fit, among
    /// them the selected one. Returns the lines used.
    pub fn draw(&self, area: Rect, buf: &mut Buffer, theme: &Theme) -> usize {
        let height = usize::from(area.height);
        let places = self.places(usize::from(area.width), theme);
        let titled = height > 1 && self.columns.iter().any(|column| !column.title.is_empty());
        let top = usize::from(titled);
        if titled {
            for &(index, x, wide) in &places {
                let title = self.title(index, theme);
                let x = x + self.indent(index, wide, width(&title));
                put(
                    buf,
                    area,
                    x,
                    0,
                    &[Span::styled(title, theme.dim)],
                    &theme.glyphs,
                );
            }
        }
        let room = height.saturating_sub(top);
        let first = first_row(self.selected, self.rows.len(), room);
        let shown = self.rows.iter().enumerate().skip(first).take(room);
        for (line, (number, row)) in shown.enumerate() {
            for &(index, x, wide) in &places {
                let Some(cell) = row.get(index) else { continue };
                let cell = cell.cut(wide);
                let x = x + self.indent(index, wide, cell.width());
                put(buf, area, x, top + line, &cell.0, &theme.glyphs);
            }
            if self.selected == Some(number) {
                // In one piece: a reversed line of many colours says nothing.
                let style = Style::reset().patch(theme.text).patch(theme.selected);
                tint(buf, area, top + line, style);
            }
        }
        top + room.min(self.rows.len() - first)
    }

    fn title(&self, index: usize, theme: &Theme) -> String {
        let title = self.columns[index].title;
        match self.sorted {
            Some((by, downwards)) if by == index => {
                let arrow = match (theme.glyphs.ascii, downwards) {
                    (false, true) => "▼",
                    (false, false) => "▲",
                    (true, true) => "v",
                    (true, false) => "^",
                };
                format!("{title}{arrow}")
            }
            Some(_) | None => title.to_owned(),
        }
    }

    fn indent(&self, index: usize, wide: usize, taken: usize) -> usize {
        if self.columns[index].right {
            wide.saturating_sub(taken)
        } else {
            0
        }
    }

    fn places(&self, room: usize, theme: &Theme) -> Places {
        let natural: Vec<usize> = (0..self.columns.len())
            .map(|index| {
                let cells = self.rows.iter().filter_map(|row| row.get(index));
                let widest = cells.map(Cell::width).max().unwrap_or(0);
                widest.max(width(&self.title(index, theme)))
            })
            .collect();
        let least = |index: usize| match self.columns[index].least {
            Some(least) => least.min(natural[index]),
            None => natural[index],
        };
        let mut kept: Vec<usize> = (0..natural.len()).filter(|&i| natural[i] > 0).collect();
        let gaps = |kept: &[usize]| -> usize {
            let after_first = kept.iter().skip(1);
            after_first.map(|&index| self.columns[index].gap()).sum()
        };
        let taken = |kept: &[usize]| gaps(kept) + kept.iter().map(|&i| least(i)).sum::<usize>();
        while !kept.is_empty() && taken(&kept) > room {
            let worst = (0..kept.len()).max_by_key(|&place| self.columns[kept[place]].rank);
            kept.remove(worst.unwrap_or(0));
        }
        let mut spare = room.saturating_sub(taken(&kept));
        // A column that fills leaves to those behind it what they lack.
        let lack_behind = |filling: usize| -> usize {
            let behind = kept.iter().filter(|&&index| index > filling);
            behind.map(|&index| natural[index] - least(index)).sum()
        };
        let mut x = 0;
        let mut places = Places::new();
        for &index in &kept {
            let mut more = spare.min(natural[index] - least(index));
            if self.columns[index].fills {
                more = more.max(spare.saturating_sub(lack_behind(index)));
            }
            spare -= more;
            if !places.is_empty() {
                x += self.columns[index].gap();
            }
            places.push((index, x, least(index) + more));
            x += least(index) + more;
        }
        places
    }
}

/// The first of `count` rows to show in `room` lines, so that the selected one is among them.
pub fn first_row(selected: Option<usize>, count: usize, room: usize) -> usize {
    let selected = selected.unwrap_or(0).min(count.saturating_sub(1));
    (selected + 1).saturating_sub(room)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(wide: u16) -> Vec<String> {
        let mut table = Table::new(&[
            Column::words("step", 0, 4),
            Column::number("p99", 1),
            Column::number("requests", 2),
        ]);
        let cell = |text: &'static str| Cell::new(text, Style::new());
        table.row(vec![cell("browse/search"), cell("84ms"), cell("1.98k")]);
        table.row(vec![cell("pay"), cell("2.1s"), cell("7")]);
        let area = Rect::new(0, 0, wide, 3);
        let mut buf = Buffer::empty(area);
        table.draw(area, &mut buf, &Theme::default());
        crate::console::panel::fixture::lines(&buf)
    }

    #[test]
    fn numbers_stand_at_the_right() {
        assert_eq!(
            drawn(29),
            [
                "step            p99  requests",
                "browse/search  84ms     1.98k",
                "pay            2.1s         7",
            ]
        );
    }

    #[test]
    fn words_are_cut_before_a_number_goes_and_a_number_goes_whole() {
        assert_eq!(
            drawn(22)[1],
            "browse…  84ms    1.98k"
                .replace("    ", "     ")
                .replace("browse…", "brows…")
        );
        assert_eq!(drawn(19)[1], "browse/search  84ms");
        assert_eq!(drawn(10)[1], "bro…  84ms");
        assert_eq!(drawn(9)[1], "browse/s…");
    }

    #[test]
    fn the_selected_row_is_always_shown() {
        assert_eq!(first_row(Some(7), 20, 5), 3);
        assert_eq!(first_row(Some(99), 20, 5), 15);
        assert_eq!(first_row(None, 20, 5), 0);
    }
}
