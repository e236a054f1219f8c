//! The requests to the token endpoint: exchange (RFC 6749 §4.1.3), refresh (§6), the client's own credentials (§4.4),
//! an assertion (RFC 7523 §2.1), and the upgrade to a long-lived token that some providers want right after.
//!
//! Their answers are read by [`super::read`]. Must never send a verifier by another method than it was made
//! for, nor send the code or the refresh token anywhere but to the URL given.

use std::collections::BTreeMap;

use bytes::Bytes;
use claviger_catalog::{ClientAuth, Grant, Method, OAuth2, Pkce, Refresh, RefreshPlace, RefreshWith};
use http::{Request, header};

use crate::{
    ProtocolError,
    assertion::JWT_BEARER,
    build::{self, Draft},
    oauth2::{Client, Tokens, authorize, client_auth},
    secret::Secret,
};

/// The exchange of an authorization code. `redirect_uri` is the one that was sent with the authorization
/// request. `extra` holds further parameters; where the file says `resend_state`, the caller puts the state
/// there.
///
/// # Errors
/// When something it needs is missing, or the token endpoint is not a usable URL.
pub fn exchange(
    oauth2: &OAuth2,
    token_url: &str,
    client: &Client<'_>,
    code: &Secret,
    redirect_uri: &str,
    verifier: Option<&Secret>,
    extra: &BTreeMap<String, String>,
) -> Result<Request<Bytes>, ProtocolError> {
    let shape = &oauth2.token;
    let mut draft = Draft::new("token endpoint", token_url);
    (draft.method, draft.format) = (shape.method, shape.format);
    (draft.in_query, draft.numbers) = (&shape.in_query, &shape.numbers);
    draft.set("grant_type", "authorization_code");
    draft.set("code", code.expose());
    draft.set("redirect_uri", redirect_uri);
    if oauth2.pkce == Pkce::S256 {
        let verifier = verifier.filter(|verifier| !verifier.is_empty());
        draft.set(
            "code_verifier",
            verifier.ok_or_else(|| ProtocolError::Missing("the PKCE verifier".to_owned()))?.expose(),
        );
    }
    for (name, value) in extra {
        if draft.fields.iter().any(|(known, _)| known == name) {
            return Err(ProtocolError::Forbidden(name.clone()));
        }
        draft.set(name, value);
    }
    if shape.resend_state && !extra.contains_key("state") {
        return Err(ProtocolError::Missing("the state".to_owned()));
    }
    client_auth::add(oauth2, client, &mut draft)?;
    finish(oauth2, client, None, draft, &shape.params, [&BTreeMap::new(), &shape.param_names], &shape.omit)
}

/// A token for the client's own credentials (RFC 6749 §4.4.2), the first as well as each that takes its place: nothing
/// is refreshed. `scopes` are the integration's; none means the provider file's. Its answer is read by
/// [`super::read::tokens`].
///
/// # Errors
/// When the client has no secret, or the token endpoint is not a usable URL.
pub fn client_credentials(
    oauth2: &OAuth2,
    token_url: &str,
    client: &Client<'_>,
    scopes: &[String],
) -> Result<Request<Bytes>, ProtocolError> {
    // A key, or a certificate, stands in for the secret.
    let other = matches!(client.auth, ClientAuth::PrivateKeyJwt | ClientAuth::Tls);
    if !other && client.secret.is_none_or(Secret::is_empty) {
        return Err(ProtocolError::Missing("the client's secret".to_owned()));
    }
    let shape = &oauth2.token;
    let mut draft = Draft::new("token endpoint", token_url);
    (draft.method, draft.format) = (shape.method, shape.format);
    (draft.in_query, draft.numbers) = (&shape.in_query, &shape.numbers);
    draft.set("grant_type", oauth2.refresh.grant_type.as_deref().unwrap_or("client_credentials"));
    draft.set("scope", &authorize::scopes(oauth2, scopes).join(&oauth2.scopes.separator));
    client_auth::add(oauth2, client, &mut draft)?;
    finish(oauth2, client, None, draft, &shape.params, [&BTreeMap::new(), &shape.param_names], &shape.omit)
}

/// A token for an assertion (RFC 7523 §2.1), the first as well as each that takes its place: another assertion is made
/// for it, and nothing is refreshed. `scopes` are the integration's, unless the assertion says them itself. A client
/// without an id is not named: the assertion says who asks. Its answer is read by [`super::read::tokens`].
///
/// # Errors
/// When the token endpoint is not a usable URL.
pub fn jwt_bearer(
    oauth2: &OAuth2,
    token_url: &str,
    client: &Client<'_>,
    assertion: &Secret,
    scopes: &[String],
) -> Result<Request<Bytes>, ProtocolError> {
    let shape = &oauth2.token;
    let mut draft = Draft::new("token endpoint", token_url);
    (draft.method, draft.format) = (shape.method, shape.format);
    (draft.in_query, draft.numbers) = (&shape.in_query, &shape.numbers);
    draft.set("grant_type", oauth2.refresh.grant_type.as_deref().unwrap_or(JWT_BEARER));
    draft.set("assertion", assertion.expose());
    if !oauth2.assertion.as_ref().is_some_and(|assertion| assertion.scope) {
        draft.set("scope", &authorize::scopes(oauth2, scopes).join(&oauth2.scopes.separator));
    }
    if !client.id.is_empty() {
        client_auth::add(oauth2, client, &mut draft)?;
    }
    finish(oauth2, client, None, draft, &shape.params, [&BTreeMap::new(), &shape.param_names], &shape.omit)
}

