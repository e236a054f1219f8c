//! The client against servers of its own: what it refuses, what it gives up on, whom it trusts.

mod addresses;
mod exchange;
mod guards;
mod identity;
mod pool;
mod server;
mod trust;

use std::{net::IpAddr, sync::Arc, time::Duration};

use http::Request;
use http_body_util::BodyExt as _;

use super::*;

/// Only 127.0.0.1 is allowed. The waits that a test wants to see end are short, all others long.
fn config() -> Config {
    Config {
        policy: Policy { allow: vec!["127.0.0.1/32".parse().unwrap()] },
        connect_timeout: Duration::from_secs(20),
        header_timeout: Duration::from_secs(20),
        idle_timeout: Duration::from_secs(20),
        total_timeout: Duration::from_secs(20),
        ..Config::default()
    }
}

fn scripted(script: Script) -> (Outbound, Arc<Script>) {
    let script = Arc::new(script);
    (Outbound::with_resolver(config(), Resolver::Scripted(Arc::clone(&script))).unwrap(), script)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn get(url: impl AsRef<str>) -> Request<Bytes> {
    Request::get(url.as_ref()).body(Bytes::new()).unwrap()
}

fn streamed(request: Request<Bytes>) -> Request<Body> {
    request.map(full)
}
