//! The keys and what they do, from the bindings in force.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::Scene;
use super::footer::means;
use super::overlay::{frame, middle};
use crate::console::keymap::ACTIONS;
use crate::console::text::{cut, put, width, wrap};

/// Columns that one column of the help wants.
const COLUMN: usize = 52;

/// Columns between two columns.
const GAP: usize = 3;
/// The widest column that is of use.
const WIDEST: usize = 78;

/// A line of the help: the keys of an action on its first line only, and whether it means something now.
struct Line {
    keys: String,
    text: String,
    means: bool,
}

/// The help at one size.
struct Page {
    place: Rect,
    lines: Vec<Line>,
    columns: usize,
    /// Of each column, the gap behind it included.
    wide: usize,
    /// Of the keys.
    keys: usize,
}

impl Page {
    fn of(scene: &Scene<'_>, area: Rect) -> Self {
        let room = usize::from(area.width).saturating_sub(4) + GAP;
        let columns = (room / (COLUMN + GAP)).clamp(1, 3);
        let wide = (room / columns).min(WIDEST + GAP);
        let written = ACTIONS
            .iter()
            .map(|action| scene.keymap.keys(action.name).join(" "));
        let written: Vec<String> = written.collect();
        let keys = written
            .iter()
            .map(|keys| width(keys))
            .max()
            .unwrap_or(0)
            .min(wide / 3);
        let most = wide.saturating_sub(keys + 2 + GAP);
        let mut lines = Vec::new();
        for (action, keys) in ACTIONS
            .iter()
            .zip(written)
            .filter(|(_, keys)| !keys.is_empty())
        {
            let mut keys = Some(keys);
            for text in wrap(action.help, most) {
                lines.push(Line {
                    keys: keys.take().unwrap_or_default(),
                    text,
                    means: means(scene, action.when),
                });
            }
        }
        let high = lines.len().div_ceil(columns);
        Self {
            place: middle(area, columns * wide - GAP.min(wide) + 4, high + 2),
            lines,
            columns,
            wide,
            keys,
        }
    }

    fn high(&self) -> usize {
        self.lines.len().div_ceil(self.columns)
    }

    fn most_scroll(&self) -> usize {
        let shown = usize::from(self.place.height).saturating_sub(2);
        self.high().saturating_sub(shown)
    }
}

/// Lines that can be scrolled away at this size, for the bounds of [`crate::console::model::Ui::scroll`].
pub fn most_scroll(scene: &Scene<'_>, area: Rect) -> usize {
    Page::of(scene, area).most_scroll()
}

/// Draws it over the whole area.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let page = Page::of(scene, area);
    let scroll = scene.ui.scroll.min(page.most_scroll());
    let title = match page.most_scroll() {
        0 => "keys".to_owned(),
        most => format!("keys · {} of {}", scroll + 1, most + 1),
    };
    let inside = frame(scene, page.place, &title, buf);
    for y in 0..usize::from(inside.height).min(page.high() - scroll) {
        for column in 0..page.columns {
            let Some(line) = page.lines.get(column * page.high() + scroll + y) else {
                continue;
            };
            let (key, text) = if line.means {
                (theme.accent, theme.text)
            } else {
                (theme.dim, theme.dim)
            };
            let keys = cut(&line.keys, page.keys).into_owned();
            let before = " ".repeat(page.keys - width(&keys) + 2);
            let words = [
                Span::styled(keys, key),
                Span::raw(before),
                Span::styled(line.text.as_str(), text),
            ];
            put(buf, inside, column * page.wide, y, &words, &theme.glyphs);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::panel::fixture::{at_every_size, buffer, lines, model, pictures, scene};

    #[test]
    fn it_shows_every_key() {
        let pictures = pictures(&mut model(700), draw, [(60, 12), (120, 36), (210, 30)]);
        insta::assert_snapshot!(pictures);
    }

    #[test]
    fn it_fits_everywhere() {
        at_every_size(&mut model(0), draw);
    }

    #[test]
    fn everything_can_be_scrolled_into_sight() {
        let mut model = model(0);
        let area = Rect::new(0, 0, 80, 20);
        let most = most_scroll(&scene(&model), area);
        assert!(most >= ACTIONS.len() - 18, "{most}");
        model.ui.scroll = usize::MAX;
        let text = lines(&buffer(&model, draw, 80, 20)).join("\n");
        assert!(text.contains("leave; asks what"), "{text}");
    }
}
