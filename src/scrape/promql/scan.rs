//! The words of an expression, each with its place.
//!
//! In: text. Out: tokens, and from them the same expression in words that the parser's own scanner takes exactly as
//! Prometheus takes the original: strings as their number, numbers in decimals, durations in whole units. What Prometheus
//! itself would not take is refused here, with its place, and so is what is too long or too deep. The invariant: what
//! comes out is at most [`DEEPEST`] deep, so that nothing after this can overflow the stack.

use std::fmt::Write;
use std::ops::Range;

use super::Refused;

/// The longest text of an expression, in bytes.
const LONGEST: usize = 16 << 10;
/// How many brackets may be open at once.
const DEEPEST: usize = 32;
/// How many operators there may be; each of a row makes the tree one deeper.
const MOST_OPERATORS: usize = 64;
/// The longest duration of Prometheus: what fits 63 bits of nanoseconds.
const LONGEST_MS: u128 = i64::MAX as u128 / 1_000_000;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A name or a word.
    Word(String),
    Number(f64),
    /// Milliseconds.
    Duration(u64),
    /// What the quotes hold.
    Text(String),
    /// An operator, a bracket or a comma.
    Mark(&'static str),
}

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Placed {
    pub token: Token,
    pub span: Range<usize>,
    /// Within `{…}`, where words are labels.
    pub in_braces: bool,
}

const MARKS: [&str; 26] = [
    "==", "=~", "!=", "!~", "<=", ">=", "<", ">", "=", "+", "-", "*", "/", "%", "^", "@", ",", "(",
    ")", "{", "}", "[", "]", ":", "!", ".",
];

struct Scanner<'t> {
    text: &'t str,
    at: usize,
    tokens: Vec<Placed>,
    open: Vec<(&'static str, usize)>,
    operators: usize,
}

/// Takes a text apart.
pub(super) fn scan(text: &str) -> Result<Vec<Placed>, Refused> {
    if text.len() > LONGEST {
        let message = format!(
            "the expression is longer than {LONGEST} bytes: it has {}",
            text.len()
        );
        return Err(Refused::new(message, None));
    }
    let mut scanner = Scanner {
        text,
        at: 0,
        tokens: Vec::new(),
        open: Vec::new(),
        operators: 0,
    };
    while scanner.next()? {
        if scanner.operators > MOST_OPERATORS {
            let message = format!("the expression has more than {MOST_OPERATORS} operators");
            return Err(Refused::new(
                message,
                scanner.tokens.last().map(|last| last.span.clone()),
            ));
        }
    }
    if let Some((mark, at)) = scanner.open.pop() {
        return Err(Refused::new(
            format!("`{mark}` is not closed"),
            at..at + mark.len(),
        ));
    }
    if scanner.tokens.is_empty() {
        return Err(Refused::new("the expression is empty", 0..text.len()));
    }
    Ok(scanner.tokens)
}

