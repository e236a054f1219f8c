//! Endpoints: what a provider's file, an issuer's metadata and an integration's settings come to together.

use std::collections::BTreeMap;

use claviger_catalog::{Auth, EndpointSource, Grant, OAuth1, OAuth2, Provider, RefreshWith};
use claviger_protocol::oauth2::{Tokens, authorize};

use super::{discovery, parameters};
use crate::{
    broker::Broker,
    domain::{
        flow::Endpoints,
        integration::{CallbackKind, Integration},
    },
    error::{Error, Result},
};

/// The OAuth 2 part of a provider's file.
///
/// # Errors
/// `Conflict` for a provider that authenticates otherwise: it has no such part.
pub(crate) fn oauth2(provider: &Provider) -> Result<&OAuth2> {
    let message = || match &provider.auth {
        Auth::OAuth1(_) => format!("{} speaks OAuth 1, which has no such thing", provider.name),
        Auth::WorkspaceToken(_) => format!("{} is called with tokens that are made here", provider.name),
        Auth::OAuth2(_) | Auth::Keys(_) | Auth::SigV4(_) | Auth::Steps(_) => {
            format!("{} has no authorization to go through: its key is typed in", provider.name)
        }
    };
    provider.oauth2().ok_or_else(|| Error::Conflict { message: message() })
}

pub(super) fn no_client(integration: &Integration) -> Error {
    Error::Conflict { message: format!("integration `{}` has no client id yet", integration.key) }
}

/// The client id that an integration's connections share at the provider.
pub(crate) fn account_client(integration: &Integration) -> &str {
    integration.client_id.as_deref().unwrap_or_default()
}

/// Whether another token set can be had in place of this one, without anybody's consent.
pub(crate) fn refreshable(provider: &Provider, tokens: &Tokens) -> bool {
    match &provider.auth {
        Auth::OAuth2(oauth2) => match oauth2.refresh.with {
            // A token that was exchanged for can be had again as long as the first one lives.
            RefreshWith::RefreshToken => tokens.refresh_token.is_some() || tokens.subject.is_some(),
            RefreshWith::AccessToken | RefreshWith::Client => true,
        },
        Auth::Steps(_) | Auth::WorkspaceToken(_) => true,
        Auth::OAuth1(_) | Auth::Keys(_) | Auth::SigV4(_) => false,
    }
}

/// Whether a provider may say if a refresh token still works (RFC 7662). Of one that is found by its issuer that shows when
/// it is asked.
pub(crate) fn introspects(integration: &Integration, provider: &Provider) -> bool {
    let Some(oauth2) = provider.oauth2() else { return false };
    match oauth2.endpoints.source {
        EndpointSource::File => oauth2.endpoints.introspect_url.is_some(),
        EndpointSource::Integration => integration.config.introspect_url.is_some(),
        EndpointSource::Issuer => true,
    }
}

/// A provider's file with the values of one connection filled in, each checked against its pattern.
pub(crate) fn filled(provider: &Provider, values: &BTreeMap<String, String>) -> Result<Provider> {
    provider
        .filled(values)
        .map_err(|e| Error::invalid("inputs", format!("the service's address can't be built: {e}")))
}

/// Where the provider sends browsers back to: what is registered there, and what the token request repeats. An address
/// of the operator's own stands in for the path that its answers are sent on to.
pub(crate) fn redirect_uri(origin: &str, integration: &Integration) -> String {
    match &integration.config.callback_uri {
        Some(uri) if integration.callback == CallbackKind::OauthCallback => uri.clone(),
        _ => format!("{origin}{}", integration.callback_path()),
    }
}

