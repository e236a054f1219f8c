//! Patience: how long a connection may keep us waiting for its next request, and for taking what it is sent.
//!
//! [`Patient`] wraps a connection's bytes. While a request is under way nothing that is merely quiet ends it: a stream of
//! events, or a download that its provider pauses, has the limits of the way out alone. Between requests there are two: a
//! time without any request, and a shorter one for a request that has begun (slowloris), which also holds for a new
//! connection. One timer per connection is set again only when it fires, so that a request costs none.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use claviger_engine::limit::timer::Timer;
use http_body::{Body, Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use super::limits::{Limits, Place};

/// What a request that did not come to its end in time is answered under HTTP/1. No door is known by then.
pub(super) const LATE: &[u8] = b"HTTP/1.1 408 Request Timeout\r\ncontent-type: application/json\r\n\
    content-length: 115\r\nconnection: close\r\n\r\n\
    {\"status\":408,\"code\":\"request_timeout\",\"message\":\"The request's head did not come in time (client_header_timeout)\"}";

/// How HTTP/2 begins, and no request of HTTP/1 does.
const PREFACE: &[u8] = b"PRI";

/// What a connection's requests tell its bytes.
#[derive(Debug)]
pub(super) struct Traffic {
    born: Instant,
    /// Requests under way.
    under_way: AtomicUsize,
    /// Requests begun so far.
    begun: AtomicU64,
    /// When one last ended, in milliseconds since the connection began.
    ended: AtomicU64,
    /// The connection speaks something else now.
    upgraded: AtomicBool,
}

impl Default for Traffic {
    fn default() -> Self {
        Self {
            born: Instant::now(),
            under_way: AtomicUsize::new(0),
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            upgraded: AtomicBool::new(false),
        }
    }
}

impl Traffic {
    /// A request has come.
    pub fn begin(self: &Arc<Self>) -> Request {
        self.begun.fetch_add(1, Ordering::AcqRel);
        self.under_way.fetch_add(1, Ordering::AcqRel);
        Request(Arc::clone(self))
    }

    /// From here on it is no longer HTTP.
    pub fn upgrade(&self) {
        self.upgraded.store(true, Ordering::Release);
    }

    /// When the last request ended.
    fn ended(&self) -> Instant {
        self.born + Duration::from_millis(self.ended.load(Ordering::Acquire))
    }

    fn is_busy(&self) -> bool {
        self.under_way.load(Ordering::Acquire) > 0 || self.upgraded.load(Ordering::Acquire)
    }
}

/// A request under way, until it is dropped.
#[derive(Debug)]
pub(super) struct Request(Arc<Traffic>);

impl Drop for Request {
    fn drop(&mut self) {
        let life = u64::try_from(self.0.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.ended.store(life, Ordering::Release);
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}

/// An answer's body; its request is under way for as long as it lasts.
pub(super) struct Answering<B> {
    body: B,
    _request: Request,
}

impl<B> Answering<B> {
    pub fn new(body: B, request: Request) -> Self {
        Self { body, _request: request }
    }
}

impl<B: Body + Unpin> Body for Answering<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection's bytes, and how long they may be waited for.
pub(super) struct Patient<S> {
    io: S,
    traffic: Arc<Traffic>,
    header: Option<Duration>,
    idle: Option<Duration>,
    read: Option<Duration>,
    /// How many requests had begun when it was last waited for one.
    seen: u64,
    /// Since when the next request is waited for.
    since: Instant,
    /// Since when a part of it is there.
    partial: Option<Instant>,
    /// The first bytes, as far as they tell the version.
    first: ([u8; 3], usize),
    /// Since when the peer takes nothing.
    unread: Option<Instant>,
    reading: Timer,
    writing: Timer,
    /// The connection's place: it goes with the bytes, also to whatever they are handed over to.
    _place: Place,
}

impl<S> Patient<S> {
    pub fn new(io: S, limits: &Limits, traffic: Arc<Traffic>, place: Place) -> Self {
        let now = Instant::now();
        Self {
            io,
            traffic,
            header: limits.header,
            idle: limits.idle,
            read: limits.read,
            seen: 0,
            since: now,
            partial: Some(now),
            first: Default::default(),
            unread: None,
            reading: Timer::default(),
            writing: Timer::default(),
            _place: place,
        }
    }

    /// Until when bytes are waited for; `None` for as long as it takes.
    fn deadline(&mut self) -> Option<Instant> {
        if self.traffic.is_busy() {
            return None;
        }
        let begun = self.traffic.begun.load(Ordering::Acquire);
        if begun != self.seen {
            (self.seen, self.since, self.partial) = (begun, self.traffic.ended(), None);
        }
        match self.partial {
            Some(partial) => self.header.map(|limit| partial + limit),
            None => self.idle.map(|limit| self.since + limit),
        }
    }

    /// Bytes have come while no request is under way.
    fn note(&mut self, bytes: &[u8]) {
        let (first, known) = &mut self.first;
        let more = bytes.len().min(first.len() - *known);
        first[*known..*known + more].copy_from_slice(&bytes[..more]);
        *known += more;
        // HTTP/2 has frames that are no request, and one head at a time.
        let begun = self.traffic.begun.load(Ordering::Acquire);
        if begun == self.seen && !self.is_http2() && !self.traffic.is_busy() {
            self.partial.get_or_insert_with(Instant::now);
        }
    }

    fn is_http2(&self) -> bool {
        self.first.0 == PREFACE
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = into.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut this.io).poll_read(cx, into) {
            this.note(&into.filled()[before..]);
            return Poll::Ready(read);
        }
        let Some(deadline) = this.deadline() else {
            // Whoever serves need not ask again when the request has ended: the timer has it looked at.
            if let Some(limit) = this.idle.or(this.header) {
                let _busy = this.reading.poll(cx, Instant::now() + limit);
            }
            return Poll::Pending;
        };
        if this.reading.poll(cx, deadline).is_pending() {
            return Poll::Pending;
        }
        if this.partial.is_some() && this.first.1 > 0 && !this.is_http2() {
            // Nothing else is being written; whether it gets there is no longer our concern.
            let _told = Pin::new(&mut this.io).poll_write(cx, LATE);
            let _sent = Pin::new(&mut this.io).poll_flush(cx);
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "no request came in time")))
    }
}

impl<S: AsyncWrite + Unpin> Patient<S> {
    /// Lets a write pass, and fails one that has been waiting for the peer for too long.
    fn written<T>(&mut self, cx: &mut Context<'_>, wrote: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if wrote.is_ready() {
            self.unread = None;
            return wrote;
        }
        let Some(limit) = self.read else { return Poll::Pending };
        let since = *self.unread.get_or_insert_with(Instant::now);
        if self.writing.poll(cx, since + limit).is_pending() {
            return Poll::Pending;
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer took nothing for too long")))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.written(cx, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.io).poll_write_vectored(cx, pieces);
        self.written(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.written(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = Pin::new(&mut self.io).poll_shutdown(cx);
        self.written(cx, ended)
    }
}
