//! The gates view: a table of all that is known of each gate, the verdict so far with its reasons, and who signed.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::Scene;
use super::gates::{Row, nothing, rows, state};
use super::header::sentence;
use crate::console::derived::Derived;
use crate::console::moment::moment;
use crate::console::table::{Cell, Column, Table};
use crate::console::text::{Part, clean, cut, fit, put, wrap};
use crate::profile::model::Severity;
use crate::session::record::{Decision, Happening};
use crate::verdict::{Judgement, Verdict, format};

/// Lines at the bottom that are about the verdict, as long as there are that many.
const VERDICT: usize = 6;
/// Signatures shown; the last one counts.
const SIGNED: usize = 3;

/// Draws it: the table, the verdict, the signatures.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let derived = Derived::of(scene.history);
    let judgement = derived.judgement(scene.history);
    let rows = rows(scene, Some(judgement));
    let most = usize::from(area.width);
    let mut lines = vec![Vec::new()];
    lines.extend(verdict_lines(scene, judgement, most));
    lines.push(Vec::new());
    lines.extend(signatures(scene, most));
    let height = usize::from(area.height);
    let below = lines.len().min(VERDICT).min(height / 2);
    let table = Rect {
        height: (height - below) as u16,
        ..area
    };
    let top = if rows.is_empty() {
        nothing(scene, area, buf);
        1
    } else {
        details(scene, &rows, table, buf)
    };
    for (place, mut line) in lines.into_iter().enumerate() {
        fit(&mut line, most, 2);
        let mut x = 0;
        for part in &line {
            put(buf, area, x, top + place, &part.words, &scene.theme.glyphs);
            x += part.width() + 2;
        }
    }
}

fn details(scene: &Scene<'_>, rows: &[Row<'_>], area: Rect, buf: &mut Buffer) -> usize {
    let theme = scene.theme;
    let now = if scene.history.end().is_some() {
        "verdict"
    } else {
        "now"
    };
    let mut table = Table::new(&[
        Column::word("", 0),
        Column::words("gate", 5, 15).close(),
        Column::word("expects", 1),
        Column::number(now, 0),
        Column::word("of bound", 4),
        Column::number("so far", 2),
        Column::word("", 2).close(),
        Column::word("severity", 3),
        Column::number("failing", 3),
        Column::number("samples", 7),
        Column::words("in", 6, 10),
        Column::words("", 8, 24),
    ]);
    // Only to scroll by: at the top no row is marked.
    table.selected = Some(scene.ui.row.min(rows.len().saturating_sub(1))).filter(|&row| row > 0);
    let phases = &scene.history.names().phases;
    let at = scene.history.last().map_or(0, |last| last.at);
    for row in rows {
        let (glyph, _, style) = state(theme, row.severity, row.now.as_ref());
        let whole = row.whole.as_ref();
        let (whole_glyph, _, whole_style) = state(theme, row.severity, whole);
        let during = row
            .plan
            .during
            .iter()
            .filter_map(|&phase| phases.get(phase));
        let during: Vec<&str> = during.map(String::as_str).collect();
        let during = if during.is_empty() {
            "all phases".into()
        } else {
            during.join(", ")
        };
        let failing = row
            .failing_since
            .map(|since| format::clock(at.saturating_sub(since)));
        let reading = row.now.as_ref().or(whole);
        let reason = reading.map_or("", |reading| reading.reason.as_str());
        let reason = if reason.is_empty() {
            whole.map_or("", |whole| whole.reason.as_str())
        } else {
            reason
        };
        let samples = reading.map(|reading| format::count_short(reading.samples as f64));
        let severity = match row.severity {
            Severity::Blocker => theme.text,
            Severity::Advisory => theme.dim,
        };
        table.row(vec![
            Cell::new(glyph, style),
            Cell::new(clean(&row.plan.name), theme.text),
            Cell::new(row.label(usize::MAX), theme.text),
            row.value(theme),
            row.bar(theme, 10),
            Cell::new(
                whole.map_or_else(String::new, |whole| whole.shown.clone()),
                whole_style,
            ),
            Cell::new(if whole.is_some() { whole_glyph } else { "" }, whole_style),
            Cell::new(row.severity(), severity),
            Cell::new(failing.unwrap_or_default(), theme.bad),
            Cell::new(samples.unwrap_or_default(), theme.dim),
            Cell::new(clean(&during).into_owned(), theme.dim),
            Cell::new(clean(reason).into_owned(), theme.dim),
        ]);
    }
    table.draw(area, buf, theme)
}

fn verdict_lines<'a>(scene: &Scene<'_>, judgement: &Judgement, most: usize) -> Vec<Vec<Part<'a>>> {
    let theme = scene.theme;
    let (text, verdict) = sentence(judgement, scene.history.end().is_some());
    let style = match verdict {
        Verdict::Go => theme.good,
        Verdict::Conditional | Verdict::Inconclusive => theme.warn,
        Verdict::NoGo => theme.bad,
    };
    let mut lines = vec![vec![
        Part::one(1, "verdict", theme.dim),
        Part::one(0, text, style.patch(theme.title)),
    ]];
    if most < 12 {
        return lines;
    }
    for finding in &judgement.findings {
        let broken = wrap(&clean(finding), most - 4);
        for (place, line) in broken.into_iter().enumerate() {
            let lead = if place == 0 { theme.glyphs.dot } else { " " };
            let words = vec![
                Span::styled(format!("  {lead} "), theme.dim),
                Span::styled(line, theme.text),
            ];
            lines.push(vec![Part::new(0, words)]);
        }
    }
    lines
}

fn signatures<'a>(scene: &Scene<'_>, most: usize) -> Vec<Vec<Part<'a>>> {
    let theme = scene.theme;
    let label = || Part::one(1, "signed ", theme.dim);
    let events = scene.history.events().iter().rev();
    let signed = events.filter_map(|event| match &event.what {
        Happening::SignOff { decision, text } => Some((event, *decision, text)),
        _ => None,
    });
    let mut lines: Vec<Vec<Part<'a>>> = signed
        .take(SIGNED)
        .map(|(event, decision, text)| {
            let (glyph, style) = match decision {
                Decision::Go => (theme.glyphs.yes, theme.good),
                Decision::NoGo => (theme.glyphs.no, theme.bad),
            };
            let word = format!("{glyph} {}", decision.name().to_uppercase());
            let by = clean(event.by.as_deref().unwrap_or("someone")).into_owned();
            let mut parts = vec![
                label(),
                Part::one(0, word, style),
                Part::one(2, cut(&by, 32).into_owned(), theme.text),
                Part::one(3, moment(scene.history, event.at), theme.dim),
            ];
            let taken: usize = parts.iter().map(|part| part.width() + 2).sum();
            let text = clean(text);
            let text = cut(&text, most.saturating_sub(taken)).into_owned();
            parts.push(Part::one(4, text, theme.text));
            parts
        })
        .collect();
    lines.reverse();
    if lines.is_empty() {
        lines.push(vec![label(), Part::one(0, "by nobody yet", theme.dim)]);
    }
    lines
}
