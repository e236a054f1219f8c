//! The caller's address: the peer's, or what a trusted reverse proxy says it is.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};
use ipnet::IpNet;

use crate::{app::App, listen::PeerAddr};

/// The caller's address, as an extractor. Unknown (a test without a listener) is loopback.
pub struct ClientAddr(pub IpAddr);

impl FromRequestParts<App> for ClientAddr {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<PeerAddr>().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |p| p.0.ip());
        Ok(Self(address(peer, &parts.headers, &app.trusted_proxies)))
    }
}

/// The address a request came from. `X-Forwarded-For` is read from its right end, past every trusted proxy,
/// and only when the peer itself is one.
pub fn address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |ip: &IpAddr| trusted.iter().any(|net| net.contains(ip));
    let mut from = peer.to_canonical();
    if !is_trusted(&from) {
        return from;
    }
    let lines = headers.get_all("x-forwarded-for").iter().filter_map(|v| v.to_str().ok());
    let hops: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    for hop in hops.into_iter().rev() {
        let Some(ip) = hop_address(hop) else { break };
        from = ip.to_canonical();
        if !is_trusted(&from) {
            break;
        }
    }
    from
}

/// One entry of `X-Forwarded-For`: an address, as some proxies write it also with a port or in brackets.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    bare.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|with_port| with_port.ip()))
}

/// Whom a limit counts an address as: one IPv4 address, or the /64 that an IPv6 subscriber has at the least.
pub fn subscriber(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted = ["10.0.0.0/8".parse().expect("a net")];
        for (peer, forwarded, want) in [
            ("203.0.113.9", Some("198.51.100.1"), "203.0.113.9"),
            ("10.0.0.1", Some("198.51.100.1"), "198.51.100.1"),
            ("10.0.0.1", Some("1.1.1.1, 198.51.100.1, 10.0.0.2"), "198.51.100.1"),
            ("10.0.0.1", Some("spoof, 10.0.0.2"), "10.0.0.2"),
            ("10.0.0.1", None, "10.0.0.1"),
            ("::ffff:10.0.0.1", Some("198.51.100.1"), "198.51.100.1"),
            ("10.0.0.1", Some("1.1.1.1, 198.51.100.1:5678, 10.0.0.2:443"), "198.51.100.1"),
            ("10.0.0.1", Some("1.1.1.1, [2001:db8::1]:5"), "2001:db8::1"),
            ("10.0.0.1", Some("1.1.1.1, [2001:db8::1]"), "2001:db8::1"),
            ("10.0.0.1", Some("1.1.1.1, 2001:db8::1"), "2001:db8::1"),
            ("10.0.0.1", Some("1.1.1.1, [::ffff:198.51.100.1]:5"), "198.51.100.1"),
            ("10.0.0.1", Some("1.1.1.1, 198.51.100.1:99999"), "10.0.0.1"),
            ("10.0.0.1", Some("1.1.1.1, [198.51.100.1"), "10.0.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(line) = forwarded {
                headers.insert("x-forwarded-for", line.parse().expect("a header"));
            }
            let got = address(peer.parse().expect("an ip"), &headers, &trusted);
            assert_eq!(got.to_string(), want, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn a_limit_counts_an_ipv4_address_and_an_ipv6_network() {
        let counted = |text: &str| subscriber(text.parse().expect("an ip"));
        assert_eq!(counted("2001:db8:1:2::1"), counted("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(counted("2001:db8:1:2::1"), counted("2001:db8:1:3::1"));
        assert_eq!(counted("2001:db8:1:2::1"), "2001:db8:1:2::/64");
        assert_ne!(counted("198.51.100.1"), counted("198.51.100.2"));
    }
}
