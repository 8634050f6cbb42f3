//! Requests a second, what was asked for, and what went wrong, over time and in numbers.
//!
//! One line shows requests and errors side by side; more lines stand below each other, so that their columns do, too.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::Scene;
use super::counts::{Sum, Tone, open, sum};
use super::measured::Measured;
use crate::console::text;
use crate::console::widget::linear::LinearScale;
use crate::console::widget::spark::{Place, bars};
use crate::console::widget::{Axis, Canvas, Column};
use crate::verdict::format;

/// Columns of a value.
const VALUE: usize = 7;
/// Columns of a scale's ends, `0–150k`.
const SCALE: usize = 7;
/// The charts show at least so high a share of errors, so that a single error is no mountain.
const LEAST_ERRORS: f64 = 0.01;

/// What the panel shows: `rate and errors · all · last 10 s`.
pub fn title(scene: &Scene<'_>) -> String {
    let over = match scene.ui.cursor {
        Some(_) => "selected moment",
        None => scene.ui.over.name(),
    };
    let name = Measured::of(scene).name;
    ["rate and errors", &name, over].join(&format!(" {} ", scene.theme.glyphs.dot))
}

/// Draws the panel without a border or a title.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let mut canvas = Canvas::new(buf, area, &scene.theme.glyphs);
    let (width, height) = (canvas.width(), canvas.height());
    if width == 0 || height == 0 {
        return;
    }
    let measured = Measured::of(scene);
    let chart = Chart {
        scene,
        now: sum(scene, &measured, width),
        open: open(scene),
        measured,
    };
    let margin = usize::from(width > 24);
    // Words get a place of their own, so that the charts stay where they are while words come and go.
    let beside = if height < 3 && width >= 60 {
        width / 4
    } else {
        0
    };
    let inner = (margin, width - beside - margin);
    match height {
        1 => chart.draw_beside(inner, &mut canvas),
        lines => chart.draw_below(inner, lines - usize::from(lines > 2), &mut canvas),
    }
    let words = if height > 2 {
        inner
    } else {
        (width - beside, width - margin)
    };
    if height > 2 || beside > 0 {
        chart.draw_words(words, &mut canvas);
    }
}

/// From one column to before another.
type Span = (usize, usize);

/// What is drawn.
struct Chart<'a> {
    scene: &'a Scene<'a>,
    measured: Measured,
    /// What the numbers are of.
    now: Sum,
    /// Which scenarios are of the open model, by index.
    open: Vec<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Row {
    Requests,
    Journeys,
    Errors,
}

impl Row {
    fn label(self) -> &'static str {
        match self {
            Self::Requests => "req/s",
            Self::Journeys => "begun/s",
            Self::Errors => "errors",
        }
    }

    fn value(self, sum: &Sum) -> Option<f64> {
        match self {
            Self::Requests => sum.per_second(sum.requests),
            Self::Journeys => sum.per_second(sum.begun),
            Self::Errors => sum.errors(),
        }
    }

    fn text(self, value: f64) -> String {
        match self {
            Self::Requests | Self::Journeys => {
                let value = if value >= 99.5 { value.round() } else { value };
                format::count_short(value)
            }
            Self::Errors => format::percent(value),
        }
    }

    fn scale(self, columns: &[Column<Sum>]) -> LinearScale {
        let most = |value: fn(&Sum) -> Option<f64>| {
            let values = columns.iter().filter_map(Column::seen).filter_map(value);
            values.fold(0.0, f64::max)
        };
        match self {
            Self::Requests => LinearScale::from_zero(most(|sum| sum.per_second(sum.requests))),
            Self::Journeys => {
                LinearScale::from_zero(most(|sum| sum.per_second(sum.due.max(sum.begun))))
            }
            Self::Errors => LinearScale::from_zero(most(Sum::errors).max(LEAST_ERRORS)),
        }
    }

    fn style(self, scene: &Scene<'_>, sum: Option<&Sum>, value: f64) -> Style {
        let theme = scene.theme;
        match self {
            Self::Requests => theme.series[0],
            Self::Journeys if sum.is_some_and(Sum::is_short) => theme.warn,
            Self::Journeys => theme.series[2],
            Self::Errors if value > 0.0 => theme.bad,
            Self::Errors => theme.dim,
        }
    }
}

