//! Fit: whether a provider takes what an integration of it is to be, and whether single values are what they must be.

use std::sync::Arc;

use claviger_catalog::{ClientAuth, EndpointSource, Provider, keys::Keys, pattern};

use super::{Change, NewIntegration, check};
use crate::{
    domain::integration::Config,
    error::{Error, Result},
    id::WorkspaceId,
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

/// The provider of an integration that may be configured like this.
///
/// # Errors
/// `Invalid` names the field.
pub(super) async fn fitting(
    to: &mut Change<'_>,
    workspace: &WorkspaceId,
    input: &NewIntegration,
) -> Result<Arc<Provider>> {
    check::slug(&input.key)?;
    let Some(provider) = to.catalog.get(&input.provider) else {
        return Err(Error::invalid(
            "provider",
            format!("there is no provider {:?} in the catalog", input.provider),
        ));
    };
    if input.client_id.as_deref().is_some_and(|id| id.is_empty() || id.chars().any(char::is_control)) {
        return Err(Error::invalid("client_id", "must not be empty or contain control characters"));
    }
    if input.scopes.iter().any(|s| s.is_empty() || s.chars().any(|c| c.is_control() || c.is_whitespace())) {
        return Err(Error::invalid("scopes", "a scope must not be empty or contain spaces"));
    }
    check::description(input.description.as_deref())?;
    check::tags(&input.tags)?;
    match provider.keys() {
        Some(keys) => typed_in(&provider, keys, input)?,
        None if input.config.api_key.is_some() => {
            return Err(refused("config.api_key", &provider));
        }
        None => {}
    }
    endpoints(&provider, &input.config)?;
    places(&input.config)?;
    inputs(&provider, &input.config)?;
    if let Some(uri) = &input.config.return_uri
        && !to.conn.has_redirect_uri(workspace, uri).await?
    {
        let message = "must equal a redirect URI of this workspace, character for character";
        return Err(Error::invalid("config.return_uri", message));
    }
    Ok(provider)
}

/// Where a credential is typed in, nobody is asked for consent: what belongs to that is refused. What only the
/// integration can say is there.
fn typed_in(provider: &Provider, keys: &Keys, input: &NewIntegration) -> Result<()> {
    let config = &input.config;
    for (field, given) in [
        ("client_id", input.client_id.is_some()),
        ("client_secret", input.client_secret.is_some()),
        ("scopes", !input.scopes.is_empty()),
        ("config.authorize_params", !config.authorize_params.is_empty()),
        ("config.client_auth", config.client_auth.is_some()),
        ("config.api_key", config.api_key.is_some() && !keys.place_chosen),
    ] {
        if given {
            return Err(refused(field, provider));
        }
    }
    if provider.api.base_url.is_none() && config.base_url.is_none() {
        return Err(Error::invalid("config.base_url", format!("provider {} needs it", provider.key)));
    }
    match &config.api_key {
        None if keys.place_chosen => {
            Err(Error::invalid("config.api_key", format!("provider {} needs it", provider.key)))
        }
        None => Ok(()),
        Some(place) => match proxy::not_a_place(place) {
            Some(why) => Err(Error::invalid("config.api_key", format!("its name {why}"))),
            None => Ok(()),
        },
    }
}

fn refused(field: &'static str, provider: &Provider) -> Error {
    Error::invalid(field, format!("provider {} does not take it", provider.key))
}

/// Endpoints are given exactly where the provider's file says that they are.
fn endpoints(provider: &Provider, config: &Config) -> Result<()> {
    let given: [(&'static str, &Option<String>); 5] = [
        ("config.issuer", &config.issuer),
        ("config.authorize_url", &config.authorize_url),
        ("config.token_url", &config.token_url),
        ("config.revoke_url", &config.revoke_url),
        ("config.userinfo_url", &config.userinfo_url),
    ];
    let (needed, taken): (&[&str], &[&str]) =
        match provider.oauth2().map_or(EndpointSource::File, |oauth2| oauth2.endpoints.source) {
            EndpointSource::File => (&[], &[]),
            EndpointSource::Issuer => (&["config.issuer"], &["config.issuer"]),
            EndpointSource::Integration => (
                &["config.authorize_url", "config.token_url"],
                &[
                    "config.issuer",
                    "config.authorize_url",
                    "config.token_url",
                    "config.revoke_url",
                    "config.userinfo_url",
                ],
            ),
        };
    for (field, value) in given {
        match value {
            Some(_) if !taken.contains(&field) => {
                return Err(refused(field, provider));
            }
            Some(text) => drop(check::url(field, text)?),
            None if needed.contains(&field) => {
                return Err(Error::invalid(field, format!("provider {} needs it", provider.key)));
            }
            None => {}
        }
    }
    Ok(())
}

/// Where calls go, and what they carry.
fn places(config: &Config) -> Result<()> {
    if let Some(base) = &config.base_url
        && check::url("config.base_url", base)?.query().is_some()
    {
        return Err(Error::invalid("config.base_url", "must not have a query"));
    }
    for host in &config.allowed_hosts {
        let bare = url::Url::parse(&format!("https://{host}/")).is_ok_and(|u| {
            u.host_str() == Some(host.split(':').next().unwrap_or_default())
                && u.path() == "/"
                && u.username().is_empty()
        });
        if !bare {
            return Err(Error::invalid(
                "config.allowed_hosts",
                format!("must be host names such as uploads.example.com, in lower case: {host:?}"),
            ));
        }
    }
    for (name, value) in &config.headers {
        if let Some(why) = proxy::not_addable(name, value) {
            return Err(Error::invalid("config.headers", format!("{name:?} {why}")));
        }
    }
    if let Some(param) = config.authorize_params.keys().find(|p| OURS.contains(&p.as_str()) || p.is_empty()) {
        return Err(Error::invalid(
            "config.authorize_params",
            format!("{param:?} is set by Claviger itself"),
        ));
    }
    if config.client_auth.as_deref().is_some_and(|text| ClientAuth::parse(text).is_none()) {
        return Err(Error::invalid("config.client_auth", "must be basic, body or none"));
    }
    Ok(())
}

/// Fixed inputs are ones that the provider has, and look like it says; those that only the operator can give
/// are there.
fn inputs(provider: &Provider, config: &Config) -> Result<()> {
    for (key, value) in &config.inputs {
        let Some(input) = provider.inputs.iter().find(|i| i.key == *key) else {
            return Err(Error::invalid(
                "config.inputs",
                format!("provider {} has no input {key:?}", provider.key),
            ));
        };
        if !pattern::admits(&input.pattern, value) {
            return Err(Error::invalid("config.inputs", format!("{key} must match {}", input.pattern)));
        }
    }
    if let Some(input) = provider.missing_settings(&config.inputs).first() {
        return Err(Error::invalid(
            "config.inputs",
            format!("provider {} needs {}: {}", provider.key, input.key, input.title),
        ));
    }
    Ok(())
}
