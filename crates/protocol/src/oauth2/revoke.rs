//! Revoking tokens (RFC 7009, or the call that the provider file names).

use bytes::Bytes;
use claviger_catalog::{OAuth2, RevokeAuth, RevokeCall, RevokedToken};
use http::{Request, StatusCode};
use serde_json::Value;

use crate::{
    ProtocolError,
    build::{self, Draft},
    form, json,
    oauth2::{Client, Tokens, client_auth},
    secret::Secret,
    text,
};

/// What a revocation call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The token is no good any more, or was not before.
    Revoked,
    /// The provider does not revoke this.
    Unsupported,
    /// It did not work, in words for records.
    Failed(String),
}

/// The calls that revoke these tokens, to be sent in order: the refresh token first, as its end often ends
/// the other too. None when the provider has no way.
///
/// # Errors
/// When a call can't be built from what is known.
pub fn requests(
    oauth2: &OAuth2,
    revoke_url: Option<&str>,
    client: &Client<'_>,
    tokens: &Tokens,
) -> Result<Vec<Request<Bytes>>, ProtocolError> {
    if let Some(call) = &oauth2.revoke {
        let access = &tokens.access_token;
        let named = match (call.token, &tokens.refresh_token) {
            (RevokedToken::RefreshToken, Some(refresh)) => vec![refresh],
            (RevokedToken::Both, Some(refresh)) => vec![refresh, access],
            _ => vec![access],
        };
        return named.into_iter().map(|token| own(oauth2, call, client, tokens, token)).collect();
    }
    let Some(url) = revoke_url else { return Ok(Vec::new()) };
    let refresh = tokens.refresh_token.as_ref().map(|token| (token, "refresh_token"));
    refresh
        .into_iter()
        .chain([(&tokens.access_token, "access_token")])
        .map(|(token, hint)| standard(oauth2, url, client, token, hint))
        .collect()
}

/// RFC 7009 §2.1.
fn standard(
    oauth2: &OAuth2,
    url: &str,
    client: &Client<'_>,
    token: &Secret,
    hint: &str,
) -> Result<Request<Bytes>, ProtocolError> {
    let mut draft = Draft::new("revocation endpoint", url);
    draft.set("token", token.expose());
    draft.set("token_type_hint", hint);
    client_auth::add(oauth2, client, &mut draft)?;
    draft.finish()
}

/// The file's own call, for one token.
fn own(
    oauth2: &OAuth2,
    call: &RevokeCall,
    client: &Client<'_>,
    tokens: &Tokens,
    token: &Secret,
) -> Result<Request<Bytes>, ProtocolError> {
    let token = token.expose();
    let access = tokens.access_token.expose();
    let refresh = tokens.refresh_token.as_ref().map(Secret::expose);
    let secret = client.secret.map(Secret::expose);
    let known = [
        ("token", Some(token)),
        ("access_token", Some(access)),
        ("refresh_token", refresh),
        ("client_id", Some(client.id)),
        ("client_secret", secret),
    ];
    let encoded: Vec<(&str, Option<String>)> =
        known.iter().map(|(name, value)| (*name, value.map(form::encode))).collect();
    let in_url: Vec<(&str, Option<&str>)> =
        encoded.iter().map(|(name, value)| (*name, value.as_deref())).collect();
    let mut draft = Draft::new("revocation endpoint", &build::fill(&call.url, &in_url)?);
    (draft.method, draft.format, draft.body) = (call.method, call.format, call.body.as_deref());
    match call.client_auth {
        RevokeAuth::No => {}
        RevokeAuth::Same => client_auth::add(oauth2, client, &mut draft)?,
        RevokeAuth::Always(auth) => client_auth::add(oauth2, &Client { auth, ..*client }, &mut draft)?,
    }
    for (name, value) in &call.params {
        draft.set(name, &build::fill(value, &known)?);
    }
    for (name, value) in &call.headers {
        draft.headers.push((name.clone(), build::fill(value, &known)?));
    }
    draft.finish()
}

/// Reads a revocation call's answer (RFC 7009 §2.2). A success that the file's rule for errors takes for one is
/// none; a code that means `invalid_grant` there says that the token is no good any more.
pub fn outcome(oauth2: &OAuth2, status: StatusCode, body: &[u8]) -> Outcome {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let rule = &oauth2.answer.error;
    let code = json::text(&value, "error").or_else(|| json::text(&value, &rule.code));
    match (status, code.as_deref()) {
        (_, Some(code)) if rule.invalid_grant.iter().any(|known| known == code) => Outcome::Revoked,
        (status, _) if status.is_success() && !json::fails(rule, &value) => Outcome::Revoked,
        (_, Some("invalid_token")) => Outcome::Revoked,
        (_, Some("unsupported_token_type")) => Outcome::Unsupported,
        (StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED, _) => {
            Outcome::Unsupported
        }
        (status, code) => {
            let words = code.and_then(text::clean).map_or_else(String::new, |code| format!(": {code}"));
            Outcome::Failed(format!("HTTP {}{words}", status.as_u16()))
        }
    }
}

#[cfg(test)]
mod tests;
