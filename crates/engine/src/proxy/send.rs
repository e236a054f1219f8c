//! Phase 6: one attempt.
//!
//! Over a connection of its own, where it is to become a WebSocket's; and over one that shows the client certificate, where the provider wants one.

use claviger_catalog::CertificateAt;
use claviger_protocol::oauth2::Tokens;
use http::{Request, Response, request::Parts};

use super::{
    headers,
    replay::Replay,
    upgrade::{self, Switch},
};
use crate::{
    broker::Broker,
    connect::certificate,
    error::Result,
    outbound::{Body, Destination, Failure, FailureKind, Outbound},
    refresh::Subject,
};

/// The way out for the attempts of one call, where it is not the usual one.
///
/// # Errors
/// `Conflict` when there is no certificate that could be shown.
pub(super) async fn way(
    broker: &Broker,
    subject: &Subject,
    tokens: &Tokens,
) -> Result<Option<Box<Outbound>>> {
    let Subject { integration, provider, .. } = subject;
    let way = certificate::way(broker, integration, provider, &tokens.typed, CertificateAt::Api).await?;
    Ok(way.map(Box::new))
}

/// Sends the head with the body from its beginning. The body streams on while the answer already comes back.
pub(super) async fn attempt(
    way: &Outbound,
    to: &Destination,
    parts: Parts,
    body: &Replay,
    switch: Option<&Switch>,
) -> std::result::Result<Response<Body>, Failure> {
    let Some(body) = body.restart() else {
        let message = "the request's body can't be sent again".to_owned();
        return Err(Failure { kind: FailureKind::Broken, nothing_sent: false, message });
    };
    let mut request = Request::from_parts(parts, body);
    let answer = match switch {
        None => way.send_to(to, request).await?,
        Some(_) => {
            upgrade::ask(request.headers_mut());
            Box::pin(way.switch(request)).await?
        }
    };
    headers::check_answer(answer.headers())?;
    Ok(answer)
}
