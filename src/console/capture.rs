//! The screen as a file: characters, a picture, a page.
//!
//! In: cells. Out: text. Pure functions. The invariant: what a cell holds is text in the file and nothing else, whatever
//! characters it is made of.

use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr as _;

/// The colours of text and of what is behind it where a cell leaves them to the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Paper {
    text: [u8; 3],
    back: [u8; 3],
}

impl Paper {
    fn of(dark: bool) -> Self {
        if dark {
            let (text, back) = ([0xd8; 3], [0x16, 0x16, 0x1a]);
            Self { text, back }
        } else {
            let (text, back) = ([0x20; 3], [0xff; 3]);
            Self { text, back }
        }
    }
}

/// Width and height of a cell in a picture, and where the baseline is in it.
const CELL: (f64, f64) = (8.4, 17.0);
const BASELINE: f64 = 13.0;

/// The first 16 colours as xterm has them.
const BASIC: [[u8; 3]; 16] = [
    [0x00, 0x00, 0x00],
    [0xcd, 0x00, 0x00],
    [0x00, 0xcd, 0x00],
    [0xcd, 0xcd, 0x00],
    [0x3b, 0x78, 0xff],
    [0xcd, 0x00, 0xcd],
    [0x00, 0xcd, 0xcd],
    [0xe5, 0xe5, 0xe5],
    [0x7f, 0x7f, 0x7f],
    [0xff, 0x55, 0x55],
    [0x55, 0xff, 0x55],
    [0xff, 0xff, 0x55],
    [0x7c, 0xa8, 0xff],
    [0xff, 0x55, 0xff],
    [0x55, 0xff, 0xff],
    [0xff, 0xff, 0xff],
];

/// Characters only, a line a row, without spaces at the ends of lines.
pub fn text(picture: &Buffer) -> String {
    let mut text = String::new();
    for row in rows(picture, Paper::of(true)) {
        let line: String = row.iter().map(|run| run.text.as_str()).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A page that shows the screen in colour and from which it can be copied. `dark` says what background the theme of the
/// screen was made for.
pub fn html(picture: &Buffer, dark: bool) -> String {
    let paper = Paper::of(dark);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>stormdeck</title></head>\n\
         <body style=\"background:{back}\"><pre style=\"color:{text};background:{back};\
         font-family:ui-monospace,monospace;line-height:1.2\">\n",
        text = hex(paper.text),
        back = hex(paper.back),
    );
    for row in rows(picture, paper) {
        for run in row {
            let style = run.look.css(paper);
            if style.is_empty() {
                page.push_str(&escape(&run.text));
            } else {
                let _ = write!(page, "<span style=\"{style}\">{}</span>", escape(&run.text));
            }
        }
        page.push('\n');
    }
    page + "</pre></body></html>\n"
}

/// A picture in which every character stands in its cell, whatever font it is shown with. `dark` as for [`html`].
pub fn svg(picture: &Buffer, dark: bool) -> String {
    let paper = Paper::of(dark);
    let (width, height) = (
        f64::from(picture.area.width) * CELL.0,
        f64::from(picture.area.height) * CELL.1,
    );
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.1} {height:.1}\" font-family=\"ui-monospace,monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"{}\"/>\n",
        hex(paper.back)
    );
    for (y, row) in rows(picture, paper).into_iter().enumerate() {
        let top = y as f64 * CELL.1;
        for run in row {
            let (left, wide) = (run.column as f64 * CELL.0, run.columns as f64 * CELL.0);
            if run.look.back != paper.back {
                let _ = writeln!(
                    svg,
                    "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{wide:.1}\" height=\"{:.1}\" fill=\"{}\"/>",
                    CELL.1,
                    hex(run.look.back)
                );
            }
            if run.text.trim().is_empty() && run.look.line.is_empty() {
                continue;
            }
            let _ = writeln!(
                svg,
                "<text {} y=\"{:.1}\" xml:space=\"preserve\" fill=\"{}\"{}>{}</text>",
                places(&run),
                top + BASELINE,
                hex(run.look.text),
                run.look.attributes(),
                escape(&run.text)
            );
        }
    }
    svg + "</svg>\n"
}

