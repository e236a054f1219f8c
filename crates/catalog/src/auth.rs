//! How a provider authenticates: the one table of its file that says it, and what that asks of people.
//!
//! Must never hold a credential. The tables are [`crate::oauth2`]'s, [`crate::oauth1`]'s, [`crate::keys`]' and
//! [`crate::workspace_token`]'s; which of them stands in a file is found in `merge`.

use serde::{Deserialize, Deserializer};

use crate::{
    EndpointSource, Provider,
    keys::{ApiKeyTable, BasicTable, BearerTable, FieldsTable, KeyKind, Keys},
    oauth1::OAuth1,
    oauth2::{ClientSource, Grant, OAuth2},
    sigv4::SigV4,
    steps::Steps,
    template,
    workspace_token::WorkspaceToken,
};

/// How a provider authenticates.
#[derive(Debug, Clone, PartialEq)]
pub enum Auth {
    /// OAuth 2.0: an authorization code (RFC 6749 §4.1), or the client's own credentials (§4.4).
    OAuth2(Box<OAuth2>),
    /// OAuth 1.0a (RFC 5849).
    OAuth1(Box<OAuth1>),
    /// A credential that a person types in.
    Keys(Keys),
    /// A secret key that a person types in, and that signs each call (AWS Signature Version 4).
    SigV4(Box<SigV4>),
    /// Credentials that a person types in, and that are exchanged for a token.
    Steps(Box<Steps>),
    /// A token that Claviger itself makes and signs for each workspace.
    WorkspaceToken(WorkspaceToken),
}

/// What connecting is, as those see it who make a connection: the doors and their pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A browser goes to the provider and comes back with a code (RFC 6749 §4.1).
    OAuth2Code,
    /// A browser goes to the provider and comes back with a verifier (RFC 5849 §2).
    OAuth1,
    /// Somebody types values in: keys, a user name with a password, a token, fields, a client's id and secret.
    Typed,
    /// The integration's own client or key gets the token (RFC 6749 §4.4, RFC 7523 §2.1); nobody is asked for
    /// anything.
    ClientCredentials,
    /// Claviger makes the token; nobody is asked for anything.
    WorkspaceToken,
    /// A person enters a code at the provider, on whatever device (RFC 8628).
    DeviceCode,
}

impl Kind {
    /// Whether a browser goes to the provider, so that a callback has to be registered there.
    pub fn has_callback(self) -> bool {
        matches!(self, Self::OAuth2Code | Self::OAuth1)
    }
}

/// The tables that say how a provider authenticates.
pub(crate) const TABLES: &[&str] =
    &["oauth2", "oauth1", "api_key", "basic", "bearer", "fields", "sigv4", "steps", "workspace_token"];

/// Authentication kinds that have a name but no implementation yet.
pub(crate) const RESERVED: &[&str] = &["jwt_bearer", "saml_bearer", "password", "signature"];

/// One table of a file, under its own name.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum AuthTable {
    #[serde(rename = "oauth2")]
    OAuth2(Box<OAuth2>),
    #[serde(rename = "oauth1")]
    OAuth1(Box<OAuth1>),
    ApiKey(ApiKeyTable),
    Basic(BasicTable),
    Bearer(BearerTable),
    Fields(FieldsTable),
    #[serde(rename = "sigv4")]
    SigV4(Box<SigV4>),
    Steps(Box<Steps>),
    WorkspaceToken(WorkspaceToken),
}

impl<'de> Deserialize<'de> for Auth {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(match AuthTable::deserialize(from)? {
            AuthTable::OAuth2(mut oauth2) => {
                oauth2.typed = match &oauth2.fields {
                    Some(fields) => Some(Keys { kind: KeyKind::Grant, ..fields.clone().into() }),
                    None if oauth2.client == ClientSource::Connection => Some((&oauth2.labels).into()),
                    None => None,
                };
                if let Some(assertion) = &oauth2.assertion
                    && let (Some(keys), Some(key)) = (&mut oauth2.typed, &assertion.key)
                {
                    keys.sign_with(key, assertion.alg);
                }
                Self::OAuth2(oauth2)
            }
            AuthTable::OAuth1(oauth1) => Self::OAuth1(oauth1),
            AuthTable::ApiKey(table) => Self::Keys(table.into()),
            AuthTable::Basic(table) => Self::Keys(table.into()),
            AuthTable::Bearer(table) => Self::Keys(table.into()),
            AuthTable::Fields(table) => Self::Keys(table.into()),
            AuthTable::SigV4(table) => Self::SigV4(Box::new(table.asking())),
            AuthTable::Steps(table) => Self::Steps(Box::new(table.asking())),
            AuthTable::WorkspaceToken(table) => Self::WorkspaceToken(table),
        })
    }
}

