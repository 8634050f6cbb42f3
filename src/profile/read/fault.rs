//! `[[fault]]`: what can be broken, and the way back.

use std::time::Duration;

use super::check;
use super::names::{Keys, Names};
use super::table::{Node, Table};
use crate::profile::diagnostic::Diagnostic;
use crate::profile::model::{Fault, FaultDriver, Toxic, ToxicKind};
use crate::profile::secret::Text;
use crate::profile::units::Ratio;

/// A fault is cleared by itself after this long, unless said otherwise.
const MAX: Duration = Duration::from_mins(5);

pub(super) fn read_all(top: &mut Table<'_, '_>) -> (Vec<Fault>, Names) {
    let mut names = Names::new("fault");
    let mut keys = Keys::default();
    let mut faults = Vec::new();
    if let Some(node) = top.take("fault") {
        for table in node.tables("a fault") {
            faults.push(read(table, &mut names, &mut keys));
        }
    }
    (faults, names)
}

fn read(mut owned: Table<'_, '_>, names: &mut Names, keys: &mut Keys) -> Fault {
    let table = &mut owned;
    let name = names.read(table);
    let scaled =
        |time: Option<Duration>, cx: &super::table::Context<'_>| time.map(|time| cx.scaled(time));
    let max = table.positive("max").unwrap_or(MAX);
    let fault = Fault {
        key: keys.read(table, &name),
        driver: driver(table),
        max: table.cx.scaled(max),
        recover_within: scaled(table.positive("recover_within"), table.cx),
        detect: table.string("detect"),
        name,
    };
    owned.finish();
    fault
}

fn driver(table: &mut Table<'_, '_>) -> FaultDriver {
    let proxy = table.take("proxy");
    let toxics = table.take("toxics");
    let programs = ["inject", "revert", "check"].map(|key| table.take(key));
    let exec = programs.iter().any(Option::is_some);
    let Some(node) = proxy else {
        if !exec {
            table.cx.report(
                Diagnostic::new("a fault needs a way in and a way back", table.place.clone())
                    .label("`proxy` or `inject` is missing")
                    .help("write `proxy` and `toxics`, or `inject` and `revert`"),
            );
        } else if let Some(toxics) = toxics {
            toxics
                .cx
                .wrong(toxics.key_place, "`toxics` come with a `proxy`");
        }
        return exec_driver(table, &programs, exec);
    };
    if let Some(foreign) = programs.iter().flatten().next() {
        let message = format!(
            "`{}` beside `proxy`: a fault is one or the other",
            foreign.key
        );
        foreign.cx.wrong(foreign.key_place.clone(), message);
    }
    if toxics.is_none() {
        table.missing("toxics");
    }
    let toxics = toxics.and_then(|node| node.list()).unwrap_or_default();
    proxy_driver(&node, toxics.iter().filter_map(toxic).collect())
}

fn proxy_driver(node: &Node<'_, '_>, toxics: Vec<Toxic>) -> FaultDriver {
    let mut driver = (String::new(), String::new());
    if let Some(mut table) = node.table("`proxy`") {
        if let Some(node) = table.need("listen")
            && let Some((_, address)) = check::host_port(&node)
        {
            driver.0 = address;
        }
        if let Some(node) = table.need("upstream")
            && let Some((host, address)) = check::host_port(&node)
        {
            check::allowed(&node, &host, &Text::default());
            driver.1 = address;
        }
        table.finish();
    }
    FaultDriver::Proxy {
        listen: driver.0,
        upstream: driver.1,
        toxics,
    }
}

fn exec_driver(
    table: &Table<'_, '_>,
    programs: &[Option<Node<'_, '_>>; 3],
    exec: bool,
) -> FaultDriver {
    let [inject, revert, check] = programs;
    if exec && inject.is_none() {
        table.missing("inject");
    }
    if exec && revert.is_none() {
        table.missing("revert");
    }
    FaultDriver::Exec {
        inject: arguments(inject.as_ref()),
        revert: arguments(revert.as_ref()),
        check: arguments(check.as_ref()),
    }
}

