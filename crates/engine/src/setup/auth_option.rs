//! Auth options: further ways to authenticate at an integration, each held to the rules of the integration's own way.

use claviger_catalog::Provider;

use super::{
    Change, check, client_key, fit,
    integration::{callback, end_trust, may_share_callback, moves_secrets},
};
use crate::{
    domain::{
        auth_option::AuthOption,
        integration::{CallbackKind, Config, Integration},
    },
    error::{Error, Result},
    id::AuthOptionId,
    secret::Secret,
    vault::{Aad, Field},
};

/// How many auth options an integration can have.
pub const OPTIONS_MAX: usize = 50;

/// An auth option to be, or what an existing one shall become.
pub struct NewAuthOption {
    /// Its key.
    pub key: String,
    /// What people call it.
    pub title: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The catalog provider's key; the integration's when absent.
    pub provider: Option<String>,
    /// The OAuth client id registered at the provider.
    pub client_id: Option<String>,
    /// The OAuth client secret; when changing, `None` keeps the stored one.
    pub client_secret: Option<Secret>,
    /// Scopes to ask for; empty means the provider file's defaults.
    pub scopes: Vec<String>,
    /// Which callback path; when absent the integration's where the provider may share one, and `own` otherwise.
    pub callback: Option<CallbackKind>,
    /// What is set beyond the catalog's entry.
    pub config: Config,
    /// Its place among the integration's, from 0.
    pub nth: i64,
}

/// Makes an auth option.
///
/// # Errors
/// `Invalid` names the field; `Conflict` when the key is taken at this integration, or there are [`OPTIONS_MAX`].
pub async fn auth_option(
    to: &mut Change<'_>,
    integration: &Integration,
    mut input: NewAuthOption,
) -> Result<AuthOption> {
    let (provider, callback) = fitting(to, integration, &input).await?;
    client_key::address(None, &mut input.config, false)?;
    let workspace = &integration.workspace_id;
    if to.conn.auth_options(workspace, &integration.id).await?.len() >= OPTIONS_MAX {
        let message = format!("an integration has at most {OPTIONS_MAX} auth options");
        return Err(Error::Conflict { message });
    }
    let mut option = AuthOption {
        id: AuthOptionId::new(),
        workspace_id: workspace.clone(),
        integration_id: integration.id.clone(),
        key: input.key,
        title: input.title,
        description: input.description,
        provider,
        client_id: input.client_id,
        client_secret: None,
        scopes: input.scopes,
        callback,
        config: input.config,
        nth: input.nth,
        created_at: to.now,
        updated_at: to.now,
    };
    if let Some(secret) = &input.client_secret {
        option.client_secret = Some(to.vault.seal(&secret_aad(&option), secret)?);
    }
    to.conn.create_auth_option(workspace, &option).await?;
    Ok(option)
}

/// Changes an auth option to what is given. Its key and provider stay. Where it sends secrets to another place, or has
/// another client, the stored client secret is dropped unless it is given anew, and its connections need their owners'
/// consent again; in another place its keys and its certificate are dropped too.
///
/// # Errors
/// As [`auth_option`]; `Conflict` when another provider is named.
pub async fn update_auth_option(
    to: &mut Change<'_>,
    integration: &Integration,
    was: &AuthOption,
    mut input: NewAuthOption,
) -> Result<AuthOption> {
    let (provider, callback) = fitting(to, integration, &input).await?;
    if provider != was.provider || input.key != was.key {
        let message = format!(
            "auth option {} is one of provider {}; its connections are no use with {provider}: make another option",
            was.key, was.provider
        );
        return Err(Error::Conflict { message });
    }
    let elsewhere = moves_secrets(&was.config, &input.config);
    let moved = elsewhere || was.client_id != input.client_id;
    client_key::address(Some(&was.config), &mut input.config, elsewhere)?;
    let mut now = AuthOption {
        title: input.title,
        description: input.description,
        client_id: input.client_id,
        scopes: input.scopes,
        callback,
        config: input.config,
        nth: input.nth,
        updated_at: to.now,
        ..was.clone()
    };
    if let Some(secret) = &input.client_secret {
        now.client_secret = Some(to.vault.seal(&secret_aad(&now), secret)?);
    } else if moved {
        now.client_secret = None;
    }
    to.conn.update_auth_option(&was.workspace_id, &now).await?;
    if elsewhere {
        client_key::drop_all(to, &now.clone().over(integration.clone())).await?;
    }
    if moved {
        end_trust(to, integration, Some(&was.key)).await?;
    }
    Ok(now)
}

/// What an auth option's client secret is bound to.
pub fn secret_aad(option: &AuthOption) -> Aad<'_> {
    Field::OptionSecret.of(&option.workspace_id, option.id.as_str())
}

/// Its provider's key and its callback path, where it may be configured like this.
async fn fitting(
    to: &mut Change<'_>,
    integration: &Integration,
    input: &NewAuthOption,
) -> Result<(String, CallbackKind)> {
    key(&input.key)?;
    if let Some(title) = &input.title {
        check::name("title", title)?;
    }
    check::description(input.description.as_deref())?;
    for (field, given) in [
        ("config.return_uri", input.config.return_uri.is_some()),
        ("config.outside_start", input.config.outside_start),
    ] {
        if given {
            return Err(Error::invalid(field, "is the integration's to say, for all ways to authenticate"));
        }
    }
    let way = fit::Way {
        provider: input.provider.as_deref().unwrap_or(&integration.provider),
        client_id: input.client_id.as_deref(),
        client_secret: input.client_secret.is_some(),
        scopes: &input.scopes,
        config: &input.config,
    };
    let provider = fit::fitting_way(to, &integration.workspace_id, &way).await?;
    let callback = callback(&provider, input.callback.or(inherited(&provider, integration)))?;
    fit::comes_back(&provider, callback, &input.config)?;
    Ok((provider.key.clone(), callback))
}

fn inherited(provider: &Provider, integration: &Integration) -> Option<CallbackKind> {
    may_share_callback(provider).then_some(integration.callback)
}

/// `[A-Za-z0-9][A-Za-z0-9_-]{0,63}`.
fn key(text: &str) -> Result<()> {
    let first = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    let rest = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if first && rest && text.len() <= 64 {
        return Ok(());
    }
    let message = "must be 1 to 64 of letters, digits, _ and -, and begin with a letter or digit";
    Err(Error::invalid("key", message))
}
