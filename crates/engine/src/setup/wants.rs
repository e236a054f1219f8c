//! Wants: which settings each way of authenticating takes, and which it can't do without.
//!
//! Must never let a setting stand that nothing reads: whoever set it would believe that it holds.

use claviger_catalog::{
    Alg, Auth, ClientAuth, ClientSource, EndpointSource, Grant, Kind, OAuth2, Provider, Signature,
};

use super::{check, fit::Way};
use crate::{
    domain::integration::Config,
    error::{Error, Result},
    proxy,
};

/// Parameters of the authorization request that Claviger sets itself.
const OURS: [&str; 9] = [
    "client_id",
    "client_secret",
    "redirect_uri",
    "response_type",
    "state",
    "code_challenge",
    "code_challenge_method",
    "request",
    "request_uri",
];

/// Client, scopes and what belongs to consent: there where the provider's kind has them, and nowhere else.
///
/// # Errors
/// `Invalid` names the field.
pub(super) fn settings(provider: &Provider, way: &Way<'_>) -> Result<()> {
    let (kind, config, oauth2) = (provider.kind(), way.config, provider.oauth2());
    let consent = kind.has_callback();
    let client = consent || oauth2.is_some_and(|it| it.client == ClientSource::Integration);
    let chosen = provider.keys().is_some_and(|keys| keys.place_chosen);
    let signs = provider.oauth1().is_some_and(|it| it.endpoints.source == EndpointSource::Integration);
    let own =
        config.client_auth.as_deref().map_or_else(|| oauth2.map(|it| it.client_auth), ClientAuth::parse);
    let signs_itself = own == Some(ClientAuth::PrivateKeyJwt);
    for (field, given, taken) in [
        ("client_id", way.client_id.is_some(), client),
        ("client_secret", way.client_secret, client),
        ("scopes", !way.scopes.is_empty(), oauth2.is_some()),
        ("config.authorize_params", !config.authorize_params.is_empty(), consent),
        ("config.client_auth", config.client_auth.is_some(), oauth2.is_some()),
        ("config.client_auth_alg", config.client_auth_alg.is_some(), signs_itself),
        ("config.api_key", config.api_key.is_some(), chosen),
        ("config.signature", config.signature.is_some(), signs),
    ] {
        if given && !taken {
            return Err(refused(field, provider));
        }
    }
    if !consent && provider.api.base_url.is_none() && config.base_url.is_none() {
        return Err(needed("config.base_url", provider));
    }
    places(provider, chosen, config)?;
    words(oauth2, config)
}

/// Where calls carry an API key.
fn places(provider: &Provider, chosen: bool, config: &Config) -> Result<()> {
    match &config.api_key {
        None if chosen => Err(needed("config.api_key", provider)),
        None => Ok(()),
        Some(place) => match proxy::not_a_place(place) {
            Some(why) => Err(Error::invalid("config.api_key", format!("its name {why}"))),
            None => Ok(()),
        },
    }
}

const CLIENT_AUTH: &str = "must be basic, body, none, private_key_jwt, client_secret_jwt or tls_client_auth";

/// What is one of a few words, or any but a few.
fn words(oauth2: Option<&OAuth2>, config: &Config) -> Result<()> {
    let own = |name: &String| match oauth2 {
        Some(_) => OURS.contains(&name.as_str()) || name.is_empty(),
        None => name.starts_with("oauth_") || name.is_empty(),
    };
    if let Some(param) = config.authorize_params.keys().find(|name| own(name)) {
        return Err(Error::invalid(
            "config.authorize_params",
            format!("{param:?} is set by Claviger itself"),
        ));
    }
    match config.client_auth.as_deref().map(ClientAuth::parse) {
        Some(None) => return Err(Error::invalid("config.client_auth", CLIENT_AUTH)),
        Some(Some(ClientAuth::None)) if oauth2.is_some_and(|it| it.grant == Grant::ClientCredentials) => {
            let message = "must be basic or body: a client without a secret has nothing to show";
            return Err(Error::invalid("config.client_auth", message));
        }
        _ => {}
    }
    if config.client_auth_alg.as_deref().is_some_and(|text| Alg::parse(text).is_none()) {
        let known = Alg::ALL.map(Alg::as_str).join(", ");
        return Err(Error::invalid("config.client_auth_alg", format!("must be one of {known}")));
    }
    if config.signature.as_deref().is_some_and(|text| Signature::parse(text).is_none()) {
        let known = Signature::ALL.map(Signature::as_str).join(", ");
        return Err(Error::invalid("config.signature", format!("must be one of {known}")));
    }
    Ok(())
}

