//! Which client is asking, at the token and revocation endpoints (RFC 6749 §2.3.1).
//!
//! Must never accept two ways at once, nor say which of id and secret was wrong. Look next at `token.rs`.

use crate::config::{Client, Config};
use crate::params::Params;
use crate::respond;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};

/// Reads a form body and the client that sent it; the error is the answer to give.
pub(crate) fn read<'a>(
    config: &'a Config,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(&'a Client, Params), Box<Response>> {
    let invalid = |why: &str| Box::new(respond::oauth_error(StatusCode::BAD_REQUEST, "invalid_request", why));
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(invalid("the body must be application/x-www-form-urlencoded"));
    }
    let params = Params::parse(body);
    if let Some(name) = params.repeated() {
        return Err(invalid(&format!("{name} is given more than once")));
    }
    let client = match headers.get(AUTHORIZATION) {
        Some(_) if params.get("client_secret").is_some() => {
            return Err(invalid("the client authenticates twice"));
        }
        Some(value) => {
            let basic = value.to_str().ok().and_then(basic);
            basic.filter(|(id, _)| params.get("client_id").is_none_or(|named| named == id.as_str()))
        }
        None => {
            let secret = params.get("client_secret").unwrap_or_default();
            params.get("client_id").map(|id| (id.to_owned(), secret.to_owned()))
        }
    };
    let known = client.and_then(|(id, secret)| config.client(&id).filter(|client| proves(client, &secret)));
    known.map(|client| (client, params)).ok_or_else(|| Box::new(unknown()))
}

/// Reads a request about one token (RFC 7009 §2.1, RFC 7662 §2.1), and the client that sent it; the error is the answer to
/// give.
pub(crate) fn read_token<'a>(
    config: &'a Config,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(&'a Client, String), Box<Response>> {
    let (client, params) = read(config, headers, body)?;
    let missing =
        || Box::new(respond::oauth_error(StatusCode::BAD_REQUEST, "invalid_request", "token is missing"));
    let token = params.get("token").ok_or_else(missing)?.to_owned();
    Ok((client, token))
}

/// Id and secret of a Basic header, each form-decoded.
fn basic(value: &str) -> Option<(String, String)> {
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((form_decode(id), form_decode(secret)))
}

fn form_decode(text: &str) -> String {
    // A `&` or `=` that was not encoded belongs to the value, so it is encoded first.
    let one_value = format!("v={}", text.replace('&', "%26"));
    url::form_urlencoded::parse(one_value.as_bytes()).map(|(_, value)| value.into_owned()).collect()
}

fn proves(client: &Client, secret: &str) -> bool {
    let expected = client.secret.as_deref().unwrap_or_default();
    aws_lc_rs::constant_time::verify_slices_are_equal(expected.as_bytes(), secret.as_bytes()).is_ok()
}

fn unknown() -> Response {
    let answer =
        respond::oauth_error(StatusCode::UNAUTHORIZED, "invalid_client", "unknown client or wrong secret");
    ([(WWW_AUTHENTICATE, "Basic realm=\"sandbox\"")], answer).into_response()
}
