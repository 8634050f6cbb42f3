//! What a program or an answer said, fit to be shown and recorded: bounded, one kind of line break, no control characters,
//! no secret.

use crate::profile::Redactor;

/// The most that is kept, in bytes: the end of it, where the reason usually stands.
pub const KEPT: usize = 8 << 10;

/// What an error quotes of it, in characters.
const QUOTED: usize = 400;

/// Foreign bytes as text.
///
/// Secrets are blotted out before and after control characters go: one may hold them, or be held apart by them.
pub fn clean(bytes: &[u8], redactor: &Redactor) -> String {
    let text = String::from_utf8_lossy(&redactor.bytes(bytes)).into_owned();
    let plain = without_escapes(&text);
    let plain = redactor.text(plain.trim_end());
    match plain.len().checked_sub(KEPT) {
        None | Some(0) => plain.into_owned(),
        Some(over) => format!("…{}", &plain[plain.ceil_char_boundary(over)..]),
    }
}

/// Without the sequences that colour a terminal, and without control characters but line breaks and tabs.
fn without_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' if chars.next_if_eq(&'[').is_some() => {
                // Parameters, then one letter.
                for c in chars.by_ref() {
                    if ('@'..='~').contains(&c) {
                        break;
                    }
                }
            }
            '\r' if chars.peek() != Some(&'\n') => plain.push('\n'),
            '\n' | '\t' => plain.push(c),
            c if c.is_control() => {}
            c => plain.push(c),
        }
    }
    plain
}

/// The end of what was said, on one line, for a sentence; empty when nothing was.
pub fn quoted(said: &str) -> String {
    let lines: Vec<&str> = said
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect();
    let text = lines.join("; ");
    let Some(over) = text.chars().count().checked_sub(QUOTED) else {
        return text;
    };
    let end: String = text.chars().skip(over).collect();
    if over == 0 { end } else { format!("…{end}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Secrets;

    fn redactor() -> Redactor {
        let mut secrets = Secrets::default();
        secrets.insert("TOKEN", "hunter2");
        Redactor::new(&secrets)
    }

    #[test]
    fn colours_go_and_a_secret_that_they_hold_apart_goes_too() {
        let said = clean(
            b"\x1b[31mred\x1b[0m hun\x1b[1mter2\r\n50%\r100%\x07\xff\n\n",
            &redactor(),
        );
        assert_eq!(said, "red ‹secret:TOKEN›\n50%\n100%\u{fffd}");
    }

    #[test]
    fn of_much_the_end_is_kept() {
        let much = format!("{}end", "ä".repeat(KEPT));
        let said = clean(much.as_bytes(), &Redactor::default());
        assert!(said.len() <= KEPT + '…'.len_utf8(), "{}", said.len());
        assert!(said.starts_with("…ä") && said.ends_with("end"));
        let sentence = quoted(&said);
        assert_eq!(sentence.chars().count(), QUOTED + 1);
        assert!(sentence.ends_with("end"));
        assert_eq!(quoted("one\n\n two\n"), "one; two");
    }
}
