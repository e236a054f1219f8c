//! The proxy: the same method, path and query under the connection's base URL, bytes untouched both ways.
//!
//! It owns a whole listener, because a provider's path can be any path.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    task::{Context, Poll},
};

use claviger_engine::{
    error::Error,
    id::{ConnectionId, RequestId},
    outbound::Body,
    proxy::{self, Call, Caller, Target},
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt as _;

use super::{caller, error};
use crate::{app::App, http::request_id, listen::Arriving};

const CONNECTION: HeaderName = HeaderName::from_static("bu-connection-id");
const RETRIES: HeaderName = HeaderName::from_static("bu-max-retries");

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
    // Where it stands: it is large, and a wrapper would move it.
    let mut attempt = pin!(attempt(app, request, &id));
    match poll_fn(|cx| caught(attempt.as_mut(), cx)).await {
        Ok(response) => response,
        Err(refused) => {
            let mut refusal = refused.said().map(|body| Body::new(body.map_err(Into::into)));
            let headers = refusal.headers_mut();
            if let Refused::There(error) = &refused {
                app.broker.quota.refuse(headers, error);
            }
            if let Ok(value) = HeaderValue::from_str(id.as_str()) {
                headers.insert(request_id::HEADER, value);
            }
            refusal
        }
    }
}

/// A panic is our own error, and takes no other call on its connection with it.
fn caught<T>(
    attempt: Pin<&mut impl Future<Output = Result<T, Refused>>>,
    cx: &mut Context<'_>,
) -> Poll<Result<T, Refused>> {
    let polled = catch_unwind(AssertUnwindSafe(|| attempt.poll(cx)));
    polled.unwrap_or_else(|_| Poll::Ready(Err(Refused::There(Error::internal("a call panicked")))))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_of_ours() {
        let mut panics = pin!(async { panic!("a panic of this test") });
        let refused = poll_fn(|cx| caught::<()>(panics.as_mut(), cx)).await.unwrap_err();
        assert_eq!(refused.said().status(), StatusCode::INTERNAL_SERVER_ERROR);
        let mut works = pin!(async { Ok(1) });
        assert!(poll_fn(|cx| caught(works.as_mut(), cx)).await.is_ok_and(|one| one == 1));
    }
}
