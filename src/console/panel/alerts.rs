//! Alerts that stand: those that fire, those that are about to, and those that somebody silenced.
//!
//! In: the alerts of a history. Out: a list, and a line for where there is no room for one. How long an alert has been in
//! its state is by the clock of its source, when it was seen by ours.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::Scene;
use crate::console::moment::moment;
use crate::console::table::{Cell, Column, Table};
use crate::console::text::{clean, note};
use crate::console::theme::Theme;
use crate::history::{History, StandingAlert};
use crate::session::record::AlertState;
use crate::verdict::format::clock;
use crate::verdict::labels::in_words;

/// The glyph of a state, and how much it matters.
pub fn look(theme: &Theme, state: AlertState) -> (&'static str, Style) {
    let glyphs = &theme.glyphs;
    match state {
        AlertState::Firing => (glyphs.alert, theme.bad),
        AlertState::Pending => (glyphs.off, theme.warn),
        AlertState::Silenced => (glyphs.dot, theme.dim),
        AlertState::Resolved => (glyphs.yes, theme.good),
    }
}

/// The place of a state in the list.
fn rank(state: AlertState) -> u8 {
    match state {
        AlertState::Firing => 0,
        AlertState::Pending => 1,
        AlertState::Silenced => 2,
        AlertState::Resolved => 3,
    }
}

/// Those that fire first; of one state the oldest first.
fn all(history: &History) -> Vec<&StandingAlert> {
    let mut alerts = history.alerts();
    alerts.sort_by_key(|standing| rank(standing.alert.state));
    alerts
}

fn names(history: &History, state: AlertState) -> Vec<String> {
    let alerts = history.alerts().into_iter();
    let alerts = alerts.filter(|standing| standing.alert.state == state);
    alerts
        .map(|standing| clean(&standing.alert.name).into_owned())
        .collect()
}

/// What matters most, in a line: `⚠ 2 alerts firing: DatabaseSlow, QueueLong`. `None` when nothing fires or is about to.
pub fn line(scene: &Scene<'_>) -> Option<(String, Style)> {
    for state in [AlertState::Firing, AlertState::Pending] {
        let mut names = names(scene.history, state);
        let alerts = match names.len() {
            0 => continue,
            1 => "1 alert".to_owned(),
            count => format!("{count} alerts"),
        };
        // Several of one name are one condition at several places.
        let mut seen = std::collections::HashSet::new();
        names.retain(|name| seen.insert(name.clone()));
        let (glyph, style) = look(scene.theme, state);
        let (word, names) = (state.name(), names.join(", "));
        return Some((format!("{glyph} {alerts} {word}: {names}"), style));
    }
    None
}

/// Its title: `alerts · 2 firing`.
pub fn title(scene: &Scene<'_>) -> String {
    let firing = names(scene.history, AlertState::Firing).len();
    match firing {
        0 => "alerts".to_owned(),
        firing => format!("alerts {} {firing} firing", scene.theme.glyphs.dot),
    }
}

/// Lines that it wants; 0 when nothing of the window tells of alerts.
pub fn height(scene: &Scene<'_>) -> u16 {
    let alerts = scene.history.alerts().len();
    let window = scene.history.window();
    let tells = window.is_some_and(|window| {
        let mut targets = window.targets.iter();
        targets.any(|target| target.kind != "scrape")
    });
    match (alerts, tells) {
        (0, false) => 0,
        (0, true) => 1,
        (alerts, _) => alerts as u16 + 1,
    }
}

/// Draws it.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let alerts = all(scene.history);
    if alerts.is_empty() {
        return note(buf, area, "no alert stands", theme);
    }
    let wall = scene.history.last().map_or(0, |last| last.wall);
    let mut table = Table::new(&[
        Column::word("", 0),
        Column::word("state", 1).close(),
        Column::words("alert", 0, 10),
        Column::words("labels", 5, 8),
        Column::number("for", 2),
        Column::number("seen", 3),
        Column::words("from", 6, 6),
    ]);
    for standing in &alerts {
        let alert = &standing.alert;
        let (glyph, style) = look(theme, alert.state);
        let lasted = alert.since.map(|since| clock(wall.saturating_sub(since)));
        let name = match alert.state {
            AlertState::Silenced | AlertState::Resolved => theme.dim,
            AlertState::Firing | AlertState::Pending => theme.text,
        };
        table.row(vec![
            Cell::new(glyph, style),
            Cell::new(alert.state.name(), style),
            Cell::new(clean(&alert.name), name),
            Cell::new(clean(&in_words(&alert.labels)).into_owned(), theme.dim),
            Cell::new(lasted.unwrap_or_default(), theme.text),
            Cell::new(moment(scene.history, standing.at), theme.dim),
            Cell::new(clean(&alert.from), theme.dim),
        ]);
    }
    table.draw(area, buf, theme);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::panel::fixture::{at_every_size, model, pictures, scene};

    #[test]
    fn it_lists_what_stands() {
        let pictures = pictures(&mut model(680), draw, [(36, 5), (60, 5), (110, 6)]);
        insta::assert_snapshot!(pictures);
    }

    #[test]
    fn it_fits_everywhere() {
        at_every_size(&mut model(680), draw);
        at_every_size(&mut model(0), draw);
    }

    #[test]
    fn a_line_names_what_fires_else_what_is_about_to() {
        let told = |seconds| line(&scene(&model(seconds))).map(|(text, _)| text);
        assert_eq!(told(20), None);
        assert_eq!(told(623).unwrap(), "○ 1 alert pending: DatabaseSlow");
        assert_eq!(
            told(680).unwrap(),
            "⚠ 2 alerts firing: DatabaseSlow, WorkersDown"
        );
    }
}
