//! Regular expressions as Prometheus has them: Go's syntax, anchored at both ends.
//!
//! In: a pattern. Out: the same for the `regex` crate, whose syntax differs in a few places: `\d`, `\w`, `\s` and `\b` know
//! only ASCII in Go, a `[` within a class is itself, and so on. The invariant: a pattern that came out matches what it
//! matches in Prometheus; one that Go does not take, or this crate cannot, is refused.

use std::iter::Peekable;
use std::str::Chars;

use regex::{Regex, RegexBuilder};

/// How large a compiled pattern may get, in bytes.
const LARGEST: usize = 1 << 20;

/// Compiles a pattern that has to match a whole text.
///
/// # Errors
/// With a sentence's end: what is wrong with it.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    let translated = translate(pattern)?;
    RegexBuilder::new(&format!("^(?:{translated})$"))
        .size_limit(LARGEST)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
            error => {
                let text = error.to_string();
                let last = text.lines().last().unwrap_or_default();
                last.trim_start_matches("error: ").to_owned()
            }
        })
}

fn translate(pattern: &str) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern.chars().peekable();
    // Whether a repetition was just written: Go allows one and a `?` after it.
    let mut repeated = false;
    while let Some(next) = rest.next() {
        let repeats = match next {
            '\\' => {
                escape(&mut rest, &mut out, false)?;
                false
            }
            '[' => {
                class(&mut rest, &mut out)?;
                false
            }
            '(' => {
                out.push('(');
                group(&mut rest, &mut out)?;
                false
            }
            '{' => {
                if let Some(len) = bounds(&rest)? {
                    out.push('{');
                    out.extend(rest.by_ref().take(len));
                    true
                } else {
                    out.push_str("\\{");
                    false
                }
            }
            '}' => {
                out.push_str("\\}");
                false
            }
            '*' | '+' | '?' => {
                out.push(next);
                true
            }
            _ => {
                out.push(next);
                false
            }
        };
        if repeats {
            if repeated {
                return Err("a repetition of a repetition is not allowed".to_owned());
            }
            if rest.peek() == Some(&'?') {
                rest.next();
                out.push('?');
            }
        }
        repeated = repeats;
    }
    Ok(out)
}

