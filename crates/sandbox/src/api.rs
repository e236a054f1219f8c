//! The API behind the tokens: the guard in front of it, and the answers with a purpose.
//!
//! Everything under `/api` passes [`guard`] first. Look next at `echo.rs` for all other paths and `bearer.rs` for
//! the check itself.

use crate::bearer::{self, Caller};
use crate::respond;
use crate::state::Shared;
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::json;
use std::io;
use std::time::Duration;
use tokio::time::sleep;

/// The most bytes one answer has, and the most chunks one stream has.
const MOST_BYTES: u64 = 1 << 30;
const MOST_CHUNKS: u32 = 10_000;

/// Counts, delays, checks the token, and lets faults answer; then the route itself.
pub(crate) async fn guard(State(sandbox): State<Shared>, mut request: Request, next: Next) -> Response {
    let delay = {
        let mut memory = sandbox.lock();
        memory.stats.api_calls += 1;
        Duration::from_millis(memory.faults.api_delay_ms)
    };
    sleep(delay).await;
    let checked = bearer::check(&sandbox, request.headers()).and_then(|caller| {
        let mut memory = sandbox.lock();
        if std::mem::take(&mut memory.faults.api_401_once) {
            return Err(Box::new(bearer::unauthorized(Some("on purpose, once"))));
        }
        Ok(caller)
    });
    let caller = match checked {
        Ok(caller) => caller,
        Err(answer) => {
            sandbox.lock().stats.api_unauthorized += 1;
            return *answer;
        }
    };
    let (status, retry_after, headers) = sandbox.lock().faults.take_api_fault();
    let mut answer = match status {
        Some(status) => fail(status, retry_after),
        None => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
    };
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            answer.headers_mut().append(name, value);
        }
    }
    answer
}

fn fail(status: StatusCode, retry_after: Option<String>) -> Response {
    let mut answer = respond::json(status, &json!({ "status": status.as_u16(), "error": "on purpose" }));
    if let Some(value) = retry_after.and_then(|text| HeaderValue::try_from(text).ok()) {
        answer.headers_mut().insert(RETRY_AFTER, value);
    }
    answer
}

/// `GET /api/me`: the account.
pub(crate) async fn me(Extension(caller): Extension<Caller>) -> Response {
    let account = caller.account;
    let body =
        json!({ "id": account.id, "name": account.name, "email": account.email, "scopes": caller.scopes });
    respond::json(StatusCode::OK, &body)
}

/// `GET /api/bytes/{n}`: n bytes with their length announced; byte i is `i mod 251`.
pub(crate) async fn bytes(Path(n): Path<u64>) -> Response {
    if n > MOST_BYTES {
        return too_much();
    }
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (CONTENT_LENGTH, HeaderValue::from(n)),
    ];
    (headers, respond::pattern(n)).into_response()
}

/// The query of [`stream`].
#[derive(Deserialize)]
pub(crate) struct Pace {
    pause_ms: Option<u64>,
}

/// `GET /api/stream/{n}?pause_ms=20`: n lines, each its own chunk, with a pause before each but the first.
pub(crate) async fn stream(Path(n): Path<u32>, Query(pace): Query<Pace>) -> Response {
    if n > MOST_CHUNKS {
        return too_much();
    }
    let pause = Duration::from_millis(pace.pause_ms.unwrap_or(20).min(10_000));
    let chunks = stream::unfold(1_u32, move |at| async move {
        if at > n {
            return None;
        }
        if at > 1 {
            sleep(pause).await;
        }
        Some((Ok::<_, io::Error>(Bytes::from(format!("chunk {at}\n"))), at + 1))
    });
    respond::text(StatusCode::OK, "text/plain; charset=utf-8", Body::from_stream(chunks))
}

fn too_much() -> Response {
    respond::json(StatusCode::BAD_REQUEST, &json!({ "error": "at most 1 GiB, at most 10000 chunks" }))
}

/// The query of [`status`].
#[derive(Deserialize)]
pub(crate) struct Hint {
    retry_after: Option<String>,
}

/// `/api/status/{code}?retry_after=…`: that status, any method.
pub(crate) async fn status(Path(code): Path<u16>, Query(hint): Query<Hint>) -> Response {
    let Some(status) = final_status(code) else {
        return respond::json(StatusCode::BAD_REQUEST, &json!({ "error": "a status from 200 to 599" }));
    };
    let mut answer = match status {
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED => {
            status.into_response()
        }
        _ => respond::json(status, &json!({ "status": code })),
    };
    if let Some(value) = hint.retry_after.and_then(|text| HeaderValue::try_from(text).ok()) {
        answer.headers_mut().insert(RETRY_AFTER, value);
    }
    answer
}

/// A status that can end an exchange.
pub(crate) fn final_status(code: u16) -> Option<StatusCode> {
    StatusCode::from_u16(code).ok().filter(|_| (200..600).contains(&code))
}
