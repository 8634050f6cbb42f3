//! How long requests took: the share of each stretch of a logarithmic scale, as bars.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Scene;
use super::measured::{Measured, over};
use crate::console::widget::Canvas;
use crate::console::widget::log::LogScale;
use crate::session::hist::{Hist, highest, lowest};
use crate::verdict::format;

/// Columns of the times beside the bars, with the line after them.
const TIMES: usize = 8;
/// Columns of a share.
const SHARE: usize = 8;
/// Columns of a count.
const COUNT: usize = 7;
/// Columns of the names of percentiles.
const MARKS: usize = 15;

/// What the panel shows: `histogram · all · response time · last 10 s`.
pub fn title(scene: &Scene<'_>) -> String {
    let more = [scene.ui.time.name(), scene.ui.over.name()];
    Measured::of(scene).title(scene, "histogram", &more)
}

/// Draws the panel without a border or a title: short times below, long ones above, as in the heat map.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let mut canvas = Canvas::new(buf, area, &scene.theme.glyphs);
    let (width, height) = (canvas.width(), canvas.height());
    if width == 0 || height == 0 {
        return;
    }
    let theme = scene.theme;
    let hist = over(scene, &Measured::of(scene));
    if hist.is_empty() {
        canvas.put_cut(1, height / 2, usize::MAX, "no requests", theme.dim);
        return;
    }
    let scale = LogScale::around(hist.min() as f64, hist.max() as f64);
    let counts = counts(&hist, scale, height);
    let most = counts.iter().copied().max().unwrap_or(1).max(1);
    let all = hist.count().max(1);
    let marks = marks(&hist, scale, height);
    let times = if width > TIMES + 4 { TIMES } else { 0 };
    let mut rest = width - times;
    let mut column = |wide: usize, least: usize| {
        let fits = rest >= wide + least;
        rest -= if fits { wide } else { 0 };
        fits
    };
    let (shares, numbers, names) = (column(SHARE, 8), column(COUNT, 16), column(MARKS, 16));
    for (row, &count) in counts.iter().enumerate() {
        let y = height - 1 - row;
        if times > 0 {
            canvas.put_right(0, times - 2, y, &edge(scale, row, height), theme.dim);
            canvas.put(times - 1, y, "│", theme.dim);
        }
        let share = count as f64 / all as f64;
        bar(
            &mut canvas,
            (times, y),
            rest,
            count as f64 / most as f64,
            scene,
        );
        let mut x = times + rest;
        if shares {
            let text = if count > 0 {
                format::percent(share)
            } else {
                String::new()
            };
            canvas.put_right(x, x + SHARE, y, &text, theme.text);
            x += SHARE;
        }
        if numbers {
            let text = if count > 0 {
                format::count_short(count as f64)
            } else {
                String::new()
            };
            canvas.put_right(x, x + COUNT, y, &text, theme.dim);
            x += COUNT;
        }
        if names {
            canvas.put_cut(x + 2, y, MARKS - 2, &marks[row], theme.accent);
        }
    }
}

/// The lower edge of a row, in three figures.
fn edge(scale: LogScale, row: usize, rows: usize) -> String {
    format::duration_short(scale.edge(row, rows))
}

/// Requests by row of the scale.
fn counts(hist: &Hist, scale: LogScale, rows: usize) -> Vec<u64> {
    let mut counts = vec![0u64; rows];
    for &(index, count) in hist.buckets() {
        let middle = f64::midpoint(lowest(index) as f64, highest(index) as f64);
        counts[scale.row(middle, rows)] += count;
    }
    counts
}

/// The percentiles that lie in each row.
fn marks(hist: &Hist, scale: LogScale, rows: usize) -> Vec<String> {
    let mut marks = vec![String::new(); rows];
    for (name, q) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)] {
        let mark = &mut marks[scale.row(hist.quantile(q) as f64, rows)];
        if !mark.is_empty() {
            mark.push(' ');
        }
        mark.push_str(name);
    }
    marks
}

/// Parts of a cell, from the left, in eighths.
const EIGHTHS: [&str; 8] = ["▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"];

fn bar(
    canvas: &mut Canvas<'_>,
    (x, y): (usize, usize),
    room: usize,
    share: f64,
    scene: &Scene<'_>,
) {
    if share <= 0.0 {
        return;
    }
    let (theme, ascii) = (scene.theme, scene.theme.glyphs.ascii);
    let eighths = ((share * room as f64 * 8.0).round() as usize).max(1);
    let (full, part) = (eighths / 8, eighths % 8);
    let glyph = if ascii { "#" } else { EIGHTHS[7] };
    canvas.fill(x, x + full.min(room), y, glyph, theme.series[0]);
    if part > 0 && full < room {
        let glyph = if ascii { "-" } else { EIGHTHS[part - 1] };
        canvas.put(x + full, y, glyph, theme.series[0]);
    }
}