/// A program and its arguments.
fn arguments(node: Option<&Node<'_, '_>>) -> Vec<Text> {
    let Some(node) = node else {
        return Vec::new();
    };
    if matches!(node.value(), toml::de::DeValue::String(_)) {
        node.cx.report(
            Diagnostic::new(
                format!("`{}` is a list: the program, then its arguments", node.key),
                node.place(),
            )
            .help("write `[\"sh\", \"-c\", \"…\"]` for a line of shell"),
        );
        return Vec::new();
    }
    let nodes = node.list().unwrap_or_default();
    let arguments: Vec<Text> = nodes.iter().filter_map(Node::text).collect();
    if let (Some(program), Some(first)) = (arguments.first(), nodes.first())
        && program.reveal().is_empty()
    {
        first.wrong("the name of the program is empty");
    }
    arguments
}

fn toxic(node: &Node<'_, '_>) -> Option<Toxic> {
    let mut table = node.table("a toxic")?;
    let kind = kind(&mut table);
    let toxicity = table.parse("toxicity").unwrap_or(Ratio(1.0));
    let upstream = table.boolean("upstream").unwrap_or(false);
    table.finish();
    Some(Toxic {
        kind: kind?,
        toxicity,
        upstream,
    })
}

/// The one key that names the kind, and the attributes that go with it.
fn kind(table: &mut Table<'_, '_>) -> Option<ToxicKind> {
    let mut kinds = Vec::new();
    for key in [
        "latency",
        "bandwidth",
        "slow_close",
        "timeout",
        "reset_peer",
        "slicer",
        "limit_data",
    ] {
        if let Some(node) = table.take(key) {
            kinds.push(node);
        }
    }
    if let [_, second, ..] = &kinds[..] {
        second.cx.report(
            Diagnostic::new("a toxic is of one kind", second.key_place.clone())
                .label("make this a toxic of its own"),
        );
    }
    let Some(node) = kinds.into_iter().next() else {
        table.missing(
            "latency`, `bandwidth`, `slow_close`, `timeout`, `reset_peer`, `slicer` or `limit_data",
        );
        return None;
    };
    Some(match node.key {
        "latency" => ToxicKind::Latency {
            latency: node.duration()?,
            jitter: table.duration("jitter").unwrap_or_default(),
        },
        "bandwidth" => ToxicKind::Bandwidth {
            rate: bytes_a_second(&node)?,
        },
        "slow_close" => ToxicKind::SlowClose {
            delay: node.duration()?,
        },
        "timeout" => ToxicKind::Timeout {
            timeout: node.duration()?,
        },
        "reset_peer" => ToxicKind::ResetPeer {
            timeout: node.duration()?,
        },
        "slicer" => slicer(&node, table)?,
        _ => ToxicKind::LimitData {
            bytes: node.bytes()?,
        },
    })
}

fn slicer(node: &Node<'_, '_>, table: &mut Table<'_, '_>) -> Option<ToxicKind> {
    let variation = table.take("size_variation").and_then(|node| node.bytes());
    let delay = table.duration("delay");
    let average_size = node.bytes()?;
    let size_variation = variation.unwrap_or(0);
    if average_size == 0 || size_variation > average_size {
        node.wrong(
            "pieces must be larger than nothing: `slicer` above zero and at least `size_variation`",
        );
    }
    Some(ToxicKind::Slicer {
        average_size,
        size_variation,
        delay: delay.unwrap_or_default(),
    })
}

/// `100KB/s`.
fn bytes_a_second(node: &Node<'_, '_>) -> Option<u64> {
    let text = node.string()?;
    let rate = text
        .trim()
        .strip_suffix("/s")
        .and_then(|size| crate::profile::units::parse_bytes(size).ok());
    if rate.is_none_or(|rate| rate == 0) {
        node.wrong(format!(
            "`{text}` is not a bandwidth; write it like `100KB/s` or `2MiB/s`"
        ));
    }
    rate
}
