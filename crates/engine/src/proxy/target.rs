//! Phase 3: where the call goes: the base URL and the caller's path, never anywhere else.
//!
//! The caller's path and query are kept byte for byte and joined by concatenation. What comes out is parsed
//! once, compared with the base, and that same value is sent. A path that some server on the way could read as
//! leaving the base is refused, not repaired. Where a caller may name a URL instead: `named`.

use std::{borrow::Cow, collections::BTreeMap};

use claviger_catalog::{Api, Place, template, template::TemplateError};
use http::{Method, Request, Uri, Version, uri::PathAndQuery};

use super::{headers, prepare};
use crate::{
    domain::integration::{KeyLocation, KeyPlace},
    error::{Error, Result},
    refresh::Subject,
};

/// How often a path is decoded to look for what hides in it.
const DECODINGS: usize = 3;

pub(super) fn refuse(message: impl Into<String>) -> Error {
    Error::TargetNotAllowed { message: message.into() }
}

fn unfilled(error: &TemplateError) -> Error {
    refuse(format!("The connection's base URL can't be built: {error}"))
}

/// What templates are filled from. The connection's own values win, as they do when it is refreshed and ended: its
/// token is of their host.
pub(super) fn inputs(subject: &Subject) -> BTreeMap<String, String> {
    let mut inputs: BTreeMap<String, String> = subject.integration.config.inputs.clone();
    let own = subject.connection.inputs.iter().filter(|(_, value)| !value.is_empty());
    inputs.extend(own.map(|(name, value)| (name.clone(), value.clone())));
    inputs
}

/// The provider's `[api]` for this connection: templates filled from values that are checked again here, the
/// integration's base URL and place of the key instead of the file's, its headers added.
///
/// # Errors
/// `TargetNotAllowed` when there is no base URL, or a value that it needs is missing or not admitted.
pub(super) fn api(subject: &Subject) -> Result<Api> {
    let (provider, config) = (&subject.provider, &subject.integration.config);
    let inputs = inputs(subject);
    let template = config.base_url.as_ref().or(provider.api.base_url.as_ref());
    let template = template.ok_or_else(|| refuse("The connection's integration names no base URL"))?;
    let base_url = provider.expand(template, &inputs).map_err(|error| unfilled(&error))?;
    let filled = provider.filled_api(&inputs).map_err(|error| unfilled(&error))?;
    let mut api = Api { base_url: Some(base_url), ..filled };
    prepare::add_headers(&mut api, &config.headers);
    if let Some(chosen) = &config.api_key
        && provider.keys().is_some_and(|keys| keys.place_chosen)
    {
        api.place = place(chosen)?;
    }
    Ok(api)
}

/// Where calls carry an API key whose place the integration says.
fn place(chosen: &KeyPlace) -> Result<Place> {
    if headers::not_a_place(chosen).is_some() {
        return Err(refuse("The place of the integration's API key is not usable"));
    }
    Ok(match chosen.location {
        KeyLocation::Query => Place { query: Some(chosen.name.clone()), ..Place::default() },
        KeyLocation::Header => Place {
            header: chosen.name.clone(),
            format: format!("{}{{token}}", chosen.prefix),
            ..Place::default()
        },
    })
}

/// The hosts besides the base URL's that the credential may be sent to, some with a port: those of the provider's file,
/// filled, and the integration's.
///
/// # Errors
/// `TargetNotAllowed` when a value is not admitted; a host whose value is missing is left out.
pub(super) fn allowed_hosts(subject: &Subject) -> Result<Vec<String>> {
    let provider = &subject.provider;
    let mut hosts = subject.integration.config.allowed_hosts.clone();
    if provider.api.allowed_hosts.is_empty() {
        return Ok(hosts);
    }
    let values = provider.values(&inputs(subject)).map_err(|error| unfilled(&error))?;
    for host in &provider.api.allowed_hosts {
        match template::expand_host(host, &values) {
            Ok(host) => hosts.push(host),
            Err(TemplateError::Missing(_)) => {}
            Err(error) => return Err(unfilled(&error)),
        }
    }
    Ok(hosts)
}

/// A base URL, read once.
#[derive(Debug)]
pub(super) struct Base {
    url: Uri,
    /// Its path, as it is written before a caller's; empty for an origin.
    path: String,
}

