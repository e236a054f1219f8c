//! Echoes: the injected secret, in each spelling that an answer may repeat.

use std::sync::Arc;

use claviger_catalog::Api;
use claviger_protocol::{keys, oauth2::Tokens};
use http::{HeaderMap, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::secret::Secret;

/// Shorter texts are no secrets, and would be found in any header.
const SHORTEST: usize = 8;

/// What stays as it is in a query (RFC 3986 §2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What an answer's headers must not repeat.
#[derive(Clone)]
pub(crate) struct Echoes {
    /// Of the credential: the same in each call.
    credential: Arc<[Secret]>,
    /// Of this call alone.
    call: Vec<Secret>,
}

impl Echoes {
    /// Of these tokens, as calls to this API show them in their headers.
    pub fn of(shown: &HeaderMap, api: &Api, tokens: &Tokens) -> Self {
        let mut found = Vec::with_capacity(4);
        for spelling in keys::spellings(tokens) {
            encode(spelling.expose(), &mut found);
            found.push(spelling);
        }
        let shown = shown.get(&api.place.header).filter(|_| api.place.is_header(&api.place.header));
        if let Some(text) = shown.and_then(|value| value.to_str().ok()) {
            found.push(Secret::new(text.split_once(' ').map_or(text, |(_, credentials)| credentials)));
        }
        found.retain(|secret| secret.expose().len() >= SHORTEST);
        found.sort_by(|one, other| one.expose().cmp(other.expose()));
        found.dedup_by(|one, other| one.expose() == other.expose());
        Self { credential: found.into(), call: Vec::new() }
    }

    /// One more secret of the call.
    pub fn add(&mut self, secret: &Secret) {
        if secret.expose().len() >= SHORTEST {
            encode(secret.expose(), &mut self.call);
            self.call.push(secret.clone());
        }
    }

    /// Whether a header's value repeats the secret.
    pub fn found_in(&self, value: &HeaderValue) -> bool {
        let mut all = self.credential.iter().chain(&self.call);
        all.any(|secret| contains(value.as_bytes(), secret.expose().as_bytes()))
    }

    #[cfg(test)]
    pub fn new(texts: &[&str]) -> Self {
        Self { credential: texts.iter().map(|text| Secret::new(*text)).collect(), call: Vec::new() }
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
    // Most values are shorter than any secret.
    haystack.len() >= needle.len() && memchr::memmem::find(haystack, needle).is_some()
}
