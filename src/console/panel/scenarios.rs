//! The streams of work: what is asked of each and what comes of it.
//!
//! Rates, errors and latencies are of the last ten seconds, all others of the latest tick. One row a scenario where there
//! is room, else two lines.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

use super::Scene;
use crate::console::derived::Derived;
use crate::console::model::TimeKind;
use crate::console::table::{Cell, Column, Table};
use crate::console::text::{Part, clean, cut, fit, note, put, width_of};
use crate::console::theme::Theme;
use crate::history::{Flow, Totals};
use crate::session::record::{ModelName, ScenarioState};
use crate::verdict::format;

/// Columns from which each scenario takes one row.
const WIDE: u16 = 64;

/// Its title.
pub fn title(scene: &Scene<'_>) -> String {
    match scene.ui.filter.as_str() {
        "" => "scenarios".into(),
        filter => format!("scenarios · {}", clean(filter)),
    }
}

/// Lines that it wants at this width.
pub fn height(scene: &Scene<'_>, width: u16) -> u16 {
    let count = rows(scene).len() as u16;
    if width < WIDE { 2 * count } else { count + 1 }
}

/// Draws it.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let rows = rows(scene);
    if rows.is_empty() {
        let text = match (
            scene.history.names().scenarios.is_empty(),
            scene.ui.filter.as_str(),
        ) {
            (false, filter) if !filter.is_empty() => format!("none contains {}", clean(filter)),
            _ => "no scenarios yet".into(),
        };
        note(buf, area, &text, scene.theme);
    } else if area.width >= WIDE {
        table(scene, &rows, area, buf);
    } else {
        lines(scene, &rows, area, buf);
    }
}

/// One scenario as it is shown.
struct Row {
    key: String,
    name: String,
    model: Option<ModelName>,
    flow: Flow,
    recent: Totals,
    p99: Option<u64>,
}

fn rows(scene: &Scene<'_>) -> Vec<Row> {
    let history = scene.history;
    let derived = Derived::of(history);
    let plans = history.window().map_or(&[][..], |window| &window.scenarios);
    let names = history.names().scenarios.iter().enumerate();
    let wanted = names.filter(|(_, name)| has(name, &scene.ui.filter));
    wanted
        .map(|(index, name)| {
            let plan = plans.get(index);
            let recent = derived.scenarios(history).get(index).cloned();
            let recent = recent.unwrap_or_default();
            let times = match scene.ui.time {
                TimeKind::Response => &recent.response,
                TimeKind::Service => &recent.service,
            };
            let p99 = (!times.is_empty()).then(|| times.quantile(0.99));
            let tick = history.last_tick();
            let flow = tick.and_then(|tick| tick.scenarios.get(index));
            Row {
                key: plan
                    .and_then(|plan| plan.key)
                    .map_or_else(String::new, String::from),
                name: clean(name).into_owned(),
                model: plan.map(|plan| plan.model),
                flow: flow.cloned().unwrap_or_default(),
                recent,
                p99,
            }
        })
        .collect()
}

/// Whether a name contains what was asked for, whatever the case.
pub fn has(name: &str, filter: &str) -> bool {
    filter.is_empty() || name.to_lowercase().contains(&filter.to_lowercase())
}

/// Glyph, word and style of a state.
pub fn state(theme: &Theme, state: ScenarioState) -> (&'static str, &'static str, Style) {
    let glyphs = &theme.glyphs;
    match state {
        ScenarioState::Stopped => (glyphs.stopped, "stopped", theme.dim),
        ScenarioState::Running => (glyphs.runs, "running", theme.good),
        ScenarioState::Draining => (glyphs.runs, "draining", theme.warn),
        ScenarioState::Done => (glyphs.yes, "done", theme.dim),
    }
}

impl Row {
    fn puts_load(&self) -> bool {
        self.flow.state != ScenarioState::Stopped || self.recent.begun > 0
    }

    fn model(&self) -> &'static str {
        match self.model {
            Some(ModelName::Open) => "open",
            Some(ModelName::Closed) => "closed",
            None => "",
        }
    }

    fn asked(&self) -> String {
        match self.model {
            Some(ModelName::Closed) => users(self.flow.asked),
            Some(ModelName::Open) | None => format::rate_short(self.flow.asked),
        }
    }

    /// Journeys begun a second, or users alive.
    fn achieved(&self) -> String {
        match self.model {
            Some(ModelName::Closed) => users(self.flow.users as f64),
            Some(ModelName::Open) | None => match self.recent.micros {
                0 => format::unknown(),
                _ => format::rate_short(self.recent.begun as f64 / self.recent.seconds()),
            },
        }
    }

    /// Journeys begun a second; users alive, where those are not as many as asked for.
    fn done(&self) -> String {
        let all_alive = (self.flow.users as f64 - self.flow.asked).abs() < 1.0;
        match (self.model, self.recent.micros) {
            (Some(ModelName::Closed), 1..) if all_alive => {
                format::rate_short(self.recent.begun as f64 / self.recent.seconds())
            }
            _ => self.achieved(),
        }
    }

    /// Whether as much was put on the system as was due.
    fn keeps_up(&self) -> bool {
        let totals = &self.recent;
        totals.dropped == 0 && totals.begun as f64 >= totals.due as f64 * 0.9
    }

    fn dropped(&self) -> String {
        match (self.recent.dropped, self.recent.micros) {
            (0, _) | (_, 0) => "0".into(),
            (dropped, _) => format::rate_short(dropped as f64 / self.recent.seconds()),
        }
    }

    fn errors(&self) -> String {
        let ratio = self.recent.error_ratio();
        ratio.map_or_else(format::unknown, format::percent)
    }

    fn p99(&self) -> String {
        let p99 = self.p99.map(|p99| format::duration_short(p99 as f64));
        p99.unwrap_or_else(format::unknown)
    }
}

