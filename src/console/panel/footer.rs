//! The line at the bottom: which keys mean something now, or what was said last.
//!
//! The hints come from [`ACTIONS`] and the bindings in force, in that order, as many as fit whole. `help` and `leave`
//! stay whatever else goes.

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::Scene;
use crate::console::keymap::{ACTIONS, Action, Definition, Keymap, When, write};
use crate::console::model::{Kind, Overlay, View};
use crate::console::text::{Part, clean, cut, put};

/// Whether actions of a kind mean something in what is shown.
pub fn means(scene: &Scene<'_>, when: When) -> bool {
    let deck = scene.deck;
    match when {
        When::Always => true,
        When::Live => deck.can_act() && !scene.ui.read_only,
        When::Past => deck.kind == Kind::Replay || deck.past.is_some(),
    }
}

/// Whether an action is worth a hint in a view: some are about one view only.
fn is_here(view: View, action: Action) -> bool {
    match action {
        Action::Open | Action::Pin => view == View::Resources,
        _ => true,
    }
}

/// Draws it.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let (theme, ui) = (scene.theme, scene.ui);
    let margin = usize::from(area.width > 40);
    let room = usize::from(area.width).saturating_sub(2 * margin);
    let words = if let Some(said) = &ui.said {
        let (glyph, style) = if said.bad {
            (theme.glyphs.no, theme.bad)
        } else {
            (theme.glyphs.mark, theme.text)
        };
        let text = cut(&clean(&said.text), room.saturating_sub(2)).into_owned();
        vec![
            Span::styled(
                format!("{glyph} "),
                if said.bad { style } else { theme.accent },
            ),
            Span::styled(text, style),
        ]
    } else if ui.pending.is_empty() {
        return hints(scene, area, margin, room, buf);
    } else {
        let keys: Vec<String> = ui.pending.iter().map(|&key| key_of(key)).collect();
        vec![
            Span::styled(format!("{} …", keys.join(" ")), theme.accent),
            Span::styled("  the next key decides, Esc goes back", theme.dim),
        ]
    };
    put(buf, area, margin, 0, &words, &theme.glyphs);
}

fn key_of(key: KeyEvent) -> String {
    write(key.into())
}