impl Scanner<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn inside(&self, mark: &str) -> bool {
        self.open.last().is_some_and(|(open, _)| *open == mark)
    }

    fn next(&mut self) -> Result<bool, Refused> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return Ok(false);
        };
        match first {
            '#' => self.at += rest.find(['\n', '\r']).unwrap_or(rest.len()),
            // What Prometheus takes for white space.
            ' ' | '\t' | '\n' | '\r' => self.at += 1,
            '"' | '\'' | '`' => self.quoted(first)?,
            '0'..='9' => self.number()?,
            '.' if rest[1..].starts_with(|next: char| next.is_ascii_digit()) => self.number()?,
            'a'..='z' | 'A'..='Z' | '_' => self.word(),
            ':' if !self.inside("[") && !self.inside("{") => self.word(),
            _ => self.mark(first)?,
        }
        Ok(true)
    }

    fn put(&mut self, token: Token, len: usize) {
        let span = self.at..self.at + len;
        self.at += len;
        self.tokens.push(Placed {
            token,
            span,
            in_braces: self.inside("{"),
        });
    }

    fn word(&mut self) {
        let colon = !self.inside("{");
        let inner =
            |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || (byte == b':' && colon);
        let len = self.rest().bytes().take_while(|byte| inner(*byte)).count();
        let word = self.rest()[..len].to_owned();
        let token = match word.to_ascii_lowercase().as_str() {
            "inf" if !self.inside("{") => Token::Number(f64::INFINITY),
            "nan" if !self.inside("{") => Token::Number(f64::NAN),
            "and" | "or" | "unless" | "atan2" if !self.inside("{") => {
                self.operators += 1;
                Token::Word(word)
            }
            _ => Token::Word(word),
        };
        self.put(token, len);
    }

    fn mark(&mut self, first: char) -> Result<(), Refused> {
        let place = self.at..self.at + first.len_utf8();
        let known = MARKS
            .into_iter()
            .find(|mark| self.rest().starts_with(*mark));
        let Some(mark) = known.filter(|mark| !matches!(*mark, "!" | ".")) else {
            return Err(Refused::new(format!("unexpected `{first}`"), place));
        };
        match mark {
            "(" | "{" | "[" => {
                if self.inside("{") || self.inside("[") {
                    return Err(Refused::new(format!("unexpected `{mark}`"), place));
                }
                if self.open.len() >= DEEPEST {
                    let message = format!("the expression is more than {DEEPEST} brackets deep");
                    return Err(Refused::new(message, place));
                }
                self.put(Token::Mark(mark), 1);
                self.open.push((mark, place.start));
                return Ok(());
            }
            ")" | "}" | "]" => {
                let opening = match mark {
                    ")" => "(",
                    "}" => "{",
                    _ => "[",
                };
                if !self.inside(opening) {
                    return Err(Refused::new(format!("unexpected `{mark}`"), place));
                }
                self.open.pop();
            }
            "," | "@" | ":" | "=" | "=~" | "!~" => {}
            _ => self.operators += 1,
        }
        self.put(Token::Mark(mark), mark.len());
        Ok(())
    }

    /// A number or a duration.
    fn number(&mut self) -> Result<(), Refused> {
        let bytes = self.rest().as_bytes();
        let word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_');
        let mut len = bytes.iter().take_while(|byte| word(byte)).count();
        let hex = bytes.len() > 1 && matches!(bytes[1], b'x' | b'X');
        let exponent = matches!(bytes[len - 1], b'e' | b'E') && !hex;
        if exponent && matches!(bytes.get(len), Some(b'+' | b'-')) {
            let more = bytes[len + 1..].iter().take_while(|byte| word(byte));
            len += 1 + more.count();
        }
        let text = &self.rest()[..len];
        let place = self.at..self.at + len;
        let duration = text
            .bytes()
            .last()
            .is_some_and(|byte| matches!(byte, b's' | b'm' | b'h' | b'd' | b'w' | b'y') && !hex);
        if duration {
            let ms = milliseconds(text).map_err(|message| Refused::new(message, place.clone()))?;
            self.expected(place)?;
            self.put(Token::Duration(ms), len);
            return Ok(());
        }
        let Some(value) = number(text) else {
            return Err(Refused::new(format!("`{text}` is not a number"), place));
        };
        if self.inside("[") || self.after_offset() {
            let message = format!("a duration needs a unit: `{text}s`");
            return Err(Refused::new(message, place));
        }
        self.put(Token::Number(value), len);
        Ok(())
    }

    /// Whether a duration may stand here.
    fn expected(&self, place: Range<usize>) -> Result<(), Refused> {
        if self.inside("[") || self.after_offset() {
            return Ok(());
        }
        let message =
            "a duration stands within `[…]` or after `offset`; here a number does, in seconds";
        Err(Refused::new(message, place))
    }

    fn after_offset(&self) -> bool {
        let mut before = self.tokens.iter().rev().map(|placed| &placed.token);
        let mut last = before.next();
        if matches!(last, Some(Token::Mark("+" | "-"))) {
            last = before.next();
        }
        matches!(last, Some(Token::Word(word)) if word.eq_ignore_ascii_case("offset"))
    }

    fn quoted(&mut self, quote: char) -> Result<(), Refused> {
        let from = self.at;
        let body = &self.text[from + 1..];
        let refused = |message: &str, place: Range<usize>| Err(Refused::new(message, place));
        let mut out = String::new();
        let mut chars = body.char_indices();
        while let Some((at, next)) = chars.next() {
            let place = from + 1 + at;
            match next {
                _ if next == quote => {
                    self.put(Token::Text(out), at + 2);
                    return Ok(());
                }
                _ if quote == '`' => out.push(next),
                '\n' => return refused("a string ends on its line", place..place),
                '\\' => {
                    let Some((len, meant)) = escaped(&body[at + 1..], quote) else {
                        let message = "this escape is none that a string of UTF-8 can have";
                        let len = body[at + 1..].chars().next().map_or(0, char::len_utf8);
                        return refused(message, place..place + 1 + len);
                    };
                    out.push(meant);
                    for _ in 0..len {
                        chars.next();
                    }
                }
                _ => out.push(next),
            }
        }
        refused("this string is not closed", from..from + 1)
    }
}

/// What follows a `\`: how many (ASCII) characters it takes and what it means. None of what is no text: bytes past ASCII
/// that are written one by one.
fn escaped(text: &str, quote: char) -> Option<(usize, char)> {
    let kind = text.chars().next()?;
    let digits = |from: usize, count: usize, radix: u32| {
        let digits = text.get(from..from + count)?;
        let plain = digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
        u32::from_str_radix(digits, radix).ok().filter(|_| plain)
    };
    let byte = |value: u32| char::from_u32(value).filter(char::is_ascii);
    Some(match kind {
        'a' => (1, '\x07'),
        'b' => (1, '\x08'),
        'f' => (1, '\x0c'),
        'n' => (1, '\n'),
        'r' => (1, '\r'),
        't' => (1, '\t'),
        'v' => (1, '\x0b'),
        '\\' => (1, '\\'),
        'x' => (3, byte(digits(1, 2, 16)?)?),
        'u' => (5, char::from_u32(digits(1, 4, 16)?)?),
        'U' => (9, char::from_u32(digits(1, 8, 16)?)?),
        '0'..='7' => (3, byte(digits(0, 3, 8)?)?),
        _ if kind == quote => (1, kind),
        _ => return None,
    })
}

