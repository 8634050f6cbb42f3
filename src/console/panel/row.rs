//! A row of the resources: a name, a course, a value, a trend, a state, as far as there is room.

use super::Scene;
use super::gauge::{Level, Reading, Unit};
use crate::console::text;
use crate::console::theme::Theme;
use crate::console::widget::linear::LinearScale;
use crate::console::widget::spark::{Place, bars};
use crate::console::widget::trend::Trend;
use crate::console::widget::{Axis, Canvas};
use crate::verdict::format;

/// Columns of a value.
const VALUE: usize = 7;
/// Columns of a trend: an arrow, a rate of change.
const TREND: usize = 13;
/// Columns of a sparkline, at least.
const LEAST: usize = 6;
/// Columns of a sparkline from which there is room for the number of series.
const ROOMY: usize = 20;
/// Columns of the state at the end: `warn` where there is room, else a sign.
const STATE: [usize; 2] = [6, 2];
/// Columns by which a series stands further in than its gauge.
const INDENT: usize = 2;

/// What is drawn on a line.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its name, course, value and state.
    pub reading: Reading,
    /// How many series it stands for, when it is several.
    pub count: Option<usize>,
    /// Whether it is one of the series of the gauge above it.
    pub below: bool,
    /// Whether the operator stands on it.
    pub selected: bool,
}

impl Row {
    /// Of nothing but itself.
    pub fn new(reading: Reading) -> Self {
        Self {
            reading,
            count: None,
            below: false,
            selected: false,
        }
    }
}

/// What is written for several series where there is room, and where there is little.
fn counted(count: usize, theme: &Theme) -> (String, String) {
    (
        format!("{} {count} series", theme.glyphs.dot),
        format!(" ×{count}"),
    )
}

/// Columns that a name wants: of a row, and of how many series it stands for.
pub fn wanted(name: &str, count: Option<usize>, below: bool) -> usize {
    let digits = count.map_or(0, |count| text::width(&format!(" ×{count}")));
    text::width(name) + digits + if below { INDENT } else { 0 }
}

/// Which columns there is room for.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Columns left free at either side.
    pub margin: usize,
    name: usize,
    /// Columns of the sparkline; 0 for none.
    pub cells: usize,
    value: usize,
    trend: usize,
    state: usize,
    /// Columns of how many series there are; 0 where that stands behind the name.
    count: usize,
}

impl Layout {
    /// For an area of this width, and names of which the longest wants `longest` columns; `most` is the largest number of
    /// series that a row stands for.
    pub fn new(width: usize, longest: usize, stateful: bool, most: Option<usize>) -> Self {
        let margin = usize::from(width > 24);
        let inner = width - 2 * margin.min(width / 2);
        let value = VALUE.min(inner);
        let name = longest
            .min((inner * 2 / 5).max(8))
            .min(inner.saturating_sub(value + 1));
        let rest = inner.saturating_sub(name + 1 + value);
        let wide = TREND + LEAST + STATE[0] + 1;
        let state = match (stateful, rest) {
            (false, _) => 0,
            (true, rest) if rest >= wide => STATE[0],
            (true, rest) => STATE[1].min(rest),
        };
        let rest = rest - state;
        let (trend, rest) = match rest.checked_sub(TREND + LEAST + 1) {
            Some(_) => (TREND, rest - TREND),
            None => (0, rest),
        };
        let count = most.map_or(0, |most| format!("  - {most} series").len());
        let (count, rest) = match rest.checked_sub(count + ROOMY + 1) {
            Some(_) => (count, rest - count),
            None => (0, rest),
        };
        let cells = if rest > LEAST { rest - 1 } else { 0 };
        Self {
            margin,
            name,
            cells,
            value,
            trend,
            state,
            count,
        }
    }
}

