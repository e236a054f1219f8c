//! Shares of integrations with users and teams, and whom an integration belongs to.

use super::{
    Conn, Page, Topic,
    conn::found,
    fault::unreadable,
    statement::{Row, sql},
};
use crate::{
    domain::share::{Level, Principal, Share},
    error::{Error, Result},
    id::{IntegrationId, UserId, WorkspaceId},
};

impl Conn {
    /// How far an integration is shared with a user, by itself or through its teams; `None` when it is not.
    pub async fn share_level(
        &mut self,
        ws: &WorkspaceId,
        integration: &IntegrationId,
        user: &UserId,
    ) -> Result<Option<Level>> {
        let query = sql("select max(s.level) as level from integration_share s \
                         where s.workspace_id = $1 and s.integration_id = $2 and (s.user_id = $3 or exists ( \
                         select 1 from team_member m where m.workspace_id = s.workspace_id \
                         and m.team_id = s.team_id and m.user_id = $3))");
        let query = query.text(ws.as_str()).text(integration.as_str()).text(user.as_str());
        let Some(row) = self.row(query).await? else { return Ok(None) };
        Ok(row.maybe_int("level")?.and_then(Level::parse))
    }

    /// With whom an integration is shared, longest first.
    pub async fn shares(
        &mut self,
        ws: &WorkspaceId,
        integration: &IntegrationId,
        page: &Page,
    ) -> Result<Vec<Share>> {
        let query = sql("select * from integration_share where workspace_id = $1 and integration_id = $2 \
                         order by created_at, principal limit $3 offset $4");
        let query = query.text(ws.as_str()).text(integration.as_str()).int(page.limit).int(page.offset);
        self.rows(query).await?.iter().map(read).collect()
    }

    /// With how many users and teams an integration is shared.
    pub async fn count_shares(&mut self, ws: &WorkspaceId, integration: &IntegrationId) -> Result<i64> {
        let query = sql("select count(*) as shares from integration_share \
                         where workspace_id = $1 and integration_id = $2");
        let row = self.row(query.text(ws.as_str()).text(integration.as_str())).await?;
        row.map_or(Ok(0), |row| row.int("shares"))
    }

    /// The share of an integration with one user or team; what reaches a user through its teams is not looked at.
    pub async fn share(
        &mut self,
        ws: &WorkspaceId,
        integration: &IntegrationId,
        principal: &Principal,
    ) -> Result<Option<Share>> {
        let query = sql("select * from integration_share \
                         where workspace_id = $1 and integration_id = $2 and principal = $3");
        let query = query.text(ws.as_str()).text(integration.as_str()).key(principal.to_text());
        self.row(query).await?.as_ref().map(read).transpose()
    }

    /// Shares an integration, or changes how far. [`Error::Conflict`] when either side does not exist.
    pub async fn set_share(
        &mut self,
        ws: &WorkspaceId,
        integration: &IntegrationId,
        principal: &Principal,
        level: Level,
    ) -> Result<Share> {
        let upsert = sql("insert into integration_share (workspace_id, integration_id, principal, user_id, \
                          team_id, level, created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7, $7) \
                          on conflict (workspace_id, integration_id, principal) \
                          do update set level = excluded.level, updated_at = excluded.updated_at \
                          returning *");
        let (user, team) = match principal {
            Principal::User(id) => (Some(id.as_str()), None),
            Principal::Team(slug) => (None, Some(slug.as_str())),
        };
        let upsert = upsert.text(ws.as_str()).text(integration.as_str()).text(principal.to_text());
        let upsert = upsert.maybe_text(user).maybe_text(team).int(level.number()).at(self.now);
        let row = self.changed_row(upsert).await?;
        let row = row.ok_or_else(|| Error::internal("a share was not written"))?;
        self.note(Some(ws), Topic::Integration, integration.as_str());
        self.audit(Some(ws), "integration.share", &shared(integration, principal)).await?;
        read(&row)
    }

    /// Ends a share; `false` when there was none.
    pub async fn delete_share(
        &mut self,
        ws: &WorkspaceId,
        integration: &IntegrationId,
        principal: &Principal,
    ) -> Result<bool> {
        let delete = sql("delete from integration_share \
                          where workspace_id = $1 and integration_id = $2 and principal = $3");
        let delete = delete.text(ws.as_str()).text(integration.as_str()).key(principal.to_text());
        if self.execute(delete).await? == 0 {
            return Ok(false);
        }
        self.note(Some(ws), Topic::Integration, integration.as_str());
        self.audit(Some(ws), "integration.unshare", &shared(integration, principal)).await?;
        Ok(true)
    }

    /// Says whom an integration belongs to. Its configuration stays as it is, so flows under way go on.
    /// `NotFound` when the integration or the owner to be does not exist.
    pub async fn set_integration_owner(
        &mut self,
        ws: &WorkspaceId,
        integration: &IntegrationId,
        owner: Option<&Principal>,
    ) -> Result<()> {
        match owner {
            None => {}
            Some(Principal::Team(slug)) => found(self.hold_team(ws, slug).await?.into(), "team")?,
            Some(Principal::User(id)) => found(self.user(ws, id).await?.is_some().into(), "user")?,
        }
        let update = sql("update integration set owner = $3, updated_at = $4 \
                          where workspace_id = $1 and id = $2");
        let update = update.text(ws.as_str()).text(integration.as_str());
        let update = update.maybe_text(owner.map(Principal::to_text)).at(self.now);
        found(self.execute(update).await?, "integration")?;
        self.sign(Some(ws), Topic::Integration, "integration.owner", integration.as_str()).await
    }
}

/// What the audit log says was shared.
fn shared(integration: &IntegrationId, principal: &Principal) -> String {
    format!("{integration} {}", principal.to_text())
}

fn read(row: &Row) -> Result<Share> {
    Ok(Share {
        workspace_id: row.id("workspace_id", WorkspaceId::from_row)?,
        integration_id: row.id("integration_id", IntegrationId::from_row)?,
        principal: row.word("principal", Principal::parse)?,
        level: Level::parse(row.int("level")?).ok_or_else(|| unreadable("level"))?,
        created_at: row.at("created_at")?,
        updated_at: row.at("updated_at")?,
    })
}
