//! Credentials: sealed, and written over only by whoever read the version that is there.

use super::{
    Conn, Topic,
    statement::{Row, sql},
};
use crate::{
    domain::credential::Credential,
    error::Result,
    id::{ConnectionId, WorkspaceId},
};

impl Conn {
    /// Keeps a new connection's credential.
    pub async fn create_credential(&mut self, ws: &WorkspaceId, credential: &Credential) -> Result<()> {
        let insert =
            sql("insert into credential (connection_id, workspace_id, sealed, version, expires_at, \
                          refresh_expires_at, obtained_at) values ($1, $2, $3, $4, $5, $6, $7)");
        let insert = insert.text(credential.connection_id.as_str()).text(ws.as_str());
        let insert = insert.text(credential.sealed.as_str()).int(credential.version);
        let insert = insert.maybe_at(credential.expires_at).maybe_at(credential.refresh_expires_at);
        self.execute(insert.at(credential.obtained_at)).await?;
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
    pub async fn replace_credential(
        &mut self,
        ws: &WorkspaceId,
        credential: &Credential,
        seen: i64,
    ) -> Result<bool> {
        let update = sql("update credential set sealed = $3, version = $4, expires_at = $5, \
                          refresh_expires_at = $6, obtained_at = $7 \
                          where workspace_id = $1 and connection_id = $2 and version = $8 and version < $4");
        let update = update.text(ws.as_str()).text(credential.connection_id.as_str());
        let update = update.text(credential.sealed.as_str()).int(credential.version);
        let update = update.maybe_at(credential.expires_at).maybe_at(credential.refresh_expires_at);
        if self.execute(update.at(credential.obtained_at).int(seen)).await? == 0 {
            return Ok(false);
        }
        self.note(Some(ws), Topic::Credential, credential.connection_id.as_str());
        Ok(true)
    }
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
    })
}
