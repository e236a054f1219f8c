//! A workspace's registered redirect URIs: exact strings, compared byte for byte (RFC 9700 §2.1).

use super::{Conn, Topic, statement::sql};
use crate::{error::Result, id::WorkspaceId};

impl Conn {
    /// The registered redirect URIs, oldest first.
    pub async fn redirect_uris(&mut self, ws: &WorkspaceId) -> Result<Vec<String>> {
        let query = sql("select uri from redirect_uri where workspace_id = $1 order by created_at, uri");
        self.rows(query.text(ws.as_str())).await?.iter().map(|row| row.text("uri")).collect()
    }

    /// Whether exactly this URI is registered.
    pub async fn has_redirect_uri(&mut self, ws: &WorkspaceId, uri: &str) -> Result<bool> {
        let query = sql("select uri from redirect_uri where workspace_id = $1 and uri = $2");
        Ok(self.row(query.text(ws.as_str()).key(uri)).await?.is_some())
    }

    /// Registers a redirect URI. [`crate::error::Error::Conflict`] when it already is.
    pub async fn add_redirect_uri(&mut self, ws: &WorkspaceId, uri: &str) -> Result<()> {
        let insert = sql("insert into redirect_uri (workspace_id, uri, created_at) values ($1, $2, $3)");
        self.execute(insert.text(ws.as_str()).text(uri).at(self.now)).await?;
        self.sign(Some(ws), Topic::Workspace, "redirect_uri.create", uri).await
    }

    /// Removes a redirect URI; `false` when it was not registered.
    pub async fn remove_redirect_uri(&mut self, ws: &WorkspaceId, uri: &str) -> Result<bool> {
        let delete = sql("delete from redirect_uri where workspace_id = $1 and uri = $2");
        if self.execute(delete.text(ws.as_str()).key(uri)).await? == 0 {
            return Ok(false);
        }
        self.sign(Some(ws), Topic::Workspace, "redirect_uri.delete", uri).await?;
        Ok(true)
    }
}
