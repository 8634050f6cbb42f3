//! Gauges of the system under test, what the operator pinned, and the generator's own resources: a row each with its
//! course, value and trend.
//!
//! In the view of resources all of them are shown, and below a gauge of several series each of these as far as there is
//! room; elsewhere the gauges, or the generator where there are none, what is pinned, and in a line which alerts there are.

use std::fmt::Write as _;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::families::{self, Family, Gauge};
use super::gauge::Level;
use super::row::{self, Layout, Row, wanted};
use super::{Scene, alerts, own, targets};
use crate::console::model::View;
use crate::console::table::first_row;
use crate::console::widget::{Axis, Canvas};

/// Rows of the generator.
const GENERATOR_ROWS: usize = own::NAMES.len();
/// Fewer lines than this say nothing of many series.
const FEW: usize = 3;

/// What the panel shows: `resources · 1 target down · 5 min`.
pub fn title(scene: &Scene<'_>) -> String {
    let what = if has_gauges(scene) || scene.ui.view == View::Resources {
        "resources"
    } else {
        "generator"
    };
    let mut parts = vec![what.to_owned()];
    parts.extend(targets::alarm(scene.history));
    parts.push(scene.ui.span.name().to_owned());
    parts.join(&format!(" {} ", scene.theme.glyphs.dot))
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
    let mut lines = if gauges > 0 { gauges } else { GENERATOR_ROWS };
    if !scene.ui.pinned.is_empty() {
        lines += 1 + scene.ui.pinned.len();
    }
    if alerts::line(scene).is_some() {
        lines += 1;
    }
    lines as u16
}

/// Rows that can be selected in the view: gauges, then what is pinned.
pub fn rows(scene: &Scene<'_>) -> usize {
    let window = scene.history.window();
    window.map_or(0, |window| window.gauges.len()) + scene.ui.pinned.len()
}

/// The gauge that is selected in the view, and whether its series are shown at this size; `None` where there is nothing
/// to open.
pub fn selected(scene: &Scene<'_>, area: Rect) -> Option<(String, bool)> {
    let page = Page::of(scene, area);
    let place = scene.ui.row.min(rows(scene).checked_sub(1)?);
    let gauge = page.gauges.get(place)?;
    let opened = page.opened(scene, usize::from(area.height));
    let several = !gauge.series.is_empty();
    several.then(|| (gauge.row.name.clone(), opened[place] > 0))
}

