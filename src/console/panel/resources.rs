//! Gauges of the system under test, and the generator's own resources: a row each with its course, value and trend.
//!
//! In the view of resources both are shown; elsewhere the gauges, or the generator where there are none.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Scene;
use super::gauge::{Level, Reading, Unit, gauges};
use super::own;
use crate::console::model::View;
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
/// Columns of the state at the end: `warn` where there is room, else a sign.
const STATE: [usize; 2] = [6, 2];

/// What the panel shows: `resources · 5 min`.
pub fn title(scene: &Scene<'_>) -> String {
    let what = if has_gauges(scene) || scene.ui.view == View::Resources {
        "resources"
    } else {
        "generator"
    };
    format!("{what} {} {}", scene.theme.glyphs.dot, scene.ui.span.name())
}

fn has_gauges(scene: &Scene<'_>) -> bool {
    let window = scene.history.window();
    window.is_some_and(|window| !window.gauges.is_empty())
}

/// Lines that it wants beside other panels.
pub fn height(scene: &Scene<'_>) -> u16 {
    let gauges = scene
        .history
        .window()
        .map_or(0, |window| window.gauges.len());
    let lines = if gauges > 0 { gauges } else { GENERATOR_ROWS };
    lines as u16
}

/// Draws the panel without a border or a title.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let mut canvas = Canvas::new(buf, area, &scene.theme.glyphs);
    let (width, height) = (canvas.width(), canvas.height());
    if width == 0 || height == 0 {
        return;
    }
    let both = scene.ui.view == View::Resources;
    let names = names(scene, both);
    let layout = Layout::new(width, &names, has_gauges(scene));
    let axis = Axis::new(scene.history, scene.ui.span, layout.cells.max(1));
    let mut y = 0;
    if has_gauges(scene) {
        let readings = gauges(scene, &axis);
        let own = if both { GENERATOR_ROWS + 2 } else { 0 };
        // The generator has a fixed number of rows; when there is no room for all, the gauges get theirs first.
        let room = if height > own + 2 {
            height - own
        } else {
            height
        };
        y = draw_rows(scene, &layout, &axis, readings, (0, room), &mut canvas);
    }
    if both && y > 0 && y + 3 < height {
        y += 1;
        canvas.put(layout.margin, y, "generator", scene.theme.dim);
        y += 1;
    } else if both && y > 0 {
        return;
    }
    if both || !has_gauges(scene) {
        draw_rows(
            scene,
            &layout,
            &axis,
            own::rows(scene, &axis),
            (y, height),
            &mut canvas,
        );
    }
}

/// Rows of the generator.
const GENERATOR_ROWS: usize = 7;

fn names(scene: &Scene<'_>, both: bool) -> Vec<String> {
    let window = scene.history.window();
    let gauges = window.map_or(&[][..], |window| &window.gauges);
    let mut names: Vec<String> = gauges.iter().map(|gauge| gauge.name.clone()).collect();
    if both || names.is_empty() {
        names.extend(own::NAMES.map(Into::into));
    }
    names
}

/// Which columns there is room for.
#[derive(Debug, Clone, Copy)]
struct Layout {
    margin: usize,
    name: usize,
    /// Columns of the sparkline; 0 for none.
    cells: usize,
    value: usize,
    trend: usize,
    state: usize,
}

impl Layout {
    fn new(width: usize, names: &[String], stateful: bool) -> Self {
        let margin = usize::from(width > 24);
        let inner = width - 2 * margin.min(width / 2);
        let longest = names
            .iter()
            .map(|name| text::width(name))
            .max()
            .unwrap_or(0);
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
        let cells = if rest > LEAST { rest - 1 } else { 0 };
        Self {
            margin,
            name,
            cells,
            value,
            trend,
            state,
        }
    }
}

/// Draws rows between two lines, those in trouble first when there is no room for all. Returns the line after them.
fn draw_rows(
    scene: &Scene<'_>,
    layout: &Layout,
    axis: &Axis,
    mut readings: Vec<Reading>,
    (from, to): (usize, usize),
    canvas: &mut Canvas<'_>,
) -> usize {
    let room = to.saturating_sub(from);
    let all = readings.len();
    let shown = if all > room {
        room.saturating_sub(1).max(room.min(1))
    } else {
        all
    };
    if shown < all {
        readings.sort_by_key(|reading| std::cmp::Reverse(reading.level));
    }
    for (line, reading) in readings.iter().take(shown).enumerate() {
        draw_row(scene, layout, axis, reading, from + line, canvas);
    }
    let rest = all - shown;
    if rest > 0 && shown < room {
        let more = format!("+ {rest} more");
        canvas.put(layout.margin, from + shown, &more, scene.theme.dim);
        return from + shown + 1;
    }
    from + shown
}

fn draw_row(
    scene: &Scene<'_>,
    layout: &Layout,
    axis: &Axis,
    reading: &Reading,
    y: usize,
    canvas: &mut Canvas<'_>,
) {
    let theme = scene.theme;
    let style = match reading.level {
        Level::Good => theme.text,
        Level::Warn => theme.warn,
        Level::Crit => theme.bad,
    };
    let mut x = layout.margin;
    canvas.put_cut(x, y, layout.name, &reading.name, theme.text);
    x += layout.name + 1;
    if layout.cells > 0 {
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
