//! The webhook endpoints of one workspace, made what the file says.

use anyhow::{Context as _, anyhow};
use claviger_engine::{
    domain::{event::EventKind, webhook::Endpoint, workspace::Workspace},
    setup::{self, Change, NewWebhook, WebhookEdit},
    store::Page,
};

use super::{file, plan::Steps};

/// More endpoints than a workspace has.
const ALL: Page = Page { offset: 0, limit: 1_000_000 };

pub(super) async fn apply(
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
        format: wish.format.unwrap_or_default(),
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
        format: wish.format,
        secret: wish.secret.clone(),
        active: Some(!wish.disabled),
        ..WebhookEdit::default()
    };
    let now = setup::update_webhook(to, was, edit).await?;
    let mut fields = Vec::new();
    for (field, differs) in [
        ("url", now.url != was.url),
        ("events", now.events != was.events),
        ("format", now.format != was.format),
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
