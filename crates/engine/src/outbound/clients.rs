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
    spoken::Version,
};

/// How long a connection that nobody uses is kept.
const IDLE: Duration = Duration::from_secs(60);
/// Headers of an answer.
const HEADERS: usize = 256;
/// Bytes of an answer's head.
const HEAD: usize = 256 * 1024;
/// Bytes of an answer over HTTP/2 that may be under way before somebody takes them.
const STREAM_WINDOW: u32 = 512 * 1024;
/// Bytes of a request's body over HTTP/2 that may wait for the connection.
const SEND_BUFFER: usize = 256 * 1024;
/// How long an HTTP/2 connection with requests under way may be silent before it is asked whether it is there, and then to
/// say so.
const PING: Duration = Duration::from_secs(20);

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
    usual: Kind,
    old: Kind,
    clear: Kind,
}

/// Clients of one version of HTTP.
#[derive(Clone)]
struct Kind {
    lanes: Arc<[Client<Connector, Body>]>,
    once: Client<Connector, Body>,
}

impl Kind {
    fn new(connector: Connector, builder: impl Fn() -> Builder, lanes: usize) -> Self {
        // A clone would share the connections.
        let kept = |_| builder().pool_idle_timeout(IDLE).build(connector.clone());
        let lanes = (0..lanes.max(1)).map(kept).collect();
        Self { lanes, once: builder().pool_max_idle_per_host(0).build(connector) }
    }
}

impl Clients {
    /// So many lanes, at least one. `https_only`: for requests that go nowhere without TLS.
    pub fn new(gate: &Arc<Gate>, tls: &rustls::ClientConfig, https_only: bool, lanes: usize) -> Self {
        let connector = |versions| Connector::new(Arc::clone(gate), tls.clone(), https_only, versions);
        let both = connector(Versions::Both);
        let clear = || {
            let mut builder = builder();
            builder.http2_only(true);
            builder
        };
        Self {
            usual: Kind::new(both.clone(), builder, lanes),
            old: Kind::new(connector(Versions::Http1), builder, lanes),
            clear: Kind::new(both, clear, lanes),
        }
    }

    /// This thread's client for a version; or, for what may be sent only `once`, the one whose connections are used once.
    pub fn of(&self, version: Version, once: bool) -> &Client<Connector, Body> {
        let kind = match version {
            Version::Usual => &self.usual,
            Version::Old => &self.old,
            Version::Clear => &self.clear,
        };
        if once { &kind.once } else { &kind.lanes[LANE.get() % kind.lanes.len()] }
    }

    /// The client whose connections may stop being HTTP's: in HTTP/1.1, and used once.
    pub fn switching(&self) -> &Client<Connector, Body> {
        &self.old.once
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
        // What nobody takes of one answer must not keep others of its connection waiting: together the streams have more
        // than a hundred of them need. Windows that adapt would be the connection's and each stream's alike.
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(STREAM_WINDOW * 128)
        .http2_max_send_buf_size(SEND_BUFFER)
        // A connection that died without a word is found out while somebody waits for it.
        .http2_keep_alive_interval(PING)
        .http2_keep_alive_timeout(PING);
    builder
}
