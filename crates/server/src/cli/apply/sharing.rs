//! Whom the integrations of one workspace belong to and with whom they are shared, made what the file says. What it
//! does not say is left as it is.

use anyhow::{Context as _, anyhow};
use claviger_engine::{
    domain::{
        integration::Integration,
        share::{Level, Principal},
        workspace::Workspace,
    },
    member::principal,
    setup::Change,
    store::Page,
};

use super::{file, plan::Steps};

/// More shares than an integration has.
const ALL: Page = Page { offset: 0, limit: 1_000_000 };

pub(super) async fn apply(
    to: &mut Change<'_>,
    workspace: &Workspace,
    wishes: &[file::Integration],
    prune: bool,
    steps: &mut Steps,
) -> anyhow::Result<()> {
    for wish in wishes.iter().filter(|wish| wish.owner.is_some() || wish.shares.is_some()) {
        let name = format!("workspace {}: integration {}", workspace.client_id, wish.key);
        let there = to.conn.integration_by_selector(&workspace.id, &wish.key).await?;
        let there = there.with_context(|| name.clone())?;
        if let Some(owner) = &wish.owner {
            let wanted = principal(to, workspace, owner).await.with_context(|| format!("{name}: owner"))?;
            if there.owner.as_ref() != Some(&wanted) {
                to.conn.set_integration_owner(&workspace.id, &there.id, Some(&wanted)).await?;
                steps.changed(&name, &["owner"]);
            }
        }
        if let Some(wanted) = &wish.shares {
            shares(to, workspace, &there, wanted, prune, steps).await.with_context(|| name.clone())?;
        }
    }
    Ok(())
}

async fn shares(
    to: &mut Change<'_>,
    workspace: &Workspace,
    integration: &Integration,
    wishes: &[file::Share],
    prune: bool,
    steps: &mut Steps,
) -> anyhow::Result<()> {
    let name = format!("workspace {}: integration {}", workspace.client_id, integration.key);
    let there = to.conn.shares(&workspace.id, &integration.id, &ALL).await?;
    let mut wanted: Vec<(Principal, Level)> = Vec::new();
    for (n, wish) in wishes.iter().enumerate() {
        let found = principal(to, workspace, &wish.principal).await;
        let found = found.with_context(|| format!("shares[{n}].principal"))?;
        anyhow::ensure!(
            !wanted.iter().any(|(other, _)| *other == found),
            "shares[{n}].principal: {:?} is named twice",
            wish.principal
        );
        wanted.push((found, wish.level.into()));
    }
    for ((principal, level), wish) in wanted.iter().zip(wishes) {
        let was = there.iter().find(|share| share.principal == *principal);
        if was.is_some_and(|share| share.level == *level) {
            continue;
        }
        to.conn.set_share(&workspace.id, &integration.id, principal, *level).await?;
        let with = format!("{name}: shared with {}", wish.principal);
        if was.is_some() { steps.changed(with, &["level"]) } else { steps.made(with) }
    }
    for was in there.iter().filter(|was| prune && !wanted.iter().any(|(it, _)| *it == was.principal)) {
        let known = principal::known(to.conn, &workspace.id, &was.principal).await?;
        let with = known.map_or_else(|| was.principal.to_text(), |known| known.id());
        to.conn.delete_share(&workspace.id, &integration.id, &was.principal).await?;
        steps.removed(format_args!("{name}: shared with {with}"));
    }
    Ok(())
}

/// Who is meant: a user by name, or `team:` and a team's slug.
async fn principal(to: &mut Change<'_>, workspace: &Workspace, text: &str) -> anyhow::Result<Principal> {
    let found = principal::resolve(to.conn, &workspace.id, text).await?;
    let missing = || anyhow!("there is no user and no team {text:?} in this workspace (alice, team:ops)");
    Ok(found.ok_or_else(missing)?.principal())
}
