//! Pages of any origin may call this door: whoever calls shows a token, and no cookie counts (Fetch §3.3).
//!
//! It stands around everything below the door's REST paths, so that errors, unknown paths and streams can be read too. A
//! provider's own answer in a proxied call says nothing about this origin: what it says is replaced.

use axum::{
    extract::Request,
    http::{
        HeaderName, HeaderValue, Method, StatusCode,
        header::{
            ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
            ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
            ACCESS_CONTROL_REQUEST_METHOD,
        },
    },
    middleware::Next,
    response::{IntoResponse as _, Response},
};

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
/// What is allowed when nothing is asked for: `*` does not stand for `authorization`.
const HEADERS: HeaderValue = HeaderValue::from_static("authorization, content-type, membrane-api-version");
/// Seconds for which a browser need not ask again.
const AGE: HeaderValue = HeaderValue::from_static("7200");
const ANY: HeaderValue = HeaderValue::from_static("*");

/// Answers a browser's question whether it may ask, and lets every answer be read.
pub async fn layer(request: Request, next: Next) -> Response {
    let asked = request.headers().get(ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let preflight =
        request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response =
        if preflight { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    let theirs: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with("access-control-")).cloned().collect();
    for name in theirs {
        headers.remove(name);
    }
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
    if preflight {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.unwrap_or(HEADERS));
        headers.insert(ACCESS_CONTROL_MAX_AGE, AGE);
    } else {
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, ANY);
    }
    response
}
