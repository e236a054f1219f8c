//! Logos of workspaces. What comes in here is harmless already.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{Conn, Topic, fault::unreadable, statement::sql};
use crate::{domain::icon::Icon, error::Result, id::WorkspaceId};

impl Conn {
    /// A workspace's logo.
    pub async fn logo(&mut self, ws: &WorkspaceId) -> Result<Option<Icon>> {
        let query = sql("select * from workspace_logo where workspace_id = $1");
        let row = self.row(query.text(ws.as_str())).await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Icon {
            media_type: row.text("media_type")?,
            body: BASE64_STANDARD.decode(row.text("body")?).map_err(|_| unreadable("body"))?,
            hash: row.text("hash")?,
            updated_at: row.at("updated_at")?,
        }))
    }

    /// The hash of a workspace's logo.
    pub async fn logo_hash(&mut self, ws: &WorkspaceId) -> Result<Option<String>> {
        let query = sql("select hash from workspace_logo where workspace_id = $1");
        let row = self.row(query.text(ws.as_str())).await?;
        row.map(|row| row.text("hash")).transpose()
    }

    /// Gives a workspace a logo, in place of the one it has. [`crate::error::Error::Conflict`] when there is no such
    /// workspace.
    pub async fn set_logo(&mut self, ws: &WorkspaceId, logo: &Icon) -> Result<()> {
        let upsert = sql("insert into workspace_logo (workspace_id, media_type, body, hash, updated_at) \
                          values ($1, $2, $3, $4, $5) on conflict (workspace_id) do update set \
                          media_type = excluded.media_type, body = excluded.body, hash = excluded.hash, \
                          updated_at = excluded.updated_at");
        let upsert = upsert.text(ws.as_str()).text(&logo.media_type);
        let upsert = upsert.text(BASE64_STANDARD.encode(&logo.body)).text(&logo.hash).at(logo.updated_at);
        self.execute(upsert).await?;
        self.sign(Some(ws), Topic::Workspace, "workspace.logo", ws.as_str()).await
    }

    /// Takes a workspace's logo away; `false` when it had none.
    pub async fn delete_logo(&mut self, ws: &WorkspaceId) -> Result<bool> {
        let delete = sql("delete from workspace_logo where workspace_id = $1").text(ws.as_str());
        if self.execute(delete).await? == 0 {
            return Ok(false);
        }
        self.sign(Some(ws), Topic::Workspace, "workspace.logo", ws.as_str()).await?;
        Ok(true)
    }
}
