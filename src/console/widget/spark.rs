//! Bars over time, one or several lines high.
//!
//! In: columns of values and a scale. Out: cells. The invariants: a gap is drawn as a gap; nothing measured is not the
//! same as zero; and what is not zero never looks like zero.

use ratatui::style::Style;

use super::axis::Column;
use super::canvas::Canvas;
use super::linear::LinearScale;
use crate::console::theme::Theme;

/// Where bars are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// First column.
    pub x: usize,
    /// Uppermost line.
    pub y: usize,
    /// Lines.
    pub lines: usize,
}

/// Draws bars, each in the style that `style` gives for its column and value.
pub fn bars(
    canvas: &mut Canvas<'_>,
    place: Place,
    columns: &[Column<f64>],
    scale: LinearScale,
    theme: &Theme,
    style: impl Fn(usize, f64) -> Style,
) {
    let bottom = place.y + place.lines.saturating_sub(1);
    for (cell, column) in columns.iter().enumerate() {
        let x = place.x + cell;
        match column {
            Column::Free => {}
            Column::Gap => {
                canvas.put(x, bottom, theme.glyphs.gap, theme.dim);
            }
            Column::Seen(value) => {
                let (eighths, style) = (eighths(*value, scale, place.lines), style(cell, *value));
                for line in 0..place.lines {
                    let Some(glyph) = glyph(eighths, line, theme) else {
                        break;
                    };
                    let zero = eighths == 1 && scale.place(*value) == 0.0;
                    let style = if zero { theme.dim } else { style };
                    canvas.put(x, bottom - line, glyph, style);
                }
            }
        }
    }
}

/// The height of a bar in eighths of a line: 1 for zero, at least 2 for anything above.
fn eighths(value: f64, scale: LinearScale, lines: usize) -> usize {
    let place = scale.place(value);
    let full = lines * 8;
    if place > 0.0 {
        ((place * full as f64).round() as usize).clamp(2, full.max(2))
    } else {
        1
    }
}

/// What a bar of so many eighths shows in a line, counted from below.
fn glyph(eighths: usize, line: usize, theme: &Theme) -> Option<&'static str> {
    let rest = eighths.checked_sub(line * 8 + 1)?;
    Some(theme.glyphs.bars[rest.min(7)])
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;

    use super::*;
    use crate::console::theme::Glyphs;

    fn drawn(values: &[Column<f64>], lines: usize, glyphs: &Glyphs) -> Vec<String> {
        let theme = Theme {
            glyphs: *glyphs,
            ..Theme::default()
        };
        let area = Rect::new(0, 0, values.len() as u16, lines as u16);
        let mut buf = Buffer::empty(area);
        let mut canvas = Canvas::new(&mut buf, area, &theme.glyphs);
        let scale = LinearScale::from_zero(100.0);
        let place = Place { x: 0, y: 0, lines };
        bars(&mut canvas, place, values, scale, &theme, |_, _| theme.text);
        let lines = buf.content.chunks(values.len());
        lines
            .map(|line| line.iter().map(ratatui::buffer::Cell::symbol).collect())
            .collect()
    }

    #[test]
    fn zero_gaps_and_what_is_to_come_look_different() {
        let values = [0.0, 0.1, 50.0, 100.0, 200.0].map(Column::Seen);
        let mut values = values.to_vec();
        values.extend([Column::Gap, Column::Free]);
        assert_eq!(drawn(&values, 1, &Glyphs::UNICODE), ["▁▂▄██╌ "]);
        assert_eq!(drawn(&values, 1, &Glyphs::ASCII), ["_.-##~ "]);
        assert_eq!(drawn(&values, 2, &Glyphs::UNICODE), ["   ██  ", "▁▂███╌ "]);
    }
}
