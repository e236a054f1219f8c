//! Who is calling with which access token (RFC 6750).
//!
//! Reads the `Authorization` header only, never the query or the body. Must never put the token into an answer.
//! Look next at `api.rs` and `userinfo.rs`.

use crate::account::Account;
use crate::respond;
use crate::state::Sandbox;
use axum::response::{IntoResponse as _, Response};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};

/// The account behind a token, and what the token may do.
#[derive(Clone)]
pub(crate) struct Caller {
    pub account: &'static Account,
    pub scopes: Vec<String>,
}

/// The caller, or the answer to give instead.
pub(crate) fn check(sandbox: &Sandbox, headers: &HeaderMap) -> Result<Caller, Box<Response>> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Box::new(unauthorized(None)));
    };
    let token = value.to_str().ok().and_then(|text| text.split_once(' '));
    let Some((_, token)) = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
        return Err(Box::new(unauthorized(None)));
    };
    let state = sandbox.lock();
    let access = state.access.get(token.trim()).filter(|access| state.now() < access.expires);
    let grant = access.and_then(|access| state.grants.get(&access.grant));
    match (access, grant) {
        (Some(access), Some(grant)) => Ok(Caller { account: grant.account, scopes: access.scopes.clone() }),
        _ => Err(Box::new(unauthorized(Some("the access token is unknown, expired or revoked")))),
    }
}

/// 401 with the challenge of RFC 6750 §3; without an error code when no token was given (§3.1).
pub(crate) fn unauthorized(why: Option<&str>) -> Response {
    let challenge = match why {
        Some(why) => format!(r#"Bearer realm="sandbox", error="invalid_token", error_description="{why}""#),
        None => r#"Bearer realm="sandbox""#.to_owned(),
    };
    let error = if why.is_some() { "invalid_token" } else { "unauthorized" };
    let why = why.unwrap_or("send one Authorization header with a bearer token");
    let answer = respond::oauth_error(StatusCode::UNAUTHORIZED, error, why);
    ([(WWW_AUTHENTICATE, challenge)], answer).into_response()
}