/// Columns of the labels of charts below each other.
const LABEL: usize = 8;

impl Chart<'_> {
    /// Requests and errors on one line.
    fn draw_beside(&self, (from, to): Span, canvas: &mut Canvas<'_>) {
        let room = to.saturating_sub(from);
        let line = |x| Place { x, y: 0, lines: 1 };
        let label = |row: Row| row.label().len() + 1;
        if room <= 60 {
            self.draw_row(Row::Requests, line(from), to, label(Row::Requests), canvas);
            return;
        }
        let half = from + room * 3 / 5;
        let (requests, errors) = (label(Row::Requests), label(Row::Errors));
        self.draw_row(Row::Requests, line(from), half - 1, requests, canvas);
        self.draw_row(Row::Errors, line(half + 1), to, errors, canvas);
    }

    /// Charts below each other on so many lines.
    fn draw_below(&self, (from, to): Span, lines: usize, canvas: &mut Canvas<'_>) {
        let errors = if lines > 7 { 2 } else { 1 };
        let journeys = usize::from(lines > 2 && self.open.contains(&true));
        let rows = [
            (Row::Requests, lines - errors - journeys),
            (Row::Journeys, journeys),
            (Row::Errors, errors),
        ];
        let mut y = 0;
        for (row, lines) in rows.into_iter().filter(|&(_, lines)| lines > 0) {
            let place = Place { x: from, y, lines };
            self.draw_row(row, place, to, LABEL, canvas);
            y += lines;
        }
    }

    fn draw_row(&self, row: Row, place: Place, end: usize, label: usize, canvas: &mut Canvas<'_>) {
        let (scene, theme) = (self.scene, self.scene.theme);
        let bottom = place.y + place.lines - 1;
        let room = end.saturating_sub(place.x);
        let label = if room < 20 { 0 } else { label };
        let (head, tail) = (label + VALUE + 1, if room < 36 { 0 } else { SCALE + 1 });
        if label > 0 {
            canvas.put(place.x, bottom, row.label(), theme.dim);
        }
        let value = row.value(&self.now);
        let text = value.map_or_else(format::unknown, |value| row.text(value));
        let failing = row == Row::Errors && value.is_some_and(|value| value > 0.0);
        let style = if failing { theme.bad } else { theme.text };
        let value_end = (place.x + head - 1).min(end);
        canvas.put_right(place.x + label, value_end, bottom, &text, style);
        let Some(cells) = room.checked_sub(head + tail).filter(|&cells| cells > 2) else {
            return;
        };
        let axis = Axis::new(scene.history, scene.ui.span, cells);
        let columns = axis.fold(scene.history, |sum: &mut Sum, bucket| {
            sum.add(bucket, &self.measured, &self.open);
        });
        let scale = row.scale(&columns);
        let value = |sum: &Sum| Some(row.value(sum).unwrap_or(0.0));
        let values = columns.iter().map(|column| column.and_then(value));
        let values: Vec<Column<f64>> = values.collect();
        let x = place.x + head;
        bars(
            canvas,
            Place { x, ..place },
            &values,
            scale,
            theme,
            |cell, value| row.style(scene, columns[cell].seen(), value),
        );
        if let Some(cell) = scene.ui.cursor.and_then(|tick| axis.cell_of(tick)) {
            (place.y..=bottom).for_each(|y| canvas.tint(x + cell, y, theme.selected));
        }
        if tail > 0 {
            let ends = format!("0–{}", row.text(scale.high));
            canvas.put(x + cells + 1, bottom, &ends, theme.dim);
        }
    }

    /// What went wrong, the most telling first; what does not fit is left out.
    fn draw_words(&self, (from, to): Span, canvas: &mut Canvas<'_>) {
        let (mut x, y, theme) = (from, canvas.height() - 1, self.scene.theme);
        for (name, number, tone) in self.now.words() {
            let style = match tone {
                Tone::Plain => theme.text,
                Tone::Warn => theme.warn,
                Tone::Bad => theme.bad,
            };
            let end = x + text::width(&name) + 1 + text::width(&number);
            if end > to {
                continue;
            }
            canvas.put(x, y, &name, theme.dim);
            canvas.put(end - text::width(&number), y, &number, style);
            x = end + 2;
        }
    }
}
