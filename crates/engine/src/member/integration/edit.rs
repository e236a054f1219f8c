//! What a member wants an integration to be, and what that makes of the one there is.

use std::collections::BTreeMap;

use claviger_catalog::{KeyKind, Kind, Provider};

use super::Shown;
use crate::{
    broker::Broker,
    domain::integration::{CallbackKind, Config, Integration, KeyPlace, Mode},
    error::{Error, Result},
    secret::Secret,
    setup::{
        NewIntegration,
        integration::{may_share_callback, moves_secrets},
    },
};

/// How connections authenticate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthKind {
    /// By consent at the provider (RFC 6749).
    OAuth2,
    /// By consent at the provider, with signed calls (RFC 5849).
    OAuth1,
    /// With a client's own credentials (RFC 6749 §4.4).
    ClientCredentials,
    /// With a key that is typed in.
    ApiKey,
    /// With a user name and a password.
    Basic,
    /// With a token that is typed in.
    Bearer,
    /// With several values that are typed in.
    Fields,
    /// With tokens that are made here, for APIs of the workspace's own.
    WorkspaceToken,
}

impl AuthKind {
    /// All there are.
    pub const ALL: [Self; 8] = [
        Self::OAuth2,
        Self::OAuth1,
        Self::ClientCredentials,
        Self::ApiKey,
        Self::Basic,
        Self::Bearer,
        Self::Fields,
        Self::WorkspaceToken,
    ];

    /// As the contract spells it, which is also the key of the provider that stands for any such API, where there is one.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OAuth2 => "oauth2",
            Self::OAuth1 => "oauth1",
            Self::ClientCredentials => "client-credentials",
            Self::ApiKey => "apikey",
            Self::Basic => "basic",
            Self::Bearer => "bearer",
            Self::Fields => "fields",
            Self::WorkspaceToken => "membrane-token",
        }
    }

    /// Reads what [`AuthKind::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// A provider's.
    pub fn of(provider: &Provider) -> Self {
        match (provider.kind(), provider.keys().map(|keys| keys.kind)) {
            (Kind::OAuth1, _) => Self::OAuth1,
            (Kind::WorkspaceToken, _) => Self::WorkspaceToken,
            (Kind::ClientCredentials, _) | (_, Some(KeyKind::Client)) => Self::ClientCredentials,
            (_, Some(KeyKind::ApiKey)) => Self::ApiKey,
            (_, Some(KeyKind::Basic)) => Self::Basic,
            (_, Some(KeyKind::Bearer)) => Self::Bearer,
            (_, Some(KeyKind::Fields | KeyKind::Grant | KeyKind::Steps | KeyKind::SigV4)) => Self::Fields,
            (Kind::OAuth2Code | Kind::DeviceCode | Kind::Typed, None) => Self::OAuth2,
        }
    }
}

/// A wish: what is `None` stays as it is, or is as if nothing were said; what is `Some(None)` is cleared.
#[derive(Default)]
pub struct Edit {
    /// What people call it.
    pub name: Option<String>,
    /// Its slug.
    pub slug: Option<String>,
    /// The catalog provider's key.
    pub provider: Option<String>,
    /// How its connections authenticate: must be how the provider's do.
    pub auth: Option<AuthKind>,
    /// What it is for.
    pub description: Option<Option<String>>,
    /// Words to sort it by.
    pub tags: Option<Vec<String>>,
    /// One connection per user, or one for all.
    pub mode: Option<Mode>,
    /// Whether it is switched on.
    pub enabled: Option<bool>,
    /// The OAuth client id.
    pub client_id: Option<Option<String>>,
    /// The OAuth client secret.
    pub client_secret: Option<Option<Secret>>,
    /// The scopes to ask for; empty for the provider's own.
    pub scopes: Option<Vec<String>>,
    /// The issuer.
    pub issuer: Option<Option<String>>,
    /// The authorization endpoint.
    pub authorize_url: Option<Option<String>>,
    /// The token endpoint; of OAuth 1, where the token is requested.
    pub token_url: Option<Option<String>>,
    /// Where temporary credentials are requested, for OAuth 1.
    pub request_token_url: Option<Option<String>>,
    /// How requests are signed, likewise.
    pub signature: Option<Option<String>>,
    /// The revocation endpoint.
    pub revoke_url: Option<Option<String>>,
    /// The userinfo endpoint.
    pub userinfo_url: Option<Option<String>>,
    /// Where calls go.
    pub base_url: Option<Option<String>>,
    /// Further hosts that the credential may be sent to.
    pub allowed_hosts: Option<Vec<String>>,
    /// Headers added to each call.
    pub headers: Option<BTreeMap<String, String>>,
    /// Extra parameters of the authorization request.
    pub authorize_params: Option<BTreeMap<String, String>>,
    /// Fixed values of the provider's inputs.
    pub inputs: Option<BTreeMap<String, String>>,
    /// How the client authenticates at the token endpoint.
    pub client_auth: Option<Option<String>>,
    /// Where calls carry an API key.
    pub api_key: Option<Option<KeyPlace>>,
    /// Where a browser goes when connecting has ended.
    pub return_uri: Option<Option<String>>,
}

