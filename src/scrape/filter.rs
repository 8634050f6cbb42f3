//! Which series of a body count, by the `keep` and `drop` of a target.

use regex::Regex;

use super::Labels;
use super::promql::Selector;
use crate::profile::model::is_selector;

/// Which series of a body count.
#[derive(Debug, Default)]
pub struct Filter {
    keep: Vec<Test>,
    drop: Vec<Test>,
}

#[derive(Debug)]
enum Test {
    /// The whole name of the metric.
    Name(Regex),
    Series(Box<Selector>),
}

impl Filter {
    /// Of the entries of `keep` and `drop`.
    ///
    /// # Errors
    /// With the entry that is not understood.
    pub fn new(keep: &[String], drop: &[String]) -> Result<Self, String> {
        let tests = |entries: &[String]| -> Result<Vec<Test>, String> {
            entries.iter().map(|entry| test(entry)).collect()
        };
        Ok(Self {
            keep: tests(keep)?,
            drop: tests(drop)?,
        })
    }

    /// Whether a series counts: it is kept, and not dropped.
    pub fn passes(&self, labels: &Labels) -> bool {
        let any = |tests: &[Test]| {
            tests.iter().any(|test| match test {
                Test::Name(name) => name.is_match(labels.name()),
                Test::Series(selector) => selector.matches(labels),
            })
        };
        (self.keep.is_empty() || any(&self.keep)) && !any(&self.drop)
    }
}

fn test(entry: &str) -> Result<Test, String> {
    if is_selector(entry) {
        let selector = Selector::parse(entry).map_err(|why| format!("`{entry}`: {why}"))?;
        return Ok(Test::Series(Box::new(selector)));
    }
    let name = Regex::new(&format!("^(?:{entry})$"));
    name.map(Test::Name)
        .map_err(|why| format!("`{entry}` is no regular expression: {why}"))
}
