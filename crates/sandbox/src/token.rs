//! `POST /token`: codes and refresh tokens for access tokens (RFC 6749 §4.1.3, §6).
//!
//! Order: count, note, fault, authenticate, act, answer. Must never put a token into an error. Look next at `grants.rs`
//! for the rules and `faults.rs` for what can go wrong on purpose.

use crate::client_auth;
use crate::faults::{Instead, TokenFault};
use crate::grants::{Issued, Refused};
use crate::log::Noted;
use crate::params::{self, Params};
use crate::respond;
use crate::state::{Shared, State as Memory};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use futures_util::{StreamExt as _, stream};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::io;
use tokio::time::sleep;

/// The token endpoint.
pub(crate) async fn token(State(sandbox): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let params = Params::parse(&body);
    let grant_type = params.get("grant_type").unwrap_or_default();
    let fault = {
        let mut memory = sandbox.lock();
        memory.stats.token_requests.count(grant_type);
        memory.faults.take_token_fault(grant_type)
    };
    let shown = params.get("refresh_token").filter(|_| grant_type == "refresh_token");
    let noted = shown.map(|token| Noted::new(&sandbox, token));
    let goes_on = fault.goes_on;
    let work = perform(sandbox, (headers, body), fault, noted);
    if !goes_on {
        return work.await;
    }
    tokio::spawn(work).await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn perform(
    sandbox: Shared,
    (headers, body): (HeaderMap, Bytes),
    fault: TokenFault,
    mut noted: Option<Noted>,
) -> Response {
    sleep(fault.delay).await;
    let (answer, said, reused) = match &fault.instead {
        Some(instead) => (misbehave(instead), "fault", false),
        None => answer(&sandbox, &headers, &body),
    };
    sleep(fault.answer_delay).await;
    if let Some(noted) = &mut noted {
        noted.answered(said, reused);
    }
    finish(answer, &fault)
}

/// The answer, what the log calls it, and whether it is that to a spent refresh token outside the reuse rule.
fn answer(sandbox: &Shared, headers: &HeaderMap, body: &[u8]) -> (Response, &'static str, bool) {
    let (client, params) = match client_auth::read(&sandbox.config, headers, body) {
        Ok(read) => read,
        Err(answer) => return (*answer, "invalid_client", false),
    };
    let lifetime = sandbox.config.access_token_lifetime;
    let mut memory = sandbox.lock();
    let reused = params.get("refresh_token").is_some_and(|token| memory.is_outside(token));
    let issued = match params.get("grant_type") {
        Some("authorization_code") => match params.get("code") {
            Some(code) => {
                let (redirect_uri, verifier) = (params.get("redirect_uri"), params.get("code_verifier"));
                memory.redeem(&client.id, code, redirect_uri, verifier, lifetime)
            }
            None => Err(Refused("invalid_request", "code is missing")),
        },
        Some("refresh_token") => match (params.get("refresh_token"), params.get("scope").map(params::scopes))
        {
            (None, _) => Err(Refused("invalid_request", "refresh_token is missing")),
            (Some(_), Some(None)) => Err(Refused("invalid_scope", "scope is malformed")),
            (Some(token), scopes) => memory.renew(&client.id, token, scopes.flatten(), lifetime),
        },
        Some(_) => {
            Err(Refused("unsupported_grant_type", "authorization_code and refresh_token are supported"))
        }
        None => Err(Refused("invalid_request", "grant_type is missing")),
    };
    match issued {
        Ok(issued) => (respond::json(StatusCode::OK, &write(&issued, &memory)), "tokens", reused),
        Err(Refused(error, why)) => {
            (respond::oauth_error(StatusCode::BAD_REQUEST, error, why), error, reused)
        }
    }
}

/// The answer of RFC 6749 §5.1, as the faults want it.
fn write(issued: &Issued, memory: &Memory) -> Value {
    let faults = &memory.faults;
    let seconds = issued.lifetime.as_secs();
    let mut answer = json!({ "access_token": issued.access_token, "token_type": "Bearer" });
    if !faults.omit_expires_in {
        answer["expires_in"] =
            if faults.expires_in_as_text { json!(seconds.to_string()) } else { json!(seconds) };
    }
    if let Some(refresh_token) = &issued.refresh_token {
        answer["refresh_token"] = json!(refresh_token);
    }
    if !faults.omit_scope {
        answer["scope"] = json!(issued.scopes.join(" "));
    }
    answer
}

fn misbehave(instead: &Instead) -> Response {
    match instead {
        Instead::Status(status, body) => {
            let body = body.clone().unwrap_or_else(|| json!({ "error": "server_error" }).to_string());
            respond::text(*status, "application/json", body)
        }
        Instead::Html(status) => {
            let page = "<!doctype html><title>Bad gateway</title><h1>Something went wrong</h1>";
            respond::text(*status, "text/html; charset=utf-8", page)
        }
        Instead::Huge(bytes) => huge(*bytes),
        Instead::ErrorIn200(error) => respond::json(
            StatusCode::OK,
            &json!({ "ok": false, "error": error, "error_description": "on purpose" }),
        ),
    }
}

/// Valid JSON with a padding of `bytes` spaces before its end, sent in pieces and without a length.
fn huge(bytes: u64) -> Response {
    const PIECE: usize = 64 * 1024;
    let pieces = stream::unfold(bytes, |left| async move {
        let now = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        (left > 0).then(|| (Bytes::from(vec![b' '; now]), left - now as u64))
    });
    let start = stream::iter([Bytes::from_static(b"{\"error\":\"server_error\"")]);
    let whole = start.chain(pieces).chain(stream::iter([Bytes::from_static(b"}")]));
    let body = Body::from_stream(whole.map(Ok::<_, io::Error>));
    (StatusCode::OK, [(CONTENT_TYPE, "application/json")], body).into_response()
}

fn finish(mut answer: Response, fault: &TokenFault) -> Response {
    if let Some(value) = fault.retry_after.as_deref().and_then(|text| text.parse().ok()) {
        answer.headers_mut().insert(RETRY_AFTER, value);
    }
    if fault.broken {
        *answer.body_mut() = respond::broken();
    }
    answer
}