/// Draws it on a line.
pub fn draw(
    scene: &Scene<'_>,
    layout: &Layout,
    axis: &Axis,
    row: &Row,
    y: usize,
    canvas: &mut Canvas<'_>,
) {
    let theme = scene.theme;
    let reading = &row.reading;
    let style = match reading.level {
        Level::Good => theme.text,
        Level::Warn => theme.warn,
        Level::Crit => theme.bad,
    };
    draw_name(scene, layout, row, y, canvas);
    let mut x = layout.margin + layout.name + 1;
    if layout.cells > 0 {
        draw_course(scene, axis, reading, (x, y), canvas);
        x += layout.cells + 1;
    }
    let text = reading.text.clone().unwrap_or_else(format::unknown);
    canvas.put_right(x, x + layout.value, y, &text, style);
    x += layout.value;
    if layout.trend > 0 {
        let trend = Trend::of(&reading.columns, axis);
        if let Some((arrow, text)) = trend.and_then(|trend| trend_words(trend, reading.unit, theme))
        {
            canvas.put(x + 1, y, arrow, theme.dim);
            canvas.put_cut(x + 3, y, layout.trend - 3, &text, theme.dim);
        }
        x += layout.trend;
    }
    if let Some(count) = row.count.filter(|_| layout.count > 0) {
        canvas.put(x + 2, y, &counted(count, theme).0, theme.dim);
    }
    x += layout.count;
    if reading.level > Level::Good {
        let word = if reading.level == Level::Crit {
            "crit"
        } else {
            "warn"
        };
        match layout.state {
            0 => {}
            state if state > word.len() => {
                canvas.put(x + 1, y, word, style);
            }
            state => {
                canvas.put(x + state - 1, y, theme.glyphs.alert, style);
            }
        }
    }
}

/// The name, and behind it how many series it stands for where that has no column of its own.
fn draw_name(scene: &Scene<'_>, layout: &Layout, row: &Row, y: usize, canvas: &mut Canvas<'_>) {
    let theme = scene.theme;
    let indent = if row.below {
        INDENT.min(layout.name)
    } else {
        0
    };
    let style = if row.below { theme.dim } else { theme.text };
    let count = row.count.filter(|_| layout.count == 0);
    let count = count.map_or_else(String::new, |count| counted(count, theme).1);
    let room = layout.name - indent;
    let count = if text::width(&count) < room {
        count
    } else {
        String::new()
    };
    let name = text::cut(&row.reading.name, room - text::width(&count)).into_owned();
    let x = layout.margin + indent;
    canvas.put(x, y, &name, style);
    canvas.put(x + text::width(&name), y, &count, theme.dim);
    if row.selected {
        for x in layout.margin..layout.margin + layout.name {
            canvas.tint(x, y, theme.selected);
        }
    }
}

/// The sparkline, in the colours of what its values mean.
fn draw_course(
    scene: &Scene<'_>,
    axis: &Axis,
    reading: &Reading,
    (x, y): (usize, usize),
    canvas: &mut Canvas<'_>,
) {
    let theme = scene.theme;
    let ends = reading.ends();
    let scale = match reading.unit {
        Unit::Ratio => LinearScale::from_zero(ends.1.max(1.0)),
        Unit::Seconds | Unit::Cores if ends.0 >= 0.0 => LinearScale::from_zero(ends.1),
        Unit::Bytes | Unit::Rate | Unit::Count | Unit::Seconds | Unit::Cores => {
            LinearScale::around(ends.0, ends.1)
        }
    };
    let place = Place { x, y, lines: 1 };
    let course = theme.series[0];
    bars(
        canvas,
        place,
        &reading.columns,
        scale,
        theme,
        |_, value| match reading.level_of(value) {
            Level::Good => course,
            Level::Warn => theme.warn,
            Level::Crit => theme.bad,
        },
    );
    if let Some(cell) = scene.ui.cursor.and_then(|tick| axis.cell_of(tick)) {
        canvas.tint(x + cell, y, theme.selected);
    }
}

/// An arrow, and by how much a value changes in an hour, or in a minute when that is more than it has.
fn trend_words(trend: Trend, unit: Unit, theme: &Theme) -> Option<(&'static str, String)> {
    let arrow = if trend.per_second > 0.0 {
        theme.glyphs.up
    } else {
        theme.glyphs.down
    };
    let hourly = trend.per_second.abs() * 3_600.0;
    let (amount, per) = if hourly <= trend.level.abs() {
        (hourly, "h")
    } else {
        (hourly / 60.0, "min")
    };
    let text = format!("{}/{per}", unit.amount(two_figures(amount, unit)));
    (text::width(&text) + 3 <= TREND).then_some((arrow, text))
}

/// A slope is an estimate; more than two figures of it would say more than is known.
fn two_figures(value: f64, unit: Unit) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return value;
    }
    let prefix = match unit {
        Unit::Bytes => 1024f64.powf((value.max(1.0).ln() / 1024f64.ln()).floor()),
        Unit::Seconds | Unit::Ratio | Unit::Rate | Unit::Count | Unit::Cores => 1.0,
    };
    let figures = value / prefix;
    let place = 10f64.powf(figures.log10().floor() - 1.0);
    (figures / place).round() * place * prefix
}
