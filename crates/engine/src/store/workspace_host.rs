//! Under which origins a workspace's users reach us, where that is not the installation's public URL.

use super::{Conn, Topic, statement::sql};
use crate::{
    domain::workspace::Workspace,
    error::{Error, Result},
    id::WorkspaceId,
};

impl Conn {
    /// The workspace that has this host (`acme.example.com`, `acme.example.com:8443`) registered, and the origin: how
    /// the workspace of somebody who is to sign in is found.
    pub async fn any_workspace_host(&mut self, host: &str) -> Result<Option<(WorkspaceId, String)>> {
        let query = sql("select workspace_id, origin from workspace_host where host = $1").key(host);
        let row = self.row(query).await?;
        row.map(|row| Ok((row.id("workspace_id", WorkspaceId::from_row)?, row.text("origin")?))).transpose()
    }

    /// The only workspace there is; `None` when there are none or several.
    pub async fn any_only_workspace(&mut self) -> Result<Option<Workspace>> {
        let query = sql("select * from workspace order by created_at, id limit 2");
        match self.rows(query).await?.as_slice() {
            [only] => super::workspace::read(only).map(Some),
            _ => Ok(None),
        }
    }

    /// The workspace's origins, in order.
    pub async fn workspace_hosts(&mut self, ws: &WorkspaceId) -> Result<Vec<String>> {
        let query = sql("select origin from workspace_host where workspace_id = $1 order by origin");
        self.rows(query.text(ws.as_str())).await?.iter().map(|row| row.text("origin")).collect()
    }

    /// Gives the workspace exactly these origins, each as a browser writes it (`https://acme.example.com`). `false`
    /// when it had them already. [`Error::Conflict`] when another workspace has one.
    pub async fn set_workspace_hosts(&mut self, ws: &WorkspaceId, origins: &[String]) -> Result<bool> {
        let mut wanted = origins.to_vec();
        wanted.sort();
        wanted.dedup();
        if self.workspace_hosts(ws).await? == wanted {
            return Ok(false);
        }
        let delete = sql("delete from workspace_host where workspace_id = $1");
        self.execute(delete.text(ws.as_str())).await?;
        for origin in &wanted {
            let host = origin.split_once("://").map_or(origin.as_str(), |(_, host)| host);
            let insert = sql("insert into workspace_host (host, workspace_id, origin, created_at) \
                              values ($1, $2, $3, $4) on conflict (host) do nothing");
            let insert = insert.text(host).text(ws.as_str()).text(origin).at(self.now);
            if self.execute(insert).await? == 0 {
                let message = format!("the host {host} is already registered, here or for another workspace");
                return Err(Error::Conflict { message });
            }
        }
        self.sign(Some(ws), Topic::Workspace, "workspace.hosts", ws.as_str()).await?;
        Ok(true)
    }
}
