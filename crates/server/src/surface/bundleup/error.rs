//! How this door says that something went wrong.
//!
//! Two shapes: `{"errors": {field: [text]}}` for wrong fields, `{"status", "code", "message"}` for the rest.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use claviger_engine::error::{Error, Limit, ProviderFault};
use serde::Serialize;
use serde_json::json;

/// An error that is no field's.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// The HTTP status.
    #[schema(example = 401)]
    pub status: u16,
    /// What kind of error it is, for programs.
    #[schema(example = "unauthorized")]
    pub code: &'static str,
    /// What happened and what to do, for people.
    #[schema(example = "Missing or invalid API key")]
    pub message: String,
}

/// Wrong fields.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it documents the shape; the body is written by hand")]
pub struct FieldErrors {
    /// Messages by field.
    #[schema(example = json!({"code": ["Invalid or expired authorization code"]}))]
    errors: std::collections::BTreeMap<String, Vec<String>>,
}

/// Which of the door's two halves an error is said at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Api,
    Proxy,
}

/// An error at the app origin.
pub fn api(error: &Error) -> Response {
    if let Error::Invalid { field, message } = error {
        let body = json!({ "errors": { *field: [message] } });
        return (StatusCode::BAD_REQUEST, Json(body)).into_response();
    }
    render(error, Half::Api)
}

/// An error of ours at the proxy; the provider's own answers never come here.
pub fn proxy(error: &Error) -> Response {
    render(error, Half::Proxy)
}

/// Status and code of an error of ours at the proxy, for the request log.
pub fn said_at_proxy(error: &Error) -> (u16, &'static str) {
    let (status, code) = kind(error, Half::Proxy);
    (status.as_u16(), code)
}

/// An error with this status, code and message.
pub fn problem(status: StatusCode, code: &'static str, message: impl Into<String>) -> Response {
    let body = Problem { status: status.as_u16(), code, message: message.into() };
    (status, Json(body)).into_response()
}

/// A body that was not read to its end: too large, or it broke off.
pub fn body(status: StatusCode) -> Response {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => problem(status, "payload_too_large", "The body is too large"),
        _ => problem(StatusCode::BAD_REQUEST, "invalid_request", "The body could not be read"),
    }
}

fn render(error: &Error, half: Half) -> Response {
    let (status, code) = kind(error, half);
    if status.is_server_error() {
        tracing::error!(error = ?error, "a request failed");
    }
    let message = match error {
        Error::NotFound { .. } if half == Half::Proxy => "Missing or invalid connection ID".to_owned(),
        busy if busy.is_busy() => {
            "Too much is going on here at the moment: try again in a few seconds".to_owned()
        }
        Error::Internal(_) => "Something went wrong on our side".to_owned(),
        Error::NeedsReauth { message } => format!("The connection must be authorized again: {message}"),
        other => other.to_string(),
    };
    let mut response = problem(status, code, message);
    if let Some(seconds) = error.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    // Not where the connection is meant: there the key was good.
    if matches!(error, Error::Unauthenticated { .. }) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

fn kind(error: &Error, half: Half) -> (StatusCode, &'static str) {
    match error {
        Error::NotFound { .. } if half == Half::Proxy => (StatusCode::BAD_REQUEST, "connection_invalid"),
        Error::NotFound { .. } => (StatusCode::NOT_FOUND, "not_found"),
        Error::Invalid { .. } => (StatusCode::BAD_REQUEST, "invalid_request"),
        Error::Conflict { .. } => (StatusCode::CONFLICT, "conflict"),
        Error::Unauthenticated { .. } => (StatusCode::UNAUTHORIZED, "unauthorized"),
        Error::Denied { .. } => (StatusCode::FORBIDDEN, "forbidden"),
        Error::Limited { limit: Limit::Provider, .. } => {
            (StatusCode::TOO_MANY_REQUESTS, "upstream_rate_limit")
        }
        Error::Limited { limit: Limit::ConnectionCalls | Limit::ProviderCalls, .. } => {
            (StatusCode::TOO_MANY_REQUESTS, "concurrency_limit")
        }
        Error::Limited { limit: Limit::Body, .. } => (StatusCode::REQUEST_TIMEOUT, "request_timeout"),
        Error::Limited { .. } => (StatusCode::TOO_MANY_REQUESTS, "rate_limit"),
        Error::TargetNotAllowed { .. } => (StatusCode::BAD_REQUEST, "target_not_allowed"),
        Error::Provider { fault: ProviderFault::TimedOut, .. } => {
            (StatusCode::GATEWAY_TIMEOUT, "upstream_timeout")
        }
        Error::Provider { fault: ProviderFault::Unreachable, .. } => {
            (StatusCode::BAD_GATEWAY, "upstream_unreachable")
        }
        Error::Provider { fault: ProviderFault::Refused | ProviderFault::Unreadable, .. } => {
            (StatusCode::BAD_GATEWAY, "upstream_refused")
        }
        Error::NeedsReauth { .. } => (StatusCode::UNAUTHORIZED, "connection_refresh_failed"),
        Error::NotSupported { .. } => (StatusCode::NOT_IMPLEMENTED, "not_supported"),
        Error::Internal(_) if error.is_busy() => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        Error::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal_error"),
    }
}
