//! The expectations: which hold, what was measured, and how near that is to its bound.
//!
//! In the overview, the live state: each gate over its sliding span, or as the engine watches it. In the gates view a
//! table of all that is known, the verdict so far with its reasons, and who signed. After the end, the verdict's own
//! readings. A gate that does not look at the present phase is shown at rest.

use std::collections::BTreeMap;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::scenarios::has;
use super::{Scene, gates_view};
use crate::console::derived::Derived;
use crate::console::model::View;
use crate::console::table::{Cell, Column, Table};
use crate::console::text::{bar, clean, cut, gauge, note, width};
use crate::console::theme::Theme;
use crate::history::History;
use crate::profile::expect::{Amount, Cmp, Expectation};
use crate::profile::model::Severity;
use crate::session::record::{GatePlan, Happening};
use crate::verdict::{GateSpec, Judgement, Reading, State, format};

/// Share of its bound from which a value is near to it.
const NEAR: f64 = 0.8;

/// Its title: over which span the values are.
pub fn title(scene: &Scene<'_>) -> String {
    if scene.history.end().is_some() {
        return "gates · verdict".into();
    }
    let plans = scene
        .history
        .window()
        .map_or(&[][..], |window| &window.gates);
    let first = plans.first().map(|plan| plan.over_us);
    match first {
        Some(span) if plans.iter().all(|plan| plan.over_us == span) => {
            format!("gates · last {}", format::span(span as f64 / 1e6))
        }
        Some(_) | None => "gates · live".into(),
    }
}

/// Lines that the compact form wants.
pub fn height(scene: &Scene<'_>) -> u16 {
    rows(scene, None).len().max(1) as u16
}

/// Draws it.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    match scene.ui.view {
        View::Gates => gates_view::draw(scene, area, buf),
        View::Overview | View::Latency | View::Resources | View::Faults | View::Events => {
            let rows = rows(scene, None);
            if rows.is_empty() {
                nothing(scene, area, buf);
            } else {
                compact(scene, &rows, area, buf);
            }
        }
    }
}

pub(super) fn nothing(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let plans = scene
        .history
        .window()
        .map_or(0, |window| window.gates.len());
    let text = match plans {
        0 => "no gates were set".into(),
        _ => format!("none contains {}", clean(&scene.ui.filter)),
    };
    note(buf, area, &text, scene.theme);
}

/// One gate as it is shown.
pub(super) struct Row<'a> {
    pub(super) plan: &'a GatePlan,
    pub(super) severity: Severity,
    /// Now; `None` when it does not look at the present phase.
    pub(super) now: Option<Reading>,
    /// Over its phases so far.
    pub(super) whole: Option<Reading>,
    /// How much of its bound is used up, 1 at the bound.
    used: Option<f64>,
    pub(super) failing_since: Option<u64>,
}

pub(super) fn rows<'a>(scene: &Scene<'a>, judgement: Option<&Judgement>) -> Vec<Row<'a>> {
    let history = scene.history;
    let plans = history.window().map_or(&[][..], |window| &window.gates);
    let failing = failing(history);
    let derived = Derived::of(history);
    let ended = history.end().is_some().then(|| derived.judgement(history));
    let wanted = plans.iter().enumerate().filter(|(_, plan)| {
        let texts = [&plan.name, &plan.of, &plan.expect];
        texts.iter().any(|text| has(text, &scene.ui.filter))
    });
    wanted
        .map(|(index, plan)| {
            let spec = GateSpec::from_plan(plan).ok();
            let read =
                |judgement: &Judgement| judgement.gates.get(index).map(|gate| gate.reading.clone());
            let now = match ended {
                Some(judgement) => read(judgement),
                None => derived.gates(history).get(index).cloned().flatten(),
            };
            let value = now.as_ref().and_then(|now| now.value);
            let used = spec
                .as_ref()
                .zip(value)
                .and_then(|(spec, value)| used(&spec.expect, value));
            let fails = now.as_ref().is_some_and(|now| now.state == State::Fail);
            Row {
                plan,
                severity: spec.map_or(Severity::Blocker, |spec| spec.severity),
                whole: judgement.and_then(read),
                used,
                failing_since: failing
                    .get(&index)
                    .copied()
                    .filter(|_| fails && ended.is_none()),
                now,
            }
        })
        .collect()
}