impl Base {
    /// Reads the base URL of an API.
    ///
    /// # Errors
    /// `TargetNotAllowed` when it is not usable as one.
    pub fn of(api: &Api) -> Result<Self> {
        let text = api.base_url.as_deref().unwrap_or_default();
        let unusable = || refuse("The connection's base URL is not usable");
        if text.contains(['?', '#', '{', '}', '\\', '@']) {
            return Err(unusable());
        }
        // One slash at its end is the first of whatever is written behind it.
        let url: Uri = text.strip_suffix('/').unwrap_or(text).parse().map_err(|_| unusable())?;
        if url.scheme().is_none() || url.host().is_none_or(str::is_empty) || check_path(url.path()).is_err() {
            return Err(unusable());
        }
        let path = if url.path() == "/" { String::new() } else { url.path().to_owned() };
        // Two slashes at its end: which of them a call is below would be anybody's guess.
        if path.ends_with('/') {
            return Err(unusable());
        }
        Ok(Self { url, path })
    }

    /// The URL itself.
    pub fn url(&self) -> &Uri {
        &self.url
    }

    /// Its path, as it is written before a caller's; empty for an origin.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The URL to send to: the base URL and the request's path and query.
    ///
    /// # Errors
    /// `TargetNotAllowed`
    pub fn join<B>(&self, request: &Request<B>) -> Result<Uri> {
        if request.method() == Method::CONNECT {
            return Err(refuse("CONNECT is not offered"));
        }
        let uri = request.uri();
        // In HTTP/2 a host always comes with the path, as `Host` does in HTTP/1; it says nothing of the target.
        let absolute = uri.scheme().is_some() || uri.authority().is_some();
        if absolute && request.version() < Version::HTTP_2 {
            return Err(refuse("Name the path only, not a whole URL"));
        }
        self.under(uri)
    }

    /// The base URL with a path and a query written behind it.
    ///
    /// # Errors
    /// `TargetNotAllowed` for what could be read as leaving the base.
    pub fn under(&self, asked: &Uri) -> Result<Uri> {
        let asked = asked.path_and_query().ok_or_else(|| refuse("The path is not one"))?;
        // Not the path alone: HTTP/2 may bring a query without one, and its path reads as a slash.
        if !asked.as_str().starts_with('/') {
            return Err(refuse("The path must begin with a slash"));
        }
        check_path(asked.path())?;
        let path_and_query = if asked.as_str() == "/" && self.path.is_empty() {
            // It may read so for having nothing at all: HTTP/2 can bring a fragment alone.
            PathAndQuery::from_static("/")
        } else if self.path.is_empty() {
            asked.clone()
        } else {
            let written = [&self.path, asked.as_str()].concat();
            let read: PathAndQuery = written.parse().map_err(|_| refuse("The path is not one"))?;
            if read.as_str() != written {
                return Err(refuse("The path can't be kept as it is"));
            }
            read
        };
        // Scheme and authority are the base's own, whatever the path is.
        let mut parts = self.url.clone().into_parts();
        parts.path_and_query = Some(path_and_query);
        let joined = Uri::from_parts(parts).map_err(|_| refuse("The path is not one"))?;
        let below = joined.path().strip_prefix(self.path()).is_some_and(|rest| rest.starts_with('/'));
        if below { Ok(joined) } else { Err(refuse("The path leaves the connection's base URL")) }
    }
}

/// Refuses dot segments, backslashes and control bytes, also behind up to three layers of percent-encoding;
/// an encoded slash that hides no dot segment is data.
pub(super) fn check_path(path: &str) -> Result<()> {
    if path.contains('\\') {
        return Err(refuse("The path must not hold a backslash"));
    }
    let mut layer = Cow::Borrowed(path.as_bytes());
    for _ in 0..=DECODINGS {
        if layer.iter().any(u8::is_ascii_control) {
            return Err(refuse("The path must not hold a control character"));
        }
        if layer.split(|byte| matches!(byte, b'/' | b'\\')).any(is_dots) {
            return Err(refuse("The path must not hold . or .. as a segment"));
        }
        if !layer.contains(&b'%') {
            break;
        }
        let next: Vec<u8> = percent_encoding::percent_decode(&layer).collect();
        if *next == *layer {
            break;
        }
        layer = Cow::Owned(next);
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
