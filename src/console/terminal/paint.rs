//! Cells to bytes: what ratatui draws on.
//!
//! In: the cells that differ. Out: the fewest bytes that bring a terminal from one picture to the next. The invariants:
//! no cell, no byte; and a character that would control the terminal never reaches it, wherever it came from.
//!
//! It writes the 16 basic colours with the codes that every terminal knows (`31`, `91`) and not as entries of a palette
//! of 256, which old ones take for blinking.

use std::convert::Infallible;
use std::fmt::Write as _;

use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use ratatui::style::{Color, Modifier};

/// The bytes of one frame, as they come together.
#[derive(Debug)]
pub struct Paint {
    bytes: String,
    /// The terminal's, in columns and rows.
    pub size: Size,
    /// Where the cursor shows, if it does; what the terminal was told last, and what the frame wants.
    cursor: (Option<Position>, Option<Position>),
    ascii: bool,
}

impl Paint {
    /// For a terminal of this size; one that knows only ASCII gets nothing else.
    pub fn new(size: Size, ascii: bool) -> Self {
        Self {
            bytes: String::new(),
            size,
            cursor: (None, None),
            ascii,
        }
    }

    /// The terminal was left and entered anew: its cursor is hidden.
    pub fn forget(&mut self) {
        self.bytes.clear();
        self.cursor.0 = None;
    }

    /// The bytes since the last call; empty when nothing differs.
    pub fn take(&mut self) -> String {
        let (told, wanted) = self.cursor;
        let moved = !self.bytes.is_empty() || told != wanted;
        match (told, wanted) {
            (Some(_), None) => self.bytes.push_str("\x1b[?25l"),
            (None | Some(_), Some(at)) if moved => {
                move_to(&mut self.bytes, at);
                if told.is_none() {
                    self.bytes.push_str("\x1b[?25h");
                }
            }
            (None, None) | (None | Some(_), Some(_)) => {}
        }
        self.cursor.0 = wanted;
        std::mem::take(&mut self.bytes)
    }
}

/// A style as the terminal knows it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Ink {
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

const PLAIN: Ink = Ink {
    fg: Color::Reset,
    bg: Color::Reset,
    modifier: Modifier::empty(),
};

impl Backend for Paint {
    type Error = Infallible;

