//! Phase 8: the provider's answer as the caller gets it.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body::{Frame, SizeHint};
use hyper::ext::ReasonPhrase;

use super::{echoes::Echoes, headers};
use crate::{
    id::RequestId,
    outbound::{Body, BoxError},
};

/// Names the call in the answer and in the request log.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("claviger-request-id");

/// Status, headers and the streaming body, without what stops here and without a header that repeats the
/// injected secret. Bodies are not looked into.
pub(super) fn answer(from: Response<Body>, echoes: Echoes, request_id: &RequestId) -> Response<Body> {
    let (from, body) = from.into_parts();
    let mut answer = Response::new(());
    *answer.status_mut() = from.status;
    *answer.headers_mut() = clean(&from.headers, &echoes);
    // The reason phrase, and how the provider wrote the names of its headers, in a type that only hyper knows.
    *answer.extensions_mut() = from.extensions;
    let reason =
        answer.extensions().get::<ReasonPhrase>().map(|reason| HeaderValue::from_bytes(reason.as_bytes()));
    if reason.is_some_and(|reason| reason.map_or(true, |reason| echoes.found_in(&reason))) {
        answer.extensions_mut().remove::<ReasonPhrase>();
    }
    if let Ok(id) = HeaderValue::from_str(request_id.as_str()) {
        answer.headers_mut().insert(REQUEST_ID, id);
    }
    answer.map(|()| Body::new(Relayed { body, echoes }))
}

fn clean(from: &HeaderMap, echoes: &Echoes) -> HeaderMap {
    headers::outward(from, |value| echoes.found_in(value))
}

/// The body, its trailers cleaned like headers.
struct Relayed {
    body: Body,
    echoes: Echoes,
}

impl http_body::Body for Relayed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            frame.map(|frame| match frame.into_trailers() {
                Ok(trailers) => Frame::trailers(clean(&trailers, &this.echoes)),
                Err(data) => data,
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
#[path = "relay_tests.rs"]
mod tests;
