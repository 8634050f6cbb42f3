//! Latency over time: a heat map whose rows are times and whose columns are moments, and the percentiles below it.
//!
//! The darkness of a cell is the share of the column's requests that took as long as its row says. A column that was
//! not recorded is a gap.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Scene;
use super::columns::{Moment, columns};
use super::measured::{Measured, over};
use crate::console::moment::moment;
use crate::console::text;
use crate::console::widget::heat::{self, Rows};
use crate::console::widget::log::LogScale;
use crate::console::widget::{Axis, Canvas, Column, time};
use crate::session::hist::Hist;
use crate::verdict::format;

/// Columns of the times beside the rows, with the line between.
const SCALE: usize = 7;

/// What the panel shows: `latency · all · response time · 5 min`.
pub fn title(scene: &Scene<'_>) -> String {
    let more = [scene.ui.time.name(), scene.ui.span.name()];
    Measured::of(scene).title(scene, "latency", &more)
}

/// The time axis of the panel in an area so wide, for who moves the selected moment.
pub fn axis(scene: &Scene<'_>, width: u16) -> Axis {
    let width = usize::from(width);
    Axis::new(scene.history, scene.ui.span, width - scale_width(width))
}

fn scale_width(width: usize) -> usize {
    if width > 3 * SCALE { SCALE } else { 0 }
}

/// Draws the panel without a border or a title.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let mut canvas = Canvas::new(buf, area, &scene.theme.glyphs);
    let (width, height) = (canvas.width(), canvas.height());
    if width == 0 || height == 0 {
        return;
    }
    let measured = Measured::of(scene);
    let axis = axis(scene, width as u16);
    draw_numbers(scene, &measured, &axis, &mut canvas);
    if height < 3 {
        return;
    }
    let timeline = usize::from(height >= 5);
    let map = Map {
        x: scale_width(width),
        rows: height - 1 - timeline,
        columns: columns(scene.history, &measured, &axis),
        axis,
    };
    map.draw(scene, &mut canvas);
    if timeline > 0 {
        map.draw_time(scene, &mut canvas);
    }
}

struct Map {
    x: usize,
    rows: usize,
    axis: Axis,
    columns: Vec<Column<Moment>>,
}

impl Map {
    fn draw(&self, scene: &Scene<'_>, canvas: &mut Canvas<'_>) {
        let theme = scene.theme;
        if self.x > 0 {
            for y in 0..self.rows {
                canvas.put(self.x - 1, y, "│", theme.dim);
            }
        }
        let seen = self.columns.iter().filter_map(Column::seen);
        let Some(scale) = heat::scale_of(seen.map(|moment| &*moment.times)) else {
            canvas.put_cut(
                self.x + 1,
                self.rows / 2,
                usize::MAX,
                "no requests",
                theme.dim,
            );
            return;
        };
        self.draw_scale(scene, scale, canvas);
        let rows = Rows::new(scale, self.rows);
        let mut before = None;
        for (cell, column) in self.columns.iter().enumerate() {
            let x = self.x + cell;
            match column {
                Column::Free => {}
                Column::Gap => canvas.fill_down(x, 0..self.rows, theme.glyphs.gap, theme.dim),
                Column::Seen(moment) => {
                    let shares = moment.times.shares(&rows);
                    for (row, share) in shares.into_iter().enumerate() {
                        if let Some((glyph, style)) = heat::shade(share, self.rows, theme) {
                            canvas.put(x, self.rows - 1 - row, glyph, style);
                        }
                    }
                    if before.is_some_and(|before| before != moment.phase) {
                        canvas.fill_blank(x, 0..self.rows, "┊", theme.border);
                    }
                    before = Some(moment.phase);
                }
            }
        }
        if let Some(x) = self.cursor(scene) {
            canvas.fill_blank(x, 0..self.rows, "│", theme.accent);
            (0..self.rows).for_each(|y| canvas.tint(x, y, theme.selected));
        }
    }

