//! How long requests took at worst for how many of them: percentile curves of response and service time.
//!
//! Each step to the right leaves out nine tenths of the requests that the step before left out, so that the tail has as
//! much room as the body. Where the curves part, requests waited before they were sent, which is what users felt and
//! what a test that only measures service time hides.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::Scene;
use super::measured::{Measured, both};
use crate::console::text;
use crate::console::widget::Canvas;
use crate::console::widget::log::LogScale;
use crate::session::hist::Hist;
use crate::verdict::format;

/// Columns of the names and times on the left, with the line after them.
const LEFT: usize = 12;
/// Marks on the scale of percentiles.
const MARKS: [(&str, f64); 5] = [
    ("p50", 0.5),
    ("p90", 0.9),
    ("p99", 0.99),
    ("p99.9", 0.999),
    ("p99.99", 0.9999),
];
/// Columns of a mark's number.
const NUMBER: usize = 7;

/// What the panel shows: `percentiles · all · last 10 s`.
pub fn title(scene: &Scene<'_>) -> String {
    Measured::of(scene).title(scene, "percentiles", &[scene.ui.over.name()])
}

/// Draws the panel without a border or a title: the curves, and the numbers at the marks below them.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let mut canvas = Canvas::new(buf, area, &scene.theme.glyphs);
    let (width, height) = (canvas.width(), canvas.height());
    if width == 0 || height == 0 {
        return;
    }
    let theme = scene.theme;
    let (response, service) = both(scene, &Measured::of(scene));
    if response.is_empty() {
        canvas.put_cut(1, height / 2, usize::MAX, "no requests", theme.dim);
        return;
    }
    let left = if width >= LEFT + 2 * NUMBER { LEFT } else { 0 };
    let plot = Plot::new(left, width, &response, &service);
    let glyphs = if theme.glyphs.ascii {
        ["*", "o"]
    } else {
        ["●", "○"]
    };
    let lines = [
        Curve {
            name: "response",
            hist: &response,
            glyph: glyphs[0],
            style: theme.series[0],
        },
        Curve {
            name: "service",
            hist: &service,
            glyph: glyphs[1],
            style: theme.series[1],
        },
    ];
    let table = height.min(3);
    let rows = height - table;
    // The curve that matters is drawn last, over the other.
    if rows > 1 {
        plot.draw_scale(scene, rows, &mut canvas);
        for curve in lines.iter().rev() {
            plot.draw_curve(curve, rows, &mut canvas);
        }
    }
    let named = table > 1;
    if named {
        plot.draw_marks(scene, rows, &mut canvas);
    }
    let first = rows + usize::from(named);
    for (line, curve) in lines.iter().enumerate() {
        plot.draw_numbers(scene, curve, first + line, &mut canvas);
    }
}

struct Curve<'a> {
    name: &'static str,
    hist: &'a Hist,
    glyph: &'static str,
    style: Style,
}

/// Where percentiles and times lie.
struct Plot {
    left: usize,
    width: usize,
    scale: LogScale,
    /// Marks that are shown.
    marks: usize,
}

impl Plot {
    fn new(left: usize, width: usize, response: &Hist, service: &Hist) -> Self {
        let low = response.quantile(0.3).min(service.quantile(0.3));
        let high = response.max().max(service.max());
        let fitting = (width - left) / (NUMBER + 1);
        Self {
            left,
            width,
            scale: LogScale::around(low as f64, high as f64),
            marks: MARKS.len().min(fitting.max(1)),
        }
    }

    /// Columns from one power of ten to the next.
    fn decade(&self) -> f64 {
        let nines = (1.0 - MARKS[self.marks - 1].1).log10().abs();
        (self.width - self.left).saturating_sub(2) as f64 / nines.max(0.5)
    }

    /// The column of a percentile.
    fn x(&self, q: f64) -> usize {
        let x = (1.0 - q).log10().abs() * self.decade();
        (self.left + x.round() as usize).min(self.width - 1)
    }

    fn draw_scale(&self, scene: &Scene<'_>, rows: usize, canvas: &mut Canvas<'_>) {
        if self.left == 0 {
            return;
        }
        let theme = scene.theme;
        let most = if rows > 5 { rows.div_ceil(2) } else { rows };
        for (row, text) in self.scale.labels(rows, most) {
            canvas.put_right(0, self.left - 2, rows - 1 - row, &text, theme.dim);
        }
        canvas.fill_down(self.left - 1, 0..rows, "│", theme.dim);
        for (_, q) in &MARKS[..self.marks] {
            canvas.fill_down(self.x(*q), 0..rows, "┊", theme.border);
        }
    }

    fn draw_curve(&self, curve: &Curve<'_>, rows: usize, canvas: &mut Canvas<'_>) {
        let count = curve.hist.count() as f64;
        for x in self.left..self.width {
            let nines = (x - self.left) as f64 / self.decade();
            let beyond = 10f64.powf(-nines);
            // Where less than one request lies beyond, there is nothing to know.
            if beyond * count < 1.0 {
                return;
            }
            let time = curve.hist.quantile(1.0 - beyond);
            if time > 0 {
                let row = self.scale.row(time as f64, rows);
                canvas.put(x, rows - 1 - row, curve.glyph, curve.style);
            }
        }
    }

    fn draw_marks(&self, scene: &Scene<'_>, y: usize, canvas: &mut Canvas<'_>) {
        for (name, q) in &MARKS[..self.marks] {
            let end = self.end_of(*q);
            canvas.put_right(self.left, end, y, name, scene.theme.dim);
        }
    }

    /// Where the text of a mark ends: under the mark, but within the panel.
    fn end_of(&self, q: f64) -> usize {
        (self.x(q) + 2)
            .max(self.left + NUMBER.min(self.width - self.left))
            .min(self.width)
    }

    fn draw_numbers(
        &self,
        scene: &Scene<'_>,
        curve: &Curve<'_>,
        y: usize,
        canvas: &mut Canvas<'_>,
    ) {
        let theme = scene.theme;
        let mut free = 0;
        if self.left > 0 {
            canvas.put(1, y, curve.name, theme.dim);
            canvas.put(2 + text::width("response"), y, curve.glyph, curve.style);
            free = self.left;
        }
        let count = curve.hist.count() as f64;
        for (_, q) in &MARKS[..self.marks] {
            let known = (1.0 - q) * count >= 1.0 - 1e-9;
            let text = if known {
                format::duration_short(curve.hist.quantile(*q) as f64)
            } else {
                format::unknown()
            };
            let end = self.end_of(*q);
            if canvas.put_right(free, end, y, &text, theme.text) {
                free = end + 1;
            }
        }
    }
}
