//! An integration as a member sees it: what is set, and what its provider says where nothing is.

use std::sync::Arc;

use claviger_catalog::{Auth, Provider};

use super::{AuthKind, UPLOADS};
use crate::{
    broker::Broker,
    connect::client_key,
    domain::integration::{Config, Integration},
    store::Listed,
};

/// An integration, as a member sees it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The integration, its owner, its icon, and whether it is shared.
    pub listed: Listed,
    /// Whether the member may read how it is configured.
    pub configuration: bool,
    /// What it is one of, as far as its inputs fill it. `None` when the provider left the catalog.
    provider: Option<Arc<Provider>>,
}

impl Shown {
    pub(super) fn new(broker: &Broker, listed: Listed, configuration: bool) -> Self {
        let integration = &listed.integration;
        let provider = broker.catalog.get(&integration.provider).map(|provider| {
            let filled = provider.filled(&integration.config.inputs);
            filled.map(Arc::new).unwrap_or(provider)
        });
        Self { listed, configuration, provider }
    }

    /// The integration.
    pub fn integration(&self) -> &Integration {
        &self.listed.integration
    }

    /// How its connections authenticate.
    pub fn auth(&self) -> Option<AuthKind> {
        self.provider.as_deref().map(AuthKind::of)
    }

    /// What kind of service its provider is.
    pub fn category(&self) -> Option<&str> {
        self.provider.as_ref()?.category.as_deref()
    }

    /// Whether files can be uploaded to its provider.
    pub fn supports_upload(&self) -> bool {
        self.category() == Some(UPLOADS)
    }

    /// The scopes that are asked for.
    pub fn scopes(&self) -> &[String] {
        let set = &self.integration().scopes;
        match self.provider.as_ref().and_then(|provider| provider.oauth2()) {
            Some(oauth2) if set.is_empty() => &oauth2.scopes.default,
            _ => set,
        }
    }

    /// The issuer.
    pub fn issuer(&self) -> Option<&str> {
        self.endpoint(|config| &config.issuer, |ends| ends.issuer)
    }

    /// The authorization endpoint, as far as it is known before anybody connects.
    pub fn authorize_url(&self) -> Option<&str> {
        self.endpoint(|config| &config.authorize_url, |ends| ends.authorize_url)
    }

    /// Where temporary credentials are requested (RFC 5849 §2.1), likewise.
    pub fn request_token_url(&self) -> Option<&str> {
        self.endpoint(|config| &config.request_token_url, |ends| ends.request_token_url)
    }

    /// The token endpoint, likewise.
    pub fn token_url(&self) -> Option<&str> {
        self.endpoint(|config| &config.token_url, |ends| ends.token_url)
    }

    /// The revocation endpoint, likewise.
    pub fn revoke_url(&self) -> Option<&str> {
        self.endpoint(|config| &config.revoke_url, |ends| ends.revoke_url)
    }

    /// The userinfo endpoint, likewise.
    pub fn userinfo_url(&self) -> Option<&str> {
        self.endpoint(|config| &config.userinfo_url, |ends| ends.userinfo_url)
    }

    /// Where calls go, likewise.
    pub fn base_url(&self) -> Option<&str> {
        let own = self.integration().config.base_url.as_deref();
        own.or_else(|| self.provider.as_ref()?.api.base_url.as_deref())
    }

    /// Whether anybody is asked for consent, so that a callback has to be registered at the provider.
    pub fn asks_for_consent(&self) -> bool {
        self.provider.as_ref().is_some_and(|provider| provider.kind().has_callback())
    }

    /// Where its provider finds our public keys, at this origin, where it needs any.
    pub fn jwks_url(&self, origin: &str) -> Option<String> {
        client_key::published(origin, self.provider.as_ref()?, self.integration())
    }

    fn endpoint<'a>(
        &'a self,
        own: impl Fn(&'a Config) -> &'a Option<String>,
        files: impl Fn(Ends<'a>) -> Option<&'a str>,
    ) -> Option<&'a str> {
        let of_file = || files(Ends::of(self.provider.as_ref()?));
        own(&self.integration().config).as_deref().or_else(of_file)
    }
}

/// The endpoints of a provider's file, whichever protocol it speaks.
#[derive(Default)]
struct Ends<'a> {
    issuer: Option<&'a str>,
    request_token_url: Option<&'a str>,
    authorize_url: Option<&'a str>,
    token_url: Option<&'a str>,
    revoke_url: Option<&'a str>,
    userinfo_url: Option<&'a str>,
}

impl<'a> Ends<'a> {
    fn of(provider: &'a Provider) -> Self {
        match &provider.auth {
            Auth::OAuth2(oauth2) => Self {
                issuer: oauth2.endpoints.issuer.as_deref(),
                authorize_url: oauth2.endpoints.authorize_url.as_deref(),
                token_url: oauth2.endpoints.token_url.as_deref(),
                revoke_url: oauth2.endpoints.revoke_url.as_deref(),
                userinfo_url: oauth2.endpoints.userinfo_url.as_deref(),
                ..Self::default()
            },
            Auth::OAuth1(oauth1) => Self {
                request_token_url: oauth1.endpoints.request_token_url.as_deref(),
                authorize_url: oauth1.endpoints.authorize_url.as_deref(),
                token_url: oauth1.endpoints.access_token_url.as_deref(),
                ..Self::default()
            },
            Auth::Keys(_) | Auth::SigV4(_) | Auth::Steps(_) | Auth::WorkspaceToken(_) => Self::default(),
        }
    }
}
