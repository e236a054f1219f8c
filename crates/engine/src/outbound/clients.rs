//! Clients: whose connections are used again, and by whom.
//!
//! Each thread that serves calls has a client of its own, a lane: its connections are opened, used and closed on that thread, and
//! no call waits for another one's. What may be sent only once has a client that uses no connection twice: a connection that
//! waited may be closed by its other end just as the request leaves, and then nobody knows whether it arrived.

use std::{cell::Cell, sync::Arc, time::Duration};

use hyper_util::{
    client::legacy::{Builder, Client},
    rt::{TokioExecutor, TokioTimer},
};

use super::{
    body::Body,
    connect::{Connector, Gate, Versions},
};

/// How long a connection that nobody uses is kept.
const IDLE: Duration = Duration::from_secs(60);
/// Headers of an answer.
const HEADERS: usize = 256;
/// Bytes of an answer's head.
const HEAD: usize = 256 * 1024;

thread_local! {
    static LANE: Cell<usize> = const { Cell::new(0) };
}

/// Says which lane this thread's requests take; without a word it is lane 0, which all such threads share.
pub fn take_lane(lane: usize) {
    LANE.set(lane);
}

/// The clients over one connector. Cloning shares their connections.
#[derive(Clone)]
pub(super) struct Clients {
    lanes: Arc<[Client<Connector, Body>]>,
    once: Client<Connector, Body>,
    switching: Client<Connector, Body>,
}

impl Clients {
    /// So many lanes, at least one. `https_only`: for requests that go nowhere without TLS.
    pub fn new(gate: &Arc<Gate>, tls: &rustls::ClientConfig, https_only: bool, lanes: usize) -> Self {
        let connector = |versions| Connector::new(Arc::clone(gate), tls.clone(), https_only, versions);
        let usual = connector(Versions::Both);
        let kept = builder().pool_idle_timeout(IDLE).build(usual.clone());
        // A clone would share the connections.
        let others = (1..lanes).map(|_| builder().pool_idle_timeout(IDLE).build(usual.clone()));
        let lanes = std::iter::once(kept).chain(others).collect();
        let single = |connector| builder().pool_max_idle_per_host(0).build(connector);
        Self { lanes, once: single(usual.clone()), switching: single(connector(Versions::Http1)) }
    }

    /// The client of this thread.
    pub fn here(&self) -> &Client<Connector, Body> {
        &self.lanes[LANE.get() % self.lanes.len()]
    }

    /// The client whose connections are used once.
    pub fn once(&self) -> &Client<Connector, Body> {
        &self.once
    }

    /// The client whose connections may stop being HTTP's: in HTTP/1.1, and used once.
    pub fn switching(&self) -> &Client<Connector, Body> {
        &self.switching
    }
}

#[expect(clippy::disallowed_methods, reason = "these are all the clients there are")]
fn builder() -> Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .http1_max_headers(HEADERS)
        .http1_max_buf_size(HEAD)
        .http1_preserve_header_case(true)
        .http2_max_header_list_size(u32::try_from(HEAD).unwrap_or(u32::MAX))
        .http2_adaptive_window(true);
    builder
}
