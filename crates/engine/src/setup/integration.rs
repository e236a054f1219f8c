//! Integrations: what may be configured, and what a change of it ends.
//!
//! An integration whose endpoints someone typed in has a callback path of its own, whatever was asked for: on a
//! shared path a hostile configuration could collect codes meant for another (cross-app account takeover). So
//! has one of a provider whose inputs decide whose the endpoints are. A
//! change of where secrets are sent drops the stored client secret, unless it is given anew, and ends the
//! trust in connections made before.

use claviger_catalog::{ClientAuth, EndpointSource, Provider, pattern};

use super::{Change, check};
use crate::{
    connect::tokens::client_secret_aad,
    domain::{
        connection::Status,
        event::EventKind,
        integration::{CallbackKind, Config, Integration, Mode},
    },
    error::{Error, Result},
    id::{IntegrationId, WorkspaceId},
    proxy,
    secret::Secret,
    store::{ConnectionFilter, Page},
    webhook::emit,
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

/// An integration to be, or what an existing one shall become.
pub struct NewIntegration {
    /// Its slug.
    pub key: String,
    /// The catalog provider's key.
    pub provider: String,
    /// What people call it; the provider's name when absent.
    pub name: Option<String>,
    /// What it is for, in a sentence or two.
    pub description: Option<String>,
    /// Words that its makers sort it by.
    pub tags: Vec<String>,
    /// One connection per user, or one for all.
    pub mode: Mode,
    /// The OAuth client id registered at the provider.
    pub client_id: Option<String>,
    /// The OAuth client secret; when changing, `None` keeps the stored one.
    pub client_secret: Option<Secret>,
    /// Scopes to ask for; empty means the provider file's defaults.
    pub scopes: Vec<String>,
    /// Which callback path; when absent `own` for hand-entered endpoints and as the caller's door has it otherwise.
    pub callback: Option<CallbackKind>,
    /// What is set beyond the catalog's entry.
    pub config: Config,
}

/// Makes an integration.
///
/// # Errors
/// `Invalid` names the field; `Conflict` when the key is taken in this workspace.
pub async fn integration(
    to: &mut Change<'_>,
    workspace: &WorkspaceId,
    input: NewIntegration,
) -> Result<Integration> {
    let provider = validate(to, &input)?;
    let mut integration = Integration {
        id: IntegrationId::new(),
        workspace_id: workspace.clone(),
        name: check::name("name", input.name.as_deref().unwrap_or(&provider.name))?,
        description: input.description,
        tags: input.tags,
        owner: None,
        callback: callback(&provider, input.callback)?,
        key: input.key,
        provider: input.provider,
        mode: input.mode,
        client_id: input.client_id,
        client_secret: None,
        scopes: input.scopes,
        config: input.config,
        version: 1,
        disabled_at: None,
        created_at: to.now,
        updated_at: to.now,
    };
    if let Some(secret) = &input.client_secret {
        integration.client_secret = Some(to.vault.seal(&client_secret_aad(&integration), secret)?);
    }
    to.conn.create_integration(workspace, &integration).await?;
    Ok(integration)
}

/// Changes an integration to what is given. Its key and provider stay.
///
/// # Errors
/// As [`integration`]; `Conflict` when another provider is named.
pub async fn update_integration(
    to: &mut Change<'_>,
    was: &Integration,
    input: NewIntegration,
) -> Result<Integration> {
    let provider = validate(to, &input)?;
    if input.provider != was.provider {
        return Err(Error::Conflict {
            message: format!(
                "integration {} is one of provider {}; its connections are no use with {}: make another integration",
                was.key, was.provider, input.provider
            ),
        });
    }
    let moved = moves_secrets(&was.config, &input.config) || was.client_id != input.client_id;
    let mut now = Integration {
        name: check::name("name", input.name.as_deref().unwrap_or(&provider.name))?,
        description: input.description,
        tags: input.tags,
        callback: callback(&provider, input.callback)?,
        mode: input.mode,
        client_id: input.client_id,
        scopes: input.scopes,
        config: input.config,
        updated_at: to.now,
        ..was.clone()
    };
    if let Some(secret) = &input.client_secret {
        now.client_secret = Some(to.vault.seal(&client_secret_aad(&now), secret)?);
    } else if moved {
        now.client_secret = None;
    }
    now.version = to.conn.update_integration(&was.workspace_id, &now).await?;
    if moved {
        end_trust(to, &now).await?;
    }
    Ok(now)
}

/// Whether the two send a secret or a token to different places.
pub fn moves_secrets(was: &Config, now: &Config) -> bool {
    let places = |c: &Config| {
        (
            c.issuer.clone(),
            c.token_url.clone(),
            c.revoke_url.clone(),
            c.userinfo_url.clone(),
            c.base_url.clone(),
            // They stand in the hosts of the provider file's URLs.
            c.inputs.clone(),
        )
    };
    let mut hosts = (was.allowed_hosts.clone(), now.allowed_hosts.clone());
    hosts.0.sort();
    hosts.1.sort();
    places(was) != places(now) || was.authorize_url != now.authorize_url || hosts.0 != hosts.1
}

/// Connections made before the endpoints moved need their owner's consent to the new ones.
async fn end_trust(to: &mut Change<'_>, integration: &Integration) -> Result<()> {
    let workspace = &integration.workspace_id;
    let reason = "the integration's endpoints changed";
    let filter = ConnectionFilter {
        integration_id: Some(integration.id.clone()),
        status: Some(Status::Active),
        ..ConnectionFilter::default()
    };
    loop {
        // Each one leaves the filter as it is changed, so the first page is always the next.
        let some = to.conn.connections(workspace, &filter, &Page { offset: 0, limit: 200 }).await?;
        if some.is_empty() {
            return Ok(());
        }
        for mut connection in some {
            connection.status = Status::NeedsReauth;
            to.conn
                .set_connection_status(workspace, &connection.id, connection.status, Some(reason), to.now)
                .await?;
            emit(to.conn, EventKind::ConnectionExpired, &connection, to.now).await?;
        }
    }
}

/// The callback path: `own` where somebody else than the catalog says where codes are taken, for anything else
/// would be unsafe.
fn callback(provider: &Provider, asked: Option<CallbackKind>) -> Result<CallbackKind> {
    let source = provider.oauth2().map_or(EndpointSource::File, |oauth2| oauth2.endpoints.source);
    let why = if source != EndpointSource::File {
        "the endpoints of this integration are entered by hand"
    } else if provider.endpoints_are_chosen() {
        "whose this provider's endpoints are is decided by its inputs"
    } else {
        return Ok(asked.unwrap_or(CallbackKind::Own));
    };
    match asked {
        None | Some(CallbackKind::Own) => Ok(CallbackKind::Own),
        Some(other) => Err(Error::invalid("callback", format!("must be own, not {}: {why}", other.as_str()))),
    }
}

fn validate(to: &Change<'_>, input: &NewIntegration) -> Result<std::sync::Arc<Provider>> {
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
    endpoints(&provider, &input.config)?;
    places(&input.config)?;
    inputs(&provider, &input.config)?;
    Ok(provider)
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
                return Err(Error::invalid(field, format!("provider {} does not take it", provider.key)));
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