/// Where a run stands: begin and length, or the place of each character where one of them may come from another font.
fn places(run: &Run) -> String {
    let left = |column: usize| column as f64 * CELL.0;
    if run.text.is_ascii() {
        return format!(
            "x=\"{:.1}\" textLength=\"{:.1}\"",
            left(run.column),
            left(run.columns)
        );
    }
    let mut column = run.column;
    let mut places = Vec::new();
    for character in run.text.chars() {
        places.push(format!("{:.1}", left(column)));
        column += unicode_width::UnicodeWidthChar::width(character).unwrap_or(0);
    }
    format!("x=\"{}\"", places.join(" "))
}

/// How a run of cells looks, everything resolved.
#[derive(Debug, Clone, PartialEq)]
struct Look {
    text: [u8; 3],
    back: [u8; 3],
    bold: bool,
    italic: bool,
    /// `underline`, `line-through` or both; empty for none.
    line: &'static str,
}

/// Cells of a row that look the same.
#[derive(Debug, Clone, PartialEq)]
struct Run {
    column: usize,
    columns: usize,
    text: String,
    look: Look,
}

impl Look {
    fn of(cell: &Cell, paper: Paper) -> Self {
        let has = |modifier| cell.modifier.contains(modifier);
        let (mut text, mut back) = (rgb(cell.fg, paper.text), rgb(cell.bg, paper.back));
        if has(Modifier::REVERSED) {
            (text, back) = (back, text);
        }
        if has(Modifier::DIM) {
            text = std::array::from_fn(|at| u8::midpoint(text[at], back[at]));
        }
        if has(Modifier::HIDDEN) {
            text = back;
        }
        Self {
            text,
            back,
            bold: has(Modifier::BOLD),
            italic: has(Modifier::ITALIC),
            line: match (has(Modifier::UNDERLINED), has(Modifier::CROSSED_OUT)) {
                (false, false) => "",
                (true, false) => "underline",
                (false, true) => "line-through",
                (true, true) => "underline line-through",
            },
        }
    }

    /// What differs from the page.
    fn css(&self, paper: Paper) -> String {
        let mut css = Vec::new();
        if self.text != paper.text {
            css.push(format!("color:{}", hex(self.text)));
        }
        if self.back != paper.back {
            css.push(format!("background:{}", hex(self.back)));
        }
        if self.bold {
            css.push("font-weight:bold".to_owned());
        }
        if self.italic {
            css.push("font-style:italic".to_owned());
        }
        if !self.line.is_empty() {
            css.push(format!("text-decoration:{}", self.line));
        }
        css.join(";")
    }

    fn attributes(&self) -> String {
        let mut attributes = String::new();
        if self.bold {
            attributes.push_str(" font-weight=\"bold\"");
        }
        if self.italic {
            attributes.push_str(" font-style=\"italic\"");
        }
        if !self.line.is_empty() {
            let _ = write!(attributes, " text-decoration=\"{}\"", self.line);
        }
        attributes
    }
}

/// Every row as runs. A wide character covers the cell after it.
fn rows(picture: &Buffer, paper: Paper) -> Vec<Vec<Run>> {
    let width = usize::from(picture.area.width).max(1);
    picture
        .content
        .chunks(width)
        .map(|cells| {
            let mut runs: Vec<Run> = Vec::new();
            let mut column = 0;
            while let Some(cell) = cells.get(column) {
                let shown = shown(cell.symbol());
                let columns = shown.width().max(1);
                let look = Look::of(cell, paper);
                match runs.last_mut() {
                    Some(run) if run.look == look => {
                        run.text.push_str(&shown);
                        run.columns += columns;
                    }
                    Some(_) | None => runs.push(Run {
                        column,
                        columns,
                        text: shown,
                        look,
                    }),
                }
                column += columns;
            }
            runs
        })
        .collect()
}

