//! OAuth apps of whoever runs the server, lent to a workspace.
//!
//! Only the operator's file makes them: no door does, and none shows one. An app is lent only to providers whose
//! endpoints the catalog alone decides, so that its secret goes nowhere else.

use claviger_catalog::{EndpointSource, Kind, Provider};

use super::{Change, check, integration::end_trust};
use crate::{
    domain::oauth_app::OauthApp,
    error::{Error, Result},
    id::{OauthAppId, WorkspaceId},
    secret::Secret,
    vault::{Aad, Field, hash},
};

/// An app to be, or what an existing one shall become.
pub struct NewOauthApp {
    /// Its key, by which integrations name it.
    pub key: String,
    /// The catalog provider's key.
    pub provider: String,
    /// The client id registered there.
    pub client_id: String,
    /// The client secret; when changing, `None` keeps the stored one.
    pub client_secret: Option<Secret>,
}

/// Lends a workspace an app.
///
/// # Errors
/// `Invalid` names the field; `Conflict` when the key is taken in this workspace.
pub async fn oauth_app(to: &mut Change<'_>, workspace: &WorkspaceId, input: NewOauthApp) -> Result<OauthApp> {
    fits(to, &input)?;
    let mut app = OauthApp {
        id: OauthAppId::new(),
        workspace_id: workspace.clone(),
        key: input.key,
        provider: input.provider,
        client_id: input.client_id,
        client_secret: None,
        created_at: to.now,
        updated_at: to.now,
    };
    if let Some(secret) = &input.client_secret {
        app.client_secret = Some(to.vault.seal(&secret_aad(&app), secret)?);
    }
    to.conn.create_oauth_app(workspace, &app).await?;
    Ok(app)
}

/// Changes an app's client; says which fields that changed, none when it is as it was. Flows under way with it end. With
/// another client id the stored secret is dropped, unless it is given anew, and connections made with the app need their
/// owners' consent again.
///
/// # Errors
/// As [`oauth_app`]; `Conflict` when another provider is named.
pub async fn update_oauth_app(
    to: &mut Change<'_>,
    was: &OauthApp,
    input: NewOauthApp,
) -> Result<Vec<&'static str>> {
    fits(to, &input)?;
    if input.provider != was.provider {
        let message = format!("app {} is one of provider {}: lend another", was.key, was.provider);
        return Err(Error::Conflict { message });
    }
    let mut now = OauthApp { client_id: input.client_id, ..was.clone() };
    let mut fields = Vec::new();
    let moved = now.client_id != was.client_id;
    if moved {
        fields.push("client_id");
        now.client_secret = None;
    }
    if let Some(secret) = &input.client_secret {
        let stored = was.client_secret.as_ref().map(|sealed| to.vault.open(&secret_aad(was), sealed));
        let same = stored.transpose()?.is_some_and(|stored| hash::same(stored.expose(), secret.expose()));
        if moved || !same {
            now.client_secret = Some(to.vault.seal(&secret_aad(&now), secret)?);
        }
        if !same {
            fields.push("client_secret");
        }
    }
    if fields.is_empty() {
        return Ok(fields);
    }
    to.conn.update_oauth_app(&was.workspace_id, &now).await?;
    if moved {
        end_trust_in(to, &now).await?;
    }
    Ok(fields)
}

/// What an app's client secret is bound to.
pub fn secret_aad(app: &OauthApp) -> Aad<'_> {
    Field::AppSecret.of(&app.workspace_id, app.id.as_str())
}

/// Whether an app of this provider can be lent; if not, why.
pub(super) fn lendable(provider: &Provider) -> std::result::Result<(), String> {
    let why = if provider.kind() != Kind::OAuth2Code {
        "is none where a browser gets an authorization code"
    } else if provider.endpoint_source() != EndpointSource::File || provider.endpoints_are_chosen() {
        "has no endpoints of its own: who configures or connects it decides them"
    } else {
        return Ok(());
    };
    Err(format!("provider {} {why}", provider.key))
}

fn fits(to: &Change<'_>, input: &NewOauthApp) -> Result<()> {
    check::slug(&input.key)?;
    let Some(provider) = to.catalog.get(&input.provider) else {
        let message = format!("there is no provider {:?} in the catalog", input.provider);
        return Err(Error::invalid("provider", message));
    };
    lendable(&provider).map_err(|why| Error::invalid("provider", why))?;
    if input.client_id.is_empty() || input.client_id.chars().any(char::is_control) {
        return Err(Error::invalid("client_id", "must not be empty or contain control characters"));
    }
    Ok(())
}

/// Connections made with the app's client of before.
async fn end_trust_in(to: &mut Change<'_>, app: &OauthApp) -> Result<()> {
    let names = |key: &Option<String>| key.as_deref() == Some(app.key.as_str());
    for id in to.conn.integrations_of_app(&app.workspace_id, &app.key).await? {
        let Some(integration) = to.conn.integration(&app.workspace_id, &id).await? else { continue };
        if names(&integration.config.proxy_key) {
            end_trust(to, &integration, None).await?;
        }
        for option in to.conn.auth_options(&app.workspace_id, &id).await? {
            if names(&option.config.proxy_key) {
                end_trust(to, &integration, Some(&option.key)).await?;
            }
        }
    }
    Ok(())
}
