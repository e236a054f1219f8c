//! Destination: where requests go, read strictly and checked once, and used for as many of them as one likes.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use http::{HeaderValue, Uri, uri::PathAndQuery};

use super::{
    failure::{Failure, FailureKind},
    url::{self, Endpoint, Host},
};
use crate::name::Name;

/// A scheme, a host and a port that the policy admits as far as that can be told without a resolver. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Destination(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    endpoint: Endpoint,
    origin: Uri,
    /// As a request in HTTP/1 names it.
    host: HeaderValue,
    name: Name,
}

impl Destination {
    /// Reads where a URL points; it is not checked yet.
    pub(super) fn read(uri: &Uri) -> Result<Self, Failure> {
        let unusable = || Failure::unsent(FailureKind::BadUrl, "the URL's host is not a host name");
        let endpoint = url::read(uri)?;
        let authority = uri.authority().ok_or_else(unusable)?;
        // A port that is the scheme's own is not named (RFC 9110 §7.2 leaves it open, and most clients do so).
        let usual = if endpoint.https { 443 } else { 80 };
        let host = if endpoint.port == usual { authority.host() } else { authority.as_str() };
        let host = HeaderValue::from_str(host).map_err(|_| unusable())?;
        let name = Name::of(&match &endpoint.host {
            Host::Ip(ip) => format!("{ip} {}", endpoint.port),
            Host::Name(host) => format!("{host} {}", endpoint.port),
        });
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::from_static("/"));
        let origin = Uri::from_parts(parts).map_err(|_| unusable())?;
        Ok(Self(Arc::new(Inner { endpoint, origin, host, name })))
    }

    /// The host and the port as a number, whatever the scheme.
    pub fn name(&self) -> Name {
        self.0.name
    }

    /// Whether this URL points there.
    pub fn is_of(&self, uri: &Uri) -> bool {
        uri.scheme() == self.0.origin.scheme() && uri.authority() == self.0.origin.authority()
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    pub(super) fn origin(&self) -> &Uri {
        &self.0.origin
    }

    pub(super) fn host(&self) -> &HeaderValue {
        &self.0.host
    }
}

impl PartialEq for Destination {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.endpoint == other.0.endpoint
    }
}

impl Eq for Destination {}

impl Hash for Destination {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.name.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Destination {
        Destination::read(&url.parse().unwrap()).unwrap()
    }

    #[test]
    fn it_is_a_scheme_a_host_and_a_port() {
        let one = of("https://Api.example.com/v1?x=y");
        assert_eq!(one, of("https://api.example.com/other"));
        // However it is spelled, and equal places have equal names.
        for same in ["https://api.example.com/other", "https://api.example.com:443/"] {
            assert_eq!((&one, one.name()), (&of(same), of(same).name()), "{same}");
        }
        for other in ["http://api.example.com/", "https://api.example.org/", "https://api.example.com:8443/"]
        {
            assert_ne!(one, of(other), "{other}");
        }
        assert!(one.is_of(&"https://api.example.com/elsewhere".parse().unwrap()));
        assert!(!one.is_of(&"https://api.example.com:444/elsewhere".parse().unwrap()));
        assert!(!one.is_of(&"/elsewhere".parse().unwrap()));
        assert_eq!(one.origin().path_and_query().unwrap().as_str(), "/");
    }

    #[test]
    fn a_request_names_the_port_only_where_it_is_not_the_schemes() {
        for (url, host) in [
            ("https://a.test/x", "a.test"),
            ("https://a.test:443/x", "a.test"),
            ("https://a.test:80/x", "a.test:80"),
            ("http://a.test:80", "a.test"),
            ("http://[::1]:8080/", "[::1]:8080"),
        ] {
            assert_eq!(of(url).host(), host, "{url}");
        }
    }

    #[test]
    fn what_is_no_place_is_none() {
        for url in ["/path", "ftp://a.test/", "https://user@a.test/", "https://0x7f.1/"] {
            assert_eq!(
                Destination::read(&url.parse().unwrap()).unwrap_err().kind,
                FailureKind::BadUrl,
                "{url}"
            );
        }
    }
}
