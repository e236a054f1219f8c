//! What a URL says about where to connect, read strictly: a spelling that two readers could take for two hosts
//! is refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::Uri;

use super::failure::{Failure, FailureKind};

/// Where a URL points.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint {
    pub https: bool,
    pub host: Host,
    pub port: u16,
}

impl Endpoint {
    /// Whether it says to be this machine: `localhost` or a loopback address.
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Ip(ip) => ip.to_canonical().is_loopback(),
            Host::Name(name) => name == "localhost",
        }
    }
}

/// A host, as an address or a name to resolve.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Host {
    Ip(IpAddr),
    Name(String),
}

fn bad(message: &str) -> Failure {
    Failure::unsent(FailureKind::BadUrl, message)
}

/// Reads scheme, host and port.
///
/// # Errors
/// `BadUrl`
pub(crate) fn read(uri: &Uri) -> Result<Endpoint, Failure> {
    let https = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err(bad("the URL must begin with https://")),
    };
    let authority = uri.authority().ok_or_else(|| bad("the URL names no host"))?;
    if authority.as_str().contains('@') {
        return Err(bad("the URL must not hold a user name or password"));
    }
    let host = authority.host();
    let port = match authority.as_str().strip_prefix(host) {
        Some("") if https => 443,
        Some("") => 80,
        Some(rest) => read_port(rest).ok_or_else(|| bad("the URL's port is not one"))?,
        None => return Err(bad("the URL's host is not a host name")),
    };
    Ok(Endpoint { https, host: read_host(host)?, port })
}

fn read_port(rest: &str) -> Option<u16> {
    let digits = rest.strip_prefix(':')?;
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    // Another spelling of the same port would be counted as another place.
    let plain = plain && !digits.starts_with('0');
    digits.parse().ok().filter(|_| plain)
}

fn read_host(host: &str) -> Result<Host, Failure> {
    if let Some(inner) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        // No zone ids: they choose an interface, and every address that needs one is refused anyway.
        let ip: Ipv6Addr = inner.parse().map_err(|_| bad("the URL's host is not an IPv6 address"))?;
        return Ok(Host::Ip(ip.into()));
    }
    if let Ok(ip) = host.parse::<Ipv4Addr>() {
        return Ok(Host::Ip(ip.into()));
    }
    let plain = host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    let name = host.strip_suffix('.').unwrap_or(host);
    if !plain || name.len() > 253 || name.split('.').any(|label| label.is_empty() || label.len() > 63) {
        return Err(bad("the URL's host is not a host name"));
    }
    if ends_in_number(name) {
        return Err(bad("the URL's host is an unusual spelling of an address"));
    }
    Ok(Host::Name(host.to_ascii_lowercase()))
}

/// Whether resolvers may take the name for an IPv4 address (`0x7f.1`, `2130706433`, `0177.0.0.1`): the "ends in
/// a number" rule of the URL standard.
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    last.bytes().all(|b| b.is_ascii_digit()) || hex.is_some_and(|h| h.bytes().all(|b| b.is_ascii_hexdigit()))
}
