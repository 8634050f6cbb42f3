//! What the overlays share: a box in the middle or at the bottom, with a title, a border and a clear inside.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Span;
use tui_input::Input;

use super::Scene;
use crate::console::text::{clean, cut, put, width};

/// The largest box of at most `width` by `height` (borders included) in the middle of an area.
pub fn middle(area: Rect, width: usize, height: usize) -> Rect {
    let width = width.min(usize::from(area.width)) as u16;
    let height = height.min(usize::from(area.height)) as u16;
    Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    }
}

/// Likewise at the bottom, over the whole width but for one column at either side.
pub fn bottom(area: Rect, height: usize) -> Rect {
    let height = height.min(usize::from(area.height)) as u16;
    Rect {
        y: area.y + area.height - height,
        height,
        ..area
    }
}

/// Clears the box, draws its border with a title, and gives its inside. Where a border would leave no room, there is none.
pub fn frame(scene: &Scene<'_>, area: Rect, title: &str, buf: &mut Buffer) -> Rect {
    let area = area.intersection(buf.area);
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            buf[(x, y)].reset();
        }
    }
    let theme = scene.theme;
    if area.width < 5 || area.height < 3 {
        return area;
    }
    let (wide, high) = (usize::from(area.width), usize::from(area.height));
    let rule = "─".repeat(wide - 2);
    let mut line = |x: usize, y: usize, text: &str, style: Style| {
        let words = [Span::styled(text.to_owned(), style)];
        put(buf, area, x, y, &words, &theme.glyphs);
    };
    line(0, 0, &format!("┌{rule}┐"), theme.border);
    line(0, high - 1, &format!("└{rule}┘"), theme.border);
    for y in 1..high - 1 {
        line(0, y, "│", theme.border);
        line(wide - 1, y, "│", theme.border);
    }
    if wide > 6 && !title.is_empty() {
        line(2, 0, &format!(" {} ", cut(title, wide - 6)), theme.title);
    }
    let margin = u16::from(area.width > 12);
    Rect {
        x: area.x + 1 + margin,
        y: area.y + 1,
        width: area.width - 2 - 2 * margin,
        height: area.height - 2,
    }
}

/// A line that is being typed, its cursor in sight.
pub fn typed(scene: &Scene<'_>, area: Rect, before: &str, input: &Input, buf: &mut Buffer) {
    let theme = scene.theme;
    let lead = width(before);
    put(
        buf,
        area,
        0,
        0,
        &[Span::styled(before.to_owned(), theme.accent)],
        &theme.glyphs,
    );
    let room = usize::from(area.width).saturating_sub(lead);
    if room == 0 || area.height == 0 {
        return;
    }
    // One column is kept for the cursor behind the last character.
    let scroll = input.visual_scroll(room - 1);
    let text = clean(input.value());
    let mut skipped = 0;
    let shown: String = text
        .chars()
        .skip_while(|c| {
            let over = skipped < scroll;
            skipped += width(c.encode_utf8(&mut [0; 4]));
            over
        })
        .collect();
    put(
        buf,
        area,
        lead,
        0,
        &[Span::styled(shown, theme.text)],
        &theme.glyphs,
    );
    let x = lead + input.visual_cursor().saturating_sub(scroll);
    if x < usize::from(area.width)
        && let Some(cell) = buf.cell_mut((area.x + x as u16, area.y))
    {
        cell.set_style(Style::new().add_modifier(Modifier::REVERSED));
    }
}
