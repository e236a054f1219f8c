//! `/.well-known/oauth-authorization-server` (RFC 8414).
//!
//! Says only what the other modules do. Look next at `authorize.rs`.

use crate::respond;
use crate::state::Shared;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::json;

/// The metadata document.
pub(crate) async fn metadata(State(sandbox): State<Shared>) -> Response {
    let config = &sandbox.config;
    let auth_methods = json!(["client_secret_basic", "client_secret_post", "none"]);
    respond::json(
        StatusCode::OK,
        &json!({
            "issuer": config.issuer,
            "authorization_endpoint": config.url("/authorize"),
            "token_endpoint": config.url("/token"),
            "revocation_endpoint": config.url("/revoke"),
            "introspection_endpoint": config.url("/introspect"),
            "userinfo_endpoint": config.url("/userinfo"),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": auth_methods,
            "revocation_endpoint_auth_methods_supported": auth_methods,
            "introspection_endpoint_auth_methods_supported": auth_methods,
            "authorization_response_iss_parameter_supported": true,
        }),
    )
}
