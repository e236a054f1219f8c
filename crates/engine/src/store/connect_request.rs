//! Connect requests: ids that callers made up, each owned by the first flow that used it, and how that ended.
//!
//! A row is found by the id's hash and holds nothing secret: whoever knows the id may hear how it ended.

use super::{
    Conn,
    statement::{Row, sql},
};
use crate::{
    error::Result,
    id::{ConnectionId, WorkspaceId},
    time::Millis,
};

/// How a connect request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestEnd {
    /// Whose it was.
    pub workspace_id: WorkspaceId,
    /// The connection that came of it.
    pub connection_id: Option<ConnectionId>,
    /// Why none did, in JSON.
    pub error: Option<String>,
}

impl Conn {
    /// Takes an id for a flow that is about to begin; `false` when it was used before, by whomever.
    pub async fn claim_connect_request(
        &mut self,
        ws: &WorkspaceId,
        hash: &str,
        expires_at: Millis,
    ) -> Result<bool> {
        let insert = sql("insert into connect_request (hash, workspace_id, expires_at, created_at) \
                          values ($1, $2, $3, $4) on conflict (hash) do nothing");
        let insert = insert.text(hash).text(ws.as_str()).at(expires_at).at(self.now);
        Ok(self.execute(insert).await? > 0)
    }

    /// Keeps how a request ended: with a connection, or with an error in JSON. `false` when it had ended before, or is
    /// not there any more.
    pub async fn end_connect_request(
        &mut self,
        ws: &WorkspaceId,
        hash: &str,
        connection: Option<&ConnectionId>,
        error: Option<&str>,
    ) -> Result<bool> {
        let update = sql("update connect_request set connection_id = $3, error = $4, ended_at = $5 \
                          where workspace_id = $1 and hash = $2 and ended_at is null");
        let update = update.text(ws.as_str()).text(hash);
        let update = update.maybe_text(connection.map(ConnectionId::as_str)).maybe_text(error).at(self.now);
        Ok(self.execute(update).await? > 0)
    }

    /// How the request with this hash ended; `None` when it has not, or there is none.
    pub async fn any_ended_request(&mut self, hash: &str) -> Result<Option<RequestEnd>> {
        let query = sql("select * from connect_request where hash = $1 and ended_at is not null").key(hash);
        self.row(query).await?.as_ref().map(read).transpose()
    }

    /// The hashes of the requests that have ended since, for whoever listens to some of them.
    pub async fn any_ended_requests(&mut self, since: Millis) -> Result<Vec<String>> {
        let query = sql("select hash from connect_request where ended_at is not null and ended_at >= $1");
        self.rows(query.at(since)).await?.iter().map(|row| row.text("hash")).collect()
    }

    /// Removes at most `limit` requests that were over before `before`. Says how many.
    pub async fn any_purge_connect_requests(&mut self, before: Millis, limit: i64) -> Result<i64> {
        let delete = sql("delete from connect_request where hash in \
                          (select hash from connect_request where expires_at < $1 order by expires_at limit $2)");
        self.execute(delete.at(before).int(limit)).await
    }
}

fn read(row: &Row) -> Result<RequestEnd> {
    Ok(RequestEnd {
        workspace_id: row.id("workspace_id", WorkspaceId::from_row)?,
        connection_id: row.maybe_id("connection_id", ConnectionId::from_row)?,
        error: row.maybe_text("error")?,
    })
}
