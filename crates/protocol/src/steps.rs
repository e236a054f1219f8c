//! Credentials of any kind that are exchanged for a token, in one or two requests that a provider's file describes.
//!
//! [`request`] builds each, [`between`] reads what the next one needs, [`last`] reads the token. A text is filled in one
//! pass, so that braces in a password stay braces. Must never put a secret into a URL, nor repeat one in an error.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use claviger_catalog::{OAuth2, Step, Steps, TemplateError, pattern, template};
use http::{HeaderMap, Request, StatusCode, header};
use serde_json::Value;

use crate::{
    ProtocolError,
    build::{self, Draft},
    json,
    oauth2::{TokenError, TokenErrorKind, Tokens, read},
    secret::Secret,
};

/// What answers on the way gave.
#[derive(Default, Clone)]
pub struct Saved {
    /// What is no secret: URLs may name it.
    pub open: BTreeMap<String, String>,
    /// What is.
    pub secret: BTreeMap<String, Secret>,
}

impl Saved {
    /// With what a later answer gave.
    pub fn extend(&mut self, later: Self) {
        self.open.extend(later.open);
        self.secret.extend(later.secret);
    }
}

/// The request of a step, of the filled provider (`Provider::filled`). `known` gives inputs, what was typed in and what
/// earlier answers gave; a parameter or header of which it does not know a name is left out.
///
/// # Errors
/// When the URL is not usable, or something can't stand in a header.
pub fn request<'a>(
    step: &Step,
    known: impl Fn(&str) -> Option<&'a str>,
) -> Result<Request<Bytes>, ProtocolError> {
    let mut draft = Draft::new("URL of a step", &step.url);
    (draft.method, draft.format) = (step.method, step.format);
    for (name, text) in &step.params {
        if let Some(value) = filled(text, &known)? {
            draft.set(name, &value);
        }
    }
    for (name, text) in &step.headers {
        draft.headers.extend(filled(text, &known)?.map(|value| (name.clone(), value)));
    }
    if let Some(text) = &step.basic {
        let pair = build::fill_by(text, |name| known(name).or(Some("")))?;
        let value = format!("Basic {}", BASE64_STANDARD.encode(pair));
        draft.headers.push((header::AUTHORIZATION.to_string(), value));
    }
    let body = step.body.as_ref().map(|text| body(text, &known)).transpose()?;
    draft.body = body.as_ref().map(Secret::expose);
    draft.finish()
}

/// The text; `None` where nobody gave what it names.
fn filled<'a>(text: &str, known: impl Fn(&str) -> Option<&'a str>) -> Result<Option<String>, ProtocolError> {
    match template::fill(text, known) {
        Ok(text) => Ok(Some(text)),
        Err(TemplateError::Missing(name)) if !template::RESERVED.contains(&name.as_str()) => Ok(None),
        Err(error) => Err(build::unfilled(error)),
    }
}

/// A JSON body: each value is written as the inside of a JSON text, so that it stays one.
fn body<'a>(text: &str, known: impl Fn(&str) -> Option<&'a str>) -> Result<Secret, ProtocolError> {
    let inside = |value: &str| {
        let written = Value::from(value).to_string();
        Secret::new(&written[1..written.len() - 1])
    };
    let values: BTreeMap<&str, Secret> = template::names(text)
        .into_iter()
        .map(|name| (name, inside(known(name).unwrap_or_default())))
        .collect();
    let whole = Secret::new(build::fill_by(text, |name| values.get(name).map(Secret::expose))?);
    match serde_json::from_str::<serde::de::IgnoredAny>(whole.expose()) {
        Ok(_) => Ok(whole),
        Err(_) => Err(ProtocolError::Unreadable("the JSON body of a step")),
    }
}

/// Reads the answer to a step that another one follows.
///
/// # Errors
/// [`TokenError`]: `invalid_grant` where the provider does not take what was typed.
pub fn between(
    steps: &Steps,
    step: &Step,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now_ms: i64,
) -> Result<Saved, TokenError> {
    let value = read::accepted(&shape(steps), status, headers, body, now_ms);
    saved(step, &value.map_err(|error| judged(steps, status, body, error))?)
}

/// Reads the answer to the last step. What `before` holds of secrets is kept with the token, what was typed in too.
///
/// # Errors
/// As [`between`].
pub fn last(
    steps: &Steps,
    before: Saved,
    typed: BTreeMap<String, Secret>,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now_ms: i64,
) -> Result<Tokens, TokenError> {
    let shape = shape(steps);
    let given = read::tokens(&shape, status, headers, body, now_ms);
    let mut tokens = given.map_err(|error| judged(steps, status, body, error))?;
    let mut kept = before;
    if let Some(step) = steps.request.last().filter(|step| !step.save.is_empty()) {
        let value = read::accepted(&shape, status, headers, body, now_ms)?;
        kept.extend(saved(step, &value)?);
    }
    tokens.saved.extend(kept.open);
    tokens.typed = typed;
    tokens.typed.extend(kept.secret);
    // Nothing refreshes it: the steps are made again.
    (tokens.refresh_token, tokens.refresh_expires_at) = (None, None);
    Ok(tokens)
}

/// The answers' shape, as the token endpoint's reader takes it.
fn shape(steps: &Steps) -> OAuth2 {
    OAuth2 { answer: steps.answer.clone(), lifetime: steps.lifetime, ..OAuth2::default() }
}

/// Whether the provider means what was typed. Its words are taken from where the file says, also beside no code.
fn judged(steps: &Steps, status: StatusCode, body: &[u8], error: TokenError) -> TokenError {
    let refused = status == StatusCode::UNAUTHORIZED || steps.refused.contains(&status.as_u16());
    if !refused || error.kind == TokenErrorKind::Transient || error.is_invalid_grant() {
        return error;
    }
    let said = serde_json::from_slice::<Value>(body).ok();
    let said = said.and_then(|said| json::text(&said, &steps.answer.error.description));
    let said = said.filter(|_| error.code.is_none());
    let words: Vec<&str> = [error.code.as_deref(), said.as_deref().or(error.description.as_deref())]
        .into_iter()
        .flatten()
        .collect();
    TokenError::new(TokenErrorKind::Oauth, Some("invalid_grant"), Some(&words.join(": ")))
}

/// What a step keeps of its answer. Without all of it nothing can go on.
fn saved(step: &Step, value: &Value) -> Result<Saved, TokenError> {
    let unreadable = |why: String| TokenError::new(TokenErrorKind::Unreadable, None, Some(&why));
    let mut out = Saved::default();
    for (name, field) in &step.save {
        let found = json::text(value, &field.path).filter(|found| !found.is_empty());
        let found = found.ok_or_else(|| unreadable(format!("`{name}` is not in it")))?;
        let admitted = match &field.pattern {
            Some(pattern) => pattern::admits(pattern, &found),
            None if field.secret => found.len() <= read::MAX_TOKEN && !found.chars().any(char::is_control),
            None => found.len() <= pattern::MAX_VALUE && !found.chars().any(char::is_control),
        };
        if !admitted {
            return Err(unreadable(format!("`{name}` in it is not allowed")));
        }
        if field.secret {
            out.secret.insert(name.clone(), Secret::new(found));
        } else {
            out.open.insert(name.clone(), found);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests;
