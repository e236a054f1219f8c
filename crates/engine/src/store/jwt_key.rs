//! Public keys that products' tokens are verified with.

use super::{
    Conn, Topic,
    statement::{Row, sql},
};
use crate::{
    domain::jwt_key::{Algorithm, JwtKey},
    error::Result,
    id::{JwtKeyId, WorkspaceId},
};

impl Conn {
    /// Keeps a key. [`crate::error::Error::Conflict`] when the name is taken in the workspace.
    pub async fn create_jwt_key(&mut self, ws: &WorkspaceId, key: &JwtKey) -> Result<()> {
        let insert = sql("insert into jwt_key (id, workspace_id, name, algorithm, public_key, created_at) \
                          values ($1, $2, $3, $4, $5, $6)");
        let insert = insert.text(key.id.as_str()).text(ws.as_str()).text(&key.name);
        let insert = insert.text(key.algorithm.as_str()).text(&key.public_key).at(key.created_at);
        self.execute(insert).await?;
        self.sign(Some(ws), Topic::Workspace, "jwt_key.create", key.id.as_str()).await
    }

    /// The workspace's keys, oldest first.
    pub async fn jwt_keys(&mut self, ws: &WorkspaceId) -> Result<Vec<JwtKey>> {
        let query = sql("select * from jwt_key where workspace_id = $1 order by created_at, id");
        self.rows(query.text(ws.as_str())).await?.iter().map(read).collect()
    }

    /// Removes a key; `false` when there was none.
    pub async fn delete_jwt_key(&mut self, ws: &WorkspaceId, id: &JwtKeyId) -> Result<bool> {
        let delete = sql("delete from jwt_key where workspace_id = $1 and id = $2");
        if self.execute(delete.text(ws.as_str()).text(id.as_str())).await? == 0 {
            return Ok(false);
        }
        self.sign(Some(ws), Topic::Workspace, "jwt_key.delete", id.as_str()).await?;
        Ok(true)
    }
}

fn read(row: &Row) -> Result<JwtKey> {
    Ok(JwtKey {
        id: row.id("id", JwtKeyId::from_row)?,
        workspace_id: row.id("workspace_id", WorkspaceId::from_row)?,
        name: row.text("name")?,
        algorithm: row.word("algorithm", Algorithm::parse)?,
        public_key: row.text("public_key")?,
        created_at: row.at("created_at")?,
    })
}
