//! A file of gauges for one kind of exporter: what is in a profile's `[[gauge]]`, and which targets it fits.

use std::collections::BTreeMap;
use std::path::Path;

use toml::de::DeTable;

use super::context::Context;
use super::names::Names;
use super::table::Table;
use super::{gauge, mistakes};
use crate::profile::diagnostic::{MOST, ProfileError};
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
    let when = metrics(table, "when");
    if when.is_empty() {
        table.missing("when");
    }
    let unless = metrics(table, "unless");
    let gauges = gauge::read_all(table, &Names::new("target"));
    if gauges.is_empty() {
        table.missing("[[gauge]]");
    }
    for gauge in gauges.iter().filter(|gauge| !gauge.expr.is_empty()) {
        if !gauge.expr.contains(TARGET) {
            let place = table.place.clone();
            let name = &gauge.name;
            table.cx.wrong(
                place,
                format!("gauge `{name}` has no `{TARGET}`, and would show every target at once; write `up{{{TARGET}}}`"),
            );
        }
    }
    owned.finish();
    GaugeSet {
        name,
        about,
        when,
        unless,
        gauges,
    }
}

fn metrics(table: &mut Table<'_, '_>, key: &'static str) -> Vec<String> {
    let nodes = table.take(key).and_then(|node| node.list());
    let mut names = Vec::new();
    for node in nodes.unwrap_or_default() {
        let Some(name) = node.string() else { continue };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
        if !name.is_empty() && name.bytes().all(plain) {
            names.push(name);
        } else {
            node.wrong(format!("`{name}` is not the name of a metric"));
        }
    }
    names
}
