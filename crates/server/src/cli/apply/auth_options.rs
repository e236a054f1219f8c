//! The auth options of the integrations of one workspace, made what the file says.
//!
//! Where it says nothing of them they stay as they are.

use anyhow::Context as _;
use claviger_engine::{
    domain::{auth_option::AuthOption, integration::Integration, workspace::Workspace},
    secret::Secret,
    setup::{self, Change, NewAuthOption, auth_option::secret_aad},
    vault::hash,
};

use super::{file, plan::Steps};

pub(super) async fn apply(
    to: &mut Change<'_>,
    workspace: &Workspace,
    wishes: &[file::Integration],
    prune: bool,
    steps: &mut Steps,
) -> anyhow::Result<()> {
    for wish in wishes {
        let Some(options) = &wish.auth_options else { continue };
        let name = format!("workspace {}: integration {}", workspace.client_id, wish.key);
        let found = to.conn.integration_by_selector(&workspace.id, &wish.key).await?;
        let integration = found.with_context(|| name.clone())?;
        let there = to.conn.auth_options(&workspace.id, &integration.id).await?;
        // What goes makes room, and its place is another's.
        for was in there.iter().filter(|was| prune && !options.iter().any(|wish| wish.key == was.key)) {
            let name = format!("{name}: auth option {}", was.key);
            to.conn.delete_auth_option(&workspace.id, was).await.with_context(|| name.clone())?;
            steps.removed(name);
        }
        for (nth, wish) in options.iter().enumerate() {
            let name = format!("{name}: auth option {}", wish.key);
            let asked = asked(wish, i64::try_from(nth)?);
            match there.iter().find(|option| option.key == wish.key) {
                None => {
                    let made = setup::auth_option(to, &integration, asked).await;
                    made.with_context(|| name.clone())?;
                    steps.made(name);
                }
                Some(was) => {
                    let fields = update(to, &integration, was, asked).await.with_context(|| name.clone())?;
                    steps.changed(name, &fields);
                }
            }
        }
    }
    Ok(())
}

/// Which fields changed. What the file leaves open stays: the provider, the callback, the secret.
async fn update(
    to: &mut Change<'_>,
    integration: &Integration,
    was: &AuthOption,
    asked: NewAuthOption,
) -> anyhow::Result<Vec<&'static str>> {
    let secret_differs = match (&asked.client_secret, &was.client_secret) {
        (Some(wanted), Some(sealed)) => {
            let stored = to.vault.open(&secret_aad(was), sealed)?;
            !hash::same(stored.expose(), wanted.expose())
        }
        (Some(_), None) => true,
        (None, _) => false,
    };
    let provider = asked.provider.unwrap_or_else(|| was.provider.clone());
    let callback = asked.callback.unwrap_or(was.callback);
    let mut asked = NewAuthOption { provider: Some(provider), callback: Some(callback), ..asked };
    asked.config.jwks = asked.config.jwks.or_else(|| was.config.jwks.clone());
    let mut fields = Vec::new();
    for (field, differs) in [
        ("title", asked.title != was.title),
        ("description", asked.description != was.description),
        ("provider", asked.provider.as_ref() != Some(&was.provider)),
        ("client_id", asked.client_id != was.client_id),
        ("client_secret", secret_differs),
        ("scopes", asked.scopes != was.scopes),
        ("callback", asked.callback != Some(was.callback)),
        ("config", asked.config != was.config),
        ("place", asked.nth != was.nth),
    ] {
        if differs {
            fields.push(field);
        }
    }
    if !fields.is_empty() {
        setup::update_auth_option(to, integration, was, asked).await?;
    }
    Ok(fields)
}

fn asked(wish: &file::AuthOption, nth: i64) -> NewAuthOption {
    NewAuthOption {
        key: wish.key.clone(),
        title: wish.title.clone(),
        description: wish.description.clone(),
        provider: wish.provider.clone(),
        client_id: wish.client_id.as_ref().map(Secret::expose).map(str::to_owned),
        client_secret: wish.client_secret.clone(),
        scopes: wish.scopes.clone(),
        callback: wish.callback,
        config: wish.config.clone(),
        nth,
    }
}
