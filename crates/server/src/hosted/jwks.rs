//! `GET /oauth2/jwks/{id}`: the public keys with which one integration's provider checks what is signed here
//! (RFC 7517 §5).

use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use claviger_engine::connect::client_key;
use serde_json::json;

use crate::app::App;

/// How long whoever reads them may keep them: less than the time that a new key waits before it signs.
const KEPT: (HeaderName, HeaderValue) =
    (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));

/// The keys of an integration, or of an auth option, by its id; whatever else is asked for is not there.
pub async fn show(State(app): State<App>, id: Result<Path<String>, PathRejection>) -> Response {
    let found = match id {
        Ok(Path(id)) => client_key::key_set(&app.broker, &id).await,
        Err(_) => Ok(None),
    };
    let refused =
        |status: StatusCode, words: &str| (status, axum::Json(json!({ "error": words }))).into_response();
    match found {
        Ok(Some(keys)) => ([KEPT], axum::Json(keys)).into_response(),
        Ok(None) => refused(StatusCode::NOT_FOUND, "not_found"),
        Err(error) => {
            tracing::error!(error = ?error, "a key set could not be shown");
            refused(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable")
        }
    }
}
