//! Credentials: sealed, and written over only by whoever read the version that is there.

use super::{
    Conn, Topic,
    statement::{Row, Statement, sql},
};
use crate::{
    domain::credential::Credential,
    error::Result,
    id::{ConnectionId, WorkspaceId},
    time::Millis,
};

/// The columns of a credential, in the order of [`values`].
macro_rules! columns {
    () => {
        "connection_id, workspace_id, sealed, version, expires_at, refresh_expires_at, obtained_at, fence, \
         parent_hash, previous, previous_until, worked_at, lifetime"
    };
}
pub(super) use columns;

impl Conn {
    /// Keeps a new connection's credential.
    pub async fn create_credential(&mut self, ws: &WorkspaceId, credential: &Credential) -> Result<()> {
        let insert = sql(concat!(
            "insert into credential (",
            columns!(),
            ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        ));
        self.execute(values(insert, ws, credential)).await?;
        self.note(Some(ws), Topic::Credential, credential.connection_id.as_str());
        Ok(())
    }

    /// A connection's credential.
    pub async fn credential(&mut self, ws: &WorkspaceId, id: &ConnectionId) -> Result<Option<Credential>> {
        let query = sql("select * from credential where workspace_id = $1 and connection_id = $2");
        self.row(query.text(ws.as_str()).text(id.as_str())).await?.as_ref().map(read).transpose()
    }

    /// Whether the credential still is of this version; if so, no other process changes it until this unit of
    /// work ends.
    pub async fn hold_credential(
        &mut self,
        ws: &WorkspaceId,
        id: &ConnectionId,
        version: i64,
    ) -> Result<bool> {
        let update = sql("update credential set version = version \
                          where workspace_id = $1 and connection_id = $2 and version = $3");
        Ok(self.execute(update.text(ws.as_str()).text(id.as_str()).int(version)).await? > 0)
    }

    /// Writes a newer credential over the version that was seen; `false` when the version moved or the
    /// connection is gone. The version kept is the new credential's own and must be greater than `seen`.
    ///
    /// The change log does not hear of it: whoever refreshes would wait for everybody else who does, at its one head row.
    pub async fn replace_credential(
        &mut self,
        ws: &WorkspaceId,
        credential: &Credential,
        seen: i64,
    ) -> Result<bool> {
        let update = sql("update credential set sealed = $3, version = $4, expires_at = $5, \
                          refresh_expires_at = $6, obtained_at = $7, fence = $8, parent_hash = $9, \
                          previous = $10, previous_until = $11, worked_at = $12, lifetime = $13 \
                          where workspace_id = $1 and connection_id = $2 and version = $14 and version < $4");
        let update = update.text(ws.as_str()).text(credential.connection_id.as_str());
        let update = update.text(credential.sealed.as_str()).int(credential.version);
        let update = update.maybe_at(credential.expires_at).maybe_at(credential.refresh_expires_at);
        let update = origin(update.at(credential.obtained_at), credential);
        self.note_here(ws, Topic::Credential, credential.connection_id.as_str());
        Ok(self.execute(update.int(seen)).await? > 0)
    }

    /// Notes that this version of a credential works, and erases the one before it. `false` when it is another version by
    /// now, or that is known.
    pub async fn credential_worked(
        &mut self,
        ws: &WorkspaceId,
        id: &ConnectionId,
        version: i64,
        at: Millis,
    ) -> Result<bool> {
        let update = sql("update credential set worked_at = $4, previous = null, previous_until = null \
                          where workspace_id = $1 and connection_id = $2 and version = $3 and worked_at is null");
        let update = update.text(ws.as_str()).text(id.as_str()).int(version).at(at);
        self.note_here(ws, Topic::Credential, id.as_str());
        Ok(self.execute(update).await? > 0)
    }

    /// Erases at most `limit` credentials that others took the place of and that are kept no longer. Says how many.
    pub async fn any_erase_previous_credentials(&mut self, now: Millis, limit: i64) -> Result<i64> {
        let update =
            sql("update credential set previous = null, previous_until = null where connection_id in \
                          (select connection_id from credential where previous_until is not null \
                          and previous_until <= $1 order by previous_until limit $2)");
        self.execute(update.at(now).int(limit)).await
    }
}

/// A credential's values, for an insert.
pub(super) fn values(insert: Statement, ws: &WorkspaceId, credential: &Credential) -> Statement {
    let insert = insert.text(credential.connection_id.as_str()).text(ws.as_str());
    let insert = insert.text(credential.sealed.as_str()).int(credential.version);
    let insert = insert.maybe_at(credential.expires_at).maybe_at(credential.refresh_expires_at);
    origin(insert.at(credential.obtained_at), credential)
}

/// Where a credential comes from and what was before it, in the order of the columns.
fn origin(statement: Statement, credential: &Credential) -> Statement {
    let statement = statement.int(credential.fence).maybe_text(credential.parent_hash.as_deref());
    let statement = statement.maybe_sealed(credential.previous.as_ref()).maybe_at(credential.previous_until);
    statement.maybe_at(credential.worked_at).maybe_int(credential.lifetime)
}

fn read(row: &Row) -> Result<Credential> {
    Ok(Credential {
        connection_id: row.id("connection_id", ConnectionId::from_row)?,
        workspace_id: row.id("workspace_id", WorkspaceId::from_row)?,
        sealed: row.sealed("sealed")?,
        version: row.int("version")?,
        expires_at: row.maybe_at("expires_at")?,
        refresh_expires_at: row.maybe_at("refresh_expires_at")?,
        obtained_at: row.at("obtained_at")?,
        fence: row.int("fence")?,
        parent_hash: row.maybe_text("parent_hash")?,
        previous: row.maybe_sealed("previous")?,
        previous_until: row.maybe_at("previous_until")?,
        worked_at: row.maybe_at("worked_at")?,
        lifetime: row.maybe_int("lifetime")?,
    })
}
