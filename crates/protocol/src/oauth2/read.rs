//! Reading the token endpoint's answer (RFC 6749 §5.1, §5.2, and what providers make of them).
//!
//! JSON, forms and bare texts; errors with any status; expiry in any unit. Must never repeat the body in an
//! error, nor take a token that could not stand in a header.

use std::collections::BTreeMap;

use claviger_catalog::{AnswerFormat, Expires, ExpiresUnit, Lifetime, OAuth2, Refresh, SavedField, pattern};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value};

use super::{TokenError, TokenErrorKind, Tokens};
use crate::{json, jwt, secret::Secret, throttle, when};

/// Longer answers are not read.
pub const MAX_BODY: usize = 1024 * 1024;
/// Longer tokens are refused.
pub const MAX_TOKEN: usize = 64 * 1024;

/// The tokens in an answer of the token endpoint.
///
/// # Errors
/// [`TokenError`]: the provider refused, is in trouble, or the answer can't be read.
pub fn tokens(
    oauth2: &OAuth2,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now_ms: i64,
) -> Result<Tokens, TokenError> {
    let value = accepted(oauth2, status, headers, body, now_ms)?;
    let answer = &oauth2.answer;
    let secret = |path: &str| -> Result<Option<Secret>, TokenError> {
        match json::at(&value, path) {
            Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
            Some(Value::String(text)) if is_token(text.trim()) => Ok(Some(Secret::new(text.trim()))),
            Some(_) => Err(unreadable("a token is not one")),
            None => Ok(None),
        }
    };
    let access_token =
        secret(&answer.access_token)?.ok_or_else(|| unreadable("there is no access token in it"))?;
    let refresh_token = secret(&answer.refresh_token)?;
    let token_type = json::text(&value, &answer.token_type).unwrap_or_else(|| "Bearer".to_owned());
    // A `DPoP` token is for whoever proved a key to get it: that is the caller's to look at.
    if ["mac", "pop"].iter().any(|kind| token_type.eq_ignore_ascii_case(kind)) {
        return Err(unreadable("the token is of a type that is not offered"));
    }
    let expires_at = expires_at(oauth2, &value, &access_token, now_ms);
    let refresh_expires_at = refresh_token.as_ref().and_then(|token| {
        let paths = ["refresh_expires_in", "refresh_token_expires_in"];
        told(&value, &answer.refresh_expires, &paths, now_ms)
            .or_else(|| refresh_expiry_untold(oauth2, token, now_ms))
    });
    Ok(Tokens {
        id_token: secret(&answer.id_token).ok().flatten(),
        scopes: json::at(&value, &answer.scope).and_then(|scope| scopes(oauth2, scope)),
        saved: saved(&answer.save, &value)?,
        refresh_token,
        expires_at,
        refresh_expires_at,
        ..Tokens::of(access_token, &token_type)
    })
}

/// The tokens after a refresh: what the answer does not return is kept from `before`; where the file says
/// `extends_only`, the old token gets another lifetime; `refresh.answer` is read where it says something.
///
/// # Errors
/// As [`tokens`].
pub fn refreshed(
    oauth2: &OAuth2,
    before: Tokens,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now_ms: i64,
) -> Result<Tokens, TokenError> {
    if let Some(answer) = &oauth2.refresh.answer {
        let refresh = Refresh { answer: None, ..oauth2.refresh.clone() };
        let other = OAuth2 { answer: answer.clone(), refresh, ..oauth2.clone() };
        return refreshed(&other, before, status, headers, body, now_ms);
    }
    if !oauth2.refresh.extends_only {
        let newer = tokens(oauth2, status, headers, body, now_ms)?;
        return Ok(used(oauth2, newer.refresh_token.is_none(), before.renewed(newer), now_ms));
    }
    let value = if status.is_success() && body.trim_ascii().is_empty() {
        Value::Null
    } else {
        accepted(oauth2, status, headers, body, now_ms)?
    };
    let expires_at = expires_at(oauth2, &value, &before.access_token, now_ms);
    Ok(used(oauth2, true, Tokens { expires_at, ..before }, now_ms))
}

/// A refresh token that is `kept` was used just now: what dies of idleness lives on from here.
fn used(oauth2: &OAuth2, kept: bool, tokens: Tokens, now_ms: i64) -> Tokens {
    let refresh_token = tokens.refresh_token.as_ref().filter(|_| kept);
    let extended = refresh_token.and_then(|token| refresh_expiry_untold(oauth2, token, now_ms));
    Tokens { refresh_expires_at: extended.or(tokens.refresh_expires_at), ..tokens }
}

