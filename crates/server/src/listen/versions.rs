//! Versions: how HTTP/1.1 and HTTP/2 are read and written, and what one connection may take of us.
//!
//! Which of the two it is tells TLS, or the first bytes. For HTTP/2 the numbers bound what a caller can make us hold or do
//! without paying for it; docs/limits.md has them.

use std::time::Duration;

use hyper_util::{
    rt::{TokioExecutor, TokioTimer},
    server::conn::auto::Builder,
};

/// Bytes buffered while reading one request's head under HTTP/1.
const HEAD_BUFFER: usize = 128 * 1024;
/// Requests at once on one HTTP/2 connection.
pub(super) const STREAMS: u32 = 250;
/// Bytes of one request's header list under HTTP/2, each name and value with 32 bytes beside them (RFC 9113 §6.5.2).
pub(super) const HEADER_LIST: u32 = 64 * 1024;
/// Bytes of one request's body that may be under way before somebody takes them.
const STREAM_WINDOW: u32 = 256 * 1024;
/// Of all bodies of a connection: so many that a few which nobody takes keep no others waiting.
const CONNECTION_WINDOW: u32 = 64 * STREAM_WINDOW;
/// Bytes of one answer that may wait for the connection.
const SEND_BUFFER: usize = 64 * 1024;
/// Requests that may be taken back before they were looked at (CVE-2023-44487): one more, and the connection ends.
pub(super) const TAKEN_BACK: usize = 20;
/// Streams of a connection that may end for a fault of the caller's: one more, and the connection ends.
pub(super) const FAULTS: usize = 200;
/// How long a peer may be silent before it is asked whether it is there, and then to say so.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

pub(super) fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // `patience` waits for heads, and costs no timer per request.
        .header_read_timeout(None)
        .preserve_header_case(true)
        .max_buf_size(HEAD_BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADER_LIST)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(TAKEN_BACK)
        .max_local_error_reset_streams(FAULTS);
    builder
}