    fn draw_scale(&self, scene: &Scene<'_>, scale: LogScale, canvas: &mut Canvas<'_>) {
        if self.x == 0 {
            return;
        }
        let most = if self.rows > 5 {
            self.rows.div_ceil(2)
        } else {
            self.rows
        };
        for (row, text) in scale.labels(self.rows, most) {
            canvas.put_right(0, self.x - 2, self.rows - 1 - row, &text, scene.theme.dim);
        }
    }

    fn draw_time(&self, scene: &Scene<'_>, canvas: &mut Canvas<'_>) {
        let (y, theme) = (self.rows, scene.theme);
        if self.x > 0 {
            canvas.put(self.x - 1, y, "└", theme.dim);
        }
        let selected = scene.ui.cursor.and_then(|tick| self.axis.cell_of(tick));
        let (x, axis, history) = (self.x, &self.axis, scene.history);
        time::line(canvas, x, y, axis, history, theme, selected);
    }

    fn cursor(&self, scene: &Scene<'_>) -> Option<usize> {
        Some(self.x + self.axis.cell_of(scene.ui.cursor?)?)
    }
}

/// Percentiles in the order of the line; the last number is dropped last.
const STATS: [(&str, f64, u8); 5] = [
    ("p50", 0.5, 3),
    ("p90", 0.9, 1),
    ("p99", 0.99, 4),
    ("p99.9", 0.999, 2),
    ("max", 1.0, 5),
];

/// Columns of a value, so that a line stays where it is while its values change.
const VALUE: usize = 5;

/// What the numbers are of, long and short, and their distribution.
fn numbers(scene: &Scene<'_>, measured: &Measured, axis: &Axis) -> (Hist, String, String) {
    let Some(cursor) = scene.ui.cursor else {
        let (long, short) = (scene.ui.over.name(), super::measured::short(scene.ui.over));
        return (over(scene, measured), long.into(), short.into());
    };
    let from = cursor.saturating_sub(1) / axis.ticks_per_cell * axis.ticks_per_cell + 1;
    let to = from + axis.ticks_per_cell - 1;
    let time = |tick| moment(scene.history, axis.begin_of(tick));
    let begin = time(from);
    let whole = match axis.ticks_per_cell {
        1 => begin.clone(),
        _ => format!("{begin}–{}", time(to + 1)),
    };
    (measured.between(scene.history, from, to), whole, begin)
}

fn draw_numbers(scene: &Scene<'_>, measured: &Measured, axis: &Axis, canvas: &mut Canvas<'_>) {
    let (theme, y, room) = (scene.theme, canvas.height() - 1, canvas.width());
    let (hist, long, short) = numbers(scene, measured, axis);
    let value = |q: f64| {
        if hist.is_empty() {
            format::unknown()
        } else {
            format::duration_short(hist.quantile(q) as f64)
        }
    };
    let margin = usize::from(room > 3 * SCALE);
    let (least, label) = fitting(room - margin, &[&long, &short]);
    let mut x = margin;
    for (name, q, _) in STATS.iter().filter(|stat| stat.2 >= least) {
        canvas.put(x, y, name, theme.dim);
        x += name.len() + 1;
        canvas.put(x, y, &value(*q), theme.text);
        x += VALUE + 2;
    }
    let style = if scene.ui.cursor.is_some() {
        theme.accent
    } else {
        theme.dim
    };
    let Some(label) = label else { return };
    let end = room - margin;
    canvas.put_right(x.saturating_sub(1), end, y, label, style);
    if let Some(hint) = measured.hint() {
        let end = end.saturating_sub(text::width(label) + 3);
        canvas.put_right(x, end, y, &hint, theme.warn);
    }
}

/// Which percentiles fit, by the least of their ranks, and with which label beside them.
fn fitting<'a>(room: usize, labels: &[&'a str]) -> (u8, Option<&'a str>) {
    let taken = |least: u8| -> usize {
        let shown = STATS.iter().filter(|stat| stat.2 >= least);
        shown.map(|stat| stat.0.len() + 1 + VALUE + 2).sum()
    };
    for least in 1..=5 {
        for label in labels {
            if taken(least) + text::width(label) <= room {
                return (least, Some(label));
            }
        }
    }
    let least = (1..=5).find(|&least| taken(least) <= room + 2).unwrap_or(5);
    (least, None)
}
