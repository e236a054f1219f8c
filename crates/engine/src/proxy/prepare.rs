//! Phase 5: the head of the request as the provider gets it.

use std::collections::BTreeMap;

use claviger_catalog::Api;
use claviger_protocol::oauth2::Tokens;
use http::{HeaderName, HeaderValue, Method, Request, Uri, header, request::Parts};
use http_body::SizeHint;

use super::{
    echoes::Echoes,
    fill::{self, Filled},
    headers,
    shown::Shown,
};
use crate::error::{Error, Result};

/// Methods whose requests seldom have a body.
const BODILESS: [Method; 2] = [Method::GET, Method::HEAD];

/// A head, and what must not come back in the answer's headers.
pub(super) struct Prepared {
    pub parts: Parts,
    pub echoes: Echoes,
}

/// Builds the head: the caller's method and headers without what stops here, the target, the provider's and
/// the integration's headers, the credential. Headers filled for this call come last and read nothing; the caller's own
/// of their names go, whether or not they have a value.
///
/// # Errors
/// `TargetNotAllowed` when the credential's place would move the target, `Internal` when a stored header or
/// token can't be one.
pub(super) fn head(
    caller: &Parts,
    uri: &Uri,
    api: &Api,
    filled: &[Filled],
    (tokens, shown): (&Tokens, &Shown),
    body: SizeHint,
) -> Result<Prepared> {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = caller.method.clone();
    parts.uri = uri.clone();
    parts.headers = headers::inward(&caller.headers);
    // How the caller wrote the names of its headers is among them, in a type that only hyper knows.
    parts.extensions = caller.extensions.clone();
    settle_length(&mut parts, &body);
    for one in filled {
        parts.headers.remove(&one.name);
    }
    shown.put(api, tokens, &mut parts)?;
    for one in filled.iter().filter(|one| !carries_credential(api, &one.name)) {
        if let Some(value) = &one.value {
            parts.headers.insert(one.name.clone(), value.clone());
        }
    }
    let moved = parts.uri.scheme() != uri.scheme()
        || parts.uri.authority() != uri.authority()
        || parts.uri.path() != uri.path();
    if moved {
        return Err(Error::TargetNotAllowed {
            message: "The credential's place would change the target".into(),
        });
    }
    Ok(Prepared { parts, echoes: shown.echoes() })
}

fn carries_credential(api: &Api, name: &HeaderName) -> bool {
    api.place.is_header(name.as_str())
}

/// A declared length stays only where it is the body's: there must not be two opinions of where a body ends.
fn settle_length(parts: &mut Parts, body: &SizeHint) {
    let declared =
        parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if declared.is_none() || declared != body.exact() {
        parts.headers.remove(header::CONTENT_LENGTH);
    }
    if body.exact().is_none() && BODILESS.contains(&parts.method) {
        // The client takes these to have no body unless they say so.
        parts.headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

/// The headers an integration adds to those of its provider's file: nothing that frames a message, names a
/// host or carries a credential. What is filled for each call is not among them.
pub(super) fn add_headers(api: &mut Api, added: &BTreeMap<String, String>) {
    for (name, value) in added {
        if !fill::is_template(value) && headers::not_addable(name, value).is_none() {
            api.headers.retain(|other, _| !other.eq_ignore_ascii_case(name));
            api.headers.insert(name.clone(), value.clone());
        }
    }
}

#[cfg(test)]
#[path = "prepare_tests.rs"]
mod tests;
