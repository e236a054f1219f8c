//! Revocations at providers, with their outcome; they stay when the connection is gone.

use super::{
    Conn, Page,
    statement::{Row, sql},
};
use crate::{
    domain::revocation::Revocation,
    error::Result,
    id::{ConnectionId, IntegrationId, RevocationId, WorkspaceId},
    time::Millis,
};

impl Conn {
    /// Keeps what came of a revocation. `detail` is the provider's words, without secrets.
    #[expect(clippy::too_many_arguments, reason = "a row's columns, written in one place")]
    pub async fn create_revocation(
        &mut self,
        ws: &WorkspaceId,
        id: &RevocationId,
        connection: &ConnectionId,
        integration: &IntegrationId,
        outcome: &str,
        detail: &str,
        at: Millis,
    ) -> Result<()> {
        let insert =
            sql("insert into revocation (id, workspace_id, connection_id, integration_id, outcome, detail, \
                          at) values ($1, $2, $3, $4, $5, $6, $7)");
        let insert = insert.text(id.as_str()).text(ws.as_str()).text(connection.as_str());
        let insert = insert.text(integration.as_str()).text(outcome).text(detail).at(at);
        self.execute(insert).await.map(drop)
    }

    /// What last became of a connection's grant.
    pub async fn revocation_of(
        &mut self,
        ws: &WorkspaceId,
        connection: &ConnectionId,
    ) -> Result<Option<Revocation>> {
        let query = sql("select * from revocation where workspace_id = $1 and connection_id = $2 \
                         order by at desc, id desc limit 1");
        self.row(query.text(ws.as_str()).text(connection.as_str())).await?.as_ref().map(read).transpose()
    }

    /// The workspace's revocations, newest first.
    pub async fn revocations(&mut self, ws: &WorkspaceId, page: &Page) -> Result<Vec<Revocation>> {
        let query = sql("select * from revocation where workspace_id = $1 order by at desc, id desc \
                         limit $2 offset $3");
        let query = query.text(ws.as_str()).int(page.limit).int(page.offset);
        self.rows(query).await?.iter().map(read).collect()
    }
}

fn read(row: &Row) -> Result<Revocation> {
    Ok(Revocation {
        id: row.id("id", RevocationId::from_row)?,
        workspace_id: row.id("workspace_id", WorkspaceId::from_row)?,
        connection_id: row.id("connection_id", ConnectionId::from_row)?,
        integration_id: row.id("integration_id", IntegrationId::from_row)?,
        outcome: row.text("outcome")?,
        detail: row.text("detail")?,
        at: row.at("at")?,
    })
}
