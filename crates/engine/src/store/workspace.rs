//! Workspaces.

use super::{
    Conn, Topic,
    conn::found,
    statement::{Row, sql},
};
use crate::{
    domain::workspace::{Settings, Workspace},
    error::Result,
    id::WorkspaceId,
    vault::Sealed,
};

impl Conn {
    /// Makes a workspace. [`crate::error::Error::Conflict`] when its client id is taken.
    pub async fn create_workspace(&mut self, workspace: &Workspace) -> Result<()> {
        let insert =
            sql("insert into workspace (id, name, client_id, jwt_secret, settings, created_at, updated_at) \
                          values ($1, $2, $3, $4, $5, $6, $7)");
        let insert = insert.text(workspace.id.as_str()).text(&workspace.name).text(&workspace.client_id);
        let insert = insert.maybe_sealed(workspace.jwt_secret.as_ref()).json(&workspace.settings)?;
        self.execute(insert.at(workspace.created_at).at(workspace.updated_at)).await?;
        self.sign(Some(&workspace.id), Topic::Workspace, "workspace.create", workspace.id.as_str()).await
    }

    /// The workspace itself.
    pub async fn workspace(&mut self, ws: &WorkspaceId) -> Result<Option<Workspace>> {
        let query = sql("select * from workspace where id = $1").text(ws.as_str());
        self.row(query).await?.as_ref().map(read).transpose()
    }

    /// Whether there is the workspace; if so, no other process changes it, or holds it, until this unit of work ends.
    pub async fn hold_workspace(&mut self, ws: &WorkspaceId) -> Result<bool> {
        let update = sql("update workspace set updated_at = updated_at where id = $1");
        Ok(self.execute(update.text(ws.as_str())).await? > 0)
    }

    /// The workspace that `/authorize` names; how an anonymous caller's workspace is found.
    pub async fn any_workspace_by_client_id(&mut self, client_id: &str) -> Result<Option<Workspace>> {
        let query = sql("select * from workspace where client_id = $1").key(client_id);
        self.row(query).await?.as_ref().map(read).transpose()
    }

    /// Every workspace, oldest first.
    pub async fn any_workspaces(&mut self) -> Result<Vec<Workspace>> {
        self.rows(sql("select * from workspace order by created_at, id")).await?.iter().map(read).collect()
    }

    /// Sets a workspace's name and settings.
    pub async fn update_workspace(
        &mut self,
        ws: &WorkspaceId,
        name: &str,
        settings: &Settings,
    ) -> Result<()> {
        let update = sql("update workspace set name = $2, settings = $3, updated_at = $4 where id = $1");
        let update = update.text(ws.as_str()).text(name).json(settings)?.at(self.now);
        found(self.execute(update).await?, "workspace")?;
        self.sign(Some(ws), Topic::Workspace, "workspace.update", ws.as_str()).await
    }

    /// Sets the secret that Membrane-style tokens are signed with.
    pub async fn set_jwt_secret(&mut self, ws: &WorkspaceId, secret: &Sealed) -> Result<()> {
        let update = sql("update workspace set jwt_secret = $2, updated_at = $3 where id = $1");
        let update = update.text(ws.as_str()).text(secret.as_str()).at(self.now);
        found(self.execute(update).await?, "workspace")?;
        self.sign(Some(ws), Topic::Workspace, "workspace.jwt_secret", ws.as_str()).await
    }

    /// Removes a workspace with everything in it but its audit log. A workspace that still has connections
    /// is refused with [`crate::error::Error::Conflict`]. `false` when there was none.
    pub async fn delete_workspace(&mut self, ws: &WorkspaceId) -> Result<bool> {
        let query = sql("select id from connection where workspace_id = $1 limit 1").text(ws.as_str());
        if self.row(query).await?.is_some() {
            let message = "the workspace still has connections".to_owned();
            return Err(crate::error::Error::Conflict { message });
        }
        if self.execute(sql("delete from workspace where id = $1").text(ws.as_str())).await? == 0 {
            return Ok(false);
        }
        self.sign(Some(ws), Topic::Workspace, "workspace.delete", ws.as_str()).await?;
        Ok(true)
    }
}

pub(super) fn read(row: &Row) -> Result<Workspace> {
    Ok(Workspace {
        id: row.id("id", WorkspaceId::from_row)?,
        name: row.text("name")?,
        client_id: row.text("client_id")?,
        jwt_secret: row.maybe_sealed("jwt_secret")?,
        settings: row.json("settings")?,
        created_at: row.at("created_at")?,
        updated_at: row.at("updated_at")?,
    })
}
