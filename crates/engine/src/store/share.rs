//! Shares of integrations with users and teams.

use super::{Conn, statement::sql};
use crate::{
    domain::share::Level,
    error::Result,
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
}
