//! Signing a request (RFC 5849 §3): the base string, the signature, and where the protocol's parameters go.
//!
//! Path and query of what is signed stay byte for byte; only with `place = "query"` something is added behind them.
//! Must never let a caller's own `Authorization` header through beside ours; a caller's own `oauth_` parameters stay in its
//! query, are signed with the rest, and are for the provider to refuse (RFC 5849 §3.1).

use aws_lc_rs::hmac;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use claviger_catalog::{OAuth1, Signature, SignaturePlace};
use http::{Method, Request, Uri, header, request::Parts, uri::PathAndQuery};
use percent_encoding::{percent_decode, percent_encode};

use super::{Client, Stamp, Tokens, rsa};
use crate::{
    ProtocolError, build,
    form::{self, UNRESERVED},
    secret::Secret,
};

/// Signs an API call with a connection's token. `form` is the body where it is a form
/// (`application/x-www-form-urlencoded`), which is signed too (RFC 5849 §3.4.1.3.1). The caller's `Authorization`
/// header is replaced. With `place = "body"` the parameters go into the query, for a body is never rewritten.
///
/// # Errors
/// When the private key can't be used, or a header can't be sent as it would be.
pub fn call(
    oauth1: &OAuth1,
    client: &Client<'_>,
    tokens: &Tokens,
    parts: &mut Parts,
    form: Option<&[u8]>,
    stamp: Stamp<'_>,
) -> Result<(), ProtocolError> {
    let signer = Signer { oauth1, client, tokens: Some(tokens), stamp };
    parts.headers.remove(header::AUTHORIZATION);
    let own = signer.signed(&parts.method, &parts.uri, form, Vec::new())?;
    match oauth1.place {
        SignaturePlace::Header => {
            let (name, value) = build::header("authorization", &authorization(oauth1, &own))?;
            parts.headers.insert(name, value);
        }
        SignaturePlace::Query | SignaturePlace::Body => parts.uri = with_query(&parts.uri, &own)?,
    }
    Ok(())
}

/// Signs a request that was built whole, as those of `identity` and `verify` are.
///
/// # Errors
/// As [`call`]
pub fn request(
    oauth1: &OAuth1,
    client: &Client<'_>,
    tokens: &Tokens,
    request: Request<Bytes>,
    stamp: Stamp<'_>,
) -> Result<Request<Bytes>, ProtocolError> {
    let (mut parts, body) = request.into_parts();
    let form = is_form(&parts).then_some(body.as_ref());
    call(oauth1, client, tokens, &mut parts, form, stamp)?;
    Ok(Request::from_parts(parts, body))
}

/// Whether a request's body is a form, so that it is signed. The engine buffers such a body; others stream.
pub fn is_form(parts: &Parts) -> bool {
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Who signs, with what, and when. Without tokens it is the request for temporary credentials.
pub(super) struct Signer<'a> {
    pub oauth1: &'a OAuth1,
    pub client: &'a Client<'a>,
    pub tokens: Option<&'a Tokens>,
    pub stamp: Stamp<'a>,
}

impl Signer<'_> {
    /// The protocol's parameters with their signature, of which `further` are some (`oauth_callback`,
    /// `oauth_verifier`).
    pub fn signed(
        &self,
        method: &Method,
        uri: &Uri,
        form: Option<&[u8]>,
        further: Vec<(String, String)>,
    ) -> Result<Vec<(String, String)>, ProtocolError> {
        let mut own = vec![
            ("oauth_consumer_key".to_owned(), self.client.key.to_owned()),
            ("oauth_signature_method".to_owned(), self.oauth1.signature.as_str().to_owned()),
            ("oauth_timestamp".to_owned(), self.stamp.timestamp.to_string()),
            ("oauth_nonce".to_owned(), self.stamp.nonce.to_owned()),
            ("oauth_version".to_owned(), "1.0".to_owned()),
        ];
        if let Some(tokens) = self.tokens {
            own.push(("oauth_token".to_owned(), tokens.access_token.expose().to_owned()));
        }
        own.extend(further);
        let signature = self.signature(&base_string(method, uri, form, &own)?)?;
        own.push(("oauth_signature".to_owned(), signature));
        Ok(own)
    }

    fn signature(&self, base: &str) -> Result<String, ProtocolError> {
        let secret = self.tokens.and_then(|tokens| tokens.token_secret.as_ref()).map_or("", Secret::expose);
        // RFC 5849 §3.4.2: both encoded, and the ampersand even where there is no token yet.
        let key =
            || Secret::new(format!("{}&{}", form::encode(self.client.secret.expose()), form::encode(secret)));
        let hmac = |algorithm| {
            let key = hmac::Key::new(algorithm, key().expose().as_bytes());
            BASE64_STANDARD.encode(hmac::sign(&key, base.as_bytes()))
        };
        Ok(match self.oauth1.signature {
            Signature::HmacSha1 => hmac(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
            Signature::HmacSha256 => hmac(hmac::HMAC_SHA256),
            Signature::RsaSha1 => BASE64_STANDARD.encode(rsa::sign(self.client.secret, base.as_bytes())?),
            Signature::Plaintext => key().expose().to_owned(),
        })
    }
}

