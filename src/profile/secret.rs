//! Text that may hold a secret, kept apart by type, and the means to blot a secret out of anything else.
//!
//! In: values of `${secret:NAME}`. Out: [`Text`], which shows `‹secret:NAME›`, and a [`Redactor`] for what comes back
//! from outside. The invariant: no `Display`, no `Debug` and no error message of this crate holds a secret's value.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stands in a sentence after foreign text that was quoted and cut.
pub const CUT: &str = "\"…";

/// A string from a profile in which `${secret:NAME}` has been filled in.
///
/// Printing it, by `Display` or `Debug`, shows `‹secret:NAME›` in the place of the value; only
/// [`Text::reveal`] gives what is really sent.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Text {
    real: String,
    shown: Option<String>,
}

impl Text {
    /// Text without a secret.
    pub fn plain(text: impl Into<String>) -> Self {
        Self {
            real: text.into(),
            shown: None,
        }
    }

    /// Text with secrets in it, and the form that may be shown.
    pub fn with_secret(real: impl Into<String>, shown: impl Into<String>) -> Self {
        Self {
            real: real.into(),
            shown: Some(shown.into()),
        }
    }

    /// The real value. Only what goes to the wire may call this.
    pub fn reveal(&self) -> &str {
        &self.real
    }

    /// The form that may be shown.
    pub fn shown(&self) -> &str {
        self.shown.as_deref().unwrap_or(&self.real)
    }

    /// Whether a secret is in it.
    pub fn is_secret(&self) -> bool {
        self.shown.is_some()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.shown(), f)
    }
}

/// What stands in the place of a secret wherever it could be seen.
pub fn placeholder(name: &str) -> String {
    format!("‹secret:{name}›")
}

/// The secrets of a profile: names and values. Printing shows the names only.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// Adds a secret, or replaces the one of that name.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values, for the environment of a process that needs them.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// Blots secrets out of text and bytes that come from outside: error bodies, messages of other libraries.
///
/// It finds a value as it stands, escaped for JSON, percent-encoded and in base64. Without secrets it costs nothing
/// and copies nothing; with secrets, one pass over the input whatever their number.
#[derive(Clone, Default)]
pub struct Redactor {
    search: Option<AhoCorasick>,
    /// What is searched for, and what is put in its place, by pattern.
    patterns: Arc<[String]>,
    replacements: Vec<String>,
}

/// What the URL standard encodes in a path.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}');
/// What the URL standard encodes in a query.
const QUERY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'\'');
/// All but RFC 3986's unreserved characters.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// What the URL standard encodes in a user name or password.
const USERINFO: &AsciiSet = &PATH
    .add(b'/')
    .add(b':')
    .add(b';')
    .add(b'=')
    .add(b'@')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'|');

/// Values at least this long are also looked for in base64 without its padding; shorter ones would hit by chance.
const UNPADDED_FROM: usize = 4;

/// Every form in which `value` may come back.
fn forms(value: &str) -> BTreeSet<String> {
    let mut forms = BTreeSet::from([value.to_owned(), quoted(value)]);
    forms.insert(value.escape_debug().to_string());
    if let Ok(json) = serde_json::to_string(value) {
        let escaped = &json[1..json.len() - 1];
        // JSON that a sentence quotes.
        forms.insert(quoted(escaped));
        forms.insert(escaped.replace('/', "\\/"));
        forms.insert(escaped.to_owned());
    }
    for set in [NON_ALPHANUMERIC, STRICT, PATH, QUERY, USERINFO] {
        let encoded = utf8_percent_encode(value, set).to_string();
        forms.insert(lower_hex(&encoded));
        forms.insert(encoded.replace("%20", "+"));
        forms.insert(encoded);
    }
    let form: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    forms.insert(form);
    forms.insert(STANDARD.encode(value));
    forms.insert(URL_SAFE.encode(value));
    if value.len() >= UNPADDED_FROM {
        forms.insert(STANDARD_NO_PAD.encode(value));
        forms.insert(URL_SAFE_NO_PAD.encode(value));
    }
    forms
}

