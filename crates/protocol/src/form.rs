//! Writing `name=value&…`: percent-encoding with `%20` for a space, which every decoder of forms and of
//! URLs reads alike. Must never drop or reorder a URL's own query.

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// What is never encoded (RFC 3986 §2.3, RFC 5849 §3.6).
pub(crate) const UNRESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What must be encoded for the URL to stay one URL with these parameters.
const BREAKING: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'&')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Percent-encodes all but RFC 3986's unreserved characters.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

/// Parameters that have a value, in order; those named in `raw` are encoded only as far as they must be.
pub(crate) fn write<'a>(fields: impl IntoIterator<Item = &'a (String, String)>, raw: &[String]) -> String {
    let mut out = String::new();
    for (name, value) in fields {
        if value.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(&encode(name));
        out.push('=');
        if raw.contains(name) {
            out.extend(utf8_percent_encode(value, BREAKING));
        } else {
            out.extend(utf8_percent_encode(value, UNRESERVED));
        }
    }
    out
}

/// Adds parameters to a URL as it is written. What follows a `#` is a single-page application's own address:
/// there they go into the fragment.
pub(crate) fn append(url: &str, query: &str) -> String {
    if query.is_empty() {
        return url.to_owned();
    }
    let tail = url.split_once('#').map_or(url, |(_, fragment)| fragment);
    let joint = match tail.split_once('?') {
        None => "?",
        Some((_, own)) if own.is_empty() || own.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{url}{joint}{query}")
}
