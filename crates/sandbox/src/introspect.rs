//! `POST /introspect` (RFC 7662): whether a token still works.
//!
//! Asking changes nothing, and must never spend what it is asked about. Of another client's token it says what it says
//! of one that nobody knows (§2.2). Look next at `grants.rs`.

use crate::client_auth;
use crate::respond;
use crate::state::Shared;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde_json::json;

/// The introspection endpoint.
pub(crate) async fn introspect(State(sandbox): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let fault = {
        let mut memory = sandbox.lock();
        memory.stats.introspections += 1;
        memory.faults.introspect_status
    };
    if let Some(answer) = respond::on_purpose(fault) {
        return answer;
    }
    let (client, token) = match client_auth::read_token(&sandbox.config, &headers, &body) {
        Ok(read) => read,
        Err(answer) => return *answer,
    };
    let answer = match sandbox.lock().standing(&client.id, &token) {
        Some((account, scopes)) => json!({
            "active": true,
            "client_id": client.id,
            "scope": scopes.join(" "),
            "sub": account.id,
            "username": account.key,
        }),
        None => json!({ "active": false }),
    };
    respond::json(StatusCode::OK, &answer)
}
