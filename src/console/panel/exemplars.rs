//! The slowest requests: where their time went, and the trace that tells more.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

use super::Scene;
use super::scenarios::has;
use super::steps::name;
use crate::console::moment::moment;
use crate::console::table::{Cell, Column, Table};
use crate::console::text::{clean, note};
use crate::session::record::Exemplar;
use crate::verdict::format;

/// Its title.
pub const TITLE: &str = "slowest requests";
/// Cells of the bar.
const BAR: usize = 16;

/// Draws it.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let slowest = scene.history.slowest().iter();
    let slowest: Vec<&Exemplar> = slowest
        .filter(|slow| has(&name(scene.history, slow.step), &scene.ui.filter))
        .collect();
    if slowest.is_empty() {
        return note(buf, area, "no request has been seen", theme);
    }
    let mut table = Table::new(&[
        Column::number("at", 6),
        Column::words("step", 1, 8),
        Column::number("response", 0),
        Column::word("", 4),
        Column::number("wait", 3),
        Column::number("connect", 5),
        Column::number("TLS", 5),
        Column::number("first byte", 3),
        Column::number("body", 5),
        Column::word("status", 2),
        Column::word("trace", 7),
    ]);
    for slow in slowest {
        let time = |micros: u64| match micros {
            0 => Cell::new("0", theme.dim),
            micros => Cell::new(format::duration_short(micros as f64), theme.text),
        };
        let status = match (slow.error, slow.status) {
            (Some(_), Some(status)) => Cell::new(status.to_string(), theme.bad),
            (Some(error), None) => Cell::new(error.name(), theme.bad),
            (None, Some(status)) => Cell::new(status.to_string(), theme.text),
            (None, None) => Cell::default(),
        };
        let trace = clean(slow.trace.as_deref().unwrap_or_default()).into_owned();
        let [wait, connect, tls, first, body] = slow.split;
        table.row(vec![
            Cell::new(moment(scene.history, slow.at), theme.dim),
            Cell::new(name(scene.history, slow.step), theme.text),
            Cell::new(format::duration_short(slow.response as f64), theme.title),
            Cell(split_bar(scene, slow.split)),
            time(wait),
            time(connect),
            time(tls),
            time(first),
            time(body),
            status,
            Cell::new(trace, theme.dim),
        ]);
    }
    table.draw(area, buf, theme);
}

/// The five parts of a response time in proportion, each with a glyph and a style of its own.
fn split_bar<'a>(scene: &Scene<'_>, split: [u64; 5]) -> Vec<Span<'a>> {
    let theme = scene.theme;
    let all: u64 = split.iter().fold(0, |sum, &part| sum.saturating_add(part));
    if all == 0 {
        return Vec::new();
    }
    let [_, light, middle, heavy, full] = theme.glyphs.heat;
    let styles: [(&str, Style); 5] = [
        (light, theme.warn),
        (middle, theme.series[3]),
        (heavy, theme.series[4]),
        (full, theme.accent),
        (theme.glyphs.bars[2], theme.dim),
    ];
    let (mut sum, mut drawn) = (0u64, 0);
    let parts = split.iter().zip(styles);
    parts
        .map(|(&part, (glyph, style))| {
            sum = sum.saturating_add(part);
            let end = (sum as f64 / all as f64 * BAR as f64).round() as usize;
            let cells = end.min(BAR).saturating_sub(drawn);
            drawn += cells;
            Span::styled(glyph.repeat(cells), style)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::panel::fixture::{at_every_size, model, pictures};

    #[test]
    fn it_shows_where_the_time_went() {
        let pictures = pictures(&mut model(700), draw, [(38, 4), (80, 4), (150, 5)]);
        insta::assert_snapshot!(pictures);
    }

    #[test]
    fn it_fits_everywhere() {
        at_every_size(&mut model(700), draw);
        at_every_size(&mut model(0), draw);
    }
}