/// How long `n}`, `n,}` or `n,m}` is that begins here; with anything else the brace is itself.
fn bounds(rest: &Peekable<Chars<'_>>) -> Result<Option<usize>, String> {
    /// More than this many times is too often for Go.
    const MOST: u64 = 1000;
    let text: String = rest.clone().take_while(|next| *next != '}').collect();
    let closed = rest.clone().nth(text.chars().count()).is_some();
    let (from, to) = text.split_once(',').unwrap_or((&text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !closed || from.is_empty() || !digits(from) || !digits(to) {
        return Ok(None);
    }
    let too_many = |text: &str| !text.is_empty() && !matches!(text.parse(), Ok(0..=MOST));
    if too_many(from) || too_many(to) {
        return Err(format!(
            "a repetition of more than {MOST} times is not allowed"
        ));
    }
    Ok(Some(text.len() + 1))
}

/// What stands behind `(`: Go has the flags `imsU`, and names as `?P<name>`.
fn group(rest: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<(), String> {
    if rest.peek() != Some(&'?') {
        return Ok(());
    }
    rest.next();
    out.push('?');
    if rest.peek() == Some(&'P') {
        return Ok(());
    }
    for flag in rest.by_ref() {
        match flag {
            'i' | 'm' | 's' | 'U' | '-' => out.push(flag),
            ':' | ')' => {
                out.push(flag);
                return Ok(());
            }
            _ => return Err(format!("`(?{flag}` is not allowed")),
        }
    }
    Err("a group is not closed".to_owned())
}

/// What stands behind `\`.
fn escape(rest: &mut Peekable<Chars<'_>>, out: &mut String, in_class: bool) -> Result<(), String> {
    let Some(next) = rest.next() else {
        return Err("it ends in a `\\`".to_owned());
    };
    let (class, negated) = match next {
        'd' | 'D' => ("0-9", next == 'D'),
        'w' | 'W' => ("0-9A-Za-z_", next == 'W'),
        's' | 'S' => ("\\t\\n\\x0C\\r ", next == 'S'),
        'b' if !in_class => {
            out.push_str("(?-u:\\b)");
            return Ok(());
        }
        'B' if !in_class => {
            // Between the bytes of one character Go never looks.
            return Err("`\\B` is not supported".to_owned());
        }
        'Q' => {
            quoted(rest, out);
            return Ok(());
        }
        'u' | 'h' | 'H' | 'R' | 'K' | 'Z' | 'G' => {
            return Err(format!("`\\{next}` is not allowed"));
        }
        _ if !next.is_ascii() => return Err(format!("`\\{next}` is not allowed")),
        _ if next.is_ascii_alphanumeric() => {
            out.push('\\');
            out.push(next);
            return Ok(());
        }
        _ => {
            out.push_str(&regex::escape(next.encode_utf8(&mut [0; 4])));
            return Ok(());
        }
    };
    match (in_class, negated) {
        (true, false) => out.push_str(class),
        (_, negated) => {
            out.push_str(if negated { "[^" } else { "[" });
            out.push_str(class);
            out.push(']');
        }
    }
    Ok(())
}

/// What stands between `\Q` and `\E`, or the end.
fn quoted(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    while let Some(next) = rest.next() {
        if next == '\\' && rest.peek() == Some(&'E') {
            rest.next();
            return;
        }
        out.push_str(&regex::escape(next.encode_utf8(&mut [0; 4])));
    }
}

/// What stands behind `[`, up to its end.
fn class(rest: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<(), String> {
    out.push('[');
    if rest.peek() == Some(&'^') {
        rest.next();
        out.push('^');
    }
    let mut first = true;
    while let Some(next) = rest.next() {
        match next {
            ']' if !first => {
                out.push(']');
                return Ok(());
            }
            '\\' => escape(rest, out, true)?,
            '[' if rest.peek() == Some(&':') => {
                out.push('[');
                // `[:alpha:]` is the same in both.
                for next in rest.by_ref() {
                    out.push(next);
                    if next == ']' {
                        break;
                    }
                }
            }
            // The crate knows classes within classes, and operators on them.
            '[' | ']' | '&' | '~' => {
                out.push('\\');
                out.push(next);
            }
            '-' if rest.peek() == Some(&'-') => {
                return Err("`--` in a class is not supported".into());
            }
            _ => out.push(next),
        }
        first = false;
    }
    Err("a class is not closed".to_owned())
}

/// Writes a template of `label_replace`: `$1`, `${1}`, `$name`, `${name}` stand for groups, `$$` for `$`, and a `$` before
/// anything else for itself.
pub(super) fn expand(template: &str, groups: &regex::Captures<'_>, out: &mut String) {
    let mut rest = template;
    while let Some(place) = rest.find('$') {
        out.push_str(&rest[..place]);
        rest = &rest[place + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let (braced, body) = match rest.strip_prefix('{') {
            Some(body) => (true, body),
            None => (false, rest),
        };
        let word = |next: char| next.is_alphanumeric() || next == '_';
        let len = body.find(|next| !word(next)).unwrap_or(body.len());
        let (name, after) = body.split_at(len);
        let after = if braced {
            after.strip_prefix('}')
        } else {
            Some(after)
        };
        let Some(after) = after.filter(|_| !name.is_empty()) else {
            out.push('$');
            continue;
        };
        let group = match name.parse::<usize>() {
            Ok(number) => groups.get(number),
            Err(_) => groups.name(name),
        };
        out.push_str(group.map_or("", |group| group.as_str()));
        rest = after;
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_go() {
        for (pattern, yes, no) in [
            ("a.*", "abc", "bab"),
            ("a|b", "b", "ab"),
            (r"\d+", "12", "٣"),
            (r"[\d.]+", "1.2", "٣"),
            (r"\w+\s\w+", "a b", "é b"),
            (r"[^\W]+", "ab_1", "a-b"),
            ("[[a]+", "[a[", "[a]"),
            ("[a&&b]+", "a&b", "c"),
            ("[]a]+", "]a", "b"),
            ("a{b}c", "a{b}c", "abc"),
            ("a{,2}", "a{,2}", "aa"),
            ("a{2,}", "aaa", "a"),
            (r"\Qa.b\E+", "a.bb", "axb"),
            (r"a\<b", "a<b", "ab"),
            (r"a\bb|a b", "a b", "ab"),
            ("(?i)GET", "get", "gets"),
            ("[[:alpha:]]+", "abc", "1"),
            (".", "a", "\n"),
            ("(?s).", "\n", ""),
            ("a$|b", "a", "a\n"),
            ("x*?y+?", "xyy", "x"),
        ] {
            let regex = compile(pattern).unwrap();
            assert!(regex.is_match(yes), "{pattern} {yes}");
            assert!(!regex.is_match(no), "{pattern} {no}");
        }
    }

    #[test]
    fn what_go_does_not_take_is_refused() {
        for pattern in [
            "(", "a**", "(?x)a", r"\8", "[b-a]", "(?<n>a)", "*", r"\", "a{1001}",
        ] {
            assert!(compile(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn templates_are_filled_as_in_go() {
        let regex = compile("(?P<a>.)(.)").unwrap();
        let groups = regex.captures("xy").unwrap();
        for (template, expected) in [
            ("$1-$2", "x-y"),
            ("${1}0", "x0"),
            ("$10", ""),
            ("$a_", ""),
            ("${a}_$$", "x_$"),
            ("$-${", "$-${"),
            ("$3", ""),
        ] {
            let mut out = String::new();
            expand(template, &groups, &mut out);
            assert_eq!(out, expected, "{template}");
        }
    }
}