impl Provider {
    /// Its OAuth 2 part, whatever the grant.
    pub fn oauth2(&self) -> Option<&OAuth2> {
        if let Auth::OAuth2(oauth2) = &self.auth { Some(oauth2) } else { None }
    }

    /// Its OAuth 1 part.
    pub fn oauth1(&self) -> Option<&OAuth1> {
        if let Auth::OAuth1(oauth1) = &self.auth { Some(oauth1) } else { None }
    }

    /// Its part about calls that are signed with a secret key.
    pub fn sigv4(&self) -> Option<&SigV4> {
        if let Auth::SigV4(sigv4) = &self.auth { Some(sigv4) } else { None }
    }

    /// Its part about typed credentials that are exchanged for a token.
    pub fn steps(&self) -> Option<&Steps> {
        if let Auth::Steps(steps) = &self.auth { Some(steps) } else { None }
    }

    /// Its part about tokens that Claviger itself makes.
    pub fn workspace_token(&self) -> Option<&WorkspaceToken> {
        if let Auth::WorkspaceToken(table) = &self.auth { Some(table) } else { None }
    }

    /// What a person types in, where that is how a connection is made: the credential itself, or what a token is
    /// fetched with ([`crate::KeyKind::fetches`]).
    pub fn keys(&self) -> Option<&Keys> {
        match &self.auth {
            Auth::Keys(keys) => Some(keys),
            Auth::OAuth2(oauth2) => oauth2.typed.as_ref(),
            Auth::SigV4(sigv4) => sigv4.typed.as_ref(),
            Auth::Steps(steps) => steps.typed.as_ref(),
            Auth::OAuth1(_) | Auth::WorkspaceToken(_) => None,
        }
    }

    /// What connecting to it is.
    pub fn kind(&self) -> Kind {
        match &self.auth {
            Auth::OAuth2(oauth2) if oauth2.typed.is_some() => Kind::Typed,
            Auth::OAuth2(oauth2) => match oauth2.grant {
                Grant::AuthorizationCode => Kind::OAuth2Code,
                Grant::DeviceCode => Kind::DeviceCode,
                Grant::ClientCredentials | Grant::JwtBearer | Grant::TokenExchange => Kind::ClientCredentials,
            },
            Auth::OAuth1(_) => Kind::OAuth1,
            Auth::Keys(_) | Auth::SigV4(_) | Auth::Steps(_) => Kind::Typed,
            Auth::WorkspaceToken(_) => Kind::WorkspaceToken,
        }
    }

    /// Where the endpoints of its authorization come from; `File` where it has none.
    pub fn endpoint_source(&self) -> EndpointSource {
        match &self.auth {
            Auth::OAuth2(oauth2) => oauth2.endpoints.source,
            Auth::OAuth1(oauth1) => oauth1.endpoints.source,
            Auth::Keys(_) | Auth::SigV4(_) | Auth::Steps(_) | Auth::WorkspaceToken(_) => EndpointSource::File,
        }
    }

    /// Whether an input or a saved value, rather than this file, decides whose the endpoints of its authorization
    /// are. Such a provider is no safer than endpoints entered by hand: a code could be led to a token endpoint of
    /// somebody's own (cross-app account takeover).
    pub fn endpoints_are_chosen(&self) -> bool {
        let urls = match &self.auth {
            Auth::OAuth2(oauth2) => vec![&oauth2.endpoints.authorize_url, &oauth2.endpoints.token_url],
            Auth::OAuth1(oauth1) => {
                let ends = &oauth1.endpoints;
                vec![&ends.request_token_url, &ends.authorize_url, &ends.access_token_url]
            }
            Auth::Keys(_) | Auth::SigV4(_) | Auth::Steps(_) | Auth::WorkspaceToken(_) => Vec::new(),
        };
        urls.into_iter().flatten().any(|url| template::chooses_host(url))
    }
}