/// What a cell shows: never nothing, never something that controls whoever reads the file.
fn shown(symbol: &str) -> String {
    if symbol.is_empty() || symbol.chars().any(char::is_control) {
        " ".to_owned()
    } else {
        symbol.to_owned()
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// A colour as a screen mixes it; `reset` where it is left to the terminal.
fn rgb(colour: Color, reset: [u8; 3]) -> [u8; 3] {
    match colour {
        Color::Reset => reset,
        Color::Black => BASIC[0],
        Color::Red => BASIC[1],
        Color::Green => BASIC[2],
        Color::Yellow => BASIC[3],
        Color::Blue => BASIC[4],
        Color::Magenta => BASIC[5],
        Color::Cyan => BASIC[6],
        Color::Gray => BASIC[7],
        Color::DarkGray => BASIC[8],
        Color::LightRed => BASIC[9],
        Color::LightGreen => BASIC[10],
        Color::LightYellow => BASIC[11],
        Color::LightBlue => BASIC[12],
        Color::LightMagenta => BASIC[13],
        Color::LightCyan => BASIC[14],
        Color::White => BASIC[15],
        Color::Rgb(r, g, b) => [r, g, b],
        Color::Indexed(index) => indexed(index),
    }
}

/// The colour at a place of the palette of 256: 16 basic ones, a cube of 6 by 6 by 6, and 24 greys.
pub fn indexed(index: u8) -> [u8; 3] {
    let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
    match index {
        0..=15 => BASIC[usize::from(index)],
        16..=231 => {
            let n = index - 16;
            [level(n / 36), level(n / 6 % 6), level(n % 6)]
        }
        232..=255 => [8 + 10 * (index - 232); 3],
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    /// Three rows with everything that a screen holds.
    fn picture() -> Buffer {
        let mut picture = Buffer::empty(Rect::new(0, 0, 24, 3));
        let put = |picture: &mut Buffer, x, y, text: &str, style| {
            picture.set_string(x, y, text, style);
        };
        let plain = Style::new();
        put(&mut picture, 0, 0, "p99 ", plain);
        put(&mut picture, 4, 0, "84ms", plain.fg(Color::Indexed(71)));
        put(
            &mut picture,
            9,
            0,
            "<b>&\"'",
            plain.fg(Color::Red).add_modifier(Modifier::BOLD),
        );
        put(
            &mut picture,
            0,
            1,
            "▁▃█░ 日本",
            plain.fg(Color::Rgb(1, 2, 3)).bg(Color::Blue),
        );
        put(
            &mut picture,
            12,
            1,
            "sel",
            plain.add_modifier(Modifier::REVERSED),
        );
        put(&mut picture, 0, 2, "dim", plain.add_modifier(Modifier::DIM));
        put(
            &mut picture,
            4,
            2,
            "under",
            plain.add_modifier(Modifier::UNDERLINED),
        );
        picture[(23, 2)].set_symbol("\x1b");
        picture
    }

    #[test]
    fn as_text() {
        insta::assert_snapshot!(text(&picture()));
    }

    #[test]
    fn as_a_page() {
        insta::assert_snapshot!(html(&picture(), true));
    }

    #[test]
    fn as_a_picture() {
        insta::assert_snapshot!(svg(&picture(), true));
    }

    #[test]
    fn a_light_theme_is_kept_on_light_paper() {
        let dark = "#16161a";
        for text in [html(&picture(), false), svg(&picture(), false)] {
            assert!(text.contains("#ffffff") && !text.contains(dark), "{text}");
        }
    }

    #[test]
    fn the_palette_of_256_is_that_of_xterm() {
        assert_eq!(indexed(16), [0, 0, 0]);
        assert_eq!(indexed(71), [95, 175, 95]);
        assert_eq!(indexed(231), [255, 255, 255]);
        assert_eq!(indexed(255), [238, 238, 238]);
    }
}
