//! Which headers stop here, in either direction, and which an operator may add. What a value may repeat is judged
//! in `prepare` and `relay`.

use claviger_catalog::template;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::fill;
use crate::{
    domain::integration::{KeyLocation, KeyPlace},
    error::{Error, Result},
    outbound::{Failure, FailureKind},
};

/// Placeholders that are filled in a header's value when the credential is put into a call.
const FILLED: [&str; 2] = ["token", "access_token"];

/// Headers of one connection, not of the message (RFC 9110 §7.6.1), and those that older proxies treated so.
/// `TE` is made anew where it applies; `Trailer` passes, as the trailers that it announces do.
fn hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "http2-settings"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authentication-info"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// What never goes from a caller to a provider: the caller's credentials, what is meant for us or for proxies
/// before us, and what the client on the way out sets itself.
fn ours(name: &HeaderName) -> bool {
    const PREFIXES: [&str; 3] = ["bu-", "proxy-", "x-forwarded-"];
    let name = name.as_str();
    // A proof of possession (RFC 9449) is part of a credential: there is ours or none.
    matches!(name, "authorization" | "cookie" | "dpop" | "dpop-nonce" | "expect" | "forwarded" | "host")
        || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Why a header set by an operator can't be added to calls; `None` when it can. The words follow its name.
/// Nothing that frames a message, names a host, carries a credential or speaks for a proxy.
pub fn not_addable(name: &str, value: &str) -> Option<&'static str> {
    let Ok(name) = HeaderName::try_from(name) else { return Some("is not a header's name") };
    if hop_by_hop(&name) || ours(&name) || framing(&name) {
        return Some("is set by Claviger itself or never passed on, so it can't be added");
    }
    if HeaderValue::from_str(value).is_err() {
        return Some("has a value with control characters, or one that is no header's for another reason");
    }
    if fill::is_template(value) {
        return fill::not_fillable(value);
    }
    if template::names(value).iter().any(|placeholder| !FILLED.contains(placeholder)) {
        return Some("has a placeholder that nothing fills: only {token} and {access_token} are");
    }
    None
}

/// Why calls can't carry an API key in the place that an integration says; `None` when they can. The words follow
/// `The API key's name` or speak of its prefix.
pub fn not_a_place(place: &KeyPlace) -> Option<&'static str> {
    let plain = |text: &str| template::names(text).is_empty() && HeaderValue::from_str(text).is_ok();
    match place.location {
        KeyLocation::Query if place.name.is_empty() || place.name.chars().any(char::is_control) => {
            Some("must be a parameter's name")
        }
        KeyLocation::Query if !place.prefix.is_empty() => Some("is a parameter's, which takes no prefix"),
        KeyLocation::Query => None,
        KeyLocation::Header => {
            let Ok(name) = HeaderName::try_from(place.name.as_str()) else {
                return Some("must be a header's name");
            };
            if hop_by_hop(&name) || framing(&name) || (ours(&name) && name != header::AUTHORIZATION) {
                return Some("must be a header that Claviger passes on");
            }
            (!plain(&place.prefix)).then_some("has a prefix with a placeholder, or one that is no header's")
        }
    }
}

/// What says how a message is cut. In a header it is judged with the body; elsewhere it has no place.
fn framing(name: &HeaderName) -> bool {
    [header::CONTENT_LENGTH, header::TRAILER].contains(name)
}

