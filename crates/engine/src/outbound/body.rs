//! Bodies that stream, and the timeouts on them.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{Request, Response, Version};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt as _, Empty, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::{failure::Failure, pool::Lease};

/// What a body may fail with.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A body, streamed.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// A body without a byte.
pub fn empty() -> Body {
    Body::new(Empty::new().map_err(|never| match never {}))
}

/// A body that is all there.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Body::new(Full::new(bytes.into()).map_err(|never| match never {}))
}

/// Reads a whole body of at most `cap` bytes; trailers are dropped.
pub(super) async fn read(mut body: Body, cap: usize) -> Result<Bytes, Failure> {
    if body.size_hint().lower() > u64::try_from(cap).unwrap_or(u64::MAX) {
        return Err(Failure::too_large(cap));
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::from_body(&*error))?;
        let Some(data) = frame.data_ref() else { continue };
        if whole.len() + data.len() > cap {
            return Err(Failure::too_large(cap));
        }
        whole.extend_from_slice(data);
    }
    Ok(whole.freeze())
}

/// When a request last got on.
#[derive(Clone)]
pub(super) struct Progress(Arc<Mutex<Instant>>);

impl Progress {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    pub fn touch(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    pub fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request's body that notes its progress.
pub(super) struct Sent {
    body: Body,
    progress: Progress,
}

impl Sent {
    /// Has a request's body note it from here on. One that is all there makes no progress.
    pub fn watch(request: &mut Request<Body>) -> Option<Progress> {
        if request.body().is_end_stream() {
            return None;
        }
        let progress = Progress::new();
        let body = std::mem::replace(request.body_mut(), empty());
        *request.body_mut() = Body::new(Self { body, progress: progress.clone() });
        Some(progress)
    }
}

impl http_body::Body for Sent {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.progress.touch();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body that fails when its sender stalls, or stops before its end, and gives its connection back when it has
/// ended. The time a slow reader takes does not count.
pub(super) struct Watched {
    body: Incoming,
    /// Whether each end is told from a mere stop: in HTTP/2 a stream that is reset with `NO_ERROR` reads as if it had ended.
    ends_told: bool,
    limit: Duration,
    waiting_since: Option<Instant>,
    /// None once the body has ended.
    lease: Option<Lease>,
}

impl Watched {
    pub fn new(answer: Response<Incoming>, lease: Lease, limit: Duration) -> Response<Self> {
        let ends_told = answer.version() == Version::HTTP_2;
        answer.map(|body| {
            let mut watched = Self { body, ends_told, limit, waiting_since: None, lease: Some(lease) };
            if watched.body.is_end_stream() {
                watched.ended();
            }
            watched
        })
    }

    /// Nothing more is read of it: the connection is another request's, where it can be.
    fn ended(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.waiting_since = None;
            if frame.is_none() && this.ends_told && !this.body.is_end_stream() {
                drop(this.lease.take());
                return Poll::Ready(Some(Err(Failure::cut().into())));
            }
            match &frame {
                Some(Err(_)) => drop(this.lease.take()),
                // Nothing is behind trailers, and nobody asks.
                Some(Ok(frame)) if !frame.is_trailers() && !this.body.is_end_stream() => {}
                None | Some(Ok(_)) => this.ended(),
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(|error| Failure::from_body(&error).into())));
        }
        let Some(lease) = &mut this.lease else { return Poll::Pending };
        let since = *this.waiting_since.get_or_insert_with(Instant::now);
        ready!(lease.timer.poll(cx, since + this.limit));
        Poll::Ready(Some(Err(Failure::timed_out("the answer stalled").into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    /// What nobody reads may be all there, and then the connection is as good as before; else it is closed.
    fn drop(&mut self) {
        self.ended();
    }
}
