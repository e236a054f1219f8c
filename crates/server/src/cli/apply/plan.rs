//! Compares what is with what is wanted, and makes it so, step by step.
//!
//! Each step is a line for the operator: `+` made, `~` changed, `-` removed, and never a secret. Workspaces,
//! their settings, redirect URIs and hosts are here; the rest is in files of its own. Users and teams come before
//! what is shared with them.

use std::fmt::Display;

use anyhow::Context as _;
use claviger_engine::{
    domain::workspace::{Brand, Jwt, Settings, Workspace},
    setup::{self, Change, NewWorkspace},
    vault::hash,
};

use super::{
    apps, auth_options, certificates, file, integrations, jwt_keys, keys, people, sharing, webhooks,
};

/// What was done, in order.
#[derive(Default)]
pub(super) struct Steps(Vec<String>);

impl Steps {
    pub(super) fn made(&mut self, what: impl Display) {
        self.0.push(format!("+ {what}"));
    }

    /// Notes a change, unless nothing changed.
    pub(super) fn changed(&mut self, what: impl Display, fields: &[&str]) {
        if !fields.is_empty() {
            self.0.push(format!("~ {what}: {}", fields.join(", ")));
        }
    }

    pub(super) fn removed(&mut self, what: impl Display) {
        self.0.push(format!("- {what}"));
    }
}

/// Makes it so, and says what was done. Commits nothing.
pub(super) async fn carry_out(
    to: &mut Change<'_>,
    wanted: &file::Wanted,
    prune: bool,
) -> anyhow::Result<Vec<String>> {
    let mut steps = Steps::default();
    for wish in &wanted.workspaces {
        one(to, wish, prune, &mut steps).await.with_context(|| format!("workspace {}", wish.client_id))?;
    }
    if prune {
        for there in to.conn.any_workspaces().await? {
            if !wanted.workspaces.iter().any(|w| w.client_id == there.client_id) {
                let name = format!("workspace {}", there.client_id);
                to.conn.delete_workspace(&there.id).await.with_context(|| name.clone())?;
                steps.removed(name);
            }
        }
    }
    Ok(steps.0)
}

async fn one(
    to: &mut Change<'_>,
    wish: &file::Workspace,
    prune: bool,
    steps: &mut Steps,
) -> anyhow::Result<()> {
    let workspace = match to.conn.any_workspace_by_client_id(&wish.client_id).await? {
        None => {
            let new = NewWorkspace {
                name: wish.name.clone(),
                client_id: Some(wish.client_id.clone()),
                settings: settings(Settings::default(), wish),
                jwt_secret: wish.jwt_secret.clone(),
            };
            let (made, _) = setup::workspace(to, new).await?;
            steps.made(format_args!("workspace {}", made.client_id));
            made
        }
        Some(was) => {
            update(to, &was, wish, steps).await?;
            was
        }
    };
    if let Some(brand) = &wish.brand
        && setup::logo(to, &workspace.id, brand.picture.as_deref()).await.context("brand")?
    {
        steps.changed(format_args!("workspace {}", workspace.client_id), &["brand.logo"]);
    }
    redirect_uris(to, &workspace, wish, prune, steps).await?;
    hosts(to, &workspace, wish, prune, steps).await?;
    apps::apply(to, &workspace, &wish.apps, steps).await?;
    integrations::apply(to, &workspace, &wish.integrations, prune, steps).await?;
    auth_options::apply(to, &workspace, &wish.integrations, prune, steps).await?;
    certificates::apply(to, &workspace, &wish.integrations, steps).await?;
    if prune {
        apps::prune(to, &workspace, &wish.apps, steps).await?;
    }
    keys::apply(to, &workspace, &wish.api_keys, prune, steps).await?;
    jwt_keys::apply(to, &workspace, &wish.jwt_keys, prune, steps).await?;
    people::users(to, &workspace, &wish.users, prune, steps).await?;
    people::teams(to, &workspace, &wish.teams, prune, steps).await?;
    sharing::apply(to, &workspace, &wish.integrations, prune, steps).await?;
    webhooks::apply(to, &workspace, &wish.webhooks, prune, steps).await
}

