//! `/userinfo`: whose account the token speaks for, with the claim names of OpenID Connect Core §5.1.
//!
//! Look next at `bearer.rs`.

use crate::bearer;
use crate::respond;
use crate::state::Shared;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde_json::json;

/// The userinfo endpoint.
pub(crate) async fn userinfo(State(sandbox): State<Shared>, headers: HeaderMap) -> Response {
    let fault = {
        let mut memory = sandbox.lock();
        memory.stats.userinfo_calls += 1;
        memory.faults.userinfo_status
    };
    if let Some(answer) = respond::on_purpose(fault) {
        return answer;
    }
    match bearer::check(&sandbox, &headers) {
        Ok(caller) => respond::json(
            StatusCode::OK,
            &json!({
                "sub": caller.account.id,
                "name": caller.account.name,
                "email": caller.account.email,
                "email_verified": true,
                "preferred_username": caller.account.key,
            }),
        ),
        Err(answer) => *answer,
    }
}
