//! Compiling templates: what a step's strings may hold, checked before the start.
//!
//! In: text, JSON and forms of a profile, and the names that are known. Out: patterns and an environment that holds
//! their templates, or a sentence with the nearest known name. The invariant: a pattern that exists names only
//! functions, filters, tests, feeds and values that there are.

use std::collections::BTreeSet;

use minijinja::Environment;
use serde::de::IgnoredAny;

use super::{Mode, Part, Pattern, filters, functions, is_template, scan, sentence};

/// Filters after which a lone expression is sent bare in a JSON body.
const BARE: [&str; 6] = ["number", "int", "float", "bool", "json", "tojson"];

/// What a template may refer to besides functions.
#[derive(Debug, Default, Clone)]
pub(in super::super) struct Known {
    /// Data feeds, by name.
    pub(in super::super) feeds: Vec<String>,
    /// Values saved by the steps before.
    pub(in super::super) saved: Vec<String>,
}

impl Known {
    fn has(&self, name: &str) -> bool {
        self.feeds
            .iter()
            .chain(&self.saved)
            .any(|known| known == name)
    }
}

/// Compiles the templates of one step.
#[derive(Debug)]
pub(in super::super) struct Compiler<'a> {
    pub(in super::super) env: Environment<'static>,
    pub(in super::super) known: &'a Known,
    /// Feeds and their columns that the templates use: `user`, `user.name`.
    pub(in super::super) used: BTreeSet<String>,
    count: usize,
}

impl<'a> Compiler<'a> {
    pub(in super::super) fn new(env: Environment<'static>, known: &'a Known) -> Self {
        Self {
            env,
            known,
            used: BTreeSet::new(),
            count: 0,
        }
    }

    /// Plain text with templates.
    pub(in super::super) fn text(&mut self, text: &str) -> Result<Pattern, String> {
        let template = self.add(text)?;
        Ok(Pattern {
            parts: vec![Part::Dynamic {
                template,
                mode: Mode::Plain,
            }],
        })
    }

    /// Compact JSON whose strings may hold templates.
    pub(in super::super) fn json(&mut self, text: &str) -> Result<Pattern, String> {
        serde_json::from_str::<IgnoredAny>(text)
            .map_err(|error| format!("is not JSON: {error}"))?;
        let (mut pattern, mut rest) = (Pattern::default(), text);
        while let Some(open) = rest.find('"') {
            let (before, string) = rest.split_at(open);
            let end = string_end(string);
            let (string, after) = string.split_at(end);
            // The whole text was JSON, so each string of it is.
            let inner: String = serde_json::from_str(string).map_err(|error| error.to_string())?;
            if is_template(&inner) {
                let bare = scan::lone_filter(&inner)
                    .is_some_and(|last| BARE.contains(&last.as_str()))
                    && !after.trim_start().starts_with(':');
                let template = self.add(&inner)?;
                let (quote, mode) = if bare {
                    ("", Mode::JsonBare)
                } else {
                    ("\"", Mode::JsonString)
                };
                pattern.push(before);
                pattern.push(quote);
                pattern.parts.push(Part::Dynamic { template, mode });
                pattern.push(quote);
            } else {
                pattern.push(before);
                pattern.push(string);
            }
            rest = after;
        }
        pattern.push(rest);
        Ok(pattern)
    }

    /// URL-encoded pairs.
    pub(in super::super) fn form<'t>(
        &mut self,
        pairs: impl Iterator<Item = (&'t str, &'t str)>,
    ) -> Result<Pattern, String> {
        let mut pattern = Pattern::default();
        for (i, (name, value)) in pairs.enumerate() {
            if i > 0 {
                pattern.push("&");
            }
            pattern.push(&form_encode(name));
            pattern.push("=");
            if is_template(value) {
                let template = self.add(value)?;
                pattern.parts.push(Part::Dynamic {
                    template,
                    mode: Mode::Form,
                });
            } else {
                pattern.push(&form_encode(value));
            }
        }
        Ok(pattern)
    }

    fn add(&mut self, text: &str) -> Result<Box<str>, String> {
        let uses = scan::uses(text)?;
        let name = self.count.to_string();
        self.count += 1;
        self.env
            .add_template_owned(name.clone(), text.to_owned())
            .map_err(|error| sentence(&error))?;
        let template = self
            .env
            .get_template(&name)
            .map_err(|error| sentence(&error))?;
        for filter in &uses.filters {
            known("filter", filter, filters::FILTERS.iter().copied())?;
        }
        for test in &uses.tests {
            known("test", test, filters::TESTS.iter().copied())?;
        }
        let mut undeclared: Vec<_> = template.undeclared_variables(false).into_iter().collect();
        undeclared.sort();
        for variable in undeclared {
            self.variable(&variable, &uses)?;
        }
        let nested = template.undeclared_variables(true);
        self.used.extend(nested.into_iter().filter(|path| {
            let name = path.split('.').next().unwrap_or_default();
            self.known.feeds.iter().any(|feed| feed == name)
        }));
        Ok(name.into())
    }

    fn variable(&self, name: &str, uses: &scan::Uses) -> Result<(), String> {
        let called = uses.calls.iter().any(|call| call == name);
        let function = functions::FUNCTIONS.contains(&name);
        match (self.known.has(name), function) {
            (true, true) if called => Err(format!(
                "`{name}` is a data feed or saved value here, so `{name}()` cannot be called; rename it"
            )),
            (false, true) if uses.bare.iter().any(|bare| bare == name) => {
                Err(format!("`{name}` is a function; write `{name}()`"))
            }
            (true, _) | (false, true) => Ok(()),
            (false, false) => {
                let names = self
                    .known
                    .feeds
                    .iter()
                    .chain(&self.known.saved)
                    .map(String::as_str);
                let names = names.chain(functions::FUNCTIONS);
                if called {
                    known("function", name, names)
                } else {
                    known(
                        "data feed, value saved by an earlier step, or function",
                        name,
                        names,
                    )
                }
            }
        }
    }
}

/// A sentence on an unknown name with the nearest known one.
fn known<'a>(
    kind: &str,
    name: &str,
    mut names: impl Iterator<Item = &'a str> + Clone,
) -> Result<(), String> {
    if names.clone().any(|known| known == name) {
        return Ok(());
    }
    let near = names
        .by_ref()
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .filter(|&(distance, _)| distance <= 1 + name.len() / 3)
        .min();
    let hint = near.map_or(String::new(), |(_, near)| {
        format!("; did you mean `{near}`?")
    });
    Err(format!("there is no {kind} `{name}`{hint}"))
}

/// Where the JSON string that `text` opens with ends.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (i, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return i + 1,
            _ => {}
        }
    }
    text.len()
}

fn form_encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
