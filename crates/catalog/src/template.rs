//! Templates: `https://{subdomain}.example.com/api`.
//!
//! A placeholder is `{name}`, lower case with underscores; anything else between braces is plain text, which
//! URLs refuse. Values are checked against their patterns by [`crate::Provider::values`] before they come
//! here; this module checks again by position, so that a value without a pattern still can't move the host.
//! It must never repair a value: what is not right is refused. Filling a whole provider: `fill`.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

/// Names that are filled when a request is built, from the credential and the client; no input may have them.
pub const RESERVED: &[&str] = &["token", "access_token", "refresh_token", "client_id", "client_secret"];

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Why a template can't be filled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// No value for this name.
    #[error("no value for `{0}`")]
    Missing(String),
    /// The value is not what its pattern, or its place in the URL, admits.
    #[error("the value of `{0}` is not allowed")]
    Refused(String),
    /// The result is not a URL that may be used.
    #[error("the filled URL is not usable")]
    NotAUrl,
}

/// A piece of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Text(&'a str),
    Name(&'a str),
}

/// Cuts a template into its pieces.
pub(crate) fn pieces(template: &str) -> Vec<Piece<'_>> {
    let mut out = Vec::new();
    let (mut text_from, mut at) = (0, 0);
    while let Some(open) = template[at..].find('{').map(|i| at + i) {
        let name = template[open + 1..].split_once('}').map_or("", |(name, _)| name);
        if is_name(name) {
            if open > text_from {
                out.push(Piece::Text(&template[text_from..open]));
            }
            out.push(Piece::Name(name));
            text_from = open + name.len() + 2;
            at = text_from;
        } else {
            at = open + 1;
        }
    }
    if text_from < template.len() {
        out.push(Piece::Text(&template[text_from..]));
    }
    out
}

/// Whether this can be a placeholder's name: `[a-z][a-z0-9_]*`.
pub fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// The names of a template's placeholders, in order.
pub fn names(template: &str) -> Vec<&str> {
    pieces(template)
        .into_iter()
        .filter_map(|piece| match piece {
            Piece::Name(name) => Some(name),
            Piece::Text(_) => None,
        })
        .collect()
}

/// Where in a URL the next piece stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Start,
    Authority,
    Path,
    Query,
}

impl Place {
    /// The place after a piece of plain text.
    pub(crate) fn after(self, text: &str) -> Self {
        let mut place = self;
        let mut rest = text;
        if place == Self::Start {
            match text.split_once("://") {
                Some((_, authority)) => (place, rest) = (Self::Authority, authority),
                None => place = Self::Path,
            }
        }
        for c in rest.chars() {
            match (place, c) {
                (Self::Authority, '/') | (_, '#') => place = Self::Path,
                (_, '?') => place = Self::Query,
                _ => {}
            }
        }
        place
    }
}

/// Fills a URL template, or a path that begins with `/`. [`RESERVED`] names after the host stay.
///
/// In the host a value can only be letters, digits, dots and hyphens; in path and query it is
/// percent-encoded; as the whole beginning it must be an origin with an optional path of its own.
///
/// # Errors
/// [`TemplateError`]; a value is never repeated in it.
pub fn expand(template: &str, values: &BTreeMap<String, String>) -> Result<String, TemplateError> {
    let mut out = String::with_capacity(template.len() + 32);
    let mut place = Place::Start;
    let mut after_base = false;
    for piece in pieces(template) {
        match piece {
            Piece::Text(text) => {
                if after_base && !text.starts_with(['/', '?', '#']) {
                    return Err(TemplateError::NotAUrl);
                }
                after_base = false;
                place = place.after(text);
                out.push_str(text);
            }
            Piece::Name(name) if RESERVED.contains(&name) && matches!(place, Place::Path | Place::Query) => {
                out.push('{');
                out.push_str(name);
                out.push('}');
            }
            Piece::Name(name) => {
                if after_base {
                    return Err(TemplateError::NotAUrl);
                }
                let value = values.get(name).ok_or_else(|| TemplateError::Missing(name.to_owned()))?;
                let refused = || TemplateError::Refused(name.to_owned());
                match place {
                    Place::Start => {
                        let base = value.strip_suffix('/').unwrap_or(value);
                        if !is_base(base) {
                            return Err(refused());
                        }
                        out.push_str(base);
                        (place, after_base) = (Place::Path, true);
                    }
                    Place::Authority if is_host_part(value) => out.push_str(value),
                    Place::Path if !value.is_empty() && value != "." && value != ".." => {
                        out.extend(utf8_percent_encode(value, UNRESERVED));
                    }
                    Place::Query => out.extend(utf8_percent_encode(value, UNRESERVED)),
                    Place::Authority | Place::Path => return Err(refused()),
                }
            }
        }
    }
    if template.starts_with('/') || is_plain_url(&out) { Ok(out) } else { Err(TemplateError::NotAUrl) }
}

