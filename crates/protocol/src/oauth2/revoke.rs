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

/// One call that revokes one token.
pub struct Call<'a> {
    token: &'a Secret,
    hint: &'static str,
    url: &'a str,
}

impl Call<'_> {
    /// Where it goes; of a file's own call as the file has it.
    pub fn url(&self) -> &str {
        self.url
    }
}

/// The calls that revoke these tokens, to be made in order: the refresh token first, as its end often ends the others
/// too; then the access token, and of an exchanged one ([`Tokens::subject`]) the one that it was exchanged for. A token
/// that is not there needs none. None at all when the provider has no way.
pub fn calls<'a>(oauth2: &'a OAuth2, revoke_url: Option<&'a str>, tokens: &'a Tokens) -> Vec<Call<'a>> {
    let own = oauth2.revoke.as_ref();
    let Some(url) = own.map(|call| call.url.as_str()).or(revoke_url) else { return Vec::new() };
    let there = |token: &&Secret| !token.is_empty();
    let refresh = tokens.refresh_token.as_ref().filter(there);
    let access = [Some(&tokens.access_token), tokens.subject.as_ref()].into_iter().flatten().filter(there);
    let (with_refresh, with_access) = match own.map(|call| call.token) {
        None | Some(RevokedToken::Both) => (true, true),
        Some(RevokedToken::RefreshToken) => (true, refresh.is_none()),
        Some(RevokedToken::AccessToken) => (false, true),
    };
    let call = |hint| move |token| Call { token, hint, url };
    let refresh = refresh.filter(|_| with_refresh).map(call("refresh_token"));
    refresh.into_iter().chain(access.filter(|_| with_access).map(call("access_token"))).collect()
}

/// The request of such a call.
///
/// # Errors
/// When it can't be built from what is known.
pub fn request(
    oauth2: &OAuth2,
    call: &Call<'_>,
    client: &Client<'_>,
    tokens: &Tokens,
) -> Result<Request<Bytes>, ProtocolError> {
    match &oauth2.revoke {
        Some(file) => own(oauth2, file, client, tokens, call.token),
        None => standard(oauth2, call.url, client, call.token, call.hint),
    }
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