/// The body of an answer that is not an error.
pub(crate) fn accepted(
    oauth2: &OAuth2,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now_ms: i64,
) -> Result<Value, TokenError> {
    let value = parse(oauth2, status, headers, body);
    let busy = status.is_server_error()
        || status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT;
    if let Some(mut error) = value.as_ref().ok().and_then(|value| refusal(oauth2, status, value)) {
        let passing = matches!(error.code.as_deref(), Some("temporarily_unavailable" | "server_error"));
        if busy || passing {
            error.kind = TokenErrorKind::Transient;
            error.retry_after = retry_after(headers, now_ms);
        }
        return Err(error);
    }
    if busy {
        let description = format!("HTTP {}", status.as_u16());
        let mut error = TokenError::new(TokenErrorKind::Transient, None, Some(&description));
        error.retry_after = retry_after(headers, now_ms);
        return Err(error);
    }
    if !status.is_success() {
        return Err(unreadable(&format!("HTTP {} without an error code", status.as_u16())));
    }
    value.map_err(unreadable)
}

fn retry_after(headers: &HeaderMap, now_ms: i64) -> Option<u64> {
    throttle::retry_after_ms(headers, now_ms).map(|ms| ms.div_ceil(1000))
}

fn unreadable(why: &str) -> TokenError {
    TokenError::new(TokenErrorKind::Unreadable, None, Some(why))
}

/// The body as one value. A form becomes an object of texts.
fn parse(
    oauth2: &OAuth2,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Value, &'static str> {
    if body.len() > MAX_BODY {
        return Err("it is too long");
    }
    let text = std::str::from_utf8(body).map_err(|_| "it is not text")?;
    let text = text.trim_start_matches('\u{feff}').trim();
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let looks_json = text.starts_with(['{', '[']) || kind.contains("json");
    match oauth2.answer.format {
        _ if text.is_empty() => Err("it is empty"),
        AnswerFormat::Text if status.is_success() => Ok(whole(oauth2, text)),
        AnswerFormat::Json => from_json(text),
        AnswerFormat::Auto | AnswerFormat::Text if looks_json => from_json(text),
        _ if text.starts_with('<') => Err("it is a page or XML"),
        AnswerFormat::Auto | AnswerFormat::Form | AnswerFormat::Text if text.contains('=') => {
            Ok(from_form(text))
        }
        _ => Err("it is neither JSON nor a form"),
    }
}

fn from_json(text: &str) -> Result<Value, &'static str> {
    serde_json::from_str(text).map_err(|_| "it is not JSON")
}

fn from_form(text: &str) -> Value {
    let mut map = Map::new();
    for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
        map.entry(name.into_owned()).or_insert_with(|| Value::String(value.into_owned()));
    }
    Value::Object(map)
}

/// A body that is the token itself, perhaps as a JSON string. An object is taken for what it says, so that
/// errors are still seen.
fn whole(oauth2: &OAuth2, text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(Value::String(token)) => {
            Value::Object(Map::from_iter([(oauth2.answer.access_token.clone(), token.into())]))
        }
        Ok(object @ Value::Object(_)) => object,
        _ => Value::Object(Map::from_iter([(oauth2.answer.access_token.clone(), text.into())])),
    }
}

/// The error in a body, by the file's rule or by RFC 6749 §5.2.
fn refusal(oauth2: &OAuth2, status: StatusCode, value: &Value) -> Option<TokenError> {
    let rule = &oauth2.answer.error;
    let failed = json::fails(rule, value);
    let code = json::at(value, &rule.code).and_then(error_code).or_else(|| standard_code(status, value));
    // A success that carries tokens is one, even with `error: "none"` or the like beside them.
    let has_token = json::text(value, &oauth2.answer.access_token).is_some_and(|token| !token.is_empty());
    if !failed && (code.is_none() || (status.is_success() && has_token)) {
        return None;
    }
    let description = json::text(value, &rule.description)
        .or_else(|| ["error.message", "message", "detail"].iter().find_map(|path| json::text(value, path)));
    let mut error = TokenError::new(TokenErrorKind::Oauth, code.as_deref(), description.as_deref());
    if code.is_some_and(|code| rule.invalid_grant.contains(&code)) {
        error.code = Some("invalid_grant".to_owned());
    }
    Some(error)
}

/// RFC 6749 §5.2.
const STANDARD_CODES: &[&str] = &[
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
];

/// An error's code: a text or a number, or such a field of an object.
fn error_code(error: &Value) -> Option<String> {
    match error {
        Value::String(code) if code.is_empty() => None,
        Value::String(code) => Some(code.clone()),
        Value::Number(number) => (number.as_i64() != Some(0)).then(|| number.to_string()),
        Value::Bool(flag) => flag.then(|| "error".to_owned()),
        Value::Object(_) => ["code", "type", "status", "error", "message"]
            .iter()
            .find_map(|path| json::text(error, path))
            .or_else(|| Some("error".to_owned())),
        Value::Array(list) => (!list.is_empty()).then(|| "error".to_owned()),
        Value::Null => None,
    }
}