/// Resolves everything a flow, a refresh or a revocation needs to know of the provider's addresses.
///
/// # Errors
/// `Provider` when an issuer's metadata can't be had, `Conflict` when the integration lacks a setting,
/// `Invalid` when an input is not admitted.
pub(crate) async fn resolve(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    inputs: &BTreeMap<String, String>,
) -> Result<Endpoints> {
    let provider = filled(provider, inputs)?;
    let oauth2 = match &provider.auth {
        Auth::OAuth1(oauth1) => return resolve_oauth1(broker, integration, oauth1),
        _ => oauth2(&provider)?,
    };
    let base = Endpoints {
        redirect_uri: redirect_uri(&broker.urls.app, integration),
        scopes: authorize::scopes(oauth2, &parameters::scopes(integration, &provider, inputs)),
        iss_required: oauth2.callback.iss_required,
        ..Endpoints::default()
    };
    let missing = |name| missing(integration, name);
    let (file, config) = (&oauth2.endpoints, &integration.config);
    // Known only where it is to be used. A provider that requires it is not asked in another way.
    let par_url = |url: &Option<String>, required: bool| {
        let pushed = required || config.par.unwrap_or(oauth2.par);
        if !pushed || oauth2.grant != Grant::AuthorizationCode {
            return Ok(None);
        }
        url.clone().ok_or_else(|| missing("par_url")).map(Some)
    };
    // Without a code no browser goes anywhere.
    let authorize_url = |url: &Option<String>| match oauth2.grant {
        Grant::AuthorizationCode => url.clone().ok_or_else(|| missing("authorize_url")),
        Grant::ClientCredentials | Grant::DeviceCode | Grant::JwtBearer | Grant::TokenExchange => {
            Ok(String::new())
        }
    };
    match file.source {
        EndpointSource::File => Ok(Endpoints {
            issuer: file.issuer.clone(),
            authorize_url: authorize_url(&file.authorize_url)?,
            token_url: file.token_url.clone().ok_or_else(|| missing("token_url"))?,
            refresh_url: file.refresh_url.clone(),
            revoke_url: file.revoke_url.clone(),
            introspect_url: file.introspect_url.clone(),
            userinfo_url: file.userinfo_url.clone(),
            device_url: file.device_url.clone(),
            par_url: par_url(&file.par_url, false)?,
            ..base
        }),
        EndpointSource::Integration => Ok(Endpoints {
            issuer: config.issuer.clone(),
            authorize_url: authorize_url(&config.authorize_url)?,
            token_url: config.token_url.clone().ok_or_else(|| missing("token_url"))?,
            revoke_url: config.revoke_url.clone(),
            introspect_url: config.introspect_url.clone(),
            userinfo_url: config.userinfo_url.clone(),
            device_url: config.device_url.clone(),
            par_url: par_url(&config.par_url, false)?,
            ..base
        }),
        EndpointSource::Issuer => {
            let issuer = config.issuer.as_deref().ok_or_else(|| missing("issuer"))?;
            let found = discovery::metadata(broker, issuer).await?;
            let authorize_url = match (oauth2.grant, &found.authorization_endpoint) {
                (Grant::AuthorizationCode, None) => return Err(no_codes(integration)),
                (_, url) => url.clone().unwrap_or_default(),
            };
            Ok(Endpoints {
                issuer: Some(found.issuer.clone()),
                iss_required: base.iss_required || found.iss_parameter_supported,
                authorize_url,
                token_url: found.token_endpoint.clone(),
                revoke_url: found.revocation_endpoint.clone(),
                introspect_url: found.introspection_endpoint.clone(),
                userinfo_url: found.userinfo_endpoint.clone(),
                device_url: found.device_authorization_endpoint.clone(),
                par_url: par_url(
                    &found.pushed_authorization_request_endpoint,
                    found.require_pushed_authorization_requests,
                )?,
                ..base
            })
        }
    }
}

/// The same for OAuth 1 (RFC 5849 §2): its third endpoint is where the token is requested.
fn resolve_oauth1(broker: &Broker, integration: &Integration, oauth1: &OAuth1) -> Result<Endpoints> {
    let (file, config) = (&oauth1.endpoints, &integration.config);
    let [request, authorize, token] = match file.source {
        EndpointSource::Integration => [&config.request_token_url, &config.authorize_url, &config.token_url],
        EndpointSource::File | EndpointSource::Issuer => {
            [&file.request_token_url, &file.authorize_url, &file.access_token_url]
        }
    };
    let needed = |url: &Option<String>, name| url.clone().ok_or_else(|| missing(integration, name));
    Ok(Endpoints {
        redirect_uri: redirect_uri(&broker.urls.app, integration),
        request_token_url: Some(needed(request, "request_token_url")?),
        authorize_url: needed(authorize, "authorize_url")?,
        token_url: needed(token, "token_url")?,
        ..Endpoints::default()
    })
}

/// An issuer without an authorization endpoint (RFC 8414 §2).
fn no_codes(integration: &Integration) -> Error {
    let key = &integration.key;
    Error::Conflict {
        message: format!(
            "the issuer of integration `{key}` has no authorization endpoint: it gives no codes"
        ),
    }
}

pub(super) fn missing(integration: &Integration, name: &str) -> Error {
    Error::Conflict { message: format!("integration `{}` needs `config.{name}`", integration.key) }
}
