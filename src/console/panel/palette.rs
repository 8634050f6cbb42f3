//! The command palette: what is typed, and what it could become.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

use super::Scene;
use super::overlay::{bottom, frame, typed};
use crate::console::keymap::ACTIONS;
use crate::console::model::Overlay;
use crate::console::table::first_row;
use crate::console::text::{clean, cut, put, tint, width};

/// Completions shown at once.
const SHOWN: usize = 8;

/// Draws it at the bottom of the area.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let Overlay::Palette {
        input,
        completions,
        chosen,
    } = &scene.ui.overlay
    else {
        return;
    };
    let theme = scene.theme;
    let shown = completions.len().min(SHOWN);
    let place = bottom(area, shown + 3);
    let inside = frame(scene, place, "command", buf);
    if inside.height == 0 {
        return;
    }
    let lines = usize::from(inside.height) - 1;
    let first = first_row(Some(*chosen), completions.len(), lines.max(1));
    let words = completions
        .iter()
        .map(|text| width(&clean(text)))
        .max()
        .unwrap_or(0);
    for (y, (number, completion)) in completions
        .iter()
        .enumerate()
        .skip(first)
        .take(lines)
        .enumerate()
    {
        let room = usize::from(inside.width);
        let text = clean(completion);
        let action = ACTIONS.iter().find(|action| action.name == text.trim());
        let help = action.map_or("", |action| action.help);
        let pad = " ".repeat(words.saturating_sub(width(&text)) + 2);
        let left = room.saturating_sub(words + 2);
        let line = [
            Span::styled(cut(&text, room).into_owned(), theme.text),
            Span::raw(pad),
            Span::styled(cut(help, left).into_owned(), theme.dim),
        ];
        put(buf, inside, 0, y, &line, &theme.glyphs);
        if number == *chosen {
            let style = Style::reset().patch(theme.text).patch(theme.selected);
            tint(buf, inside, y, style);
        }
    }
    let typing = Rect {
        y: inside.y + inside.height - 1,
        height: 1,
        ..inside
    };
    typed(scene, typing, ":", input, buf);
}

#[cfg(test)]
mod tests {
    use tui_input::Input;

    use super::*;
    use crate::console::panel::fixture::{at_every_size, buffer, lines, model, pictures};

    fn typing(text: &str, chosen: usize) -> crate::console::Model {
        let mut model = model(0);
        model.ui.overlay = Overlay::Palette {
            input: Input::new(text.into()),
            completions: ["next-phase", "next-view", "next-mark", "load 2x"]
                .map(String::from)
                .into(),
            chosen,
        };
        model
    }

    #[test]
    fn it_shows_what_could_be_meant() {
        let pictures = pictures(&mut typing("next", 1), draw, [(30, 5), (80, 10), (120, 8)]);
        insta::assert_snapshot!(pictures);
    }

    #[test]
    fn it_fits_everywhere() {
        at_every_size(
            &mut typing("a long command with wide 会計 characters", 3),
            draw,
        );
        at_every_size(&mut typing("", 99), draw);
        at_every_size(&mut model(0), draw);
    }

    #[test]
    fn the_end_of_a_long_text_stays_in_sight() {
        let text = lines(&buffer(
            &typing("mark the pool grew to forty", 0),
            draw,
            20,
            4,
        ))
        .join("\n");
        assert!(text.contains("to forty"), "{text}");
    }
}
