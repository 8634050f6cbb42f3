//! `toxics`: what a proxy does to connections.

use super::super::table::{Node, Table};
use crate::profile::diagnostic::Diagnostic;
use crate::profile::model::{Toxic, ToxicKind};
use crate::profile::units::Ratio;

/// The list of toxics of a fault that needs one.
pub(super) fn read_all(table: &Table<'_, '_>, toxics: Option<Node<'_, '_>>) -> Vec<Toxic> {
    if toxics.is_none() {
        table.missing("toxics");
    }
    let toxics = toxics.and_then(|node| node.list()).unwrap_or_default();
    toxics.iter().filter_map(toxic).collect()
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