/// Draws the panel without a border or a title.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let mut canvas = Canvas::new(buf, area, &scene.theme.glyphs);
    if canvas.width() == 0 || canvas.height() == 0 {
        return;
    }
    let page = Page::of(scene, area);
    match scene.ui.view {
        View::Resources => page.draw_view(scene, &mut canvas),
        View::Overview | View::Latency | View::Faults | View::Gates | View::Events => {
            page.draw_beside(scene, &mut canvas);
        }
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
enum Line {
    Row(Row),
    /// What the rows below it are.
    Heading(&'static str),
    /// Series that have no line.
    More(usize),
}

/// Everything that could be shown, at one width.
struct Page {
    layout: Layout,
    axis: Axis,
    gauges: Vec<Gauge>,
    pinned: Vec<Gauge>,
}

impl Page {
    fn of(scene: &Scene<'_>, area: Rect) -> Self {
        let gauges = families::gauges(scene);
        let pinned = families::pinned(scene);
        let view = scene.ui.view == View::Resources;
        let own = view || gauges.is_empty();
        let longest = longest(&gauges, view).max(longest(&pinned, view)).max(
            own::NAMES
                .iter()
                .filter(|_| own)
                .map(|name| name.len())
                .max()
                .unwrap_or(0),
        );
        let most = gauges.iter().map(|family| family.series.len()).max();
        let most = most.filter(|&most| most > 1);
        let layout = Layout::new(usize::from(area.width), longest, !gauges.is_empty(), most);
        let axis = Axis::new(scene.history, scene.ui.span, layout.cells.max(1));
        let mut both = gauges;
        let count = both.len();
        both.extend(pinned);
        let mut gauges = families::read(scene, &axis, &both);
        let pinned = gauges.split_off(count);
        Self {
            layout,
            axis,
            gauges,
            pinned,
        }
    }

    /// Beside other panels: a row a gauge, those in trouble first when there is no room for all.
    fn draw_beside(self, scene: &Scene<'_>, canvas: &mut Canvas<'_>) {
        let room = canvas.height();
        let mut rows: Vec<Row> = self.gauges.iter().map(gauge_row).collect();
        if rows.is_empty() {
            rows = own::rows(scene, &self.axis)
                .into_iter()
                .map(Row::new)
                .collect();
        }
        let mut lines: Vec<Line> = Vec::new();
        let pinned: Vec<Row> = self.pinned.iter().map(gauge_row).collect();
        if rows.len() + pinned.len() > room {
            rows.extend(pinned);
            rows.sort_by_key(|row| std::cmp::Reverse(row.reading.level));
            lines.extend(rows.into_iter().map(Line::Row));
        } else {
            let headed = !pinned.is_empty() && rows.len() + pinned.len() < room;
            lines.extend(rows.into_iter().map(Line::Row));
            lines.extend(headed.then_some(Line::Heading("pinned")));
            lines.extend(pinned.into_iter().map(Line::Row));
        }
        let y = self.draw_lines(scene, &lines, 0, (0, room), canvas);
        if let Some((text, style)) = alerts::line(scene) {
            let most = canvas.width().saturating_sub(2 * self.layout.margin);
            // At the bottom, where it stays.
            if y < room {
                canvas.put_cut(self.layout.margin, room - 1, most, &text, style);
            }
        }
    }

    /// The view: gauges with their series, what is pinned, the generator.
    fn draw_view(self, scene: &Scene<'_>, canvas: &mut Canvas<'_>) {
        let height = canvas.height();
        let room = self.room(height);
        let (lines, selected) = self.lines(scene, height);
        let mut y = self.draw_lines(scene, &lines, selected, (0, room), canvas);
        if y > 0 {
            if y + 3 >= height {
                return;
            }
            canvas.put(self.layout.margin, y + 1, "generator", scene.theme.dim);
            y += 2;
        }
        let own = own::rows(scene, &self.axis).into_iter();
        let own: Vec<Line> = own.map(|reading| Line::Row(Row::new(reading))).collect();
        self.draw_lines(scene, &own, 0, (y, height), canvas);
    }

    /// Lines that gauges and pinned series take when none is opened.
    fn closed(&self) -> usize {
        let headed = usize::from(!self.pinned.is_empty());
        self.gauges.len() + headed + self.pinned.len()
    }

    /// Lines of the view that are not the generator's, which has a fixed number of rows; when there is no room for all,
    /// the gauges get theirs first.
    fn room(&self, height: usize) -> usize {
        let own = GENERATOR_ROWS + 2;
        height.saturating_sub(own).max(self.closed()).min(height)
    }

    /// For each gauge the lines that its series take, the one included that counts what has none.
    fn opened(&self, scene: &Scene<'_>, height: usize) -> Vec<usize> {
        let counts: Vec<usize> = self.gauges.iter().map(|gauge| gauge.series.len()).collect();
        let asked = self.gauges.iter().map(|gauge| {
            let asked = scene.ui.opened.get(&gauge.row.name);
            asked.copied()
        });
        let spare = self.room(height).saturating_sub(self.closed());
        allot(&counts, &asked.collect::<Vec<_>>(), spare)
    }

    /// The lines of gauges and of what is pinned, and which of them is selected.
    fn lines(&self, scene: &Scene<'_>, height: usize) -> (Vec<Line>, usize) {
        let opened = self.opened(scene, height);
        let can_open = self.gauges.iter().any(|gauge| !gauge.series.is_empty());
        let last = (self.gauges.len() + self.pinned.len()).saturating_sub(1);
        let place = scene.ui.row.min(last);
        let (mut lines, mut selected) = (Vec::new(), 0);
        for (number, gauge) in self.gauges.iter().chain(&self.pinned).enumerate() {
            if number == self.gauges.len() {
                lines.push(Line::Heading("pinned"));
            }
            if number == place {
                selected = lines.len();
            }
            lines.push(Line::Row(Row {
                selected: number == place && can_open,
                ..gauge_row(gauge)
            }));
            let room = opened.get(number).copied().unwrap_or(0);
            let all = gauge.series.len();
            let shown = match room {
                room if room >= all => all,
                room => room.saturating_sub(1),
            };
            lines.extend(gauge.series.iter().take(shown).map(|one| {
                Line::Row(Row {
                    below: true,
                    ..Row::new(one.clone())
                })
            }));
            if room > 0 && shown < all {
                lines.push(Line::More(all - shown));
            }
        }
        (lines, selected)
    }

    /// Draws lines between two lines of the canvas, the selected one among them; where not all have room, the last says
    /// how many rows are not shown. Returns the line after them.
    fn draw_lines(
        &self,
        scene: &Scene<'_>,
        lines: &[Line],
        selected: usize,
        (from, to): (usize, usize),
        canvas: &mut Canvas<'_>,
    ) -> usize {
        let room = to.saturating_sub(from);
        let shown = match lines.len() {
            all if all > room => room.saturating_sub(1).max(room.min(1)),
            all => all,
        };
        let first = first_row(Some(selected), lines.len(), shown.max(1));
        let (mut hidden, mut y) = (Hidden::default(), from);
        for (number, line) in lines.iter().enumerate() {
            if number < first || number >= first + shown {
                hidden.add(line);
                continue;
            }
            let (dim, x) = (scene.theme.dim, self.layout.margin);
            match line {
                Line::Row(row) => row::draw(scene, &self.layout, &self.axis, row, y, canvas),
                Line::Heading(text) => {
                    canvas.put(x, y, text, dim);
                }
                Line::More(count) => {
                    canvas.put(x + 2, y, &format!("+ {count} more"), dim);
                }
            }
            y += 1;
        }
        if hidden.rows > 0 && shown < room {
            canvas.put(self.layout.margin, y, &hidden.words(), scene.theme.dim);
            y += 1;
        }
        y
    }
}

/// Rows that have no room.
#[derive(Debug, Clone, Copy, Default)]
struct Hidden {
    rows: usize,
    warn: usize,
    crit: usize,
}

impl Hidden {
    fn add(&mut self, line: &Line) {
        match line {
            Line::Heading(_) => {}
            Line::More(count) => self.rows += count,
            Line::Row(row) => {
                self.rows += 1;
                // Its series are counted where they are.
                match row.reading.level {
                    Level::Good => {}
                    Level::Warn => self.warn += usize::from(!row.below),
                    Level::Crit => self.crit += usize::from(!row.below),
                }
            }
        }
    }

    fn words(self) -> String {
        let mut words = format!("+ {} more", self.rows);
        for (count, word) in [(self.crit, "crit"), (self.warn, "warn")] {
            if count > 0 {
                let _ = write!(words, ", {count} {word}");
            }
        }
        words
    }
}

/// Columns that the longest name wants.
fn longest(families: &[Family], view: bool) -> usize {
    let names = families.iter().flat_map(|family| {
        let several = Some(family.series.len()).filter(|&count| count > 1);
        let own = wanted(&family.name, several, false);
        let below = family.short.iter().filter(move |_| view);
        below
            .map(|name| wanted(name, None, true))
            .chain(std::iter::once(own))
    });
    names.max().unwrap_or(0)
}

fn gauge_row(gauge: &Gauge) -> Row {
    Row {
        count: (!gauge.series.is_empty()).then_some(gauge.count),
        ..Row::new(gauge.row.clone())
    }
}

/// Shares lines out among gauges of so many series: first what the operator opened, a few lines each at least, then of
/// those that he did not close as much as there is room for, the small ones whole.
fn allot(series: &[usize], asked: &[Option<bool>], spare: usize) -> Vec<usize> {
    let (mut lines, mut spare) = (vec![0; series.len()], spare);
    for turn in [Some(true), None] {
        let mut asking: Vec<usize> = (0..series.len())
            .filter(|&place| series[place] > 0 && asked[place] == turn)
            .collect();
        asking.sort_by_key(|&place| series[place]);
        for (done, &place) in asking.iter().enumerate() {
            let wants = series[place];
            let few = FEW.min(wants);
            let given = wants.min(spare / (asking.len() - done));
            lines[place] = match turn {
                Some(_) => given.max(few),
                None if given >= few => given,
                None => 0,
            };
            spare = spare.saturating_sub(lines[place]);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_to_what_was_opened_first_and_to_small_gauges_whole() {
        let none = [None; 3];
        assert_eq!(allot(&[0, 2, 14], &none, 30), [0, 2, 14]);
        assert_eq!(allot(&[0, 2, 14], &none, 8), [0, 2, 6]);
        assert_eq!(allot(&[0, 2, 14], &none, 4), [0, 2, 0]);
        assert_eq!(allot(&[0, 2, 14], &none, 0), [0, 0, 0]);
        assert_eq!(allot(&[0, 2, 14], &[None, None, Some(true)], 4), [0, 0, 4]);
        assert_eq!(allot(&[0, 2, 14], &[None, None, Some(true)], 0), [0, 0, 3]);
        assert_eq!(allot(&[5, 2, 14], &[Some(false); 3], 40), [0, 0, 0]);
    }
}
