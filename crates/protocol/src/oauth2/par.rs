//! Pushed authorization requests (RFC 9126): what a browser would carry to the provider is sent there by us first, with
//! the client's authentication; the browser then carries a reference to it.
//!
//! [`request`] pushes, [`read`] reads the reference, [`url()`] is where the browser goes. Must never let the browser carry
//! any of what was pushed.

use bytes::Bytes;
use claviger_catalog::OAuth2;
use http::{HeaderMap, Request, StatusCode};

use super::{Client, TokenError, TokenErrorKind, authorize, client_auth, read as answers};
use crate::{
    ProtocolError,
    build::{self, Draft},
    form, json,
    secret::Secret,
};

/// Longer references are not taken.
pub const LONGEST: usize = 2048;

/// What was pushed, as the browser names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The reference.
    pub request_uri: String,
    /// For how many seconds it is good.
    pub expires_in: u64,
}

/// Pushes an authorization request: every parameter that the URL would have, by the names of the provider's file.
///
/// # Errors
/// As [`authorize::url`].
pub fn request(
    oauth2: &OAuth2,
    par_url: &str,
    client: &Client<'_>,
    req: &authorize::Request<'_>,
) -> Result<Request<Bytes>, ProtocolError> {
    let mut draft = Draft::new("pushed authorization request endpoint", par_url);
    client_auth::add(oauth2, client, &mut draft)?;
    for (name, _) in &mut draft.fields {
        if let Some(other) = oauth2.token.param_names.get(name.as_str()) {
            other.clone_into(name);
        }
    }
    for (name, value) in authorize::fields(oauth2, req)? {
        // How the client authenticates is not for a further parameter to say.
        if draft.fields.iter().any(|(known, held)| *known == name && *held != value) {
            return Err(ProtocolError::Forbidden(name));
        }
        draft.set(&name, &value);
    }
    let known = [("client_id", Some(client.id)), ("client_secret", client.secret.map(Secret::expose))];
    for (name, value) in &oauth2.token.headers {
        draft.headers.push((name.clone(), build::fill(value, &known)?));
    }
    draft.finish()
}

/// Reads the answer to [`request`] (RFC 9126 §2.2).
///
/// # Errors
/// [`TokenError`]: the provider refused, is in trouble, or the answer can't be read.
pub fn read(
    oauth2: &OAuth2,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now_ms: i64,
) -> Result<Pushed, TokenError> {
    let value = answers::accepted(oauth2, status, headers, body, now_ms)?;
    let unreadable = |why| TokenError::new(TokenErrorKind::Unreadable, None, Some(why));
    let sound =
        |uri: &String| (1..=LONGEST).contains(&uri.len()) && uri.bytes().all(|b| b.is_ascii_graphic());
    let request_uri = json::text(&value, "request_uri").filter(sound);
    let request_uri = request_uri.ok_or_else(|| unreadable("there is no request_uri in it"))?;
    let expires_in = json::at(&value, "expires_in").and_then(serde_json::Value::as_u64).filter(|n| *n > 0);
    let expires_in = expires_in.ok_or_else(|| unreadable("it does not say how long the request is good"))?;
    Ok(Pushed { request_uri, expires_in })
}

/// Where the browser goes with what was pushed: the client's id and the reference, and nothing else (RFC 9126 §4).
///
/// # Errors
/// When the authorization endpoint is not a usable URL.
pub fn url(
    oauth2: &OAuth2,
    authorize_url: &str,
    client_id: &str,
    pushed: &Pushed,
) -> Result<String, ProtocolError> {
    authorize::check_url(authorize_url)?;
    let client = oauth2.authorize.param_names.get("client_id").map_or("client_id", String::as_str);
    let fields =
        [(client.to_owned(), client_id.to_owned()), ("request_uri".to_owned(), pushed.request_uri.clone())];
    Ok(form::append(authorize_url, &form::write(&fields, &oauth2.authorize.raw)))
}

#[cfg(test)]
mod tests;
