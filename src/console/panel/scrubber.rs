//! A whole recording at a glance, and the place in it that is shown.
//!
//! ```text
//! steady──────────┊2x─────────◆──────┊spike─✗────────┊cool
//! ▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▇▇▇✗✗▇▇▇▇▇▇▇▇▇▇▇▂▂▂▂
//! ▶ 4x  12:30 / 24:00:00  52%
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::Scene;
use crate::console::event::Speed;
use crate::console::model::{Cell, Overview, Place, PlaceKind};
use crate::console::text;
use crate::console::widget::Canvas;
use crate::console::widget::linear::LinearScale;
use crate::console::widget::signs::{self, Sign};
use crate::verdict::format;

/// From this share of errors on, a stretch is marked as failing.
const FAILING: f64 = 0.01;

/// What the panel shows.
pub fn title(scene: &Scene<'_>) -> String {
    let recording = &scene.deck.overview;
    let ticks = (recording.to + 1).saturating_sub(recording.from);
    if recording.cells.is_empty() {
        return "recording".into();
    }
    let length = ticks as f64 * scene.history.tick_us() as f64 / 1e6;
    format!(
        "recording {} {}",
        scene.theme.glyphs.dot,
        format::span(length)
    )
}

/// Draws the panel without a border or a title.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let mut canvas = Canvas::new(buf, area, &scene.theme.glyphs);
    let (width, height) = (canvas.width(), canvas.height());
    if width == 0 || height == 0 {
        return;
    }
    match height {
        1 => {
            let taken = draw_position(scene, 0, &mut canvas);
            if width > taken + 12 {
                Track::new(scene, taken + 2, width).draw_bars(scene, 0, 1, &mut canvas);
            }
        }
        2 => {
            Track::new(scene, 0, width).draw_bars(scene, 0, 1, &mut canvas);
            draw_position(scene, 1, &mut canvas);
        }
        lines => {
            let track = Track::new(scene, 0, width);
            track.draw_places(scene, &mut canvas);
            track.draw_bars(scene, 1, lines - 2, &mut canvas);
            draw_position(scene, lines - 1, &mut canvas);
        }
    }
}

/// State, speed, position: `▶ 4x  12:30 / 24:00:00  52%`. Returns the columns taken.
fn draw_position(scene: &Scene<'_>, y: usize, canvas: &mut Canvas<'_>) -> usize {
    let (theme, ui) = (scene.theme, scene.ui);
    let overview = &scene.deck.overview;
    let shown = scene.deck.tick();
    let tick_us = scene.history.tick_us();
    let time = |tick: u64| tick.saturating_mul(tick_us);
    let moment = |tick: u64| format::clock_within(time(tick), time(overview.to));
    let (glyph, speed) = match ui.playing {
        Some(Speed::Times(times)) => (theme.glyphs.runs, format::factor(times)),
        Some(Speed::Step) => (theme.glyphs.runs, "step".into()),
        Some(Speed::Unbounded) => (theme.glyphs.runs, "fastest".into()),
        None => (theme.glyphs.stopped, format::factor(ui.speed)),
    };
    let end = overview.to.max(shown);
    let length = (end + 1).saturating_sub(overview.from.max(1)).max(1);
    let share = (shown + 1).saturating_sub(overview.from.max(1)) as f64 / length as f64;
    let whole = moment(end);
    let at = moment(shown);
    let parts: [(String, Style); 5] = [
        (format!("{glyph} "), theme.accent),
        (format!("{speed:<8}"), theme.text),
        (format!("{at:>wide$}", wide = whole.len()), theme.accent),
        (format!(" / {whole}"), theme.dim),
        (format!("  {:>3}%", (share * 100.0) as u64), theme.text),
    ];
    let mut x = usize::from(canvas.width() > 40);
    for (text, style) in parts {
        if !canvas.put(x, y, &text, style) {
            break;
        }
        x += text::width(&text);
    }
    x
}

/// The recording from one column to before another.
struct Track<'a> {
    overview: &'a Overview,
    from: usize,
    to: usize,
    shown: u64,
}

impl<'a> Track<'a> {
    fn new(scene: &Scene<'a>, from: usize, to: usize) -> Self {
        Self {
            overview: &scene.deck.overview,
            from,
            to,
            shown: scene.deck.tick(),
        }
    }

    fn width(&self) -> usize {
        self.to - self.from
    }