/// The `Authorization` header's value (RFC 5849 §3.5.1).
pub(super) fn authorization(oauth1: &OAuth1, own: &[(String, String)]) -> String {
    let realm = oauth1.realm.iter().map(|realm| format!("realm=\"{realm}\""));
    let own = own.iter().map(|(name, value)| format!("{}=\"{}\"", form::encode(name), form::encode(value)));
    format!("OAuth {}", realm.chain(own).collect::<Vec<_>>().join(", "))
}

/// The signature base string (RFC 5849 §3.4.1).
pub(super) fn base_string(
    method: &Method,
    uri: &Uri,
    form: Option<&[u8]>,
    own: &[(String, String)],
) -> Result<String, ProtocolError> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for text in [uri.query().map(str::as_bytes), form].into_iter().flatten() {
        pairs.extend(text.split(|b| *b == b'&').filter(|pair| !pair.is_empty()).map(decoded));
    }
    pairs.extend(own.iter().map(|(name, value)| (form::encode(name), form::encode(value))));
    // RFC 5849 §3.4.1.3.2: by name, then by value, as they are encoded.
    pairs.sort();
    let normalized: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let normalized = normalized.join("&");
    Ok(format!(
        "{}&{}&{}",
        form::encode(method.as_str()),
        form::encode(&base_uri(uri)?),
        form::encode(&normalized)
    ))
}

/// One pair of a query or a form, decoded and encoded again as RFC 5849 §3.6 says. Bytes that are no text stay what
/// they are.
fn decoded(pair: &[u8]) -> (String, String) {
    let mut halves = pair.splitn(2, |b| *b == b'=');
    let mut next = || {
        let spaced: Vec<u8> =
            halves.next().unwrap_or_default().iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
        let bytes: Vec<u8> = percent_decode(&spaced).collect();
        percent_encode(&bytes, UNRESERVED).to_string()
    };
    (next(), next())
}

/// Scheme, authority and path (RFC 5849 §3.4.1.2): lower case, without the scheme's own port.
fn base_uri(uri: &Uri) -> Result<String, ProtocolError> {
    let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else {
        return Err(ProtocolError::Url("signed URL"));
    };
    let scheme = scheme.to_ascii_lowercase();
    let usual = if scheme == "https" { 443 } else { 80 };
    let port =
        uri.port_u16().filter(|port| *port != usual).map(|port| format!(":{port}")).unwrap_or_default();
    Ok(format!("{scheme}://{}{port}{}", host.to_ascii_lowercase(), uri.path()))
}

/// The URL with parameters behind its own.
pub(super) fn with_query(uri: &Uri, own: &[(String, String)]) -> Result<Uri, ProtocolError> {
    let written = pairs(own);
    let whole = match uri.query() {
        Some(query) if !query.is_empty() => format!("{}?{query}&{written}", uri.path()),
        _ => format!("{}?{written}", uri.path()),
    };
    let mut parts = uri.clone().into_parts();
    let whole = whole.parse::<PathAndQuery>().map_err(|_| ProtocolError::Url("signed URL"))?;
    parts.path_and_query = Some(whole);
    Uri::from_parts(parts).map_err(|_| ProtocolError::Url("signed URL"))
}

/// Parameters as a form; empty ones too, for they are signed.
pub(super) fn pairs(own: &[(String, String)]) -> String {
    let one = |(name, value): &(String, String)| format!("{}={}", form::encode(name), form::encode(value));
    own.iter().map(one).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests;
