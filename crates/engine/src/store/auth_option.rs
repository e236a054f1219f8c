//! Auth options, and integrations as of them.
//!
//! A change of one ends the flows of its integration, as any change of that does.

use super::{
    Conn, Topic,
    conn::found,
    statement::{Row, sql},
};
use crate::{
    domain::{
        auth_option::AuthOption,
        integration::{CallbackKind, Integration},
        oauth_app::OauthApp,
    },
    error::{Error, Result},
    id::{AuthOptionId, IntegrationId, WorkspaceId},
    vault::Sealed,
};

impl Conn {
    /// Keeps a new auth option. [`Error::Conflict`] when its key is taken at the integration.
    pub async fn create_auth_option(&mut self, ws: &WorkspaceId, option: &AuthOption) -> Result<()> {
        let insert = sql(
            "insert into auth_option (id, workspace_id, integration_id, key, title, description, provider, \
                          client_id, client_secret, scopes, callback, config, proxy_key, nth, created_at, updated_at) \
                          values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        );
        let insert = insert.text(option.id.as_str()).text(ws.as_str()).text(option.integration_id.as_str());
        let insert = insert.text(&option.key).maybe_text(option.title.as_deref());
        let insert = insert.maybe_text(option.description.as_deref()).text(&option.provider);
        let insert = insert.maybe_text(option.client_id.as_deref());
        let insert = insert.maybe_sealed(option.client_secret.as_ref()).json(&option.scopes)?;
        let insert = insert.text(option.callback.as_str()).json(&option.config)?;
        let insert = insert.maybe_text(option.config.proxy_key.as_deref()).int(option.nth);
        self.execute(insert.at(option.created_at).at(option.updated_at)).await?;
        self.sign(Some(ws), Topic::Integration, "auth_option.create", option.integration_id.as_str()).await
    }

    /// The auth options of an integration, in their order.
    pub async fn auth_options(
        &mut self,
        ws: &WorkspaceId,
        integration: &IntegrationId,
    ) -> Result<Vec<AuthOption>> {
        let query = sql("select * from auth_option where workspace_id = $1 and integration_id = $2 \
                         order by nth, id");
        self.rows(query.text(ws.as_str()).text(integration.as_str())).await?.iter().map(read).collect()
    }

    /// An auth option of an integration, by key.
    pub async fn auth_option(
        &mut self,
        ws: &WorkspaceId,
        integration: &IntegrationId,
        key: &str,
    ) -> Result<Option<AuthOption>> {
        let query =
            sql("select * from auth_option where workspace_id = $1 and integration_id = $2 and key = $3");
        let query = query.text(ws.as_str()).text(integration.as_str()).key(key);
        self.row(query).await?.as_ref().map(read).transpose()
    }

    /// Changes an auth option, and raises its integration's version. Id, workspace, integration, key and `created_at`
    /// never change. A client secret that stays the same stays as it is stored: its data key may be wrapped anew since
    /// it was read.
    pub async fn update_auth_option(&mut self, ws: &WorkspaceId, option: &AuthOption) -> Result<()> {
        let update =
            sql("update auth_option set title = $3, description = $4, provider = $5, client_id = $6, \
                          client_secret = case when replace(client_secret, $14, '') <> client_secret \
                          then client_secret else $7 end, scopes = $8, callback = $9, config = $10, \
                          proxy_key = $11, nth = $12, updated_at = $13 where workspace_id = $1 and id = $2");
        let update = update.text(ws.as_str()).text(option.id.as_str()).maybe_text(option.title.as_deref());
        let update = update.maybe_text(option.description.as_deref()).text(&option.provider);
        let update = update.maybe_text(option.client_id.as_deref());
        let update = update.maybe_sealed(option.client_secret.as_ref()).json(&option.scopes)?;
        let update = update.text(option.callback.as_str()).json(&option.config)?;
        let update = update.maybe_text(option.config.proxy_key.as_deref()).int(option.nth).at(self.now);
        let update = update.maybe_text(option.client_secret.as_ref().and_then(Sealed::body));
        found(self.execute(update).await?, "auth option")?;
        self.raise_version(ws, &option.integration_id).await?;
        self.sign(Some(ws), Topic::Integration, "auth_option.update", option.integration_id.as_str()).await
    }

    /// Removes an auth option, and raises its integration's version; `false` when there was none. [`Error::Conflict`]
    /// when connections were made by it.
    pub async fn delete_auth_option(&mut self, ws: &WorkspaceId, option: &AuthOption) -> Result<bool> {
        // First of all: nobody connects through the integration from here on.
        self.raise_version(ws, &option.integration_id).await?;
        let used = sql("select id from connection where workspace_id = $1 and integration_id = $2 \
                        and auth_option = $3 limit 1");
        let used = used.text(ws.as_str()).text(option.integration_id.as_str()).key(&option.key);
        if self.row(used).await?.is_some() {
            return Err(Error::Conflict { message: "the auth option still has connections".to_owned() });
        }
        let delete = sql("delete from auth_option where workspace_id = $1 and id = $2");
        if self.execute(delete.text(ws.as_str()).text(option.id.as_str())).await? == 0 {
            return Ok(false);
        }
        self.sign(Some(ws), Topic::Integration, "auth_option.delete", option.integration_id.as_str()).await?;
        Ok(true)
    }

    /// An integration by id, as of one of its auth options: provider, client, scopes, callback and configuration are the
    /// option's; `None` and the empty key mean its own way. Either way a client that an operator lends is put in its
    /// place. `None` when there is no such integration, or no such option.
    pub async fn integration_as(
        &mut self,
        ws: &WorkspaceId,
        id: &IntegrationId,
        option: Option<&str>,
    ) -> Result<Option<Integration>> {
        match self.integration(ws, id).await? {
            Some(integration) => self.as_option(ws, integration, option).await,
            None => Ok(None),
        }
    }

    /// The same, of an integration as it was read.
    pub async fn as_option(
        &mut self,
        ws: &WorkspaceId,
        integration: Integration,
        option: Option<&str>,
    ) -> Result<Option<Integration>> {
        let integration = match option.filter(|key| !key.is_empty()) {
            None => integration,
            Some(key) => match self.auth_option(ws, &integration.id, key).await? {
                Some(option) => option.over(integration),
                None => return Ok(None),
            },
        };
        let app = match integration.config.proxy_key.as_deref() {
            Some(key) => self.oauth_app(ws, key).await?,
            None => None,
        };
        Ok(Some(OauthApp::lend(app, integration)))
    }

    /// The auth options of all of a workspace's integrations, each integration's in their order.
    pub async fn all_auth_options(&mut self, ws: &WorkspaceId) -> Result<Vec<AuthOption>> {
        let query = sql("select * from auth_option where workspace_id = $1 order by integration_id, nth, id");
        self.rows(query.text(ws.as_str())).await?.iter().map(read).collect()
    }

    /// Ends the flows of an integration that were begun before now.
    pub(super) async fn raise_version(&mut self, ws: &WorkspaceId, id: &IntegrationId) -> Result<()> {
        let update = sql("update integration set version = version + 1, updated_at = $3 \
                          where workspace_id = $1 and id = $2");
        self.execute(update.text(ws.as_str()).text(id.as_str()).at(self.now)).await.map(drop)
    }
}

fn read(row: &Row) -> Result<AuthOption> {
    Ok(AuthOption {
        id: row.id("id", AuthOptionId::from_row)?,
        workspace_id: row.id("workspace_id", WorkspaceId::from_row)?,
        integration_id: row.id("integration_id", IntegrationId::from_row)?,
        key: row.text("key")?,
        title: row.maybe_text("title")?,
        description: row.maybe_text("description")?,
        provider: row.text("provider")?,
        client_id: row.maybe_text("client_id")?,
        client_secret: row.maybe_sealed("client_secret")?,
        scopes: row.json("scopes")?,
        callback: row.word("callback", CallbackKind::parse)?,
        config: row.json("config")?,
        nth: row.int("nth")?,
        created_at: row.at("created_at")?,
        updated_at: row.at("updated_at")?,
    })
}