impl Edit {
    /// The new integration that is wanted.
    pub(super) fn begin(&self, broker: &Broker) -> Result<NewIntegration> {
        let Some(name) = &self.name else { return Err(Error::invalid("name", "is required")) };
        let provider = self.provider_of(broker, None)?;
        if provider.kind() == Kind::WorkspaceToken {
            let text =
                "must be another: tokens that are signed with the workspace's secret go where operators say";
            return Err(Error::invalid("provider", text));
        }
        let shares = provider.kind().has_callback() && may_share_callback(&provider);
        let blank = NewIntegration {
            key: String::new(),
            provider: provider.key.clone(),
            name: Some(name.clone()),
            description: None,
            tags: Vec::new(),
            mode: Mode::PerUser,
            client_id: None,
            client_secret: None,
            scopes: Vec::new(),
            callback: shares.then_some(CallbackKind::Shared),
            config: Config::default(),
        };
        Ok(self.over(blank))
    }

    /// What an integration shall become.
    pub(super) fn onto(&self, was: &Integration) -> NewIntegration {
        self.over(NewIntegration {
            key: was.key.clone(),
            provider: was.provider.clone(),
            name: Some(was.name.clone()),
            description: was.description.clone(),
            tags: was.tags.clone(),
            mode: was.mode,
            client_id: was.client_id.clone(),
            client_secret: None,
            scopes: was.scopes.clone(),
            callback: Some(was.callback),
            config: was.config.clone(),
        })
    }

    /// The provider that is meant: the one that is there, the one that is named, or the one for any API of this kind.
    ///
    /// # Errors
    /// `Invalid` at `provider` or `auth`, `Conflict` where there is another already.
    pub(super) fn provider_of(&self, broker: &Broker, was: Option<&str>) -> Result<std::sync::Arc<Provider>> {
        let named = self.provider.as_deref();
        if let (Some(was), Some(named)) = (was, named)
            && was != named
        {
            let message = format!("an integration of {was} can't become another's: make a new one");
            return Err(Error::Conflict { message });
        }
        let key = was.or(named).or(self.auth.map(AuthKind::as_str)).ok_or_else(|| {
            Error::invalid(
                "provider",
                "is required: a provider's key in the catalog; or say how it authenticates",
            )
        })?;
        let Some(provider) = broker.catalog.get(key) else {
            return Err(Error::invalid(
                "provider",
                "must be a provider's key in the catalog, such as github",
            ));
        };
        match self.auth {
            Some(auth) if auth != AuthKind::of(&provider) => {
                let is = AuthKind::of(&provider).as_str();
                Err(Error::invalid("auth", format!("must be {is} for provider {}", provider.key)))
            }
            _ => Ok(provider),
        }
    }

