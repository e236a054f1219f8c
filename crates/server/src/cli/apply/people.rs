//! The users and webhook endpoints of one workspace, made what the file says.

use anyhow::{Context as _, anyhow};
use claviger_engine::{
    domain::{event::EventKind, user::User, webhook::Endpoint, workspace::Workspace},
    setup::{self, Change, NewUser, NewWebhook, WebhookEdit, check},
    store::Page,
    vault::hash,
};

use super::{file, plan::Steps};

/// More users or endpoints than a file is for.
const ALL: Page = Page { offset: 0, limit: 1_000_000 };

/// Users. One that the file no longer names is disabled, not removed: what it did stays signed by it.
pub(super) async fn users(
    to: &mut Change<'_>,
    workspace: &Workspace,
    wishes: &[file::User],
    prune: bool,
    steps: &mut Steps,
) -> anyhow::Result<()> {
    for wish in wishes {
        let name = format!("workspace {}: user {}", workspace.client_id, wish.username);
        let done = match to.conn.user_by_name(&workspace.id, &wish.username).await? {
            None => create_user(to, workspace, wish).await.map(|()| steps.made(&name)),
            Some(was) => update_user(to, &was, wish).await.map(|fields| steps.changed(&name, &fields)),
        };
        done.with_context(|| format!("user {}", wish.username))?;
    }
    if prune {
        for was in to.conn.users(&workspace.id, &ALL).await?.iter().filter(|was| was.disabled_at.is_none()) {
            if !wishes.iter().any(|w| w.username.to_lowercase() == was.username.to_lowercase()) {
                to.conn.disable_user(&workspace.id, &was.id, Some(to.now)).await?;
                steps.removed(format_args!(
                    "workspace {}: user {} (disabled)",
                    workspace.client_id, was.username
                ));
            }
        }
    }
    Ok(())
}

async fn create_user(to: &mut Change<'_>, workspace: &Workspace, wish: &file::User) -> anyhow::Result<()> {
    let new = NewUser {
        username: wish.username.clone(),
        display_name: None,
        email: wish.email.clone(),
        password: wish.password.clone(),
        superuser: wish.superuser,
        permissions: wish.permissions.clone(),
    };
    let made = setup::user(to, &workspace.id, new).await?;
    if wish.disabled {
        to.conn.disable_user(&workspace.id, &made.id, Some(to.now)).await?;
    }
    Ok(())
}

async fn update_user(
    to: &mut Change<'_>,
    was: &User,
    wish: &file::User,
) -> anyhow::Result<Vec<&'static str>> {
    let now = User {
        email: wish.email.as_deref().map(check::email).transpose()?,
        superuser: wish.superuser,
        permissions: wish.permissions.clone(),
        disabled_at: if wish.disabled { was.disabled_at.or(Some(to.now)) } else { None },
        ..was.clone()
    };
    let mut fields = Vec::new();
    for (field, differs) in [
        ("email", now.email != was.email),
        ("superuser", now.superuser != was.superuser),
        ("permissions", now.permissions != was.permissions),
        ("disabled", now.disabled_at.is_some() != was.disabled_at.is_some()),
    ] {
        if differs {
            fields.push(field);
        }
    }
    if !fields.is_empty() {
        to.conn.update_user(&was.workspace_id, &now).await?;
    }
    if let Some(password) = &wish.password {
        let matches = was.password_hash.as_deref().is_some_and(|hash| hash::password_matches(password, hash));
        if !matches {
            let hash = setup::password_hash(password.clone()).await?;
            to.conn.set_user_password(&was.workspace_id, &was.id, &hash).await?;
            fields.push("password");
        }
    }
    Ok(fields)
}

/// Webhook endpoints.
pub(super) async fn webhooks(
    to: &mut Change<'_>,
    workspace: &Workspace,
    wishes: &[file::Webhook],
    prune: bool,
    steps: &mut Steps,
) -> anyhow::Result<()> {
    let there = to.conn.endpoints(&workspace.id, &ALL).await?;
    for wish in wishes {
        let name = format!("workspace {}: webhook {}", workspace.client_id, wish.name);
        let same: Vec<_> = there.iter().filter(|e| e.name == wish.name).collect();
        anyhow::ensure!(same.len() < 2, "{name}: several have this name: rename all but one first");
        match same.first() {
            None => {
                create_webhook(to, workspace, wish).await.with_context(|| name.clone())?;
                steps.made(&name);
            }
            Some(was) => {
                let fields = update_webhook(to, was, wish).await.with_context(|| name.clone())?;
                steps.changed(&name, &fields);
            }
        }
    }
    for was in there.iter().filter(|was| prune && !wishes.iter().any(|w| w.name == was.name)) {
        to.conn.delete_endpoint(&workspace.id, &was.id).await?;
        steps.removed(format_args!("workspace {}: webhook {}", workspace.client_id, was.name));
    }
    Ok(())
}

async fn create_webhook(
    to: &mut Change<'_>,
    workspace: &Workspace,
    wish: &file::Webhook,
) -> anyhow::Result<()> {
    let new = NewWebhook {
        name: wish.name.clone(),
        url: wish.url.clone(),
        events: events(wish)?,
        secret: wish.secret.clone(),
    };
    let (made, _) = setup::webhook(to, &workspace.id, new).await?;
    if wish.disabled {
        let edit = WebhookEdit { active: Some(false), ..WebhookEdit::default() };
        setup::update_webhook(to, &made, edit).await?;
    }
    Ok(())
}

async fn update_webhook(
    to: &mut Change<'_>,
    was: &Endpoint,
    wish: &file::Webhook,
) -> anyhow::Result<Vec<&'static str>> {
    let mut wanted = events(wish)?;
    let mut stored = was.events.clone();
    for kinds in [&mut wanted, &mut stored] {
        kinds.sort_by_key(|kind| kind.as_str());
        kinds.dedup();
    }
    let edit = WebhookEdit {
        url: Some(wish.url.clone()),
        events: (stored != wanted).then_some(wanted),
        secret: wish.secret.clone(),
        active: Some(!wish.disabled),
        ..WebhookEdit::default()
    };
    let now = setup::update_webhook(to, was, edit).await?;
    let mut fields = Vec::new();
    for (field, differs) in [
        ("url", now.url != was.url),
        ("events", now.events != was.events),
        ("disabled", now.disabled_at.is_some() != was.disabled_at.is_some()),
        ("secret", now.secret != was.secret),
    ] {
        if differs {
            fields.push(field);
        }
    }
    Ok(fields)
}

fn events(wish: &file::Webhook) -> anyhow::Result<Vec<EventKind>> {
    let known = || EventKind::ALL.map(EventKind::as_str).join(", ");
    wish.events
        .iter()
        .map(|text| EventKind::parse(text).ok_or_else(|| anyhow!("events: {text:?} is none of {}", known())))
        .collect()
}
