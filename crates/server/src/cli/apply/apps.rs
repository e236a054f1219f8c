//! The OAuth apps that one workspace is lent, made what the file says.
//!
//! What is pruned goes once no integration names it any more.

use anyhow::Context as _;
use claviger_engine::{
    domain::workspace::Workspace,
    secret::Secret,
    setup::{self, Change, NewOauthApp},
};

use super::{file, plan::Steps};

pub(super) async fn apply(
    to: &mut Change<'_>,
    workspace: &Workspace,
    wishes: &[file::App],
    steps: &mut Steps,
) -> anyhow::Result<()> {
    for wish in wishes {
        let name = name(workspace, &wish.key);
        let asked = NewOauthApp {
            key: wish.key.clone(),
            provider: wish.provider.clone(),
            client_id: wish.client_id.as_ref().map(Secret::expose).unwrap_or_default().to_owned(),
            client_secret: wish.client_secret.clone(),
        };
        match to.conn.oauth_app(&workspace.id, &wish.key).await? {
            None => {
                setup::oauth_app(to, &workspace.id, asked).await.with_context(|| name.clone())?;
                steps.made(name);
            }
            Some(was) => {
                let fields = setup::update_oauth_app(to, &was, asked).await.with_context(|| name.clone())?;
                steps.changed(name, &fields);
            }
        }
    }
    Ok(())
}

/// Takes back what the file does not name.
pub(super) async fn prune(
    to: &mut Change<'_>,
    workspace: &Workspace,
    wishes: &[file::App],
    steps: &mut Steps,
) -> anyhow::Result<()> {
    for was in to.conn.oauth_apps(&workspace.id).await? {
        if !wishes.iter().any(|wish| wish.key == was.key) {
            let name = name(workspace, &was.key);
            to.conn.delete_oauth_app(&workspace.id, &was).await.with_context(|| name.clone())?;
            steps.removed(name);
        }
    }
    Ok(())
}

fn name(workspace: &Workspace, key: &str) -> String {
    format!("workspace {}: app {key}", workspace.client_id)
}
