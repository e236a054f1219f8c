//! What the sandbox is told at its start: its own address, its clients, how long its tokens live.
//!
//! Decides which redirect URIs belong to a client, and must never loosen that: everything else trusts the answer.
//! Look next at `authorize.rs`, which asks.

use std::time::Duration;

/// Settings of one sandbox. No `Debug`: clients carry secrets.
#[derive(Clone)]
pub struct Config {
    /// The origin the sandbox is reached at, e.g. `http://127.0.0.1:8082`: the `issuer` of RFC 8414, the `iss` of
    /// RFC 9207, and the base of every endpoint URL in the metadata.
    pub issuer: String,
    /// The registered clients.
    pub clients: Vec<Client>,
    /// How long an access token works, and what `expires_in` announces.
    pub access_token_lifetime: Duration,
}

impl Config {
    /// A sandbox at `issuer` with one confidential client and tokens that live an hour.
    pub fn new(issuer: impl Into<String>, client: Client) -> Self {
        Self {
            issuer: issuer.into(),
            clients: vec![client],
            access_token_lifetime: Duration::from_secs(3600),
        }
    }

    pub(crate) fn client(&self, id: &str) -> Option<&Client> {
        self.clients.iter().find(|client| client.id == id)
    }

    /// The URL of one of the sandbox's own paths (`path` starts with a slash).
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer.trim_end_matches('/'))
    }
}

/// An application registered at the sandbox.
#[derive(Clone)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// `client_secret`; `None` makes a public client (RFC 6749 §2.1), which sends only its id.
    pub secret: Option<String>,
    /// Registered redirect URIs, compared as exact strings.
    pub redirect_uris: Vec<String>,
    /// Also accept this prefix followed by exactly one path segment of letters, digits, `-` and `_`. For a client
    /// whose callback URLs end in an id that is not known yet: `http://127.0.0.1:8080/oauth2/callback/`.
    pub redirect_prefix: Option<String>,
}

impl Client {
    /// A confidential client with no redirect URI yet.
    pub fn new(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { id: id.into(), secret: Some(secret.into()), redirect_uris: Vec::new(), redirect_prefix: None }
    }

    /// Whether the sandbox may send a browser to `uri` for this client. A fragment is never allowed
    /// (RFC 6749 §3.1.2).
    pub(crate) fn may_redirect_to(&self, uri: &str) -> bool {
        if uri.contains('#') {
            return false;
        }
        let exact = self.redirect_uris.iter().any(|registered| registered == uri);
        exact || self.redirect_prefix.as_deref().is_some_and(|prefix| extends(prefix, uri))
    }
}

fn extends(prefix: &str, uri: &str) -> bool {
    prefix.ends_with('/')
        && uri.strip_prefix(prefix).is_some_and(|segment| {
            !segment.is_empty()
                && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
}