    /// Without what is shown so already.
    pub(super) fn but_for(mut self, shown: &Shown) -> Self {
        let scopes = shown.scopes();
        self.scopes = self.scopes.filter(|given| given != scopes);
        for (field, is) in [
            (&mut self.issuer, shown.issuer()),
            (&mut self.authorize_url, shown.authorize_url()),
            (&mut self.token_url, shown.token_url()),
            (&mut self.request_token_url, shown.request_token_url()),
            (&mut self.revoke_url, shown.revoke_url()),
            (&mut self.userinfo_url, shown.userinfo_url()),
            (&mut self.base_url, shown.base_url()),
        ] {
            if field.as_ref().is_some_and(|given| given.as_deref() == is) {
                *field = None;
            }
        }
        self
    }

    /// Fails where a header would carry a connection's token: whoever may set headers could have an API say it back.
    /// Operators may, for APIs that want it in two places.
    ///
    /// # Errors
    /// `Invalid` naming `headers`
    pub(super) fn require_no_secret_in_headers(&self) -> Result<()> {
        let secret = |value: &String| value.contains("{token}") || value.contains("{access_token}");
        if !self.headers.iter().flat_map(BTreeMap::values).any(secret) {
            return Ok(());
        }
        let text = "must not hold a connection's token: the credential is added where the provider wants it";
        Err(Error::invalid("config.headers", text))
    }

    /// Fails where tokens that are signed with the workspace's secret would go elsewhere: whoever has one speaks for its
    /// owner at every API that trusts that secret.
    ///
    /// # Errors
    /// `Denied`
    pub(super) fn require_signed_tokens_to_stay(&self, provider: &Provider, was: &Integration) -> Result<()> {
        let now = self.onto(was).config;
        let moves = moves_secrets(&was.config, &now) || now.headers != was.config.headers;
        if provider.kind() == Kind::WorkspaceToken && moves {
            let message =
                "where tokens go that are signed with the workspace's secret is for operators to say";
            return Err(Error::Denied { message: message.to_owned() });
        }
        Ok(())
    }

    /// Whether anything would be otherwise than it is.
    pub(super) fn changes(&self, was: &Integration) -> bool {
        let now = self.onto(was);
        now.client_secret.is_some()
            || matches!(self.client_secret, Some(None)) && was.client_secret.is_some()
            || self.enabled.is_some_and(|on| on != was.disabled_at.is_none())
            || now.key != was.key
            || now.name.as_ref() != Some(&was.name)
            || now.description != was.description
            || now.tags != was.tags
            || now.mode != was.mode
            || now.client_id != was.client_id
            || now.scopes != was.scopes
            || now.config != was.config
    }

    fn over(&self, mut it: NewIntegration) -> NewIntegration {
        put(&mut it.key, &self.slug);
        it.name = self.name.clone().or(it.name);
        put(&mut it.description, &self.description);
        put(&mut it.tags, &self.tags);
        put(&mut it.mode, &self.mode);
        put(&mut it.client_id, &self.client_id);
        put(&mut it.client_secret, &self.client_secret);
        put(&mut it.scopes, &self.scopes);
        let config = &mut it.config;
        put(&mut config.issuer, &self.issuer);
        put(&mut config.authorize_url, &self.authorize_url);
        put(&mut config.token_url, &self.token_url);
        put(&mut config.request_token_url, &self.request_token_url);
        put(&mut config.signature, &self.signature);
        put(&mut config.revoke_url, &self.revoke_url);
        put(&mut config.userinfo_url, &self.userinfo_url);
        put(&mut config.base_url, &self.base_url);
        put(&mut config.allowed_hosts, &self.allowed_hosts);
        put(&mut config.headers, &self.headers);
        put(&mut config.authorize_params, &self.authorize_params);
        put(&mut config.inputs, &self.inputs);
        put(&mut config.client_auth, &self.client_auth);
        put(&mut config.api_key, &self.api_key);
        put(&mut config.return_uri, &self.return_uri);
        it
    }
}

fn put<T: Clone>(at: &mut T, given: &Option<T>) {
    if let Some(given) = given {
        *at = given.clone();
    }
}
