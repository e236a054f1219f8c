//! A request's body as it arrives, whole or not at all.
//!
//! In HTTP/2 a caller may reset a stream with `NO_ERROR`, which reads as if the body had ended. It had not: what has come of
//! it must never pass for all of it.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::BoxError;

/// The body of a request.
#[derive(Debug)]
pub struct Arriving {
    body: Incoming,
    /// Whether an end is told from a mere stop.
    ends_told: bool,
}

impl Arriving {
    pub(super) fn of(request: Request<Incoming>) -> Request<Self> {
        let ends_told = request.version() == Version::HTTP_2;
        request.map(|body| Self { body, ends_told })
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else { return Poll::Pending };
        if frame.is_none() && this.ends_told && !this.body.is_end_stream() {
            return Poll::Ready(Some(Err("the body stopped before its end".into())));
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
