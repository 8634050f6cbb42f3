//! `network = { … }`: the network of this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::table::{Node, Table};
use super::toxic::bytes_a_second;
use crate::profile::diagnostic::Diagnostic;
use crate::profile::hosts::{HostRule, is_loopback_address};
use crate::profile::model::{FaultDriver, Network};
use crate::profile::units::Ratio;

/// Longest name that Linux gives an interface, bytes.
const LONGEST_NAME: usize = 15;

pub(super) fn read(node: &Node<'_, '_>) -> FaultDriver {
    let mut network = Network::Blackhole { hosts: Vec::new() };
    if let Some(mut table) = node.table("`network`") {
        let hosts = table.take("blackhole");
        let interface = table.take("interface");
        match (hosts, interface) {
            (Some(hosts), Some(interface)) => interface.cx.wrong(
                interface.key_place.clone(),
                format!("`interface` beside `{}`: a fault is one of them", hosts.key),
            ),
            (Some(hosts), None) => {
                network = Network::Blackhole {
                    hosts: blackhole(&hosts),
                };
            }
            (None, Some(interface)) => network = shape(&mut table, &interface),
            (None, None) => table.missing("interface` or `blackhole"),
        }
        table.finish();
    }
    FaultDriver::Network(network)
}

fn blackhole(node: &Node<'_, '_>) -> Vec<String> {
    let nodes = node.list().unwrap_or_default();
    nodes.iter().filter_map(host).collect()
}

/// An address or a network, all of which is allowed.
fn host(node: &Node<'_, '_>) -> Option<String> {
    let host = node.string()?;
    let Ok(HostRule::Net(address, bits)) = host.parse() else {
        node.wrong(format!(
            "`{host}` is neither an address nor a network; write it like `10.0.0.5` or `10.1.0.0/16`"
        ));
        return None;
    };
    let network = network(address, bits);
    if network != address {
        node.wrong(format!(
            "`{host}` is an address within a network: write `{network}/{bits}` for the whole of it, or `{address}`"
        ));
    } else if is_loopback_address(address) {
        node.wrong(format!(
            "`{host}` is this machine, which cannot be cut off from itself"
        ));
    } else if !node
        .cx
        .allow()
        .iter()
        .any(|rule| rule.allows_network(address, bits))
    {
        node.cx.report(
            Diagnostic::new(
                format!("`{host}` is not allowed: faults go to `allow_hosts` only"),
                node.place(),
            )
            .help(format!("add `\"{host}\"` to `allow_hosts` in `[window]`")),
        );
    }
    Some(host)
}

/// An address whose bits behind the first `bits` are zero, as `ip` wants them.
fn network(address: IpAddr, bits: u8) -> IpAddr {
    let bits = u32::from(bits);
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            Ipv4Addr::from(u32::from(v4) & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            Ipv6Addr::from(u128::from(v6) & mask).into()
        }
    }
}

fn shape(table: &mut Table<'_, '_>, interface: &Node<'_, '_>) -> Network {
    let name = interface.string().unwrap_or_default();
    let is_name = !name.is_empty()
        && name.len() <= LONGEST_NAME
        && !name.starts_with('-')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'/');
    if !is_name {
        interface.wrong("this is not the name of an interface, as `ip link` shows them");
    } else if name == "lo" {
        interface.wrong("the loopback is not touched: everything on this machine would be hit");
    }
    let delay = table.positive("delay");
    let jitter = table.take("jitter");
    if let (Some(jitter), None) = (&jitter, delay) {
        jitter
            .cx
            .wrong(jitter.key_place.clone(), "`jitter` comes with `delay`");
    }
    let loss = table.take("loss");
    let partition = table.take("partition");
    if let (Some(_), Some(partition)) = (&loss, &partition) {
        let message = "`partition` beside `loss`: a partition loses everything";
        partition.cx.wrong(partition.key_place.clone(), message);
    }
    let loss = match (loss, partition) {
        (_, Some(node)) => match node.boolean() {
            Some(false) => {
                node.wrong("`partition = false` does nothing");
                None
            }
            Some(true) | None => Some(Ratio(1.0)),
        },
        (Some(node), None) => node.parse(),
        (None, None) => None,
    };
    let rate = table.take("rate").and_then(|node| bytes_a_second(&node));
    if delay.is_none() && loss.is_none() && rate.is_none() {
        table.missing("delay`, `loss`, `rate` or `partition");
    }
    Network::Shape {
        interface: name,
        delay,
        jitter: jitter.and_then(|node| node.duration()),
        loss,
        rate,
    }
}

#[cfg(test)]
mod tests {
    fn refused(host: &str) -> Option<String> {
        let text = format!(
            "[window]\nduration = \"1m\"\nallow_hosts = [\"10.0.0.0/8\", \"fd00::/8\"]\n\
             [[scenario]]\nname = \"a\"\ntarget = \"http://127.0.0.1:1\"\nrate = \"1/s\"\nget = \"/\"\n\
             [[fault]]\nname = \"f\"\nnetwork = {{ blackhole = [\"{host}\"] }}\n"
        );
        let options = crate::profile::Options::default();
        let read = crate::profile::parse(&text, std::path::Path::new("."), &options);
        read.err().map(|error| error.to_string())
    }

    #[test]
    fn a_network_is_written_without_the_bits_of_a_host() {
        for host in [
            "10.0.0.5",
            "10.0.0.5/32",
            "10.0.0.0/24",
            "fd00::/64",
            "fd00::1",
        ] {
            assert_eq!(refused(host), None, "{host}");
        }
        for (host, right) in [
            ("10.0.0.5/24", "`10.0.0.0/24`"),
            ("fd00::5/64", "`fd00::/64`"),
        ] {
            let why = refused(host).unwrap();
            assert!(why.contains(right), "{why}");
        }
    }
}