/// The refresh of an access token, to `endpoints.refresh_url` or else the token endpoint.
///
/// # Errors
/// When there is no refresh token where one is needed, the URL is not usable, or the grant knows no refresh
/// ([`client_credentials`]).
pub fn refresh(
    oauth2: &OAuth2,
    token_url: &str,
    client: &Client<'_>,
    tokens: &Tokens,
) -> Result<Request<Bytes>, ProtocolError> {
    if !matches!(oauth2.grant, Grant::AuthorizationCode | Grant::DeviceCode) {
        return Err(ProtocolError::Missing("a grant that is refreshed".to_owned()));
    }
    renewing(oauth2, &oauth2.refresh, token_url, client, tokens)
}

/// The upgrade to a long-lived token, where the file has `[oauth2.upgrade]`. To be sent right after the
/// exchange; its answer is read by [`super::read`] and takes the place of the first.
///
/// # Errors
/// As [`refresh`].
pub fn upgrade(
    oauth2: &OAuth2,
    client: &Client<'_>,
    tokens: &Tokens,
) -> Result<Option<Request<Bytes>>, ProtocolError> {
    let Some(shape) = &oauth2.upgrade else { return Ok(None) };
    let url = shape.url.as_deref().ok_or(ProtocolError::Url("upgrade endpoint"))?;
    renewing(oauth2, shape, url, client, tokens).map(Some)
}

fn renewing(
    oauth2: &OAuth2,
    shape: &Refresh,
    url: &str,
    client: &Client<'_>,
    tokens: &Tokens,
) -> Result<Request<Bytes>, ProtocolError> {
    let mut draft = Draft::new("token endpoint", url);
    draft.method = shape.method.unwrap_or(oauth2.token.method);
    draft.format = shape.format.unwrap_or(oauth2.token.format);
    (draft.in_query, draft.numbers) = (&oauth2.token.in_query, &oauth2.token.numbers);
    let default = if shape.with == RefreshWith::Client { "client_credentials" } else { "refresh_token" };
    draft.set("grant_type", shape.grant_type.as_deref().unwrap_or(default));
    let shown = match shape.with {
        RefreshWith::RefreshToken => {
            let token = tokens.refresh_token.as_ref().filter(|token| !token.is_empty());
            Some(token.ok_or_else(|| ProtocolError::Missing("the refresh token".to_owned()))?)
        }
        RefreshWith::AccessToken => Some(&tokens.access_token),
        RefreshWith::Client => None,
    };
    client_auth::add(oauth2, client, &mut draft)?;
    match (shown, shape.place) {
        (Some(token), RefreshPlace::Param) => draft.set("refresh_token", token.expose()),
        (Some(token), RefreshPlace::Bearer) => {
            draft.headers.push((header::AUTHORIZATION.to_string(), format!("Bearer {}", token.expose())));
        }
        (None, _) => {}
    }
    let names = [&shape.param_names, &oauth2.token.param_names];
    finish(oauth2, client, Some(tokens), draft, &shape.params, names, &shape.omit)
}

/// Leaves out, renames, adds the file's own parameters and headers, and builds.
pub(super) fn finish(
    oauth2: &OAuth2,
    client: &Client<'_>,
    tokens: Option<&Tokens>,
    mut draft: Draft<'_>,
    params: &BTreeMap<String, String>,
    names: [&BTreeMap<String, String>; 2],
    omit: &[String],
) -> Result<Request<Bytes>, ProtocolError> {
    draft.fields.retain(|(name, _)| !omit.contains(name));
    for (name, _) in &mut draft.fields {
        if let Some(other) = names.iter().find_map(|names| names.get(name.as_str())) {
            other.clone_into(name);
        }
    }
    let access = tokens.map(|tokens| tokens.access_token.expose());
    let known = [
        ("client_id", Some(client.id)),
        ("client_secret", client.secret.map(Secret::expose)),
        ("token", access),
        ("access_token", access),
        ("refresh_token", tokens.and_then(|tokens| tokens.refresh_token.as_ref()).map(Secret::expose)),
    ];
    for (name, value) in params {
        draft.set(name, &build::fill(value, &known)?);
    }
    for (name, value) in &oauth2.token.headers {
        draft.headers.push((name.clone(), build::fill(value, &known)?));
    }
    if matches!(draft.method, Method::Put | Method::Delete) {
        return Err(ProtocolError::Missing("a method that a token endpoint takes".to_owned()));
    }
    draft.finish()
}

#[cfg(test)]
mod tests;