/// As `{:?}` shows it, without the quotes: it escapes fewer characters than `escape_debug`.
fn quoted(value: &str) -> String {
    let quoted = format!("{value:?}");
    quoted[1..quoted.len() - 1].to_owned()
}

/// `%2F` becomes `%2f`; everything else stays.
fn lower_hex(encoded: &str) -> String {
    let mut hex = 0;
    encoded
        .chars()
        .map(|c| {
            if c == '%' {
                hex = 2;
                return c;
            }
            let lower = hex > 0;
            hex -= i32::from(lower);
            if lower { c.to_ascii_lowercase() } else { c }
        })
        .collect()
}

impl Redactor {
    /// A redactor for these secrets.
    pub fn new(secrets: &Secrets) -> Self {
        let mut patterns = Vec::new();
        let mut replacements = Vec::new();
        for (name, value) in secrets.0.iter().filter(|(_, value)| !value.is_empty()) {
            for form in forms(value) {
                patterns.push(form);
                replacements.push(placeholder(name));
            }
        }
        if patterns.is_empty() {
            return Self::default();
        }
        // Longest first, so that of a secret and its own beginning the whole one goes.
        let search = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&patterns)
            .ok();
        Self {
            search,
            patterns: patterns.into(),
            replacements,
        }
    }

    /// `text` with every secret replaced by `‹secret:NAME›`.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match &self.search {
            Some(search) if search.is_match(text) => {
                Cow::Owned(search.replace_all(text, &self.replacements))
            }
            // The automaton could not be built, which takes gigabytes of secrets: better nothing than a secret.
            None if !self.replacements.is_empty() => Cow::Borrowed("‹redacted›"),
            _ => Cow::Borrowed(text),
        }
    }

    /// `bytes` with every secret replaced by `‹secret:NAME›` in UTF-8.
    pub fn bytes<'t>(&self, bytes: &'t [u8]) -> Cow<'t, [u8]> {
        match &self.search {
            Some(search) if search.is_match(bytes) => {
                Cow::Owned(search.replace_all_bytes(bytes, &self.replacements))
            }
            None if !self.replacements.is_empty() => Cow::Borrowed("‹redacted›".as_bytes()),
            _ => Cow::Borrowed(bytes),
        }
    }
}

impl Redactor {
    /// A sentence with every secret replaced, and without the beginnings of secrets that stand where foreign text was
    /// cut, before [`CUT`].
    pub fn sentence(&self, text: &str) -> String {
        let parts: Vec<&str> = text.split(CUT).collect();
        let last = parts.len() - 1;
        let kept = parts.iter().enumerate().map(|(place, part)| {
            // A form begins at a character, so the text is cut between two.
            let end = (place < last).then(|| self.whole(part.as_bytes()));
            end.and_then(|end| part.get(..end)).unwrap_or(part)
        });
        let kept = kept.collect::<Vec<_>>().join(CUT);
        self.text(&kept).into_owned()
    }

    /// Foreign bytes as text, every secret replaced. When they are only the start of something, a secret may be cut
    /// at their end: what could be the beginning of one is left out.
    pub fn excerpt(&self, bytes: &[u8], cut: bool) -> String {
        let end = if cut { self.whole(bytes) } else { bytes.len() };
        String::from_utf8_lossy(&self.bytes(&bytes[..end])).into_owned()
    }

