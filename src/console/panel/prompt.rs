//! A text that is asked for: a filter, a mark, a place in a recording.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::Scene;
use super::overlay::{bottom, frame, typed};
use crate::console::model::{Asks, Overlay};
use crate::console::text::{put, width};

/// Draws it at the bottom of the area.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let Overlay::Prompt { asks, input } = &scene.ui.overlay else {
        return;
    };
    let theme = scene.theme;
    let (title, hint) = match asks {
        Asks::Filter => (
            "show only what contains",
            "Enter applies, nothing shows all again",
        ),
        Asks::Mark => ("mark on the timeline", "Enter puts it there for everybody"),
        Asks::Place => ("go to", "12:30, 1:02:03 or 40%"),
    };
    let inside = frame(scene, bottom(area, 3), title, buf);
    typed(scene, inside, "", input, buf);
    let (room, taken) = (usize::from(inside.width), width(input.value()));
    if taken + 3 + width(hint) <= room {
        put(
            buf,
            inside,
            room - width(hint),
            0,
            &[Span::styled(hint, theme.dim)],
            &theme.glyphs,
        );
    }
}

#[cfg(test)]
mod tests {
    use tui_input::Input;

    use super::*;
    use crate::console::panel::fixture::{at_every_size, model, pictures};

    fn asking(asks: Asks, text: &str) -> crate::console::Model {
        let mut model = model(0);
        let input = Input::new(text.into());
        model.ui.overlay = Overlay::Prompt { asks, input };
        model
    }

    #[test]
    fn it_says_what_is_asked_for() {
        let mut text = String::new();
        for (asks, typed) in [
            (Asks::Filter, "pay"),
            (Asks::Mark, "pool grew"),
            (Asks::Place, ""),
        ] {
            text += &pictures(&mut asking(asks, typed), draw, [(24, 3), (80, 3), (120, 4)]);
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn it_fits_everywhere() {
        at_every_size(
            &mut asking(Asks::Mark, "a wide 会計 mark that is longer than the line"),
            draw,
        );
    }
}