fn users(count: f64) -> String {
    let unit = if (count - 1.0).abs() < 1e-9 {
        "user"
    } else {
        "users"
    };
    format!("{} {unit}", format::count_short(count.round()))
}

/// How much a share of errors matters to the eye: not at all, a little, from 1% on more.
pub fn errors_style(theme: &Theme, ratio: Option<f64>) -> Style {
    match ratio {
        Some(ratio) if ratio >= 0.01 => theme.warn,
        Some(ratio) if ratio > 0.0 => theme.text,
        Some(_) | None => theme.dim,
    }
}

fn table(scene: &Scene<'_>, rows: &[Row], area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let mut table = Table::new(&[
        Column::word("", 1),
        Column::word("", 0).close(),
        Column::words("scenario", 0, 12).close(),
        Column::word("state", 6),
        Column::word("model", 7),
        Column::number("asked", 2),
        Column::number("achieved", 1),
        Column::number("in flight", 5),
        Column::number("dropped", 4),
        Column::number("errors", 2),
        Column::number("p99", 3),
        Column::word("", 1),
    ]);
    for row in rows {
        let (glyph, word, style) = state(theme, row.flow.state);
        let values = if row.puts_load() {
            theme.text
        } else {
            theme.dim
        };
        let by_hand = if row.flow.by_hand { theme.warn } else { values };
        let achieved = if row.keeps_up() { values } else { theme.warn };
        let cell = |text: String, style| Cell::new(text, style);
        let dropped_style = if row.recent.dropped > 0 {
            theme.warn
        } else {
            theme.dim
        };
        let errors_style = errors_style(theme, row.recent.error_ratio());
        table.row(vec![
            Cell::new(row.key.clone(), theme.accent),
            Cell::new(glyph, style),
            cell(row.name.clone(), values),
            Cell::new(word, style),
            Cell::new(row.model(), theme.dim),
            cell(row.asked(), by_hand),
            cell(row.achieved(), achieved),
            cell(format::count_short(row.flow.in_flight as f64), values),
            cell(row.dropped(), dropped_style),
            cell(row.errors(), errors_style),
            cell(row.p99(), values),
            Cell::new(if row.flow.by_hand { "by hand" } else { "" }, theme.warn),
        ]);
    }
    let used = table.draw(area, buf, theme);
    more(scene, rows.len(), used.saturating_sub(1), area, buf);
}

/// Says on the last line how many were left out.
fn more(scene: &Scene<'_>, count: usize, shown: usize, area: Rect, buf: &mut Buffer) {
    let (left, height) = (count.saturating_sub(shown), usize::from(area.height));
    if left == 0 || height < 3 {
        return;
    }
    let text = format!("… {} more", left + 1);
    let blank = " ".repeat(usize::from(area.width));
    let glyphs = &scene.theme.glyphs;
    put(buf, area, 0, height - 1, &[Span::raw(blank)], glyphs);
    put(
        buf,
        area,
        0,
        height - 1,
        &[Span::styled(text, scene.theme.dim)],
        glyphs,
    );
}

fn lines(scene: &Scene<'_>, rows: &[Row], area: Rect, buf: &mut Buffer) {
    let height = usize::from(area.height);
    let each = if height >= 2 * rows.len() { 2 } else { 1 };
    for (place, row) in rows.iter().enumerate().take(height / each) {
        let first = Rect {
            height: area.height - (place * each) as u16,
            y: area.y + (place * each) as u16,
            ..area
        };
        upper(scene, row, first, buf);
        if each == 2 {
            lower(scene, row, first, buf);
        }
    }
    more(scene, rows.len(), height / each, area, buf);
}

