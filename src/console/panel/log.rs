//! The newest lines of the engine's log, newest last.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::Scene;
use super::scenarios::has;
use crate::console::text::{clean, cut, note, put};

/// Its title.
pub const TITLE: &str = "log";

/// Draws it; [`crate::console::model::Ui::scroll`] lines back from the newest.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let (most, height) = (usize::from(area.width), usize::from(area.height));
    let lines = scene.deck.log.iter().rev();
    let lines: Vec<&String> = lines.filter(|line| has(line, &scene.ui.filter)).collect();
    if lines.is_empty() {
        return note(buf, area, "the engine has logged nothing", theme);
    }
    let skip = scene.ui.scroll.min(lines.len().saturating_sub(height));
    let shown: Vec<&&String> = lines.iter().skip(skip).take(height).collect();
    for (y, line) in shown.into_iter().rev().enumerate() {
        let style = match () {
            () if line.contains("ERROR") => theme.bad,
            () if line.contains("WARN") => theme.warn,
            () => theme.dim,
        };
        let text = cut(&clean(line), most).into_owned();
        put(buf, area, 0, y, &[Span::styled(text, style)], &theme.glyphs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::panel::fixture::{at_every_size, buffer, lines, model, pictures};

    fn logged() -> crate::console::Model {
        let mut model = model(10);
        model.decks[0].log = [
            "2026-11-03T14:00:00Z  INFO the window begins",
            "2026-11-03T14:00:02Z  WARN a worker came late \u{1b}[31m",
            "2026-11-03T14:00:05Z ERROR the disk is full",
        ]
        .map(String::from)
        .into();
        model
    }

    #[test]
    fn the_newest_line_is_the_last() {
        let pictures = pictures(&mut logged(), draw, [(30, 2), (60, 3), (100, 3)]);
        insta::assert_snapshot!(pictures);
    }

    #[test]
    fn it_scrolls_back_from_the_newest() {
        let mut model = logged();
        model.ui.scroll = 1;
        let text = lines(&buffer(&model, draw, 60, 1)).concat();
        assert!(text.contains("came late"), "{text}");
    }

    #[test]
    fn it_fits_everywhere() {
        at_every_size(&mut logged(), draw);
        at_every_size(&mut model(0), draw);
    }
}
