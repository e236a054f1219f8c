//! The proxy: the same method, path and query under the connection's base URL, bytes untouched both ways.
//!
//! It owns a whole listener, because a provider's path can be any path.

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode},
    response::Response,
};
use claviger_engine::{
    error::Error,
    id::{ConnectionId, RequestId},
    outbound,
    proxy::{self, Call},
};
use http_body_util::BodyExt as _;
use std::sync::Arc;

use super::{caller, error};
use crate::{app::App, http::request_id};

const CONNECTION: &str = "bu-connection-id";
const RETRIES: &str = "bu-max-retries";

/// Forwards one call.
pub async fn forward(State(app): State<App>, request: Request) -> Response {
    let id = RequestId::new();
    let mut response = match attempt(&app, request, &id).await {
        Ok(response) | Err(response) => response,
    };
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(request_id::HEADER, value);
    }
    response
}

async fn attempt(app: &App, request: Request, id: &RequestId) -> Result<Response, Response> {
    let failed = |e: Error| error::proxy(&e);
    let key = caller(&app.broker, request.headers()).await.map_err(failed)?;
    let connection = named_connection(request.headers())?;
    let max_retries = wanted_retries(request.headers())?;
    let request = request.map(|body| outbound::Body::new(body.map_err(Into::into)));
    let call = Call { key: Arc::new(key), connection, max_retries, request, request_id: id.clone() };
    let answer = proxy::forward(&app.broker, call).await.map_err(failed)?;
    Ok(answer.map(Body::new))
}

/// The connection that a call names. A leading `Bearer ` is let pass, as the contract's own samples have it.
fn named_connection(headers: &HeaderMap) -> Result<ConnectionId, Response> {
    let bad = StatusCode::BAD_REQUEST;
    let mut lines = headers.get_all(CONNECTION).iter();
    let line = match (lines.next(), lines.next()) {
        (Some(line), None) => line.to_str().unwrap_or_default().trim(),
        (None, _) => {
            return Err(error::problem(bad, "connection_missing", "Missing BU-Connection-Id header"));
        }
        (Some(_), Some(_)) => "",
    };
    let id = line.strip_prefix("Bearer ").unwrap_or(line);
    ConnectionId::parse(id)
        .ok_or_else(|| error::problem(bad, "connection_invalid", "Missing or invalid connection ID"))
}

/// How many retries a call wants; more than five are five.
fn wanted_retries(headers: &HeaderMap) -> Result<Option<u8>, Response> {
    let Some(value) = headers.get(RETRIES) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    match text.parse::<u32>() {
        Ok(n) => Ok(Some(u8::try_from(n).unwrap_or(u8::MAX).min(5))),
        Err(_) => {
            let message = "BU-Max-Retries must be a whole number from 0 to 5";
            Err(error::problem(StatusCode::BAD_REQUEST, "invalid_request", message))
        }
    }
}
