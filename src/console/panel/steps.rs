//! Each step of each journey: how much it did, how often it failed, how long it took.
//!
//! Over the last ten seconds, the phase or the window, as chosen for the histogram beside it. Quantiles come from merged
//! histograms; one that rests on too few requests to be told apart from the maximum is dimmed.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::Scene;
use super::scenarios::{errors_style, has};
use crate::console::model::{Over, TimeKind};
use crate::console::table::{Cell, Column, Table};
use crate::console::text::{clean, cut, note, put};
use crate::history::{History, Selection, Slot};
use crate::session::hist::Hist;
use crate::verdict::format;

/// The columns by which it can be sorted; `ui.sort` counts in them.
pub const COLUMNS: [&str; 9] = [
    "step", "requests", "rate", "errors", "p50", "p90", "p99", "p99.9", "max",
];
const QUANTILES: [f64; 4] = [0.5, 0.9, 0.99, 0.999];

/// Its title.
pub fn title(scene: &Scene<'_>) -> String {
    let (over, time) = (scene.ui.over.name(), scene.ui.time.name());
    format!("steps · {over} · {time}")
}

/// The full name of a step.
pub fn name(history: &History, step: usize) -> String {
    let name = history.names().steps.get(step);
    name.map_or_else(
        || (step + 1).to_string(),
        |name| clean(&format!("{}/{}", name.journey, name.step)).into_owned(),
    )
}

/// One step as it is shown.
struct Row {
    step: usize,
    name: String,
    requests: u64,
    failed: u64,
    times: Hist,
    seconds: f64,
}

impl Row {
    fn rate(&self) -> f64 {
        if self.seconds > 0.0 {
            self.requests as f64 / self.seconds
        } else {
            0.0
        }
    }

    fn errors(&self) -> f64 {
        self.failed as f64 / self.requests.max(1) as f64
    }

    /// What a column is sorted by.
    fn key(&self, column: usize) -> f64 {
        match column {
            0 => self.step as f64,
            1 => self.requests as f64,
            2 => self.rate(),
            3 => self.errors(),
            4..=7 => self.times.quantile(QUANTILES[column - 4]) as f64,
            _ => self.times.max() as f64,
        }
    }
}

/// The steps in the order of the table, by their index; [`crate::console::model::Ui::row`] counts in it.
pub fn order(scene: &Scene<'_>) -> Vec<usize> {
    rows(scene).iter().map(|row| row.step).collect()
}

fn rows(scene: &Scene<'_>) -> Vec<Row> {
    let history = scene.history;
    let mut rows: Vec<Row> = (0..history.names().steps.len())
        .map(|step| Row {
            step,
            name: name(history, step),
            requests: 0,
            failed: 0,
            times: Hist::new(),
            seconds: 0.0,
        })
        .collect();
    match scene.ui.over {
        Over::Ten => recent(scene, &mut rows),
        Over::Phase => {
            let phase = history.last().and_then(|last| last.phase);
            whole(scene, &mut rows, phase.as_slice());
        }
        Over::Window => whole(scene, &mut rows, &[]),
    }
    rows.retain(|row| has(&row.name, &scene.ui.filter));
    let (column, downwards) = scene.ui.sort;
    rows.sort_by(|a, b| {
        let by = a.key(column).total_cmp(&b.key(column));
        let by = if downwards { by.reverse() } else { by };
        by.then(a.step.cmp(&b.step))
    });
    rows
}

fn whole(scene: &Scene<'_>, rows: &mut [Row], phases: &[usize]) {
    let names = scene.history.names();
    for row in rows {
        let selection = Selection::step(names, row.step);
        let totals = scene.history.totals_of(&selection, phases);
        row.requests = totals.requests;
        row.failed = totals.failed();
        row.seconds = totals.seconds();
        row.times = match scene.ui.time {
            TimeKind::Response => totals.response,
            TimeKind::Service => totals.service,
        };
    }
}

/// One pass over the last ten seconds for all steps.
fn recent(scene: &Scene<'_>, rows: &mut [Row]) {
    let Some(last) = scene.history.last() else {
        return;
    };
    let ticks = (10_000_000 / scene.history.tick_us()).max(1);
    let from = last.tick.saturating_sub(ticks - 1).max(1);
    let mut seconds = 0.0;
    for slot in scene.history.slots(from, last.tick, 1) {
        let Slot::Seen(bucket) = slot else { continue };
        seconds += bucket.micros as f64 / 1e6;
        for step in &bucket.steps {
            let Some(row) = rows.get_mut(step.step) else {
                continue;
            };
            row.requests += step.requests;
            row.failed += step.failed();
            let times = match scene.ui.time {
                TimeKind::Response => &step.response,
                TimeKind::Service => step.service(),
            };
            row.times.merge(&times.unpack());
        }
    }
    for row in rows {
        row.seconds = seconds;
    }
}

