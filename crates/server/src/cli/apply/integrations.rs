//! The integrations of one workspace, made what the file says.

use anyhow::Context as _;
use claviger_engine::{
    connect::tokens::client_secret_aad,
    domain::{
        integration::{Integration, Mode},
        workspace::Workspace,
    },
    secret::Secret,
    setup::{self, Change, NewIntegration},
    store::Page,
    vault::hash,
};

use super::{file, plan::Steps};

/// More integrations than a workspace has.
const ALL: Page = Page { offset: 0, limit: 1_000_000 };

pub(super) async fn apply(
    to: &mut Change<'_>,
    workspace: &Workspace,
    wishes: &[file::Integration],
    prune: bool,
    steps: &mut Steps,
) -> anyhow::Result<()> {
    let there = to.conn.integrations(&workspace.id, &ALL).await?;
    for wish in wishes {
        let name = format!("workspace {}: integration {}", workspace.client_id, wish.key);
        let done = match there.iter().find(|i| i.key == wish.key) {
            None => create(to, workspace, wish, &name, steps).await,
            Some(was) => update(to, was, wish, &name, steps).await,
        };
        done.with_context(|| format!("integration {}", wish.key))?;
    }
    for was in there.iter().filter(|was| prune && !wishes.iter().any(|w| w.key == was.key)) {
        let name = format!("workspace {}: integration {}", workspace.client_id, was.key);
        to.conn.delete_integration(&workspace.id, &was.id).await.with_context(|| name.clone())?;
        steps.removed(name);
    }
    Ok(())
}

async fn create(
    to: &mut Change<'_>,
    workspace: &Workspace,
    wish: &file::Integration,
    name: &str,
    steps: &mut Steps,
) -> anyhow::Result<()> {
    let mut made = setup::integration(to, &workspace.id, asked(wish)).await?;
    if wish.disabled {
        made.disabled_at = Some(to.now);
        to.conn.update_integration(&workspace.id, &made).await?;
    }
    steps.made(name);
    Ok(())
}

async fn update(
    to: &mut Change<'_>,
    was: &Integration,
    wish: &file::Integration,
    name: &str,
    steps: &mut Steps,
) -> anyhow::Result<()> {
    let secret_differs = match (&wish.client_secret, &was.client_secret) {
        (Some(wanted), Some(sealed)) => {
            let stored = to.vault.open(&client_secret_aad(was), sealed)?;
            !hash::same(stored.expose(), wanted.expose())
        }
        (Some(_), None) => true,
        (None, _) => false,
    };
    let mut asked = asked(wish);
    asked.config.jwks = asked.config.jwks.or_else(|| was.config.jwks.clone());
    // What the file leaves open stays as it is: the name, what describes it, the mode, the callback.
    let asked = NewIntegration {
        name: Some(asked.name.unwrap_or_else(|| was.name.clone())),
        description: if wish.description.is_some() { asked.description } else { was.description.clone() },
        tags: if wish.tags.is_some() { asked.tags } else { was.tags.clone() },
        mode: wish.mode.unwrap_or(was.mode),
        callback: Some(asked.callback.unwrap_or(was.callback)),
        ..asked
    };
    let mut fields = Vec::new();
    for (field, differs) in [
        ("provider", asked.provider != was.provider),
        ("name", asked.name.as_deref() != Some(was.name.as_str())),
        ("description", asked.description != was.description),
        ("tags", asked.tags != was.tags),
        ("mode", asked.mode != was.mode),
        ("client_id", asked.client_id != was.client_id),
        ("client_secret", secret_differs),
        ("scopes", asked.scopes != was.scopes),
        ("callback", asked.callback != Some(was.callback)),
        ("config", asked.config != was.config),
        ("disabled", wish.disabled != was.disabled_at.is_some()),
    ] {
        if differs {
            fields.push(field);
        }
    }
    if fields.is_empty() {
        return Ok(());
    }
    let mut now = setup::update_integration(to, was, asked).await?;
    if wish.disabled != was.disabled_at.is_some() {
        now.disabled_at = wish.disabled.then_some(to.now);
        to.conn.update_integration(&was.workspace_id, &now).await?;
    }
    steps.changed(name, &fields);
    Ok(())
}

fn asked(wish: &file::Integration) -> NewIntegration {
    NewIntegration {
        key: wish.key.clone(),
        provider: wish.provider.clone(),
        name: wish.name.clone(),
        description: wish.description.clone().filter(|text| !text.is_empty()),
        tags: wish.tags.clone().unwrap_or_default(),
        mode: wish.mode.unwrap_or(Mode::PerUser),
        client_id: wish.client_id.as_ref().map(Secret::expose).map(str::to_owned),
        client_secret: wish.client_secret.clone(),
        scopes: wish.scopes.clone(),
        callback: wish.callback,
        config: wish.config.clone(),
    }
}
