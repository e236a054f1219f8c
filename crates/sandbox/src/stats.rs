//! What happened so far, so that a test can say "exactly one token request".
//!
//! Counts and nothing else: no token, no account. Look next at `faults.rs`, its counterpart.

use crate::respond;
use crate::state::Shared;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The counters of `GET /stats`, since the start or since `DELETE /stats`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// `GET /authorize`, refused ones included.
    pub authorize_requests: u64,
    /// Consent given: a code was sent out.
    pub allowed: u64,
    /// Consent refused by the person.
    pub denied: u64,
    /// `POST /token`, by grant type, failed and faulty ones included.
    pub token_requests: TokenRequests,
    /// Token answers that carried an access token.
    pub tokens_issued: u64,
    /// Codes presented a second time; each killed the tokens made from it.
    pub code_replays: u64,
    /// Spent refresh tokens presented again, whatever was done about it.
    pub refresh_reuse_detections: u64,
    /// `POST /revoke`, failed ones included.
    pub revoke_requests: u64,
    /// Tokens or grants that a revocation request ended.
    pub revocations: u64,
    /// `POST /introspect`, failed ones included.
    pub introspections: u64,
    /// Calls of `/userinfo`.
    pub userinfo_calls: u64,
    /// Calls under `/api`, refused ones included.
    pub api_calls: u64,
    /// Calls under `/api` answered 401.
    pub api_unauthorized: u64,
}

/// `POST /token` by grant type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRequests {
    /// `grant_type=authorization_code`.
    pub authorization_code: u64,
    /// `grant_type=refresh_token`.
    pub refresh_token: u64,
    /// Any other or no grant type.
    pub other: u64,
}

impl TokenRequests {
    pub(crate) fn count(&mut self, grant_type: &str) {
        match grant_type {
            "authorization_code" => self.authorization_code += 1,
            "refresh_token" => self.refresh_token += 1,
            _ => self.other += 1,
        }
    }
}

/// `GET /stats`.
pub(crate) async fn show(State(sandbox): State<Shared>) -> Response {
    respond::json(StatusCode::OK, &json!(sandbox.lock().stats))
}

/// `DELETE /stats`: every counter back to zero.
pub(crate) async fn clear(State(sandbox): State<Shared>) -> Response {
    let mut state = sandbox.lock();
    state.stats = Stats::default();
    respond::json(StatusCode::OK, &json!(state.stats))
}