/// Draws it.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let rows = rows(scene);
    if rows.is_empty() {
        let text = if scene.history.names().steps.is_empty() {
            "no steps yet".into()
        } else {
            format!("none contains {}", clean(&scene.ui.filter))
        };
        return note(buf, area, &text, theme);
    }
    let number = |title: usize, rank| Column::number(COLUMNS[title], rank);
    let mut table = Table::new(&[
        Column::words(COLUMNS[0], 0, 14),
        number(1, 5),
        number(2, 3),
        number(3, 1),
        number(4, 4),
        number(5, 6),
        number(6, 0),
        number(7, 7),
        number(8, 2),
    ]);
    table.selected = Some(scene.ui.row.min(rows.len() - 1));
    table.sorted = Some(scene.ui.sort);
    for row in &rows {
        let values = if row.requests == 0 {
            theme.dim
        } else {
            theme.text
        };
        let mut cells = vec![
            Cell::new(row.name.clone(), values),
            Cell::new(format::count_short(row.requests as f64), values),
            Cell::new(format::rate_short(row.rate()), values),
        ];
        cells.push(match (row.requests, row.failed) {
            (0, _) => Cell::new(format::unknown(), theme.dim),
            (_, _) => Cell::new(
                format::percent(row.errors()),
                errors_style(theme, Some(row.errors())),
            ),
        });
        let time = |micros: u64, told: bool| {
            if row.times.is_empty() {
                Cell::new(format::unknown(), theme.dim)
            } else {
                let style = if told { theme.text } else { theme.dim };
                Cell::new(format::duration_short(micros as f64), style)
            }
        };
        let count = row.times.count() as f64;
        for q in QUANTILES {
            cells.push(time(row.times.quantile(q), count * (1.0 - q) >= 1.0));
        }
        cells.push(time(row.times.max(), true));
        table.row(cells);
    }
    table.draw(area, buf, theme);
    let last = usize::from(area.height).saturating_sub(1);
    if last > rows.len() + 1 && scene.ui.filter.is_empty() {
        let note = "dim: fewer requests than the percentile needs";
        let note = Span::styled(
            cut(note, usize::from(area.width)).into_owned(),
            theme.border,
        );
        let any = rows
            .iter()
            .any(|row| !row.times.is_empty() && row.times.count() < 1_000);
        if any {
            put(buf, area, 0, last, &[note], &theme.glyphs);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::panel::fixture::{at_every_size, buffer, lines, model, pictures, scene};

    #[test]
    fn it_shows_each_step() {
        let pictures = pictures(&mut model(700), draw, [(36, 7), (80, 9), (120, 9)]);
        insta::assert_snapshot!(pictures);
    }

    #[test]
    fn it_fits_everywhere() {
        let mut model = model(700);
        at_every_size(&mut model, draw);
        model.ui.over = Over::Window;
        model.ui.time = TimeKind::Service;
        model.ui.sort = (8, true);
        at_every_size(&mut model, draw);
        at_every_size(&mut crate::console::panel::fixture::model(0), draw);
    }

    #[test]
    fn it_sorts_by_any_column() {
        let mut model = model(700);
        assert_eq!(order(&scene(&model)), [0, 1, 2, 3, 4, 5]);
        for column in 0..COLUMNS.len() {
            model.ui.sort = (column, true);
            assert_eq!(order(&scene(&model)).len(), 6);
        }
        model.ui.sort = (1, true);
        assert!([0, 1].contains(&order(&scene(&model))[0]));
        let text = lines(&buffer(&model, draw, 100, 8)).concat();
        assert!(text.contains("requests▼"), "{text}");
    }

    #[test]
    fn the_span_chosen_is_the_span_shown() {
        let mut model = model(700);
        let requests = |model: &crate::console::Model| {
            rows(&scene(model))
                .iter()
                .map(|row| row.requests)
                .sum::<u64>()
        };
        let ten = requests(&model);
        model.ui.over = Over::Phase;
        let phase = requests(&model);
        model.ui.over = Over::Window;
        let window = requests(&model);
        assert!(ten < phase && phase < window, "{ten} {phase} {window}");
        let all = scene(&model)
            .history
            .totals(&crate::profile::model::Scope::All, &[]);
        assert_eq!(window, all.requests);
    }
}