/// Refuses a request whose framing can't be said again in another message: codings of the transfer other than `chunked`,
/// more than one length, or both. What the server's reader of HTTP refuses by itself never comes here.
///
/// # Errors
/// `Invalid`
pub(super) fn check_framing(from: &HeaderMap) -> Result<()> {
    let codings = codings(from);
    if codings.iter().any(|coding| !coding.eq_ignore_ascii_case("chunked")) || codings.len() > 1 {
        let message = "Only chunked is understood, once";
        return Err(Error::invalid("Transfer-Encoding", message));
    }
    let mut lengths = from.get_all(header::CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else { return Ok(()) };
    let plain = !length.is_empty() && length.as_bytes().iter().all(u8::is_ascii_digit);
    if !plain || lengths.next().is_some() || !codings.is_empty() {
        return Err(Error::invalid(
            "Content-Length",
            "A body has one length, and none beside Transfer-Encoding",
        ));
    }
    Ok(())
}

/// Refuses an answer in a coding of the transfer that nobody asked for: its bytes would be taken for the content.
///
/// # Errors
/// `Broken`
pub(super) fn check_answer(from: &HeaderMap) -> std::result::Result<(), Failure> {
    // An old word for none (RFC 2616 §3.6).
    const NONE: &str = "identity";
    let codings = codings(from);
    let known = |coding: &&str| coding.eq_ignore_ascii_case("chunked") || coding.eq_ignore_ascii_case(NONE);
    if codings.len() <= 1 && codings.iter().all(known) {
        return Ok(());
    }
    let message = "the answer is in a transfer coding that was not asked for".to_owned();
    Err(Failure { kind: FailureKind::Broken, nothing_sent: false, message })
}

/// The codings of the transfer, in their order.
fn codings(from: &HeaderMap) -> Vec<&str> {
    let values = from.get_all(header::TRANSFER_ENCODING).iter();
    values.flat_map(|value| value.to_str().unwrap_or("?").split(',')).map(str::trim).collect()
}

/// The caller's headers that go to the provider, in their order.
pub(super) fn inward(from: &HeaderMap) -> HeaderMap {
    let mut kept = keep(from, |name, _| !ours(name));
    let trailers = from.get_all(header::TE).iter().filter_map(|value| value.to_str().ok());
    if trailers.flat_map(|value| value.split(',')).any(|one| one.trim().eq_ignore_ascii_case("trailers")) {
        kept.insert(header::TE, http::HeaderValue::from_static("trailers"));
    }
    if from.contains_key(header::TRANSFER_ENCODING) {
        kept.remove(header::CONTENT_LENGTH);
    }
    kept
}

/// The caller's trailers that go to the provider: as its headers, and none that must stand in front of a body
/// (RFC 9110 §6.5.1).
pub(super) fn inward_trailers(from: &HeaderMap) -> HeaderMap {
    keep(from, |name, _| !ours(name) && !framing(name))
}

/// The provider's headers that go to the caller, in their order; none whose value repeats a secret.
pub(super) fn outward(from: &HeaderMap, repeats: impl Fn(&HeaderValue) -> bool) -> HeaderMap {
    let cookie = |name: &HeaderName| *name == header::SET_COOKIE || name.as_str() == "set-cookie2";
    let mut kept = keep(from, |name, value| !cookie(name) && !repeats(value));
    one_length(&mut kept, from.contains_key(header::TRANSFER_ENCODING));
    kept
}

/// Leaves one length at most: none beside a coding of the transfer, which is stronger (RFC 9112 §6.3), and one where the
/// same is said several times.
fn one_length(headers: &mut HeaderMap, coded: bool) {
    if coded {
        headers.remove(header::CONTENT_LENGTH);
        return;
    }
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(first) = lengths.next().map(HeaderValue::as_bytes) else { return };
    if lengths.next().is_none() && !first.contains(&b',') {
        return;
    }
    let first = first.split(|byte| *byte == b',').next().unwrap_or_default().trim_ascii();
    match HeaderValue::from_bytes(first) {
        Ok(first) => drop(headers.insert(header::CONTENT_LENGTH, first)),
        Err(_) => drop(headers.remove(header::CONTENT_LENGTH)),
    }
}

fn keep(from: &HeaderMap, also: impl Fn(&HeaderName, &HeaderValue) -> bool) -> HeaderMap {
    let named = named_in_connection(from);
    // One more comes of us, in either direction.
    let mut kept = HeaderMap::with_capacity(from.len() + 1);
    for (name, value) in from {
        if !hop_by_hop(name)
            && also(name, value)
            && !named.iter().any(|other| name.as_str().eq_ignore_ascii_case(other))
        {
            kept.append(name.clone(), value.clone());
        }
    }
    kept
}

/// Further headers that `Connection` declares to be of the connection. Framing is not its to declare.
fn named_in_connection(from: &HeaderMap) -> Vec<&str> {
    // Nearly always one of the first two, which are no headers or stop here as they are.
    const KNOWN: [&str; 3] = ["keep-alive", "close", "content-length"];
    from.get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|name| !KNOWN.iter().any(|known| name.eq_ignore_ascii_case(known)))
        .collect()
}
