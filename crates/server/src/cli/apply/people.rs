//! The users and teams of one workspace, made what the file says.

use anyhow::Context as _;
use claviger_engine::{
    domain::{user::User, workspace::Workspace},
    setup::{self, Change, NewUser, UserEdit},
    store::Page,
    vault::hash,
};

use super::{file, plan::Steps};

/// More users or teams than a file is for.
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
                let disable = UserEdit { disabled: Some(true), ..UserEdit::default() };
                setup::update_user(to, was, disable).await?;
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
        display_name: wish.display_name.clone(),
        email: wish.email.clone(),
        password: wish.password.clone(),
        superuser: wish.superuser,
        permissions: wish.permissions.clone(),
    };
    let made = setup::user(to, &workspace.id, new).await?;
    let edit = UserEdit { disabled: Some(wish.disabled), ..UserEdit::default() };
    setup::update_user(to, &made, edit).await?;
    Ok(())
}

async fn update_user(
    to: &mut Change<'_>,
    was: &User,
    wish: &file::User,
) -> anyhow::Result<Vec<&'static str>> {
    let matches =
        |plain| was.password_hash.as_deref().is_some_and(|hash| hash::password_matches(plain, hash));
    let edit = UserEdit {
        display_name: wish.display_name.clone(),
        email: wish.email.clone(),
        password_hash: match &wish.password {
            Some(plain) if !matches(plain) => Some(setup::password_hash(plain.clone()).await?),
            _ => None,
        },
        superuser: Some(wish.superuser),
        permissions: Some(wish.permissions.clone()),
        disabled: Some(wish.disabled),
    };
    let now = setup::update_user(to, was, edit).await?;
    let mut fields = Vec::new();
    for (field, differs) in [
        ("display_name", now.display_name != was.display_name),
        ("email", now.email != was.email),
        ("superuser", now.superuser != was.superuser),
        ("permissions", sorted(&now.permissions) != sorted(&was.permissions)),
        ("disabled", now.disabled_at.is_some() != was.disabled_at.is_some()),
        ("password", now.password_hash != was.password_hash),
    ] {
        if differs {
            fields.push(field);
        }
    }
    Ok(fields)
}

fn sorted(names: &[String]) -> Vec<String> {
    let mut sorted = names.to_vec();
    sorted.sort();
    sorted
}

/// Teams, with who is in them. One that is removed takes its shares with it.
pub(super) async fn teams(
    to: &mut Change<'_>,
    workspace: &Workspace,
    wishes: &[file::Team],
    prune: bool,
    steps: &mut Steps,
) -> anyhow::Result<()> {
    for wish in wishes {
        let name = format!("workspace {}: team {}", workspace.client_id, wish.id);
        match to.conn.team(&workspace.id, &wish.id).await? {
            None => {
                let called = wish.name.as_deref().unwrap_or(&wish.id);
                setup::team(to, &workspace.id, &wish.id, called).await.with_context(|| name.clone())?;
                steps.made(&name);
            }
            Some(_) => {
                if let Some(called) = &wish.name {
                    let renamed = setup::rename_team(to, &workspace.id, &wish.id, called).await;
                    let field: &[&str] = if renamed.with_context(|| name.clone())? { &["name"] } else { &[] };
                    steps.changed(&name, field);
                }
            }
        }
        if let Some(wanted) = &wish.members {
            members(to, workspace, &wish.id, wanted, prune, steps).await.with_context(|| name.clone())?;
        }
    }
    if prune {
        for was in to.conn.teams(&workspace.id, &ALL).await? {
            if !wishes.iter().any(|wish| wish.id == was.id) {
                to.conn.delete_team(&workspace.id, &was.id).await?;
                steps.removed(format_args!("workspace {}: team {}", workspace.client_id, was.id));
            }
        }
    }
    Ok(())
}

async fn members(
    to: &mut Change<'_>,
    workspace: &Workspace,
    team: &str,
    wanted: &[String],
    prune: bool,
    steps: &mut Steps,
) -> anyhow::Result<()> {
    let name = format!("workspace {}: team {team}", workspace.client_id);
    for username in wanted {
        let joined = setup::join_team(to, &workspace.id, team, username).await;
        if joined.with_context(|| format!("members: {username}"))? {
            steps.made(format_args!("{name}: member {username}"));
        }
    }
    if prune {
        for was in to.conn.team_members(&workspace.id, team, &ALL).await? {
            if !wanted.iter().any(|username| username.trim().to_lowercase() == was.username.to_lowercase()) {
                to.conn.remove_team_member(&workspace.id, team, &was.id).await?;
                steps.removed(format_args!("{name}: member {}", was.username));
            }
        }
    }
    Ok(())
}
