//! The request log: written in batches, off the hot path.

use std::sync::LazyLock;

use super::{
    Conn, Page,
    seeded::insert,
    statement::{Row, Statement, sql},
};
use crate::{
    domain::request_log::RequestLog,
    error::Result,
    id::{ApiKeyId, ConnectionId, CustomerId, IntegrationId, LogId, RequestId, UserId, WorkspaceId},
};

/// Rows of one statement.
const AT_ONCE: usize = 50;

macro_rules! columns {
    () => {
        "id, request_id, workspace_id, api_key_id, user_id, customer_id, connection_id, integration_id, method, path, \
         status, error, attempts, bytes_in, bytes_out, trace_id, waited_ms, first_byte_ms, duration_ms, at"
    };
}

static ONE: LazyLock<String> = LazyLock::new(|| insert("request_log", columns!(), 1));
static MANY: LazyLock<String> = LazyLock::new(|| insert("request_log", columns!(), AT_ONCE));

impl Conn {
    /// Keeps a batch of rows, each under its own workspace.
    pub async fn any_add_request_logs(&mut self, logs: &[RequestLog]) -> Result<()> {
        for some in logs.chunks(AT_ONCE) {
            if some.len() == AT_ONCE {
                self.execute(some.iter().fold(sql(&MANY), values)).await?;
                continue;
            }
            for one in some {
                self.execute(values(sql(&ONE), one)).await?;
            }
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

fn values(insert: Statement, log: &RequestLog) -> Statement {
    let insert = insert.text(log.id.as_str()).text(log.request_id.as_str()).text(log.workspace_id.as_str());
    let insert = insert.maybe_text(log.api_key_id.as_ref().map(ApiKeyId::as_str));
    let insert = insert.maybe_text(log.user_id.as_ref().map(UserId::as_str));
    let insert = insert.maybe_text(log.customer_id.as_ref().map(CustomerId::as_str));
    let insert = insert.text(log.connection_id.as_str()).text(log.integration_id.as_str());
    let insert = insert.text(&log.method).text(&log.path).int(log.status.into());
    let insert = insert.maybe_text(log.error.as_deref()).int(log.attempts.into());
    let insert = insert.int(clamp(log.bytes_in)).int(clamp(log.bytes_out));
    let insert = insert.maybe_text(log.trace_id.as_deref());
    let insert = insert.maybe_int(log.waited_ms.map(clamp)).maybe_int(log.first_byte_ms.map(clamp));
    insert.int(clamp(log.duration_ms)).at(log.at)
}

/// As a column holds it.
pub(super) fn clamp(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn read(row: &Row) -> Result<RequestLog> {
    Ok(RequestLog {
        id: row.id("id", LogId::from_row)?,
        request_id: row.id("request_id", RequestId::from_row)?,
        workspace_id: row.id("workspace_id", WorkspaceId::from_row)?,
        api_key_id: row.maybe_id("api_key_id", ApiKeyId::from_row)?,
        user_id: row.maybe_id("user_id", UserId::from_row)?,
        customer_id: row.maybe_id("customer_id", CustomerId::from_row)?,
        connection_id: row.id("connection_id", ConnectionId::from_row)?,
        integration_id: row.id("integration_id", IntegrationId::from_row)?,
        method: row.text("method")?,
        path: row.text("path")?,
        status: row.number("status")?,
        error: row.maybe_text("error")?,
        attempts: row.number("attempts")?,
        bytes_in: row.number("bytes_in")?,
        bytes_out: row.number("bytes_out")?,
        trace_id: row.maybe_text("trace_id")?,
        waited_ms: row.maybe_number("waited_ms")?,
        first_byte_ms: row.maybe_number("first_byte_ms")?,
        duration_ms: row.number("duration_ms")?,
        at: row.at("at")?,
    })
}
