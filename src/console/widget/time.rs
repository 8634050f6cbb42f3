//! Times along an axis.

use super::axis::Axis;
use super::canvas::Canvas;
use crate::console::moment::moment;
use crate::console::text::width;
use crate::console::theme::Theme;
use crate::history::History;

/// Round distances between labels, seconds.
const STEPS: [u64; 18] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200,
    86_400,
];

/// Columns between the beginnings of two labels, at least.
const APART: u64 = 14;

/// Draws a line of time from column `x` on, with the moments of round times written into it, and with a sign below the
/// selected column.
pub fn line(
    canvas: &mut Canvas<'_>,
    x: usize,
    y: usize,
    axis: &Axis,
    history: &History,
    theme: &Theme,
    selected: Option<usize>,
) {
    let style = theme.dim;
    canvas.fill(x, x + axis.cells, y, "─", style);
    let seconds = |cell: usize| axis.begin_of(axis.ticks_of(cell).0) as f64 / 1e6;
    let column = axis.ticks_per_cell as f64 * axis.tick_us as f64 / 1e6;
    let step = STEPS
        .into_iter()
        .find(|&step| step as f64 >= column * APART as f64);
    let step = step.unwrap_or(STEPS[STEPS.len() - 1]) as f64;
    for cell in 1..axis.cells {
        let begin = seconds(cell);
        let round = (begin / step).ceil() * step;
        if round >= begin + column * 0.999 {
            continue;
        }
        let text = moment(history, (round * 1e6) as u64);
        let end = cell + 1 + width(&text);
        let covered = selected.is_some_and(|selected| (cell + 1..end).contains(&selected));
        if end < axis.cells && !covered {
            canvas.put(x + cell, y, "┴", style);
            canvas.put(x + cell + 1, y, &text, style);
        }
    }
    if let Some(cell) = selected {
        canvas.put(x + cell, y, "▲", theme.accent);
    }
}
