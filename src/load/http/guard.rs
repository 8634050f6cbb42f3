//! Where load may go: the profile's `allow_hosts`, decided after the name was looked up.
//!
//! In flow the entries as written; out flows a yes or no for each pair of a host asked for and an address that it
//! has. The rule, in full, for one address of one host:
//!
//! 1. a loopback address (`127.0.0.0/8`, `::1`, also mapped into IPv6) is always allowed, whatever name led to it,
//!    so `localhost` needs no listing;
//! 2. an address that equals a listed address or lies in a listed CIDR block is allowed, whatever name led to it;
//! 3. any address is allowed when the host *as asked for* is a listed name or ends in a listed `*.suffix`;
//! 4. anything else is refused, before a packet is sent to it.
//!
//! So an unlisted name that resolves into a listed block is allowed, a listed name may resolve anywhere, and an
//! address literal in a URL never matches a name. Unix sockets are local and not asked about. `0.0.0.0` and `::`
//! are not loopback: list them if you mean them. The invariant: no entry that could not be understood is ignored.

use std::net::IpAddr;

use super::TransportError;

/// The hosts that load may touch besides loopback.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostGuard {
    names: Vec<String>,
    suffixes: Vec<String>,
    blocks: Vec<Block>,
}

/// A CIDR block; a single address is a block of full length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Block {
    base: IpAddr,
    bits: u8,
}

impl HostGuard {
    /// Reads the entries of `allow_hosts`: names, `*.suffix` (any depth, not the suffix itself), addresses (IPv6 with
    /// or without brackets) and CIDR blocks. An entry that is none of these is an error that names it.
    pub fn parse(entries: &[String]) -> Result<Self, TransportError> {
        let mut guard = Self::default();
        for entry in entries {
            guard.add(entry).map_err(|why| {
                TransportError(format!("`{entry}` in allow_hosts is not understood: {why}"))
            })?;
        }
        Ok(guard)
    }

    fn add(&mut self, entry: &str) -> Result<(), &'static str> {
        let text = entry.trim();
        if let Some((base, bits)) = text.split_once('/') {
            self.blocks.push(Block::parse(base, bits)?);
        } else if let Ok(address) = bare(text).parse::<IpAddr>() {
            self.blocks.push(Block::single(address));
        } else if let Some(suffix) = text.strip_prefix("*.") {
            self.suffixes.push(format!(".{}", name(suffix)?));
        } else {
            self.names.push(name(text)?);
        }
        Ok(())
    }

    /// Whether `address`, to which `host` led, may be connected to.
    pub fn allows(&self, host: &str, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_loopback()
            || self.blocks.iter().any(|block| block.holds(address))
            || self.lists(host)
    }

    /// Whether the host as asked for is listed by name.
    fn lists(&self, host: &str) -> bool {
        if bare(host).parse::<IpAddr>().is_ok() {
            return false;
        }
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.names.contains(&host)
            || self
                .suffixes
                .iter()
                .any(|suffix| host.len() > suffix.len() && host.ends_with(suffix.as_str()))
    }
}

impl Block {
    fn single(address: IpAddr) -> Self {
        let base = address.to_canonical();
        Self {
            base,
            bits: width(base),
        }
    }

    fn parse(base: &str, bits: &str) -> Result<Self, &'static str> {
        let base: IpAddr = bare(base)
            .parse()
            .map_err(|_| "what stands before `/` is not an address")?;
        let bits: u8 = bits
            .parse()
            .map_err(|_| "what stands after `/` is not a prefix length")?;
        if bits > width(base) {
            return Err("the prefix is longer than the address");
        }
        Ok(Self { base, bits })
    }

    fn holds(self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(self.bits);
                (base.to_bits() ^ address.to_bits())
                    .checked_shr(shift)
                    .unwrap_or(0)
                    == 0
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(self.bits);
                (base.to_bits() ^ address.to_bits())
                    .checked_shr(shift)
                    .unwrap_or(0)
                    == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// An IPv6 literal without the brackets it has in URLs.
fn bare(text: &str) -> &str {
    text.strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text)
}

