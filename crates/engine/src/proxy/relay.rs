//! Phase 8: the provider's answer as the caller gets it.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, Version};
use http_body::{Body as _, Frame, SizeHint};
use hyper::ext::ReasonPhrase;

use super::{echoes::Echoes, headers, record::Entry};
use crate::{
    id::RequestId,
    outbound::{Body, BoxError, empty},
    watch::{Ended, Ticket},
};

/// Names the call in the answer and in the request log.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("claviger-request-id");

/// Status and headers, without what stops here and without a header that repeats the injected secret; the body as it is.
pub(super) fn answer(from: Response<Body>, echoes: &Echoes, request_id: &RequestId) -> Response<Body> {
    let (mut head, body) = from.into_parts();
    head.version = Version::default();
    head.headers = clean(&head.headers, echoes);
    // The reason phrase, and how the provider wrote the names of its headers, are in types that only hyper knows.
    let reason =
        head.extensions.get::<ReasonPhrase>().map(|reason| HeaderValue::from_bytes(reason.as_bytes()));
    if reason.is_some_and(|reason| reason.map_or(true, |reason| echoes.found_in(&reason))) {
        head.extensions.remove::<ReasonPhrase>();
    }
    if let Ok(id) = HeaderValue::from_str(request_id.as_str()) {
        head.headers.insert(REQUEST_ID, id);
    }
    Response::from_parts(head, body)
}

fn clean(from: &HeaderMap, echoes: &Echoes) -> HeaderMap {
    headers::outward(from, |value| echoes.found_in(value))
}

/// Hands the answer on. The call lasts until its body has ended, and fails there once it is cut.
pub(super) fn pass(
    answer: Response<Body>,
    echoes: Echoes,
    ticket: Ticket,
    mut entry: Entry,
) -> Response<Body> {
    entry.answered(answer.status());
    answer.map(|body| Body::new(Passing { body, echoes, ticket: Some(ticket), entry, ended: false }))
}

/// An answer's body on its way: counted, its trailers cleaned like headers, and cut when the call is. Bytes are not
/// looked into. What it streams from is dropped when it is cut.
struct Passing {
    body: Body,
    echoes: Echoes,
    /// None once it was cut.
    ticket: Option<Ticket>,
    entry: Entry,
    /// Whether its end, or that it broke, was seen.
    ended: bool,
}

impl Passing {
    fn cut(&mut self) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        (self.body, self.ticket) = (empty(), None);
        self.broke("access_ended");
        Poll::Ready(Some(Err(Box::new(Ended))))
    }

    fn broke(&mut self, why: &'static str) {
        self.ended = true;
        self.entry.broke(why);
    }

    fn note(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        match frame.into_data() {
            Ok(data) => {
                self.entry.passes(data.len());
                Frame::data(data)
            }
            Err(frame) => match frame.into_trailers() {
                Ok(trailers) => {
                    // Nothing is behind them, and nobody asks.
                    self.ended = true;
                    Frame::trailers(clean(&trailers, &self.echoes))
                }
                Err(other) => other,
            },
        }
    }
}

impl http_body::Body for Passing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let Some(ticket) = &this.ticket else { return Poll::Ready(None) };
        if ticket.is_cut() {
            return this.cut();
        }
        match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(this.note(frame)))),
            Poll::Ready(Some(Err(error))) => {
                this.broke("upstream_broken");
                Poll::Ready(Some(Err(error)))
            }
            Poll::Ready(None) => {
                this.ended = true;
                Poll::Ready(None)
            }
            // Only who waits has to be woken.
            Poll::Pending if ticket.poll_cut(cx).is_ready() => this.cut(),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ticket.is_some() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        // Of a length that was told, whoever had all of it does not ask whether that was all.
        let whole = self.body.is_end_stream() || self.body.size_hint().exact() == Some(0);
        if !self.ended && !whole {
            self.entry.broke("caller_gone");
        }
    }
}

#[cfg(test)]
#[path = "relay_tests.rs"]
mod tests;
