//! Putting a credential into a call: the header or query parameter that the provider file names.
//!
//! Whatever the caller sent under that name is replaced. Must never touch another part of the URL: path and
//! the rest of the query stay byte for byte.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use claviger_catalog::{Api, Place};
use http::{Uri, request::Parts, uri::PathAndQuery};

use crate::{ProtocolError, build, form, oauth2::Tokens};

/// Adds `api.headers` and the access token to a call. `api` is the filled provider's
/// (`Provider::filled`).
///
/// # Errors
/// When a header can't be sent as it would be, or a placeholder is left.
pub fn credential(api: &Api, tokens: &Tokens, parts: &mut Parts) -> Result<(), ProtocolError> {
    let token = tokens.access_token.expose();
    let known = [("token", Some(token)), ("access_token", Some(token))];
    for (name, value) in &api.headers {
        let (header, value) = build::header(name, &build::fill(value, &known)?)?;
        parts.headers.insert(header, value);
    }
    place(&api.place, tokens, parts)
}

/// Adds the access token alone, where the file says. The token's own braces are text.
pub(crate) fn place(place: &Place, tokens: &Tokens, parts: &mut Parts) -> Result<(), ProtocolError> {
    let token = tokens.access_token.expose();
    if let Some(param) = &place.query {
        parts.uri = with_param(&parts.uri, param, token)?;
        return Ok(());
    }
    let shown = match &place.base64 {
        Some(inner) => BASE64_STANDARD
            .encode(build::fill(inner, &[("token", Some(token)), ("access_token", Some(token))])?),
        None => token.to_owned(),
    };
    let (header, value) =
        build::header(&place.header, &build::fill(&place.format, &[("token", Some(&shown))])?)?;
    parts.headers.insert(header, value);
    Ok(())
}

/// The URL with one parameter added, and the caller's own of that name removed.
fn with_param(uri: &Uri, param: &str, value: &str) -> Result<Uri, ProtocolError> {
    let wrong = |_| ProtocolError::Url("call's URL");
    let same = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        url::form_urlencoded::parse(name.as_bytes()).next().is_some_and(|(name, _)| name == param)
    };
    let kept: Vec<&str> =
        uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty() && !same(pair)).collect();
    let base =
        if kept.is_empty() { uri.path().to_owned() } else { format!("{}?{}", uri.path(), kept.join("&")) };
    let whole = form::append(&base, &form::write(&[(param.to_owned(), value.to_owned())], &[]));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(whole.parse::<PathAndQuery>().map_err(wrong)?);
    Uri::from_parts(parts).map_err(|_| ProtocolError::Url("call's URL"))
}

#[cfg(test)]
mod tests;
