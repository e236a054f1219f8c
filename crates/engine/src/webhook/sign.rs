//! Sign: the headers that let a receiver know who sent a delivery. Pure.
//!
//! Two ways side by side. `BundleUp-Signature` is the hex HMAC-SHA256 of the body, its key the secret's text. The
//! `webhook-…` headers follow Standard Webhooks 1.0: base64 HMAC-SHA256 of `id.timestamp.body`, its key the bytes
//! behind `whsec_`. While a secret is being replaced both sign: Standard Webhooks lists both signatures; the other
//! header holds one value by contract, so it stays with the secret that every receiver still has, and the new one
//! is in `BundleUp-Signature-Next`.

use aws_lc_rs::hmac;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderName, HeaderValue, header};
use zeroize::Zeroizing;

use super::secrets::Secrets;
use crate::{
    error::{Error, Result},
    id::EventId,
    secret::Secret,
    time::Millis,
};

/// What a secret for Standard Webhooks begins with; the rest is base64 of its key.
pub const SECRET_PREFIX: &str = "whsec_";

/// Hex HMAC of the body.
const SIGNATURE: HeaderName = HeaderName::from_static("bundleup-signature");
/// The same with the secret that is to come, while two sign.
const SIGNATURE_NEXT: HeaderName = HeaderName::from_static("bundleup-signature-next");
/// The event's id: the same in every attempt.
const ID: HeaderName = HeaderName::from_static("webhook-id");
/// When the attempt was made, in seconds.
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
/// `v1,` and the signature; two of them, with a space between, while two secrets sign.
const SIGNATURES: HeaderName = HeaderName::from_static("webhook-signature");

/// The headers of one attempt, made at `at`, with this body.
pub(super) fn headers(
    secrets: &Secrets,
    id: &EventId,
    at: Millis,
    body: &[u8],
) -> Result<Vec<(HeaderName, HeaderValue)>> {
    let timestamp = (at.0 / 1000).to_string();
    let signed = [id.as_str().as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    let standard = |secret| format!("v1,{}", BASE64_STANDARD.encode(hmac(&key(secret), &signed)));
    let plain = |secret: &Secret| hex::encode(hmac(secret.expose().as_bytes(), body));
    let Secrets { current, previous } = secrets;
    let mut all = vec![
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (ID, id.as_str().to_owned()),
        (TIMESTAMP, timestamp.clone()),
    ];
    match previous {
        None => all.extend([(SIGNATURES, standard(current)), (SIGNATURE, plain(current))]),
        Some(previous) => all.extend([
            (SIGNATURES, format!("{} {}", standard(current), standard(previous))),
            (SIGNATURE, plain(previous)),
            (SIGNATURE_NEXT, plain(current)),
        ]),
    }
    let value =
        |text: String| HeaderValue::from_str(&text).map_err(|_| Error::internal("a header is not one"));
    all.into_iter().map(|(name, text)| Ok((name, value(text)?))).collect()
}

fn hmac(key: &[u8], text: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text)
}

/// The key for Standard Webhooks: the bytes behind `whsec_`, or the text of a secret of another form.
fn key(secret: &Secret) -> Zeroizing<Vec<u8>> {
    let text = secret.expose();
    let decoded = text.strip_prefix(SECRET_PREFIX).and_then(|key| BASE64_STANDARD.decode(key).ok());
    Zeroizing::new(decoded.unwrap_or_else(|| text.as_bytes().to_vec()))
}

#[cfg(test)]
#[path = "sign_tests.rs"]
mod tests;
