//! Phase 5, at its end: the signature, where a provider wants each call signed (RFC 5849).
//!
//! What is signed is what is sent: it comes after everything else is set, anew for each attempt, and path, query and body
//! stay byte for byte. A form in the body is signed too, so it is read before anything is sent; other bodies stream. Must
//! never let a call of a signing provider go unsigned.

use bytes::{Bytes, BytesMut};
use claviger_protocol::{oauth1::sign::is_form, oauth2::Tokens};
use http::{header, request::Parts};
use http_body_util::BodyExt as _;

use super::{prepare::Prepared, target};
use crate::{
    broker::Broker,
    connect::{endpoints, oauth1::Signer},
    error::{Error, Result},
    outbound::{self, Body},
    refresh::Subject,
    secret::Secret,
};

/// The longest form that is read to be signed, in bytes.
const LONGEST_FORM: usize = 1024 * 1024;

/// What signs the attempts of one call.
pub(super) struct Signing {
    signer: Signer,
    form: Option<Bytes>,
}

/// What signs a call, and the body as it is to be sent; `None` where calls are not signed, and nothing is read then.
///
/// # Errors
/// `Invalid` for a form that is too long or breaks off, `Conflict` when the integration has no client to sign with.
pub(super) async fn begin(
    broker: &Broker,
    subject: &Subject,
    caller: &Parts,
    body: Body,
) -> Result<(Option<Signing>, Body)> {
    if subject.provider.oauth1().is_none() {
        return Ok((None, body));
    }
    let provider = endpoints::filled(&subject.provider, &target::inputs(subject))?;
    let Some(signer) = Signer::of(broker, &subject.integration, &provider)? else { return Ok((None, body)) };
    if !is_form(caller) {
        return Ok((Some(Signing { signer, form: None }), body));
    }
    let form = whole(body).await?;
    Ok((Some(Signing { signer, form: Some(form.clone()) }), outbound::full(form)))
}

async fn whole(mut body: Body) -> Result<Bytes> {
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Error::invalid("body", "The body broke off"))?;
        let Some(data) = frame.data_ref() else { continue };
        if read.len() + data.len() > LONGEST_FORM {
            let message = "The form is too long to be signed: at most 1 MiB; send it as another content type";
            return Err(Error::invalid("body", message));
        }
        read.extend_from_slice(data);
    }
    Ok(read.freeze())
}

impl Signing {
    /// Signs one attempt, and keeps in mind what of that must not come back.
    pub(super) fn sign(&self, broker: &Broker, tokens: &Tokens, prepared: &mut Prepared) -> Result<()> {
        let parts = &mut prepared.parts;
        self.signer.call(broker, tokens, parts, self.form.as_deref())?;
        prepared.echoes.add(self.signer.secret());
        if let Some(signature) = signature(parts) {
            prepared.echoes.add(&signature);
        }
        Ok(())
    }
}

/// The signature in a signed head, decoded.
fn signature(parts: &Parts) -> Option<Secret> {
    let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let text = header.into_iter().chain(parts.uri.query()).find(|text| text.contains("oauth_signature="))?;
    let (_, rest) = text.split_once("oauth_signature=")?;
    let encoded = rest.trim_start_matches('"').split(['"', '&', ',']).next()?;
    Some(Secret::new(percent_encoding::percent_decode_str(encoded).decode_utf8_lossy()))
}
