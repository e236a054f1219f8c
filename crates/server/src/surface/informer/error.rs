//! How this door says that something went wrong: hapi's shape, `{statusCode, error, message}`.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use claviger_engine::error::{Error, Limit, ProviderFault};
use serde::Serialize;

/// An error.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The HTTP status.
    #[schema(example = 401)]
    pub status_code: u16,
    /// The status in words.
    #[schema(example = "Unauthorized")]
    pub error: &'static str,
    /// What happened and what to do, for people.
    #[schema(example = "Unable to log in")]
    pub message: String,
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
    let status = status(error);
    if status.is_server_error() {
        tracing::error!(error = ?error, "a request failed");
    }
    let message = match error {
        busy if busy.is_busy() => {
            "Too much is going on here at the moment: try again in a few seconds".to_owned()
        }
        Error::Internal(_) => "Something went wrong on our side".to_owned(),
        Error::NeedsReauth { message } => format!("The connection must be authorized again: {message}"),
        other => other.to_string(),
    };
    let mut response = problem(status, message);
    if let Some(seconds) = error.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if matches!(error, Error::Unauthenticated { .. }) {
        // Not Basic: a browser would ask for a password by itself.
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// An error with this status and message.
pub fn problem(status: StatusCode, message: impl Into<String>) -> Response {
    let error = status.canonical_reason().unwrap_or("Error");
    let body = Problem { status_code: status.as_u16(), error, message: message.into() };
    (status, Json(body)).into_response()
}

/// A body that was not read to its end: too large, or it broke off.
pub fn body(status: StatusCode) -> Response {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => problem(status, "The body is too large"),
        _ => problem(StatusCode::BAD_REQUEST, "The body could not be read"),
    }
}

/// Status and code of an error of ours in a proxied request, for the request log.
pub fn said(error: &Error) -> (u16, &'static str) {
    let status = status(error);
    (status.as_u16(), status.canonical_reason().unwrap_or("Error"))
}

fn status(error: &Error) -> StatusCode {
    match error {
        Error::NotFound { .. } => StatusCode::NOT_FOUND,
        Error::Invalid { .. } | Error::TargetNotAllowed { .. } => StatusCode::BAD_REQUEST,
        Error::Conflict { .. } | Error::NeedsReauth { .. } => StatusCode::CONFLICT,
        Error::Unauthenticated { .. } => StatusCode::UNAUTHORIZED,
        Error::Denied { .. } => StatusCode::FORBIDDEN,
        Error::Limited { limit: Limit::Body, .. } => StatusCode::REQUEST_TIMEOUT,
        Error::Limited { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::Provider { fault: ProviderFault::TimedOut, .. } => StatusCode::GATEWAY_TIMEOUT,
        Error::Provider { .. } => StatusCode::BAD_GATEWAY,
        Error::NotSupported { .. } => StatusCode::NOT_IMPLEMENTED,
        Error::Internal(_) if error.is_busy() => StatusCode::SERVICE_UNAVAILABLE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
