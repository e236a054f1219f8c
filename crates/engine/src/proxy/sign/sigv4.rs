//! AWS Signature Version 4, by the secret key that somebody typed in.
//!
//! A body that is signed is read before anything is sent; where the provider's file leaves bodies unsigned they stream, over
//! https only. Must never pass on a caller's own signature, nor a body whose pieces a caller signed one by one.

use bytes::Bytes;
use claviger_catalog::SigV4;
use claviger_protocol::{
    ProtocolError,
    oauth2::Tokens,
    sigv4::{self, Payload},
};
use http::{Uri, header, request::Parts};
use http_body::Body as _;

use super::whole;
use crate::{
    broker::Broker,
    connect::endpoints,
    error::{Error, Result},
    outbound::{self, Body},
    proxy::{prepare::Prepared, target},
    refresh::Subject,
    secret::Secret,
};

/// What signs the attempts of one call.
pub(in crate::proxy) struct Signing {
    table: SigV4,
    /// The body, unless it goes unsigned.
    body: Option<Bytes>,
}

/// What signs a call to this URL, and the body as it is to be sent.
///
/// # Errors
/// `Invalid` for a body that is too long, breaks off, or is signed in pieces.
pub(super) async fn begin(
    subject: &Subject,
    caller: &Parts,
    uri: &Uri,
    body: Body,
) -> Result<(Signing, Body)> {
    let provider = endpoints::filled(&subject.provider, &target::inputs(subject))?;
    let table = provider.sigv4().cloned().ok_or_else(|| Error::internal("calls are not signed so"))?;
    if in_pieces(caller) {
        let message = "The body is signed in pieces, which can't be signed anew: send it whole, and unsigned";
        return Err(Error::invalid("body", message));
    }
    if table.is_unsigned() && uri.scheme_str() == Some("https") && !body.is_end_stream() {
        return Ok((Signing { table, body: None }, body));
    }
    let body = whole(body, "The body is too long to be signed: at most 1 MiB").await?;
    Ok((Signing { table, body: Some(body.clone()) }, outbound::full(body)))
}

/// Whether the caller's client signs the body piece by piece (`aws-chunked`).
fn in_pieces(caller: &Parts) -> bool {
    let holds = |name: &str, text: &str| {
        let values = caller.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.into_iter().any(|value| value.to_ascii_lowercase().contains(text))
    };
    holds(header::CONTENT_ENCODING.as_str(), "aws-chunked") || holds("x-amz-content-sha256", "streaming-")
}

impl Signing {
    /// Signs one attempt, with its own time, and keeps in mind what of that must not come back.
    pub(super) fn sign(&self, broker: &Broker, tokens: &Tokens, prepared: &mut Prepared) -> Result<()> {
        let payload = self.body.as_deref().map_or(Payload::Unsigned, Payload::Whole);
        let now = broker.clock.now().0;
        sigv4::call(&self.table, tokens, &mut prepared.parts, payload, now).map_err(unsigned)?;
        let signed = prepared.parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        if let Some((_, signature)) = signed.and_then(|text| text.rsplit_once('=')) {
            prepared.echoes.add(&Secret::new(signature));
        }
        Ok(())
    }
}

fn unsigned(error: ProtocolError) -> Error {
    match error {
        ProtocolError::Header(name) => {
            Error::invalid("headers", format!("`{name}` can't be signed as it is"))
        }
        other => Error::Conflict { message: format!("the call can't be signed: {other}") },
    }
}
