//! Which addresses may be connected to.
//!
//! Deny by default: an address passes when it is ordinary public unicast, or in the operator's allow list.
//! Metadata services never pass, however they are spelled and whatever is allowed.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;

/// What the operator allows beyond the public internet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Networks that may be connected to though they are not public.
    pub allow: Vec<IpNet>,
}

/// Why an address is refused: the kind of address it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocked(pub &'static str);

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} address", self.0)
    }
}

/// Cloud metadata and credential services that hand out secrets to whoever can connect.
const METADATA_V4: [Ipv4Addr; 7] = [
    Ipv4Addr::new(169, 254, 169, 254), // AWS, GCP, Azure, OpenStack, DigitalOcean …
    Ipv4Addr::new(169, 254, 170, 2),   // AWS ECS task credentials
    Ipv4Addr::new(169, 254, 170, 23),  // AWS EKS pod identity
    Ipv4Addr::new(169, 254, 42, 42),   // Scaleway
    Ipv4Addr::new(100, 100, 100, 200), // Alibaba
    Ipv4Addr::new(192, 0, 0, 192),     // Oracle
    Ipv4Addr::new(168, 63, 129, 16),   // Azure's wire server, in public space
];

/// The same over IPv6.
const METADATA_V6: [Ipv6Addr; 5] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),   // AWS
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),    // AWS EKS pod identity
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),    // GCP
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe), // OpenStack
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),     // Scaleway
];

impl Policy {
    /// Whether this address may be connected to.
    ///
    /// # Errors
    /// [`Blocked`] with the kind of address.
    pub fn check(&self, ip: IpAddr) -> Result<(), Blocked> {
        if is_metadata(ip) {
            return Err(Blocked("metadata"));
        }
        if self.allows(ip) {
            return Ok(());
        }
        match ip {
            IpAddr::V4(v4) => kind_v4(v4),
            IpAddr::V6(v6) => kind_v6(v6),
        }
        .map_or(Ok(()), |kind| Err(Blocked(kind)))
    }

    /// Whether the operator allowed this address by name; a mapped address counts as the one inside it.
    pub fn allows(&self, ip: IpAddr) -> bool {
        let inner = ip.to_canonical();
        !is_metadata(ip) && self.allow.iter().any(|net| net.contains(&inner))
    }
}

fn is_metadata(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => METADATA_V4.contains(&v4),
        IpAddr::V6(v6) => {
            METADATA_V6.contains(&v6)
                || embedded(v6).into_iter().flatten().any(|v4| METADATA_V4.contains(&v4))
        }
    }
}

fn octets(high: u16, low: u16) -> Ipv4Addr {
    let [a, b] = high.to_be_bytes();
    let [c, d] = low.to_be_bytes();
    Ipv4Addr::new(a, b, c, d)
}

/// The IPv4 addresses that an IPv6 address can stand for, in whichever way it embeds them.
fn embedded(ip: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let s = ip.segments();
    match s {
        // mapped, compatible, NAT64 (RFC 6052) and its local-use prefix (RFC 8215, taken as /96)
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => {
            [Some(octets(s[6], s[7])), None]
        }
        // the local-use prefix, as /48 and as /96
        [0x64, 0xff9b, 1, ..] => [Some(octets(s[3], s[4] << 8 | s[5] >> 8)), Some(octets(s[6], s[7]))],
        // 6to4
        [0x2002, ..] => [Some(octets(s[1], s[2])), None],
        // Teredo: the server, and the client with its bits flipped
        [0x2001, 0, ..] => [Some(octets(s[2], s[3])), Some(octets(!s[6], !s[7]))],
        _ => [None, None],
    }
}

fn kind_v4(ip: Ipv4Addr) -> Option<&'static str> {
    Some(match ip.octets() {
        [0, ..] => "unspecified",
        [10, ..] | [192, 168, ..] | [172, 16..=31, ..] => "private",
        [100, 64..=127, ..] => "shared (CGNAT)",
        [127, ..] => "loopback",
        [169, 254, ..] => "link-local",
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => "documentation",
        [198, 18..=19, ..] => "benchmarking",
        [224..=239, ..] => "multicast",
        [255, 255, 255, 255] => "broadcast",
        [192, 0, 0, _] | [192, 88, 99, _] | [240..=255, ..] => "reserved",
        _ => return None,
    })
}

fn kind_v6(ip: Ipv6Addr) -> Option<&'static str> {
    let s = ip.segments();
    Some(match s {
        [0, 0, 0, 0, 0, 0, 0, 0] => "unspecified",
        [0, 0, 0, 0, 0, 0, 0, 1] => "loopback",
        // These two reach the IPv4 address inside them: judged by that one.
        [0, 0, 0, 0, 0, 0xffff, a, b] | [0x64, 0xff9b, 0, 0, 0, 0, a, b] => return kind_v4(octets(a, b)),
        [0x64, 0xff9b, 1, ..] => "local NAT64",
        [0, 0, 0, 0, 0, 0, ..] => "IPv4-compatible",
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0x0fff, ..] => "documentation",
        [0x2001, 0, ..] => "Teredo",
        [0x2001, 2, 0, ..] => "benchmarking",
        [0x2001, 0..=0x01ff, ..] => "reserved",
        [0x2002, ..] => "6to4",
        [0x2000..=0x3fff, ..] => return None,
        [0xfc00..=0xfdff, ..] => "private (ULA)",
        [0xfe80..=0xfebf, ..] => "link-local",
        [0xfec0..=0xfeff, ..] => "site-local",
        [0xff00..=0xffff, ..] => "multicast",
        _ => "reserved",
    })
}