    /// The column of a tick.
    fn x(&self, tick: u64) -> usize {
        let ticks = (self.overview.to + 1)
            .saturating_sub(self.overview.from)
            .max(1);
        let passed = tick.saturating_sub(self.overview.from);
        let place = passed as f64 / ticks as f64 * self.width() as f64;
        self.from + (place as usize).min(self.width().saturating_sub(1))
    }

    /// A column: the highest rate and the highest share of errors of its stretch.
    fn cell(&self, column: usize) -> Option<Cell> {
        let cells = &self.overview.cells;
        let (count, width) = (cells.len(), self.width().max(1));
        let from = column * count / width;
        let to = ((column + 1) * count / width).max(from + 1).min(count);
        let seen = cells
            .get(from..to)?
            .iter()
            .filter(|cell| cell.rate.is_some());
        seen.copied().reduce(|a, b| Cell {
            rate: a.rate.zip(b.rate).map(|(a, b)| a.max(b)),
            errors: a.errors.max(b.errors),
        })
    }

    fn draw_bars(&self, scene: &Scene<'_>, y: usize, lines: usize, canvas: &mut Canvas<'_>) {
        let theme = scene.theme;
        if self.overview.cells.is_empty() {
            canvas.put_cut(
                self.from + 1,
                y,
                usize::MAX,
                "reading the recording",
                theme.dim,
            );
            return;
        }
        let rates = self.overview.cells.iter().filter_map(|cell| cell.rate);
        let scale = LinearScale::from_zero(rates.fold(0.0, f64::max));
        let bottom = y + lines - 1;
        let position = self.x(self.shown);
        for column in 0..self.width() {
            let x = self.from + column;
            let Some(cell) = self.cell(column) else {
                canvas.put(x, bottom, theme.glyphs.gap, theme.dim);
                continue;
            };
            let rate = cell.rate.unwrap_or(0.0);
            let eighths = (scale.place(rate) * lines as f64 * 8.0).round() as usize;
            let eighths = eighths.max(1);
            let style = match cell.errors {
                errors if errors >= FAILING => theme.bad,
                errors if errors > 0.0 => theme.warn,
                _ if x <= position => theme.series[0],
                _ => theme.dim,
            };
            for line in 0..lines.min(eighths.div_ceil(8)) {
                let glyph = theme.glyphs.bars[(eighths - line * 8).min(8) - 1];
                canvas.put(x, bottom - line, glyph, style);
            }
            if cell.errors >= FAILING {
                canvas.put(x, bottom, theme.glyphs.no, style);
            }
        }
        canvas.fill_blank(position, y..y + lines, "│", theme.accent);
        (y..y + lines).for_each(|y| canvas.tint(position, y, theme.selected));
    }

    /// Phases with their names, and what happened.
    fn draw_places(&self, scene: &Scene<'_>, canvas: &mut Canvas<'_>) {
        let (theme, places) = (scene.theme, &self.overview.places);
        canvas.fill(self.from, self.to, 0, "─", theme.border);
        let mut named = vec![false; self.to];
        let phases = places.iter().filter(|place| place.kind == PlaceKind::Phase);
        let mut phases = phases.enumerate().peekable();
        while let Some((number, phase)) = phases.next() {
            let begin = self.x(phase.tick);
            let end = phases.peek().map_or(self.to, |next| self.x(next.1.tick));
            let name = begin + usize::from(number > 0);
            if number > 0 {
                canvas.put(begin, 0, "┊", theme.dim);
            }
            let text = text::cut(&phase.text, end.saturating_sub(name));
            if end > name + 1 && canvas.put(name, 0, &text, theme.text) {
                named[name..name + text::width(&text)].fill(true);
            }
        }
        let sign = |place: &Place| {
            let (glyph, style, rank) = match place.kind {
                PlaceKind::Phase | PlaceKind::Other => return None,
                PlaceKind::Breach => (theme.glyphs.no, theme.bad, 3),
                PlaceKind::Fault => (theme.glyphs.on, theme.warn, 2),
                PlaceKind::Mark => (theme.glyphs.mark, theme.accent, 1),
            };
            let x = self.x(place.tick);
            Some(Sign {
                x,
                glyph,
                style,
                rank,
            })
        };
        signs::draw(canvas, 0, places.iter().filter_map(sign).collect(), &named);
        if self.overview.from < self.overview.to {
            canvas.put(self.x(self.shown), 0, "▼", theme.accent);
        }
    }
}
