//! Spoken: which version of HTTP an origin is spoken to in.
//!
//! With TLS both are offered and the other side chooses. HTTP/1.1 alone is offered to whoever answered a request over HTTP/2
//! that it wants it over HTTP/1.1 (`HTTP_1_1_REQUIRED`, RFC 9113 §7). Without TLS it is HTTP/1.1, or HTTP/2 by prior knowledge
//! (RFC 9113 §3.3) where the operator says so: nobody is asked.

use std::{
    collections::VecDeque,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use super::url::{self, Endpoint};
use crate::error::{Error, Result};

/// How many origins are remembered that want HTTP/1.1. A forgotten one says so again.
const MOST: usize = 1000;

/// A version, or who chooses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// As TLS negotiates it, and HTTP/1.1 without TLS.
    Usual,
    /// HTTP/1.1.
    Old,
    /// HTTP/2 by prior knowledge.
    Clear,
}

/// What is known of origins.
#[derive(Debug, Default)]
pub(super) struct Spoken {
    clear: Vec<Endpoint>,
    /// Whether there are any below, so that nobody has to look.
    any_old: AtomicBool,
    old: RwLock<VecDeque<Endpoint>>,
}

impl Spoken {
    /// With these hosts and ports in HTTP/2 without TLS.
    ///
    /// # Errors
    /// `Invalid` for one that is no host with a port.
    pub fn new(h2c: &[String]) -> Result<Self> {
        let read = |host: &String| {
            let endpoint = format!("http://{host}").parse().ok().and_then(|uri| url::read(&uri).ok());
            endpoint
                .ok_or_else(|| Error::invalid("outbound_h2c", format!("{host:?} is not a host with a port")))
        };
        Ok(Self { clear: h2c.iter().map(read).collect::<Result<_>>()?, ..Self::default() })
    }

    /// The version for an origin.
    pub fn to(&self, endpoint: &Endpoint) -> Version {
        if !endpoint.https {
            return if self.clear.contains(endpoint) { Version::Clear } else { Version::Usual };
        }
        let wants_old = self.any_old.load(Ordering::Acquire)
            && self.old.read().unwrap_or_else(PoisonError::into_inner).contains(endpoint);
        if wants_old { Version::Old } else { Version::Usual }
    }

    /// From now on, HTTP/1.1 to this origin.
    pub fn remember_old(&self, endpoint: &Endpoint) {
        let mut old = self.old.write().unwrap_or_else(PoisonError::into_inner);
        if old.contains(endpoint) {
            return;
        }
        if old.len() == MOST {
            old.pop_front();
        }
        old.push_back(endpoint.clone());
        self.any_old.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(url: &str) -> Endpoint {
        url::read(&url.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_version_is_of_one_host_one_port_and_one_scheme() {
        let spoken = Spoken::new(&["Inner.test:8080".to_owned(), "[::1]:50051".to_owned()]).unwrap();
        for (url, version) in [
            ("http://inner.test:8080/x", Version::Clear),
            ("http://[::1]:50051", Version::Clear),
            ("http://inner.test", Version::Usual),
            ("https://inner.test:8080", Version::Usual),
            ("http://other.test:8080", Version::Usual),
        ] {
            assert_eq!(spoken.to(&at(url)), version, "{url}");
        }
        for wrong in ["", "a b:1", "inner.test:0", "user@inner.test:1"] {
            assert!(Spoken::new(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn so_many_are_remembered_and_no_more() {
        let spoken = Spoken::default();
        let nth = |n: usize| at(&format!("https://h{n}.test"));
        assert_eq!(spoken.to(&nth(0)), Version::Usual);
        for n in [0].into_iter().chain(0..MOST) {
            spoken.remember_old(&nth(n));
        }
        assert_eq!(spoken.to(&nth(0)), Version::Old);
        assert_eq!(spoken.to(&at("http://h0.test")), Version::Usual);
        spoken.remember_old(&nth(MOST));
        assert_eq!((spoken.to(&nth(0)), spoken.to(&nth(MOST))), (Version::Usual, Version::Old));
    }
}