/// A host name in the form that is compared: lower case, no final dot.
fn name(text: &str) -> Result<String, &'static str> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.contains('*') {
        return Err("`*` may only stand first, as in `*.example.com`");
    }
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    if !text.chars().all(plain) {
        return Err("write a host name without scheme, port or path");
    }
    Ok(text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn guard(entries: &[&str]) -> HostGuard {
        let entries: Vec<String> = entries.iter().map(ToString::to_string).collect();
        HostGuard::parse(&entries).unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn loopback_needs_no_listing_whatever_name_led_to_it() {
        let guard = guard(&[]);
        for address in ["127.0.0.1", "127.9.8.7", "::1", "::ffff:127.0.0.1"] {
            assert!(guard.allows("localhost", ip(address)), "{address}");
            assert!(guard.allows("anything.example", ip(address)), "{address}");
        }
    }

    #[test]
    fn an_unlisted_host_is_refused_wherever_else_it_resolves() {
        let guard = guard(&["shop.example.com", "*.staging.example.com", "10.1.0.0/16"]);
        assert!(!guard.allows("localhost", ip("192.0.2.1")));
        assert!(!guard.allows("other.example.com", ip("192.0.2.1")));
        assert!(!guard.allows("staging.example.com", ip("192.0.2.1")));
        assert!(!guard.allows("notstaging.example.com", ip("192.0.2.1")));
        assert!(!guard.allows("192.0.2.1", ip("192.0.2.1")));
        assert!(!guard.allows("x", ip("0.0.0.0")));
        assert!(!guard.allows("x", ip("::")));
    }

    #[test]
    fn a_listed_name_may_resolve_anywhere_and_case_and_final_dot_do_not_matter() {
        let guard = guard(&["Shop.Example.com.", "*.staging.example.com"]);
        for host in [
            "shop.example.com",
            "SHOP.example.COM.",
            "a.staging.example.com",
            "a.b.staging.example.com",
        ] {
            assert!(guard.allows(host, ip("198.51.100.7")), "{host}");
        }
    }

    #[test]
    fn a_listed_address_or_block_is_allowed_under_any_name() {
        let guard = guard(&[
            "192.0.2.7",
            "10.1.0.0/16",
            "[2001:db8::1]",
            "2001:db8:1::/48",
        ]);
        for address in [
            "192.0.2.7",
            "10.1.255.255",
            "2001:db8::1",
            "2001:db8:1:2::3",
        ] {
            assert!(guard.allows("whatever", ip(address)), "{address}");
        }
        for address in ["192.0.2.8", "10.2.0.0", "2001:db8::2", "2001:db8:2::"] {
            assert!(!guard.allows("whatever", ip(address)), "{address}");
        }
        assert!(
            guard.allows("x", ip("::ffff:10.1.2.3")),
            "mapped addresses are the address they map"
        );
    }

    #[test]
    fn a_block_of_no_bits_is_everything_of_its_family() {
        assert!(guard(&["0.0.0.0/0"]).allows("x", ip("203.0.113.9")));
        assert!(!guard(&["0.0.0.0/0"]).allows("x", ip("2001:db8::1")));
        assert!(guard(&["::/0"]).allows("x", ip("2001:db8::1")));
    }

    #[test]
    fn an_entry_that_is_not_understood_is_named() {
        for entry in [
            "",
            "*",
            "a.*.b",
            "http://x",
            "x:80",
            "10.0.0.0/33",
            "10.0.0.0/x",
            "x/8",
            "*.",
        ] {
            let error = HostGuard::parse(&[entry.to_string()])
                .unwrap_err()
                .to_string();
            assert!(error.contains(&format!("`{entry}`")), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_panic(entry in ".{0,40}", host in ".{0,40}", address: u32) {
            if let Ok(guard) = HostGuard::parse(&[entry]) {
                let _ = guard.allows(&host, IpAddr::from(address.to_be_bytes()));
            }
        }

        #[test]
        fn a_block_holds_exactly_the_addresses_that_share_its_prefix(base: u32, other: u32, bits in 0u8..=32) {
            let block = Block { base: IpAddr::from(base.to_be_bytes()), bits };
            let mask = if bits == 0 { 0 } else { u32::MAX << (32 - bits) };
            prop_assert_eq!(block.holds(IpAddr::from(other.to_be_bytes())), base & mask == other & mask);
        }
    }
}
