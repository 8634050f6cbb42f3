//! A question about something dangerous, and the keys that answer it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::Span;

use super::Scene;
use super::overlay::{frame, middle};
use crate::console::model::Overlay;
use crate::console::text::{clean, cut, put, width, wrap};

/// Columns of a line of the question.
const MOST: usize = 60;

/// Draws it in the middle of the area.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let Overlay::Confirm { question, answers } = &scene.ui.overlay else {
        return;
    };
    let theme = scene.theme;
    let most = usize::from(area.width).saturating_sub(4).min(MOST);
    let mut lines = wrap(&clean(question), most);
    let room = usize::from(area.height).saturating_sub(3 + answers.len());
    // The answers stay whatever else goes.
    lines.truncate(room.max(1));
    let answer = |(key, word, _): &(char, &'static str, _)| {
        vec![
            Span::styled(key.to_string(), theme.accent.add_modifier(Modifier::BOLD)),
            Span::styled(
                format!("  {}", cut(word, most.saturating_sub(3))),
                theme.text,
            ),
        ]
    };
    let widest = lines.iter().map(|line| width(line)).max().unwrap_or(0);
    let answers: Vec<_> = answers.iter().map(answer).collect();
    let widest = answers
        .iter()
        .map(|words| crate::console::text::width_of(words))
        .chain([widest, 24])
        .max()
        .unwrap_or(0);
    let inside = frame(
        scene,
        middle(area, widest + 4, lines.len() + answers.len() + 3),
        "sure?",
        buf,
    );
    let height = usize::from(inside.height);
    let top = height.saturating_sub(answers.len());
    for (y, line) in lines.into_iter().enumerate().take(top) {
        put(
            buf,
            inside,
            0,
            y,
            &[Span::styled(line, theme.title)],
            &theme.glyphs,
        );
    }
    for (place, words) in answers.iter().enumerate() {
        put(buf, inside, 0, top + place, words, &theme.glyphs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::model::Consent;
    use crate::console::panel::fixture::{at_every_size, buffer, lines, model, pictures};

    fn leaving() -> crate::console::Model {
        let mut model = model(0);
        model.ui.overlay = Overlay::Confirm {
            question: "The window runs on when you leave. What becomes of it?".into(),
            answers: vec![
                ('l', "leave, it runs on", Consent::Leave),
                ('s', "stop it and clear every fault", Consent::Stop),
                ('b', "back", Consent::Back),
            ],
        };
        model
    }

    #[test]
    fn it_asks_once() {
        let pictures = pictures(&mut leaving(), draw, [(30, 8), (80, 12), (120, 12)]);
        insta::assert_snapshot!(pictures);
    }

    #[test]
    fn it_fits_everywhere() {
        at_every_size(&mut leaving(), draw);
    }

    #[test]
    fn the_answers_stay_when_there_is_little_room() {
        let text = lines(&buffer(&leaving(), draw, 30, 6)).join("\n");
        assert!(
            text.contains("l  leave") && text.contains("b  back"),
            "{text}"
        );
    }
}
