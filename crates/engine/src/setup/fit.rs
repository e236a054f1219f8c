//! Fit: whether a provider takes what an integration of it is to be, and whether single values are what they must be.

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use claviger_catalog::{Kind, Provider, pattern};

use super::{Change, NewIntegration, app, check, wants};
use crate::{
    connect::SCOPES,
    domain::integration::{CallbackKind, Config},
    error::{Error, Result},
    id::WorkspaceId,
    proxy,
};

/// How often keys may be verified: not so often that it looks like an attack.
const VERIFIED: RangeInclusive<Duration> = Duration::from_secs(600)..=Duration::from_secs(90 * 86_400);

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
    check::description(input.description.as_deref())?;
    check::tags(&input.tags)?;
    if let Some(uri) = &input.config.return_uri
        && !to.conn.has_redirect_uri(workspace, uri).await?
    {
        let message = "must equal a redirect URI of this workspace, character for character";
        return Err(Error::invalid("config.return_uri", message));
    }
    let way = Way {
        provider: &input.provider,
        client_id: input.client_id.as_deref(),
        client_secret: input.client_secret.is_some(),
        scopes: &input.scopes,
        config: &input.config,
    };
    fitting_way(to, workspace, &way).await
}

/// One way to authenticate: an integration's own, or an auth option.
pub(super) struct Way<'a> {
    /// The catalog provider's key.
    pub provider: &'a str,
    /// The OAuth client id.
    pub client_id: Option<&'a str>,
    /// Whether a client secret is given.
    pub client_secret: bool,
    /// Scopes to ask for.
    pub scopes: &'a [String],
    /// What is set beyond the catalog's entry.
    pub config: &'a Config,
}

/// The provider of a way that may be configured like this.
///
/// # Errors
/// `Invalid` names the field.
pub(super) async fn fitting_way(
    to: &mut Change<'_>,
    workspace: &WorkspaceId,
    input: &Way<'_>,
) -> Result<Arc<Provider>> {
    let Some(provider) = to.catalog.get(input.provider) else {
        return Err(Error::invalid(
            "provider",
            format!("there is no provider {:?} in the catalog", input.provider),
        ));
    };
    if input.client_id.is_some_and(|id| id.is_empty() || id.chars().any(char::is_control)) {
        return Err(Error::invalid("client_id", "must not be empty or contain control characters"));
    }
    if input.scopes.iter().any(|s| s.is_empty() || s.chars().any(|c| c.is_control() || c.is_whitespace())) {
        return Err(Error::invalid("scopes", "a scope must not be empty or contain spaces"));
    }
    wants::settings(&provider, input)?;
    wants::endpoints(&provider, input.config)?;
    places(input.config)?;
    inputs(&provider, input.config)?;
    told_by_browsers(&provider, input.config)?;
    verified(&provider, input.config)?;
    lent(to, workspace, &provider, input).await?;
    Ok(provider)
}

/// How often keys are verified: there where the provider's file says by which calls.
fn verified(provider: &Provider, config: &Config) -> Result<()> {
    const FIELD: &str = "config.verify_every";
    if config.verify_every.is_none() {
        return Ok(());
    }
    if provider.verify.as_ref().is_none_or(|verify| verify.calls.is_empty()) {
        return Err(wants::refused(FIELD, provider));
    }
    if config.verify_interval().is_some_and(|every| VERIFIED.contains(&every)) {
        return Ok(());
    }
    Err(Error::invalid(FIELD, "must be a time from 10m to 90d, such as 24h"))
}

/// A client that an operator lends stands in place of an own one, and only where the catalog alone says whose the
/// endpoints are: anywhere else its secret could be led to a token endpoint of somebody's own.
async fn lent(
    to: &mut Change<'_>,
    workspace: &WorkspaceId,
    provider: &Provider,
    input: &Way<'_>,
) -> Result<()> {
    let Some(key) = &input.config.proxy_key else { return Ok(()) };
    app::lendable(provider).map_err(|why| Error::invalid("config.proxy_key", why))?;
    for (field, given) in [("client_id", input.client_id.is_some()), ("client_secret", input.client_secret)] {
        if given {
            return Err(Error::invalid(field, "must be absent: the app of config.proxy_key has its own"));
        }
    }
    match to.conn.oauth_app(workspace, key).await? {
        Some(app) if app.provider == provider.key => Ok(()),
        Some(app) => {
            let message = format!("app {key:?} is one of provider {}, not {}", app.provider, provider.key);
            Err(Error::invalid("config.proxy_key", message))
        }
        None => Err(Error::invalid("config.proxy_key", format!("this workspace is lent no app {key:?}"))),
    }
}

/// What a browser may say about one connection: each is an input of the provider, or its scopes.
fn told_by_browsers(provider: &Provider, config: &Config) -> Result<()> {
    let names = &config.connector_parameters;
    let known = |name: &str| {
        provider.inputs.iter().any(|input| input.key == name) || name == SCOPES && provider.oauth2().is_some()
    };
    for (n, name) in names.iter().enumerate() {
        let why = if names[..n].contains(name) {
            "is named twice"
        } else if !known(name) {
            "is no input of the provider, and not scopes"
        } else {
            continue;
        };
        return Err(Error::invalid("config.connector_parameters", format!("{name:?} {why}")));
    }
    Ok(())
}

/// Where browsers come back to, and whether they may come unasked: both hang on the callback path.
///
/// # Errors
/// `Invalid` names the field.
pub(super) fn comes_back(provider: &Provider, callback: CallbackKind, config: &Config) -> Result<()> {
    let unmet = callback != CallbackKind::OauthCallback;
    let only = "needs callback: oauth-callback";
    if let Some(uri) = &config.callback_uri {
        if !provider.kind().has_callback() {
            return Err(wants::refused("config.callback_uri", provider));
        }
        if unmet {
            return Err(Error::invalid("config.callback_uri", only));
        }
        check::url("config.callback_uri", uri)?;
    }
    if config.outside_start {
        if provider.kind() != Kind::OAuth2Code {
            return Err(wants::refused("config.outside_start", provider));
        }
        if unmet {
            return Err(Error::invalid("config.outside_start", only));
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
