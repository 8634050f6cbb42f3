//! Which hosts load and faults may touch.
//!
//! In: the entries of `allow_hosts`, and a host name or address. Out: yes or no. Loopback needs no entry; a name says
//! nothing about the address that it resolves to, so whoever connects asks again with the address.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// One entry of `allow_hosts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostRule {
    /// This name and no other.
    Name(String),
    /// Every name that ends in this, dot included: `*.example.com`.
    Suffix(String),
    /// Every address with these leading bits: `10.0.0.0/8`, or a single address.
    Net(IpAddr, u8),
}

/// An entry that is neither name nor network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a host; write a name, `*.example.com`, an address or `10.0.0.0/8`")]
pub struct HostRuleError(String);

impl FromStr for HostRule {
    type Err = HostRuleError;

    fn from_str(text: &str) -> Result<Self, HostRuleError> {
        let wrong = || HostRuleError(text.to_owned());
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(Self::Net(address, width(address)));
        }
        if let Some((address, bits)) = text.split_once('/') {
            let address: IpAddr = address.parse().map_err(|_| wrong())?;
            let bits: u8 = bits.parse().map_err(|_| wrong())?;
            return (bits <= width(address))
                .then_some(Self::Net(address, bits))
                .ok_or_else(wrong);
        }
        let name = text.strip_prefix("*.").unwrap_or(text);
        let is_name = !name.is_empty()
            && name.len() <= 253
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
        if !is_name {
            return Err(wrong());
        }
        let lower = name.to_ascii_lowercase();
        Ok(if name.len() == text.len() {
            Self::Name(lower)
        } else {
            Self::Suffix(format!(".{lower}"))
        })
    }
}

fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The first `bits` of an address, the rest zero.
fn leading(address: IpAddr, bits: u8) -> u128 {
    let (value, width) = match address {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)), 32),
        IpAddr::V6(v6) => (u128::from(v6), 128),
    };
    value
        .checked_shr(u32::from(width - bits.min(width)))
        .unwrap_or(0)
}

/// An IPv4 address that is written as IPv6 counts as what it is.
fn canonical(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

impl HostRule {
    /// Whether this entry allows the address.
    pub fn allows_address(&self, address: IpAddr) -> bool {
        let address = canonical(address);
        match self {
            Self::Name(_) | Self::Suffix(_) => false,
            Self::Net(net, bits) => {
                width(*net) == width(address) && leading(*net, *bits) == leading(address, *bits)
            }
        }
    }

    /// Whether this entry allows every address with these leading bits.
    pub fn allows_network(&self, address: IpAddr, bits: u8) -> bool {
        match self {
            Self::Net(_, own) => *own <= bits && self.allows_address(address),
            Self::Name(_) | Self::Suffix(_) => false,
        }
    }

    /// Whether this entry allows the host as it is written: a name, or an address.
    pub fn allows(&self, host: &str) -> bool {
        if let Some(address) = address(host) {
            return self.allows_address(address);
        }
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        match self {
            Self::Name(name) => host == *name,
            Self::Suffix(suffix) => host.ends_with(suffix.as_str()) && host.len() > suffix.len(),
            Self::Net(..) => false,
        }
    }
}

fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .ok()
}

/// Whether an address is this machine.
pub fn is_loopback_address(address: IpAddr) -> bool {
    match canonical(address) {
        IpAddr::V4(v4) => v4.is_loopback(),
        IpAddr::V6(v6) => v6 == Ipv6Addr::LOCALHOST,
    }
}

/// Whether a host, as it is written, is this machine: `localhost`, `127.0.0.0/8`, `::1`.
pub fn is_loopback(host: &str) -> bool {
    match address(host) {
        Some(address) => is_loopback_address(address),
        None => host.trim_end_matches('.').eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(rule: &str, host: &str) -> bool {
        rule.parse::<HostRule>().unwrap().allows(host)
    }

    #[test]
    fn names_suffixes_addresses_and_networks_are_told_apart() {
        assert!(allows("shop.example.com", "SHOP.example.com."));
        assert!(!allows("example.com", "shop.example.com"));
        assert!(allows("*.example.com", "a.b.example.com"));
        assert!(!allows("*.example.com", "example.com"));
        assert!(!allows("*.example.com", "evilexample.com"));
        assert!(allows("10.0.0.0/8", "10.200.1.2"));
        assert!(!allows("10.0.0.0/8", "11.0.0.1"));
        assert!(allows("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(allows("2001:db8::/32", "[2001:db8::1]"));
        assert!(allows("0.0.0.0/0", "8.8.8.8"));
        assert!(!allows("0.0.0.0/0", "2001:db8::1"));
        assert!(allows("192.0.2.7", "192.0.2.7"));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "",
            "*",
            "*.",
            "10.0.0.0/33",
            "a b",
            "http://x",
            "*.*.x",
            "host:80",
        ] {
            assert!(text.parse::<HostRule>().is_err(), "{text}");
        }
    }

    #[test]
    fn loopback_is_this_machine_and_nothing_else() {
        for host in [
            "localhost",
            "LOCALHOST.",
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "[::1]",
            "::ffff:127.0.0.1",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["0.0.0.0", "localhost.example.com", "128.0.0.1", "::2", ""] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
