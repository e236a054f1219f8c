//! Teams: made, renamed, and who is in them.

use super::{Change, check};
use crate::{
    domain::{team::Team, user::User},
    error::{Error, Result},
    id::WorkspaceId,
};

/// Makes a team, with nobody in it.
///
/// # Errors
/// `Invalid` for a bad slug or name; `Conflict` when the slug is taken.
pub async fn team(to: &mut Change<'_>, workspace: &WorkspaceId, slug: &str, name: &str) -> Result<Team> {
    check::team(slug)?;
    let team = Team {
        id: slug.to_owned(),
        workspace_id: workspace.clone(),
        name: check::name("name", name)?,
        created_at: to.now,
        updated_at: to.now,
    };
    to.conn.create_team(workspace, &team).await?;
    Ok(team)
}

/// Calls a team something else. `false` when that is its name already.
///
/// # Errors
/// `Invalid` for a bad name, `NotFound` when there is no such team.
pub async fn rename_team(
    to: &mut Change<'_>,
    workspace: &WorkspaceId,
    slug: &str,
    name: &str,
) -> Result<bool> {
    let name = check::name("name", name)?;
    if find(to, workspace, slug).await?.name == name {
        return Ok(false);
    }
    to.conn.set_team_name(workspace, slug, &name).await?;
    Ok(true)
}

/// Puts a user into a team. `false` when it is there already.
///
/// # Errors
/// `NotFound` when there is no such team, or no user of this name.
pub async fn join_team(
    to: &mut Change<'_>,
    workspace: &WorkspaceId,
    slug: &str,
    username: &str,
) -> Result<bool> {
    let team = find(to, workspace, slug).await?;
    let user = user(to, workspace, username).await?;
    to.conn.add_team_member(workspace, &team.id, &user.id).await
}

/// Takes a user out of a team. `false` when it was not in it.
///
/// # Errors
/// As [`join_team`].
pub async fn leave_team(
    to: &mut Change<'_>,
    workspace: &WorkspaceId,
    slug: &str,
    username: &str,
) -> Result<bool> {
    let team = find(to, workspace, slug).await?;
    let user = user(to, workspace, username).await?;
    to.conn.remove_team_member(workspace, &team.id, &user.id).await
}

async fn find(to: &mut Change<'_>, workspace: &WorkspaceId, slug: &str) -> Result<Team> {
    to.conn.team(workspace, slug).await?.ok_or(Error::NotFound { what: "team" })
}

async fn user(to: &mut Change<'_>, workspace: &WorkspaceId, username: &str) -> Result<User> {
    to.conn.user_by_name(workspace, username).await?.ok_or(Error::NotFound { what: "user" })
}
