//! How answers look: JSON, OAuth errors, redirects, and the headers every answer carries.
//!
//! Must never redirect on its own judgement: the caller has checked the target. Look next at `page.rs` for HTML.

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, PRAGMA, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};
use std::io;
use url::form_urlencoded;

/// A JSON answer.
pub(crate) fn json(status: StatusCode, value: &Value) -> Response {
    text(status, "application/json", value.to_string())
}

/// An answer with this content type.
pub(crate) fn text(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response {
    (status, [(CONTENT_TYPE, content_type)], body.into()).into_response()
}

/// An error object of RFC 6749 §5.2.
pub(crate) fn oauth_error(status: StatusCode, error: &str, description: &str) -> Response {
    json(status, &json!({ "error": error, "error_description": description }))
}

/// The error that a fault has a request answered with, where one is set.
pub(crate) fn on_purpose(status: Option<u16>) -> Option<Response> {
    let status = StatusCode::from_u16(status?).ok()?;
    Some(oauth_error(status, "server_error", "on purpose"))
}

/// A redirect to `uri` with `pairs` appended to its query. `None` when that is not a header value.
pub(crate) fn redirect(status: StatusCode, uri: &str, pairs: &[(&str, &str)]) -> Option<Response> {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let separator = if uri.contains('?') { '&' } else { '?' };
    let location = HeaderValue::try_from(format!("{uri}{separator}{query}")).ok()?;
    Some((status, [(LOCATION, location)]).into_response())
}

/// `length` bytes made on the fly: byte `i` is `i mod 251`.
pub(crate) fn pattern(length: u64) -> Body {
    const CHUNK: u64 = 64 * 1024;
    Body::from_stream(stream::unfold(0_u64, move |at| async move {
        let end = length.min(at.saturating_add(CHUNK));
        let bytes: Vec<u8> = (at..end).filter_map(|i| u8::try_from(i % 251).ok()).collect();
        (at < end).then(|| (Ok::<_, io::Error>(Bytes::from(bytes)), end))
    }))
}

/// A body that begins and then breaks, so that the reader never gets a whole answer.
pub(crate) fn broken() -> Body {
    Body::from_stream(stream::iter([
        Ok(Bytes::from_static(b"{")),
        Err(io::Error::new(io::ErrorKind::ConnectionAborted, "broken on purpose")),
    ]))
}

/// What every answer carries unless it says otherwise (RFC 6749 §5.1 wants tokens uncached).
pub(crate) async fn common_headers(mut response: Response) -> Response {
    let defaults: [(HeaderName, &str); 4] = [
        (CACHE_CONTROL, "no-store"),
        (PRAGMA, "no-cache"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in defaults {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