fn upper(scene: &Scene<'_>, row: &Row, area: Rect, buf: &mut Buffer) {
    let (theme, width) = (scene.theme, usize::from(area.width));
    let (glyph, _, style) = state(theme, row.flow.state);
    let values = if row.puts_load() {
        theme.text
    } else {
        theme.dim
    };
    let (model, style_of_load) = if row.flow.by_hand {
        ("by hand", theme.warn)
    } else {
        (row.model(), theme.dim)
    };
    // Words may be cut to make room for what a person did; numbers may not.
    let asked = row.asked();
    let spare = if row.flow.by_hand {
        model.len() + asked.len() + 4
    } else {
        0
    };
    let most = width
        .saturating_sub(4 + spare)
        .max(6)
        .min(width.saturating_sub(4));
    let name = cut(&row.name, most).into_owned();
    let key = if row.key.is_empty() {
        " "
    } else {
        row.key.as_str()
    };
    let names = vec![
        Span::styled(key, theme.accent),
        Span::styled(format!(" {glyph} "), style),
        Span::styled(name, values),
    ];
    let style = if row.flow.by_hand { theme.warn } else { values };
    let mut parts = vec![
        Part::new(0, names),
        Part::one(2, model, style_of_load),
        Part::one(1, asked, style),
    ];
    fit(&mut parts, width, 2);
    spread(scene, &parts, area, 0, buf);
}

fn lower(scene: &Scene<'_>, row: &Row, area: Rect, buf: &mut Buffer) {
    let (theme, width) = (scene.theme, usize::from(area.width));
    if !row.puts_load() {
        let (_, word, style) = state(theme, row.flow.state);
        return put(buf, area, 4, 1, &[Span::styled(word, style)], &theme.glyphs);
    }
    let (glyph, style) = if row.keeps_up() {
        (theme.glyphs.yes, theme.good)
    } else {
        (theme.glyphs.alert, theme.warn)
    };
    let errors = row.errors();
    let errors_style = errors_style(theme, row.recent.error_ratio());
    let label = |rank, label: &'static str, value: String, style| {
        Part::new(
            rank,
            vec![Span::styled(label, theme.dim), Span::styled(value, style)],
        )
    };
    let mut parts = vec![
        Part::new(
            0,
            vec![
                Span::raw("  "),
                Span::styled(format!("{glyph} "), style),
                Span::styled(row.done(), theme.text),
            ],
        ),
        label(
            1,
            if width < 34 { "" } else { "errors " },
            errors,
            errors_style,
        ),
        label(2, "p99 ", row.p99(), theme.text),
        label(
            3,
            "in flight ",
            format::count_short(row.flow.in_flight as f64),
            theme.text,
        ),
    ];
    if row.recent.dropped > 0 {
        let rank = if width < 34 { 4 } else { 1 };
        parts.push(label(rank, "dropped ", row.dropped(), theme.warn));
    }
    // Where two columns between the numbers are too many, one will do.
    let wanted = parts.iter().filter(|part| part.rank < 3);
    let wanted: usize = wanted.map(|part| part.width() + 2).sum();
    let gap = if wanted <= width + 2 { 2 } else { 1 };
    fit(&mut parts, width, gap);
    let mut x = 0;
    for part in &parts {
        put(buf, area, x, 1, &part.words, &theme.glyphs);
        x += part.width() + gap;
    }
}

/// The first part at the left, the others at the right.
fn spread(scene: &Scene<'_>, parts: &[Part<'_>], area: Rect, y: usize, buf: &mut Buffer) {
    let Some((first, rest)) = parts.split_first() else {
        return;
    };
    put(buf, area, 0, y, &first.words, &scene.theme.glyphs);
    let gaps = 2 * rest.len().saturating_sub(1);
    let taken: usize = rest.iter().map(|part| width_of(&part.words)).sum();
    let mut x = usize::from(area.width).saturating_sub(taken + gaps);
    for part in rest {
        put(buf, area, x, y, &part.words, &scene.theme.glyphs);
        x += part.width() + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::panel::fixture::{at_every_size, buffer, lines, model, pictures};

    #[test]
    fn it_shows_what_is_asked_and_what_comes_of_it() {
        let pictures = pictures(&mut model(700), draw, [(27, 4), (64, 4), (120, 5)]);
        insta::assert_snapshot!(pictures);
    }

    #[test]
    fn it_fits_everywhere() {
        at_every_size(&mut model(700), draw);
        at_every_size(&mut model(0), draw);
    }

    #[test]
    fn what_was_set_by_hand_is_told_at_any_width() {
        for width in [27, 64, 120] {
            let text = lines(&buffer(&model(410), draw, width, 4)).concat();
            assert!(text.contains("by hand"), "{text}");
        }
    }

    #[test]
    fn a_filter_leaves_only_what_contains_it() {
        let mut model = model(700);
        model.ui.filter = "WRIT".into();
        let text = lines(&buffer(&model, draw, 80, 4)).concat();
        assert!(
            text.contains("writers") && !text.contains("shoppers"),
            "{text}"
        );
        model.ui.filter = "nothing".into();
        let text = lines(&buffer(&model, draw, 80, 4)).concat();
        assert!(text.contains("none contains nothing"), "{text}");
    }
}
