//! The signature of OAuth 1 (RFC 5849): over method, URL and the form in the body, where there is one.
//!
//! A form is read before anything is sent; other bodies stream. Must never sign for another client than the integration's.

use bytes::Bytes;
use claviger_protocol::{oauth1::sign::is_form, oauth2::Tokens};
use http::{header, request::Parts};

use super::whole;
use crate::{
    broker::Broker,
    connect::{endpoints, oauth1::Signer},
    error::{Error, Result},
    outbound::{self, Body},
    proxy::{prepare::Prepared, target},
    refresh::Subject,
    secret::Secret,
};

/// What signs the attempts of one call.
pub(in crate::proxy) struct Signing {
    signer: Signer,
    form: Option<Bytes>,
}

/// What signs a call, and the body as it is to be sent.
///
/// # Errors
/// `Invalid` for a form that is too long or breaks off, `Conflict` when the integration has no client to sign with.
pub(super) async fn begin(
    broker: &Broker,
    subject: &Subject,
    caller: &Parts,
    body: Body,
) -> Result<(Signing, Body)> {
    let provider = endpoints::filled(&subject.provider, &target::inputs(subject))?;
    let signer = Signer::of(broker, &subject.integration, &provider)?;
    let signer = signer.ok_or_else(|| Error::internal("this is not OAuth 1"))?;
    if !is_form(caller) {
        return Ok((Signing { signer, form: None }, body));
    }
    let form =
        whole(body, "The form is too long to be signed: at most 1 MiB; send it as another content type");
    let form = form.await?;
    Ok((Signing { signer, form: Some(form.clone()) }, outbound::full(form)))
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
