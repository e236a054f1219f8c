//! Cutting: a call's work before the answer, and the answer's body, end when its ticket is cut.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Response;
use http_body::{Frame, SizeHint};

use super::Ticket;
use crate::{
    error::Result,
    outbound::{Body, BoxError, empty},
};

/// What the body of a call fails with that was cut.
#[derive(Debug)]
pub(crate) struct Ended;

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the call was cut: what it stood on has ended")
    }
}

impl std::error::Error for Ended {}

/// Runs a call until its answer begins, and hands the answer on with a body that ends when the call is cut. Cut before
/// that, the call fails with the reason.
pub(crate) async fn until_cut(
    ticket: Ticket,
    call: impl Future<Output = Result<Response<Body>>>,
) -> Result<Response<Body>> {
    let answer = tokio::select! {
        biased;
        why = ticket.cut() => return Err(why),
        answer = call => answer?,
    };
    Ok(answer.map(|body| Body::new(Cut { body, ticket: Some(ticket) })))
}

/// A body that fails once its call is cut. What it streams from is dropped then.
struct Cut {
    body: Body,
    /// None once it was cut.
    ticket: Option<Ticket>,
}

impl http_body::Body for Cut {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let Some(ticket) = &this.ticket else { return Poll::Ready(None) };
        if !ticket.is_cut() {
            let frame = Pin::new(&mut this.body).poll_frame(cx);
            // Only who waits has to be woken.
            if frame.is_ready() || ticket.poll_cut(cx).is_pending() {
                return frame;
            }
        }
        (this.body, this.ticket) = (empty(), None);
        Poll::Ready(Some(Err(Box::new(Ended))))
    }

    fn is_end_stream(&self) -> bool {
        self.ticket.is_some() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
