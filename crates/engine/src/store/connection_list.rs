//! Connections, as a user's list shows them: over all integrations that it sees, each with what a list says of its
//! integration.
//!
//! Who sees which integration is [`crate::access::rights`]'s rule once more, as a condition; which connection is a user's
//! is [`Owner::member`](crate::domain::connection::Owner::member)'s.

use super::{
    Conn, Page,
    connection::read,
    statement::{Statement, sql},
};
use crate::{
    domain::{connection::Connection, share::Principal},
    error::Result,
    id::{UserId, WorkspaceId},
};

/// A connection, and what a list says of its integration.
#[derive(Debug, Clone)]
pub struct ListedConnection {
    /// The connection.
    pub connection: Connection,
    /// The integration's name.
    pub name: String,
    /// The key of the integration's provider.
    pub provider: String,
}

/// Whose list it is.
#[derive(Debug, Clone, Copy)]
pub struct Viewer<'a> {
    /// The user's name, as connections have it.
    pub username: &'a str,
    /// Its id; `None` for a user that sees every integration.
    pub sees_as: Option<&'a UserId>,
}

/// Which connections: `$2` is the user's name, `$3` its principal and `$4` its id where it does not see everything. Each
/// kind is looked for by itself, so that neither reads the whole workspace.
macro_rules! which {
    () => {
        "from (select * from connection where workspace_id = $1 and owner_kind = 'user' and owner_key = $2 \
         union all select * from connection where workspace_id = $1 and owner_kind = 'shared') c \
         join integration i on i.workspace_id = c.workspace_id and i.id = c.integration_id \
         and i.mode = case c.owner_kind when 'user' then 'per-user' else 'shared' end \
         where ($3 is null or i.owner = $3 \
         or i.owner in (select 'team:' || m.team_id from team_member m \
         where m.workspace_id = $1 and m.user_id = $4) \
         or exists (select 1 from integration_share s where s.workspace_id = i.workspace_id \
         and s.integration_id = i.id and (s.user_id = $4 or exists (select 1 from team_member m \
         where m.workspace_id = s.workspace_id and m.team_id = s.team_id and m.user_id = $4))))"
    };
}

/// A stretch of them, newest first. The sum keeps SQLite from reading the whole workspace in this order, to leave most of
/// it out again.
pub(super) const LISTED: &str = concat!(
    "select c.*, i.name as integration_name, i.provider as integration_provider ",
    which!(),
    " order by c.created_at + 0 desc, c.id desc limit $5 offset $6"
);
const COUNTED: &str = concat!("select count(*) as n ", which!());

impl Conn {
    /// The connections that a user may use, newest first: its own, and those for all of the shared integrations it
    /// sees.
    pub async fn connections_for(
        &mut self,
        ws: &WorkspaceId,
        viewer: &Viewer<'_>,
        page: &Page,
    ) -> Result<Vec<ListedConnection>> {
        let query = viewer.fill(sql(LISTED), ws).int(page.limit).int(page.offset);
        let listed = self.rows(query).await?.into_iter().map(|row| {
            Ok(ListedConnection {
                connection: read(&row)?,
                name: row.text("integration_name")?,
                provider: row.text("integration_provider")?,
            })
        });
        listed.collect()
    }

    /// How many those are in all.
    pub async fn count_connections_for(&mut self, ws: &WorkspaceId, viewer: &Viewer<'_>) -> Result<i64> {
        self.row(viewer.fill(sql(COUNTED), ws)).await?.map_or(Ok(0), |row| row.int("n"))
    }
}

impl Viewer<'_> {
    fn fill(&self, query: Statement, ws: &WorkspaceId) -> Statement {
        let principal = self.sees_as.map(|id| Principal::User(id.clone()).to_text());
        let query = query.text(ws.as_str()).key(self.username).maybe_text(principal);
        query.maybe_text(self.sees_as.map(UserId::as_str))
    }
}