fn hints(scene: &Scene<'_>, area: Rect, margin: usize, room: usize, buf: &mut Buffer) {
    let (theme, ui) = (scene.theme, scene.ui);
    let mut parts: Vec<(u8, Part<'_>)> = Vec::new();
    if ui.locked {
        let text = "keys are locked";
        parts.push((0, Part::one(0, text, theme.warn)));
    } else if ui.read_only {
        parts.push((1, Part::one(0, "read-only", theme.warn)));
    }
    if !ui.filter.is_empty() {
        let text = format!("only {}", cut(&clean(&ui.filter), 20));
        parts.push((2, Part::one(0, text, theme.warn)));
    }
    let hint = |keys: String, word: &str| {
        let words = vec![
            Span::styled(keys, theme.accent),
            Span::styled(format!(" {word}"), theme.dim),
        ];
        Part::new(0, words)
    };
    match (&ui.overlay, ui.locked) {
        (_, true) => {
            let keys = first_key(scene.keymap, "lock");
            parts.push((0, hint(keys, "unlock")));
        }
        (Overlay::None, false) => {
            let wanted = ACTIONS.iter().enumerate();
            let wanted = wanted.filter(|(_, action)| !action.hint.is_empty());
            let wanted = wanted.filter(|(_, action)| is_here(ui.view, action.action));
            for (place, action) in wanted.filter(|(_, action)| means(scene, action.when)) {
                let Some((keys, word)) = written(scene.keymap, place, action) else {
                    continue;
                };
                let rank = match action.action {
                    Action::Help => 0,
                    Action::Quit => 1,
                    Action::Open | Action::Pin => 2,
                    Action::Seek | Action::ZoomIn => 4,
                    _ => 3,
                };
                parts.push((rank, hint(keys, word)));
            }
        }
        (
            Overlay::Help
            | Overlay::Menu(_)
            | Overlay::Palette { .. }
            | Overlay::Pick { .. }
            | Overlay::Prompt { .. }
            | Overlay::Confirm { .. },
            false,
        ) => {
            parts.push((0, hint(first_key(scene.keymap, "back"), "close")));
        }
    }
    let wanted = |parts: &[(u8, Part<'_>)]| {
        let words: usize = parts.iter().map(|(_, part)| part.width()).sum();
        words + 2 * parts.len().saturating_sub(1)
    };
    while !parts.is_empty() && wanted(&parts) > room {
        let worst = (0..parts.len()).max_by_key(|&place| parts[place].0);
        parts.remove(worst.unwrap_or(0));
    }
    let mut x = margin;
    for (_, part) in &parts {
        put(buf, area, x, 0, &part.words, &theme.glyphs);
        x += part.width() + 2;
    }
}

fn first_key(keymap: &Keymap, name: &str) -> String {
    best_key(keymap, name).unwrap_or_default()
}

/// The key of an action that is easiest to remember: a letter rather than a number.
fn best_key(keymap: &Keymap, name: &str) -> Option<String> {
    let mut keys = keymap.keys(name);
    let number = |key: &String| key.parse::<u8>().is_ok();
    let place = keys.iter().position(|key| !number(key)).unwrap_or(0);
    (place < keys.len()).then(|| keys.swap_remove(place))
}

/// The keys and the word of a hint. A hint such as `+/- load` speaks for its action and the one after it in [`ACTIONS`],
/// one such as `[ ] event` for the one before it and its own; the keys are those in force. `None` when it has none.
fn written<'a>(keymap: &Keymap, place: usize, action: &'a Definition) -> Option<(String, &'a str)> {
    let own = best_key(keymap, action.name)?;
    let other = |place: usize| {
        let other = ACTIONS.get(place)?;
        best_key(keymap, other.name)
    };
    let words: Vec<&str> = action.hint.split(' ').collect();
    match words[..] {
        [pair, word] if pair.contains('/') => {
            let keys = match other(place + 1) {
                Some(next) => format!("{own}/{next}"),
                None => own,
            };
            Some((keys, word))
        }
        [_, _, word] => {
            let keys = match place.checked_sub(1).and_then(other) {
                Some(before) => format!("{before} {own}"),
                None => own,
            };
            Some((keys, word))
        }
        _ => Some((own, action.hint)),
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyEvent};

    use super::*;
    use crate::console::model::Said;
    use crate::console::panel::fixture::{at_every_size, buffer, lines, model, pictures};

    fn told(model: &crate::console::Model, width: u16) -> String {
        let text = lines(&buffer(model, draw, width, 1))[1].clone();
        text.trim_matches('~').trim().to_owned()
    }

    #[test]
    fn it_shows_as_many_hints_as_fit() {
        let pictures = pictures(&mut model(700), draw, [(40, 1), (120, 1), (200, 1)]);
        insta::assert_snapshot!(pictures);
    }

    #[test]
    fn it_fits_everywhere() {
        at_every_size(&mut model(700), draw);
    }

    #[test]
    fn help_and_leave_stay_longest() {
        let text = told(&model(700), 30);
        assert!(text.contains("help") && text.contains("leave"), "{text}");
    }

    #[test]
    fn hints_are_of_what_means_something_now() {
        let mut model = model(700);
        assert!(told(&model, 300).contains("scenarios"));
        assert!(!told(&model, 300).contains("event"));
        model.decks[0].kind = Kind::Replay;
        let text = told(&model, 300);
        assert!(!text.contains("scenarios"), "{text}");
        assert!(
            text.contains("</> speed") && text.contains("[ ] event"),
            "{text}"
        );
        model.decks[0].kind = Kind::Live;
        model.ui.read_only = true;
        let text = told(&model, 300);
        assert!(
            !text.contains("spike") && text.contains("read-only"),
            "{text}"
        );
        model.ui.locked = true;
        let text = told(&model, 300);
        assert!(
            text.contains("keys are locked") && text.contains("unlock"),
            "{text}"
        );
        assert!(!text.contains("help"), "{text}");
    }

    #[test]
    fn the_view_of_resources_tells_how_to_look_further() {
        let mut model = model(700);
        assert!(!told(&model, 300).contains("pin"));
        model.ui.view = View::Resources;
        let text = told(&model, 80);
        assert!(
            text.contains("Enter series") && text.contains("P pin"),
            "{text}"
        );
    }

    #[test]
    fn hints_name_the_keys_in_force() {
        let mut model = model(700);
        let own = [("raise".to_owned(), vec!["u".to_owned()])].into();
        model.keymap = Keymap::rebound(&own).0;
        let text = told(&model, 300);
        assert!(text.contains("u/- load"), "{text}");
    }

    #[test]
    fn what_is_said_takes_the_place_of_the_hints() {
        let mut model = model(700);
        model.ui.pending = vec![KeyEvent::from(KeyCode::Char('s'))];
        assert!(told(&model, 80).starts_with("s …"));
        model.ui.said = Some(Said {
            text: "there is no phase 9; the last one is 5".into(),
            bad: true,
        });
        assert_eq!(told(&model, 80), "✗ there is no phase 9; the last one is 5");
        assert_eq!(told(&model, 20), "✗ there is no phase…");
    }
}
