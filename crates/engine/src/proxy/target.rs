//! Phase 3: where the call goes: the base URL and the caller's path, never anywhere else.
//!
//! The caller's path and query are kept byte for byte and joined by concatenation. What comes out is parsed
//! once, compared with the base, and that same value is sent. A path that some server on the way could read as
//! leaving the base is refused, not repaired.

use std::collections::BTreeMap;

use claviger_catalog::{Api, template::TemplateError};
use http::{Method, Request, Uri, Version};

use super::prepare;
use crate::{
    error::{Error, Result},
    refresh::Subject,
};

/// How often a path is decoded to look for what hides in it.
const DECODINGS: usize = 3;

fn refuse(message: impl Into<String>) -> Error {
    Error::TargetNotAllowed { message: message.into() }
}

/// The provider's `[api]` for this connection: templates filled from values that are checked again here, the
/// integration's base URL in place of the file's, its headers added.
///
/// # Errors
/// `TargetNotAllowed` when there is no base URL, or a value that it needs is missing or not admitted.
pub(super) fn api(subject: &Subject) -> Result<Api> {
    let (provider, config) = (&subject.provider, &subject.integration.config);
    // The connection's own values win, as they do when it is refreshed and ended: its token is of their host.
    let mut inputs: BTreeMap<String, String> = config.inputs.clone();
    let own = subject.connection.inputs.iter().filter(|(_, value)| !value.is_empty());
    inputs.extend(own.map(|(name, value)| (name.clone(), value.clone())));
    let unfilled =
        |error: TemplateError| refuse(format!("The connection's base URL can't be built: {error}"));
    let template = config.base_url.as_ref().or(provider.api.base_url.as_ref());
    let template = template.ok_or_else(|| refuse("The connection's integration names no base URL"))?;
    let base_url = provider.expand(template, &inputs).map_err(unfilled)?;
    let values = provider.values(&inputs).map_err(unfilled)?;
    let mut api = Api { base_url: Some(base_url), headers: BTreeMap::new(), ..provider.api.clone() };
    for (name, text) in &provider.api.headers {
        match claviger_catalog::template::expand_text(text, &values) {
            Ok(value) => drop(api.headers.insert(name.clone(), value)),
            Err(TemplateError::Missing(_)) => {}
            Err(error) => return Err(unfilled(error)),
        }
    }
    prepare::add_headers(&mut api, &config.headers);
    Ok(api)
}

/// The URL to send to: the base URL and the request's path and query.
///
/// # Errors
/// `TargetNotAllowed`
pub(super) fn join<B>(api: &Api, request: &Request<B>) -> Result<Uri> {
    if request.method() == Method::CONNECT {
        return Err(refuse("CONNECT is not offered"));
    }
    let uri = request.uri();
    // In HTTP/2 a host always comes with the path, as `Host` does in HTTP/1; it says nothing of the target.
    let absolute = uri.scheme().is_some() || uri.authority().is_some();
    if absolute && request.version() < Version::HTTP_2 {
        return Err(refuse("Name the path only, not a whole URL"));
    }
    under_base(api.base_url.as_deref().unwrap_or_default(), uri)
}

fn under_base(base: &str, asked: &Uri) -> Result<Uri> {
    let base = base.strip_suffix('/').unwrap_or(base);
    let unusable = || refuse("The connection's base URL is not usable");
    if base.contains(['?', '#', '{', '}', '\\', '@']) {
        return Err(unusable());
    }
    let origin: Uri = base.parse().map_err(|_| unusable())?;
    if origin.host().is_none_or(str::is_empty) || check_path(origin.path()).is_err() {
        return Err(unusable());
    }
    let path = asked.path();
    if !path.starts_with('/') {
        return Err(refuse("The path must begin with a slash"));
    }
    check_path(path)?;
    let path_and_query = asked.path_and_query().map_or(path, http::uri::PathAndQuery::as_str);
    let joined: Uri = format!("{base}{path_and_query}").parse().map_err(|_| refuse("The path is not one"))?;
    let base_path = origin.path().strip_suffix('/').unwrap_or(origin.path());
    let below = joined.path().strip_prefix(base_path).is_some_and(|rest| rest.starts_with('/'));
    if joined.scheme() != origin.scheme() || joined.authority() != origin.authority() || !below {
        return Err(refuse("The path leaves the connection's base URL"));
    }
    if joined.path_and_query().map(http::uri::PathAndQuery::as_str)
        != Some(format!("{base_path}{path_and_query}").as_str())
    {
        return Err(refuse("The path can't be kept as it is"));
    }
    Ok(joined)
}

/// Refuses dot segments, backslashes and control bytes, also behind up to three layers of percent-encoding;
/// an encoded slash that hides no dot segment is data.
fn check_path(path: &str) -> Result<()> {
    if path.contains('\\') {
        return Err(refuse("The path must not hold a backslash"));
    }
    let mut layer = path.as_bytes().to_vec();
    for _ in 0..=DECODINGS {
        if layer.iter().any(u8::is_ascii_control) {
            return Err(refuse("The path must not hold a control character"));
        }
        if layer.split(|byte| matches!(byte, b'/' | b'\\')).any(is_dots) {
            return Err(refuse("The path must not hold . or .. as a segment"));
        }
        let next: Vec<u8> = percent_encoding::percent_decode(&layer).collect();
        if next == layer {
            break;
        }
        layer = next;
    }
    Ok(())
}

/// `.` and `..`, also with parameters (`..;x`), which some servers cut off before they look.
fn is_dots(segment: &[u8]) -> bool {
    let name = segment.split(|byte| *byte == b';').next().unwrap_or_default();
    matches!(name, b"." | b"..")
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
