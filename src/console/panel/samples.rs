//! The first answer of each kind of error at each step: what went wrong, in the words of the system.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::Scene;
use super::scenarios::has;
use super::steps::name;
use crate::console::moment::moment;
use crate::console::text::{Part, clean, cut, fit, note, put, wrap};
use crate::session::record::Sample;

/// Its title.
pub const TITLE: &str = "first of each error";

/// Draws it: for each sample a line, and its answer's beginning below it as long as there is room for all.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let (theme, height) = (scene.theme, usize::from(area.height));
    let most = usize::from(area.width);
    let mut samples: Vec<&Sample> = scene.history.samples().collect();
    samples.retain(|sample| {
        let filter = &scene.ui.filter;
        let texts = [sample.kind.name(), &sample.detail, &sample.body];
        has(&name(scene.history, sample.step), filter) || texts.iter().any(|text| has(text, filter))
    });
    samples.sort_by_key(|sample| std::cmp::Reverse(sample.at));
    if samples.is_empty() {
        return note(buf, area, "no error has been seen", theme);
    }
    let each = (height / samples.len()).clamp(1, 6);
    let mut y = 0;
    for sample in samples {
        if y >= height {
            return;
        }
        let status = sample
            .status
            .map_or_else(String::new, |status| status.to_string());
        let mut parts = vec![
            Part::one(3, moment(scene.history, sample.at), theme.dim),
            Part::one(0, sample.kind.name(), theme.bad),
            Part::one(
                2,
                cut(&name(scene.history, sample.step), 40).into_owned(),
                theme.text,
            ),
            Part::one(4, status, theme.text),
        ];
        fit(&mut parts, most, 2);
        let mut x = 0;
        for part in &parts {
            put(buf, area, x, y, &part.words, &theme.glyphs);
            x += part.width() + 2;
        }
        let detail = cut(&clean(&sample.detail), most.saturating_sub(x)).into_owned();
        let below = most.saturating_sub(x) < 24 && each > 1;
        if !below {
            put(
                buf,
                area,
                x,
                y,
                &[Span::styled(detail, theme.dim)],
                &theme.glyphs,
            );
        }
        let body = clean(&sample.body);
        let said = wrap(&body, most.saturating_sub(4)).into_iter();
        let said = said.map(|line| Span::styled(line, theme.text));
        let detail = wrap(&clean(&sample.detail), most.saturating_sub(4));
        let detail = detail.into_iter().map(|line| Span::styled(line, theme.dim));
        let detail = detail.take(if below { 2 } else { 0 });
        let mut lines = 1;
        for line in detail.chain(said).take(each - 1) {
            put(buf, area, 4, y + lines, &[line], &theme.glyphs);
            lines += 1;
        }
        y += lines;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::panel::fixture::{at_every_size, model, pictures};

    #[test]
    fn it_shows_what_the_system_said() {
        let pictures = pictures(&mut model(700), draw, [(38, 4), (80, 4), (140, 4)]);
        insta::assert_snapshot!(pictures);
    }

    #[test]
    fn it_fits_everywhere() {
        at_every_size(&mut model(700), draw);
        at_every_size(&mut model(0), draw);
    }
}
