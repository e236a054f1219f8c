//! Phase 3, where the caller names a URL instead of a path: relative to the base URL, or whole.
//!
//! A relative one is written behind the base URL, so it can't leave it. A whole one is read strictly and parsed once;
//! that value is compared with the base and with the hosts that are allowed beside it, and that same value is sent.
//! What two readers could take for two hosts is refused, not repaired. Addresses are judged by `outbound`, as ever.

use http::Uri;

use super::target::{self, Base, refuse};
use crate::{
    error::Result,
    outbound::{Endpoint, endpoint},
    refresh::Subject,
};

/// The URL to send to.
///
/// # Errors
/// `TargetNotAllowed`
pub(super) fn uri(base: &Base, subject: &Subject, text: &str) -> Result<Uri> {
    with_hosts(base, || target::allowed_hosts(subject), text)
}

pub(super) fn with_hosts(
    base: &Base,
    hosts: impl FnOnce() -> Result<Vec<String>>,
    text: &str,
) -> Result<Uri> {
    if text.is_empty() {
        return Err(refuse("The URL is empty"));
    }
    if !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(refuse("Percent-encode spaces and all that is not ASCII in the URL"));
    }
    if text.contains('#') {
        return Err(refuse("The URL must not have a fragment"));
    }
    if names_scheme(text) {
        return whole(base, hosts, text);
    }
    below(base, text)
}

/// Whether the beginning reads as a scheme: `ftp://`, and for the web's own `https:` however it goes on, as browsers
/// read it. Any other colon is data, as in `people:batchGet`.
fn names_scheme(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let well = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    let web = ["http", "https", "ws", "wss"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    well && (web || rest.starts_with("//"))
}

fn below(base: &Base, text: &str) -> Result<Uri> {
    if text.starts_with("//") {
        return Err(refuse("A URL that begins with two slashes is neither relative nor whole"));
    }
    let slash = if text.starts_with('/') { "" } else { "/" };
    let asked: Uri = format!("{slash}{text}").parse().map_err(|_| refuse("The URL is not one"))?;
    base.under(&asked)
}

fn whole(base: &Base, hosts: impl FnOnce() -> Result<Vec<String>>, text: &str) -> Result<Uri> {
    if !text.starts_with("https://") && !text.starts_with("http://") {
        return Err(refuse("A whole URL begins with https://"));
    }
    let uri: Uri = text.parse().map_err(|_| refuse("The URL is not one"))?;
    let authority = uri.authority().map_or("", http::uri::Authority::as_str);
    let host = uri.host().unwrap_or_default();
    if authority.bytes().any(|b| b.is_ascii_uppercase() || matches!(b, b'%' | b'@')) || host.ends_with('.') {
        return Err(refuse("Write the URL's host plainly, in lower case, without a user name"));
    }
    // What is behind the host goes out as it came, or not at all.
    let written = text.split_once("://").and_then(|(_, rest)| rest.strip_prefix(authority)).unwrap_or("?");
    let sent = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let slash = if written.is_empty() || written.starts_with('?') { "/" } else { "" };
    if format!("{slash}{written}") != sent || written.contains('\\') {
        return Err(refuse("The URL can't be kept as it is"));
    }
    target::check_path(uri.path())?;
    let asked = endpoint(&uri).map_err(|failure| refuse(failure.message))?;
    let base_endpoint = endpoint(base.url()).map_err(|failure| refuse(failure.message))?;
    // In the clear from this machine to itself alone, and only where the base goes so too.
    let local = !base_endpoint.https && base_endpoint.is_loopback() && asked.is_loopback();
    if !asked.https && !local {
        return Err(refuse("A whole URL begins with https://"));
    }
    if asked == base_endpoint && is_below(uri.path(), base.path()) {
        return Ok(uri);
    }
    if hosts()?.iter().any(|host| endpoint_of(host, asked.https).is_some_and(|allowed| allowed == asked)) {
        return Ok(uri);
    }
    Err(refuse("The URL is neither below the base URL nor on a host that this integration allows"))
}

/// Whether a path is the base's, or below it.
fn is_below(path: &str, base: &str) -> bool {
    path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Where an allowed host is; without a port of its own it is at the scheme's.
fn endpoint_of(host: &str, https: bool) -> Option<Endpoint> {
    let scheme = if https { "https" } else { "http" };
    endpoint(&format!("{scheme}://{host}/").parse().ok()?).ok()
}

/// A URL as the request log keeps it: without its query, and without what stands before an `@`.
pub(super) fn shown(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let bare = match text.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find(['/', '\\']).unwrap_or(rest.len()));
            let host = authority.rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}{path}")
        }
        // No URL to us, but it may have been meant as one.
        None => {
            let (first, path) = text.split_at(text.find(['/', '\\']).unwrap_or(text.len()));
            format!("{}{path}", first.rsplit('@').next().unwrap_or_default())
        }
    };
    bare.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
#[path = "named_tests.rs"]
mod tests;
