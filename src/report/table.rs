//! Columns of text, aligned.

/// Where a column's text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    /// Names and words.
    Left,
    /// Numbers.
    Right,
}

/// Rows of cells; the first may be a heading.
#[derive(Debug, Default)]
pub(super) struct Table {
    columns: Vec<(Align, usize)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Columns with their alignment and the most characters that one may take.
    pub(super) fn new(columns: &[(Align, usize)]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        let cells = cells.into_iter().map(Into::into);
        let cells = cells.zip(&self.columns);
        let cells = cells.map(|(cell, &(_, most))| cut(&cell, most));
        self.rows.push(cells.collect());
    }

    /// Lines, indented by two, without spaces at their ends. Columns that are empty throughout take no room.
    pub(super) fn lines(&self) -> Vec<String> {
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        self.rows
            .iter()
            .map(|row| {
                let mut line = String::new();
                for ((cell, &(align, _)), &width) in row.iter().zip(&self.columns).zip(&widths) {
                    if width == 0 {
                        continue;
                    }
                    let padding = " ".repeat(width - cell.chars().count());
                    let (before, after) = match align {
                        Align::Left => ("", padding.as_str()),
                        Align::Right => (padding.as_str(), ""),
                    };
                    line.extend(["  ", before, cell, after]);
                }
                line.trim_end().to_owned()
            })
            .collect()
    }
}

/// At most so many characters, on one line; `…` in place of what does not fit, and of control characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    if text.chars().count() <= most {
        return text.chars().map(clean).collect();
    }
    let kept = text.chars().take(most.saturating_sub(1)).map(clean);
    kept.chain(['…']).collect()
}

/// Breaks a sentence between words so that no line is longer than `width`; `first` stands before the first line,
/// as much room before the others.
pub(super) fn wrap(first: &str, text: &str, width: usize) -> Vec<String> {
    let indent = first.chars().count();
    let room = width.saturating_sub(indent).max(20);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let word = cut(word, room);
        let needed = line.chars().count() + 1 + word.chars().count();
        if !line.is_empty() && needed > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    lines.push(line);
    lines
        .iter()
        .enumerate()
        .map(|(place, line)| {
            let before = if place == 0 { first } else { "" };
            format!("{before:<indent$}{line}").trim_end().to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_cells_are_cut_and_empty_columns_vanish() {
        let mut table = Table::new(&[(Align::Left, 6), (Align::Left, 9), (Align::Right, 5)]);
        table.row(["checkout", "", "1"]);
        table.row(["a\nb", "", "12345"]);
        assert_eq!(table.lines(), ["  check…      1", "  a b     12345"]);
    }

    #[test]
    fn sentences_break_between_words_under_their_beginning() {
        let lines = wrap("  ? ", "one two three four five six seven", 24);
        assert_eq!(lines, ["  ? one two three four", "    five six seven"]);
    }
}
