//! Call: a request of our own to a provider's API, for identity and verification, made as a proxied call would be.
//!
//! Signed where calls are signed, with a proof of possession where the token needs one (RFC 9449 §7), over a connection
//! that shows the client certificate where the provider wants that (RFC 8705). Must never send a credential to anybody
//! but whom the request is for.

use bytes::Bytes;
use claviger_catalog::{CertificateAt, Provider, SigV4};
use claviger_protocol::{
    dpop::api_asks,
    oauth2::Tokens,
    sigv4::{self, Payload},
};
use http::{Request, Response};

use super::{
    ANSWER_CAP, certificate,
    dpop::{self, Prover},
    oauth1,
};
use crate::{
    broker::Broker,
    domain::integration::Integration,
    error::{Error, Result},
    outbound::Outbound,
};

/// Sends a request that carries its credential already, and reads the whole answer. `provider` is filled.
///
/// # Errors
/// `Provider` when it can't be reached or says too much, `Conflict` when there is nothing usable to sign or connect
/// with.
pub(super) async fn fetch(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    tokens: &Tokens,
    request: Request<Bytes>,
) -> Result<Response<Bytes>> {
    let way = certificate::way(broker, integration, provider, &tokens.typed, CertificateAt::Api).await?;
    let way = way.as_ref().unwrap_or(&broker.outbound);
    let Some(prover) = Prover::of(tokens)? else {
        let request = match provider.sigv4() {
            Some(sigv4) => signed(broker, sigv4, tokens, request)?,
            None => oauth1::signed(broker, integration, provider, tokens, request)?,
        };
        return Ok(way.fetch(request, ANSWER_CAP).await?);
    };
    let answer = proven(broker, way, &prover, tokens, request.clone()).await?;
    if api_asks(answer.status(), answer.headers()) {
        return proven(broker, way, &prover, tokens, request).await;
    }
    Ok(answer)
}

/// Signs a request of our own with the secret key that somebody typed in.
fn signed(
    broker: &Broker,
    sigv4: &SigV4,
    tokens: &Tokens,
    request: Request<Bytes>,
) -> Result<Request<Bytes>> {
    let (mut parts, body) = request.into_parts();
    sigv4::call(sigv4, tokens, &mut parts, Payload::Whole(&body), broker.clock.now().0)
        .map_err(|error| Error::Conflict { message: format!("the call can't be signed: {error}") })?;
    Ok(Request::from_parts(parts, body))
}

async fn proven(
    broker: &Broker,
    way: &Outbound,
    prover: &Prover,
    tokens: &Tokens,
    request: Request<Bytes>,
) -> Result<Response<Bytes>> {
    let (mut parts, body) = request.into_parts();
    prover.prove(broker, &mut parts, Some(&tokens.access_token))?;
    let uri = parts.uri.clone();
    let answer = way.fetch(Request::from_parts(parts, body), ANSWER_CAP).await?;
    dpop::learn(broker, &uri, answer.headers());
    Ok(answer)
}
