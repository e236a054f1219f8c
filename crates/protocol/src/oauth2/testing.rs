//! What the tests of this module share: providers from a few lines of TOML, and looking into requests.

use std::collections::BTreeMap;

use bytes::Bytes;
use claviger_catalog::{ClientAuth, OAuth2};
use http::{HeaderMap, Request, header};

use super::{Client, Tokens};
use crate::secret::Secret;

/// The table `[oauth2]` with these lines in it; PKCE off unless they say otherwise.
pub(crate) fn provider(lines: &str) -> OAuth2 {
    let pkce = if lines.contains("pkce") { "" } else { "pkce = \"unsupported\"\n" };
    toml::from_str(&format!("{pkce}{lines}")).expect("a provider")
}

pub(crate) fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

pub(crate) fn tokens(access: &str, refresh: Option<&str>) -> Tokens {
    Tokens {
        refresh_token: refresh.map(Secret::new),
        expires_at: Some(1),
        ..Tokens::of(Secret::new(access), "Bearer")
    }
}

pub(crate) fn client(secret: &Secret, auth: ClientAuth) -> Client<'_> {
    Client { id: "cid", secret: Some(secret), auth, assertion: None }
}

/// A request in one line per part: `POST url`, interesting headers, the body.
pub(crate) fn shown(request: &Request<Bytes>) -> String {
    let mut out = format!("{} {}", request.method(), request.uri());
    for (name, value) in request.headers() {
        let dull = [header::ACCEPT, header::ACCEPT_ENCODING, header::CONTENT_TYPE].contains(name);
        if !dull {
            out.push_str(&format!("\n{name}: {}", value.to_str().expect("text")));
        }
    }
    if !request.body().is_empty() {
        out.push_str(&format!("\n\n{}", String::from_utf8_lossy(request.body())));
    }
    out
}

pub(crate) fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (header::HeaderName::from_static(name), value.parse().expect("a value")))
        .collect()
}
