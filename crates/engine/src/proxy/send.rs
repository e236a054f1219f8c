//! Phase 6: one attempt.

use http::{Request, Response, request::Parts};

use super::replay::Replay;
use crate::{
    broker::Broker,
    outbound::{Body, Failure, FailureKind},
};

/// Sends the head with the body from its beginning. The body streams on while the answer already comes back.
pub(super) async fn attempt(
    broker: &Broker,
    parts: Parts,
    body: &Replay,
) -> std::result::Result<Response<Body>, Failure> {
    let Some(body) = body.restart() else {
        let message = "the request's body can't be sent again".to_owned();
        return Err(Failure { kind: FailureKind::Broken, nothing_sent: false, message });
    };
    broker.outbound.send(Request::from_parts(parts, body)).await
}
