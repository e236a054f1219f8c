//! The request log: written in batches, off the hot path.

use super::{
    Conn, Page,
    statement::{Row, sql},
};
use crate::{
    domain::request_log::RequestLog,
    error::Result,
    id::{ApiKeyId, ConnectionId, IntegrationId, LogId, RequestId, UserId, WorkspaceId},
};

impl Conn {
    /// Keeps a batch of rows, each under its own workspace.
    pub async fn any_add_request_logs(&mut self, logs: &[RequestLog]) -> Result<()> {
        for log in logs {
            let insert = sql(
                "insert into request_log (id, request_id, workspace_id, api_key_id, connection_id, \
                              integration_id, method, path, status, error, attempts, bytes_in, bytes_out, \
                              duration_ms, at, user_id) \
                              values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
            );
            let insert =
                insert.text(log.id.as_str()).text(log.request_id.as_str()).text(log.workspace_id.as_str());
            let insert = insert.maybe_text(log.api_key_id.as_ref().map(ApiKeyId::as_str));
            let insert = insert.text(log.connection_id.as_str()).text(log.integration_id.as_str());
            let insert = insert.text(&log.method).text(&log.path).int(log.status.into());
            let insert = insert.maybe_text(log.error.as_deref()).int(log.attempts.into());
            let insert =
                insert.int(clamp(log.bytes_in)).int(clamp(log.bytes_out)).int(clamp(log.duration_ms));
            let insert = insert.at(log.at).maybe_text(log.user_id.as_ref().map(UserId::as_str));
            self.execute(insert).await?;
        }
        Ok(())
    }

    /// The workspace's calls, newest first.
    pub async fn request_logs(&mut self, ws: &WorkspaceId, page: &Page) -> Result<Vec<RequestLog>> {
        let query = sql("select * from request_log where workspace_id = $1 order by at desc, id desc \
                         limit $2 offset $3");
        let query = query.text(ws.as_str()).int(page.limit).int(page.offset);
        self.rows(query).await?.iter().map(read).collect()
    }
}

fn clamp(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn read(row: &Row) -> Result<RequestLog> {
    Ok(RequestLog {
        id: row.id("id", LogId::from_row)?,
        request_id: row.id("request_id", RequestId::from_row)?,
        workspace_id: row.id("workspace_id", WorkspaceId::from_row)?,
        api_key_id: row.maybe_id("api_key_id", ApiKeyId::from_row)?,
        user_id: row.maybe_id("user_id", UserId::from_row)?,
        connection_id: row.id("connection_id", ConnectionId::from_row)?,
        integration_id: row.id("integration_id", IntegrationId::from_row)?,
        method: row.text("method")?,
        path: row.text("path")?,
        status: row.number("status")?,
        error: row.maybe_text("error")?,
        attempts: row.number("attempts")?,
        bytes_in: row.number("bytes_in")?,
        bytes_out: row.number("bytes_out")?,
        duration_ms: row.number("duration_ms")?,
        at: row.at("at")?,
    })
}
