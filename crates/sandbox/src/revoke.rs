//! `POST /revoke` (RFC 7009).
//!
//! A token nobody knows is a success (§2.2). Must never end another client's token. Look next at `grants.rs`.

use crate::client_auth;
use crate::grants::Refused;
use crate::respond;
use crate::state::Shared;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};

/// The revocation endpoint.
pub(crate) async fn revoke(State(sandbox): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let fault = {
        let mut memory = sandbox.lock();
        memory.stats.revoke_requests += 1;
        memory.faults.revoke_status
    };
    if let Some(answer) = respond::on_purpose(fault) {
        return answer;
    }
    let (client, token) = match client_auth::read_token(&sandbox.config, &headers, &body) {
        Ok(read) => read,
        Err(answer) => return *answer,
    };
    let mut memory = sandbox.lock();
    match memory.revoke(&client.id, &token) {
        Ok(ended) => {
            memory.stats.revocations += u64::from(ended);
            StatusCode::OK.into_response()
        }
        Err(Refused(error, why)) => respond::oauth_error(StatusCode::BAD_REQUEST, error, why),
    }
}
