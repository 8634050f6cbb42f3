//! `[[fault]]`: what can be broken, and the way back.

mod exec;
mod http;
mod network;
mod process;
mod proxy;
mod stress;
mod toxic;
mod toxiproxy;

use std::time::Duration;

use super::names::{Keys, Names};
use super::table::{Node, Table};
use crate::profile::diagnostic::Diagnostic;
use crate::profile::model::{Fault, FaultDriver};

/// A fault is cleared by itself after this long, unless said otherwise.
const MAX: Duration = Duration::from_mins(5);

/// The keys of which one says how a fault is done.
const WAYS: [&str; 8] = [
    "proxy",
    "toxiproxy",
    "http",
    "inject",
    "process",
    "stress",
    "network",
    "group",
];

pub(super) fn read_all(top: &mut Table<'_, '_>) -> (Vec<Fault>, Names) {
    let mut names = Names::new("fault");
    let mut keys = Keys::default();
    let mut faults = Vec::new();
    let mut groups = Vec::new();
    let mut listens = proxy::Listens::default();
    if let Some(node) = top.take("fault") {
        for table in node.tables("a fault") {
            let (fault, group) = read(table, &mut names, &mut keys, &mut listens);
            groups.extend(group.map(|members| (faults.len(), members)));
            faults.push(fault);
        }
    }
    for (index, members) in groups {
        join(&mut faults, index, &members, &names);
    }
    (faults, names)
}

/// A fault, and the names of its members if it is a group.
fn read<'c, 'a>(
    mut owned: Table<'c, 'a>,
    names: &mut Names,
    keys: &mut Keys,
    listens: &mut proxy::Listens,
) -> (Fault, Option<Vec<Node<'c, 'a>>>) {
    let table = &mut owned;
    let name = names.read(table);
    let max = table.positive("max").unwrap_or(MAX);
    let mut members = None;
    let fault = Fault {
        key: keys.read(table, &name),
        driver: driver(table, &mut members, listens),
        max: table.cx.scaled(max),
        // The system takes the time it takes, however short the schedule is.
        recover_within: table.positive("recover_within"),
        detect: table.string("detect"),
        service: table.string("service"),
        name,
    };
    owned.finish();
    (fault, members)
}

/// The one key that says how it is done, and what goes with it.
fn driver<'c, 'a>(
    table: &mut Table<'c, 'a>,
    members: &mut Option<Vec<Node<'c, 'a>>>,
    listens: &mut proxy::Listens,
) -> FaultDriver {
    let mut ways: Vec<Node<'c, 'a>> = WAYS.iter().filter_map(|key| table.take(key)).collect();
    if let [first, second, ..] = &ways[..] {
        let message = format!(
            "`{}` beside `{}`: a fault is done in one way",
            second.key, first.key
        );
        second.cx.wrong(second.key_place.clone(), message);
    }
    let toxics = table.take("toxics");
    let revert = table.take("revert");
    let check = table.take("check");
    if ways.is_empty() && revert.is_none() {
        table.cx.report(
            Diagnostic::new("a fault needs a way in and a way back", table.place.clone())
                .label("`proxy` or `inject` is missing")
                .help("write `proxy` and `toxics`, or `inject` and `revert`; or `toxiproxy`, `http`, `process`, `stress`, `network` or `group`"),
        );
    }
    let way = (!ways.is_empty()).then(|| ways.swap_remove(0));
    let key = way.as_ref().map_or("inject", |way| way.key);
    let with_toxics = matches!(key, "proxy" | "toxiproxy");
    if let (Some(toxics), false) = (&toxics, with_toxics) {
        toxics.cx.wrong(
            toxics.key_place.clone(),
            "`toxics` come with a `proxy` or a `toxiproxy`",
        );
    }
    for foreign in [&revert, &check].into_iter().flatten() {
        if key != "inject" {
            let message = format!("`{}` comes with `inject`, not with `{key}`", foreign.key);
            foreign.cx.wrong(foreign.key_place.clone(), message);
        }
    }
    match (key, &way) {
        ("proxy", Some(node)) => proxy::read(node, toxic::read_all(table, toxics), listens),
        ("toxiproxy", Some(node)) => toxiproxy::read(node, toxic::read_all(table, toxics)),
        ("http", Some(node)) => http::read(node),
        ("process", Some(node)) => process::read(node),
        ("stress", Some(node)) => stress::read(node),
        ("network", Some(node)) => network::read(node),
        ("group", Some(node)) => {
            *members = node.list();
            FaultDriver::Group {
                faults: Vec::new(),
                stagger: table
                    .duration("stagger")
                    .map_or(Duration::ZERO, |time| table.cx.scaled(time)),
            }
        }
        _ => exec::read(table, [way, revert, check]),
    }
}

/// Finds the members of a group.
fn join(faults: &mut [Fault], group: usize, members: &[Node<'_, '_>], names: &Names) {
    let mut found = Vec::new();
    for node in members {
        let Some(index) = node
            .string()
            .and_then(|name| names.resolve(node.cx, &name, node.place()))
        else {
            continue;
        };
        if matches!(faults[index].driver, FaultDriver::Group { .. }) {
            node.wrong("a group holds faults, not groups");
        } else if found.contains(&index) {
            node.wrong("it is in the group already");
        } else {
            found.push(index);
        }
    }
    if let FaultDriver::Group { faults, .. } = &mut faults[group].driver {
        *faults = found;
    }
}
