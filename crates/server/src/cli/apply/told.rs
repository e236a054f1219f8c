//! What `apply` tells when it is done: its steps, and the callback URLs to register at the providers.

use std::iter;

use claviger_engine::{
    id::{IntegrationId, WorkspaceId},
    setup::Change,
    store::Page,
};
use serde_json::json;

use super::file;
use crate::out;

/// More integrations than a file is for.
const ALL: Page = Page { offset: 0, limit: 1_000_000 };

/// Everything that is told.
pub(super) struct Told {
    pub(super) steps: Vec<String>,
    pub(super) workspaces: Vec<Workspace>,
}

/// A workspace of the file, as it now is.
pub(super) struct Workspace {
    id: WorkspaceId,
    client_id: String,
    integrations: Vec<Integration>,
}

struct Integration {
    id: IntegrationId,
    key: String,
    /// What to register at the provider: at the public URL and at each host of the workspace. None where nobody is
    /// sent back, for the credential is typed in.
    callback_urls: Vec<String>,
}

/// The file's workspaces with their integrations.
pub(super) async fn gather(
    to: &mut Change<'_>,
    wanted: &file::Wanted,
    public_url: &str,
) -> anyhow::Result<Vec<Workspace>> {
    let mut all = Vec::new();
    for wish in &wanted.workspaces {
        let Some(there) = to.conn.any_workspace_by_client_id(&wish.client_id).await? else { continue };
        let hosts = to.conn.workspace_hosts(&there.id).await?;
        let origins =
            || iter::once(public_url).chain(hosts.iter().map(String::as_str).filter(|it| *it != public_url));
        let mut integrations = Vec::new();
        for found in to.conn.integrations(&there.id, &ALL).await? {
            let typed = to.catalog.get(&found.provider).is_some_and(|provider| provider.oauth2().is_none());
            let path = found.callback.path(&found.id);
            let callback_urls =
                origins().filter(|_| !typed).map(|origin| format!("{origin}{path}")).collect();
            integrations.push(Integration { id: found.id, key: found.key, callback_urls });
        }
        all.push(Workspace { integrations, id: there.id, client_id: there.client_id });
    }
    Ok(all)
}

impl Told {
    /// For a person.
    pub(super) fn text(&self, dry_run: bool) -> anyhow::Result<()> {
        for step in &self.steps {
            out::line(step)?;
        }
        out::line(match (self.steps.len(), dry_run) {
            (0, _) => "no change".to_owned(),
            (n, true) => format!("{n} to do; nothing was changed"),
            (n, false) => format!("{n} done"),
        })?;
        for workspace in &self.workspaces {
            for Integration { id, key, callback_urls } in &workspace.integrations {
                let register = match callback_urls.as_slice() {
                    [] => String::new(),
                    [one] => format!("; register this callback URL at the provider: {one}"),
                    all => format!("; register these callback URLs at the provider: {}", all.join(" ")),
                };
                out::line(format_args!(
                    "workspace {}: integration {key} is {id}{register}",
                    workspace.client_id
                ))?;
            }
        }
        Ok(())
    }

    /// For a program.
    pub(super) fn json(&self, dry_run: bool) -> anyhow::Result<()> {
        let integration = |i: &Integration| {
            let first = i.callback_urls.first();
            json!({ "key": i.key, "id": i.id.as_str(), "callback_url": first, "callback_urls": i.callback_urls })
        };
        let workspace = |w: &Workspace| {
            let integrations: Vec<_> = w.integrations.iter().map(integration).collect();
            json!({ "client_id": w.client_id, "id": w.id.as_str(), "integrations": integrations })
        };
        let workspaces: Vec<_> = self.workspaces.iter().map(workspace).collect();
        out::line(json!({ "steps": self.steps, "dry_run": dry_run, "workspaces": workspaces }))?;
        Ok(())
    }
}