/// As Prometheus reads numbers: hexadecimal after `0x`, octal after a `0` where that goes, and decimal.
fn number(text: &str) -> Option<f64> {
    let lower = text.to_ascii_lowercase();
    if let Some(hex) = lower.strip_prefix("0x") {
        let plain = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        return i64::from_str_radix(hex, 16)
            .ok()
            .filter(|_| plain)
            .map(|value| value as f64);
    }
    let octal = lower.strip_prefix('0').filter(|rest| !rest.is_empty());
    if let Some(value) = octal.and_then(|rest| i64::from_str_radix(rest, 8).ok()) {
        return Some(value as f64);
    }
    let plain = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'+' | b'-');
    let value: f64 = lower.parse().ok().filter(|_| lower.bytes().all(plain))?;
    value.is_finite().then_some(value)
}

/// `1h30m`, from the largest unit to the smallest.
fn milliseconds(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u128); 7] = [
        ("y", 365 * 86_400_000),
        ("w", 7 * 86_400_000),
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
        ("ms", 1),
    ];
    let wrong = || format!("`{text}` is not a duration");
    let (mut rest, mut units, mut sum) = (text, &UNITS[..], 0_u128);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (count, tail) = rest.split_at(digits);
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at(letters);
        let place = units.iter().position(|(name, _)| *name == unit);
        let place = place.filter(|_| digits > 0).ok_or_else(wrong)?;
        let count: u128 = count.parse().map_err(|_| wrong())?;
        sum = sum.saturating_add(count.saturating_mul(units[place].1));
        units = &units[place + 1..];
        rest = tail;
    }
    match sum {
        0 => Err("a duration is more than nothing".to_owned()),
        1..=LONGEST_MS => Ok(sum as u64),
        _ => Err(format!("`{text}` is longer than Prometheus can count")),
    }
}

/// What stands for the name in a selector without one before its braces.
pub(super) const NO_NAME: &str = "-";

/// The same expression for the parser. A text, and any word that the parser would take for something else, becomes the
/// number of its token in quotes: the parser has no business with what is in it, and the place is not lost.
pub(super) fn respell(tokens: &[Placed]) -> String {
    let mut out = String::new();
    for (number, placed) in tokens.iter().enumerate() {
        // Writing to a string does not fail.
        let _ = match &placed.token {
            // Within braces the parser would take this one for an operator.
            Token::Word(word) if placed.in_braces && word.eq_ignore_ascii_case("or") => {
                write!(out, "\"{number}\"")
            }
            Token::Word(word) => write!(out, "{word}"),
            // With a point or an exponent, so that a leading zero is not octal.
            Token::Number(value) if value.is_infinite() => write!(out, "Inf"),
            Token::Number(value) => write!(out, "{value:?}"),
            Token::Duration(ms) => spell_duration(&mut out, *ms),
            Token::Text(_) => write!(out, "\"{number}\""),
            Token::Mark("{") if !is_named(&tokens[..number]) => {
                // So that the parser does not judge by the values, which it does not know.
                let more =
                    !matches!(tokens.get(number + 1), Some(next) if next.token == Token::Mark("}"));
                write!(out, "{{\"{NO_NAME}\"{}", if more { "," } else { "" })
            }
            Token::Mark(mark) => write!(out, "{mark}"),
        };
        out.push(' ');
    }
    out
}

/// Whether what comes before a brace is the name of a metric.
fn is_named(before: &[Placed]) -> bool {
    let Some((last, before)) = before.split_last() else {
        return false;
    };
    let Token::Word(word) = &last.token else {
        return false;
    };
    match word.to_ascii_lowercase().as_str() {
        "bool" | "group_left" | "group_right" => false,
        // These may be names too.
        "and" | "or" | "unless" | "atan2" => !before.last().is_some_and(ends_operand),
        _ => true,
    }
}

/// Whether an operand may end here.
pub(super) fn ends_operand(placed: &Placed) -> bool {
    match &placed.token {
        Token::Word(_) | Token::Number(_) | Token::Duration(_) | Token::Text(_) => true,
        Token::Mark(mark) => matches!(*mark, ")" | "}" | "]"),
    }
}

fn spell_duration(out: &mut String, ms: u64) -> std::fmt::Result {
    let parts = [
        (ms / 86_400_000, "d"),
        (ms / 3_600_000 % 24, "h"),
        (ms / 60_000 % 60, "m"),
        (ms / 1000 % 60, "s"),
        (ms % 1000, "ms"),
    ];
    parts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .try_for_each(|(count, unit)| write!(out, "{count}{unit}"))
}
