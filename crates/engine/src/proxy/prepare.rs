//! Phase 5: the head of the request as the provider gets it.

use std::collections::BTreeMap;

use claviger_catalog::Api;
use claviger_protocol::{apply, keys, oauth2::Tokens};
use http::{HeaderName, HeaderValue, Request, Uri, header, request::Parts};
use http_body::SizeHint;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    fill::{self, Filled},
    headers,
};
use crate::{
    error::{Error, Result},
    secret::Secret,
};

/// Shorter texts are no secrets, and would be found in any header.
const SHORTEST_ECHO: usize = 8;

/// What stays as it is in a query (RFC 3986 §2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A head, and what must not come back in the answer's headers.
pub(super) struct Prepared {
    pub parts: Parts,
    pub echoes: Echoes,
}

/// The injected secret, in each spelling that an answer may repeat.
pub(super) struct Echoes(Vec<Secret>);

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
    tokens: &Tokens,
    body: SizeHint,
) -> Result<Prepared> {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = caller.method.clone();
    parts.uri = uri.clone();
    parts.headers = headers::inward(&caller.headers);
    settle_length(&mut parts, &body);
    for one in filled {
        parts.headers.remove(&one.name);
    }
    apply::credential(api, tokens, &mut parts).map_err(|error| Error::internal(error.to_string()))?;
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
    let echoes = Echoes::of(&parts, api, tokens);
    Ok(Prepared { parts, echoes })
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

impl Echoes {
    fn of(parts: &Parts, api: &Api, tokens: &Tokens) -> Self {
        let mut found = Vec::with_capacity(4);
        for spelling in keys::spellings(tokens) {
            encode(spelling.expose(), &mut found);
            found.push(spelling);
        }
        let shown = parts.headers.get(&api.place.header).filter(|_| api.place.is_header(&api.place.header));
        if let Some(text) = shown.and_then(|value| value.to_str().ok()) {
            found.push(Secret::new(text.split_once(' ').map_or(text, |(_, credentials)| credentials)));
        }
        found.retain(|secret| secret.expose().len() >= SHORTEST_ECHO);
        Self(found)
    }

    /// One more secret of the call.
    pub fn add(&mut self, secret: &Secret) {
        if secret.expose().len() >= SHORTEST_ECHO {
            encode(secret.expose(), &mut self.0);
            self.0.push(secret.clone());
        }
    }

    /// Whether a header's value repeats the secret.
    pub fn found_in(&self, value: &HeaderValue) -> bool {
        self.0.iter().any(|secret| contains(value.as_bytes(), secret.expose().as_bytes()))
    }

    #[cfg(test)]
    pub fn new(texts: &[&str]) -> Self {
        Self(texts.iter().map(|text| Secret::new(*text)).collect())
    }
}

/// Adds a secret's spellings in a URL, where they are others: with all marks encoded, and as a query carries it.
fn encode(secret: &str, found: &mut Vec<Secret>) {
    let all = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    if all != secret {
        let query = utf8_percent_encode(secret, UNRESERVED).to_string();
        if query != secret && query != all {
            found.push(Secret::new(query));
        }
        found.push(Secret::new(all));
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len().max(1)).any(|window| window == needle)
}

#[cfg(test)]
#[path = "prepare_tests.rs"]
mod tests;
