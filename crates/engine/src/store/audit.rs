//! Reading the audit log. It is written by the administrative methods themselves (see `Conn::sign`).

use super::{
    Conn, Page,
    statement::{Row, sql},
};
use crate::{
    domain::audit::Audit,
    error::Result,
    id::{AuditId, WorkspaceId},
};

impl Conn {
    /// What was done in the workspace, newest first.
    pub async fn audits(&mut self, ws: &WorkspaceId, page: &Page) -> Result<Vec<Audit>> {
        let query = sql("select * from audit where workspace_id = $1 order by at desc, id desc \
                         limit $2 offset $3");
        let query = query.text(ws.as_str()).int(page.limit).int(page.offset);
        self.rows(query).await?.iter().map(read).collect()
    }

    /// What was done in no workspace (to operators), newest first.
    pub async fn any_audits_of_none(&mut self, page: &Page) -> Result<Vec<Audit>> {
        let query = sql("select * from audit where workspace_id is null order by at desc, id desc \
                         limit $1 offset $2");
        self.rows(query.int(page.limit).int(page.offset)).await?.iter().map(read).collect()
    }
}

fn read(row: &Row) -> Result<Audit> {
    Ok(Audit {
        id: row.id("id", AuditId::from_row)?,
        workspace_id: row.maybe_id("workspace_id", WorkspaceId::from_row)?,
        actor: row.text("actor")?,
        verb: row.text("verb")?,
        target: row.text("target")?,
        at: row.at("at")?,
    })
}
