//! Putting a credential into a call: the headers and query parameters that the provider file names.
//!
//! Whatever the caller sent under that name is replaced. Must never touch another part of the URL: path and
//! the rest of the query stay byte for byte.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use claviger_catalog::{Api, Place, TemplateError, template};
use http::{Uri, request::Parts, uri::PathAndQuery};

use crate::{ProtocolError, build, form, oauth2::Tokens, secret::Secret};

/// Adds `api.headers`, `api.query` and the access token to a call. `api` is the filled provider's
/// (`Provider::filled`).
///
/// # Errors
/// When a header can't be sent as it would be, or a placeholder is left.
pub fn credential(api: &Api, tokens: &Tokens, parts: &mut Parts) -> Result<(), ProtocolError> {
    for (name, template) in &api.headers {
        header(name, template, tokens, parts)?;
    }
    for (name, template) in &api.query {
        param(name, template, tokens, parts)?;
    }
    place(&api.place, tokens, parts)
}

/// Adds what carries the credential, and nothing else that calls of the API have; what `own` says the call has itself
/// is left alone.
pub(crate) fn secrets(
    api: &Api,
    tokens: &Tokens,
    parts: &mut Parts,
    own: impl Fn(&str) -> bool,
) -> Result<(), ProtocolError> {
    let carries = |template: &str| template::names(template).iter().any(|name| named(tokens, name).is_some());
    for (name, template) in api.headers.iter().filter(|(name, template)| carries(template) && !own(name)) {
        header(name, template, tokens, parts)?;
    }
    for (name, template) in api.query.iter().filter(|(name, template)| carries(template) && !own(name)) {
        param(name, template, tokens, parts)?;
    }
    Ok(())
}

/// Adds the access token alone, where the file says. The token's own braces are text.
pub(crate) fn place(place: &Place, tokens: &Tokens, parts: &mut Parts) -> Result<(), ProtocolError> {
    let token = tokens.access_token.expose();
    if place.is_nowhere() {
        return Ok(());
    }
    if let Some(param) = &place.query {
        parts.uri = with_param(&parts.uri, param, Some(token))?;
        return Ok(());
    }
    let known = |name: &str| named(tokens, name);
    let shown = match &place.base64 {
        Some(inner) => BASE64_STANDARD.encode(build::fill_by(inner, known)?),
        None => token.to_owned(),
    };
    let known = |name: &str| if name == "token" { Some(shown.as_str()) } else { named(tokens, name) };
    // A token that needs a proof says so by its scheme (RFC 9449 §7.1).
    let bound = tokens.proof_key().is_some() && place.is_bearer();
    let format = if bound { "DPoP {token}" } else { &place.format };
    let (header, value) = build::header(&place.header, &build::fill_by(format, known)?)?;
    parts.headers.insert(header, value);
    Ok(())
}

/// What of a credential a template may name: the token, and what was typed in. A client's secret is the token
/// endpoint's alone.
pub(crate) fn named<'a>(tokens: &'a Tokens, name: &str) -> Option<&'a str> {
    match name {
        "token" | "access_token" => Some(tokens.access_token.expose()),
        "client_secret" => None,
        _ => tokens.typed.get(name).map(Secret::expose),
    }
}

fn header(name: &str, template: &str, tokens: &Tokens, parts: &mut Parts) -> Result<(), ProtocolError> {
    match filled(template, tokens)? {
        Some(text) => {
            let (header, value) = build::header(name, &text)?;
            parts.headers.insert(header, value);
        }
        None => drop(parts.headers.remove(name)),
    }
    Ok(())
}

fn param(name: &str, template: &str, tokens: &Tokens, parts: &mut Parts) -> Result<(), ProtocolError> {
    parts.uri = with_param(&parts.uri, name, filled(template, tokens)?.as_deref())?;
    Ok(())
}

/// The text; `None` where a field that it names was left empty.
fn filled(template: &str, tokens: &Tokens) -> Result<Option<String>, ProtocolError> {
    match template::fill(template, |name| named(tokens, name)) {
        Ok(text) => Ok(Some(text)),
        Err(TemplateError::Missing(name)) if !template::RESERVED.contains(&name.as_str()) => Ok(None),
        Err(error) => Err(build::unfilled(error)),
    }
}

/// The URL with one parameter added, where it has a value, and the caller's own of that name removed.
fn with_param(uri: &Uri, param: &str, value: Option<&str>) -> Result<Uri, ProtocolError> {
    let wrong = |_| ProtocolError::Url("call's URL");
    let same = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        url::form_urlencoded::parse(name.as_bytes()).next().is_some_and(|(name, _)| name == param)
    };
    let kept: Vec<&str> =
        uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty() && !same(pair)).collect();
    let base =
        if kept.is_empty() { uri.path().to_owned() } else { format!("{}?{}", uri.path(), kept.join("&")) };
    let added = value.map(|value| form::write(&[(param.to_owned(), value.to_owned())], &[]));
    let whole = form::append(&base, &added.unwrap_or_default());
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(whole.parse::<PathAndQuery>().map_err(wrong)?);
    Uri::from_parts(parts).map_err(|_| ProtocolError::Url("call's URL"))
}

#[cfg(test)]
mod tests;