/// Endpoints are given exactly where the provider's file says that they are.
///
/// # Errors
/// `Invalid` names the field.
pub(super) fn endpoints(provider: &Provider, config: &Config) -> Result<()> {
    const ISSUER: &str = "config.issuer";
    const REQUEST: &str = "config.request_token_url";
    const AUTHORIZE: &str = "config.authorize_url";
    const TOKEN: &str = "config.token_url";
    const REVOKE: &str = "config.revoke_url";
    const INTROSPECT: &str = "config.introspect_url";
    const USERINFO: &str = "config.userinfo_url";
    const DEVICE: &str = "config.device_url";
    const PAR: &str = "config.par_url";
    let (needs, takes): (&[&str], &[&str]) = match (provider.endpoint_source(), &provider.auth) {
        (EndpointSource::File, _)
        | (_, Auth::Keys(_) | Auth::SigV4(_) | Auth::Steps(_) | Auth::WorkspaceToken(_)) => (&[], &[]),
        (EndpointSource::Issuer, _) => (&[ISSUER], &[ISSUER]),
        (EndpointSource::Integration, Auth::OAuth1(_)) => {
            (&[REQUEST, AUTHORIZE, TOKEN], &[REQUEST, AUTHORIZE, TOKEN])
        }
        (EndpointSource::Integration, Auth::OAuth2(oauth2)) => match oauth2.grant {
            Grant::AuthorizationCode => {
                (&[AUTHORIZE, TOKEN], &[ISSUER, AUTHORIZE, TOKEN, REVOKE, INTROSPECT, USERINFO, PAR])
            }
            Grant::DeviceCode => (&[DEVICE, TOKEN], &[ISSUER, DEVICE, TOKEN, REVOKE, INTROSPECT, USERINFO]),
            Grant::ClientCredentials | Grant::JwtBearer | Grant::TokenExchange => {
                (&[TOKEN], &[ISSUER, TOKEN, REVOKE])
            }
        },
    };
    for (field, value) in [
        (ISSUER, &config.issuer),
        (REQUEST, &config.request_token_url),
        (AUTHORIZE, &config.authorize_url),
        (TOKEN, &config.token_url),
        (REVOKE, &config.revoke_url),
        (INTROSPECT, &config.introspect_url),
        (USERINFO, &config.userinfo_url),
        (DEVICE, &config.device_url),
        (PAR, &config.par_url),
    ] {
        match value {
            Some(_) if !takes.contains(&field) => return Err(refused(field, provider)),
            Some(text) => drop(check::url(field, text)?),
            None if needs.contains(&field) => return Err(needed(field, provider)),
            None => {}
        }
    }
    let pushes = provider.oauth2().filter(|_| provider.kind() == Kind::OAuth2Code);
    match (config.par, pushes) {
        (Some(_), None) => Err(refused("config.par", provider)),
        (Some(true), Some(oauth2)) => match (provider.endpoint_source(), &oauth2.endpoints.par_url) {
            (EndpointSource::Integration, _) if config.par_url.is_none() => Err(needed(PAR, provider)),
            (EndpointSource::File, None) => Err(refused("config.par", provider)),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

/// A setting that nothing would read.
pub(super) fn refused(field: &'static str, provider: &Provider) -> Error {
    Error::invalid(field, format!("provider {} does not take it", provider.key))
}

fn needed(field: &'static str, provider: &Provider) -> Error {
    Error::invalid(field, format!("provider {} needs it", provider.key))
}