async fn update(
    to: &mut Change<'_>,
    was: &Workspace,
    wish: &file::Workspace,
    steps: &mut Steps,
) -> anyhow::Result<()> {
    let name = setup::check::name("name", &wish.name)?;
    let now = settings(was.settings.clone(), wish);
    setup::check::settings(&now)?;
    let mut fields = Vec::new();
    if name != was.name {
        fields.push("name");
    }
    if now != was.settings {
        fields.push("settings");
    }
    if !fields.is_empty() {
        to.conn.update_workspace(&was.id, &name, &now).await?;
    }
    if let Some(secret) = &wish.jwt_secret {
        let aad = setup::jwt_secret_aad(&was.id);
        let stored = was.jwt_secret.as_ref().map(|sealed| to.vault.open(&aad, sealed)).transpose()?;
        if !stored.is_some_and(|stored| hash::same(stored.expose(), secret.expose())) {
            let secret = setup::check::signing_secret("jwt_secret", secret.clone())?;
            let sealed = to.vault.seal(&aad, &secret)?;
            to.conn.set_jwt_secret(&was.id, &sealed).await?;
            fields.push("jwt_secret");
        }
    }
    steps.changed(format_args!("workspace {}", was.client_id), &fields);
    Ok(())
}

/// The settings, with those replaced that the file names.
fn settings(was: Settings, wish: &file::Workspace) -> Settings {
    let file::Workspace { settings: wish, brand, .. } = wish;
    let brand = brand.as_ref().map(|brand| Brand {
        name: brand.name.clone(),
        colour: brand.colour.clone(),
        language: brand.language.clone(),
    });
    Settings {
        include_connection_id: wish.include_connection_id.unwrap_or(was.include_connection_id),
        include_external_id: wish.include_external_id.unwrap_or(was.include_external_id),
        completion: wish.completion.unwrap_or(was.completion),
        allowed_origins: wish.allowed_origins.clone().unwrap_or(was.allowed_origins),
        jwt: jwt(was.jwt, &wish.jwt),
        brand: brand.unwrap_or(was.brand),
    }
}

fn jwt(was: Jwt, wish: &file::Jwt) -> Jwt {
    Jwt {
        secret: wish.secret.unwrap_or(was.secret),
        algorithm: wish.algorithm.map_or(was.algorithm, Into::into),
        allow_without_exp: wish.allow_without_exp.unwrap_or(was.allow_without_exp),
    }
}

async fn redirect_uris(
    to: &mut Change<'_>,
    workspace: &Workspace,
    wish: &file::Workspace,
    prune: bool,
    steps: &mut Steps,
) -> anyhow::Result<()> {
    for uri in &wish.redirect_uris {
        if setup::redirect_uri(to, &workspace.id, uri).await? {
            steps.made(format_args!("workspace {}: redirect URI {uri}", workspace.client_id));
        }
    }
    if prune {
        for uri in to.conn.redirect_uris(&workspace.id).await? {
            if !wish.redirect_uris.contains(&uri) {
                to.conn.remove_redirect_uri(&workspace.id, &uri).await?;
                steps.removed(format_args!("workspace {}: redirect URI {uri}", workspace.client_id));
            }
        }
    }
    Ok(())
}

/// The origins at which its own users reach us.
async fn hosts(
    to: &mut Change<'_>,
    workspace: &Workspace,
    wish: &file::Workspace,
    prune: bool,
    steps: &mut Steps,
) -> anyhow::Result<()> {
    let there = to.conn.workspace_hosts(&workspace.id).await?;
    let (stay, go): (Vec<_>, Vec<_>) = there.into_iter().partition(|it| !prune || wish.hosts.contains(it));
    let new: Vec<_> = wish.hosts.iter().filter(|it| !stay.contains(it)).cloned().collect();
    setup::hosts(to, &workspace.id, &[stay, new.clone()].concat()).await.context("hosts")?;
    for origin in new {
        steps.made(format_args!("workspace {}: host {origin}", workspace.client_id));
    }
    for origin in go {
        steps.removed(format_args!("workspace {}: host {origin}", workspace.client_id));
    }
    Ok(())
}