    /// Length of `bytes` without an end that is the beginning of a secret, in whichever form, but not all of it.
    fn whole(&self, bytes: &[u8]) -> usize {
        let longest = self.patterns.iter().map(String::len).max().unwrap_or(0);
        let mut end = bytes.len();
        // What is left out may have been the end of another secret as well, so look again.
        loop {
            let tails = end.saturating_sub(longest)..end;
            let found = tails.map(|start| &bytes[start..end]).find_map(|tail| {
                let begun = |form: &&String| form.as_bytes().starts_with(tail);
                self.patterns.iter().find(begun).map(|form| (tail, form))
            });
            match found {
                Some((tail, form)) if tail.len() < form.len() => end -= tail.len(),
                Some(_) | None => return end,
            }
        }
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: BTreeSet<&str> = self.replacements.iter().map(String::as_str).collect();
        f.debug_tuple("Redactor").field(&names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(pairs: &[(&str, &str)]) -> Redactor {
        let mut secrets = Secrets::default();
        for (name, value) in pairs {
            secrets.insert(*name, *value);
        }
        Redactor::new(&secrets)
    }

    #[test]
    fn a_secret_is_blotted_out_in_every_form_it_may_come_back_in() {
        let value = "p\"ä /+?";
        let redactor = redactor(&[("TOKEN", value)]);
        for form in [
            value.to_owned(),
            serde_json::to_string(value).unwrap(),
            "p%22%C3%A4%20%2F%2B%3F".to_owned(),
            "p%22%c3%a4%20%2f%2b%3f".to_owned(),
            "p%22%C3%A4+%2F%2B%3F".to_owned(),
            STANDARD.encode(value),
            format!("{value:?}"),
        ] {
            let text = format!("before {form} after");
            let shown = redactor.text(&text);
            assert!(shown.contains("‹secret:TOKEN›"), "{shown}");
            assert!(!shown.contains(&form), "{shown}");
            assert!(shown.starts_with("before ") && shown.ends_with(" after"));
            assert_eq!(redactor.bytes(text.as_bytes()), shown.as_bytes());
        }
    }

    #[test]
    fn bytes_that_are_not_text_are_searched_as_well() {
        let redactor = redactor(&[("KEY", "hunter2")]);
        let found = redactor.bytes(b"\xff\x00hunter2\xfe");
        assert_eq!(
            &*found,
            "\u{0}‹secret:KEY›"
                .as_bytes()
                .iter()
                .fold(vec![0xff], |mut all, b| {
                    all.push(*b);
                    all
                })
                .into_iter()
                .chain([0xfe])
                .collect::<Vec<u8>>()
        );
    }

    #[test]
    fn short_secrets_and_secrets_within_secrets_go_too() {
        let redactor = redactor(&[("A", "xy"), ("B", "xyz0")]);
        assert_eq!(redactor.text("xyz0 xy"), "‹secret:B› ‹secret:A›");
    }

    #[test]
    fn a_secret_that_was_cut_leaves_no_beginning_behind() {
        let redactor = redactor(&[("TOKEN", "hunter2-äß"), ("KEY", "hun")]);
        for (cut, left) in [
            ("token=hunter2-", "token="),
            ("token=h", "token="),
            ("token=hunter2-%C3%A", "token="),
            ("token=hunter2-äß", "token=‹secret:TOKEN›"),
            ("nothing", "nothing"),
            ("", ""),
        ] {
            assert_eq!(redactor.excerpt(cut.as_bytes(), true), left);
        }
        let half = "hunter2-ä".as_bytes();
        assert_eq!(redactor.excerpt(&half[..half.len() - 1], true), "");
        assert_eq!(redactor.excerpt(b"oh", false), "oh");
    }

    #[test]
    fn a_sentence_that_quotes_what_was_cut_ends_before_the_secret() {
        let redactor = redactor(&[("TOKEN", "s3cret\"x")]);
        let said = r#"found "key s3cret\""…, expected "s3""#;
        assert_eq!(redactor.sentence(said), r#"found "key "…, expected "s3""#);
    }

    #[test]
    fn without_secrets_nothing_is_copied() {
        let redactor = redactor(&[("EMPTY", "")]);
        assert!(matches!(
            redactor.text("as it is"),
            Cow::Borrowed("as it is")
        ));
    }

    #[test]
    fn printing_shows_names_only() {
        let mut secrets = Secrets::default();
        secrets.insert("TOKEN", "hunter2");
        let text = Text::with_secret("Bearer hunter2", "Bearer ‹secret:TOKEN›");
        let all = format!("{secrets:?} {:?} {text} {text:?}", Redactor::new(&secrets));
        assert!(!all.contains("hunter2"), "{all}");
        assert!(all.contains("TOKEN"), "{all}");
    }
}
