//! How this door says that something went wrong: `{type, key, message, data}`.
//!
//! Its SDKs make a class of `type` and ask `key` for the rest; without a `type` that they know they show a bare HTTP
//! error, so there always is one.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use claviger_engine::error::{Error, Limit, ProviderFault};
use serde::Serialize;
use serde_json::{Value, json};

/// An error.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = MembraneError)]
pub struct Problem {
    /// Whose matter it is: `bad_request`, `connection`, `dependency_error`, `internal`.
    #[serde(rename = "type")]
    #[schema(example = "bad_request")]
    pub kind: &'static str,
    /// What it is, where programs tell it apart: `not_authenticated`, `access_denied`, `not_found`, `already_exists`,
    /// `rate_limit_exceeded`, `connection_is_defunct`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "not_found")]
    pub key: Option<&'static str>,
    /// What happened and what to do, for people.
    pub message: String,
    /// More about it, such as the field at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

/// A refusal, on its way into an answer.
pub struct Refused(pub Error);

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        answer(&self.0)
    }
}

/// What a handler answers with.
pub type Answer = std::result::Result<Response, Refused>;

/// An error of ours, as an answer.
pub fn answer(error: &Error) -> Response {
    let (status, problem) = read(error);
    if status.is_server_error() {
        tracing::error!(error = ?error, "a request failed");
    }
    let mut response = (status, Json(problem)).into_response();
    if let Some(seconds) = error.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if matches!(error, Error::Unauthenticated { .. }) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// A refusal of a request by its form alone.
pub fn problem(status: StatusCode, key: Option<&'static str>, message: impl Into<String>) -> Response {
    let body = Problem { kind: "bad_request", key, message: message.into(), data: None };
    (status, Json(body)).into_response()
}

/// A body that was not read to its end: too large, or it broke off.
pub fn body(status: StatusCode) -> Response {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => problem(status, None, "The body is too large"),
        _ => problem(StatusCode::BAD_REQUEST, None, "The body could not be read"),
    }
}

/// Status and key of an error of ours in a proxied request, for the request log.
pub fn said(error: &Error) -> (u16, &'static str) {
    let (status, problem) = read(error);
    (status.as_u16(), problem.key.unwrap_or(problem.kind))
}

/// An error of ours in this door's words.
pub fn read(error: &Error) -> (StatusCode, Problem) {
    let (status, kind, key) = match error {
        Error::NotFound { .. } => (StatusCode::NOT_FOUND, "bad_request", Some("not_found")),
        Error::Invalid { .. } | Error::TargetNotAllowed { .. } => {
            (StatusCode::BAD_REQUEST, "bad_request", None)
        }
        Error::Conflict { .. } => (StatusCode::BAD_REQUEST, "configuration", None),
        Error::NeedsReauth { .. } => (StatusCode::BAD_REQUEST, "connection", Some("connection_is_defunct")),
        Error::Unauthenticated { .. } => (StatusCode::UNAUTHORIZED, "bad_request", Some("not_authenticated")),
        Error::Denied { .. } => (StatusCode::FORBIDDEN, "bad_request", Some("access_denied")),
        Error::Limited { limit: Limit::Provider, .. } => {
            (StatusCode::TOO_MANY_REQUESTS, "connection", Some("rate_limit_exceeded"))
        }
        Error::Limited { limit: Limit::Body, .. } => (StatusCode::REQUEST_TIMEOUT, "bad_request", None),
        Error::Limited { .. } => (StatusCode::TOO_MANY_REQUESTS, "bad_request", Some("rate_limit_exceeded")),
        Error::Provider { fault: ProviderFault::TimedOut, .. } => {
            (StatusCode::GATEWAY_TIMEOUT, "dependency_error", None)
        }
        Error::Provider { .. } => (StatusCode::BAD_GATEWAY, "dependency_error", None),
        Error::NotSupported { .. } => (StatusCode::NOT_IMPLEMENTED, "bad_request", None),
        Error::Internal(_) if error.is_busy() => {
            (StatusCode::SERVICE_UNAVAILABLE, "internal", Some("unavailable"))
        }
        Error::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal", None),
    };
    let message = match error {
        busy if busy.is_busy() => {
            "Too much is going on here at the moment: try again in a few seconds".to_owned()
        }
        Error::Internal(_) => "Something went wrong on our side".to_owned(),
        Error::NeedsReauth { message } => format!("The connection must be authorized again: {message}"),
        other => other.to_string(),
    };
    let data = match error {
        Error::Invalid { field, .. } => Some(json!({ "field": field })),
        _ => None,
    };
    (status, Problem { kind, key, message, data })
}
