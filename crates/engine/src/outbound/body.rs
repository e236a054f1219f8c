//! Bodies that stream, and the timeouts on them.

use std::{
    future::Future as _,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{Response, Version};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt as _, Empty, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use super::failure::Failure;

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

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends once nothing has moved for `limit`.
    pub async fn stalled(&self, limit: Duration) {
        loop {
            let until = self.last() + limit;
            if until <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }
}

/// A request's body that notes its progress.
pub(super) struct Sent {
    body: Body,
    progress: Progress,
}

impl Sent {
    /// One that is all there makes no progress.
    pub fn body(body: Body, progress: &Progress) -> Body {
        if body.is_end_stream() { body } else { Body::new(Self { body, progress: progress.clone() }) }
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

/// An answer's body that fails when its sender stalls, or stops before its end. The time a slow reader takes does not count.
pub(super) struct Watched {
    body: Incoming,
    /// Whether each end is told from a mere stop: in HTTP/2 a stream that is reset with `NO_ERROR` reads as if it had ended.
    ends_told: bool,
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl Watched {
    pub fn new(answer: Response<Incoming>, limit: Duration) -> Response<Self> {
        let ends_told = answer.version() == Version::HTTP_2;
        answer.map(|body| Self { body, ends_told, limit, timer: None, waiting: false })
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
            this.waiting = false;
            if frame.is_none() && this.ends_told && !this.body.is_end_stream() {
                return Poll::Ready(Some(Err(Failure::cut().into())));
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(|error| Failure::from_body(&error).into())));
        }
        let until = Instant::now() + this.limit;
        let timer = this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if !this.waiting {
            this.waiting = true;
            timer.as_mut().reset(until);
        }
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Some(Err(Failure::timed_out("the answer stalled").into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