    fn draw<'a, I>(&mut self, content: I) -> Result<(), Infallible>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut ink = PLAIN;
        let mut next: Option<Position> = None;
        for (x, y, cell) in content {
            let at = Position { x, y };
            match next {
                Some(next) if next == at => {}
                Some(next) if next.y == y && next.x < x => forward(&mut self.bytes, x - next.x),
                Some(_) | None => move_to(&mut self.bytes, at),
            }
            let wanted = Ink {
                fg: cell.fg,
                bg: cell.bg,
                modifier: cell.modifier,
            };
            turn(&mut self.bytes, ink, wanted);
            ink = wanted;
            let columns = glyph(&mut self.bytes, cell.symbol(), self.ascii);
            // In the last column terminals differ in where the cursor is then.
            let end = x.saturating_add(columns);
            next = (end < self.size.width).then_some(Position { x: end, y });
        }
        turn(&mut self.bytes, ink, PLAIN);
        Ok(())
    }

    fn hide_cursor(&mut self) -> Result<(), Infallible> {
        self.cursor.1 = None;
        Ok(())
    }

    fn show_cursor(&mut self) -> Result<(), Infallible> {
        let at = self.cursor.1.unwrap_or_default();
        self.cursor.1 = Some(at);
        Ok(())
    }

    fn get_cursor_position(&mut self) -> Result<Position, Infallible> {
        // Never asked of the terminal: the answer would come among the keys.
        Ok(self.cursor.1.unwrap_or_default())
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> Result<(), Infallible> {
        if self.cursor.1.is_some() {
            self.cursor.1 = Some(position.into());
        }
        Ok(())
    }

    fn clear(&mut self) -> Result<(), Infallible> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, _: ClearType) -> Result<(), Infallible> {
        // The console covers the whole screen, so ratatui never asks for less. What was to be drawn before is gone.
        self.bytes.clear();
        self.bytes.push_str("\x1b[2J");
        Ok(())
    }

    fn size(&self) -> Result<Size, Infallible> {
        Ok(self.size)
    }

    fn window_size(&mut self) -> Result<WindowSize, Infallible> {
        Ok(WindowSize {
            columns_rows: self.size,
            pixels: Size::default(),
        })
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

fn move_to(bytes: &mut String, at: Position) {
    // Writing to a string cannot fail.
    let _ = write!(
        bytes,
        "\x1b[{};{}H",
        u32::from(at.y) + 1,
        u32::from(at.x) + 1
    );
}

fn forward(bytes: &mut String, columns: u16) {
    match columns {
        1 => bytes.push_str("\x1b[C"),
        more => {
            let _ = write!(bytes, "\x1b[{more}C");
        }
    }
}

/// From one style to another: what is new, or everything anew where something ends.
fn turn(bytes: &mut String, from: Ink, to: Ink) {
    if from == to {
        return;
    }
    let mut codes = Vec::with_capacity(4);
    let ends = |was: Color, is: Color| was != Color::Reset && is == Color::Reset;
    let anew = !to.modifier.contains(from.modifier)
        || (to == PLAIN && ends(from.fg, to.fg) | ends(from.bg, to.bg));
    let from = if anew { PLAIN } else { from };
    if anew {
        codes.push("0".to_owned());
    }
    for (modifier, code) in MODIFIERS {
        if (to.modifier - from.modifier).contains(modifier) {
            codes.push(code.to_owned());
        }
    }
    if to.fg != from.fg {
        codes.push(colour(to.fg, 30));
    }
    if to.bg != from.bg {
        codes.push(colour(to.bg, 40));
    }
    let _ = match codes.as_slice() {
        [one] if one == "0" => write!(bytes, "\x1b[m"),
        codes => write!(bytes, "\x1b[{}m", codes.join(";")),
    };
}

const MODIFIERS: [(Modifier, &str); 9] = [
    (Modifier::BOLD, "1"),
    (Modifier::DIM, "2"),
    (Modifier::ITALIC, "3"),
    (Modifier::UNDERLINED, "4"),
    (Modifier::SLOW_BLINK, "5"),
    (Modifier::RAPID_BLINK, "6"),
    (Modifier::REVERSED, "7"),
    (Modifier::HIDDEN, "8"),
    (Modifier::CROSSED_OUT, "9"),
];

/// The code of a colour; `base` is 30 for the text, 40 for what is behind it.
fn colour(colour: Color, base: u8) -> String {
    let basic = |n: u8| (base + n).to_string();
    let bright = |n: u8| (base + 60 + n).to_string();
    match colour {
        Color::Reset => basic(9),
        Color::Black => basic(0),
        Color::Red => basic(1),
        Color::Green => basic(2),
        Color::Yellow => basic(3),
        Color::Blue => basic(4),
        Color::Magenta => basic(5),
        Color::Cyan => basic(6),
        Color::Gray => basic(7),
        Color::DarkGray => bright(0),
        Color::LightRed => bright(1),
        Color::LightGreen => bright(2),
        Color::LightYellow => bright(3),
        Color::LightBlue => bright(4),
        Color::LightMagenta => bright(5),
        Color::LightCyan => bright(6),
        Color::White => bright(7),
        Color::Indexed(index) => format!("{};5;{index}", base + 8),
        Color::Rgb(r, g, b) => format!("{};2;{r};{g};{b}", base + 8),
    }
}

/// Writes what a cell shows and gives the columns that it takes.
fn glyph(bytes: &mut String, symbol: &str, ascii: bool) -> u16 {
    if let [byte @ 0x20..=0x7e] = symbol.as_bytes() {
        bytes.push(char::from(*byte));
        return 1;
    }
    let columns = unicode_width::UnicodeWidthStr::width(symbol).clamp(1, 2);
    if symbol.is_empty() || symbol.chars().any(char::is_control) {
        bytes.push(' ');
        return 1;
    }
    if ascii {
        bytes.extend(std::iter::repeat_n(nearest(symbol), columns));
    } else {
        bytes.push_str(symbol);
    }
    columns as u16
}

/// What stands for a character on a terminal that knows only ASCII.
fn nearest(symbol: &str) -> char {
    match symbol.chars().next().unwrap_or(' ') {
        '─' | '━' | '╌' | '┄' | '┈' | '–' | '—' | '═' => '-',
        '│' | '┃' | '┊' | '┆' | '║' | '▌' | '▐' => '|',
        '\u{2500}'..='\u{257f}' => '+',
        '…' => '~',
        'µ' => 'u',
        '×' => 'x',
        '▁' | '▂' => '_',
        '·' | '•' | '▃' | '▄' | '░' => '.',
        '▅' | '▆' | '▒' => '=',
        '▇' | '█' | '▓' => '#',
        '↑' | '▲' => '^',
        '↓' | '▼' => 'v',
        '→' | '▶' | '►' => '>',
        '←' | '◀' | '◄' => '<',
        '\u{2800}' | '\u{a0}' => ' ',
        '\u{2801}'..='\u{28ff}' => ':',
        _ => '?',
    }
}
