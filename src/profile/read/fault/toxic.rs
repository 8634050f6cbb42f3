//! `toxics`: what a proxy does to connections.

use super::super::check;
use super::super::table::{Node, Table};
use crate::profile::diagnostic::Diagnostic;
use crate::profile::model::{Down, Requests, Toxic, ToxicKind};
use crate::profile::units::{Ratio, parse_bytes};

/// The keys of which one says what a toxic does: first those that Toxiproxy has too, then our own.
const KINDS: [&str; 10] = [
    "latency",
    "bandwidth",
    "slow_close",
    "timeout",
    "reset_peer",
    "slicer",
    "limit_data",
    "down",
    "status",
    "delay",
];

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
    let toxicity = table.take("toxicity");
    let share = toxicity
        .as_ref()
        .and_then(Node::parse)
        .unwrap_or(Ratio(1.0));
    let upstream = table.take("upstream");
    if let (Some(node), Some(kind)) = (&toxicity, &kind)
        && let ToxicKind::Down(Down::Refuse | Down::Drain) = kind
        && share.0 < 1.0
    {
        node.wrong("a port is closed to everyone: without `toxicity`, or with `down = \"reset\"`");
    }
    if let (Some(node), Some(kind)) = (&upstream, &kind)
        && let ToxicKind::Down(_) | ToxicKind::HttpStatus { .. } | ToxicKind::HttpDelay { .. } =
            kind
    {
        let message = format!("`{}` has no direction", kind.name());
        node.cx.wrong(node.key_place.clone(), message);
    }
    let upstream = upstream.and_then(|node| node.boolean()).unwrap_or(false);
    table.finish();
    Some(Toxic {
        kind: kind?,
        toxicity: share,
        upstream,
    })
}

/// The one key that names the kind, and the attributes that go with it.
fn kind(table: &mut Table<'_, '_>) -> Option<ToxicKind> {
    let mut kinds = Vec::new();
    for key in KINDS {
        // With a slicer, `delay` is the time between its pieces.
        let sliced = key == "delay" && kinds.iter().any(|node: &Node<'_, '_>| node.key == "slicer");
        if !sliced {
            kinds.extend(table.take(key));
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
            "latency`, `bandwidth`, `slow_close`, `timeout`, `reset_peer`, `slicer`, `limit_data`, `down`, `status` \
             or `delay",
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
        "limit_data" => ToxicKind::LimitData {
            bytes: node.bytes()?,
        },
        "down" => ToxicKind::Down(down(&node)?),
        // After the attributes, so that they are known even when the status or the delay is wrong.
        "status" => {
            let requests = requests(table);
            ToxicKind::HttpStatus {
                status: u16::try_from(node.integer(200..=599)?).ok()?,
                requests,
            }
        }
        _ => {
            let requests = requests(table);
            ToxicKind::HttpDelay {
                delay: node.positive()?,
                requests,
            }
        }
    })
}

fn down(node: &Node<'_, '_>) -> Option<Down> {
    match node.string()?.as_str() {
        "refuse" => Some(Down::Refuse),
        "reset" => Some(Down::Reset),
        "hang" => Some(Down::Hang),
        "drain" => Some(Down::Drain),
        other => {
            node.wrong(format!(
                "`{other}` is not a way to be down; write `refuse`, `reset`, `hang` or `drain`"
            ));
            None
        }
    }
}

/// `path` and `method`.
fn requests(table: &mut Table<'_, '_>) -> Requests {
    let path = table.take("path").and_then(|node| {
        let path = node.string()?;
        if !path.starts_with(['/', '*']) {
            node.wrong(format!(
                "`{path}` matches no path; begin it with `/`, or with `*` for anything"
            ));
        }
        Some(path)
    });
    let method = table.take("method").and_then(|node| {
        let method = node.string()?;
        if !check::is_token(&method) {
            node.wrong(format!("`{method}` is not a method"));
        }
        Some(method.to_ascii_uppercase())
    });
    Requests { path, method }
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
pub(super) fn bytes_a_second(node: &Node<'_, '_>) -> Option<u64> {
    let text = node.string()?;
    let rate = text
        .trim()
        .strip_suffix("/s")
        .and_then(|size| parse_bytes(size).ok())
        .filter(|rate| *rate > 0);
    if rate.is_none() {
        node.wrong(format!(
            "`{text}` is not a bandwidth; write it like `100KB/s` or `2MiB/s`"
        ));
    }
    rate
}
