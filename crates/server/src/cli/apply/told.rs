//! What `apply` tells when it is done: its steps, and what to register at the providers: callback URLs, key sets.

use std::iter;

use claviger_engine::{
    connect::client_key,
    domain::integration,
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
    /// Where the provider finds our public keys, where the client authenticates, or asks, with those.
    jwks_url: Option<String>,
    /// The same for each auth option whose browsers come back elsewhere, or that has keys of its own.
    options: Vec<AuthOption>,
}

struct AuthOption {
    key: String,
    callback_urls: Vec<String>,
    jwks_url: Option<String>,
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
            let callback_urls = register(to, &found, origins());
            let mut options = Vec::new();
            for option in to.conn.auth_options(&there.id, &found.id).await? {
                let key = option.key.clone();
                let of = option.over(found.clone());
                let (mut urls, jwks_url) = (register(to, &of, origins()), keys(to, &of, public_url));
                if urls == callback_urls {
                    urls = Vec::new();
                }
                if !urls.is_empty() || jwks_url.is_some() {
                    options.push(AuthOption { key, callback_urls: urls, jwks_url });
                }
            }
            let jwks_url = keys(to, &found, public_url);
            integrations.push(Integration { id: found.id, key: found.key, callback_urls, jwks_url, options });
        }
        all.push(Workspace { integrations, id: there.id, client_id: there.client_id });
    }
    Ok(all)
}

/// What to register at an integration's provider.
fn register<'a>(
    to: &Change<'_>,
    of: &integration::Integration,
    origins: impl Iterator<Item = &'a str>,
) -> Vec<String> {
    let comes_back = to.catalog.get(&of.provider).is_none_or(|provider| provider.kind().has_callback());
    match &of.config.callback_uri {
        _ if !comes_back => Vec::new(),
        Some(uri) => vec![uri.clone()],
        None => origins.map(|origin| format!("{origin}{}", of.callback_path())).collect(),
    }
}

/// Where its provider finds our public keys, where it needs any.
fn keys(to: &Change<'_>, of: &integration::Integration, public_url: &str) -> Option<String> {
    client_key::published(public_url, &*to.catalog.get(&of.provider)?, of)
}

/// For a person: what to do about them, behind what was said.
fn wording(urls: &[String], jwks_url: Option<&String>) -> String {
    let mut said = match urls {
        [] => String::new(),
        [one] => format!("; register this callback URL at the provider: {one}"),
        all => format!("; register these callback URLs at the provider: {}", all.join(" ")),
    };
    if let Some(url) = jwks_url {
        said.push_str(&format!("; register this key set (JWKS) at the provider: {url}"));
    }
    said
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
            let client_id = &workspace.client_id;
            for Integration { id, key, callback_urls, jwks_url, options } in &workspace.integrations {
                let told = wording(callback_urls, jwks_url.as_ref());
                out::line(format_args!("workspace {client_id}: integration {key} is {id}{told}"))?;
                for AuthOption { key: option, callback_urls, jwks_url } in options {
                    let told = wording(callback_urls, jwks_url.as_ref());
                    out::line(format_args!(
                        "workspace {client_id}: integration {key}: auth option {option}{told}"
                    ))?;
                }
            }
        }
        Ok(())
    }

    /// For a program.
    pub(super) fn json(&self, dry_run: bool) -> anyhow::Result<()> {
        let integration = |i: &Integration| {
            let first = i.callback_urls.first();
            let mut told = json!({
                "key": i.key, "id": i.id.as_str(), "callback_url": first, "callback_urls": i.callback_urls,
            });
            if let Some(url) = &i.jwks_url {
                told["jwks_url"] = json!(url);
            }
            let option = |of: &AuthOption| {
                let mut told = json!({ "key": of.key, "callback_urls": of.callback_urls });
                if let Some(url) = &of.jwks_url {
                    told["jwks_url"] = json!(url);
                }
                told
            };
            if !i.options.is_empty() {
                told["auth_options"] = i.options.iter().map(option).collect();
            }
            told
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