/// Since when gates have been failing, by the events.
fn failing(history: &History) -> BTreeMap<usize, u64> {
    let mut failing = BTreeMap::new();
    for event in history.events() {
        match event.what {
            Happening::Gate {
                gate, holds: false, ..
            } => {
                failing.entry(gate).or_insert(event.at);
            }
            Happening::Gate {
                gate, holds: true, ..
            } => {
                failing.remove(&gate);
            }
            // A phase that a gate does not look at ends its failure without a word.
            Happening::Phase { phase } => {
                let gates = history.window().map_or(&[][..], |window| &window.gates);
                failing.retain(|&gate, _| {
                    let during = gates.get(gate).map_or(&[][..], |gate| &gate.during);
                    during.is_empty() || during.contains(&phase)
                });
            }
            _ => {}
        }
    }
    failing
}

/// How much of its bound a value uses up: below 1 it holds, above it does not. `None` where nearness means nothing.
fn used(expect: &Expectation, value: f64) -> Option<f64> {
    let (cmp, bound) = match *expect {
        Expectation::Latency { cmp, bound, .. } => (cmp, bound.as_secs_f64() * 1e3),
        Expectation::Errors { cmp, bound }
        | Expectation::Rate { cmp, bound }
        | Expectation::Requests { cmp, bound }
        | Expectation::Dropped {
            cmp,
            bound: Amount::Count(bound) | Amount::Share(bound),
        } => (cmp, bound),
    };
    match cmp {
        Cmp::Less | Cmp::LessOrEqual if bound > 0.0 => Some(value / bound),
        Cmp::Greater | Cmp::GreaterOrEqual if value > 0.0 => Some(bound / value),
        Cmp::Greater | Cmp::GreaterOrEqual => Some(f64::from(bound > 0.0)),
        Cmp::Less | Cmp::LessOrEqual | Cmp::Equal => None,
    }
}

/// Glyph, word and style of a state.
pub(super) fn state(
    theme: &Theme,
    severity: Severity,
    reading: Option<&Reading>,
) -> (&'static str, &'static str, Style) {
    let glyphs = &theme.glyphs;
    match reading.map(|reading| (reading.state, severity)) {
        None => (glyphs.dot, "at rest", theme.dim),
        Some((State::Pass, _)) => (glyphs.yes, "holds", theme.good),
        Some((State::Fail, Severity::Blocker)) => (glyphs.no, "fails", theme.bad),
        Some((State::Fail, Severity::Advisory)) => (glyphs.no, "fails", theme.warn),
        Some((State::Inconclusive, _)) => (glyphs.unknown, "unknown", theme.dim),
    }
}

impl Row<'_> {
    /// What is expected, of what, in at most `most` columns where that can be had without cutting a number.
    pub(super) fn label(&self, most: usize) -> String {
        let (of, expect) = (clean(self.plan.of.trim()), clean(&self.plan.expect));
        if of.is_empty() {
            return expect.into_owned();
        }
        let left = most.saturating_sub(width(&expect) + 1);
        match cut(&of, left) {
            short if width(&short) < 3 && short != of => expect.into_owned(),
            short => format!("{short} {expect}"),
        }
    }

    pub(super) fn severity(&self) -> &'static str {
        match self.severity {
            Severity::Blocker => "blocker",
            Severity::Advisory => "advisory",
        }
    }

    pub(super) fn bar<'a>(&self, theme: &Theme, cells: usize) -> Cell<'a> {
        let Some((used, now)) = self.used.zip(self.now.as_ref()) else {
            return Cell::default();
        };
        let style = match now.state {
            State::Fail => state(theme, self.severity, Some(now)).2,
            State::Pass | State::Inconclusive if used >= NEAR => theme.warn,
            State::Pass => theme.good,
            State::Inconclusive => theme.dim,
        };
        match cells {
            1 => Cell(gauge(used, style, &theme.glyphs)),
            _ => Cell(bar(used, cells, style, theme.border)),
        }
    }

    pub(super) fn value<'a>(&self, theme: &Theme) -> Cell<'a> {
        match &self.now {
            None => Cell::new("not now", theme.dim),
            Some(now) => match now.state {
                State::Pass => Cell::new(now.shown.clone(), theme.text),
                State::Fail => {
                    Cell::new(now.shown.clone(), state(theme, self.severity, Some(now)).2)
                }
                State::Inconclusive => Cell::new(now.shown.clone(), theme.dim),
            },
        }
    }
}

