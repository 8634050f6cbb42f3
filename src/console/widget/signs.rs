//! Signs on a line that has names on it.

use ratatui::style::Style;

use super::canvas::Canvas;

/// A sign at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sign {
    /// Its column.
    pub x: usize,
    /// What is drawn.
    pub glyph: &'static str,
    /// How.
    pub style: Style,
    /// Of two in one column the higher stays.
    pub rank: u8,
}

/// Columns by which a sign may move right to find a free one.
const SLACK: usize = 3;

/// Draws signs beside what is taken: names are not broken, the sign that matters most comes to its place, and the next
/// moves right by a little or is left out.
pub fn draw(canvas: &mut Canvas<'_>, y: usize, mut signs: Vec<Sign>, taken: &[bool]) {
    signs.sort_by_key(|sign| std::cmp::Reverse((sign.rank, sign.x)));
    let mut full = taken.to_vec();
    for sign in signs {
        let beside = (sign.x..taken.len()).find(|&x| !taken[x]);
        let Some(beside) = beside else { continue };
        let end = (beside + SLACK).min(taken.len());
        if let Some(x) = (beside..end).find(|&x| !full[x]) {
            full[x] = true;
            canvas.put(x, y, sign.glyph, sign.style);
        }
    }
}
