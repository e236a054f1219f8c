//! Teams and who is in them.
//!
//! Who joins or leaves a team reaches other integrations from then on, so its user is noted as changed too.

use super::{
    Conn, Page, Topic,
    conn::found,
    statement::{Row, sql},
    user,
};
use crate::{
    domain::{share::Principal, team::Team, user::User},
    error::Result,
    id::{UserId, WorkspaceId},
};

impl Conn {
    /// Keeps a new team. [`crate::error::Error::Conflict`] when its slug is taken in the workspace.
    pub async fn create_team(&mut self, ws: &WorkspaceId, team: &Team) -> Result<()> {
        let insert = sql("insert into team (workspace_id, id, name, created_at, updated_at) \
                          values ($1, $2, $3, $4, $5)");
        let insert = insert.text(ws.as_str()).text(&team.id).text(&team.name);
        self.execute(insert.at(team.created_at).at(team.updated_at)).await?;
        self.sign(Some(ws), Topic::Team, "team.create", &team.id).await
    }

    /// A team by its slug.
    pub async fn team(&mut self, ws: &WorkspaceId, slug: &str) -> Result<Option<Team>> {
        let query = sql("select * from team where workspace_id = $1 and id = $2");
        self.row(query.text(ws.as_str()).key(slug)).await?.as_ref().map(read).transpose()
    }

    /// The workspace's teams, oldest first.
    pub async fn teams(&mut self, ws: &WorkspaceId, page: &Page) -> Result<Vec<Team>> {
        let query = sql("select * from team where workspace_id = $1 order by created_at, id \
                         limit $2 offset $3");
        let query = query.text(ws.as_str()).int(page.limit).int(page.offset);
        self.rows(query).await?.iter().map(read).collect()
    }

    /// Calls a team something else.
    pub async fn set_team_name(&mut self, ws: &WorkspaceId, slug: &str, name: &str) -> Result<()> {
        let update = sql("update team set name = $3, updated_at = $4 where workspace_id = $1 and id = $2");
        let update = update.text(ws.as_str()).key(slug).text(name).at(self.now);
        found(self.execute(update).await?, "team")?;
        self.sign(Some(ws), Topic::Team, "team.update", slug).await
    }

    /// Removes a team with its shares; `false` when there was none. What it owned is nobody's from then on.
    pub async fn delete_team(&mut self, ws: &WorkspaceId, slug: &str) -> Result<bool> {
        let members = sql("select user_id from team_member where workspace_id = $1 and team_id = $2");
        let members = self.rows(members.text(ws.as_str()).key(slug)).await?;
        // First of all: whoever is making it an owner has ended by the time that this goes through, and whoever
        // comes later finds no team.
        let delete = sql("delete from team where workspace_id = $1 and id = $2");
        if self.execute(delete.text(ws.as_str()).key(slug)).await? == 0 {
            return Ok(false);
        }
        for member in members {
            self.note(Some(ws), Topic::User, &member.text("user_id")?);
        }
        let update = sql("update integration set owner = null, updated_at = $3 \
                          where workspace_id = $1 and owner = $2 returning id");
        let owner = Principal::Team(slug.to_owned()).to_text();
        for row in self.changed_rows(update.text(ws.as_str()).key(owner).at(self.now)).await? {
            self.sign(Some(ws), Topic::Integration, "integration.owner", &row.text("id")?).await?;
        }
        self.sign(Some(ws), Topic::Team, "team.delete", slug).await?;
        Ok(true)
    }

    /// Whether there is such a team; if so, nobody removes it until this unit of work ends.
    pub(super) async fn hold_team(&mut self, ws: &WorkspaceId, slug: &str) -> Result<bool> {
        let update = sql("update team set updated_at = updated_at where workspace_id = $1 and id = $2");
        Ok(self.execute(update.text(ws.as_str()).key(slug)).await? > 0)
    }

    /// Puts a user into a team; `false` when it is there already. [`crate::error::Error::Conflict`] when either
    /// does not exist.
    pub async fn add_team_member(&mut self, ws: &WorkspaceId, slug: &str, user: &UserId) -> Result<bool> {
        let insert = sql("insert into team_member (workspace_id, team_id, user_id, created_at) \
                          values ($1, $2, $3, $4) on conflict (workspace_id, team_id, user_id) do nothing");
        let insert = insert.text(ws.as_str()).key(slug).text(user.as_str()).at(self.now);
        let added = self.execute(insert).await? > 0;
        self.membership(ws, slug, user, added.then_some("team.add")).await?;
        Ok(added)
    }

    /// Takes a user out of a team; `false` when it was not in it.
    pub async fn remove_team_member(&mut self, ws: &WorkspaceId, slug: &str, user: &UserId) -> Result<bool> {
        let delete = sql("delete from team_member where workspace_id = $1 and team_id = $2 and user_id = $3");
        let removed = self.execute(delete.text(ws.as_str()).key(slug).text(user.as_str())).await? > 0;
        self.membership(ws, slug, user, removed.then_some("team.remove")).await?;
        Ok(removed)
    }

    /// Who is in a team, by when they joined.
    pub async fn team_members(&mut self, ws: &WorkspaceId, slug: &str, page: &Page) -> Result<Vec<User>> {
        let query = sql("select u.* from team_member m join app_user u \
                         on u.workspace_id = m.workspace_id and u.id = m.user_id \
                         where m.workspace_id = $1 and m.team_id = $2 order by m.created_at, u.id \
                         limit $3 offset $4");
        let query = query.text(ws.as_str()).key(slug).int(page.limit).int(page.offset);
        self.rows(query).await?.iter().map(user::read).collect()
    }

    /// The slugs of a user's teams.
    pub async fn teams_of(&mut self, ws: &WorkspaceId, user: &UserId) -> Result<Vec<String>> {
        let query = sql("select team_id from team_member where workspace_id = $1 and user_id = $2 \
                         order by created_at, team_id");
        let rows = self.rows(query.text(ws.as_str()).text(user.as_str())).await?;
        rows.iter().map(|row| row.text("team_id")).collect()
    }

    async fn membership(
        &mut self,
        ws: &WorkspaceId,
        slug: &str,
        user: &UserId,
        verb: Option<&'static str>,
    ) -> Result<()> {
        let Some(verb) = verb else { return Ok(()) };
        self.note(Some(ws), Topic::User, user.as_str());
        self.audit(Some(ws), verb, &format!("{slug} {user}")).await
    }
}

fn read(row: &Row) -> Result<Team> {
    Ok(Team {
        id: row.text("id")?,
        workspace_id: row.id("workspace_id", WorkspaceId::from_row)?,
        name: row.text("name")?,
        created_at: row.at("created_at")?,
        updated_at: row.at("updated_at")?,
    })
}
