//! Reading the audit log. It is written by the administrative methods themselves (see `Conn::sign`).

use super::{
    Conn, Page,
    statement::{Row, sql},
};
use crate::{
    domain::audit::Audit,
    error::Result,
    id::{AuditId, WorkspaceId},
    time::Millis,
};

/// Where one stands in a list that is walked from the newest on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The time of the last row that was seen.
    pub at: Millis,
    /// Its id.
    pub id: String,
}

impl Mark {
    /// As an address carries it.
    pub fn to_text(&self) -> String {
        format!("{}-{}", self.at.0, self.id)
    }

    /// Reads what [`Mark::to_text`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let (at, id) = text.split_once('-')?;
        let plain = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        Some(Self { at: Millis(at.parse().ok()?), id: id.to_owned() }).filter(|_| plain)
    }
}

/// Which rows of the audit log; what is `None` does not narrow.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Only by this actor, as [`crate::domain::audit::Actor::to_text`] writes it.
    pub actor: Option<String>,
    /// Only what was done to things of this kind: the first word of a verb.
    pub noun: Option<String>,
}

impl Conn {
    /// What was done in the workspace, newest first.
    pub async fn audits(&mut self, ws: &WorkspaceId, page: &Page) -> Result<Vec<Audit>> {
        let query = sql("select * from audit where workspace_id = $1 order by at desc, id desc \
                         limit $2 offset $3");
        let query = query.text(ws.as_str()).int(page.limit).int(page.offset);
        self.rows(query).await?.iter().map(read).collect()
    }

    /// What was done in the workspace before a row, newest first; from the newest on without one. Narrowed to what one
    /// actor did, and to verbs that begin with `verb`, where those are given.
    pub async fn audits_before(
        &mut self,
        ws: &WorkspaceId,
        narrow: &AuditFilter,
        before: Option<&Mark>,
        limit: i64,
    ) -> Result<Vec<Audit>> {
        let query = sql("select * from audit where workspace_id = $1 \
             and (cast($2 as bigint) is null or at < $2 or at = $2 and id < $3) \
             and ($4 is null or actor = $4) and ($5 is null or verb = $5 or verb like $5 || '.%') \
             order by at desc, id desc limit $6");
        let query = query.text(ws.as_str()).maybe_at(before.map(|it| it.at));
        let query = query.text(before.map_or("", |it| it.id.as_str()));
        let query = query.maybe_key(narrow.actor.as_deref()).maybe_key(narrow.noun.as_deref()).int(limit);
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
        address: row.maybe_text("address")?,
        at: row.at("at")?,
    })
}
