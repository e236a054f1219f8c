//! The echo: says back what arrived, so that a test can compare it with what was sent.
//!
//! The path and query are the raw ones, never decoded. The token is the one thing that is not said back. Look next
//! at `api.rs`.

use crate::bearer::Caller;
use crate::respond;
use aws_lc_rs::digest;
use axum::Extension;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Map, Value, json};

/// Body bytes said back in full; longer bodies are hashed to their end and said back up to here.
const SAID_BACK: usize = 1024 * 1024;

/// What stands where the credential was.
const MARKER: &str = "(a valid bearer token)";

/// Any method, any other path under `/api`.
pub(crate) async fn echo(Extension(caller): Extension<Caller>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(received) = read(body).await else {
        return respond::json(StatusCode::BAD_REQUEST, &json!({ "error": "the request body broke off" }));
    };
    respond::json(
        StatusCode::OK,
        &json!({
            "method": parts.method.as_str(),
            "path": parts.uri.path(),
            "query": parts.uri.query(),
            "http_version": format!("{:?}", parts.version),
            "headers": headers(&parts.headers),
            "body": std::str::from_utf8(&received.start).ok(),
            "body_base64": STANDARD.encode(&received.start),
            "body_length": received.length,
            "body_sha256": received.sha256,
            "body_truncated": received.length > received.start.len() as u64,
            "account": caller.account.id,
        }),
    )
}

struct Received {
    start: Vec<u8>,
    length: u64,
    sha256: String,
}

async fn read(mut body: Body) -> Result<Received, axum::Error> {
    let mut hash = digest::Context::new(&digest::SHA256);
    let (mut start, mut length) = (Vec::new(), 0_u64);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        hash.update(&data);
        length += data.len() as u64;
        let room = SAID_BACK.saturating_sub(start.len()).min(data.len());
        start.extend_from_slice(data.get(..room).unwrap_or_default());
    }
    Ok(Received { start, length, sha256: hex::encode(hash.finish()) })
}

/// Lower-case names, each with its values in order; a byte above 127 becomes the code point of that number.
fn headers(headers: &HeaderMap) -> Map<String, Value> {
    let mut said = Map::new();
    for name in headers.keys() {
        let values = headers.get_all(name).iter().map(|value| {
            if name == AUTHORIZATION {
                MARKER.to_owned()
            } else {
                value.as_bytes().iter().map(|&byte| char::from(byte)).collect()
            }
        });
        said.insert(name.as_str().to_owned(), json!(values.collect::<Vec<String>>()));
    }
    said
}
