//! Teams and who is in them.

use super::{Conn, statement::sql};
use crate::{
    error::Result,
    id::{UserId, WorkspaceId},
};

impl Conn {
    /// The slugs of a user's teams.
    pub async fn teams_of(&mut self, ws: &WorkspaceId, user: &UserId) -> Result<Vec<String>> {
        let query = sql("select team_id from team_member where workspace_id = $1 and user_id = $2 \
                         order by created_at, team_id");
        let rows = self.rows(query.text(ws.as_str()).text(user.as_str())).await?;
        rows.iter().map(|row| row.text("team_id")).collect()
    }
}
