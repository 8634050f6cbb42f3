//! `proxy = { listen, upstream }`: the built-in TCP proxy.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::super::check;
use super::super::table::Node;
use crate::profile::diagnostic::Diagnostic;
use crate::profile::model::{FaultDriver, Toxic};
use crate::profile::secret::Text;

/// The proxies of a profile so far: where each forwards to. Faults with the same `listen` share one.
#[derive(Default)]
pub(super) struct Listens(HashMap<SocketAddr, String>);

pub(super) fn read(node: &Node<'_, '_>, toxics: Vec<Toxic>, listens: &mut Listens) -> FaultDriver {
    let (mut listen, mut upstream) = (None, None);
    if let Some(mut table) = node.table("`proxy`") {
        listen = table
            .need("listen")
            .and_then(|node| read_listen(&node, "this machine"));
        if let Some(node) = table.need("upstream")
            && let Some(text) = read_upstream(&node)
        {
            if let Some((listen, _)) = listen {
                lead_on(&node, listen, &text, listens);
            }
            upstream = Some(text);
        }
        table.finish();
    }
    FaultDriver::Proxy {
        listen: listen.map(|(_, text)| text).unwrap_or_default(),
        upstream: upstream.unwrap_or_default(),
        toxics,
    }
}

/// An address to listen on, as it is and as it was written.
pub(super) fn read_listen(node: &Node<'_, '_>, whose: &str) -> Option<(SocketAddr, String)> {
    let (host, text) = check::host_port(node)?;
    Some((local(node, &host, &text, whose)?, text))
}

/// An address to forward to, which a fault may touch.
pub(super) fn read_upstream(node: &Node<'_, '_>) -> Option<String> {
    let (host, text) = check::host_port(node)?;
    check::allowed(node, &host, &Text::default());
    if ends_in_zero(&text) {
        node.wrong("nothing listens on port 0");
    }
    Some(text)
}

fn ends_in_zero(address: &str) -> bool {
    let port = address.rsplit_once(':').map(|(_, port)| port.parse());
    port == Some(Ok(0_u16))
}

/// An address of a machine, as far as that can be told without asking it.
fn local(node: &Node<'_, '_>, host: &str, text: &str, whose: &str) -> Option<SocketAddr> {
    let address: Option<IpAddr> = match host {
        "localhost" => Some(Ipv4Addr::LOCALHOST.into()),
        host => host.parse().ok(),
    };
    let Some(address) = address else {
        node.cx.report(
            Diagnostic::new(
                format!("`{text}` is not an address of {whose}"),
                node.place(),
            )
            .help("a proxy listens on an address, not a name: `127.0.0.1:15432`"),
        );
        return None;
    };
    if ends_in_zero(text) {
        node.wrong("a proxy on port 0 would listen where nobody looks for it; name a port");
        return None;
    }
    let port = text.rsplit_once(':')?.1.parse().ok()?;
    Some(SocketAddr::new(address, port))
}

/// Notes a proxy that leads to two places, or to itself.
fn lead_on(node: &Node<'_, '_>, listen: SocketAddr, upstream: &str, listens: &mut Listens) {
    not_to_itself(node, listen, upstream);
    let known = listens.0.entry(listen).or_insert_with(|| upstream.into());
    if known != upstream {
        node.cx.report(
            Diagnostic::new(
                format!("the proxy on {listen} already forwards to `{known}`"),
                node.place(),
            )
            .help("faults with the same `listen` share a proxy, so they have the same `upstream`"),
        );
    }
}

/// Notes a proxy that leads to itself.
pub(super) fn not_to_itself(node: &Node<'_, '_>, listen: SocketAddr, upstream: &str) {
    let itself = upstream.parse() == Ok(listen)
        || upstream.parse::<SocketAddr>().is_err()
            && listen.ip().is_loopback()
            && upstream == format!("localhost:{}", listen.port());
    if itself {
        node.wrong("this proxy would forward to itself");
    }
}
