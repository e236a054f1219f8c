//! The three steps to a token (RFC 5849 §2): temporary credentials, the resource owner's authorization, the token.
//!
//! Their answers are read by [`super::read`]. Must never send a verifier with other credentials than those it came for,
//! nor take a callback that is not this flow's: the caller compares the token in [`Returned`] with what it kept.

use std::collections::BTreeMap;

use bytes::Bytes;
use claviger_catalog::{Method, OAuth1, SignaturePlace, template};
use http::{HeaderValue, Request, Uri, header};

use super::{
    Client, Stamp, Tokens,
    sign::{Signer, authorization, pairs, with_query},
};
use crate::{
    ProtocolError,
    build::{self, fill},
    form,
    secret::Secret,
};

/// The request for temporary credentials (RFC 5849 §2.1). `callback` is where the provider sends the browser back to;
/// what the flow knows itself by may be in its query.
///
/// # Errors
/// When the endpoint is not a usable URL, or the private key can't be used.
pub fn temporary(
    oauth1: &OAuth1,
    url: &str,
    client: &Client<'_>,
    callback: &str,
    stamp: Stamp<'_>,
) -> Result<Request<Bytes>, ProtocolError> {
    let known = [("client_id", Some(client.key))];
    let mut params = Vec::new();
    for (name, value) in &oauth1.params {
        params.push((name.clone(), fill(value, &known)?));
    }
    let further = vec![("oauth_callback".to_owned(), callback.to_owned())];
    let signer = Signer { oauth1, client, tokens: None, stamp };
    made("temporary credentials endpoint", url, &signer, &params, further)
}

/// Where the browser goes (RFC 5849 §2.2). `extra` holds the integration's own parameters, which win over the file's.
///
/// # Errors
/// When the endpoint is not a usable URL, or a parameter is the protocol's own.
pub fn authorize_url(
    oauth1: &OAuth1,
    url: &str,
    client: &Client<'_>,
    temporary: &Tokens,
    extra: &BTreeMap<String, String>,
) -> Result<String, ProtocolError> {
    if !template::is_plain_url(url) || url.contains(['{', '}', '#']) {
        return Err(ProtocolError::Url("authorization endpoint"));
    }
    let mut fields = vec![("oauth_token".to_owned(), temporary.access_token.expose().to_owned())];
    let known = [("client_id", Some(client.key))];
    for (name, value) in oauth1.authorize_params.iter().filter(|(name, _)| !extra.contains_key(*name)) {
        fields.push((name.clone(), fill(value, &known)?));
    }
    for (name, value) in extra {
        if name.starts_with("oauth_") {
            return Err(ProtocolError::Forbidden(name.clone()));
        }
        fields.push((name.clone(), value.clone()));
    }
    Ok(form::append(url, &form::write(&fields, &[])))
}

/// The request for the token (RFC 5849 §2.3).
///
/// # Errors
/// As [`temporary`]
pub fn token(
    oauth1: &OAuth1,
    url: &str,
    client: &Client<'_>,
    temporary: &Tokens,
    verifier: &Secret,
    stamp: Stamp<'_>,
) -> Result<Request<Bytes>, ProtocolError> {
    if verifier.is_empty() {
        return Err(ProtocolError::Missing("the verifier".to_owned()));
    }
    let further = vec![("oauth_verifier".to_owned(), verifier.expose().to_owned())];
    let signer = Signer { oauth1, client, tokens: Some(temporary), stamp };
    made("token endpoint", url, &signer, &[], further)
}

/// What a browser brings back. No `Debug`: the verifier is a secret.
pub enum Returned {
    /// The resource owner consented.
    Verified {
        /// The temporary credentials' identifier.
        token: Secret,
        /// What shows that it is the same owner (RFC 5849 §2.2).
        verifier: Secret,
    },
    /// It did not: `denied=…`, the words of the Problem Reporting extension, or those of OAuth 2.
    Refused {
        /// The temporary credentials' identifier, where it is told.
        token: Option<Secret>,
        /// The provider's word (`user_refused`, `permission_denied`), at most 64 letters.
        problem: String,
    },
}

/// Reads a callback's query.
///
/// # Errors
/// When it is neither a consent nor a refusal, or a parameter comes twice.
pub fn returned(query: &str) -> Result<Returned, ProtocolError> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let ours = name.starts_with("oauth_") || matches!(name.as_ref(), "denied" | "error");
        if ours && found.insert(name.into_owned(), value.into_owned()).is_some() {
            return Err(ProtocolError::Unreadable("the callback"));
        }
    }
    let mut take = |name: &str| found.remove(name).filter(|value| !value.is_empty());
    let token = take("oauth_token").map(Secret::new);
    // Nothing says what a refusal looks like: Authlib's has OAuth 2's `error`.
    if let Some(problem) = take("oauth_problem").or_else(|| take("error")) {
        return Ok(Returned::Refused { token, problem: super::read::problem_word(&problem) });
    }
    if let Some(denied) = take("denied") {
        let token = token.or_else(|| Some(Secret::new(denied)));
        return Ok(Returned::Refused { token, problem: "user_refused".to_owned() });
    }
    match (token, take("oauth_verifier")) {
        (Some(token), Some(verifier)) => Ok(Returned::Verified { token, verifier: Secret::new(verifier) }),
        _ => Err(ProtocolError::Unreadable("the callback")),
    }
}

/// A signed request to one of the token endpoints, with the protocol's parameters where the file wants them.
fn made(
    what: &'static str,
    url: &str,
    signer: &Signer<'_>,
    params: &[(String, String)],
    further: Vec<(String, String)>,
) -> Result<Request<Bytes>, ProtocolError> {
    if !template::is_plain_url(url) || url.contains(['{', '}', '#']) {
        return Err(ProtocolError::Url(what));
    }
    let get = signer.oauth1.method == Method::Get;
    let method = if get { http::Method::GET } else { http::Method::POST };
    let written = form::write(params, &[]);
    // Without a body to hold them, parameters go into the query.
    let whole = if get { form::append(url, &written) } else { url.to_owned() };
    let body = if get { String::new() } else { written };
    let uri: Uri = whole.parse().map_err(|_| ProtocolError::Url(what))?;
    let own = signer.signed(&method, &uri, Some(body.as_bytes()), further)?;
    let mut request = Request::new(Bytes::new());
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if !get {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, form);
    }
    let mut body = body;
    match (signer.oauth1.place, get) {
        (SignaturePlace::Header, _) => {
            let (name, value) = build::header("authorization", &authorization(signer.oauth1, &own))?;
            headers.insert(name, value);
        }
        (SignaturePlace::Body, false) => {
            if !body.is_empty() {
                body.push('&');
            }
            body.push_str(&pairs(&own));
        }
        (SignaturePlace::Query | SignaturePlace::Body, _) => {
            *request.uri_mut() = with_query(request.uri(), &own)?;
        }
    }
    *request.body_mut() = Bytes::from(body);
    Ok(request)
}

#[cfg(test)]
mod tests;
