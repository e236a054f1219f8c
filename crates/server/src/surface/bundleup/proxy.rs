//! The proxy: the same method, path and query under the connection's base URL, bytes untouched both ways.
//!
//! It owns a whole listener, because a provider's path can be any path.

use claviger_engine::{
    error::Error,
    id::{ConnectionId, RequestId},
    outbound::Body,
    proxy::{self, Call, Caller, Target},
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt as _;

use super::{caller, error};
use crate::{app::App, http::request_id, listen::Arriving};

const CONNECTION: &str = "bu-connection-id";
const RETRIES: &str = "bu-max-retries";

/// A call that does not get as far as the engine.
enum Refused {
    /// By this door: code and message, always 400.
    Here(&'static str, &'static str),
    /// By the engine.
    There(Error),
}

impl Refused {
    fn said(&self) -> axum::response::Response {
        match self {
            Self::Here(code, message) => error::problem(StatusCode::BAD_REQUEST, code, *message),
            Self::There(error) => error::proxy(error),
        }
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::There(error)
    }
}

/// Forwards one call.
pub async fn forward(app: &App, request: Request<Arriving>) -> Response<Body> {
    let id = RequestId::new();
    let mut response = match attempt(app, request, &id).await {
        Ok(response) => response,
        Err(refused) => {
            let mut answer = refused.said().map(|body| Body::new(body.map_err(Into::into)));
            if let Refused::There(error) = &refused {
                app.broker.quota.refuse(answer.headers_mut(), error);
            }
            answer
        }
    };
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(request_id::HEADER, value);
    }
    response
}

async fn attempt(app: &App, request: Request<Arriving>, id: &RequestId) -> Result<Response<Body>, Refused> {
    let key = caller(&app.broker, request.headers()).await?;
    let connection = named_connection(request.headers())?;
    let max_retries = wanted_retries(request.headers())?;
    let request = request.map(Body::new);
    let call = Call {
        caller: Caller::Key { key, connection },
        target: Target::Path,
        max_retries,
        request,
        request_id: id.clone(),
        said: error::said_at_proxy,
    };
    Ok(proxy::forward(&app.broker, call).await?)
}

/// The connection that a call names. A leading `Bearer ` is let pass, as the contract's own samples have it.
fn named_connection(headers: &HeaderMap) -> Result<ConnectionId, Refused> {
    let mut lines = headers.get_all(CONNECTION).iter();
    let line = match (lines.next(), lines.next()) {
        (Some(line), None) => line.to_str().unwrap_or_default().trim(),
        (None, _) => return Err(Refused::Here("connection_missing", "Missing BU-Connection-Id header")),
        (Some(_), Some(_)) => "",
    };
    let id = line.strip_prefix("Bearer ").unwrap_or(line);
    ConnectionId::parse(id).ok_or(Refused::Here("connection_invalid", "Missing or invalid connection ID"))
}

/// How many retries a call wants; more than five are five.
fn wanted_retries(headers: &HeaderMap) -> Result<Option<u8>, Refused> {
    let Some(value) = headers.get(RETRIES) else { return Ok(None) };
    match value.to_str().unwrap_or_default().trim().parse::<u32>() {
        Ok(n) => Ok(Some(u8::try_from(n).unwrap_or(u8::MAX).min(5))),
        Err(_) => Err(Refused::Here("invalid_request", "BU-Max-Retries must be a whole number from 0 to 5")),
    }
}
