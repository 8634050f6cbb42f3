//! The search for a series: what is typed, and the series that it could mean.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

use super::Scene;
use super::gauge::Unit;
use super::overlay::{bottom, frame, typed};
use crate::console::model::Overlay;
use crate::console::table::first_row;
use crate::console::text::{clean, cut, put, tint, width};
use crate::verdict::labels::split;

/// Series shown at once.
const SHOWN: usize = 12;
/// What is said of one that is pinned already.
const PINNED: &str = "pinned";
/// And of one that only the engine knows.
const UNRECORDED: &str = "not recorded";

/// Draws it at the bottom of the area.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let Overlay::Pick {
        input,
        found,
        chosen,
    } = &scene.ui.overlay
    else {
        return;
    };
    let theme = scene.theme;
    let lines = found.len().clamp(1, SHOWN);
    let place = bottom(area, lines + 3);
    let inside = frame(scene, place, "pin a series", buf);
    if inside.height == 0 {
        return;
    }
    let lines = usize::from(inside.height) - 1;
    let first = first_row(Some(*chosen), found.len(), lines.max(1));
    let shown = found.iter().enumerate().skip(first).take(lines);
    for (y, (number, name)) in shown.enumerate() {
        let said = said(scene, name);
        let room = usize::from(inside.width);
        let aside = if width(&said) + 20 <= room {
            width(&said) + 2
        } else {
            0
        };
        let text = cut(&clean(name), room - aside).into_owned();
        put(
            buf,
            inside,
            0,
            y,
            &[Span::styled(text, theme.text)],
            &theme.glyphs,
        );
        if aside > 0 {
            let x = room - width(&said);
            put(
                buf,
                inside,
                x,
                y,
                &[Span::styled(said, theme.dim)],
                &theme.glyphs,
            );
        }
        if number == *chosen {
            let style = Style::reset().patch(theme.text).patch(theme.selected);
            tint(buf, inside, y, style);
        }
    }
    if found.is_empty() && lines > 0 {
        let words = cut("no series has a name like that", usize::from(inside.width));
        put(
            buf,
            inside,
            0,
            0,
            &[Span::styled(words, theme.dim)],
            &theme.glyphs,
        );
    }
    let typing = Rect {
        y: inside.y + inside.height - 1,
        height: 1,
        ..inside
    };
    typed(scene, typing, "> ", input, buf);
}

/// Beside a name: what it reads now, and whether it is pinned.
fn said(scene: &Scene<'_>, name: &str) -> String {
    let names = &scene.history.names().series;
    let index = names.iter().position(|known| known == name);
    let value = index.and_then(|index| scene.history.series(index));
    let value = value.filter(|value| value.is_finite());
    let text = value.map(|value| Unit::of_metric(&split(name).0).text(value));
    let pinned = scene.ui.pinned.iter().any(|pinned| pinned == name);
    let unknown = index.is_none().then(|| UNRECORDED.to_owned());
    let words = [pinned.then(|| PINNED.to_owned()), unknown, text];
    words.into_iter().flatten().collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
mod tests {
    use tui_input::Input;

    use super::*;
    use crate::console::panel::fixture::{at_every_size, model, pictures};

    fn looking(text: &str, chosen: usize) -> crate::console::Model {
        let mut model = model(680);
        let names = model.decks[0].live.names().series.clone();
        let found: Vec<String> = names
            .into_iter()
            .filter(|name| name.contains(text))
            .collect();
        model.ui.pinned = found.iter().take(1).cloned().collect();
        model.ui.overlay = Overlay::Pick {
            input: Input::new(text.into()),
            found,
            chosen,
        };
        model
    }

    #[test]
    fn it_shows_what_could_be_meant_and_what_it_reads() {
        let mut model = looking("process_", 1);
        let pictures = pictures(&mut model, draw, [(30, 5), (80, 8), (120, 8)]);
        insta::assert_snapshot!(pictures);
    }

    #[test]
    fn it_fits_everywhere() {
        at_every_size(&mut looking("scrape_", 7), draw);
        at_every_size(&mut looking("nothing of the kind", 0), draw);
        at_every_size(&mut model(0), draw);
    }
}
