//! OAuth apps of whoever runs the server.
//!
//! A change of one ends the flows of every integration that names it.

use super::{
    Conn, Topic,
    conn::found,
    statement::{Row, sql},
};
use crate::{
    domain::oauth_app::OauthApp,
    error::{Error, Result},
    id::{IntegrationId, OauthAppId, WorkspaceId},
    vault::Sealed,
};

/// The integrations that name an app, themselves or in one of their auth options.
const USERS: &str = "select id from integration where workspace_id = $1 and proxy_key = $2 \
     union select integration_id as id from auth_option where workspace_id = $1 and proxy_key = $2";

impl Conn {
    /// Keeps a new app. [`Error::Conflict`] when its key is taken in the workspace.
    pub async fn create_oauth_app(&mut self, ws: &WorkspaceId, app: &OauthApp) -> Result<()> {
        let insert =
            sql("insert into oauth_app (id, workspace_id, key, provider, client_id, client_secret, \
                          created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7, $8)");
        let insert = insert.text(app.id.as_str()).text(ws.as_str()).text(&app.key).text(&app.provider);
        let insert = insert.text(&app.client_id).maybe_sealed(app.client_secret.as_ref());
        self.execute(insert.at(app.created_at).at(app.updated_at)).await?;
        self.end_flows_of(ws, &app.key).await?;
        self.sign(Some(ws), Topic::Workspace, "oauth_app.create", app.id.as_str()).await
    }

    /// The workspace's apps, by key.
    pub async fn oauth_apps(&mut self, ws: &WorkspaceId) -> Result<Vec<OauthApp>> {
        let query = sql("select * from oauth_app where workspace_id = $1 order by key");
        self.rows(query.text(ws.as_str())).await?.iter().map(read).collect()
    }

    /// An app by key.
    pub async fn oauth_app(&mut self, ws: &WorkspaceId, key: &str) -> Result<Option<OauthApp>> {
        let query = sql("select * from oauth_app where workspace_id = $1 and key = $2");
        self.row(query.text(ws.as_str()).key(key)).await?.as_ref().map(read).transpose()
    }

    /// The integrations that connect with an app, themselves or in one of their auth options.
    pub async fn integrations_of_app(&mut self, ws: &WorkspaceId, key: &str) -> Result<Vec<IntegrationId>> {
        let rows = self.rows(sql(USERS).text(ws.as_str()).key(key)).await?;
        rows.iter().map(|row| row.id("id", IntegrationId::from_row)).collect()
    }

    /// Changes an app's client id and secret, and raises the version of every integration that names it. A secret that
    /// stays the same stays as it is stored.
    pub async fn update_oauth_app(&mut self, ws: &WorkspaceId, app: &OauthApp) -> Result<()> {
        let update = sql("update oauth_app set client_id = $3, \
                          client_secret = case when replace(client_secret, $6, '') <> client_secret \
                          then client_secret else $4 end, updated_at = $5 where workspace_id = $1 and id = $2");
        let update = update.text(ws.as_str()).text(app.id.as_str()).text(&app.client_id);
        let update = update.maybe_sealed(app.client_secret.as_ref()).at(self.now);
        let update = update.maybe_text(app.client_secret.as_ref().and_then(Sealed::body));
        found(self.execute(update).await?, "OAuth app")?;
        self.end_flows_of(ws, &app.key).await?;
        self.sign(Some(ws), Topic::Workspace, "oauth_app.update", app.id.as_str()).await
    }

    /// Removes an app; `false` when there was none. [`Error::Conflict`] while an integration names it.
    pub async fn delete_oauth_app(&mut self, ws: &WorkspaceId, app: &OauthApp) -> Result<bool> {
        if !self.integrations_of_app(ws, &app.key).await?.is_empty() {
            return Err(Error::Conflict { message: "an integration still connects with the app".to_owned() });
        }
        let delete = sql("delete from oauth_app where workspace_id = $1 and id = $2");
        if self.execute(delete.text(ws.as_str()).text(app.id.as_str())).await? == 0 {
            return Ok(false);
        }
        self.sign(Some(ws), Topic::Workspace, "oauth_app.delete", app.id.as_str()).await?;
        Ok(true)
    }

    async fn end_flows_of(&mut self, ws: &WorkspaceId, key: &str) -> Result<()> {
        for id in self.integrations_of_app(ws, key).await? {
            self.raise_version(ws, &id).await?;
            self.note(Some(ws), Topic::Integration, id.as_str());
        }
        Ok(())
    }
}

fn read(row: &Row) -> Result<OauthApp> {
    Ok(OauthApp {
        id: row.id("id", OauthAppId::from_row)?,
        workspace_id: row.id("workspace_id", WorkspaceId::from_row)?,
        key: row.text("key")?,
        provider: row.text("provider")?,
        client_id: row.text("client_id")?,
        client_secret: row.maybe_sealed("client_secret")?,
        created_at: row.at("created_at")?,
        updated_at: row.at("updated_at")?,
    })
}
