//! Post: the one way of a request to an authorization server: token, device, pushed request, revocation.
//!
//! What a provider wants of each such request besides what is in it happens here. Must never send anything twice that a
//! server may have taken the first time.

use bytes::Bytes;
use claviger_protocol::dpop::token_endpoint_asks;
use http::{Request, Response};

use super::{ANSWER_CAP, dpop, party::Party};
use crate::{broker::Broker, error::Result};

/// Makes a token request, and reads the whole answer; with a proof of possession where the server wants one (RFC 9449
/// §5). `make` says who asks, and what.
///
/// A server that wants a nonce of its own in the proof refuses the first request and says the nonce. Then it is made
/// anew, once, for an assertion is good for one request too. That is safe with a code or a refresh token in it: the
/// proof is looked at before anything is redeemed, so what was refused for it is not spent (RFC 9449 §8).
///
/// # Errors
/// As [`fetch`], and what `make` fails with.
pub(super) async fn token<F>(broker: &Broker, make: impl Fn() -> F) -> Result<(Party, Response<Bytes>)>
where
    F: Future<Output = Result<(Party, Request<Bytes>)>>,
{
    let (party, request) = make().await?;
    let answer = proven(broker, &party, request).await?;
    let asks = || token_endpoint_asks(answer.status(), answer.headers(), answer.body());
    if party.prover().is_none() || !asks() {
        return Ok((party, answer));
    }
    let (party, request) = make().await?;
    let answer = proven(broker, &party, request).await?;
    Ok((party, answer))
}

async fn proven(broker: &Broker, party: &Party, request: Request<Bytes>) -> Result<Response<Bytes>> {
    let Some(prover) = party.prover() else { return fetch(broker, party, request).await };
    let (mut parts, body) = request.into_parts();
    prover.prove(broker, &mut parts, None)?;
    let uri = parts.uri.clone();
    let answer = fetch(broker, party, Request::from_parts(parts, body)).await?;
    dpop::learn(broker, &uri, answer.headers());
    Ok(answer)
}

/// Sends a request that gets no tokens, and reads the whole answer.
///
/// # Errors
/// `Provider` when it can't be reached or says too much.
pub(super) async fn fetch(
    broker: &Broker,
    party: &Party,
    request: Request<Bytes>,
) -> Result<Response<Bytes>> {
    let way = party.way().unwrap_or(&broker.outbound);
    Ok(way.fetch(request, ANSWER_CAP).await?)
}