fn compact(scene: &Scene<'_>, rows: &[Row<'_>], area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let height = usize::from(area.height);
    let mut order: Vec<&Row<'_>> = rows.iter().collect();
    if order.len() > height {
        order.sort_by_key(|row| urgency(row));
    }
    let widest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
    let labels = widest(&mut order.iter().map(|row| width(&row.label(usize::MAX))));
    let values = widest(&mut order.iter().map(|row| row.value(theme).width()));
    let room = usize::from(area.width).saturating_sub(values + 4);
    // A gauge of one cell is worth more than the whole name of what the gate is of.
    let fits = |cells: &usize| room >= labels + cells + 2;
    let bars = [10, 5].into_iter().find(fits);
    let bars = bars.unwrap_or(usize::from(area.width >= 34));
    let room = room.saturating_sub(bars + 2);
    let labels = widest(&mut order.iter().map(|row| width(&row.label(room))));
    let mut table = Table::new(&[
        Column::word("", 0),
        Column::words("", 0, labels).close().fills(),
        Column::number("", 1),
        Column::word("", 3),
    ]);
    for row in order {
        let (glyph, _, style) = state(theme, row.severity, row.now.as_ref());
        let rests = row.now.is_none();
        let words = if rests { theme.dim } else { theme.text };
        let bar = if bars > 0 {
            row.bar(theme, bars)
        } else {
            Cell::default()
        };
        table.row(vec![
            Cell::new(glyph, style),
            Cell::new(row.label(room), words),
            row.value(theme),
            bar,
        ]);
    }
    table.draw(area, buf, theme);
}

/// What fails comes before what is unknown, what is near to its bound before what is not.
fn urgency(row: &Row<'_>) -> u8 {
    let near = row.used.is_some_and(|used| used >= NEAR);
    match (row.now.as_ref().map(|now| now.state), row.severity) {
        (Some(State::Fail), Severity::Blocker) => 0,
        (Some(State::Fail), Severity::Advisory) => 1,
        (Some(State::Pass), _) if near => 2,
        (Some(State::Inconclusive), _) => 3,
        (Some(State::Pass), _) => 4,
        (None, _) => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::panel::fixture::{at_every_size, buffer, lines, model, pictures};

    #[test]
    fn the_overview_shows_each_gate_and_how_near_it_is() {
        let pictures = pictures(&mut model(700), draw, [(24, 3), (37, 4), (60, 5)]);
        insta::assert_snapshot!(pictures);
    }

    #[test]
    fn the_view_shows_everything_and_the_verdict() {
        let mut model = model(850);
        model.ui.view = View::Gates;
        let pictures = pictures(&mut model, draw, [(78, 12), (118, 14), (198, 14)]);
        insta::assert_snapshot!(pictures);
    }

    #[test]
    fn it_fits_everywhere() {
        let mut model = model(700);
        at_every_size(&mut model, draw);
        model.ui.view = View::Gates;
        at_every_size(&mut model, draw);
    }

    #[test]
    fn a_gate_that_fails_says_since_when() {
        let mut model = model(700);
        model.ui.view = View::Gates;
        let text = lines(&buffer(&model, draw, 160, 14)).join("\n");
        assert!(text.contains("01:25"), "{text}");
        assert!(text.contains("NO-GO"), "{text}");
    }

    #[test]
    fn gates_that_do_not_fit_go_before_those_that_fail() {
        let text = lines(&buffer(&model(700), draw, 40, 1)).concat();
        assert!(text.contains('✗'), "{text}");
    }

    #[test]
    fn nearness_is_one_at_the_bound_whichever_way_the_gate_looks() {
        let near = |expect: &str, value| used(&expect.parse().unwrap(), value);
        assert_eq!(near("p99 < 100ms", 50.0), Some(0.5));
        assert_eq!(near("errors < 2%", 0.04), Some(2.0));
        assert_eq!(near("rate > 50/s", 100.0), Some(0.5));
        assert_eq!(near("rate > 50/s", 0.0), Some(1.0));
        assert_eq!(near("dropped = 0", 3.0), None);
    }
}
