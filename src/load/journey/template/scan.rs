//! A look at the tags of a template before it is compiled.
//!
//! In: template text. Out: the names that its tags use as filters, tests and functions, and what is refused. The
//! template engine itself meets an unknown filter only when it renders; here it is met before the start. The
//! invariant: a template that passes can grow what it prints only by what it writes out or draws, never by itself.

/// Largest template, bytes.
pub(super) const LARGEST: usize = 64 * 1024;
/// Loops within loops.
const DEEPEST: usize = 2;
const BLOCKS: [&str; 6] = ["if", "elif", "else", "endif", "for", "endfor"];

/// What one tag is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Expression,
    Block,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Ident(String),
    /// A string or a number.
    Literal,
    Sign(char),
    /// `**`
    Power,
}

#[derive(Debug)]
struct Tag {
    kind: Kind,
    tokens: Vec<Token>,
    /// Where the tag begins and ends in the text.
    span: (usize, usize),
}

/// Names that the tags use.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Uses {
    pub(super) filters: Vec<String>,
    pub(super) tests: Vec<String>,
    /// Names followed by `(`.
    pub(super) calls: Vec<String>,
    /// Names not followed by `(`, attributes left out.
    pub(super) bare: Vec<String>,
}

/// Whether a text has anything to fill in.
pub(in super::super) fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// The names used, or a sentence on what cannot be had in a template.
pub(super) fn uses(text: &str) -> Result<Uses, String> {
    if text.len() > LARGEST {
        return Err(format!(
            "a template may have {LARGEST} bytes, this one has {}",
            text.len()
        ));
    }
    let mut uses = Uses::default();
    let mut depth = 0usize;
    for tag in tags(text) {
        if tag.kind == Kind::Block {
            depth = check_block(&tag.tokens, depth)?;
        }
        if tag.tokens.contains(&Token::Sign('*')) {
            return Err(
                "`*` cannot be used in a template (a repeated list could fill the memory); write product(a, b)".into(),
            );
        }
        collect(&tag.tokens, &mut uses);
    }
    Ok(uses)
}

/// The last filter of a text that is exactly one `{{ … }}`.
pub(super) fn lone_filter(text: &str) -> Option<String> {
    let tags = tags(text);
    let [tag] = tags.as_slice() else { return None };
    if tag.kind != Kind::Expression || tag.span != (0, text.len()) {
        return None;
    }
    match tag.tokens.as_slice() {
        [.., Token::Sign('|'), Token::Ident(name)] => Some(name.clone()),
        _ => None,
    }
}

fn check_block(tokens: &[Token], depth: usize) -> Result<usize, String> {
    let Some(Token::Ident(word)) = tokens.first() else {
        return Ok(depth);
    };
    if !BLOCKS.contains(&word.as_str()) {
        return Err(format!(
            "`{{% {word} %}}` cannot be used here; there are if, elif, else, endif, for and endfor"
        ));
    }
    if tokens.contains(&Token::Ident("recursive".into())) {
        return Err("a loop cannot be `recursive` here".into());
    }
    match word.as_str() {
        "for" if depth == DEEPEST => Err(format!("loops go {DEEPEST} deep at most")),
        "for" => Ok(depth + 1),
        "endfor" => Ok(depth.saturating_sub(1)),
        _ => Ok(depth),
    }
}

fn collect(tokens: &[Token], uses: &mut Uses) {
    for (i, token) in tokens.iter().enumerate() {
        let Token::Ident(name) = token else { continue };
        let before = i.checked_sub(1).map(|i| &tokens[i]);
        let is_test = match before {
            Some(Token::Ident(word)) if word == "is" => name != "not",
            Some(Token::Ident(word)) if word == "not" => {
                i >= 2 && tokens[i - 2] == Token::Ident("is".into())
            }
            _ => false,
        };
        let after = tokens.get(i + 1);
        match (before, after) {
            (Some(Token::Sign('.')), _) => {}
            (Some(Token::Sign('|')), _) => uses.filters.push(name.clone()),
            _ if is_test => uses.tests.push(name.clone()),
            (_, Some(Token::Sign('('))) => uses.calls.push(name.clone()),
            _ => uses.bare.push(name.clone()),
        }
    }
}