/// One of RFC 6749 §5.2's codes under `code`, in an answer that is no success: some token endpoints put it where
/// their API's other errors have theirs.
fn standard_code(status: StatusCode, value: &Value) -> Option<String> {
    let code = json::text(value, "code")?;
    (!status.is_success() && STANDARD_CODES.contains(&code.as_str())).then_some(code)
}

/// The answer's word, else what is known without one.
fn expires_at(oauth2: &OAuth2, value: &Value, access_token: &Secret, now_ms: i64) -> Option<i64> {
    let told = told(value, &oauth2.answer.expires, &["expires_in"], now_ms);
    told.or_else(|| expiry_untold(oauth2, access_token, now_ms))
}

/// When an access token expires of which nobody said it: by its own `exp`, else by the file's lifetime counted
/// from now. In milliseconds since 1970; `None` when nothing tells, or never.
pub fn expiry_untold(oauth2: &OAuth2, access_token: &Secret, now_ms: i64) -> Option<i64> {
    match oauth2.lifetime {
        Some(Lifetime::Never) => None,
        Some(Lifetime::Seconds(seconds)) => {
            jwt::expiry_unverified(access_token).or_else(|| after(seconds, now_ms))
        }
        None => jwt::expiry_unverified(access_token),
    }
}

/// The same for a refresh token: by its own `exp`, else by the file's idle lifetime.
pub fn refresh_expiry_untold(oauth2: &OAuth2, refresh_token: &Secret, now_ms: i64) -> Option<i64> {
    jwt::expiry_unverified(refresh_token).or_else(|| after(oauth2.refresh.idle_lifetime?, now_ms))
}

fn after(seconds: u64, now_ms: i64) -> Option<i64> {
    Some(now_ms.saturating_add(i64::try_from(seconds).ok()?.saturating_mul(1000)))
}

fn told(value: &Value, expires: &Expires, defaults: &[&str], now_ms: i64) -> Option<i64> {
    let read = |path: &str, unit: ExpiresUnit| when::expiry(json::at(value, path)?, unit, now_ms);
    match &expires.path {
        Some(path) => read(path, expires.unit),
        None => defaults.iter().find_map(|path| read(path, expires.unit)),
    }
}

/// Granted scopes: a list, or a text cut at the separator.
fn scopes(oauth2: &OAuth2, value: &Value) -> Option<Vec<String>> {
    let separator = oauth2.answer.scope_separator.as_deref();
    let parts: Vec<String> = match value {
        Value::Array(list) => list.iter().filter_map(json::plain).collect(),
        Value::String(text) => {
            let own = oauth2.scopes.separator.as_str();
            let by = separator.or_else(|| (own != " " && text.contains(own)).then_some(own));
            match by {
                Some(by) if !by.is_empty() => text.split(by).map(str::to_owned).collect(),
                _ => text.split([' ', ',']).map(str::to_owned).collect(),
            }
        }
        _ => return None,
    };
    let sound =
        |scope: &String| !scope.is_empty() && scope.len() <= 512 && !scope.chars().any(char::is_control);
    Some(parts.iter().map(|scope| scope.trim().to_owned()).filter(sound).take(1000).collect())
}

/// Values kept for templates. One that its pattern does not admit makes the answer unreadable: it would
/// decide where the credential goes.
fn saved(save: &BTreeMap<String, SavedField>, value: &Value) -> Result<BTreeMap<String, String>, TokenError> {
    let mut out = BTreeMap::new();
    for (name, field) in save {
        let found = json::text(value, &field.path).filter(|found| !found.is_empty());
        let Some(found) = found.or_else(|| field.default.clone()) else {
            if field.required {
                return Err(unreadable(&format!("`{name}` is not in it")));
            }
            continue;
        };
        let admitted = match &field.pattern {
            Some(pattern) => pattern::admits(pattern, &found),
            None => found.len() <= pattern::MAX_VALUE && !found.chars().any(char::is_control),
        };
        if !admitted {
            return Err(unreadable(&format!("`{name}` in it is not allowed")));
        }
        out.insert(name.clone(), found);
    }
    Ok(out)
}

/// Whether a text can stand in a header as a token: printable ASCII, at most [`MAX_TOKEN`] bytes.
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_TOKEN && text.bytes().all(|b| (0x20..0x7f).contains(&b))
}

#[cfg(test)]
mod tests;
