//! Names that other parts of a profile refer to: unique where they are given, known where they are used.

use std::collections::HashMap;

use super::table::{Context, Place, Table};
use crate::profile::diagnostic::{Diagnostic, nearest};

/// The names of one kind of thing, each with its index.
pub(super) struct Names {
    /// What they name: `journey`.
    kind: &'static str,
    order: Vec<String>,
    by_name: HashMap<String, (usize, Place)>,
}

impl Names {
    pub fn new(kind: &'static str) -> Self {
        Self {
            kind,
            order: Vec::new(),
            by_name: HashMap::new(),
        }
    }

    /// Gives the next index to `name`; a name that is taken is a mistake.
    pub fn add(&mut self, cx: &Context<'_>, name: &str, place: Place) {
        let index = self.order.len();
        self.order.push(name.to_owned());
        if self.by_name.contains_key(name) {
            cx.report(
                Diagnostic::new(
                    format!("there are two {}s named `{name}`", self.kind),
                    place,
                )
                .label("this name is taken"),
            );
        } else {
            self.by_name.insert(name.to_owned(), (index, place));
        }
    }

    /// Reads the `name` of a table and gives it the next index.
    pub fn read(&mut self, table: &mut Table<'_, '_>) -> String {
        let named = table
            .need("name")
            .and_then(|node| Some((node.string()?, node.place())));
        if let Some((name, place)) = named {
            check_name(table.cx, &name, place.clone());
            self.add(table.cx, &name, place);
            name
        } else {
            self.order.push(String::new());
            String::new()
        }
    }

    pub fn get(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).map(|(index, _)| *index)
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.order.iter().map(String::as_str)
    }

    /// The index of a name that something refers to; a name that is not there is a mistake.
    pub fn resolve(&self, cx: &Context<'_>, name: &str, place: Place) -> Option<usize> {
        let index = self.get(name);
        if index.is_none() {
            unresolved(cx, self.kind, name, place, self.iter());
        }
        index
    }
}

/// A name is shown in one line and typed on a command line: not empty, not endless, nothing invisible in it.
fn check_name(cx: &Context<'_>, name: &str, place: Place) {
    const LONGEST: usize = 80;
    if name.trim().is_empty() {
        cx.wrong(place, "a name cannot be empty");
    } else if name.chars().count() > LONGEST {
        cx.wrong(place, format!("a name has at most {LONGEST} characters"));
    } else if name.chars().any(char::is_control) {
        cx.wrong(place, "a name cannot hold control characters");
    }
}

/// Notes a reference to something that is not there, with the nearest thing that is.
pub(super) fn unresolved<'n>(
    cx: &Context<'_>,
    kind: &str,
    name: &str,
    place: Place,
    known: impl Iterator<Item = &'n str>,
) {
    let known: Vec<&str> = known.filter(|name| !name.is_empty()).collect();
    let mut diagnostic = Diagnostic::new(format!("there is no {kind} named `{name}`"), place);
    if let Some(near) = nearest(name, known.iter().copied()) {
        diagnostic = diagnostic.label(format!("did you mean `{near}`?"));
    } else if known.is_empty() {
        diagnostic = diagnostic.help(format!("this profile has no {kind} at all"));
    } else if known.len() <= 12 {
        diagnostic = diagnostic.help(format!("there are: {}", known.join(", ")));
    }
    cx.report(diagnostic);
}

/// Keys that are pressed, each for one thing only.
#[derive(Default)]
pub(super) struct Keys(HashMap<char, String>);

impl Keys {
    /// Reads the `key` of a table that belongs to `name`.
    pub fn read(&mut self, table: &mut Table<'_, '_>, name: &str) -> Option<char> {
        let (key, place) = table.key()?;
        if let Some(owner) = self.0.get(&key) {
            table.cx.wrong(
                place,
                format!("the key `{key}` already belongs to `{owner}`"),
            );
            return None;
        }
        self.0.insert(key, name.to_owned());
        Some(key)
    }
}
