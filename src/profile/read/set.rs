//! A file of gauges for one kind of exporter: what is in a profile's `[[gauge]]`, and which targets it fits.

use std::collections::BTreeMap;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::context::Context;
use super::names::Names;
use super::table::{Node, Table};
use super::{gauge, mistakes};
use crate::profile::diagnostic::{Diagnostic, MOST, ProfileError};
use crate::profile::interpolate::Lookup;
use crate::profile::model::GaugeSet;

/// Where the matchers of a target go.
const TARGET: &str = "$target";

/// Reads a set of gauges. `origin` names it in messages.
///
/// # Errors
/// When it has mistakes: then with all of them.
pub fn gauge_set(text: &str, origin: &str) -> Result<GaugeSet, ProfileError> {
    let (document, syntax) = DeTable::parse_recoverable(text);
    let env = BTreeMap::new();
    let lookup = Lookup {
        given: &[],
        env: &env,
    };
    let cx = Context::new(lookup, Path::new("."), 1.0);
    let set = read(Table::new(&cx, document.get_ref(), 0..0, "a set of gauges"));
    let found = cx.finish();
    let omitted = found.omitted + syntax.len().saturating_sub(MOST);
    let (diagnostics, _) = mistakes(text, &syntax, found);
    if diagnostics.is_empty() && omitted == 0 {
        Ok(set)
    } else {
        Err(ProfileError::new(origin, text, diagnostics, omitted))
    }
}

fn read(mut owned: Table<'_, '_>) -> GaugeSet {
    let table = &mut owned;
    let name = Names::new("set").read(table);
    let about = table.string("about").unwrap_or_default();
    let when = table.need("when").map(|node| metrics(&node));
    let unless = table.take("unless").map(|node| metrics(&node));
    let gauges = gauge::read_all(table, &Names::new("target"));
    if gauges.is_empty() {
        table.missing("[[gauge]]");
    }
    check_targets(table);
    owned.finish();
    GaugeSet {
        name,
        about,
        when: when.unwrap_or_default(),
        unless: unless.unwrap_or_default(),
        gauges,
    }
}

/// Notes every expression that is of no target.
fn check_targets(table: &Table<'_, '_>) {
    let lists = table.entries().into_iter();
    let gauges = lists
        .filter(|node| node.key == "gauge")
        .flat_map(|node| node.tables("a gauge"));
    for expr in gauges.flat_map(|gauge| gauge.entries()) {
        if let ("expr", DeValue::String(text)) = (expr.key, expr.value())
            && !text.contains(TARGET)
        {
            expr.cx.report(
                Diagnostic::new("this expression shows every target at once", expr.place()).help(
                    format!("write `{TARGET}` in each selector: `up{{{TARGET}}}`"),
                ),
            );
        }
    }
}

fn metrics(node: &Node<'_, '_>) -> Vec<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
    let mut names = Vec::new();
    for node in node.list().unwrap_or_default() {
        let Some(name) = node.string() else { continue };
        if !name.is_empty() && name.bytes().all(plain) {
            names.push(name);
        } else {
            node.wrong(format!("`{name}` is not the name of a metric"));
        }
    }
    names
}
