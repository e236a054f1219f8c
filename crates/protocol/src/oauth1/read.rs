//! Reading the answers of the two token endpoints (RFC 5849 §2.1, §2.3): forms, and what providers make of refusals.
//!
//! Must never repeat the body in an error, nor take temporary credentials whose callback was not confirmed: such a
//! provider speaks OAuth 1.0, where a stolen consent is anybody's.

use std::collections::BTreeMap;

use claviger_catalog::{Lifetime, OAuth1, pattern};
use http::{HeaderMap, StatusCode, header};

use super::Tokens;
use crate::{
    oauth2::{TokenError, TokenErrorKind, read::MAX_BODY, read::MAX_TOKEN},
    secret::Secret,
    throttle,
};

/// The longest word of a provider's that is kept.
const LONGEST_WORD: usize = 64;

/// The temporary credentials: `access_token` is their identifier, `token_secret` their shared secret.
///
/// # Errors
/// [`TokenError`]: the provider refused, is in trouble, did not confirm the callback, or the answer can't be read.
pub fn temporary(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now_ms: i64,
) -> Result<Tokens, TokenError> {
    let form = accepted(status, headers, body, now_ms)?;
    // Authlib says `True`.
    if !form.get("oauth_callback_confirmed").is_some_and(|said| said.eq_ignore_ascii_case("true")) {
        return Err(unreadable("the callback was not confirmed: this is not OAuth 1.0a"));
    }
    pair(&form)
}

/// The token, with what the file saves of its answer. Its expiry is the file's; nothing refreshes it.
///
/// # Errors
/// As [`temporary`]
pub fn tokens(
    oauth1: &OAuth1,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now_ms: i64,
) -> Result<Tokens, TokenError> {
    let form = accepted(status, headers, body, now_ms)?;
    let expires_at = match oauth1.lifetime {
        Some(Lifetime::Seconds(seconds)) => i64::try_from(seconds)
            .ok()
            .and_then(|s| s.checked_mul(1000))
            .and_then(|ms| now_ms.checked_add(ms)),
        Some(Lifetime::Never) | None => None,
    };
    let mut saved = BTreeMap::new();
    for (name, field) in &oauth1.save {
        let told = form.get(&field.path).filter(|told| !told.is_empty());
        let Some(value) = told else {
            if field.required && field.default.is_none() {
                return Err(unreadable(&format!("there is no `{}` in it", field.path)));
            }
            continue;
        };
        let admitted = field.pattern.as_deref().is_none_or(|pattern| pattern::admits(pattern, value));
        if !admitted || value.len() > pattern::MAX_VALUE {
            return Err(unreadable(&format!("its `{}` is not what the provider's file expects", field.path)));
        }
        saved.insert(name.clone(), value.clone());
    }
    Ok(Tokens { expires_at, saved, ..pair(&form)? })
}

/// A provider's word for what went wrong, fit for a log: letters, digits and underscores only.
pub(super) fn problem_word(word: &str) -> String {
    let sound = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let kept: String = word.chars().filter(sound).take(LONGEST_WORD).collect();
    if kept.is_empty() { "refused".to_owned() } else { kept }
}

fn pair(form: &BTreeMap<String, String>) -> Result<Tokens, TokenError> {
    let told =
        |name: &str| form.get(name).filter(|text| is_token(text)).map(|text| Secret::new(text.as_str()));
    let token = told("oauth_token").ok_or_else(|| unreadable("there is no token in it"))?;
    let secret = match form.get("oauth_token_secret").map(String::as_str) {
        // RFC 5849 §3.4.4: a token whose secret is empty signs with the client's alone.
        Some("") => Secret::new(""),
        _ => told("oauth_token_secret").ok_or_else(|| unreadable("there is no token secret in it"))?,
    };
    Ok(Tokens { token_secret: Some(secret), ..Tokens::of(token, "OAuth") })
}

/// The parameters of an answer that is not an error.
fn accepted(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now_ms: i64,
) -> Result<BTreeMap<String, String>, TokenError> {
    if body.len() > MAX_BODY {
        return Err(unreadable("it is too long"));
    }
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(body.trim_ascii())
        .map(|(n, v)| (n.into_owned(), v.into_owned()))
        .collect();
    let busy = status.is_server_error()
        || status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT;
    if busy {
        let description = format!("HTTP {}", status.as_u16());
        let mut error = TokenError::new(TokenErrorKind::Transient, None, Some(&description));
        error.retry_after = throttle::retry_after_ms(headers, now_ms).map(|ms| ms.div_ceil(1000));
        return Err(error);
    }
    let advice = form.get("oauth_problem_advice").map(String::as_str);
    if let Some(problem) = form.get("oauth_problem").cloned().or_else(|| in_header(headers)) {
        return Err(TokenError::new(TokenErrorKind::Oauth, Some(&problem_word(&problem)), advice));
    }
    if status == StatusCode::UNAUTHORIZED {
        return Err(TokenError::new(TokenErrorKind::Oauth, Some("unauthorized"), Some("HTTP 401")));
    }
    if !status.is_success() {
        return Err(unreadable(&format!("HTTP {} without a word why", status.as_u16())));
    }
    Ok(form)
}

/// `oauth_problem` where a challenge holds it, as the Problem Reporting extension allows.
fn in_header(headers: &HeaderMap) -> Option<String> {
    headers.get_all(header::WWW_AUTHENTICATE).iter().find_map(|value| {
        let (_, rest) = value.to_str().ok()?.split_once("oauth_problem=\"")?;
        Some(rest.split('"').next()?.to_owned())
    })
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_TOKEN && text.bytes().all(|b| b.is_ascii_graphic())
}

fn unreadable(why: &str) -> TokenError {
    TokenError::new(TokenErrorKind::Unreadable, None, Some(why))
}

#[cfg(test)]
mod tests;
