//! Users and teams, as members name them: a user by its bare name, a team as `team:<slug>`.

use crate::{
    domain::{share::Principal, team::Team, user::User},
    error::Result,
    id::WorkspaceId,
    store::Conn,
};

/// A user or a team that is there.
#[derive(Debug, Clone)]
pub enum Known {
    /// A user.
    User(User),
    /// A team.
    Team(Team),
}

impl Known {
    /// As shares and owners refer to it.
    pub fn principal(&self) -> Principal {
        match self {
            Self::User(user) => Principal::User(user.id.clone()),
            Self::Team(team) => Principal::Team(team.id.clone()),
        }
    }

    /// As members write it. User names have no colon, so no name of a user reads as a team.
    pub fn id(&self) -> String {
        match self {
            Self::User(user) => user.username.clone(),
            Self::Team(team) => format!("team:{}", team.id),
        }
    }

    /// What it is: `user` or `team`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Team(_) => "team",
        }
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        match self {
            Self::User(user) => user.display_name.as_deref().unwrap_or(&user.username),
            Self::Team(team) => &team.name,
        }
    }
}

/// Reads what a member wrote: a user's name, bare or as `user:<name>`, or a team's slug as `team:<slug>`, or bare
/// where no user has that name. `None` when the workspace has no such user or team.
pub async fn resolve(conn: &mut Conn, ws: &WorkspaceId, text: &str) -> Result<Option<Known>> {
    let (users, teams) = match text.split_once(':') {
        None => (Some(text), Some(text)),
        Some(("user", name)) => (Some(name), None),
        Some(("team", slug)) => (None, Some(slug)),
        Some(_) => (None, None),
    };
    if let Some(name) = users
        && let Some(user) = conn.user_by_name(ws, name).await?
    {
        return Ok(Some(Known::User(user)));
    }
    let Some(slug) = teams else { return Ok(None) };
    Ok(conn.team(ws, slug).await?.map(Known::Team))
}

/// Who a principal is; `None` when it is gone.
pub async fn known(conn: &mut Conn, ws: &WorkspaceId, principal: &Principal) -> Result<Option<Known>> {
    match principal {
        Principal::User(id) => Ok(conn.user(ws, id).await?.map(Known::User)),
        Principal::Team(slug) => Ok(conn.team(ws, slug).await?.map(Known::Team)),
    }
}
