//! The API keys of one workspace, made what the file says. The operator chose their texts; only hashes are kept.

use anyhow::{Context as _, anyhow};
use claviger_engine::{
    domain::{
        api_key::{ApiKey, Scope},
        workspace::Workspace,
    },
    setup::{self, Change, NewApiKey},
    vault::hash,
};

use super::{file, plan::Steps};

/// API keys. A key is found by its name; one with another text replaces it, and the old one is revoked.
/// The new one keeps the old one's limit to an integration.
pub(super) async fn apply(
    to: &mut Change<'_>,
    workspace: &Workspace,
    wishes: &[file::ApiKey],
    prune: bool,
    steps: &mut Steps,
) -> anyhow::Result<()> {
    let there = to.conn.api_keys(&workspace.id).await?;
    let live: Vec<&ApiKey> = there.iter().filter(|key| key.revoked_at.is_none()).collect();
    for wish in wishes {
        let name = format!("workspace {}: API key {}", workspace.client_id, wish.name);
        let scopes = scopes(wish).with_context(|| name.clone())?;
        let text = wish.secret.as_ref().ok_or_else(|| anyhow!("{name}: secret is missing"))?;
        let wanted = hash::token(text.expose());
        let named: Vec<_> = live.iter().filter(|key| key.name == wish.name).collect();
        if let Some(same) = named.iter().find(|key| hash::same(&key.hash, &wanted)) {
            if same.scopes != scopes {
                to.conn.set_api_key_scopes(&workspace.id, &same.id, &scopes).await?;
                steps.changed(&name, &["scopes"]);
            }
            continue;
        }
        for old in &named {
            to.conn.revoke_api_key(&workspace.id, &old.id, to.now).await?;
        }
        // The file can't say it, so a limit that was set otherwise stays.
        let integration_id = named.iter().find_map(|old| old.integration_id.clone());
        let new = NewApiKey { name: wish.name.clone(), scopes, integration_id, expires_at: None };
        setup::given_api_key(to, &workspace.id, new, text).await.with_context(|| name.clone())?;
        if named.is_empty() { steps.made(&name) } else { steps.changed(&name, &["replaced"]) }
    }
    for old in live.iter().filter(|key| prune && !wishes.iter().any(|w| w.name == key.name)) {
        to.conn.revoke_api_key(&workspace.id, &old.id, to.now).await?;
        steps.removed(format_args!("workspace {}: API key {} (revoked)", workspace.client_id, old.name));
    }
    Ok(())
}

fn scopes(wish: &file::ApiKey) -> anyhow::Result<Vec<Scope>> {
    let known = || Scope::ALL.map(Scope::as_str).join(", ");
    let parse =
        |text: &String| Scope::parse(text).ok_or_else(|| anyhow!("scopes: {text:?} is none of {}", known()));
    match wish.scopes.as_deref() {
        None => Ok(vec![Scope::Management, Scope::Proxy]),
        Some(texts) => texts.iter().map(parse).collect(),
    }
}
