//! The public keys of one workspace that its product's tokens are verified with, made what the file says.

use anyhow::{Context as _, anyhow};
use claviger_engine::{
    domain::workspace::Workspace,
    setup::{self, Change, NewJwtKey},
};

use super::{file, plan::Steps};

/// Public keys. A key is found by its name; another one, or one for another algorithm, takes its place.
pub(super) async fn apply(
    to: &mut Change<'_>,
    workspace: &Workspace,
    wishes: &[file::JwtKey],
    prune: bool,
    steps: &mut Steps,
) -> anyhow::Result<()> {
    let there = to.conn.jwt_keys(&workspace.id).await?;
    // Room is made first: there may be only so many.
    for old in there.iter().filter(|key| prune && !wishes.iter().any(|w| w.name == key.name)) {
        to.conn.delete_jwt_key(&workspace.id, &old.id).await?;
        steps.removed(format_args!("workspace {}: JWT key {}", workspace.client_id, old.name));
    }
    for wish in wishes {
        let name = format!("workspace {}: JWT key {}", workspace.client_id, wish.name);
        let text = wish.public_key.as_ref().ok_or_else(|| anyhow!("{name}: public_key is missing"))?;
        let new = NewJwtKey {
            name: wish.name.clone(),
            algorithm: wish.algorithm,
            public_key: text.expose().to_owned(),
        };
        let new = setup::check_jwt_key(&new).with_context(|| name.clone())?;
        let old = there.iter().find(|key| key.name == wish.name);
        if old.is_some_and(|old| (old.algorithm, &old.public_key) == (new.algorithm, &new.public_key)) {
            continue;
        }
        if let Some(old) = old {
            to.conn.delete_jwt_key(&workspace.id, &old.id).await?;
        }
        setup::jwt_key(to, &workspace.id, &new).await.with_context(|| name.clone())?;
        if old.is_none() { steps.made(&name) } else { steps.changed(&name, &["replaced"]) }
    }
    Ok(())
}