/// Fills a parameter's or a header's value. [`RESERVED`] names without a value stay; the result holds no control character.
///
/// # Errors
/// [`TemplateError`]; a value is never repeated in it.
pub fn expand_text(template: &str, values: &BTreeMap<String, String>) -> Result<String, TemplateError> {
    expand_early(template, values, |_| false)
}

/// [`expand_text`], where the names that are `late` stay too, whatever their values: a request fills them.
pub(crate) fn expand_early(
    template: &str,
    values: &BTreeMap<String, String>,
    late: impl Fn(&str) -> bool,
) -> Result<String, TemplateError> {
    let mut out = String::with_capacity(template.len());
    for piece in pieces(template) {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Name(name) if late(name) || (RESERVED.contains(&name) && !values.contains_key(name)) => {
                out.push('{');
                out.push_str(name);
                out.push('}');
            }
            Piece::Name(name) => {
                let value = values.get(name).ok_or_else(|| TemplateError::Missing(name.to_owned()))?;
                // A brace could become one of the reserved names, which a request fills later.
                if value.chars().any(|c| c.is_control() || c == '{' || c == '}') {
                    return Err(TemplateError::Refused(name.to_owned()));
                }
                out.push_str(value);
            }
        }
    }
    Ok(out)
}

/// Fills a text with what `known` knows, in one pass: a value's own braces are never read again.
///
/// # Errors
/// [`TemplateError::Missing`] names what it does not know.
pub fn fill<'a>(template: &str, known: impl Fn(&str) -> Option<&'a str>) -> Result<String, TemplateError> {
    let mut out = String::with_capacity(template.len());
    for piece in pieces(template) {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Name(name) => {
                out.push_str(known(name).ok_or_else(|| TemplateError::Missing(name.to_owned()))?);
            }
        }
    }
    Ok(out)
}

/// Fills a host template (`{subdomain}.example.com`).
///
/// # Errors
/// [`TemplateError`]; a value is never repeated in it.
pub fn expand_host(template: &str, values: &BTreeMap<String, String>) -> Result<String, TemplateError> {
    let url = expand(&format!("https://{template}/"), values)?;
    Ok(url.trim_start_matches("https://").trim_end_matches('/').to_owned())
}

/// Whether a value of a URL template may choose whose host it is: a placeholder is the whole beginning, or
/// the host keeps no registrable domain of the template's own behind it. `https://{sub}.example.com` does not,
/// `https://{host}/`, `https://{name}example.com` and `https://{name}.co.uk` do.
pub fn chooses_host(template: &str) -> bool {
    let mut place = Place::Start;
    let mut fixed: Option<String> = None;
    for piece in pieces(template) {
        match piece {
            Piece::Text(text) => {
                let rest =
                    if place == Place::Start { text.split_once("://").map_or("", |(_, r)| r) } else { text };
                if place == Place::Authority
                    && let Some(tail) = &mut fixed
                {
                    tail.push_str(rest.split(['/', '?', '#']).next().unwrap_or_default());
                }
                place = place.after(text);
            }
            Piece::Name(_) if place == Place::Start => return true,
            Piece::Name(_) if place == Place::Authority => fixed = Some(String::new()),
            Piece::Name(_) => {}
        }
    }
    fixed.is_some_and(|tail| !is_registrable(&tail))
}

/// Whether what stands behind a placeholder ends in a domain that somebody has registered. Where it can't be
/// told from a public suffix (`.co.uk`), it is taken for one.
fn is_registrable(tail: &str) -> bool {
    let host = tail.split(':').next().unwrap_or_default();
    let Some((_, domain)) = host.split_once('.') else { return false };
    let labels: Vec<&str> = domain.split('.').collect();
    match labels.as_slice() {
        [.., second, last] if second.is_empty() || last.is_empty() => false,
        [second, last] => last.len() > 2 || second.len() > 3,
        [_, .., _] => true,
        _ => false,
    }
}

/// Letters, digits, dots and hyphens, in the order that a host has them.
fn is_host_part(value: &str) -> bool {
    let sound = |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
    value.len() <= 253
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
        && value.split('.').all(sound)
}

/// An origin, perhaps with a path; no query, no fragment.
fn is_base(value: &str) -> bool {
    !value.contains(['?', '#', '{', '}']) && !value.contains("/.") && is_plain_url(value)
}

/// Whether a text is an http(s) URL that reads the same to everybody: no user, no backslash, nothing a parser
/// would drop, fold or decode in its host.
pub fn is_plain_url(text: &str) -> bool {
    if !text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\') {
        return false;
    }
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let Ok(url) = Url::parse(text) else { return false };
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return false };
    matches!(scheme, "http" | "https")
        && url.scheme() == scheme
        && url.username().is_empty()
        && url.password().is_none()
        && (authority.eq_ignore_ascii_case(host) || authority.eq_ignore_ascii_case(&format!("{host}:{port}")))
}

/// Whether a URL's host is this machine: `localhost`, `127.0.0.0/8` or `::1`.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests;