fn tags(text: &str) -> Vec<Tag> {
    let mut tags = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find('{').map(|found| found + at) {
        let rest = &text[open..];
        let kind = if rest.starts_with("{{") {
            Kind::Expression
        } else if rest.starts_with("{%") {
            Kind::Block
        } else {
            at = open + 1;
            if rest.starts_with("{#") {
                at = rest.find("#}").map_or(text.len(), |end| open + end + 2);
            }
            continue;
        };
        let (tokens, end) = tokens(text, open + 2, kind);
        at = end;
        tags.push(Tag {
            kind,
            tokens,
            span: (open, end),
        });
    }
    tags
}

/// Tokens from `at` to the tag's end, and where that is.
fn tokens(text: &str, at: usize, kind: Kind) -> (Vec<Token>, usize) {
    let close = match kind {
        Kind::Expression => "}}",
        Kind::Block => "%}",
    };
    let (mut tokens, mut depth, mut at) = (Vec::new(), 0i32, at);
    while let Some(c) = text[at..].chars().next() {
        if depth <= 0 && text[at..].starts_with(close) {
            at += 2;
            break;
        }
        let length = match c {
            _ if c.is_whitespace() => c.len_utf8(),
            '"' | '\'' => {
                tokens.push(Token::Literal);
                quoted(&text[at..], c)
            }
            _ if c.is_ascii_alphabetic() || c == '_' => {
                let word = leading(&text[at..], |c| c.is_ascii_alphanumeric() || c == '_');
                tokens.push(Token::Ident(word.to_owned()));
                word.len()
            }
            _ if c.is_ascii_digit() => {
                tokens.push(Token::Literal);
                leading(&text[at..], |c| c.is_ascii_alphanumeric() || c == '_').len()
            }
            '*' if text[at..].starts_with("**") => {
                tokens.push(Token::Power);
                2
            }
            _ => {
                depth += match c {
                    '(' | '[' | '{' => 1,
                    ')' | ']' | '}' => -1,
                    _ => 0,
                };
                tokens.push(Token::Sign(c));
                c.len_utf8()
            }
        };
        at += length;
    }
    // `{{-` and `-}}` trim whitespace.
    if matches!(tokens.first(), Some(Token::Sign('-' | '+'))) && kind == Kind::Block {
        tokens.remove(0);
    }
    if matches!(tokens.last(), Some(Token::Sign('-' | '+'))) {
        tokens.pop();
    }
    (tokens, at)
}

fn leading(text: &str, wanted: impl Fn(char) -> bool) -> &str {
    let end = text.find(|c| !wanted(c)).unwrap_or(text.len());
    &text[..end]
}

/// Length of a quoted string, its quotes included.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (i, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return i + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_tests_calls_and_names_are_told_apart() {
        let uses = uses(
            "{{ user.name | lower | default('a | b') }}{% if x is not defined %}{{ uuid() }}{% endif %}",
        )
        .unwrap();
        assert_eq!(uses.filters, ["lower", "default"]);
        assert_eq!(uses.tests, ["defined"]);
        assert_eq!(uses.calls, ["uuid"]);
        assert!(uses.bare.contains(&"user".into()) && uses.bare.contains(&"x".into()));
    }

    #[test]
    fn what_could_grow_without_end_is_refused() {
        for text in [
            "{{ 'a' * 1000000 }}",
            "{% set a = a ~ a %}",
            "{%- macro m() %}{% endmacro %}",
            "{% for a in b recursive %}{% endfor %}",
            "{% for a in b %}{% for c in d %}{% for e in f %}{% endfor %}{% endfor %}{% endfor %}",
        ] {
            assert!(uses(text).is_err(), "{text}");
        }
        assert!(uses("{{ 2 ** 3 }}{{ '*' }}").is_ok());
        assert!(uses(&" ".repeat(LARGEST + 1)).is_err());
    }

    #[test]
    fn a_lone_expression_is_known_by_its_last_filter() {
        assert_eq!(lone_filter("{{ a | int }}"), Some("int".into()));
        assert_eq!(
            lone_filter("{{- {'a': 1}|tojson -}}"),
            Some("tojson".into())
        );
        assert_eq!(lone_filter("{{ a | int }} "), None);
        assert_eq!(lone_filter("{{ a | int }}{{ b | int }}"), None);
        assert_eq!(lone_filter("{{ a }}"), None);
    }
}
